"""One conformance suite for every transport, over real sockets."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme

from plano_asgi.errors import (
    ConfigurationError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from plano_asgi.providers.client import HTTPRequest, Timeouts, Transport, UpstreamReply
from plano_asgi.providers.transports import AiohttpTransport, HttptoolsTransport, HttpxTransport
from plano_asgi.providers.transports.shared import default_ssl_context
from upstream import (
    CUT,
    HANG,
    RESET,
    Reply,
    chat_reply,
    chat_stream,
    refused,
    scripted_upstream,
)

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect_s=0.05, read_s=0.05)
MAX = 1 << 20


PROXYING = ["aiohttp-asyncio", "httpx-asyncio", "httpx-trio"]
"""Those that can go through a proxy."""

LOOPS = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "trio": ("trio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
}


@pytest.fixture(params=["httptools-asyncio", "httptools-uvloop", *PROXYING])
def stack(request: pytest.FixtureRequest) -> str:
    """A transport and the event loop it runs on."""
    if request.param.endswith("uvloop") and not find_spec("uvloop"):
        pytest.skip("uvloop is not installed")
    return str(request.param)


@pytest.fixture
def anyio_backend(stack: str) -> tuple[str, dict[str, Any]]:
    """The loop of *stack*."""
    return LOOPS[stack.partition("-")[2]]


TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once: reading a machine's certificate authorities takes longer than most of these tests."""


KINDS: dict[str, Callable[..., Transport]] = {
    "aiohttp": AiohttpTransport,
    "httptools": HttptoolsTransport,
    "httpx": HttpxTransport,
}


def kind_of(stack: str) -> Callable[..., Transport]:
    """The transport's class."""
    return KINDS[stack.partition("-")[0]]


def make(
    stack: str, *, ssl_context: ssl.SSLContext | None = TRUSTS_NOBODY, **options: Any
) -> Transport:
    """A transport as *stack* says, deaf to the environment of whoever runs the tests."""
    if stack in PROXYING:
        options["trust_env"] = False
    return kind_of(stack)(ssl_context=ssl_context, **options)


@pytest.fixture
async def transport(stack: str) -> AsyncIterator[Transport]:
    """The transport under test."""
    transport = make(stack)
    yield transport
    await transport.aclose()


def post(base_url: str, content: bytes = b"{}", path: str = "/v1/chat/completions") -> HTTPRequest:
    """A request as a provider makes them."""
    headers = {"content-type": "application/json", "authorization": "Bearer sk-secret"}
    return HTTPRequest(method="POST", url=base_url + path, headers=headers, content=content)


@asynccontextmanager
async def opened(
    transport: Transport, request: HTTPRequest, timeouts: Timeouts | None = None
) -> AsyncIterator[UpstreamReply]:
    """Open a reply and close it, as the owner of a stream does."""
    reply = await transport.open(request, timeouts or Timeouts())
    try:
        yield reply
    finally:
        await reply.aclose()


async def fetch(transport: Transport, request: HTTPRequest) -> bytes:
    """The whole answer."""
    async with opened(transport, request) as reply:
        return await reply.read(max_bytes=MAX)


# --------------------------------------------------------------------------- what is sent


async def test_request_goes_out_as_given(transport: Transport) -> None:
    """Method, encoded path, query, body and headers arrive; the additions are few and known."""
    path = "/model/a%2Fb%3A1/converse?api-version=1&k=a%2Bb"
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply())
        await fetch(transport, post(upstream.base_url, b'{"a":1}', path))
        (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/model/a%2Fb%3A1/converse")
    assert request.query == "api-version=1&k=a%2Bb"
    assert request.json() == {"a": 1}
    sent = {name: value for name, value in request.headers.items() if name != "host"}
    assert sent.pop("connection", "keep-alive") == "keep-alive"
    assert sent == {
        "content-type": "application/json",
        "authorization": "Bearer sk-secret",
        "content-length": "7",
        "user-agent": "plano-asgi",
        "accept-encoding": "identity",
    }


async def test_headers_of_the_request_win(transport: Transport) -> None:
    """The defaults give way to what a provider sets."""
    headers = {"user-agent": "me/1", "accept-encoding": "gzip"}
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply())
        request = HTTPRequest(method="GET", url=upstream.base_url, headers=headers)
        await fetch(transport, request)
        (recorded,) = upstream.requests
    assert {**recorded.headers, **headers} == recorded.headers
    assert (recorded.method, recorded.body) == ("GET", b"")


