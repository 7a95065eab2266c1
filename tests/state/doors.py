"""A gateway's door to kept state: what the gateway itself does for these paths."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from plano_asgi.asgi.request import request_id_of
from plano_asgi.asgi.respond import request_headers
from plano_asgi.errors import PlanoError
from plano_asgi.gateway.auth import authenticate
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.intake import own_exchange
from plano_asgi.gateway.paths import match
from plano_asgi.gateway.relay import read_relayed
from plano_asgi.gateway.state_homes import Homes
from plano_asgi.gateway.state_routes import serve_compact, serve_state
from plano_asgi.wire import DIALECTS
from state.talk import Talk


class Door:
    """Serves the paths of kept state, and the gateway's own."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        app = talk.app
        self._homes = Homes(providers=app.providers, transport=lambda: talk.upstream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"].removeprefix("/v1")
        is_kept = path.startswith(("/responses/", "/conversations"))
        if not is_kept or path == "/responses/input_tokens":
            await self._talk.app(scope, receive, send)
            return
        headers = request_headers(scope)
        call = Call(
            scope=scope,
            receive=receive,
            raw_send=send,
            headers=headers,
            dialect=DIALECTS["openai.responses"],
            id=request_id_of(headers),
            tail=path,
        )
        try:
            call.identity = await authenticate(self._talk.app._auth, scope)
            if path == "/responses/compact":
                await self._compact(call)
            else:
                await serve_state(call, self._talk.state, self._homes)
        except PlanoError as exc:
            await call.reply_error(exc)

    async def _compact(self, call: Call) -> None:
        endpoint = match(call.scope["path"], "")
        assert endpoint is not None
        exchange = own_exchange(call, endpoint[0])
        message = await call.receive()
        read_relayed(exchange, message["body"])
        pipeline, state = self._talk.app._pipeline, self._talk.state
        await pipeline.run(call, exchange, lambda: serve_compact(call, exchange, pipeline, state))
