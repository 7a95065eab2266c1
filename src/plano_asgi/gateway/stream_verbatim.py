"""
Relay a stream of the client's own dialect byte for byte.

It is cut at event boundaries only: half an event is never sent, so that an error event after a cut
stands alone. Two things are taken out: the usage chunk that we asked for and the client did not,
and whatever an upstream says after its own error (an end mark would make it look whole).
"""

from __future__ import annotations

import time
from collections import deque

from anyio import get_cancelled_exc_class

from plano_asgi._json import loads
from plano_asgi.asgi.body import ClientDisconnected
from plano_asgi.asgi.respond import RawHeaders
from plano_asgi.attempts.answer import Answer, scrub_error
from plano_asgi.errors import (
    PlanoError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamStatus,
)
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import STREAM_HEADERS, Call
from plano_asgi.gateway.stream_progress import Progress
from plano_asgi.stream_events import (
    Failed,
    StreamEvent,
)
from plano_asgi.wire import Dialect
from plano_asgi.wire.sse import SSEDecoder, SSEFramer, split_frames

_TAIL_FRAMES = 3
_TAIL_BYTES = 8192
_BYTES_PER_CHAR = 16  # of a stream, for one of the text that it carries
_DATA = b"data:"
_BLANKS = (b"\n\n", b"\r\n\r\n", b"\r\r")


async def relay_stream(call: Call, exchange: Exchange, answer: Answer, headers: RawHeaders) -> None:
    """Relay *answer*; a whole one ends as it came, a broken one in an error event."""
    assert answer.chunks is not None
    relay = _Relay(call, exchange, answer)
    await call.start(200, [*STREAM_HEADERS, *headers])
    exchange.timings.first_byte = time.monotonic()
    framer = SSEFramer()
    try:
        await relay.emit(framer.feed(b"".join(answer.head)))
        relay.begin()
        if not relay.failed:
            with answer.time_limit():
                async for chunk in answer.chunks:
                    if frames := framer.feed(chunk):
                        await relay.emit(frames)
                        if relay.failed:
                            break
    except UpstreamError as exc:
        await relay.end(framer.close(), exc)
    except OSError as exc:
        relay.cut()
        raise ClientDisconnected from exc  # of ``send``, asked directly: it is the hottest call
    except get_cancelled_exc_class():
        relay.cut()
        raise
    else:
        await relay.end(framer.close(), None)


class _Relay:
    """One relayed stream: what goes out, and what the last of it said."""

    __slots__ = (
        "_answer",
        "_call",
        "_dialect",
        "_drops_usage",
        "_events",
        "_exchange",
        "_send",
        "_size",
        "_tail",
        "failed",
    )

    def __init__(self, call: Call, exchange: Exchange, answer: Answer) -> None:
        self._call, self._exchange, self._answer = call, exchange, answer
        self._dialect, self._send = call.dialect, call.raw_send
        self._drops_usage = exchange.dialect == "openai.chat" and not _asked_for_usage(exchange)
        self._tail: deque[bytes] = deque(maxlen=_TAIL_FRAMES)
        self._size = self._events = 0
        self.failed = False
        """The upstream has told an error of its own, and it has been passed on."""

    async def emit(self, frames: bytes) -> None:
        """Send whole *frames*. Raises ``OSError`` where the server tells of a client that left."""
        if b'"error"' in frames and (cut := _up_to_error(self._dialect, frames)) is not None:
            frames = self._scrubbed(cut)
            self.failed = True
        self._size += len(frames)
        if events := frames.count(_DATA):  # not only comments, that keep a connection open
            self._events += events
            self._tail.append(frames if len(frames) < _TAIL_BYTES else _last_frames(frames))
        if self._drops_usage:
            frames = _without_usage_chunk(frames)
        if frames:
            await self._send({"type": "http.response.body", "body": frames, "more_body": True})

    def begin(self) -> None:
        """What has been sent was read before, and is known exactly."""
        self._size = self._events = 0

    def cut(self) -> None:
        """
        It ends before its end: tell what was used by then, and about how much was written. That
        is what came beyond the first events, less what the last event with text in it has around
        that, for each event.
        """
        tail = b"".join(self._tail)
        told = Progress()
        told.note(self._answer.events)
        begun = told.written
        told.note(_read(self._dialect, tail))
        self._exchange.usage = told.usage
        if told.is_whole or any(mark in tail for mark in self._dialect.end_marks):
            return  # all was said, but for the closing
        around = _around_text(self._dialect, tail)
        if around is None:  # arguments of a call whose beginning is gone, say
            written = self._size // _BYTES_PER_CHAR
        else:
            written = max(0, self._size - around * self._events)
        self._exchange.cut_after_bytes = begun + written

    async def end(self, rest: bytes, failure: PlanoError | None) -> None:
        """
        End the response. *rest* is an event without its blank line, *failure* why the upstream
        broke off, if it did.
        """
        exchange = self._exchange
        tail = _last_frames(b"".join(self._tail))
        progress = Progress()
        progress.note(self._answer.events)
        progress.note(_read(self._dialect, tail + rest))
        exchange.usage, exchange.error = progress.usage, exchange.error or progress.failure
        if _ends_tell_all(exchange):
            exchange.answered = progress.facts
        told = isinstance(progress.failure, UpstreamStatus)
        # An end that only our reader cannot make sense of is an end all the same.
        unread = failure is None and isinstance(progress.failure, UpstreamProtocolError)
        marked = unread and any(mark in tail for mark in self._dialect.end_marks)
        if told:
            self.cut()
            exchange.usage = progress.usage
        if told and not self.failed:
            rest = self._scrubbed(rest)
        if progress.is_whole or told or marked:
            await self._close(b"" if self.failed else rest)
            return
        failure = failure or UpstreamReset("The upstream's answer broke off.")
        scrub_error(failure, self._answer.sent_headers)
        exchange.error = failure
        self.cut()
        exchange.usage = progress.usage
        event = self._dialect.write_stream_error(failure, self._call.id)
        await self._close(event)

    def _scrubbed(self, frames: bytes) -> bytes:
        return self._answer.scrub(frames.decode("utf-8", "replace")).encode()

    async def _close(self, last: bytes) -> None:
        await self._call.send({"type": "http.response.body", "body": last})