async def test_large_body_goes_out_whole(transport: Transport) -> None:
    """Three megabytes of images are a normal request."""
    content = b"x" * (3 << 20)
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply())
        await fetch(transport, post(upstream.base_url, content))
        assert upstream.requests[0].body == content


async def test_cookies_are_not_kept(transport: Transport) -> None:
    """One user's session cookie must not travel with the next user's request."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(headers={"set-cookie": "sid=1; Path=/"}), Reply())
        for _ in range(2):
            await fetch(transport, post(upstream.base_url))
        assert "cookie" not in upstream.requests[1].headers


# --------------------------------------------------------------------------- what comes back


async def test_reply_has_status_headers_and_body(transport: Transport) -> None:
    """Error statuses are answers; names are lower-case, repeated lines are joined."""
    with scripted_upstream() as upstream:
        repeated = [("X-Multi", "a"), ("X-Multi", "b")]
        upstream.reply(Reply(status=429, repeated=repeated, body=b'{"error":1}'))
        async with opened(transport, post(upstream.base_url)) as reply:
            assert reply.status == 429
            assert reply.headers["x-multi"] == "a, b"
            assert reply.headers["content-type"] == "application/json"
            assert await reply.read(max_bytes=MAX) == b'{"error":1}'


async def test_chunks_come_as_they_arrive(transport: Transport) -> None:
    """Each chunk is there before the next one is written."""
    gates = [threading.Event() for _ in range(3)]
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[b"a", gates[0], b"b" * 5000, gates[1], b"c", gates[2]]))
        async with opened(transport, post(upstream.base_url)) as reply:
            chunks = []
            with anyio.fail_after(5):
                async for chunk in reply:
                    chunks.append(chunk)
                    gates[len(chunks) - 1].set()
    assert chunks == [b"a", b"b" * 5000, b"c"]


async def test_headers_come_before_the_body(transport: Transport) -> None:
    """``open`` returns while the body has not begun."""
    gate = threading.Event()
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[gate, b"late"]))
        async with opened(transport, post(upstream.base_url)) as reply:
            gate.set()
            assert await reply.read(max_bytes=MAX) == b"late"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_answers(transport: Transport, status: int) -> None:
    """A credential is never carried to where a ``location`` points."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(status=status, headers={"location": "/elsewhere"}))
        async with opened(transport, post(upstream.base_url)) as reply:
            assert (reply.status, reply.headers["location"]) == (status, "/elsewhere")
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_compressed_body_is_decoded(transport: Transport, streamed: bool) -> None:
    """An upstream that compresses unasked is understood."""
    body = gzip.compress(b"hello " * 100)
    headers = {"content-encoding": "gzip"}
    with scripted_upstream() as upstream:
        steps = [body[:20], body[20:]]
        upstream.reply(Reply(headers=headers, body=steps if streamed else body))
        assert await fetch(transport, post(upstream.base_url)) == b"hello " * 100


async def test_empty_bodies(transport: Transport) -> None:
    """No content is an empty body, not an error."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(status=204), Reply(body=b""), Reply(body=[]))
        assert [await fetch(transport, post(upstream.base_url)) for _ in range(3)] == [b""] * 3


async def test_long_header_lines(transport: Transport) -> None:
    """Tens of kilobytes of cookies and rate limit headers are legal."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(headers={"x-long": "v" * 30_000}))
        async with opened(transport, post(upstream.base_url)) as reply:
            assert len(reply.headers["x-long"]) == 30_000


async def test_body_bound(transport: Transport) -> None:
    """An answer at the bound is read; one byte more is refused."""
    with scripted_upstream() as upstream:
        upstream.always(Reply(body=[b"x" * 50, b"x" * 50]))
        async with opened(transport, post(upstream.base_url)) as reply:
            assert len(await reply.read(max_bytes=100)) == 100
        async with opened(transport, post(upstream.base_url)) as reply:
            with pytest.raises(UpstreamProtocolError, match="over 99 bytes"):
                await reply.read(max_bytes=99)


async def test_connections_are_reused(transport: Transport) -> None:
    """A body read to its end gives the connection back."""
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply(), chat_stream(), chat_reply())
        for _ in range(3):
            await fetch(transport, post(upstream.base_url))
        assert upstream.connections == 1


