"""One HTTP/1.1 connection, fed by hand: framing, bounds, flow control, and every way of cutting."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.errors import (
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
)
from plano_asgi.providers.client import UpstreamReply
from plano_asgi.providers.transports.h1_connection import H1Connection
from plano_asgi.providers.transports.h1_pool import H1Pool
from plano_asgi.providers.transports.h1_request import Origin
from plano_asgi.providers.transports.httptools_transport import HttptoolsReply
from plano_asgi.providers.transports.shared import default_ssl_context

pytestmark = pytest.mark.anyio

MAX = 64 << 20
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    """Nothing here is read from a socket: one loop tells it all."""
    return "asyncio"


class Wire(asyncio.Transport):
    """The other end in memory: what was written, and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written = list[bytes]()
        self.full = False  # pause writing after each write
        self.paused = False
        self.closing = False
        self.protocol: H1Connection

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Note *data*."""
        self.written.append(bytes(data))
        if self.full:
            self.protocol.pause_writing()

    def pause_reading(self) -> None:
        """Note it."""
        self.paused = True

    def resume_reading(self) -> None:
        """Note it."""
        self.paused = False

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self.closing

    def abort(self) -> None:
        """End it in the next turn, as event loops do."""
        self.end()

    def end(self, exc: Exception | None = None) -> None:
        """The connection is lost."""
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, exc)


class Wired(NamedTuple):
    """A connection and its other end."""

    connection: H1Connection
    wire: Wire

    def feed(self, data: bytes) -> None:
        """Let *data* arrive, in as many reads as it takes."""
        while data and not self.wire.closing:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    def eof(self) -> None:
        """The upstream closes."""
        if not self.wire.closing:
            self.connection.eof_received()
            self.wire.end()

    async def open(
        self, *answer: bytes, method: str = "POST", read_s: float | None = 5.0, content: bytes = b""
    ) -> HttptoolsReply:
        """Send a request; the pieces of *answer* arrive one turn after the other."""
        sending = asyncio.create_task(
            self.connection.send(b"HEAD", content, headless=method == "HEAD", read_s=read_s)
        )
        for piece in answer:
            await asyncio.sleep(0)
            self.feed(piece)
        await sending
        return HttptoolsReply(self.connection)


def wired() -> Wired:
    """A new connection of a pool of its own."""
    pool = H1Pool(
        asyncio.get_running_loop(), tls=default_ssl_context, max_per_host=None, idle_close_s=30.0
    )
    connection, wire = pool.new_connection(pool.host(Origin(False, "h", 80))), Wire()
    wire.protocol = connection
    connection.connection_made(wire)
    return Wired(connection, wire)


# --------------------------------------------------------------------------- framing

EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(OK + b"content-length: 2\r\n\r\nab", b"ab", id="length"),
        pytest.param(CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", b"ab", id="chunked"),
        pytest.param(
            CHUNKED + b"1;x=y\r\na\r\n1 \r\nb\r\n0\r\nx-late: 1\r\n\r\n", b"ab", id="trailers"
        ),
        pytest.param(EARLY + OK + b"content-length: 2\r\n\r\nab", b"ab", id="interim"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="no-content"),
        pytest.param(b"HTTP/1.1 304 X\r\ncontent-length: 7\r\n\r\n", b"", id="not-modified"),
        pytest.param(OK + b"x-empty:\r\ncontent-length: 0\r\n\r\n", b"", id="empty"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nab",
            b"ab",
            id="http-1.0-kept",
        ),
        pytest.param(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nab", b"ab", id="bare-line-feeds"),
    ],
)
async def test_answer_after_which_the_connection_is_kept(answer: bytes, body: bytes) -> None:
    """The next answer on the same connection is as good."""
    upstream = wired()
    for _ in range(2):
        reply = await upstream.open(answer)
        assert not {"x-early", "x-late"} & reply.headers.keys()
        assert await reply.read(max_bytes=MAX) == body
        assert upstream.connection.reusable
    assert not upstream.wire.closing


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(OK + b"connection: close\r\ncontent-length: 2\r\n\r\nab", b"ab", id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", b"ab", id="http-1.0"),
        pytest.param(OK + b"content-length: 2\r\n\r\nabX", b"ab", id="bytes-behind"),
        pytest.param(OK + b"content-length: 2\r\n\r\nabH", b"ab", id="answer-behind"),
        pytest.param(CHUNKED + b"2\r\nab\r\n0\r\n\r\n" + OK + b"\r\n", b"ab", id="second-answer"),
    ],
)
async def test_answer_after_which_the_connection_is_closed(answer: bytes, body: bytes) -> None:
    """Its bytes are whole, but what would follow on it is not to be trusted."""
    upstream = wired()
    assert await (await upstream.open(answer)).read(max_bytes=MAX) == body
    assert upstream.wire.closing


@pytest.mark.parametrize("head", [OK, b"HTTP/1.0 200 OK\r\n", OK + b"connection: close\r\n"])
async def test_body_that_ends_with_the_connection(head: bytes) -> None:
    """Without a length the end is the end, and only a clean one."""
    for clean in (True, False):
        upstream = wired()
        reply = await upstream.open(head + b"\r\na", b"b")
        upstream.eof() if clean else upstream.wire.end(ConnectionResetError())
        assert await anext(reply) == b"ab"
        with pytest.raises(StopAsyncIteration if clean else UpstreamReset):
            await anext(reply)


async def test_answer_to_head() -> None:
    """The length is that of a body which does not come."""
    upstream = wired()
    reply = await upstream.open(OK + b"content-length: 5\r\n\r\n", method="HEAD")
    assert reply.headers["content-length"] == "5"
    assert await reply.read(max_bytes=MAX) == b""


async def test_what_has_arrived_comes_as_one() -> None:
    """A slow reader takes all there is, in one piece; order and end stay."""
    upstream = wired()
    reply = await upstream.open(CHUNKED + b"1\r\na\r\n1\r\nb\r\n", b"1\r\nc\r\n")
    assert await anext(reply) == b"abc"
    upstream.feed(b"1\r\nd\r\n0\r\n\r\n")
    assert [chunk async for chunk in reply] == [b"d"]


# --------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="other-protocol"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", id="tls"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="version"),
        pytest.param(OK + b"no colon\r\n\r\n", id="header"),
        pytest.param(OK + b"x: a\0b\r\n\r\n", id="nul"),
        pytest.param(OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", id="two-lengths"),
        pytest.param(OK + b"content-length: -1\r\n\r\n", id="negative-length"),
        pytest.param(
            OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", id="two-framings"
        ),
        pytest.param(OK + b"transfer-encoding: gzip\r\n\r\n", id="coding"),
        pytest.param(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nz", id="upgrade"),
        pytest.param(b"HTTP/1.1 101 X\r\n\r\n", id="bare-101"),
        pytest.param(OK + b"x: " + b"v" * (70 << 10) + b"\r\n\r\n", id="long-line"),
        pytest.param(OK + b"x: 1234567890\r\n" * (30 << 10) + b"\r\n", id="many-lines"),
        pytest.param(OK + b"x: " + b"v" * (1 << 20), id="endless-line"),
        pytest.param(b"HTTP/1.1 103 X\r\n\r\n" * (40 << 10), id="endless-interim"),
    ],
)
async def test_head_that_is_refused(answer: bytes) -> None:
    """Not the HTTP that was asked for, or more of it than any upstream needs."""
    upstream = wired()
    with pytest.raises(UpstreamProtocolError):
        await upstream.open(answer)
    assert upstream.wire.closing


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"zz\r\n", id="chunk-size"),
        pytest.param(b"1\r\nbX", id="chunk-end"),
        pytest.param(b"1;" + b"x" * (1 << 20), id="endless-extension"),
        pytest.param(b"0\r\nx: " + b"v" * (1 << 20), id="endless-trailer"),
        pytest.param(b"0\r\n" + b"x: v\r\n" * (1 << 18), id="endless-trailers"),
    ],
)
async def test_body_whose_framing_breaks(rest: bytes) -> None:
    """What came before is delivered; then it is no clean end."""
    upstream = wired()
    reply = await upstream.open(CHUNKED + b"1\r\na\r\n")
    upstream.feed(rest)
    assert (await anext(reply)).startswith(b"a")
    for _ in range(2):
        with pytest.raises(UpstreamReset):
            await anext(reply)
    assert upstream.wire.closing


async def test_bytes_that_nobody_asked_for() -> None:
    """They close a kept connection."""
    upstream = wired()
    await (await upstream.open(OK + b"content-length: 0\r\n\r\n")).read(max_bytes=MAX)
    upstream.feed(b"H")
    assert upstream.wire.closing
    assert not upstream.connection.reusable


async def test_connection_lost_as_soon_as_made() -> None:
    """Nothing is written to it: some transports complain."""
    upstream = wired()
    upstream.wire.end()
    await asyncio.sleep(0)
    with pytest.raises(UpstreamReset):
        await upstream.open()
    assert upstream.wire.written == []


async def test_buffers_are_shared_where_that_is_safe() -> None:
    """An unknown event loop may fill one connection's buffer while it reads for another."""

    def buffers(loop: asyncio.AbstractEventLoop) -> list[int]:
        pool = H1Pool(loop, tls=default_ssl_context, max_per_host=None, idle_close_s=30.0)
        host = pool.host(Origin(False, "h", 80))
        return [id(pool.new_connection(host).get_buffer(-1).obj) for _ in range(2)]

    unknown = asyncio.AbstractEventLoop()  # type: ignore[abstract]  # nothing is asked of it
    assert len(set(buffers(asyncio.get_running_loop()))) == 1
    assert len(set(buffers(unknown))) == 2


