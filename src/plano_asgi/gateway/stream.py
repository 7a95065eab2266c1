"""
Stream an open answer to the client: byte for byte, or rebuilt from events.

Both ways end in one of two manners: a whole answer ends cleanly, anything else ends in an error
event of the client's dialect and never in a clean end.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from plano_asgi._json import loads
from plano_asgi.asgi.respond import RawHeaders
from plano_asgi.attempts.answer import Answer
from plano_asgi.conversation import (
    Ended,
    Failed,
    Finished,
    StreamEvent,
    TextDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from plano_asgi.errors import PlanoError, UpstreamError, UpstreamReset, UpstreamStatus
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import Call, unexpected
from plano_asgi.wire import DIALECTS, StreamWriter
from plano_asgi.wire.sse import SSEDecoder, SSEFramer

_TAIL_FRAMES = 3
_TAIL_BYTES = 8192
_CUT = "The upstream's answer broke off."
STREAM_HEADERS: RawHeaders = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


async def relay_stream(call: Call, exchange: Exchange, answer: Answer, headers: RawHeaders) -> None:
    """
    Relay a stream of the client's own dialect byte for byte, cut at event boundaries.

    Half an event is never sent, so that an error event after a cut stands alone. Only the usage
    chunk that we asked for, and the client did not, is taken out.
    """
    assert answer.chunks is not None
    framer, tail = SSEFramer(), _Tail()
    unwanted_usage = exchange.dialect == "openai.chat" and not _asked_for_usage(exchange)
    send = call.send

    async def emit(frames: bytes) -> None:
        if not frames:
            return
        tail.add(frames)
        if unwanted_usage and b'"choices":' in frames:
            frames = _without_usage_chunk(frames)
            if not frames:
                return
        await send({"type": "http.response.body", "body": frames, "more_body": True})

    await call.start(200, [*STREAM_HEADERS, *headers])
    exchange.timings.first_byte = time.monotonic()
    failure: PlanoError | None = None
    try:
        await emit(framer.feed(b"".join(answer.head)))
        with answer.time_limit():
            async for chunk in answer.chunks:
                if frames := framer.feed(chunk):
                    await emit(frames)
    except UpstreamError as exc:
        failure = exc
    rest = framer.close()
    progress = Progress()
    progress.note(answer.events)
    progress.note(_read_tail(exchange.dialect, _last_frames(tail.bytes()) + rest))
    exchange.usage = progress.usage
    if progress.is_whole or isinstance(progress.failure, UpstreamStatus):
        await emit(rest)  # whole, or the upstream has told the error itself
        exchange.error = progress.failure
        await send({"type": "http.response.body", "body": b""})
        return
    exchange.error = failure = failure or UpstreamReset(_CUT)
    event = DIALECTS[exchange.dialect].write_stream_error(failure, call.id)
    await send({"type": "http.response.body", "body": event})


async def translate_stream(
    call: Call, exchange: Exchange, answer: Answer, headers: RawHeaders
) -> None:
    """Rebuild a stream in the client's dialect from the events of any other."""
    writer = call.dialect.stream_writer(exchange.request)
    progress = Progress()
    send = call.send

    async def emit(data: bytes) -> None:
        if data:
            await send({"type": "http.response.body", "body": data, "more_body": True})

    await call.start(200, [*STREAM_HEADERS, *headers])
    exchange.timings.first_byte = time.monotonic()
    try:
        await emit(_encode(exchange, writer, progress, answer.events))
        with answer.time_limit():
            async with aclosing(rest_of(answer)) as rest:
                async for events in rest:
                    await emit(_encode(exchange, writer, progress, events))
                    if progress.failure:
                        break
    except UpstreamError as exc:
        if not progress.is_whole:
            progress.failure = progress.failure or exc
    except Exception as exc:  # a bug of ours: the client is told in-band, the log in full
        progress.failure = unexpected(exc, call.id)
    if not progress.is_whole and progress.failure is None:
        progress.failure = UpstreamReset(_CUT)
    exchange.usage, exchange.error = progress.usage, progress.failure
    if progress.failure is not None:
        last = writer.fail(progress.failure)
    else:
        held = [event for step in exchange.response_filters for event in step.on_end(exchange)]
        last = writer.write(held) + writer.finish()
    await send({"type": "http.response.body", "body": last})


