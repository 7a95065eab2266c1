"""
Copies of both bodies of an exchange, taken as they go by: nothing is changed, held or delayed.

A chunk costs an append and two additions; whatever is to be known of it is read after the last
byte, by ``read_answer``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Send

from plano_asgi.asgi.respond import RawHeaders
from plano_asgi.asgi.tap_headers import header

MAX_BYTES = 4 << 20
"""Of one body; a larger one is not kept whole."""
EDGE_BYTES = 64 << 10
"""Kept of the beginning and the end of a body that is not."""
_SLACK_BYTES = 16 << 10  # what may come before the end is cut again
_SSE = "text/event-stream"
_ELSEWHERE = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Copy:
    """
    A bounded copy of one body: all of it up to *max_bytes*, else *edge_bytes* of its beginning and
    as many of its end.
    """

    is_kept = True
    """There was no more than *max_bytes*."""
    size = 0
    """Bytes of the body so far."""
    _head = b""

    def __init__(self, max_bytes: int, edge_bytes: int) -> None:
        self._edge = edge_bytes
        self.pieces: list[bytes] = []
        self.limit = max_bytes if max_bytes > edge_bytes else edge_bytes
        """The size at which something has to go."""

    def overflow(self) -> None:
        """There is more than is kept: let go of what is neither the beginning nor the end."""
        joined = b"".join(self.pieces)
        if self.is_kept:
            self.is_kept = False
            self._head = joined[: self._edge]
        self.pieces[:] = [joined[-self._edge :]] if self._edge else []
        self.limit = self.size + max(self._edge, _SLACK_BYTES)

    def forget(self) -> None:
        """Say that more has gone by than was seen here."""
        self.overflow()
        self._head = b""
        self.pieces.clear()

    def body(self) -> bytes | None:
        """All of it, also of one cut short; ``None`` if it was too large."""
        return b"".join(self.pieces) if self.is_kept else None

    def head(self) -> bytes:
        """Its first *edge_bytes*."""
        return b"".join(self.pieces)[: self._edge] if self.is_kept else self._head

    def tail(self) -> bytes:
        """Its last *edge_bytes*."""
        return b"".join(self.pieces)[-self._edge :] if self._edge else b""


class AnswerTee(Copy):
    """
    The outermost ``send`` of one exchange: passes every message on and notes what it says.

    Args:
        send: Where messages go.
        max_bytes: Of the body kept, as the client gets it (encoded, if it is); at least
            *edge_bytes*.
        edge_bytes: Kept of its beginning and its end where it is larger.
        timer: The clock, monotonic seconds.
        on_start: Called with ``http.response.start`` before it goes on. Must not raise.
    """

    status: int | None = None
    """HTTP status; ``None`` before there is one."""
    chunks = 0
    """Body messages with content."""
    first_chunk: float | None = None
    """When the first of them came by, by *timer*."""
    ended: float | None = None
    """When the last message of the response came by."""

    def __init__(
        self,
        send: Send,
        *,
        max_bytes: int = MAX_BYTES,
        edge_bytes: int = EDGE_BYTES,
        timer: Callable[[], float] = time.monotonic,
        on_start: Callable[[Message], None] | None = None,
    ) -> None:
        Copy.__init__(self, max_bytes, edge_bytes)
        self._send = send
        self._timer = timer
        self._on_start = on_start
        self.headers: RawHeaders = []
        """Those of the response."""

    def __call__(self, message: Message) -> Awaitable[None]:
        """Note *message* and pass it on. No coroutine of its own: it is the hottest call."""
        if message["type"] == "http.response.body":
            if chunk := message.get("body"):
                self.chunks += 1
                if self.first_chunk is None:
                    self.first_chunk = self._timer()
                self.pieces.append(chunk)
                self.size += len(chunk)
                if self.size > self.limit:
                    self.overflow()
            if not message.get("more_body", False):
                self.ended = self._timer()
        else:
            self._note(message)
        return self._send(message)

    @property
    def is_ended(self) -> bool:
        """The last message of the response has come by."""
        return self.ended is not None

    @property
    def content_type(self) -> str:
        """As the response has it; "" if it has none."""
        return header(self.headers, b"content-type")

    @property
    def is_stream(self) -> bool:
        """Whether it says to be server-sent events."""
        return self.content_type.partition(";")[0].strip().lower() == _SSE

    @property
    def is_encoded(self) -> bool:
        """Whether it says to be compressed: it may be far larger than it is."""
        return header(self.headers, b"content-encoding").strip().lower() not in ("", "identity")

    def _note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
            if self._on_start is not None:
                self._on_start(message)
        elif message["type"] in _ELSEWHERE:
            self.forget()
            if not message.get("more_body", False):
                self.ended = self._timer()


class RequestTee(Copy):
    """
    A ``receive`` that whoever reads the request asks in the place of the server's.

    Args:
        receive: Where messages come from.
        answer: The tee of the answer: a client that leaves after its end has not left it.
        max_bytes: Of the body kept.
        edge_bytes: Kept of its beginning and its end where it is larger.
    """

    has_left = False
    """The client went before the response was over, as far as anybody asked."""
    is_ended = False
    """The last of the body has been read."""

    def __init__(
        self,
        receive: Receive,
        answer: AnswerTee | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        edge_bytes: int = 0,
    ) -> None:
        Copy.__init__(self, max_bytes, edge_bytes)
        self._receive = receive
        self._answer = answer

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._receive()
        if message["type"] == "http.request":
            if chunk := message.get("body"):
                self.pieces.append(chunk)
                self.size += len(chunk)
                if self.size > self.limit:
                    self.overflow()
            if not message.get("more_body", False):
                self.is_ended = True
        elif message["type"] == "http.disconnect":
            self.has_left = self.has_left or self._answer is None or not self._answer.is_ended
        return message

    def body(self) -> bytes | None:
        """The whole body; ``None`` if it is not kept, or was not read to its end."""
        return Copy.body(self) if self.is_ended else None
