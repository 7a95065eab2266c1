"""
``ResponsesState``: the step that lets every model go on from what was said before.

Kept is what the client said and saw, word for word; placeholders of a mask and memories that later
steps put in are none of it. A request that goes on from a response is served in one of two ways:

* the upstream keeps that response itself, and serves the model that is asked for now: the request
  goes there as it is, and to nobody else;
* otherwise everything said before is put in front of its ``input``, and the upstream is asked for
  an answer without keeping anything. Guards that run later see all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError, PlanoError
from plano_asgi.exchange import EARLIER_KEY, Candidate, Exchange, Route
from plano_asgi.identities import identity_name
from plano_asgi.state.compaction import Compactor
from plano_asgi.state.conversations import Conversations
from plano_asgi.state.doing import doing
from plano_asgi.state.history import Earlier, History, input_of
from plano_asgi.state.items import encoded, input_items, is_packed, item_ids, kinds_of, replayed
from plano_asgi.state.keeper import Asked, Keeper
from plano_asgi.state.names import tenant_prefix
from plano_asgi.state.pieces import Piece
from plano_asgi.state.records import Head, Record, Records
from plano_asgi.state.references import REFERENCE, References, refers
from plano_asgi.state.refusals import no_previous, no_response
from plano_asgi.state.sealing import Sealer
from plano_asgi.state.shelf import UNDO_S, Shelf
from plano_asgi.state.wish import Wish, read_wish, with_input, without_state
from plano_asgi.state.writing import Writer
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import PAUSE_S, brief_store
from plano_asgi.stores.open_store import open_store

TTL_S = 30 * 86_400.0
MAX_ITEMS = 2_000
MAX_BYTES = 16 << 20
TIMEOUT_S = 2.0
PIN_KEY = "state.pin"
"""Where in ``Exchange.state`` the route of a pinned request is."""

_DIALECT = "openai.responses"
_BESIDE = frozenset(("/responses/compact", "/responses/input_tokens"))
"""Operations that go on from a response, too, but whose answers are not kept."""


class ResponsesState:
    """
    State of the Responses API, for every provider; a request-side step, the first one. ``route``
    is a rule, the first one, too.

    Tenants do not see each other's: everything belongs to the identity that ``auth=`` vouched
    for, and callers without one share what they have by ids that nobody can guess.

    Args:
        store: A ``Store`` or its URL. With ``memory://`` all is gone with the process.
        ttl_s: How long a response or conversation is kept after it was last gone on from.
        max_items: Of one conversation. What is over is not gone on from: a request is refused
            before a model is asked, and only a last answer may go over.
        max_bytes: The same, in bytes of JSON.
        key: 16, 24 or 32 bytes to seal with what is kept (AES-GCM); several to change keys, the
            new one first. ``None``: it lies in the store as plain JSON.
        native: Whether a candidate speaks this API itself and may keep its responses: it does
            where its answers say ``"store": true``. ``None``: as the gateway knows. With a function
            that returns ``False`` every upstream is asked without state, and every id is ours.
        resolve: What the names say of a model, to serve another model of the upstream that keeps a
            response. ``None``: the gateway's own names.
        earlier: Looks up responses that another program kept (``PlanoTable``).
        timeout_s: For how long a shared store may answer nobody; then it counts as down.
        pause_s: How long a store that was down is left alone.
        timer: Unix seconds.

    Raises:
        ConfigurationError: An argument that cannot work.
    """

    def __init__(
        self,
        store: Store | str = "memory://",
        *,
        ttl_s: float = TTL_S,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
        key: bytes | Sequence[bytes] | None = None,
        native: Callable[[Candidate], bool] | None = None,
        resolve: Callable[[str | None], Route] | None = None,
        earlier: Earlier | None = None,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = PAUSE_S,
        timer: Callable[[], float] = time.time,
    ) -> None:
        if ttl_s <= 0 or max_items <= 0 or max_bytes <= 0:
            raise ConfigurationError("the state's bounds must be more than 0")
        self.store = open_store(store) if isinstance(store, str) else store
        sealer = None if key is None else Sealer((key,) if isinstance(key, bytes) else key)
        brief = brief_store(self.store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)
        shelf = Shelf(
            brief,
            direct=self.store,
            undo_s=min(timeout_s, UNDO_S),
            sealer=sealer,
            ttl_s=ttl_s,
            timer=timer,
        )
        self.records = Records(shelf)
        self.conversations = Conversations(shelf, max_items=max_items, max_bytes=max_bytes)
        self.compactor = Compactor(sealer=sealer)
        self._history = History(
            self.records,
            self.conversations,
            max_items=max_items,
            max_bytes=max_bytes,
            earlier=earlier,
        )
        self._references = References(shelf, self.records)
        self._writer = Writer(shelf, self.records, self._references, self.conversations)
        self._native, self._resolve, self._earlier = native, resolve, earlier

    async def __call__(self, exchange: Exchange) -> None:
        """
        Go on from what *exchange* names, and arrange for its answer to be kept.

        Raises:
            NotFound: What it names is not there, or is another tenant's.
            RequestError: Fields that cannot be, or a conversation that is too long.
            StoreUnavailable: The store cannot be reached.
        """
        is_chat = exchange.operation == "chat" and exchange.dialect == _DIALECT
        if not is_chat and exchange.operation not in _BESIDE:
            return
        wish = read_wish(exchange.body)
        if not is_chat:
            wish = wish._replace(store=False)
        if wish.store or wish.has_past or refers(exchange.body.get("input")):
            asked = await self._go_on(exchange, wish, identity_name(exchange.identity))
            if is_chat:
                keeper = Keeper(asked, self._writer.keep, self._native or _never)
                exchange.response_filters.append(keeper)
        if not wish.has_past:
            self._expand(exchange)

    def attach(
        self, *, native: Callable[[Candidate], bool], resolve: Callable[[str | None], Route]
    ) -> None:
        """What a gateway knows of its upstreams, where nothing else was said."""
        self._native = self._native or native
        self._resolve = self._resolve or resolve

    async def route(self, exchange: Exchange) -> Route | None:
        """The upstream that keeps the response which *exchange* goes on from, if one does."""
        pin: Route | None = exchange.state.get(PIN_KEY)
        return pin

    # ----------------------------------------------------------------- for whoever serves paths

    async def response(self, owner: str | None, id: str) -> Record:
        """
        A kept response.

        Raises:
            NotFound: *owner* has none by that id.
        """
        if (record := await self.records.get(owner, id)) is None:
            raise no_response(id)
        return record

    async def delete(self, owner: str | None, record: Record) -> None:
        """Forget a kept response, and where its items are."""
        await self._references.forget(owner, item_ids(record.output))
        await self.records.delete(owner, record.head.id)

    async def input_of(self, owner: str | None, id: str) -> list[tuple[str, Any]]:
        """
        All items that a response was given, with their ids, oldest first: those that came with its
        request, and before them what it goes on from. Raises as ``response``.
        """
        record = await self.response(owner, id)
        before = await self._history.before(owner, record)
        return [each for piece in (*before, input_of(record)) for each in piece.named]

    async def forget(self, owner: str | None) -> int:
        """Delete everything of *owner* (the name of an identity); how many values that were."""
        return await self.store.delete_prefix(tenant_prefix(owner))

    async def aclose(self) -> None:
        """Close the connections of the running event loop, those of *earlier* too."""
        async with AsyncExitStack() as stack:
            if (aclose := getattr(self._earlier, "aclose", None)) is not None:
                stack.push_async_callback(aclose)
            await self.store.aclose()

    # ----------------------------------------------------------------- going on

    def _expand(self, exchange: Exchange) -> None:
        items = exchange.body.get("input")
        if isinstance(items, list) and "compaction" in kinds_of(items):
            exchange.replace_body({**exchange.body, "input": self.compactor.expanded(items)})

    async def _go_on(self, exchange: Exchange, wish: Wish, owner: str | None) -> Asked:
        new = input_items(exchange.body.get("input"))
        if not wish.has_past and refers(new):
            with doing(exchange, "items", "load"):
                new = await self._referred(exchange, owner, new)
            exchange.replace_body({**exchange.body, "input": new})
        content = encoded(new) if wish.store else b"[]"
        is_stateless = self._native is None
        asked = Asked(owner, wish, exchange.model, content, len(new), len(content), is_stateless)
        if wish.previous is not None:
            with doing(exchange, "response", "load"):
                await self._after_response(exchange, asked, wish.previous, new)
        elif wish.conversation is not None:
            with doing(exchange, "conversation", "load"):
                await self._in_conversation(exchange, asked, wish.conversation, new)
        elif is_stateless:
            exchange.replace_body(without_state(exchange.body.copy()))
        return asked

    async def _after_response(
        self, exchange: Exchange, asked: Asked, previous: str, new: list[Any]
    ) -> None:
        record = await self._history.find(asked.owner, previous)
        if record is None:
            raise no_previous(previous)
        head = record.head
        asked.thread = exchange.facts["state_thread"] = head.thread or previous
        asked.items += head.items
        asked.size += head.size
        asked.trail = head.next_trail
        pin = self._pin(head, exchange.model) if head.is_home else None
        if pin is not None:
            exchange.state[PIN_KEY] = pin
            if exchange.operation in _BESIDE:
                exchange.route = pin
            asked.is_stateless = False
            self._expand(exchange)
            return
        asked.is_stateless = True
        self._check(exchange, asked, "previous_response_id")
        pieces = await self._history.up_to(asked.owner, record)
        await self._merge(exchange, asked, pieces, new)

    async def _in_conversation(
        self, exchange: Exchange, asked: Asked, id: str, new: list[Any]
    ) -> None:
        asked.is_stateless = True
        extent = await self.conversations.extent(asked.owner, id)
        asked.thread = exchange.facts["state_thread"] = id
        asked.before = extent.batches
        asked.items += extent.items
        asked.size += extent.size
        self._check(exchange, asked, "conversation")
        pieces = await self.conversations.first(asked.owner, id, extent.batches, extent.gaps)
        await self._merge(exchange, asked, pieces, new)

    def _check(self, exchange: Exchange, asked: Asked, param: str) -> None:
        """Refuse to go on from what is too long, but not to make it shorter."""
        if exchange.operation == "chat":
            self._history.check(asked.items, asked.size, param)

    def _pin(self, head: Head, model: str | None) -> Route | None:
        """Where a request for *model* goes on from *head*, at the upstream that keeps that."""
        home = Candidate(provider=head.provider, model=head.model)
        if model == head.asked_model or model is None:
            candidates: tuple[Candidate, ...] = (home,)
        else:
            candidates = tuple(c for c in self._candidates(model) if c.provider == home.provider)
        candidates = tuple(c for c in candidates if self._native is not None and self._native(c))
        if not candidates:
            return None
        return Route(candidates=candidates, reason="it keeps the response that this follows")

    def _candidates(self, model: str | None) -> tuple[Candidate, ...]:
        if self._resolve is None:
            return ()
        try:
            return self._resolve(model).candidates
        except PlanoError:  # only a rule knows it, or nobody: whoever routes says so
            return ()

    async def _referred(self, exchange: Exchange, owner: str | None, new: list[Any]) -> list[Any]:
        """*new*, with no past, and the items that it only refers to."""
        candidates = self._candidates(exchange.model)
        native = self._native or _never
        return await self._references.resolved(
            owner,
            new,
            makers={candidate.provider for candidate in candidates},
            are_native=all(map(native, candidates)),  # of whom nobody knows, whoever routes says so
        )

    async def _merge(
        self, exchange: Exchange, asked: Asked, pieces: list[Piece], new: list[Any]
    ) -> None:
        makers = {candidate.provider for candidate in self._candidates(exchange.model)}
        before: list[Any] = []
        for piece in pieces:
            same = not makers or not piece.provider or piece.provider in makers
            before += replayed(piece.items, same_maker=same)
        exchange.state[EARLIER_KEY] = before
        items = [*before, *new]
        kinds = kinds_of(items)
        if REFERENCE in kinds:
            new = await self._references.resolved(
                asked.owner, new, before=pieces, makers=makers, are_native=False
            )
            asked.input = dumps(new) if asked.wish.store else b"[]"
            items = [*before, *new]
            kinds = kinds_of(items)
        if "reasoning" in kinds:
            exchange.has_packed_reasoning |= any(map(is_packed, before))
        if "compaction" in kinds:
            items = self.compactor.expanded(items)
        body = with_input(exchange.body, items)
        exchange.replace_body(without_state(body) if exchange.operation == "chat" else body)


def _never(_candidate: Candidate) -> bool:
    return False