async def rest_of(answer: Answer) -> AsyncGenerator[list[StreamEvent]]:
    """The events that follow ``answer.events``, as they arrive."""
    reader = answer.reader
    if reader is None or answer.chunks is None:
        return
    if answer.unread:
        yield reader.feed(answer.unread)
    async for chunk in answer.chunks:
        if events := reader.feed(chunk):
            yield events
    yield reader.close()


def _encode(
    exchange: Exchange, writer: StreamWriter, progress: Progress, events: list[StreamEvent]
) -> bytes:
    events = progress.note(events)
    for step in exchange.response_filters:
        events = step.on_events(events, exchange)
    return writer.write(events) if events else b""


class Progress:
    """How far an answer has come: what is open, what is finished, what it used."""

    __slots__ = ("_choices", "_ended", "_finished", "failure", "usage")

    def __init__(self) -> None:
        self._choices: set[int] = set()
        self._finished: set[int] = set()
        self._ended = False
        self.failure: PlanoError | None = None
        self.usage: Usage | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the upstream said that it was done, or finished every choice it began."""
        if self.failure is not None:
            return False
        return self._ended or (bool(self._finished) and self._choices <= self._finished)

    def note(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Take in *events*; return those meant for a writer (all but ``Ended`` and ``Failed``)."""
        passed: list[StreamEvent] = []
        for event in events:
            if isinstance(event, Ended):
                self._ended = True
                continue
            if isinstance(event, Failed):
                self.failure = _plano_error(event.error)
                break
            if isinstance(event, TextDelta | ToolCallStarted):
                self._choices.add(event.choice)
            elif isinstance(event, Finished):
                self._finished.add(event.choice)
            elif isinstance(event, UsageReported):
                self.usage = _merged(self.usage, event.usage)
            passed.append(event)
        return passed


class _Tail:
    """The last frames of a relayed stream: they tell whether it was whole, and what it used."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=_TAIL_FRAMES)

    def add(self, frames: bytes) -> None:
        """Keep the last few of *frames*, which hold one event or more."""
        self._frames.append(frames if len(frames) < _TAIL_BYTES else _last_frames(frames))

    def bytes(self) -> bytes:
        """What was kept, in order."""
        return b"".join(self._frames)


def _last_frames(frames: bytes) -> bytes:
    blank = b"\r\n\r\n" if frames.endswith(b"\r\n\r\n") else b"\n\n"
    cut = len(frames) - len(blank)
    for _ in range(_TAIL_FRAMES):
        cut = frames.rfind(blank, 0, cut)
        if cut < 0:
            return frames
    return frames[cut + len(blank) :]


def _read_tail(dialect: str, tail: bytes) -> list[StreamEvent]:
    reader = DIALECTS[dialect].stream_reader()
    return [*reader.feed(tail), *reader.close()]


def _asked_for_usage(exchange: Exchange) -> bool:
    options = exchange.body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _without_usage_chunk(frames: bytes) -> bytes:
    """*frames* less the chunk that has usage and no choices."""
    if b'"choices":[]' not in frames and b'"choices": []' not in frames:
        return frames
    kept: list[bytes] = []
    framer = SSEFramer()
    for line in frames.splitlines(keepends=True):
        frame = framer.feed(line)
        if frame and not _is_usage_chunk(frame):
            kept.append(frame)
    return b"".join((*kept, framer.close()))


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


def _merged(before: Usage | None, now: Usage) -> Usage:
    """The later report, with what only the earlier one knew (Anthropic's input tokens)."""
    if before is not None:
        now.input_tokens = max(now.input_tokens, before.input_tokens)
        now.cache_read_input_tokens = max(
            now.cache_read_input_tokens, before.cache_read_input_tokens
        )
        now.cache_creation_input_tokens = max(
            now.cache_creation_input_tokens, before.cache_creation_input_tokens
        )
    return now


def _plano_error(error: Exception) -> PlanoError:
    return error if isinstance(error, PlanoError) else UpstreamError(str(error))
