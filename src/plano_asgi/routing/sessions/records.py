"""
The records of sessions, in a store that requests can do without.

A store that is down or slow is told of once for a request, and then nothing of the request is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

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

_log = structlog.get_logger("plano_asgi")


class Records:
    """
    One record for each session.

    Args:
        prices: Of models, for what a session has cost.
        timer: Unix seconds.
    """

    def __init__(self, store: Store, *, prices: Pricing, timer: Callable[[], float]) -> None:
        self._store, self._prices, self._timer = store, prices, timer

    async def find(self, exchange: Exchange, turn: Turn) -> None:
        """Read the record of *turn* into ``turn.seen``."""
        try:
            turn.raw = await self._store.get(turn.session.key)
            turn.is_lost = False
        except StoreUnavailable:
            turn.raw = None
            _lost(exchange, turn)
        turn.seen = decode(turn.raw)

    async def change(
        self,
        exchange: Exchange,
        turn: Turn,
        change: Callable[[Binding | None], tuple[Binding | None, T]],
    ) -> T | None:
        """
        Change the record atomically; ``turn.raw`` is the new one.

        Args:
            change: Gets the record, to be changed in place, and returns the new one (``None``:
                none) and a result. May run more than once.

        Returns:
            The result; ``None`` where the store does not answer.
        """

        def rewritten(raw: bytes | None) -> tuple[bytes | None, tuple[bytes | None, T]]:
            if raw is not None and raw == turn.raw and turn.seen is not None:
                binding, result = change(turn.seen.copy())
            else:
                binding, result = change(decode(raw))
            written = None if binding is None else encode(binding)
            return written, (written, result)

        try:
            done = await self._store.update(turn.session.key, rewritten, ttl_s=turn.ttl_s)
        except StoreUnavailable:
            _lost(exchange, turn)
            return None
        turn.raw, result = done
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
            cost = sum(request_cost(usage, rates, discount=discount))
        tokens = usage.input_tokens if usage is not None else 0
        if not tokens and turn.mode == "gate":
            tokens = prompt_tokens(exchange)
        answered = Answered(model=model, cached_tokens=tokens, cost_usd=cost, now=self._timer())
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
