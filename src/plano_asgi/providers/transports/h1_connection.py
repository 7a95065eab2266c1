"""
One HTTP/1.1 connection: writes a request, parses the answer, tells its one reader of news.

No task and no timer per request or chunk: the protocol's callbacks fill ``parts`` and wake
whoever waits, and one timer, rescheduled only when it fires, looks after ``read_s``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from plano_asgi.errors import UpstreamError
from plano_asgi.providers.transports import shared

try:
    import httptools
except ModuleNotFoundError:  # reported by name, when a transport is made
    httptools = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from plano_asgi.providers.transports.h1_pool import HostPool

AVAILABLE = httptools is not None
"""Whether connections can be made at all."""

_QUEUE_BYTES = 256 << 10  # unread body; reading pauses above it
_LINE_BYTES = 64 << 10  # one header: long cookies and rate limit headers are legal
_HEAD_BYTES = 256 << 10  # all of them
_OVERHEAD_BYTES = 512 << 10  # received without any body: interim answers, trailers, chunk sizes
_PIECE_BYTES = 256 << 10  # of a request body, per write


class H1Connection(asyncio.BufferedProtocol):
    """
    An open connection, used by one request at a time.

    Args:
        host: The pool that it belongs to.
        buffer: What is received into. It may be shared with other connections where the event
            loop fills and hands over a buffer in one go.

    ``parts`` is the body received and not yet taken. ``answered`` says that ``status`` and
    ``headers`` are in, ``complete`` that nothing of an answer is outstanding, ``failure`` makes
    the error that ended it. ``idle_since`` belongs to the pool.
    """

    __slots__ = (
        "_buffer",
        "_deadline",
        "_headless",
        "_keep_alive",
        "_lines",
        "_loop",
        "_overhead",
        "_parser",
        "_queued",
        "_read_paused",
        "_read_s",
        "_sent",
        "_timer",
        "_timer_at",
        "_transport",
        "_until_eof",
        "_waiter",
        "_write_paused",
        "answered",
        "complete",
        "failure",
        "headers",
        "host",
        "idle_since",
        "on_body",
        "parts",
        "status",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, host: HostPool, buffer: memoryview[int]
    ) -> None:
        self._loop = loop
        self.host = host
        self._buffer = buffer
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._read_paused = self._write_paused = False
        self._keep_alive = self._sent = self.complete = True  # as after an answer
        self.answered = False
        self.failure: Callable[[], UpstreamError] | None = None
        self.idle_since = 0.0
        self.parts: list[bytes] = []
        self._lines: list[tuple[bytes, bytes]] = []
        self.on_body = self.parts.append  # called by the parser, without a frame in between
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(  # the two that RFC 9112 allows a reader
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    # ------------------------------------------------------------------ for the request's owner

    async def send(
        self, head: bytes, content: bytes, *, headless: bool, read_s: float | None
    ) -> None:
        """
        Write a request; return when the headers of the answer are in.

        Args:
            headless: The answer has headers only, whatever they announce (``HEAD``).
            read_s: Bounds each wait, until the answer was read.

        Raises:
            UpstreamTimeout, UpstreamReset, UpstreamProtocolError: See ``Transport.open``.
        """
        if self.failure:  # it was lost as soon as it was made: uvloop's transports would complain
            raise self.failure()
        self._read_s = read_s
        self._headless = headless
        self._overhead = self._queued = 0
        self._lines.clear()
        self.answered = self.complete = self._until_eof = False
        if len(content) <= _PIECE_BYTES:
            self._transport.write(head + content if content else head)
        else:
            await self._send_large(head, content)
        while not self.answered:
            if self.failure:
                raise self.failure()
            await self.news()

    async def _send_large(self, head: bytes, content: bytes) -> None:
        """No more is handed over than the kernel takes, plus a piece."""
        self._sent = False
        self._transport.write(head)
        rest = memoryview(content)
        while rest:
            while self._write_paused and not self._refused():
                await self.news()
            if self._refused():
                return  # the rest is of no use
            self._transport.write(rest[:_PIECE_BYTES])
            rest = rest[_PIECE_BYTES:]
        self._sent = True

    def _refused(self) -> bool:
        refusal = self.answered and self.status >= 400
        return refusal or self.complete or self.failure is not None

    def news(self) -> asyncio.Future[None]:
        """
        What to wait for, after looking at the state: something arrived, or ended.

        When ``read_s`` pass without, the connection fails.
        """
        self._waiter = waiter = self._loop.create_future()
        if self._read_s is not None:
            self._deadline = self._loop.time() + self._read_s
            if self._deadline < self._timer_at:
                self._look_at(self._deadline)
        return waiter

    def take(self) -> bytes:
        """All of ``parts``, joined."""
        parts = self.parts
        taken = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._queued = 0
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()
        return taken

    @property
    def reusable(self) -> bool:
        """Another request may follow: this one went out whole, and so did its answer come in."""
        return (
            self.complete
            and self._keep_alive
            and self._sent
            and not self._read_paused
            and not self._transport.is_closing()
        )

    def abort(self) -> None:
        """Close at once, without waiting for TLS or for unsent bytes; idempotent."""
        self._transport.abort()

    # ------------------------------------------------------------------ asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep *transport*."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's only look like one

    def get_buffer(self, sizehint: int) -> memoryview[int]:
        """Where to receive into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse *nbytes* of the buffer."""
        if self.complete:  # nobody asked for anything
            self._transport.abort()
            return
        count = len(self.parts)
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keep_alive = False
            if not self.complete:
                self._fail(shared.cut if self.answered else shared.not_http)
        if len(self.parts) > count:
            self._overhead = 0
            self._queued += nbytes
            if self._queued > _QUEUE_BYTES and not (self._read_paused or self.complete):
                self._read_paused = True
                self._transport.pause_reading()
        else:
            self._overhead += nbytes
            if self._overhead > _OVERHEAD_BYTES and not self.complete:
                self._fail(shared.cut if self.answered else shared.not_http)
        self._wake()

    def eof_received(self) -> None:
        """The end of a body that has no other; returning nothing closes the connection."""
        self._keep_alive = False
        if self.answered and self._until_eof:
            self.complete = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The last callback."""
        if self.failure is None:
            self.failure = shared.cut if self.answered else shared.no_answer
        if self._timer:
            self._timer.cancel()
        del self._parser  # it refers to this object
        self.host.lost(self)
        self._wake()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self._write_paused = False
        self._wake()

    # ------------------------------------------------------------------ the parser's callbacks

    def on_message_begin(self) -> None:
        """Refuse bytes behind the answer."""
        if self.complete:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; or a trailer, which nobody looks at."""
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Read the headers, and find out how the body ends."""
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            self._lines.clear()  # an interim answer
            return
        headers = self.headers = _joined(self._lines)
        self._lines.clear()
        coding = headers.get("transfer-encoding")
        if status == 101 or (coding is not None and coding.strip().lower() != "chunked"):
            raise _Refused  # not what was asked for
        self.status = status
        self.answered = True
        self._overhead = 0
        if self._headless:
            self.complete = True
            raise _Refused  # the parser would wait for the body, so it cannot be used again
        self._until_eof = coding is None and "content-length" not in headers

    def on_message_complete(self) -> None:
        """The body has come to its end, if this was not an interim answer."""
        if self.answered:
            self.complete = True
            self._keep_alive = self._parser.should_keep_alive()

    # ------------------------------------------------------------------ waking and failing

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():  # it was cancelled
                waiter.set_result(None)

    def _fail(self, failure: Callable[[], UpstreamError]) -> None:
        self.failure = failure
        self._transport.abort()

    def _look_at(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """Has the deadline of whoever waits now passed? It moves often, the timer seldom."""
        self._timer, self._timer_at = None, math.inf
        if self._waiter is None or self._waiter.done() or self._read_s is None:
            return
        if self._loop.time() < self._deadline:
            self._look_at(self._deadline)
            return
        self._fail(shared.read_timeout)
        self._wake()


class _Refused(Exception):
    """Stops the parser."""


def _joined(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers, size = dict[str, str](), 0
    for raw_name, raw_value in lines:
        line_size = len(raw_name) + len(raw_value)
        size += line_size
        if line_size > _LINE_BYTES or size > _HEAD_BYTES:
            raise _Refused
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