# --------------------------------------------------------------------------- flow control


async def test_reading_pauses_while_nobody_takes() -> None:
    """An upstream faster than the client does not fill the memory."""
    upstream, piece = wired(), b"x" * (200 << 10)
    reply = await upstream.open(OK + b"content-length: 1228801\r\n\r\n")
    for _ in range(3):
        upstream.feed(piece)
        assert not upstream.wire.paused
        upstream.feed(piece)
        assert upstream.wire.paused
        assert len(await anext(reply)) == 2 * len(piece)
        assert not upstream.wire.paused
    upstream.feed(b"x")
    assert await reply.read(max_bytes=MAX) == b"x"
    assert upstream.connection.reusable


async def test_large_body_waits_for_the_kernel() -> None:
    """It is handed over piece by piece, as the upstream takes it."""
    upstream, content = wired(), bytes(range(256)) * (4 << 10)
    upstream.wire.full = True
    opening = asyncio.create_task(upstream.open(content=content))
    sizes = list[int]()
    for _ in range(10):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sizes.append(len(upstream.wire.written))
        upstream.connection.resume_writing()
    assert sizes[:5] == [1, 2, 3, 4, 5]
    upstream.feed(OK + b"content-length: 0\r\n\r\n")
    await (await opening).read(max_bytes=MAX)
    assert b"".join(upstream.wire.written) == b"HEAD" + content
    assert upstream.connection.reusable


