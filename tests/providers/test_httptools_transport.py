"""What is HttptoolsTransport's own: what it sends, how it connects, pools and waits."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import Any

import pytest
import trustme

from plano_asgi.errors import (
    ConfigurationError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import HttptoolsTransport
from plano_asgi.providers.transports.h1_dial import dial, first_to_connect, interleaved
from plano_asgi.providers.transports.h1_request import Origin, encode_head, target_of
from upstream import CUT, HANG, Reply, chat_reply, scripted_upstream

MAX = 64 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both of the event loops it works on."""
    if request.param == "uvloop" and not find_spec("uvloop"):
        pytest.skip("uvloop is not installed")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def transport() -> AsyncIterator[HttptoolsTransport]:
    """A transport with the defaults."""
    transport = HttptoolsTransport()
    yield transport
    await transport.aclose()


def request_to(base_url: str, headers: dict[str, str] | None = None) -> HTTPRequest:
    """A small request."""
    return HTTPRequest(method="POST", url=base_url, headers=headers or {}, content=b"{}")


async def fetch(
    transport: HttptoolsTransport, base_url: str, timeouts: Timeouts | None = None
) -> bytes:
    """The whole answer."""
    reply = await transport.open(request_to(base_url), timeouts or Timeouts())
    try:
        return await reply.read(max_bytes=MAX)
    finally:
        await reply.aclose()


# --------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("url", "origin", "target", "host"),
    [
        ("http://a.example", Origin(False, "a.example", 80), "/", "a.example"),
        ("HTTPS://A.Example:443/x", Origin(True, "a.example", 443), "/x", "a.example"),
        ("http://a.example:8080?q=/", Origin(False, "a.example", 8080), "/?q=/", "a.example:8080"),
        ("http://[::1]:81/a%2Fb?c=%20#d", Origin(False, "::1", 81), "/a%2Fb?c=%20", "[::1]:81"),
        ("http://h/:@!$&'()*+,;=~", Origin(False, "h", 80), "/:@!$&'()*+,;=~", "h"),
        (
            "https://bücher.example/",
            Origin(True, "xn--bcher-kva.example", 443),
            "/",
            "xn--bcher-kva.example",
        ),
    ],
)
def test_target(url: str, origin: Origin, target: str, host: str) -> None:
    """The path and the query go out as they are; hosts are compared in one form."""
    found = target_of("GET", url)
    assert found.origin == origin
    assert found.line == f"GET {target} HTTP/1.1\r\n"
    assert found.host_line == f"host: {host}\r\n"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "http://user:secret@a.example/"),
        ("GET", "http://a.example/a b"),
        ("GET", "http://a.example/\r\nx: y"),
        ("GET", "http://a.example/\n"),
        ("GET", "http://a.example/é"),
        ("GET", "http://a.example:99999/"),
        ("GET", "http://a.example:0/"),
        ("GET", "http://a.example\\@b.example/"),
        ("GET", "http:///x"),
        ("GET", "ws://a.example/"),
        ("GET\r\nx: y", "http://a.example/"),
        ("", "http://a.example/"),
    ],
)
def test_target_that_cannot_be_written(method: str, url: str) -> None:
    """Only what is one request line, to one host."""
    with pytest.raises(ValueError, match=r"URL|port"):
        target_of(method, url)


def test_framing_headers_are_ours() -> None:
    """A second length is read differently by different readers."""
    given = {"content-length": "9", "transfer-encoding": "chunked", "host": "b.example"}
    head = encode_head(target_of("POST", "http://a.example/"), given, 2)
    assert head == (
        b"POST / HTTP/1.1\r\nuser-agent: plano-asgi\r\naccept-encoding: identity\r\n"
        b"host: b.example\r\ncontent-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize(("method", "announced"), [("POST", True), ("GET", False)])
def test_empty_body(method: str, announced: bool) -> None:
    """Where a body is usual, its absence is said; some servers insist."""
    head = encode_head(target_of(method, "http://a.example/"), {}, 0)
    assert (b"content-length: 0\r\n" in head) is announced


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "1\r\nx-b: 2"},
        {"x-a": "1\nx-b: 2"},
        {"x-a": "1\r"},
        {"x-a": "1\0"},
        {"x-a: 1\r\nx-b": "2"},
        {"x a": "1"},
        {"x-a:": "1"},
        {"": "1"},
        {"X-A": "1"},
        {"x-a": "\N{SNOWMAN}"},
    ],
)
async def test_header_injection(transport: HttptoolsTransport, headers: dict[str, str]) -> None:
    """Nothing is sent of a request that a header would break, and no header is shown."""
    with scripted_upstream() as upstream:
        request = request_to(upstream.base_url, headers)
        with pytest.raises(UpstreamUnreachable) as caught:
            await transport.open(request, Timeouts())
        assert upstream.connections == 0
    assert caught.value.__suppress_context__