async def test_many_requests_at_once(transport: Transport) -> None:
    """More streams than any client's default pool are open at the same time."""
    gate, count = threading.Event(), 110

    with scripted_upstream() as upstream:
        upstream.on(lambda request: Reply(body=[b"<", gate, request.body, b">"]))

        async def one(number: int) -> None:
            content = str(number).encode()
            assert await fetch(transport, post(upstream.base_url, content)) == b"<%b>" % content

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for number in range(count):
                    tasks.start_soon(one, number)
                await upstream.requested(count)
                gate.set()
        assert upstream.connections == count


# --------------------------------------------------------------------------- closing


async def test_early_close_reaches_the_upstream(transport: Transport) -> None:
    """Leaving a stream closes its connection at once."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[b"a", HANG]))
        async with opened(transport, post(upstream.base_url)) as reply:
            assert await anext(aiter(reply)) == b"a"
            left = time.monotonic()
        assert await upstream.client_left() - left < 1.0


async def test_close_without_reading_reaches_the_upstream(transport: Transport) -> None:
    """A reply of which nothing was read is closed as well."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[HANG]))
        async with opened(transport, post(upstream.base_url)):
            pass
        await upstream.client_left()


async def test_cancelled_read_reaches_the_upstream(transport: Transport) -> None:
    """A read that waits for a chunk can be cancelled, and cleaned up inside the cancelled scope."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[b"a", HANG]))
        with anyio.CancelScope() as scope:
            async with opened(transport, post(upstream.base_url)) as reply:
                async for _ in reply:
                    scope.cancel()
        assert scope.cancelled_caught
        await upstream.client_left()


async def test_cancelled_open_reaches_the_upstream(transport: Transport) -> None:
    """So can the wait for the headers."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(before=[HANG]))
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(transport.open, post(upstream.base_url), Timeouts())
                await upstream.requested()
                tasks.cancel_scope.cancel()
        await upstream.client_left()


async def test_a_cancelled_stream_harms_no_other(transport: Transport) -> None:
    """The pool goes on working after streams were left."""
    with scripted_upstream() as upstream:
        for _ in range(3):
            upstream.reply(Reply(body=[b"a", HANG]), chat_reply())
            async with opened(transport, post(upstream.base_url)) as reply:
                await anext(aiter(reply))
            assert await fetch(transport, post(upstream.base_url))
        await upstream.until(lambda u: all(r.closed.is_set() for r in u.requests[::2]))


async def test_aclose_is_idempotent(transport: Transport) -> None:
    """Closing twice, and after the end, does nothing."""
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply(), Reply(body=[b"a", HANG]), Reply(body=[b"a", CUT]))
        for _ in range(3):
            async with opened(transport, post(upstream.base_url)) as reply:
                await reply.aclose()
                await reply.aclose()
    await transport.aclose()
    await transport.aclose()


# --------------------------------------------------------------------------- failures


def assert_discreet(error: BaseException) -> None:
    """Neither the message nor the chain that a log prints holds a query or a header."""
    chain: BaseException | None = error
    while chain is not None:
        assert "hush" not in f"{chain} {chain!r}"
        assert "sk-secret" not in f"{chain} {chain!r}"
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


QUERY = "/v1/x?key=hush"


async def test_refused_connection(transport: Transport) -> None:
    """Nobody listens."""
    with refused() as base_url, pytest.raises(UpstreamUnreachable) as caught:
        await transport.open(post(base_url, path=QUERY), Timeouts())
    assert_discreet(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://nobody.invalid/v1/x?key=hush", id="unknown-host"),
        pytest.param("ftp://127.0.0.1/x?key=hush", id="scheme"),
        pytest.param("/v1/x?key=hush", id="relative"),
        pytest.param("http://[::1/x?key=hush", id="malformed"),
    ],
)
async def test_url_that_leads_nowhere(transport: Transport, url: str) -> None:
    """A wrong base URL is an upstream that cannot be reached."""
    with pytest.raises(UpstreamUnreachable) as caught:
        await transport.open(post(url, path=""), Timeouts())
    assert_discreet(caught.value)


async def test_connect_timeout(transport: Transport) -> None:
    """A handshake that is never answered ends after ``connect_s``."""
    with scripted_upstream() as upstream:  # speaks no TLS
        url = upstream.base_url.replace("http:", "https:")
        with pytest.raises(UpstreamTimeout) as caught:
            await transport.open(post(url, path=QUERY), SHORT)
    assert caught.value.phase == "connect"
    assert_discreet(caught.value)