@pytest.mark.parametrize(
    ("status", "tail"),
    [(b"413", b"content-length: 9\r\n\r\n"), (b"200", b"content-length: 0\r\n\r\n")],
)
async def test_answer_before_the_body_was_sent(status: bytes, tail: bytes) -> None:
    """An upstream that has seen enough is not sent the rest, and not asked again here."""
    upstream = wired()
    upstream.wire.full = True
    answer = b"HTTP/1.1 %b X\r\n%b" % (status, tail)
    reply = await upstream.open(b"", answer, content=b"x" * (4 << 20))
    assert reply.status == int(status)
    assert len(b"".join(upstream.wire.written)) < 1 << 20
    await reply.aclose()
    assert upstream.wire.closing


async def test_early_answer_that_reads_on() -> None:
    """A success that has begun does not stop the request."""
    upstream, content = wired(), b"x" * (1 << 20)
    upstream.wire.full = True
    opening = asyncio.create_task(upstream.open(b"", CHUNKED, content=content))
    for _ in range(20):
        await asyncio.sleep(0)
        upstream.connection.resume_writing()
    reply = await opening
    upstream.feed(b"0\r\n\r\n")
    assert await reply.read(max_bytes=MAX) == b""
    assert b"".join(upstream.wire.written) == b"HEAD" + content
    assert upstream.connection.reusable