@pytest.mark.anyio
async def test_thirty_megabytes(transport: HttptoolsTransport) -> None:
    """More than any buffer on the way, both ways."""
    content = bytes(range(256)) * (30 << 12)
    with scripted_upstream() as upstream:
        upstream.on(lambda request: Reply(body=request.body))
        request = HTTPRequest(method="POST", url=upstream.base_url, headers={}, content=content)
        reply = await transport.open(request, Timeouts())
        assert await reply.read(max_bytes=len(content)) == content
        assert await fetch(transport, upstream.base_url) == b"{}"
        assert upstream.connections == 1


# --------------------------------------------------------------------------- connecting


linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="other kernels refuse where this one is silent"
)


@contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """An address that answers no connection attempt: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()


def test_families_take_turns() -> None:
    """A broken family costs one attempt, not all of them."""
    v6, v4 = socket.AF_INET6, socket.AF_INET
    found = [(v6, "a"), (v6, "b"), (v6, "c"), (v4, "d"), (v4, "e")]
    assert [address for _, address in interleaved(found)] == ["a", "d", "b", "e", "c"]
    assert interleaved([]) == []


@linux_only
@pytest.mark.anyio
async def test_silent_address_is_overtaken() -> None:
    """The next address is tried while the first one does not answer; what loses is closed."""
    with silent() as nowhere, socket.create_server(("127.0.0.1", 0)) as server:
        good = (socket.AF_INET, server.getsockname())
        bad = (socket.AF_INET, nowhere)
        with closing(await first_to_connect([bad, good, good], delay_s=0.01)) as sock:
            assert sock.getpeername() == server.getsockname()


@pytest.mark.anyio
async def test_refusal_is_overtaken_at_once() -> None:
    """A failed attempt does not wait for the delay; the last failure is told."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as refuses:
        refuses.bind(("127.0.0.1", 0))
        good = (socket.AF_INET, server.getsockname())
        bad = (socket.AF_INET, refuses.getsockname())
        async with asyncio.timeout(5):
            (await first_to_connect([bad, bad, good], delay_s=60)).close()
            with pytest.raises(ConnectionRefusedError):
                await first_to_connect([bad, bad], delay_s=60)
    with pytest.raises(OSError, match="no addresses"):
        await first_to_connect([])


@pytest.mark.anyio
async def test_small_writes_are_not_held_back() -> None:
    """A kernel that waits to fill a packet costs 40 ms."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(await dial("localhost", server.getsockname()[1])) as sock,
    ):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@linux_only
@pytest.mark.anyio
async def test_connect_timeout_without_tls(transport: HttptoolsTransport) -> None:
    """``connect_s`` bounds TCP, too."""
    with silent() as (host, port), pytest.raises(UpstreamTimeout) as caught:
        await transport.open(request_to(f"http://{host}:{port}"), Timeouts(connect_s=0.02))
    assert caught.value.phase == "connect"


@pytest.mark.anyio
async def test_server_that_hangs_up_at_once(transport: HttptoolsTransport) -> None:
    """A connection that was accepted and closed before anything was sent, many times."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def hang_up() -> None:
            while not stop.is_set():
                server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        for _ in range(20):
            with pytest.raises(UpstreamReset):
                await transport.open(request_to(url), Timeouts(read_s=5))
        stop.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()


