"""The exchange a call becomes: one that a middleware in front has made and read, or its own."""

from __future__ import annotations

from starlette.types import Scope

from plano_asgi.asgi.known_paths import KNOWN_PATHS, KnownPath
from plano_asgi.asgi.new_exchange import exchange_of
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.paths import Endpoint, match
from plano_asgi.gateway.relay import is_form


def known_path(scope: Scope) -> KnownPath | None:
    """What a request is to those who watch it; ``None`` if it is no exchange."""
    found = match(scope["path"], scope.get("root_path", ""))
    return KNOWN_PATHS.get(found[0].path) if found is not None else None


def shared_exchange(call: Call, endpoint: Endpoint) -> Exchange | None:
    """
    The exchange of a middleware in front, if it stands for this request.

    A body of another API's shape is about to be rewritten: from here on the path's own layout
    tells where texts stand.
    """
    found = exchange_of(call.scope)
    known = KNOWN_PATHS[endpoint.path]
    if (
        found is None
        or (found.dialect, found.operation) != (call.dialect.name, known.operation)
        or (found.is_read and is_form(call.headers.get("content-type", "")))
    ):
        return None
    found.layout = known.layout
    return found


def own_exchange(call: Call, endpoint: Endpoint) -> Exchange:
    """A fresh exchange, its body still to be read."""
    known = KNOWN_PATHS[endpoint.path]
    return Exchange(
        id=call.id,
        operation=known.operation,
        dialect=call.dialect.name,
        path=call.scope["path"],
        scope=call.scope,
        headers=call.headers,
        body={},
        read_request=call.dialect.read_request,
        identity=call.identity,
        layout=known.layout,
        is_read=False,
    )