# --------------------------------------------------------------------------- time, leaving


async def test_upstream_that_takes_no_body() -> None:
    """``read_s`` bounds the wait for the kernel as well."""
    upstream = wired()
    upstream.wire.full = True
    with pytest.raises(UpstreamTimeout) as caught:
        await upstream.open(content=b"x" * (1 << 20), read_s=0.01)
    assert caught.value.phase == "read"


async def test_limits_of_requests_do_not_mix() -> None:
    """The timer of one request looks at the next one's limit, shorter, longer or none."""
    upstream = wired()
    head, loop = OK + b"content-length: 1\r\n\r\n", asyncio.get_running_loop()
    for read_s in (5.0, 0.02, 5.0, 0.02, None):
        reply = await upstream.open(head, read_s=read_s)
        if read_s != 0.02:
            loop.call_later(0.06, upstream.feed, b"a")
        else:
            loop.call_soon(upstream.feed, b"a")
        assert await reply.read(max_bytes=MAX) == b"a"
    reply = await upstream.open(head, read_s=0.01)
    with pytest.raises(UpstreamTimeout):
        await reply.read(max_bytes=MAX)


async def test_time_in_which_nobody_waits_does_not_count() -> None:
    """A slow client is not the upstream's silence."""
    upstream = wired()
    reply = await upstream.open(OK + b"content-length: 2\r\n\r\na", read_s=0.05)
    loop = asyncio.get_running_loop()
    assert await anext(reply) == b"a"
    away = loop.create_future()
    loop.call_later(0.1, away.set_result, None)
    await away
    loop.call_later(0.01, upstream.feed, b"b")
    assert await anext(reply) == b"b"


async def test_reading_after_closing() -> None:
    """What was left is gone; what had ended has ended."""
    upstream = wired()
    reply = await upstream.open(OK + b"content-length: 2\r\n\r\na")
    await reply.aclose()
    assert upstream.wire.closing
    with pytest.raises(UpstreamReset):
        await anext(reply)
    upstream = wired()
    reply = await upstream.open(OK + b"content-length: 1\r\n\r\na")
    await reply.read(max_bytes=MAX)
    await reply.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(reply)


async def test_closing_wakes_a_reader() -> None:
    """A reply closed by somebody else than its reader."""
    upstream = wired()
    reply = await upstream.open(CHUNKED)
    reading = asyncio.create_task(anext(reply))
    await asyncio.sleep(0)
    await reply.aclose()
    with pytest.raises(UpstreamReset):
        await reading


async def test_cancelled_wait_closes_in_the_same_turn() -> None:
    """Whoever leaves while the upstream thinks frees it at once."""
    upstream = wired()
    reply = await upstream.open(CHUNKED)

    async def read() -> None:
        try:
            await anext(reply)
        finally:
            await reply.aclose()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.sleep(0)
    assert upstream.wire.closing


async def test_a_cancelled_wait_loses_nothing() -> None:
    """A reader may come back."""
    upstream = wired()
    reply = await upstream.open(CHUNKED)
    reading = asyncio.ensure_future(anext(reply))
    await asyncio.sleep(0)
    reading.cancel()
    upstream.feed(b"1\r\na\r\n0\r\n\r\n")
    assert [chunk async for chunk in reply] == [b"a"]


