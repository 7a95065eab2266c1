"""
The HTTP endpoints of kept state: responses by id, conversations and their items, compaction.

=========================================  =======================================================
``GET, DELETE /responses/{id}``            an answer made in the background is asked for upstream
``GET /responses/{id}/input_items``        what it goes on from first, in the order of ``order``
``POST /responses/{id}/cancel``            only for answers made in the background
``POST /conversations``                    with metadata and first items
``GET, POST, DELETE /conversations/{id}``  ``POST`` sets the metadata
``GET, POST .../items``                    lists, adds
``GET, DELETE .../items/{id}``             one item
=========================================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES, read_body
from plano_asgi.asgi.request import json_object
from plano_asgi.asgi.tap_voice import exchange_headers
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import MethodNotAllowed, NotFound, RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.gateway import state_conversations, state_responses
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.gateway.relay import relay
from plano_asgi.gateway.state_homes import Homes
from plano_asgi.gateway.state_visit import Handler, Visit
from plano_asgi.identities import identity_name
from plano_asgi.state.items import input_items
from plano_asgi.state.responses_state import ResponsesState
from plano_asgi.wire import DIALECTS, WriteOptions

_DIALECT = "openai.responses"
_CHAT = DIALECTS["openai.chat"]


async def serve_state(
    call: Call,
    state: ResponsesState,
    homes: Homes,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    body_timeout_s: float = BODY_TIMEOUT_S,
) -> None:
    """
    Serve one request for kept state; ``call.tail`` is its path below the API's root
    (``/responses/resp_1``), ``call.identity`` whose state it may see.

    Raises:
        NotFound: No such path, or nothing of the caller's by that id.
        MethodNotAllowed: The path has other methods.
        RequestError: A field or parameter that cannot be.
        StoreUnavailable: The store cannot be reached.
        UpstreamError: As the upstream that keeps the response says.
    """
    handler, ids = _find(call)
    content = await read_body(
        call.scope, call.receive, max_bytes=max_body_bytes, timeout_s=body_timeout_s
    )
    query = call.scope.get("query_string", b"").decode("latin-1")
    visit = Visit(
        call=call,
        state=state,
        homes=homes,
        owner=identity_name(call.identity),
        ids=ids,
        query=dict(parse_qsl(query)),
        body=json_object(content) if content.strip() else {},
    )
    if (answer := await handler(visit)) is not None:
        await call.reply_json(answer)


async def serve_compact(
    call: Call, exchange: Exchange, pipeline: Pipeline, state: ResponsesState
) -> None:
    """
    Serve ``POST /responses/compact``, read before and its steps run: relayed where the model is at
    a provider that serves it itself, else done here, by asking the model for a summary.

    Raises:
        PlanoError: Nothing was sent yet.
    """
    route = exchange.route or await pipeline.route(exchange)
    engine = pipeline.engine
    natives = tuple(c for c in route.candidates if engine.dialect(c, _DIALECT) == _DIALECT)
    if natives:
        exchange.route = replace(route, candidates=natives)
        await relay(call, exchange, pipeline)
        return
    items = input_items(exchange.body.get("input"))
    if not items:
        raise RequestError("There is nothing to compact.", param="input")
    instructions = exchange.body.get("instructions")

    async def ask(request: ChatRequest) -> ChatResponse:
        asked = _asking(exchange, request)
        try:
            response = await pipeline.ask(asked, of=exchange)
        finally:
            exchange.served_by, exchange.attempts = asked.served_by, asked.attempts
        exchange.usage = response.usage
        return response

    answer = await state.compactor.compact(
        items,
        ask,
        model=exchange.model or "",
        instructions=instructions if isinstance(instructions, str) else "",
    )
    exchange.status = 200
    await call.reply_json(answer, headers=exchange_headers(exchange))


def _asking(exchange: Exchange, request: ChatRequest) -> Exchange:
    """An exchange of our own within *exchange*."""
    return Exchange(
        id=exchange.id,
        operation="chat",
        dialect=_CHAT.name,
        headers={},
        body=_CHAT.write_request(request, WriteOptions(on_unsupported="drop")),
        read_request=_CHAT.read_request,
        model=request.model,
    )


_ONE = "([^/]+)"
_ROUTES: Sequence[tuple[re.Pattern[str], Mapping[str, Handler]]] = tuple(
    (re.compile(path), handlers)
    for path, handlers in (
        (
            f"/responses/{_ONE}",
            {"GET": state_responses.get_response, "DELETE": state_responses.delete_response},
        ),
        (f"/responses/{_ONE}/input_items", {"GET": state_responses.list_input_items}),
        (f"/responses/{_ONE}/cancel", {"POST": state_responses.cancel_response}),
        ("/conversations", {"POST": state_conversations.create_conversation}),
        (
            f"/conversations/{_ONE}",
            {
                "GET": state_conversations.get_conversation,
                "POST": state_conversations.update_conversation,
                "DELETE": state_conversations.delete_conversation,
            },
        ),
        (
            f"/conversations/{_ONE}/items",
            {"GET": state_conversations.list_items, "POST": state_conversations.add_items},
        ),
        (
            f"/conversations/{_ONE}/items/{_ONE}",
            {"GET": state_conversations.get_item, "DELETE": state_conversations.delete_item},
        ),
    )
)


def _find(call: Call) -> tuple[Handler, Sequence[str]]:
    method = "GET" if call.is_head else call.scope["method"]
    for pattern, handlers in _ROUTES:
        if (match := pattern.fullmatch(call.tail)) is None:
            continue
        if handler := handlers.get(method):
            return handler, match.groups()
        allow = ", ".join((*handlers, "OPTIONS"))
        raise MethodNotAllowed(f"{method} is not allowed on {call.tail}; use {allow}.", allow=allow)
    raise NotFound(f"There is no {call.scope['method']} {call.scope['path']} here.")
