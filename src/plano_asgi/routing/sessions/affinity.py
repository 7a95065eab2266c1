"""
Sessions: a conversation stays with the model it began with, as long as that pays.

``Sessions`` is a ``RouteRule`` around the other rules. What holds a conversation:

- nothing more than its session: the first decision, until ``ttl_s`` after its last turn;
- ``route_on_user_only``: one decision for each user turn, replayed for the tool steps after it;
- a routing budget: every turn is decided, and may leave the warm model if the budget allows.

The record moves only with an answered request (``refresh``, the finalizer), and every change of
it is atomic. A store that is down costs a bounded wait, then for a while nothing, and never the
request: it is routed as if it had no session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import structlog

from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import RequestError, StoreUnavailable
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.base import RouteRule
from plano_asgi.routing.decision import DECISION_KEY, Decision, Ranked
from plano_asgi.routing.names import Names
from plano_asgi.routing.sessions.binding import Binding, decode, encode
from plano_asgi.routing.sessions.budget import RoutingBudget, Weighed, budget_for, weigh
from plano_asgi.routing.sessions.costs import Pricing, context_tokens, request_cost
from plano_asgi.routing.sessions.fail_open import BriefStore
from plano_asgi.routing.sessions.identity import (
    AFFINITY_HEADER,
    Session,
    fingerprint,
    is_opted_out,
    session_key,
    tenant_of,
)
from plano_asgi.routing.sessions.options import SessionOptions
from plano_asgi.routing.sessions.replay import is_user_turn
from plano_asgi.routing.sessions.settle import Answered, released, settled
from plano_asgi.routing.sessions.turn import TURN_KEY, Mode, Turn
from plano_asgi.routing.sessions.warmth import has_drifted
from plano_asgi.stores.base import Store

_MAX_ROUTES = 1024  # remembered in words
_DEFAULT_DISCOUNT = 0.1

_log = structlog.get_logger("plano_asgi")


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
        self._store = BriefStore(
            store,
            timeout_s=options.store_timeout_s,
            pause_s=options.store_pause_s,
            timer=timer,
        )
        self._inner = inner
        self._names = names
        self._serves = serves
        self._prices = prices
        self._timer = timer
        self._ranked = lru_cache(_MAX_ROUTES)(self._ranking)

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
            await self._look_up(exchange, turn)
        if may_replay and turn.joins:
            self._hold(exchange, turn)
        else:
            await self._route(exchange, turn)
        if turn.budget is not None:
            await self._weigh(exchange, turn, turn.budget)
        turn.tell(exchange)
        return turn.route

    async def refresh(self, exchange: Exchange) -> None:
        """The finalizer: an answered turn is kept, a failed one's reservation given back."""
        turn = exchange.state.pop(TURN_KEY, None)
        if not isinstance(turn, Turn):
            return
        if exchange.served_by is not None and exchange.error is None:
            await self._keep(exchange, turn, exchange.served_by)
        elif turn.has_charged:
            await self._update(exchange, turn, lambda found: released(found, turn))

    async def keep(self, exchange: Exchange) -> None:
        """
        Keep the decision of a request that is only decided: the client asks the model itself.
        For the decision endpoint, in the place of an answer.
        """
        turn = exchange.state.pop(TURN_KEY, None)
        if isinstance(turn, Turn):
            await self._keep(exchange, turn, turn.route.candidates[0])

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
        started = self._timer()
        return Turn(session=session, mode=mode, ttl_s=ttl_s, started=started, budget=budget)

    def _session(self, exchange: Exchange, mode: Mode) -> Session | None:
        headers = exchange.headers
        named = headers.get(AFFINITY_HEADER, "").strip()
        is_off = is_opted_out(headers)
        if not named and (is_off or (mode == "pin" and not self._options.session_affinity)):
            return None
        tenant = tenant_of(exchange.identity, headers, self._options.tenant_header)
        # A name that holds for good needs no look at the prompt.
        needs_print = not named or (mode != "pin" and not is_off)
        request = _readable(exchange) if needs_print else None
        found = fingerprint(request, tenant[2:]) if request else None
        id = named or (found.session_id if found else None)
        if id is None:
            return None
        lane = (exchange.model or "").strip()
        return Session(
            id=id,
            key=session_key(tenant, id, lane, is_explicit=bool(named)),
            lane=lane,
            is_explicit=bool(named),
            prefix_hash=found.prefix_hash if found else None,
        )

    def _may_replay(self, exchange: Exchange, turn: Turn) -> bool:
        if turn.mode == "pin":
            return True
        if not self._options.route_on_user_only:
            return False
        request = _readable(exchange)
        return request is not None and not is_user_turn(request.messages)

    async def _look_up(self, exchange: Exchange, turn: Turn) -> None:
        try:
            turn.seen = decode(await self._store.get(turn.session.key))
        except StoreUnavailable:
            self._lost(exchange, turn)
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
        turn.route = self._anchored(turn.seen, reason)
        turn.route_name = turn.seen.route_name
        self._decided_before(exchange, turn)

    def _decided_before(self, exchange: Exchange, turn: Turn) -> None:
        """Tell as the decision what the session holds, in the place of any other."""
        exchange.state[DECISION_KEY] = Decision(
            outcome="none" if turn.route_name is None else "route",
            route=turn.route_name,
            ranked=self._ranked(turn.route.candidates),
            reason=turn.route.reason,
            selector="session",
            cached=True,
        )

    def _ranking(self, candidates: tuple[Candidate, ...]) -> tuple[Ranked, ...]:
        name_of = self._names.name_of
        return tuple(Ranked(model=name_of(each), candidates=(each,)) for each in candidates)

    async def _route(self, exchange: Exchange, turn: Turn) -> None:
        route = await self._inner(exchange)
        turn.route = self._names.resolve(exchange.model) if route is None else route
        made = exchange.state.get(DECISION_KEY)
        turn.route_name = made.route if isinstance(made, Decision) else None

    def _anchored(self, binding: Binding, reason: str, *others: Candidate) -> Route:
        """The session's model, then what its decision had besides, then *others*."""
        fallbacks = [candidate for candidate in binding.fallbacks if self._serves(candidate)]
        candidates = dict.fromkeys((binding.anchor_model, *fallbacks, *others))
        return Route(candidates=tuple(candidates), reason=reason)

    # ------------------------------------------------------------------ the budget

    async def _weigh(self, exchange: Exchange, turn: Turn, budget: RoutingBudget) -> None:
        """Reserve what the turn costs the session's budget; stay where that does not allow it."""
        candidate = turn.route.candidates[0]

        def change(raw: bytes | None) -> tuple[bytes | None, tuple[Binding | None, Weighed | None]]:
            binding = decode(raw)
            if binding is None or not self._joins(turn, binding):
                return raw, (binding, None)
            weighed = weigh(
                binding,
                candidate,
                budget,
                context_tokens=binding.cached_tokens or _prompt_tokens(exchange),
                prices=self._prices,
                warmths=self._options.warmths,
                now=turn.started,
            )
            binding.baseline_usd += weighed.baseline_usd
            binding.switch_spend_usd += weighed.charged_usd
            return encode(binding), (binding, weighed)

        key = turn.session.key
        try:
            turn.seen, turn.weighed = await self._store.update(key, change, ttl_s=turn.ttl_s)
        except StoreUnavailable:
            self._lost(exchange, turn)
            return
        turn.is_lost = False
        turn.joins = turn.weighed is not None
        if turn.weighed is not None and turn.seen is not None and not turn.weighed.is_allowed:
            self._stay(turn, turn.seen, budget)
            self._decided_before(exchange, turn)

    def _stay(self, turn: Turn, binding: Binding, budget: RoutingBudget) -> None:
        refused, name = turn.route.candidates, turn.route_name
        if budget.record_counterfactual:
            turn.counterfactual = f"{refused[0].name} ({name})" if name else refused[0].name
        turn.route = self._anchored(binding, "session kept: over its switch budget", *refused)
        turn.route_name = binding.route_name

    # ------------------------------------------------------------------ the answer

    async def _keep(self, exchange: Exchange, turn: Turn, model: Candidate) -> None:
        usage, cost = exchange.usage, 0.0
        if usage is not None and (rates := self._prices(model.provider, model.model)) is not None:
            discount = turn.budget.cache_read_discount if turn.budget else _DEFAULT_DISCOUNT
            cost = sum(request_cost(usage, rates, discount=discount))
        tokens = usage.input_tokens if usage is not None else 0
        if not tokens and turn.mode == "gate":
            tokens = _prompt_tokens(exchange)
        answered = Answered(model=model, cached_tokens=tokens, cost_usd=cost, now=self._timer())
        await self._update(exchange, turn, lambda found: settled(found, turn, answered))

    async def _update(
        self, exchange: Exchange, turn: Turn, change: Callable[[Binding | None], Binding | None]
    ) -> None:
        def rewritten(raw: bytes | None) -> tuple[bytes | None, None]:
            binding = change(decode(raw))
            return (None if binding is None else encode(binding)), None

        try:
            await self._store.update(turn.session.key, rewritten, ttl_s=turn.ttl_s)
        except StoreUnavailable:
            self._lost(exchange, turn)

    def _lost(self, exchange: Exchange, turn: Turn) -> None:
        if not turn.is_lost:
            _log.warning("session_store_unavailable", request_id=exchange.id)
        turn.is_lost = True


def _readable(exchange: Exchange) -> ChatRequest | None:
    """The neutral request; ``None`` if it is none that we can read, which its upstream may be."""
    try:
        return exchange.request
    except RequestError:
        return None


def _prompt_tokens(exchange: Exchange) -> int:
    request = _readable(exchange)
    return context_tokens(request) if request else 0
