"""
What was decided about one exchange, and how it is told: on the exchange, and as JSON.

``POST /routing/v1/...`` answers with ``decision``; nothing is asked of the chosen model.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.exchange import Candidate, Exchange, Route

DECISION_KEY = "routing.decision"
"""Where ``Exchange.state`` holds the ``Decision``."""

NO_MODEL = "none"
"""In the JSON, the one model where no preference fits: send the request as it is."""

Outcome: TypeAlias = Literal["route", "none", "failed"]
"""A preference was chosen; none fits; the selector gave no answer (the request goes on)."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One model of a preference as it is named there, and where it is served."""

    model: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    What preference routing made of a conversation turn.

    ``ranked`` is the chosen preference's models, best first; of a session that holds its decision,
    all that are tried, with and without a route. ``reason`` says why no route was
    chosen, never with content. ``latency_s`` is what this request waited for it.
    """

    outcome: Outcome
    route: str | None = None
    ranked: tuple[Ranked, ...] = ()
    reason: str = ""
    selector: str = ""
    score: float | None = None
    cached: bool = False
    latency_s: float = 0.0

    @property
    def models(self) -> tuple[str, ...]:
        """The ranked models' names."""
        return tuple(ranked.model for ranked in self.ranked)


def decision(
    exchange: Exchange,
    route: Route | None,
    *,
    session_id: str | None = None,
    pinned: bool = False,
    switched: bool = False,
) -> JSONObject:
    """
    The answer of the decision endpoint, with 200.

    Args:
        exchange: Routed: its ``Decision`` is in ``state``.
        route: What all rules together made of it: a session may put another model first, which
            is then the first of ``models``. ``None`` if the request's own model is unknown.
        session_id: Left out if ``None``.
        pinned: The session had a decision.
        switched: The session changed its model on this turn.
    """
    made = exchange.state.get(DECISION_KEY)
    known = made if isinstance(made, Decision) else Decision(outcome="none")
    told: JSONObject = {
        "models": _models(known, route, bound=session_id is not None and pinned),
        "route": known.route,
        "trace_id": _trace_id(exchange),
    }
    if session_id is not None:
        told["session_id"] = session_id
    return {**told, "pinned": pinned, "switched": switched}


def _models(made: Decision, route: Route | None, *, bound: bool) -> list[str]:
    first = route.candidates[0] if route is not None and route.candidates else None
    if not made.ranked:
        return [first.name] if bound and first is not None else [NO_MODEL]
    if first is None:
        return list(made.models)
    return _led_by(first, made.ranked)


def _led_by(first: Candidate, ranked: Sequence[Ranked]) -> list[str]:
    """The ranked models, the one that *first* serves in front."""
    leader = next((r.model for r in ranked if first in r.candidates), first.name)
    return [leader, *(r.model for r in ranked if r.model != leader)]


def _trace_id(exchange: Exchange) -> str:
    match = _TRACEPARENT.fullmatch(exchange.headers.get("traceparent", "").strip())
    return match[1] if match else secrets.token_hex(16)
