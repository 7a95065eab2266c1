"""How an exchange is answered by us: errors and refusals, in the form its client expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from starlette.types import Send

from plano_asgi._json import dumps
from plano_asgi.asgi.respond import RawHeaders, encode_headers, send_body
from plano_asgi.conversation import FinishReason
from plano_asgi.errors import (
    ConfigurationError,
    ContentBlocked,
    FilterUnavailable,
    GuardUnavailable,
    PlanoError,
    UpstreamError,
)
from plano_asgi.exchange import Exchange
from plano_asgi.wire import DIALECTS, sse
from plano_asgi.wire.refusal import streamed_refusal, whole_refusal

_JSON = "application/json"
_SSE = "text/event-stream"
_STREAM_HEADERS = {
    "content-type": f"{_SSE}; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
_IN_VAIN = (UpstreamError, ConfigurationError, ContentBlocked, GuardUnavailable, FilterUnavailable)
"""Our own tries are spent (3 x 3 helps nobody), or none will ever do."""


class Said(NamedTuple):
    """One whole response."""

    status: int
    headers: RawHeaders
    body: bytes


class Voice(Protocol):
    """Writes our own answers for one exchange."""

    def error(self, error: PlanoError, /) -> Said:
        """*error* as a status and a body."""
        ...

    def refusal(self, text: str, reason: FinishReason, /) -> Said:
        """
        *text* as an answer with status 200, whole or streamed as the client asked for it; as an
        error where the API has no answers of text (embeddings).
        """
        ...

    def stream_error(self, error: PlanoError, content_type: str, /) -> bytes | None:
        """*error* inside a stream of *content_type*; ``None`` where it has no way to say one."""
        ...


class DialectVoice:
    """Speaks the exchange's dialect."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._dialect = DIALECTS[exchange.dialect]

    def error(self, error: PlanoError, /) -> Said:
        """As ``Dialect.write_error`` has it."""
        body = dumps(self._dialect.write_error(error, self._exchange.id))
        headers = {"content-type": _JSON, **error_headers(error)}
        return Said(_status(error), self._headers(headers), body)

    def refusal(self, text: str, reason: FinishReason, /) -> Said:
        """As the model would have said it."""
        exchange = self._exchange
        if exchange.operation != "chat":
            return self.error(ContentBlocked(text))
        try:
            request = exchange.request
        except PlanoError as exc:
            return self.error(exc)
        if exchange.stream:
            content = streamed_refusal(self._dialect, request, text, reason)
            return Said(200, self._headers(_STREAM_HEADERS), content)
        body = dumps(whole_refusal(self._dialect, request, text, reason))
        return Said(200, self._headers({"content-type": _JSON}), body)

    def stream_error(self, error: PlanoError, content_type: str, /) -> bytes | None:
        """As ``Dialect.write_stream_error`` has it."""
        return self._dialect.write_stream_error(error, self._exchange.id)

    def _headers(self, headers: dict[str, str]) -> RawHeaders:
        exchange = self._exchange
        return encode_headers(headers | exchange_headers(exchange) | _id_headers(exchange))


class RouteVoice:
    """
    Speaks for a foreign route: errors as ``{"error": {"message", "type", "code"}}``.

    Args:
        refusal_body: The route's answer that reads a given text.
    """

    def __init__(self, exchange: Exchange, refusal_body: Callable[[str], Any]) -> None:
        self._exchange = exchange
        self._refusal_body = refusal_body

    def error(self, error: PlanoError, /) -> Said:
        """The object, and the error's status."""
        headers = {"content-type": _JSON, **error_headers(error), **_id_headers(self._exchange)}
        return Said(_status(error), encode_headers(headers), dumps(_error_object(error)))

    def refusal(self, text: str, reason: FinishReason, /) -> Said:
        """Always whole: nobody knows yet whether the route streams."""
        headers = {"content-type": _JSON, **_id_headers(self._exchange)}
        return Said(200, encode_headers(headers), dumps(self._refusal_body(text)))

    def stream_error(self, error: PlanoError, content_type: str, /) -> bytes | None:
        """An event ``error``, or a line; plain text has no way to say it."""
        media = content_type.partition(";")[0].strip().lower()
        data = dumps(_error_object(error))
        if media == _SSE:
            return sse.encode(data, "error")
        return data + b"\n" if "json" in media else None


def error_headers(error: PlanoError) -> dict[str, str]:
    """Headers that tell the official SDKs whether and when to try again."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, _IN_VAIN):
        headers["x-should-retry"] = "false"
    return headers


def exchange_headers(exchange: Exchange) -> dict[str, str]:
    """What steps have left for the client, and what the gateway says of the way it took."""
    headers = dict(exchange.response_headers)
    if exchange.attempts:
        headers["x-plano-attempts"] = str(len(exchange.attempts))
    if exchange.served_by is not None:
        headers["x-plano-model"] = exchange.served_by.name
    return headers


async def say(send: Send, said: Said) -> None:
    """Send one of our own answers."""
    await send_body(send, said.status, said.body, said.headers)


def _status(error: PlanoError) -> int:
    return error.status if 400 <= error.status <= 599 else 502


def _id_headers(exchange: Exchange) -> dict[str, str]:
    return {"x-request-id": exchange.id, "request-id": exchange.id}


def _error_object(error: PlanoError) -> dict[str, Any]:
    return {"error": {"message": error.message, "type": error.type, "code": error.code}}
