"""
Listen to an answer, and keep it before the client can see its end.

An answer that cannot be kept is given all the same: it was paid for. It says ``"store": false``,
and a whole one ``x-plano-state: lost``, so nobody takes it for one to go on from; the log says why.
But an answer that belongs to a conversation, or is still being made, is an error then: the next
turn would go on without it, or nobody could ask for its end. One whose conversation is gone by
then, or full, is kept by itself, and says ``"conversation": null``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.errors import StoreUnavailable
from plano_asgi.exchange import UNMASKS, Candidate, Exchange, ResponseFilter
from plano_asgi.passages import StreamEditor, WireEvent
from plano_asgi.state.doing import doing
from plano_asgi.state.items import item_ids, output_of
from plano_asgi.state.names import is_id, new_id
from plano_asgi.state.records import UNFINISHED, Head
from plano_asgi.state.seen import SeenTexts
from plano_asgi.state.wish import Wish

KEEPS = UNMASKS + 1
"""The rank behind all others: what is kept is what the client saw."""

LOST_HEADER = "x-plano-state"
"""``lost``: the answer could not be kept."""

_STARTS = frozenset(("response.created", "response.queued", "response.in_progress"))
_WHOLE = frozenset(("completed", "incomplete"))
_ENDS = frozenset(f"response.{word}" for word in (*_WHOLE, "failed", "cancelled"))
_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True)
class Asked:
    """What a request said of state, and what it goes on from."""

    owner: str | None
    wish: Wish
    model: str | None
    input: bytes = field(repr=False)
    """The items that came with it, encoded."""
    items: int
    """Of everything before it and of its input; so *size*, in bytes."""
    size: int
    is_stateless: bool
    """The upstream was asked to keep nothing."""
    thread: str = ""
    """See ``Head``; "" where it follows nothing."""
    before: int = 0
    trail: str = ""
    """See ``Head``."""
    is_outside: bool = False
    """Its conversation was deleted, or filled by others, while the model spoke."""


Undo = Callable[[], Awaitable[None]]
Keep = Callable[[Asked, Head, bytes, Sequence[str]], Awaitable[Undo]]
"""
Keeps an answer, encoded, by the ids of its items; returns when it is durable, with what takes it
back.
"""


class Keeper(ResponseFilter):
    """
    Gives an answer the id that it is kept by, and keeps it.

    Args:
        asked: What the client asked for.
        keep: Keeps the answer. Raises ``StoreUnavailable`` where nobody can.
        native: Whether an upstream may keep its answers itself; it does where it says so.
    """

    rank = KEEPS
    _id = ""
    _is_home = False
    _undo: Undo | None = None
    _seen: SeenTexts | None = None

    def __init__(self, asked: Asked, keep: Keep, native: Callable[[Candidate], bool]) -> None:
        self._asked, self._keep, self._native = asked, keep, native

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Keep a whole answer."""
        if isinstance(body, dict) and body.get("object") == "response":
            self._settle(body, exchange)
            if self._is_to_keep(body):
                await self._put(dumps(body), body, exchange)
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Keep the answer with the event that ends it, which goes out after that."""
        if not isinstance(event.data, dict):
            return (event,)
        kind = event.data.get("type")
        if kind not in _STARTS and kind not in _ENDS:
            self._note(event, editor, exchange)
            return (event,)
        response = event.data.get("response")
        if isinstance(response, dict):
            event.raw = None
            self._settle(response, exchange)
            if self._is_to_keep(response) and (kind in _ENDS or self._may_be_resumed(response)):
                await self._keep_streamed(response, exchange)
        return (event,)

    async def on_close(self, exchange: Exchange) -> None:
        """
        Take an answer back that the client never got: a check beside the model call has stopped it.
        One that the upstream keeps goes on there, whatever became of this stream.
        """
        if self._undo is not None and exchange.error is not None and not self._is_home:
            await self._undo()

    def _note(self, event: WireEvent, editor: StreamEditor, exchange: Exchange) -> None:
        if not self._asked.wish.store:
            return
        if self._seen is None:
            assert exchange.layout is not None  # the stream was decoded by it
            self._seen = SeenTexts(exchange.layout)
        self._seen.note(event, editor)

    def _settle(self, response: JSONObject, exchange: Exchange) -> None:
        """Decide who keeps the answer, once, and say it in *response*."""
        asked = self._asked
        if not self._id:
            self._is_home = self._is_kept_upstream(response, exchange)
            own = str(response.get("id") or "")
            self._id = own if self._is_home or not asked.wish.store else new_id("resp")
        if self._is_home:
            return
        response["id"] = self._id or response.get("id")
        wish = asked.wish
        response["store"], response["previous_response_id"] = wish.store, wish.previous
        if wish.conversation is not None:
            response["conversation"] = {"id": wish.conversation}

    def _is_kept_upstream(self, response: JSONObject, exchange: Exchange) -> bool:
        served_by = exchange.served_by
        return (
            not self._asked.is_stateless
            and served_by is not None
            and response.get("store") is True
            and is_id(response.get("id"))
            and self._native(served_by)
        )

    def _is_to_keep(self, response: JSONObject) -> bool:
        """A failed answer is nothing to go on from; where the upstream has it, it can be asked."""
        return self._asked.wish.store and (self._is_home or response.get("status") in _WHOLE)

    def _may_be_resumed(self, response: JSONObject) -> bool:
        """One made in the background goes on when the client leaves: it has to be found then."""
        is_running = response.get("status") in UNFINISHED
        return is_running and response.get("background") is True and self._undo is None

    async def _keep_streamed(self, response: JSONObject, exchange: Exchange) -> None:
        content = dumps(response)
        if self._seen is not None:
            copy = loads(content)
            self._seen.correct(copy)
            content = dumps(copy)
        await self._put(content, response, exchange)

    async def _put(self, content: bytes, response: JSONObject, exchange: Exchange) -> None:
        output = output_of(response)
        head, ids = self._head(content, len(output), exchange), item_ids(output)
        try:
            with doing(exchange, "response", "save"):
                self._undo = await self._keep(self._asked, head, content, ids)
            exchange.facts["state_thread"] = head.thread
        except StoreUnavailable as exc:
            is_inside = self._asked.wish.conversation is not None and not self._asked.is_outside
            if is_inside or response.get("status") in UNFINISHED:
                raise
            response["store"] = False
            exchange.response_headers[LOST_HEADER] = "lost"  # a stream's have gone out
            _log.error("state_lost", request_id=exchange.id, error=str(exc))
        if self._asked.is_outside:
            response["conversation"] = None

    def _head(self, content: bytes, items: int, exchange: Exchange) -> Head:
        asked, wish = self._asked, self._asked.wish
        provider, model = exchange.served_by or ("", "")
        return Head(  # by place: by name it takes four times as long
            self._id,
            wish.previous,
            wish.conversation,
            asked.thread or self._id,
            asked.before,
            provider,
            model,
            asked.model,
            self._is_home,
            asked.items + (items or 1),  # so that they bound the number of turns, too
            asked.size + len(content),
            asked.trail,
        )
