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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from plano_asgi._json import JSONObject
from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES, read_body
from plano_asgi.asgi.disconnect import run_until_disconnect
from plano_asgi.asgi.request import json_object
from plano_asgi.asgi.respond import encode_headers
from plano_asgi.asgi.tap_voice import exchange_headers
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import (
    MethodNotAllowed,
    NotFound,
    RequestError,
    UpstreamError,
)
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.gateway.call import STREAM_HEADERS, Call
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.gateway.relay import relay
from plano_asgi.gateway.state_homes import Homes
from plano_asgi.identities import identity_name
from plano_asgi.state.items import input_items, listed
from plano_asgi.state.paging import Paging, page, read_paging
from plano_asgi.state.records import Record
from plano_asgi.state.refusals import no_item, wrong_type
from plano_asgi.state.responses_state import ResponsesState
from plano_asgi.wire import DIALECTS, WriteOptions

MAX_ITEMS_AT_ONCE = 20
_DIALECT = "openai.responses"
_CHAT = DIALECTS["openai.chat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One request at one of the endpoints. ``ids`` are those of its path."""

    call: Call
    state: ResponsesState
    homes: Homes
    owner: str | None
    ids: Sequence[str]
    query: Mapping[str, str]
    body: JSONObject = field(repr=False)

    @property
    def id(self) -> str:
        """The first id of the path."""
        return self.ids[0]


_Handler: TypeAlias = Callable[[_Visit], Awaitable[JSONObject | None]]
"""Returns what to answer with; ``None`` where it has answered."""


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
    visit = _Visit(
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


# --------------------------------------------------------------------------- responses


async def _get_response(visit: _Visit) -> JSONObject | None:
    record = await visit.state.response(visit.owner, visit.id)
    wants_stream = visit.query.get("stream") == "true"
    if record.is_finished and not wants_stream:
        return record.response
    home = record.head.home
    if home is None or not record.response.get("background"):
        raise RequestError(
            "Only a response that was made in the background can be streamed.", param="stream"
        )
    if wants_stream:
        await _pump(visit, home)
        return None
    return await _newest(visit, record, "GET", f"/responses/{visit.id}")


async def _delete_response(visit: _Visit) -> JSONObject:
    record = await visit.state.response(visit.owner, visit.id)
    if (home := record.head.home) is not None:
        try:
            await visit.homes.json(home, "DELETE", f"/responses/{visit.id}", visit.call)
        except UpstreamError as exc:
            if exc.status != 404:  # there, it is gone already
                raise
    await visit.state.delete(visit.owner, record)
    return {"id": visit.id, "object": "response", "deleted": True}


async def _cancel_response(visit: _Visit) -> JSONObject:
    record = await visit.state.response(visit.owner, visit.id)
    if record.head.home is None or not record.response.get("background"):
        raise RequestError(
            "Only a response that was made in the background can be cancelled.",
            param="response_id",
        )
    return await _newest(visit, record, "POST", f"/responses/{visit.id}/cancel")


async def _input_items(visit: _Visit) -> JSONObject:
    paging = read_paging(visit.query)
    items = await visit.state.input_of(visit.owner, visit.id)
    return page([listed(item, id) for id, item in items], paging)


async def _newest(visit: _Visit, record: Record, method: str, path: str) -> JSONObject:
    """The response as the upstream that keeps it has it now; ours is brought up to date."""
    assert record.head.home is not None
    response = await visit.homes.json(record.head.home, method, path, visit.call)
    if response.get("id") == record.head.id:
        await visit.state.records.finish(visit.owner, record, response)
    return response


async def _pump(visit: _Visit, home: Candidate) -> None:
    """Relay a stream of the upstream's as it arrives."""
    call = visit.call
    reply = await visit.homes.open(home, "GET", f"/responses/{visit.id}", call)

    async def work() -> None:
        await call.start(200, [*STREAM_HEADERS, *encode_headers({})])
        try:
            async for chunk in reply:
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        except UpstreamError:
            return  # left unended, the server cuts it: the client asks for the rest again
        await call.send({"type": "http.response.body", "body": b""})

    try:
        await run_until_disconnect(call.receive, work)
    finally:
        await reply.aclose()


# --------------------------------------------------------------------------- conversations


async def _create_conversation(visit: _Visit) -> JSONObject:
    items = _items(visit.body.get("items"))
    return await visit.state.conversations.create(visit.owner, _metadata(visit), items)


async def _get_conversation(visit: _Visit) -> JSONObject:
    return await visit.state.conversations.get(visit.owner, visit.id)


async def _update_conversation(visit: _Visit) -> JSONObject:
    return await visit.state.conversations.set_metadata(visit.owner, visit.id, _metadata(visit))


async def _delete_conversation(visit: _Visit) -> JSONObject:
    await visit.state.conversations.delete(visit.owner, visit.id)
    return {"id": visit.id, "object": "conversation.deleted", "deleted": True}


async def _list_items(visit: _Visit) -> JSONObject:
    paging = read_paging(visit.query)
    return page(await _all_items(visit), paging)


async def _add_items(visit: _Visit) -> JSONObject:
    items = _items(visit.body.get("items"))
    if not items:
        raise wrong_type("items", "a list of items")
    added = await visit.state.conversations.add(visit.owner, visit.id, items)
    shown = [listed(item, id) for id, item in added.named]
    return page(shown, Paging(limit=len(shown), is_descending=False))


async def _get_item(visit: _Visit) -> JSONObject:
    for item in await _all_items(visit):
        if item["id"] == visit.ids[1]:
            return item
    raise no_item(visit.ids[1])


async def _delete_item(visit: _Visit) -> JSONObject:
    return await visit.state.conversations.delete_item(visit.owner, visit.id, visit.ids[1])


async def _all_items(visit: _Visit) -> list[JSONObject]:
    pieces = await visit.state.conversations.pieces(visit.owner, visit.id)
    return [listed(item, id) for piece in pieces for id, item in piece.named]


def _items(given: Any) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise wrong_type("items", "a list of objects")
    if len(given) > MAX_ITEMS_AT_ONCE:
        raise RequestError(
            f"At most {MAX_ITEMS_AT_ONCE} items can be added at once.", param="items"
        )
    return given


def _metadata(visit: _Visit) -> JSONObject:
    metadata = visit.body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise wrong_type("metadata", "an object")
    return metadata


# --------------------------------------------------------------------------- paths

_ONE = "([^/]+)"
_ROUTES: Sequence[tuple[re.Pattern[str], Mapping[str, _Handler]]] = tuple(
    (re.compile(path), handlers)
    for path, handlers in (
        (f"/responses/{_ONE}", {"GET": _get_response, "DELETE": _delete_response}),
        (f"/responses/{_ONE}/input_items", {"GET": _input_items}),
        (f"/responses/{_ONE}/cancel", {"POST": _cancel_response}),
        ("/conversations", {"POST": _create_conversation}),
        (
            f"/conversations/{_ONE}",
            {
                "GET": _get_conversation,
                "POST": _update_conversation,
                "DELETE": _delete_conversation,
            },
        ),
        (f"/conversations/{_ONE}/items", {"GET": _list_items, "POST": _add_items}),
        (f"/conversations/{_ONE}/items/{_ONE}", {"GET": _get_item, "DELETE": _delete_item}),
    )
)


def _find(call: Call) -> tuple[_Handler, Sequence[str]]:
    method = "GET" if call.is_head else call.scope["method"]
    for pattern, handlers in _ROUTES:
        if (match := pattern.fullmatch(call.tail)) is None:
            continue
        if handler := handlers.get(method):
            return handler, match.groups()
        allow = ", ".join((*handlers, "OPTIONS"))
        raise MethodNotAllowed(f"{method} is not allowed on {call.tail}; use {allow}.", allow=allow)
    raise NotFound(f"There is no {call.scope['method']} {call.scope['path']} here.")