@pytest.mark.anyio
async def test_server_name_and_protocol(transport: HttptoolsTransport) -> None:
    """TLS names the URL's host, whatever the ``host`` header, and HTTP/1.1."""
    authority, seen = trustme.CA(), list[str | None]()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    server.set_alpn_protocols(["h2", "http/1.1"])
    server.sni_callback = lambda _sock, name, _context: seen.append(name)
    trusted = ssl.create_default_context()
    trusted.set_alpn_protocols(["http/1.1"])
    authority.configure_trust(trusted)
    transport = HttptoolsTransport(ssl_context=trusted)
    with scripted_upstream(ssl_context=server) as upstream:
        upstream.always(chat_reply())
        url = upstream.base_url.replace("127.0.0.1", "localhost")
        reply = await transport.open(request_to(url, {"host": "other.example"}), Timeouts())
        await reply.read(max_bytes=MAX)
        assert upstream.requests[0].headers["host"] == "other.example"
        await transport.aclose()
    assert seen == ["localhost"]


@pytest.mark.anyio
async def test_large_answers_over_tls() -> None:
    """Flow control reaches through TLS: a slow reader gets all of it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    transport, body = HttptoolsTransport(ssl_context=trusted), bytes(range(256)) * (8 << 12)
    with scripted_upstream(ssl_context=server) as upstream:
        upstream.on(lambda request: Reply(body=request.body))
        request = HTTPRequest(method="POST", url=upstream.base_url, headers={}, content=body)
        reply = await transport.open(request, Timeouts())
        pieces = []
        async for piece in reply:
            pieces.append(piece)
            await asyncio.sleep(0)
        assert b"".join(pieces) == body
        await transport.aclose()


# --------------------------------------------------------------------------- the pool


@pytest.mark.anyio
async def test_idle_connections_are_closed_by_the_clock() -> None:
    """Each in its time, though nothing is asked for any more: a quiet process holds none."""
    transport, gates = HttptoolsTransport(idle_close_s=0.1), [threading.Event() for _ in range(3)]
    with scripted_upstream() as upstream:
        upstream.reply(*(Reply(body=[gate]) for gate in gates))
        async with asyncio.TaskGroup() as tasks:
            for _ in gates:
                tasks.create_task(fetch(transport, upstream.base_url))
            await upstream.requested(len(gates))
            for number, gate in enumerate(gates):
                asyncio.get_running_loop().call_later(0.06 * number, gate.set)
        assert upstream.connections == len(gates)
        await upstream.until(lambda u: u.open_connections == 0)
        await transport.aclose()


@pytest.mark.anyio
async def test_last_connection_used_is_the_first_to_be_used_again(
    transport: HttptoolsTransport,
) -> None:
    """So that the others can close."""
    gates = [threading.Event() for _ in range(3)]
    with scripted_upstream() as upstream:
        upstream.reply(*(Reply(body=[gate]) for gate in gates))
        upstream.always(chat_reply())
        request = request_to(upstream.base_url)
        replies = [await transport.open(request, Timeouts()) for _ in gates]
        for number in (0, 2, 1):
            gates[number].set()
            await replies[number].read(max_bytes=MAX)
        for _ in range(2):
            await fetch(transport, upstream.base_url)
        assert [request.connection for request in upstream.requests] == [0, 1, 2, 1, 1]


@pytest.mark.anyio
async def test_dead_connections_are_not_used(transport: HttptoolsTransport) -> None:
    """One that was closed, or on which something unasked came, is passed over unseen."""
    with scripted_upstream() as upstream:
        gate = threading.Event()
        upstream.reply(
            Reply(body=b"{}", after=CUT),
            Reply(body=b"{}"),
            Reply(headers={"content-length": "2"}, body=[b"{}", gate, b"more"]),
            Reply(body=b"{}"),
        )
        await fetch(transport, upstream.base_url)
        await upstream.until(lambda u: u.open_connections == 0)
        await fetch(transport, upstream.base_url)
        await fetch(transport, upstream.base_url)
        gate.set()
        await upstream.until(lambda u: u.open_connections == 0)
        await fetch(transport, upstream.base_url)
        assert [request.connection for request in upstream.requests] == [0, 1, 1, 2]


@pytest.mark.anyio
async def test_origins_share_nothing(transport: HttptoolsTransport) -> None:
    """Neither another port nor another scheme gets a connection that was kept."""
    with scripted_upstream() as one, scripted_upstream() as two:
        for upstream in (one, two):
            upstream.always(chat_reply())
        for _ in range(2):
            await fetch(transport, one.base_url)
            await fetch(transport, two.base_url)
        assert (one.connections, two.connections) == (1, 1)


@pytest.mark.anyio
async def test_waiting_is_first_come_first_served() -> None:
    """With a limit, requests are served in their order, and over no more connections."""
    transport, gate = HttptoolsTransport(max_connections_per_host=1), threading.Event()
    order = list[int]()

    async def one(number: int) -> None:
        await fetch(transport, upstream.base_url)
        order.append(number)

    with scripted_upstream() as upstream:
        upstream.always(Reply(body=[gate, b"{}"]))
        async with asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(one(number))
            await upstream.requested()
            gate.set()
        assert (order, upstream.connections) == (list(range(12)), 1)
        await transport.aclose()


@pytest.mark.anyio
async def test_no_wakeup_is_lost_by_cancelling() -> None:
    """Those who leave while they wait, before or just as their turn comes, hold nobody up."""
    transport = HttptoolsTransport(max_connections_per_host=1)
    with scripted_upstream() as upstream:
        upstream.always(Reply(body=[b"a", HANG]))
        busy = await transport.open(request_to(upstream.base_url), Timeouts())
        upstream.always(chat_reply())
        waiting = [asyncio.create_task(fetch(transport, upstream.base_url)) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await busy.aclose()  # the turn of the second
        waiting[1].cancel()
        async with asyncio.timeout(5):
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert await fetch(transport, upstream.base_url)
        assert [isinstance(result, bytes) for result in results] == [False, False, True, True]
        assert upstream.connections == 2
        await transport.aclose()


@pytest.mark.anyio
async def test_failed_connections_give_their_place_back() -> None:
    """A limit does not fill up with attempts that came to nothing."""
    transport = HttptoolsTransport(max_connections_per_host=1)
    with socket.socket() as refuses:
        refuses.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{refuses.getsockname()[1]}"
        for _ in range(3):
            with pytest.raises(UpstreamUnreachable):
                await transport.open(request_to(url), Timeouts(connect_s=5))
    await transport.aclose()


@pytest.mark.anyio
async def test_closing_ends_everything() -> None:
    """Idle, busy and awaited connections; nothing is opened afterwards."""
    transport = HttptoolsTransport(max_connections_per_host=2)
    with scripted_upstream() as upstream:
        upstream.reply(chat_reply(), Reply(body=[b"a", HANG]), Reply(before=[HANG]))
        await fetch(transport, upstream.base_url)
        reply = await transport.open(request_to(upstream.base_url), Timeouts())
        assert await anext(reply) == b"a"
        opening = asyncio.create_task(fetch(transport, upstream.base_url))
        await upstream.requested(3)
        waiting = asyncio.create_task(fetch(transport, upstream.base_url))
        await asyncio.sleep(0)
        await transport.aclose()
        await upstream.until(lambda u: u.open_connections == 0)
        with pytest.raises(UpstreamReset):
            await anext(reply)
        with pytest.raises(UpstreamReset):
            await opening
        for late in (waiting, fetch(transport, upstream.base_url)):
            with pytest.raises(UpstreamUnreachable):
                await late
        await reply.aclose()
        await transport.aclose()


@pytest.mark.anyio
async def test_closing_while_connecting() -> None:
    """An attempt that is under way ends in nothing."""
    transport = HttptoolsTransport()
    with scripted_upstream() as upstream:
        opening = asyncio.create_task(fetch(transport, upstream.base_url))
        await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(UpstreamUnreachable):
            await opening
        await upstream.until(lambda u: u.open_connections == 0)
        assert upstream.requests == []


# --------------------------------------------------------------------------- construction


def test_limit_that_leaves_nothing() -> None:
    """Zero is not "no limit"."""
    with pytest.raises(ConfigurationError, match="max_connections_per_host"):
        HttptoolsTransport(max_connections_per_host=0)


def test_missing_extra() -> None:
    """Without httptools, the transport says how to get it."""
    code = """
import sys
sys.modules["httptools"] = None
from plano_asgi.providers.transports import HttptoolsTransport
try:
    HttptoolsTransport()
except Exception as exc:
    print(type(exc).__name__, exc)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == (
        "MissingExtra HttptoolsTransport needs an extra: pip install 'plano-asgi[fast]'"
    )