async def test_timeout_before_the_headers(transport: Transport) -> None:
    """``read_s`` bounds the wait for the headers."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(before=[HANG]))
        with pytest.raises(UpstreamTimeout) as caught:
            await transport.open(post(upstream.base_url, path=QUERY), SHORT)
        await upstream.client_left()
    assert caught.value.phase == "read"
    assert_discreet(caught.value)


async def test_timeout_between_chunks(transport: Transport) -> None:
    """``read_s`` bounds the silence inside a body."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[b"a", HANG]))
        async with opened(transport, post(upstream.base_url), Timeouts(read_s=0.5)) as reply:
            chunks = aiter(reply)
            assert await anext(chunks) == b"a"
            with pytest.raises(UpstreamTimeout) as caught:
                await anext(chunks)
        await upstream.client_left()
    assert caught.value.phase == "read"


@pytest.mark.parametrize("end", [CUT, RESET])
async def test_end_before_the_headers(transport: Transport, end: object) -> None:
    """A connection that ends instead of an answer."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(before=[end]))  # type: ignore[list-item]
        with pytest.raises(UpstreamReset) as caught:
            await transport.open(post(upstream.base_url, path=QUERY), Timeouts())
    assert_discreet(caught.value)


@pytest.mark.parametrize("end", [CUT, RESET])
async def test_stale_connection(transport: Transport, end: object) -> None:
    """A kept connection that ends as the next request arrives: the engine may try again."""
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply(), Reply(before=[end]), chat_reply())  # type: ignore[list-item]
        await fetch(transport, post(upstream.base_url))
        with pytest.raises(UpstreamReset):
            await transport.open(post(upstream.base_url), Timeouts())
        assert upstream.requests[1].connection == 0
        assert await fetch(transport, post(upstream.base_url))


async def test_connection_closed_between_requests(transport: Transport) -> None:
    """A kept connection that was closed meanwhile is noticed, or reported as a reset."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=b"{}", after=CUT), chat_reply(), chat_reply())
        await fetch(transport, post(upstream.base_url))
        await upstream.until(lambda u: u.open_connections == 0)
        try:
            await fetch(transport, post(upstream.base_url))
        except UpstreamReset:
            await fetch(transport, post(upstream.base_url))
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(body=[b"a", CUT]), id="chunked-cut"),
        pytest.param(Reply(body=[b"a", RESET]), id="chunked-reset"),
        pytest.param(Reply(headers={"content-length": "9"}, body=[b"a", CUT]), id="length-cut"),
        pytest.param(Reply(headers={"content-length": "9"}, body=[b"a", RESET]), id="length-reset"),
        pytest.param(Reply(body=[CUT]), id="no-body"),
    ],
)
async def test_cut_body_is_never_a_clean_end(transport: Transport, reply: Reply) -> None:
    """Half an answer raises, however it was framed."""
    with scripted_upstream() as upstream:
        upstream.reply(reply)
        async with opened(transport, post(upstream.base_url, path=QUERY)) as answer:
            with pytest.raises(UpstreamReset) as caught:
                await answer.read(max_bytes=MAX)
    assert_discreet(caught.value)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", b'{"plain": true}', id="not-gzip"),
        pytest.param("gzip", gzip.compress(b"x" * 100)[:10] + b"\xff" * 50, id="broken-gzip"),
        pytest.param("deflate", b'{"plain": true}', id="not-deflate"),
        pytest.param("br", b"\x00\x01", id="not-asked-for"),
    ],
)
async def test_lying_content_encoding(transport: Transport, encoding: str, body: bytes) -> None:
    """A body that is not what its header says is not passed on."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(headers={"content-encoding": encoding}, body=body))
        async with opened(transport, post(upstream.base_url)) as reply:
            with pytest.raises(UpstreamProtocolError, match="decoded"):
                await reply.read(max_bytes=MAX)


async def test_answer_that_is_not_http(transport: Transport) -> None:
    """Some other protocol on that port."""
    with scripted_upstream() as upstream:
        upstream.reply(Reply(before=[b"220 smtp.example.com ready\r\n\r\n", CUT]))
        with pytest.raises(UpstreamProtocolError) as caught:
            await transport.open(post(upstream.base_url, path=QUERY), Timeouts())
    assert_discreet(caught.value)


# --------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority nobody trusts by default."""
    return trustme.CA()


