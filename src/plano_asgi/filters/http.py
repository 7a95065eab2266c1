"""
A filter that is an HTTP service.

``POST <url><path of the API>`` with the body, ``/anonymize`` + ``/v1/chat/completions`` say. On the
answer side it is sent whole bodies, and of a stream whole events, one call each, decompressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import anyio

from plano_asgi._json import dumps, loads
from plano_asgi.errors import (
    FilterRefused,
    FilterUnavailable,
    PlanoError,
    UpstreamError,
)
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.filters.remote import MAX_BYTES, RemoteFilter, client_text, json_object, path_hint
from plano_asgi.filters.told import trace_headers
from plano_asgi.passages import StreamEditor, WireEvent
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import TransportPool
from plano_asgi.wire.wire_events import EventDecoder, encode

_PRIVATE = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
    }
)
_HOP = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "accept",
        "accept-encoding",
    }
)
_JSON = "application/json"


class HTTPFilter(RemoteFilter):
    """
    An HTTP service as a filter.

    Args:
        url: Where it listens; the path of the client's API is appended.
        forward_credentials: Send the client's ``authorization``, cookies and API keys along, as
            Plano does. Off: the filter sees the other headers only.
        headers: Sent besides; a key of the filter's own, say.
        transports: Connections to use; its own pool if ``None``.
        **options: See ``RemoteFilter``.
    """

    protocol = "http"

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout_s: float = 10.0,
        on_error: Literal["closed", "open"] = "closed",
        max_bytes: int = MAX_BYTES,
        forward_credentials: bool = False,
        headers: Mapping[str, str] | None = None,
        transports: TransportPool | None = None,
    ) -> None:
        super().__init__(name, url, timeout_s=timeout_s, on_error=on_error, max_bytes=max_bytes)
        self._url = url.rstrip("/")
        self._hidden = _HOP if forward_credentials else _HOP | _PRIVATE
        self._headers = {key.lower(): value for key, value in (headers or {}).items()}
        self._transports = transports or TransportPool()
        self._owns_transports = transports is None

    async def on_request(self, exchange: Exchange, /) -> None:
        """
        Send the body, go on with the one that came back.

        Raises:
            FilterRefused: The filter answered 4xx.
            FilterUnavailable: It could not be asked, and ``on_error`` is "closed".
        """
        content = await self.ask(exchange, dumps(exchange.body), _JSON)
        if content is None:
            return
        if (body := json_object(content)) is None:
            self.failed(exchange, "answered something that is no JSON object")
        else:
            exchange.replace_body(body)

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter | None:
        """What sends this exchange's answer through the service."""
        return _Answer(self)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        if self._owns_transports:
            await self._transports.aclose()

    async def ask(self, exchange: Exchange, content: bytes, media_type: str) -> bytes | None:
        """
        One call. ``None`` where it failed and ``on_error`` is "open".

        Raises: As ``on_request``.
        """
        request = HTTPRequest(
            method="POST",
            url=self._url + path_hint(exchange),
            headers={**self._headers_for(exchange, media_type), **trace_headers(exchange)},
            content=content,
        )
        try:
            with anyio.fail_after(self.timeout_s):
                status, answer = await self._call(request)
        except TimeoutError as exc:
            self.failed(exchange, f"did not answer within {self.timeout_s:g} s", exc)
            return None
        except UpstreamError as exc:
            self.failed(exchange, "could not be reached", exc)
            return None
        if 200 <= status < 300:
            return answer
        if 400 <= status < 500:
            text = client_text(answer) or f"The filter {self.name!r} refused the request."
            raise FilterRefused(text, status=status, filter=self.name)
        self.failed(exchange, f"answered with status {status}")
        return None

    async def _call(self, request: HTTPRequest) -> tuple[int, bytes]:
        timeouts = Timeouts(connect_s=self.timeout_s, read_s=self.timeout_s)
        reply = await self._transports.get().open(request, timeouts)
        try:
            return reply.status, await reply.read(max_bytes=self.max_bytes)
        finally:
            await reply.aclose()

    def _headers_for(self, exchange: Exchange, media_type: str) -> dict[str, str]:
        headers = {k: v for k, v in exchange.headers.items() if k not in self._hidden}
        headers |= self._headers
        headers["x-request-id"] = exchange.id  # how a filter finds its own other half
        headers["content-type"] = media_type
        headers["accept"] = _JSON
        return headers


class _Answer(ResponseFilter):
    """One exchange's answer, sent through an ``HTTPFilter``."""

    def __init__(self, service: HTTPFilter) -> None:
        self._service = service

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """The whole body, there and back."""
        content = await self._ask(exchange, dumps(body))
        if content is None:
            return body
        try:
            return loads(content)
        except ValueError:
            self._failed(exchange, "answered something that is no JSON")
            return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """The event as it stands on the wire, there and back; several may come, or none."""
        content = await self._ask(exchange, encode(event))
        if content is None:
            return (event,)
        decoder = EventDecoder()
        return [*decoder.feed(content), *decoder.close()]

    async def _ask(self, exchange: Exchange, content: bytes) -> bytes | None:
        try:
            # Plano calls every answer JSON, a stream's events too, and filters are built for it.
            return await self._service.ask(exchange, content, _JSON)
        except (FilterRefused, FilterUnavailable) as exc:
            raise _stopped(exc) from exc

    def _failed(self, exchange: Exchange, cause: str) -> None:
        try:
            self._service.failed(exchange, cause)
        except FilterUnavailable as exc:
            raise _stopped(exc) from exc


def _stopped(error: PlanoError) -> AnswerStopped:
    return AnswerStopped(error, text=error.message)
