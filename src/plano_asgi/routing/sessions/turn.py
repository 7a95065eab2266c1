"""One turn of a session: how it is decided, what was found, and what is told about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.sessions.binding import Binding
from plano_asgi.routing.sessions.budget import RoutingBudget, Weighed
from plano_asgi.routing.sessions.identity import Session

SESSION_KEY = "routing.session"
"""Where ``Exchange.state`` holds the ``SessionDecision``."""
TURN_KEY = "routing.session.turn"
"""Where ``Exchange.state`` holds the turn until its finalizer ran."""

Mode: TypeAlias = Literal["pin", "replay", "gate"]
"""
``pin``: the first decision holds. ``replay``: one decision for each user turn. ``gate``: every
turn is decided, and a budget says whether the session may follow.
"""
Skipped: TypeAlias = Literal["pinned", "not_user_turn"]
_NOWHERE = Route(candidates=())


@dataclass(slots=True)
class SessionDecision:
    """
    What a session made of one request. Figures of money are those at the decision.

    ``pinned``: there was a decision to hold on to, and its cache was warm where that matters.
    ``skipped``: why nothing was routed anew. ``store``: whether the record was there, or could not
    be read. ``idle_s``: since the last turn. ``total_cost_usd``: up to the previous turn.
    ``weighed``: what the budget said; ``counterfactual``: what it refused, if that is recorded.
    """

    session_id: str
    is_explicit: bool
    model: Candidate
    route_name: str | None
    store: Literal["hit", "miss", "error"]
    pinned: bool = False
    switched: bool = False
    skipped: Skipped | None = None
    idle_s: float | None = None
    has_budget: bool = False
    baseline_usd: float = 0.0
    switch_spend_usd: float = 0.0
    switches: int = 0
    total_cost_usd: float = 0.0
    weighed: Weighed | None = None
    counterfactual: str | None = None

    @property
    def overhead_pct(self) -> float:
        """What switches have cost, in percent of the baseline; 0 without one."""
        return 100 * self.switch_spend_usd / self.baseline_usd if self.baseline_usd else 0.0


@dataclass(slots=True)
class Turn:
    """
    One request's way through a session.

    ``seen`` is the record as this turn found it, with what the turn added, and not to be changed;
    ``joins``: it goes on with that record's episode. ``mark`` is written into a record that the
    turn opened, ``before`` is what that was then; ``is_open``: the store has it. ``is_undecided``:
    whoever decides has failed, and nothing of the turn is kept.
    """

    session: Session
    mode: Mode
    ttl_s: float
    started: float
    open: Callable[[Exchange, Turn, Candidate], Awaitable[None]]
    """Keeps where this turn takes its session, now that the candidate is answering."""
    budget: RoutingBudget | None = None
    seen: Binding | None = None
    joins: bool = False
    mark: str = ""
    before: Binding | None = None
    is_open: bool = False
    is_lost: bool = False
    is_undecided: bool = False
    skipped: Skipped | None = None
    route: Route = _NOWHERE
    route_name: str | None = None
    weighed: Weighed | None = None
    counterfactual: str | None = None

    @property
    def has_written(self) -> bool:
        """Whether anything of it may be in the record."""
        return bool(self.mark) or (self.weighed is not None and self.weighed.charged_usd > 0)

    def tell(self, exchange: Exchange) -> None:
        """Put the decision on *exchange*, and the turn for its finalizer."""
        seen, model, session = self.seen, self.route.candidates[0], self.session
        told = exchange.state[SESSION_KEY] = SessionDecision(
            session.id,
            session.is_explicit,
            model,
            self.route_name,
            "error" if self.is_lost else "miss" if seen is None else "hit",
            self.joins,
        )
        told.skipped, told.has_budget = self.skipped, self.budget is not None
        told.weighed, told.counterfactual = self.weighed, self.counterfactual
        if seen is not None:
            told.idle_s = max(0.0, self.started - seen.last_used)
            told.total_cost_usd = seen.session_cost_usd
            if self.joins or self.keeps_sums:
                told.baseline_usd = seen.baseline_usd
                told.switch_spend_usd = seen.switch_spend_usd
            if self.joins:
                told.switched = model != seen.anchor_model
                told.switches = seen.switches + told.switched
        if self.weighed is not None:
            told.baseline_usd += self.weighed.baseline_usd
        exchange.state[TURN_KEY] = self

    def leads_to(self, model: Candidate) -> bool:
        """Whether, with *model* answering, the session is somewhere else than it was found."""
        if self.is_undecided:
            return False
        return not self.joins or self.seen is None or self.seen.anchor_model != model

    @property
    def keeps_sums(self) -> bool:
        """Whether a new episode goes on with the old one's sums."""
        return self.budget is not None and not self.budget.replenish_on_rebind


async def open_session(exchange: Exchange) -> None:
    """
    Keep where an exchange that is being answered takes its session, before the client has any of
    the answer: the next turn finds it, at every process. Nothing to do for one that stays where
    it was, nor without a session.
    """
    turn, model = exchange.state.get(TURN_KEY), exchange.served_by
    if isinstance(turn, Turn) and model is not None and turn.leads_to(model):
        await turn.open(exchange, turn, model)