async def test_bomb_comes_in_pieces() -> None:
    """A small body that unpacks to a large one; the connection is free before that is through."""
    packed = gzip.compress(bytes(5 << 20))
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    upstream = wired()
    reply = await upstream.open(head + packed)
    sizes = [len(chunk) async for chunk in reply]
    assert (sum(sizes), max(sizes)) == (5 << 20, 1 << 20)
    assert upstream.connection.reusable


# --------------------------------------------------------------------------- every way of cutting

Outcome = tuple[int, Mapping[str, str], bytes] | type[UpstreamError]

ANSWERS = [
    OK + b"content-type: application/json\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 5\r\n\r\nhello",
    EARLY + CHUNKED + b"3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nx-t: 1\r\n\r\n",
    OK + b"content-type: text/event-stream\r\n\r\ndata: 1\n\ndata: [DONE]\n\n",
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n",
    OK + b"content-encoding: gzip\r\ncontent-length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),
    CHUNKED + b"5\r\nhello\r\n5\r\nwor",
    OK + b"content-length: 50\r\n\r\nhello",
    OK + b"content-length: 5\r\n\r\nhello, and more",
    OK + b"content-length: 5, 6\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n",
    b"HTTP/1.1 200",
]


async def outcome(pieces: Iterable[bytes], *, patient: bool) -> Outcome:
    """What a client gets from an upstream that sends *pieces* and closes."""
    troubles = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
    upstream = wired()

    async def talk() -> Outcome:
        try:
            reply: UpstreamReply = await upstream.open()
            return reply.status, reply.headers, await reply.read(max_bytes=MAX)
        except UpstreamError as exc:
            return type(exc)

    talking = asyncio.create_task(talk())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for piece in pieces:
        upstream.feed(piece)
        if patient:
            await asyncio.sleep(0)
    upstream.eof()
    async with asyncio.timeout(5):
        result = await talking
    assert troubles == []
    return result


@st.composite
def cuts(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """An answer, whole and in pieces."""
    answer = draw(st.sampled_from(ANSWERS))
    places = sorted(draw(st.sets(st.integers(1, len(answer) - 1))))
    bounds = zip([0, *places], [*places, len(answer)], strict=True)
    return answer, [answer[start:end] for start, end in bounds]


@given(cuts(), st.booleans())
def test_every_way_of_cutting_reads_the_same(cut: tuple[bytes, list[bytes]], patient: bool) -> None:
    """Status, headers, body and failure do not depend on how the bytes arrive."""
    answer, pieces = cut
    whole = asyncio.run(outcome([answer], patient=True))
    assert asyncio.run(outcome(pieces, patient=patient)) == whole


def test_the_answers_cover_each_outcome() -> None:
    """The list above is worth cutting."""
    outcomes = [asyncio.run(outcome([answer], patient=True)) for answer in ANSWERS]
    assert [result for result in outcomes if isinstance(result, type)] == [
        UpstreamReset,
        UpstreamReset,
        UpstreamProtocolError,
        UpstreamReset,
    ]
    bodies = [result[2] for result in outcomes if not isinstance(result, type)]
    assert bodies[:3] == [b"hello", b"abc0123456789abcdef", b"data: 1\n\ndata: [DONE]\n\n"]
    assert bodies[3:] == [b"", b"hello", b"hello", b""]


@given(
    st.sampled_from([b"", b"HTTP/1.1 ", OK, CHUNKED, CHUNKED + b"1\r\na\r\n", ANSWERS[0]]),
    st.lists(st.binary(max_size=40)),
    st.booleans(),
)
def test_garbage_is_an_upstream_error(start: bytes, pieces: list[bytes], patient: bool) -> None:
    """Whatever comes, the answer is one of ours, and comes at once."""
    result = asyncio.run(outcome([start, *pieces], patient=patient))
    assert isinstance(result, tuple) or issubclass(result, UpstreamError)
