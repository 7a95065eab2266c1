"""
The records of sessions, in a store that requests can do without.

A store that is down or slow is told of once for a request, and then nothing of the request is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias, TypeVar

import structlog

from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import RequestError, StoreUnavailable
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.routing.sessions.binding import Binding, decode, encode
from plano_asgi.routing.sessions.costs import Pricing, context_tokens, request_cost
from plano_asgi.routing.sessions.settle import Answered, opened, released, settled
from plano_asgi.routing.sessions.turn import Turn
from plano_asgi.stores.base import Store

T = TypeVar("T")

_DEFAULT_DISCOUNT = 0.1
_MARK_BYTES = 8
_MAX_READ = 2048

_log = structlog.get_logger("plano_asgi")


_Read: TypeAlias = tuple[bytes | None, Binding | None]


class _Held:
    """
    One record as it was read or written last: in bytes, and as what these say. Whoever gets that
    changes a copy.
    """

    __slots__ = ("last",)

    def __init__(self, _key: str) -> None:
        self.last: _Read = (None, None)

    def read(self, raw: bytes | None) -> Binding | None:
        """What *raw* says."""
        last = self.last  # another thread may put another one there
        if last[0] != raw:
            last = self.last = (raw, decode(raw))
        return last[1]


class Records:
    """
    One record for each session.

    Args:
        prices: Of models, for what a session has cost.
        timer: Unix seconds.
        max_read: Records that are also held as they were read or written last, so that the same
            bytes are not read again.
    """

    def __init__(
        self,
        store: Store,
        *,
        prices: Pricing,
        timer: Callable[[], float],
        max_read: int = _MAX_READ,
    ) -> None:
        self._store, self._prices, self._timer = store, prices, timer
        self._held = lru_cache(max_read)(_Held)

    async def find(self, exchange: Exchange, turn: Turn) -> None:
        """Read the record of *turn* into ``turn.seen``, which nobody may change."""
        key = turn.session.key
        try:
            turn.seen = self._held(key).read(await self._store.get(key))
            turn.is_lost = False
        except StoreUnavailable:
            turn.seen = None
            _lost(exchange, turn)

    async def change(
        self,
        exchange: Exchange,
        turn: Turn,
        change: Callable[[Binding | None], tuple[Binding | None, T]],
    ) -> T | None:
        """
        Change the record atomically.

        Args:
            change: Gets the record, to be changed in place, and returns the new one (``None``:
                none) and a result. May run more than once.

        Returns:
            The result; ``None`` where the store does not answer.
        """

        key = turn.session.key
        held = self._held(key)

        def rewritten(raw: bytes | None) -> tuple[bytes | None, tuple[_Read, T]]:
            found = held.read(raw)
            binding, result = change(None if found is None else found.copy())
            written = None if binding is None else encode(binding)
            return written, ((written, binding), result)

        try:
            held.last, result = await self._store.update(key, rewritten, ttl_s=turn.ttl_s)
        except StoreUnavailable:
            _lost(exchange, turn)
            return None
        return result

    async def open(self, exchange: Exchange, turn: Turn, model: Candidate) -> None:
        """Keep where *turn* takes its session, now that *model* is answering."""
        now = self._timer()
        turn.mark, turn.before = secrets.token_hex(_MARK_BYTES), turn.seen

        def change(
            found: Binding | None,
        ) -> tuple[Binding | None, tuple[Binding | None, Binding | None]]:
            before = None if found is None else found.copy()
            binding = opened(found, turn, model, now)
            return binding or found, (before, binding)

        if (done := await self.change(exchange, turn, change)) is None:
            return
        turn.before, binding = done
        if binding is None:
            turn.mark = ""
        else:
            turn.seen, turn.joins, turn.is_open = binding, True, True

    async def keep(self, exchange: Exchange, turn: Turn, model: Candidate) -> None:
        """Put into the record that *model* has answered *turn*."""
        usage, cost = exchange.usage, 0.0
        if usage is not None and (rates := self._prices(model.provider, model.model)) is not None:
            discount = turn.budget.cache_read_discount if turn.budget else _DEFAULT_DISCOUNT
            asking, answering = request_cost(usage, rates, discount=discount)
            cost = asking + answering
        tokens = usage.input_tokens if usage is not None else 0
        if not tokens and turn.mode == "gate":
            tokens = prompt_tokens(exchange)
        answered = Answered(model, tokens, cost, self._timer())
        await self.change(exchange, turn, lambda found: (settled(found, turn, answered), True))

    async def release(self, exchange: Exchange, turn: Turn) -> None:
        """Take out of the record what *turn*, which has failed, put into it."""
        if turn.has_written:
            await self.change(exchange, turn, lambda found: (released(found, turn), True))


def readable(exchange: Exchange) -> ChatRequest | None:
    """The neutral request; ``None`` if it is none that we can read, which its upstream may be."""
    try:
        return exchange.request
    except RequestError:
        return None


def prompt_tokens(exchange: Exchange) -> int:
    """Roughly the tokens of the prompt; 0 if we cannot read it."""
    request = readable(exchange)
    return context_tokens(request) if request else 0


def _lost(exchange: Exchange, turn: Turn) -> None:
    if not turn.is_lost:
        _log.warning("session_store_unavailable", request_id=exchange.id)
    turn.is_lost = True