def _around_text(dialect: Dialect, frames: bytes) -> int | None:
    """Bytes of the last event in *frames* that carries text, less that; ``None`` for no such."""
    for frame in reversed(list(split_frames(frames))):
        read = Progress()
        read.note(_read(dialect, frame))
        if read.written:
            return len(frame) - read.written
    return None


def _up_to_error(dialect: Dialect, frames: bytes) -> bytes | None:
    """*frames* up to the first that tells an error, and with it; ``None`` if none does."""
    end = 0
    for frame in split_frames(frames):
        end += len(frame)
        for event in _read(dialect, frame):
            if isinstance(event, Failed) and isinstance(event.error, UpstreamStatus):
                return frames[:end]
    return None


def _read(dialect: Dialect, frames: bytes) -> list[StreamEvent]:
    reader = dialect.stream_reader()
    return [*reader.feed(frames), *reader.close()]


def _last_frames(frames: bytes) -> bytes:
    """The last few of *frames*: they tell whether a stream was whole, and what it used."""
    blank = b"\r\n\r\n" if frames.endswith(b"\r\n\r\n") else b"\n\n"
    cut = len(frames) - len(blank)
    for _ in range(_TAIL_FRAMES):
        cut = frames.rfind(blank, 0, cut)
        if cut < 0:
            return frames
    return frames[cut + len(blank) :]


def _ends_tell_all(exchange: Exchange) -> bool:
    """
    Whether the first and the last of a stream say why it ended: in chat, several choices end one
    by one, and a "stop" behind tool calls is another one.
    """
    body = exchange.body
    is_plain = body.get("n") in (None, 1) and not (body.get("tools") or body.get("functions"))
    return is_plain or exchange.dialect != "openai.chat"


def _asked_for_usage(exchange: Exchange) -> bool:
    options = exchange.body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _without_usage_chunk(frames: bytes) -> bytes:
    """*frames* less the chunk that has usage and no choices, which comes last."""
    if b"[]" not in frames:
        return frames
    at = max(frames.rfind(b'"choices":[]'), frames.rfind(b'"choices": []'))
    if at < 0:
        return frames
    starts = (i + len(b) for b in _BLANKS if (i := frames.rfind(b, 0, at)) >= 0)
    ends = (i + len(b) for b in _BLANKS if (i := frames.find(b, at)) >= 0)
    start, end = max(starts, default=0), min(ends, default=len(frames))
    return frames[:start] + frames[end:] if _is_usage_chunk(frames[start:end]) else frames


def _is_usage_chunk(frame: bytes) -> bool:
    decoder = SSEDecoder()
    for event in (*decoder.feed(frame), *decoder.close()):
        if '"usage"' not in event.data:
            continue
        try:
            chunk = loads(event.data)
        except ValueError:
            continue
        if isinstance(chunk, dict) and chunk.get("usage") and chunk.get("choices") == []:
            return True
    return False
