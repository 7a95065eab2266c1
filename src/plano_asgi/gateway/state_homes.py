"""Ask the upstream that keeps a response itself about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from plano_asgi._json import JSONObject, loads
from plano_asgi.attempts.answer import read_error_body, scrub_error
from plano_asgi.attempts.engine import MAX_ANSWER_BYTES
from plano_asgi.errors import NotFound, UpstreamError, UpstreamProtocolError
from plano_asgi.exchange import Candidate
from plano_asgi.gateway.call import Call
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.client import Transport, UpstreamReply
from plano_asgi.wire.upstream_error import read_upstream_error

_DIALECT = "openai.responses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """
    The upstreams that may keep responses themselves.

    Args:
        providers: By the key that ``Candidate.provider`` uses.
        transport: The running event loop's connections.
        max_bytes: Of a whole answer.
    """

    providers: Mapping[str, UpstreamProvider]
    transport: Callable[[], Transport]
    max_bytes: int = MAX_ANSWER_BYTES

    async def open(self, home: Candidate, method: str, path: str, call: Call) -> UpstreamReply:
        """
        Ask *home*, with the query of *call*; the caller closes the reply.

        Raises:
            UpstreamError: It answered with an error, or not at all.
            NotFound: There is no such provider any more.
        """
        provider = self.providers.get(home.provider)
        if provider is None:
            raise NotFound(f"The provider '{home.provider}' of this response is not served here.")
        asked = UpstreamCall(
            path=path, dialect="", model="", content=b"", client_headers=call.headers
        )
        request = replace(provider.request(asked), method=method)
        if query := call.scope.get("query_string", b"").decode("latin-1"):
            mark = "&" if "?" in request.url else "?"
            request = replace(request, url=f"{request.url}{mark}{query}")
        try:
            reply = await provider.open(request, self.transport())
            if reply.status < 300:
                return reply
            try:
                body = await read_error_body(reply)
            finally:
                await reply.aclose()
            raise read_upstream_error(reply.status, reply.headers, body)
        except UpstreamError as exc:
            exc.provider, exc.model, exc.dialect = provider.name, home.model, _DIALECT
            scrub_error(exc, request.headers)
            raise

    async def json(self, home: Candidate, method: str, path: str, call: Call) -> JSONObject:
        """As ``open``, for a whole answer of one JSON object."""
        reply = await self.open(home, method, path, call)
        try:
            content = await reply.read(max_bytes=self.max_bytes)
        finally:
            await reply.aclose()
        try:
            value = loads(content)
        except ValueError as exc:
            raise UpstreamProtocolError("The upstream's answer is not JSON.") from exc
        if not isinstance(value, dict):
            raise UpstreamProtocolError("The upstream's answer is not a JSON object.")
        return value
