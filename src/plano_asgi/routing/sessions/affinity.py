"""
Sessions: a conversation stays with the model it began with, as long as that pays.

``Sessions`` is a ``RouteRule`` around the other rules. What holds a conversation:

- nothing more than its session: the first decision, until ``ttl_s`` after its last turn;
- ``route_on_user_only``: one decision for each user turn, replayed for the tool steps after it;
- a routing budget: every turn is decided, and may leave the warm model if the budget allows.

A decision that failed is none: it begins no session, and takes one nowhere.

The record moves only with a request that is being answered: before the first byte goes out where
that takes the session somewhere (``open_session``), and at its end (``refresh``, the finalizer).
Every change of it is atomic. A store that is down costs a bounded wait, then for a while nothing,
and never the request: it is routed as if it had no session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.base import RouteRule
from plano_asgi.routing.decision import DECISION_KEY, Decision, Ranked
from plano_asgi.routing.names import Names
from plano_asgi.routing.sessions.binding import Binding
from plano_asgi.routing.sessions.budget import RoutingBudget, Weighed, budget_for, weigh
from plano_asgi.routing.sessions.costs import Pricing
from plano_asgi.routing.sessions.identity import (
    AFFINITY_HEADER,
    Session,
    fingerprint,
    is_opted_out,
    session_key,
    tenant_of,
)
from plano_asgi.routing.sessions.options import SessionOptions
from plano_asgi.routing.sessions.records import Records, prompt_tokens, readable
from plano_asgi.routing.sessions.replay import is_user_turn
from plano_asgi.routing.sessions.turn import TURN_KEY, Mode, Turn
from plano_asgi.routing.sessions.warmth import has_drifted
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import brief_store

_MAX_ROUTES = 1024  # remembered in words
_UNDECIDED = "session kept: no decision"


def no_prices(provider: str, model: str) -> None:
    """Knows no price: every switch is allowed."""


class Sessions:
    """
    The rule around the other rules, and its finalizer ``refresh``.

    ``Exchange.state["routing.session"]`` holds the ``SessionDecision`` of a request that has one.

    Args:
        store: Of the records. Its bounds are those of the sessions.
        inner: Decides what no session holds; ``None`` from it leaves the decision to *names*.
        names: Every name the gateway knows.
        serves: Whether a candidate of an old record is still configured.
        prices: Of models; needed by budgets, and for what a session has cost.
        timer: Unix seconds, as other processes on the same store have them.
    """

    def __init__(
        self,
        store: Store,
        inner: RouteRule,
        *,
        names: Names,
        serves: Callable[[Candidate], bool],
        prices: Pricing = no_prices,
        options: SessionOptions | None = None,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._options = options = options or SessionOptions()
        brief = brief_store(
            store,
            timeout_s=options.store_timeout_s,
            pause_s=options.store_pause_s,
            timer=timer,
        )
        self._records = Records(brief, prices=prices, timer=timer)
        self._inner = inner
        self._names = names
        self._serves = serves
        self._prices = prices
        self._timer = timer
        self._held = lru_cache(_MAX_ROUTES)(self._holding)

    async def __call__(self, exchange: Exchange) -> Route | None:
        """
        The route that the session holds, or a new one; what *inner* says without a session.

        Raises:
            RequestError: As *inner* and *names* do.
        """
        turn = self._begin(exchange) if exchange.operation == "chat" else None
        if turn is None:
            return await self._inner(exchange)
        may_replay = self._may_replay(exchange, turn)
        if may_replay or turn.mode != "gate":
            await self._find(exchange, turn)
        if may_replay and turn.joins:
            self._hold(exchange, turn)
        else:
            await self._route(exchange, turn)
            if turn.budget is not None:  # that took its time: what others did meanwhile counts
                await self._find(exchange, turn)
            if turn.is_undecided and turn.joins:
                self._stay_undecided(exchange, turn)
        if turn.budget is not None and turn.joins and self._weigh(exchange, turn, turn.budget):
            await self._reserve(exchange, turn, turn.budget)
        if turn.weighed is not None and not turn.weighed.is_allowed:
            self._stay(exchange, turn)
        turn.tell(exchange)
        return turn.route

    async def refresh(self, exchange: Exchange) -> None:
        """The finalizer: an answered turn is kept, what a failed one has written taken back."""
        turn = exchange.state.pop(TURN_KEY, None)
        if not isinstance(turn, Turn) or turn.is_undecided:
            return
        if exchange.served_by is not None and exchange.error is None:
            await self._records.keep(exchange, turn, exchange.served_by)
        else:
            await self._records.release(exchange, turn)

    async def keep(self, exchange: Exchange) -> None:
        """
        Keep the decision of a request that is only decided: the client asks the model itself.
        For the decision endpoint, in the place of an answer.
        """
        turn = exchange.state.pop(TURN_KEY, None)
        if isinstance(turn, Turn) and not turn.is_undecided:
            await self._records.keep(exchange, turn, turn.route.candidates[0])

    # ------------------------------------------------------------------ the request

    def _begin(self, exchange: Exchange) -> Turn | None:
        """The request's turn; ``None`` if it is of no session."""
        options = self._options
        budget = budget_for(options.budget, exchange.headers)
        mode: Mode = "gate" if budget else "replay" if options.route_on_user_only else "pin"
        session = self._session(exchange, mode)
        if session is None:
            return None
        ttl_s = options.ttl_s
        if not session.is_explicit and options.implicit_ttl_s is not None:
            ttl_s = options.implicit_ttl_s
        return Turn(session, mode, ttl_s, self._timer(), self._records.open, budget)

    def _session(self, exchange: Exchange, mode: Mode) -> Session | None:
        headers, options = exchange.headers, self._options
        id: str | None = headers.get(AFFINITY_HEADER, "").strip()
        is_explicit, prefix_hash = bool(id), None
        if not is_explicit and mode == "pin" and not options.session_affinity:
            return None
        tenant = tenant_of(exchange.identity, headers, options.tenant_header)
        # A name that holds for good needs no look at the prompt.
        if not (is_explicit and mode == "pin") and not is_opted_out(headers):
            request = readable(exchange)
            found = request and fingerprint(request, tenant[2:], is_named=is_explicit)
            if found:
                prefix_hash, id = found.prefix_hash, id or found.session_id
        if not id:
            return None
        lane = (exchange.model or "").strip()
        key = session_key(tenant, id, lane, is_explicit=is_explicit)
        return Session(id, key, lane, is_explicit, prefix_hash)

    def _may_replay(self, exchange: Exchange, turn: Turn) -> bool:
        if turn.mode == "pin":
            return True
        if not self._options.route_on_user_only:
            return False
        request = readable(exchange)
        return request is not None and not is_user_turn(request.messages)

    async def _find(self, exchange: Exchange, turn: Turn) -> None:
        await self._records.find(exchange, turn)
        turn.joins = self._joins(turn, turn.seen)

    def _joins(self, turn: Turn, binding: Binding | None) -> bool:
        """Whether *turn* goes on with what *binding* says."""
        if binding is None or not self._serves(binding.anchor_model):
            return False
        if turn.mode == "pin":
            return True
        if has_drifted(binding.prefix_hash, turn.session.prefix_hash):
            return False
        warmths = self._options.warmths
        return warmths.is_warm(binding.anchor_model, binding.last_used, turn.started)

    def _hold(self, exchange: Exchange, turn: Turn) -> None:
        """Go where the session is, without routing."""
        assert turn.seen is not None
        turn.skipped = "pinned" if turn.mode == "pin" else "not_user_turn"
        reason = "session pinned" if turn.mode == "pin" else "session replayed: not a user turn"
        self._stand_by(exchange, turn, turn.seen, reason)

    def _stand_by(
        self, exchange: Exchange, turn: Turn, binding: Binding, reason: str, *others: Candidate
    ) -> None:
        """
        Go to the session's model, then to what its decision had besides, then to *others*; and
        tell that as the decision, in the place of any other.
        """
        fallbacks = [candidate for candidate in binding.fallbacks if self._serves(candidate)]
        candidates = tuple(dict.fromkeys((binding.anchor_model, *fallbacks, *others)))
        turn.route_name = binding.route_name
        turn.route, exchange.state[DECISION_KEY] = self._held(candidates, reason, turn.route_name)

    def _holding(
        self, candidates: tuple[Candidate, ...], reason: str, route_name: str | None
    ) -> tuple[Route, Decision]:
        """Both are the same from turn to turn."""
        name_of = self._names.name_of
        return Route(candidates=candidates, reason=reason), Decision(
            outcome="none" if route_name is None else "route",
            route=route_name,
            ranked=tuple(Ranked(model=name_of(each), candidates=(each,)) for each in candidates),
            reason=reason,
            selector="session",
            cached=True,
        )

    async def _route(self, exchange: Exchange, turn: Turn) -> None:
        route = await self._inner(exchange)
        turn.route = self._names.resolve(exchange.model) if route is None else route
        made = exchange.state.get(DECISION_KEY)
        if isinstance(made, Decision):
            turn.route_name, turn.is_undecided = made.route, made.outcome == "failed"

    def _stay_undecided(self, exchange: Exchange, turn: Turn) -> None:
        """Nobody said where to go: a session that has a model keeps it."""
        assert turn.seen is not None
        turn.is_undecided = False
        failed = exchange.state[DECISION_KEY]
        self._stand_by(exchange, turn, turn.seen, _UNDECIDED, *turn.route.candidates)
        held = exchange.state[DECISION_KEY]
        exchange.state[DECISION_KEY] = replace(failed, route=held.route, ranked=held.ranked)

    # ------------------------------------------------------------------ the budget

    def _weigh(self, exchange: Exchange, turn: Turn, budget: RoutingBudget) -> bool:
        """
        Ask the budget; whether a switch has a cost that is to be reserved. What a turn adds to the
        baseline is added at its end.
        """
        assert turn.seen is not None  # it joins that
        turn.weighed = self._weighed(exchange, turn, turn.seen, budget)
        return turn.weighed.charged_usd > 0

    async def _reserve(self, exchange: Exchange, turn: Turn, budget: RoutingBudget) -> None:
        """Weigh once more, with the record in hand, and take the money out of it."""

        def change(
            binding: Binding | None,
        ) -> tuple[Binding | None, tuple[Binding | None, Weighed | None]]:
            if binding is None or not self._joins(turn, binding):
                return binding, (binding, None)
            weighed = self._weighed(exchange, turn, binding, budget)
            binding.switch_spend_usd += weighed.charged_usd
            return binding, (binding, weighed)

        turn.weighed = None
        if (done := await self._records.change(exchange, turn, change)) is not None:
            turn.seen, turn.weighed = done
            turn.joins = turn.weighed is not None

    def _weighed(
        self, exchange: Exchange, turn: Turn, binding: Binding, budget: RoutingBudget
    ) -> Weighed:
        return weigh(
            binding,
            turn.route.candidates[0],
            budget,
            context_tokens=binding.cached_tokens or prompt_tokens(exchange),
            prices=self._prices,
            warmths=self._options.warmths,
            now=turn.started,
        )

    def _stay(self, exchange: Exchange, turn: Turn) -> None:
        """The budget does not allow the switch."""
        assert turn.seen is not None  # it joins that
        refused, name = turn.route.candidates, turn.route_name
        if turn.budget is not None and turn.budget.record_counterfactual:
            turn.counterfactual = f"{refused[0].name} ({name})" if name else refused[0].name
        reason = "session kept: over its switch budget"
        self._stand_by(exchange, turn, turn.seen, reason, *refused)
