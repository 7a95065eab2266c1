"""The exchange of a request: the one it has already, or a new one by whoever sees it first."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

from plano_asgi.asgi.known_paths import KnownPath
from plano_asgi.asgi.request import request_id_of
from plano_asgi.asgi.respond import request_headers
from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import RequestError
from plano_asgi.exchange import SCOPE_KEY, Exchange
from plano_asgi.wire import DIALECTS


def exchange_of(scope: Scope) -> Exchange | None:
    """The one that somebody further out has made of this very request, and is not over."""
    found = scope.get(SCOPE_KEY)
    if (
        isinstance(found, Exchange)
        and found.path == scope["path"]
        and found.timings.ended is None  # else of an earlier request on the same scope
    ):
        return found
    return None


def headers_of(scope: Scope, exchange: Exchange | None) -> Mapping[str, str]:
    """Those of *scope*: as *exchange* has read them, if they are still the same."""
    if exchange is not None and exchange.raw_headers == _fixed(scope):
        return exchange.headers
    return request_headers(scope)


def new_exchange(known: KnownPath, scope: Scope) -> Exchange:
    """One whose body is still to be read."""
    headers = request_headers(scope)
    return Exchange(
        id=request_id_of(headers),
        operation=known.operation,
        dialect=known.dialect,
        scope=scope,
        path=scope["path"],
        headers=headers,
        raw_headers=_fixed(scope),
        body={},
        read_request=DIALECTS[known.dialect].read_request if known.dialect else _no_request,
        is_read=False,
    )


def let_go(exchange: Exchange) -> None:
    """
    It is over: it keeps its scope, but not itself in it. What holds itself is left to the garbage
    collector, with both bodies.
    """
    exchange.scope = scope = {**exchange.scope}
    scope.pop(SCOPE_KEY, None)


def _fixed(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """Its headers as nobody can change them: servers may have lists of lists."""
    return tuple(map(tuple, scope["headers"]))


def _no_request(_body: object) -> ChatRequest:
    raise RequestError("This route is no chat API: its texts are known by their fields only.")
