"""The exchange of a request that has just come in, for whoever is the first to see it."""

from __future__ import annotations

from starlette.types import Scope

from plano_asgi.asgi.known_paths import KnownPath
from plano_asgi.asgi.request import request_id_of
from plano_asgi.asgi.respond import request_headers
from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.wire import DIALECTS


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
        body={},
        read_request=DIALECTS[known.dialect].read_request if known.dialect else _no_request,
        is_read=False,
    )


def _no_request(_body: object) -> ChatRequest:
    raise RequestError("This route is no chat API: its texts are known by their fields only.")
