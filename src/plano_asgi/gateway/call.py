"""One HTTP request at the gateway's door, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from plano_asgi._json import dumps, loads
from plano_asgi.asgi import tap_voice
from plano_asgi.asgi.body import ClientDisconnected
from plano_asgi.asgi.respond import RawHeaders, encode_headers, send_body
from plano_asgi.asgi.tap_voice import Said, exchange_headers
from plano_asgi.attempts import Answer
from plano_asgi.cache.base import ReplayAnswer
from plano_asgi.errors import MethodNotAllowed, PlanoError, UpstreamStatus
from plano_asgi.exchange import Exchange
from plano_asgi.wire import DIALECTS, Dialect

STREAM_HEADERS: RawHeaders = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_JSON = (b"content-type", b"application/json")
_RELAYED_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_RELAYED = frozenset({"retry-after", "retry-after-ms", "openai-processing-ms", "openai-version"})


@dataclass(slots=True, kw_only=True)
class Call:
    """
    One HTTP request being served. ``started`` is set once the response's status is out: from then
    on an error can only be said in-band. ``ended``: its last message has been handed on, and a
    client that leaves now has not left it.
    """

    scope: Scope = field(repr=False)
    receive: Receive
    raw_send: Send = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    dialect: Dialect
    """The client's: it shapes answers and errors."""
    id: str
    tail: str = ""
    """What follows the endpoint's path (``/models/{tail}``)."""
    identity: Any = None
    started: bool = False
    ended: bool = False

    @property
    def is_head(self) -> bool:
        """Whether only headers are wanted."""
        return bool(self.scope["method"] == "HEAD")

    async def send(self, message: Message) -> None:
        """
        Send one ASGI message.

        Raises:
            ClientDisconnected: The server says so (ASGI 2.4: ``send`` raises ``OSError``).
        """
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.ended = True
        try:
            await self.raw_send(message)
        except OSError as exc:
            raise ClientDisconnected from exc

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line of a streamed response."""
        self.started = True
        headers = [*headers, *self._id_headers()]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def reply(self, status: int, body: bytes, headers: RawHeaders) -> None:
        """Send one whole response."""
        self.started = True
        headers = [*headers, *self._id_headers()]
        await send_body(self.send, status, body, headers, head=self.is_head)

    async def reply_json(
        self, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one whole JSON response."""
        await self.reply(status, dumps(value), [_JSON, *encode_headers(headers or {})])

    async def say(self, said: Said) -> None:
        """Send an answer of our own, ids and all."""
        self.started = True
        await tap_voice.say(self.send, said)

    async def replay(self, found: ReplayAnswer, exchange: Exchange) -> None:
        """Send an answer that went out before, a stream event by event."""
        exchange.status = found.status
        headers = encode_headers(found.headers | exchange_headers(exchange))
        if not found.is_stream:
            await self.reply(found.status, found.body, headers)
            return
        await self.start(found.status, headers)
        for chunk in found.chunks:
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})

    async def reply_error(self, error: PlanoError, exchange: Exchange | None = None) -> None:
        """
        Send *error* in the client's dialect; an upstream of the same dialect speaks for itself.

        The caller makes sure that nothing was sent before.
        """
        headers = error_headers(error)
        if exchange is not None:
            headers |= exchange_headers(exchange)
        body = self._own_words(error)
        if body is None:
            body = dumps(self.dialect.write_error(error, self.id))
        status = error.status if 400 <= error.status <= 599 else 502  # upstreams invent some
        await self.reply(status, body, [_JSON, *encode_headers(headers)])

    def _own_words(self, error: PlanoError) -> bytes | None:
        """The upstream's error body as received, if the client's dialect is the upstream's."""
        if (
            not isinstance(error, UpstreamStatus)
            or error.dialect != self.dialect.name
            or error.in_stream
            or not error.body
        ):
            return None
        try:
            value = loads(error.body)
        except ValueError:
            return None
        inner = value.get("error") if isinstance(value, dict) else None
        told = isinstance(inner, dict) and {"message", "type"} <= inner.keys()
        return error.body if told else None

    def _id_headers(self) -> RawHeaders:
        request_id = self.id.encode("ascii")
        return [(b"x-request-id", request_id), (b"request-id", request_id)]


def error_headers(error: PlanoError) -> dict[str, str]:
    """Headers that tell the official SDKs whether and when to try again."""
    headers = relayed_headers(error.headers) if isinstance(error, UpstreamStatus) else {}
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allow
    return headers | tap_voice.error_headers(error)


def answer_headers(exchange: Exchange, answer: Answer) -> dict[str, str]:
    """The way it took, and what the upstream says of itself, less our own credentials."""
    relayed = relayed_headers(answer.headers)
    if relayed:
        relayed = {name: answer.scrub(value) for name, value in relayed.items()}
    return relayed | exchange_headers(exchange)


def relayed_headers(upstream: Mapping[str, str]) -> dict[str, str]:
    """The upstream's headers that a client can use; hop-by-hop and identifying ones stay here."""
    headers = {
        name: value
        for name, value in upstream.items()
        if name in _RELAYED or name.startswith(_RELAYED_PREFIXES)
    }
    upstream_id = upstream.get("x-request-id") or upstream.get("request-id")
    if upstream_id:
        headers["x-upstream-request-id"] = upstream_id
    return headers


def error_dialect(headers: Mapping[str, str]) -> Dialect:
    """Whose errors to speak on a path that belongs to no dialect."""
    name = "anthropic.messages" if "anthropic-version" in headers else "openai.chat"
    return DIALECTS[name]
