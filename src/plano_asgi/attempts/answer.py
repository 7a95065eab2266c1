"""An upstream answer that has passed the commit point: what an attempt yields."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from plano_asgi._json import JSONObject, loads
from plano_asgi.activities import Activity
from plano_asgi.asgi.deadline import time_limit
from plano_asgi.errors import (
    PlanoError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamStatus,
    UpstreamTimeout,
)
from plano_asgi.exchange import Candidate
from plano_asgi.providers.client import UpstreamReply
from plano_asgi.stream_events import (
    CONTENT_EVENTS,
    Ended,
    Failed,
    Finished,
    StreamEvent,
)
from plano_asgi.wire.accumulate import response_events
from plano_asgi.wire.base import Dialect, StreamReader

_FIRST_SLICE_BYTES = 512
_ERROR_BODY_BYTES = 64 << 10
_DRAIN_S = 0.25
_HTML_START = (b"<",)
_SSE_START = (b"data:", b"event:", b"id:", b"retry:", b":")
_SECRET_HEADER = re.compile(r"auth|cookie|key|secret|token")
_SECRET_CHARS = 8  # shorter ones are no keys, and would blot out words
_SSE = "text/event-stream"


@dataclass(slots=True, kw_only=True)
class Answer:
    """
    A good answer, open. ``dialect`` is ``None`` for a relayed path.

    Unary: ``body`` (and ``json`` for a chat dialect) are set. Stream: ``head`` are the bytes read
    up to the commit point, ``events`` what they meant, ``unread`` bytes of ``head`` that
    ``reader`` has not been fed yet; the rest comes from ``chunks``. A stream made from a JSON
    document the upstream sent instead has no ``reader``: ``events`` is all of it.
    """

    candidate: Candidate
    reply: UpstreamReply
    dialect: Dialect | None
    status: int
    headers: Mapping[str, str]
    sent_headers: Mapping[str, str] = field(repr=False)
    """Of our request: its credentials must not come back out."""
    body: bytes | None = None
    json: JSONObject | None = None
    head: list[bytes] = field(default_factory=list)
    events: list[StreamEvent] = field(default_factory=list)
    unread: bytes = b""
    reader: StreamReader | None = None
    chunks: AsyncIterator[bytes] | None = None
    _secrets: tuple[str, ...] | None = field(default=None, repr=False)
    expires: float | None = None
    """``time.monotonic`` at which ``total_s`` of its provider is over."""
    activity: Activity | None = field(default=None, repr=False)
    """The attempt, for whoever watches it: over when the answer is closed."""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events (also if made from one document)."""
        return self.body is None

    @property
    def is_verbatim_stream(self) -> bool:
        """Whether ``head`` and ``chunks`` are a stream as the dialect frames it."""
        return self.reader is not None

    @contextmanager
    def time_limit(self) -> Generator[None]:
        """
        Hold the reading of the rest to ``expires``.

        Raises:
            UpstreamTimeout: ``phase`` "total".
        """
        if self.expires is None:
            yield
            return
        try:
            with time_limit(max(0.0, self.expires - time.monotonic())):
                yield
        except TimeoutError as exc:
            raise UpstreamTimeout("the answer took too long (total)", phase="total") from exc

    def scrub(self, text: str) -> str:
        """*text* of the upstream, less our own credentials."""
        if self._secrets is None:
            self._secrets = tuple(_secrets(self.sent_headers))
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def drain(self) -> None:
        """
        After the end mark: read on to the end of the body, for a moment, so that the connection
        can be used again.
        """
        if self.chunks is None:
            return
        with suppress(UpstreamError, TimeoutError), time_limit(_DRAIN_S):
            async for _ in self.chunks:
                pass

    async def aclose(self) -> None:
        """Close the upstream side; idempotent."""
        if self.activity is not None:
            self.activity.end("abandoned" if self.is_stream else None)
            self.activity = None
        await self.reply.aclose()

    def settle(self, error: Exception | None) -> None:
        """It came to its end, whole or in *error*."""
        if self.activity is not None:
            self.activity.end(error)
            self.activity = None


async def read_unary(answer: Answer, *, max_bytes: int) -> None:
    """
    Read a whole answer of a chat dialect into *answer*.

    Raises:
        UpstreamStatus: The 200 held an error.
        UpstreamProtocolError: Not JSON, or not what the dialect says.
    """
    assert answer.dialect is not None
    body = await answer.reply.read(max_bytes=max_bytes)
    start = body.lstrip()[:6]
    if start.startswith(_SSE_START):
        _read_whole_stream(answer, body)
        return
    answer.json = _json_object(answer.dialect, body)
    answer.body = body


