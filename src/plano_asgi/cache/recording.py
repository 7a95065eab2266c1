"""A copy of an answer on its way out, and whether it is one to give again."""

from __future__ import annotations

from starlette.types import Message, Send

from plano_asgi._json import loads
from plano_asgi.conversation import ChatResponse, RefusalPart
from plano_asgi.errors import PlanoError
from plano_asgi.exchange import Exchange
from plano_asgi.wire import DIALECTS, Dialect
from plano_asgi.wire.accumulate import Accumulator

_WHOLE = frozenset({"stop", "length", "tool_calls"})
_SSE = "text/event-stream"


class Recording:
    """
    What went out, up to *max_bytes*; past it nothing is kept.

    Args:
        key: Where the answer will be kept.
    """

    def __init__(self, key: str, *, max_bytes: int) -> None:
        self.key = key
        self.status = 0
        self.content_type = ""
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_ended = False

    @property
    def is_stream(self) -> bool:
        """Whether it was server-sent events."""
        return self.content_type.partition(";")[0].strip().lower() == _SSE

    @property
    def body(self) -> bytes | None:
        """All of it; ``None`` if it was too large, or never ended."""
        return b"".join(self._chunks) if self._is_ended and self._size <= self._max_bytes else None

    def __call__(self, send: Send) -> Send:
        """Listen to what goes to *send*."""

        async def recorded(message: Message) -> None:
            self._note(message)
            await send(message)

        return recorded

    def _note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = dict(message.get("headers", ()))
            self.content_type = names.get(b"content-type", b"").decode("latin-1")
            if b"content-encoding" in names:
                self._size = self._max_bytes + 1  # not for every client
        elif message["type"] == "http.response.body":
            chunk = message.get("body", b"")
            self._size += len(chunk)
            if self._size <= self._max_bytes:
                self._chunks.append(chunk)
            else:
                self._chunks.clear()
            self._is_ended = not message.get("more_body", False)
        else:
            self._size = self._max_bytes + 1  # a body that the server fetches itself


def is_repeatable(exchange: Exchange, recording: Recording, body: bytes) -> bool:
    """
    Whether *body*, which is the *recording*'s, is a whole answer of a model, and no error, refusal,
    or one that a filter cut short.
    """
    if (
        recording.status != 200
        or exchange.error is not None
        or exchange.disconnected
        or exchange.served_by is None
    ):
        return False
    try:
        if recording.is_stream:
            return exchange.operation == "chat" and _is_whole_stream(exchange, body)
        answer = loads(body)
        if not isinstance(answer, dict) or answer.get("error"):
            return False
        if exchange.operation != "chat":
            return True
        return _is_answer(DIALECTS[exchange.dialect].read_response(answer))
    except (PlanoError, ValueError):
        return False


def _is_whole_stream(exchange: Exchange, body: bytes) -> bool:
    dialect: Dialect = DIALECTS[exchange.dialect]
    if not any(mark in body for mark in dialect.end_marks):
        return False
    reader, accumulator = dialect.stream_reader(), Accumulator()
    accumulator.add(reader.feed(body))
    accumulator.add(reader.close())
    return _is_answer(accumulator.response())


def _is_answer(response: ChatResponse) -> bool:
    return bool(response.choices) and all(
        choice.finish_reason in _WHOLE
        and not any(isinstance(part, RefusalPart) for part in choice.parts)
        for choice in response.choices
    )