def tls_server(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """A server side context with a certificate for *name*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls(stack: str, authority: trustme.CA) -> None:
    """A trusted certificate works; a left stream closes its TLS connection, too."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    transport = make(stack, ssl_context=trusted)
    with scripted_upstream(ssl_context=tls_server(authority)) as upstream:
        upstream.reply(chat_reply(), Reply(body=[b"a", HANG]))
        assert await fetch(transport, post(upstream.base_url))
        async with opened(transport, post(upstream.base_url)) as reply:
            await anext(aiter(reply))
            left = time.monotonic()
        assert await upstream.client_left() - left < 1.0
        await transport.aclose()


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_untrusted_certificate(stack: str, authority: trustme.CA, name: str) -> None:
    """An unknown authority and a wrong name: nothing is sent."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    knows_authority, by_default = make(stack, ssl_context=trusted), make(stack, ssl_context=None)
    with scripted_upstream(ssl_context=tls_server(authority, name)) as upstream:
        for client in (by_default, knows_authority)[: 1 if name == "127.0.0.1" else 2]:
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.open(post(upstream.base_url, path=QUERY), Timeouts())
            assert_discreet(caught.value)
        assert upstream.requests == []
        await by_default.aclose()
        await knows_authority.aclose()


def test_trust_without_system_authorities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has no certificate store still trusts what the web trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert len(default_ssl_context().get_ca_certs()) > 50


# --------------------------------------------------------------------------- proxies


@pytest.mark.parametrize("stack", PROXYING)
async def test_environment_proxy(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy that the environment names is used, except for the hosts it excludes."""
    kind = kind_of(stack)
    with scripted_upstream() as proxy, scripted_upstream() as direct:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        proxy.always(chat_reply())
        direct.always(chat_reply())
        transport = kind()
        await fetch(transport, post("http://api.example.invalid"))
        await fetch(transport, post(direct.base_url))
        await transport.aclose()
        assert [r.path for r in proxy.requests] == [
            "http://api.example.invalid/v1/chat/completions"
        ]
        assert [r.path for r in direct.requests] == ["/v1/chat/completions"]


@pytest.mark.parametrize("stack", PROXYING)
async def test_proxy_that_cannot_be_used(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind fails when the transport is made, and shows no credentials."""
    kind = kind_of(stack)
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "gopher://user:hush@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        kind()
    assert "hush" not in str(caught.value)
    await kind(trust_env=False).aclose()


async def test_truncated_compression(transport: Transport) -> None:
    """A compressed body that stops early is no clean end, though HTTP says it is whole."""
    body = gzip.compress(b"hello " * 1000)[:-12]
    with scripted_upstream() as upstream:
        upstream.reply(Reply(headers={"content-encoding": "gzip"}, body=body))
        with pytest.raises(UpstreamProtocolError, match="decoded"):
            await fetch(transport, post(upstream.base_url))


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, -zlib.MAX_WBITS])
async def test_both_kinds_of_deflate(transport: Transport, window: int) -> None:
    """Some servers send the format that RFC 9110 means, some what it wraps."""
    packer = zlib.compressobj(wbits=window)
    body = packer.compress(b"hello " * 10) + packer.flush()
    with scripted_upstream() as upstream:
        upstream.reply(Reply(headers={"content-encoding": "deflate"}, body=body))
        assert await fetch(transport, post(upstream.base_url)) == b"hello " * 10


# --------------------------------------------------------------------------- limits


async def test_waiting_for_a_free_connection_is_bounded(stack: str) -> None:
    """A full pool is a connect timeout, and works again once a connection is free."""
    limit = "max_connections_per_host" if stack.startswith("httptools") else "max_connections"
    options: dict[str, Any] = {limit: 1}
    transport = make(stack, **options)
    with scripted_upstream() as upstream:
        upstream.reply(Reply(body=[HANG]), chat_reply())
        async with opened(transport, post(upstream.base_url)):
            with pytest.raises(UpstreamTimeout) as caught:
                await transport.open(post(upstream.base_url), SHORT)
        assert caught.value.phase == "connect"
        assert await fetch(transport, post(upstream.base_url))
        await transport.aclose()


async def test_idle_connections_are_closed(stack: str) -> None:
    """An unused connection does not outlive ``idle_close_s`` once the pool is used again."""
    transport = make(stack, idle_close_s=0.0)
    with scripted_upstream() as upstream:
        upstream.always(chat_reply())
        for _ in range(2):
            await fetch(transport, post(upstream.base_url))
        assert upstream.connections == 2
        await transport.aclose()


async def test_own_client_stays_open() -> None:
    """A client handed in is used as it is, and left to whoever made it."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(201)))
    transport = HttpxTransport(client)
    async with opened(transport, post("http://upstream.invalid")) as reply:
        assert reply.status == 201
    await transport.aclose()
    assert not client.is_closed
    await client.aclose()