async def read_to_commit(answer: Answer, *, max_bytes: int) -> None:
    """
    Read a stream into *answer* up to its first content event.

    What the upstream says of its content type is not trusted, what it sends is: a JSON document
    or an HTML page in the place of a stream is known by its first byte.

    Raises:
        UpstreamError: The stream failed, broke off or made no sense before any content.
    """
    assert answer.dialect is not None
    chunks = answer.chunks = aiter(answer.reply)
    reader = answer.dialect.stream_reader()
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise _over(f"no content within {max_bytes} bytes of the stream")
        if not answer.head:
            first = chunk.lstrip()
            if not first:
                continue
            if answer.dialect.stream_media_type == _SSE and first[:1] in (b"{", b"[", b"<"):
                await _read_document(answer, chunk, chunks, max_bytes)
                return
        answer.head.append(chunk)
        # In slices: of a large chunk, little more is decoded than leads up to the first content.
        start, slice_bytes = 0, _FIRST_SLICE_BYTES
        while start < len(chunk):
            events = reader.feed(chunk[start : start + slice_bytes])
            start += slice_bytes
            slice_bytes *= 2
            if _take(answer, events):
                answer.unread = chunk[start:]
                answer.reader = reader
                return
    answer.reader = reader
    _take(answer, reader.close())
    if not is_whole(answer.events):
        raise UpstreamReset("the upstream closed its stream before any content")


def is_whole(events: list[StreamEvent]) -> bool:
    """Whether *events* hold the end of an answer."""
    return any(isinstance(event, (Ended, Finished)) for event in events)


def _over(message: str) -> UpstreamProtocolError:
    error = UpstreamProtocolError(message)
    error.retryable = False  # it would be as large again
    return error


def _take(answer: Answer, events: list[StreamEvent]) -> bool:
    """Keep *events*; say whether they commit. A failure in them is the attempt's."""
    committed = False
    for event in events:
        if isinstance(event, Failed) and not committed:
            raise event.error
        answer.events.append(event)
        committed = committed or isinstance(event, CONTENT_EVENTS)
    return committed


async def _read_document(
    answer: Answer, first: bytes, chunks: AsyncIterator[bytes], max_bytes: int
) -> None:
    parts, size = [first], len(first)
    async for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise _over(f"the upstream's answer is over {max_bytes} bytes")
    assert answer.dialect is not None
    document = _json_object(answer.dialect, b"".join(parts))
    answer.events = response_events(answer.dialect.read_response(document))


def _read_whole_stream(answer: Answer, body: bytes) -> None:
    """The upstream streamed although a whole answer was asked for."""
    assert answer.dialect is not None
    reader = answer.dialect.stream_reader()
    events = [*reader.feed(body), *reader.close()]
    for event in events:
        if isinstance(event, Failed):
            raise event.error
    if not is_whole(events):
        raise UpstreamReset("the upstream's answer broke off")
    answer.events = events


def _json_object(dialect: Dialect, body: bytes) -> JSONObject:
    if body.lstrip().startswith(_HTML_START):
        raise UpstreamProtocolError("the upstream answered with an HTML page")
    try:
        value = loads(body)
    except ValueError as exc:
        raise UpstreamProtocolError("the upstream's answer is not JSON") from exc
    if not isinstance(value, dict):
        raise UpstreamProtocolError("the upstream's answer is not a JSON object")
    if error := dialect.error_in_body(value):
        error.body = body
        raise error
    return value


async def read_error_body(reply: UpstreamReply) -> bytes:
    """The body of an error answer: at most 64 KiB, and as far as it came."""
    parts, size = [], 0
    try:
        async for chunk in reply:
            parts.append(chunk)
            size += len(chunk)
            if size >= _ERROR_BODY_BYTES:
                break
    except UpstreamError:
        pass  # the status is the news; a cut body must not hide it
    return b"".join(parts)[:_ERROR_BODY_BYTES]


def scrub_error(error: PlanoError, sent_headers: Mapping[str, str]) -> None:
    """Blot out credentials that an upstream repeats in its error: text, body and headers."""
    if not isinstance(error, UpstreamStatus):
        return
    for secret in _secrets(sent_headers):
        error.args = tuple(
            arg.replace(secret, "***") if isinstance(arg, str) else arg for arg in error.args
        )
        error.body = error.body and error.body.replace(secret.encode(), b"***")
        error.headers = {name: text.replace(secret, "***") for name, text in error.headers.items()}
        error.code = error.code and error.code.replace(secret, "***")
        error.param = error.param and error.param.replace(secret, "***")


def _secrets(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        secret = value.rpartition(" ")[2]  # after "Bearer"
        if len(secret) >= _SECRET_CHARS and _SECRET_HEADER.search(name):
            yield secret
