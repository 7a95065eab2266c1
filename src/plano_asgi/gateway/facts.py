"""What routing made of an exchange, as the short facts that spans, metrics and logs tell."""

from __future__ import annotations

from typing import Any

from plano_asgi.errors import RateLimited
from plano_asgi.exchange import Exchange
from plano_asgi.routing.decision import DECISION_KEY, Decision
from plano_asgi.routing.sessions import SESSION_KEY, SessionDecision


def note_facts(exchange: Exchange) -> None:
    """Put what rules have left on *exchange* among its facts."""
    state, facts = exchange.state, exchange.facts
    if isinstance(exchange.error, RateLimited):
        facts["limit"] = exchange.error.word
    if exchange.route is not None and exchange.route.reason:
        facts["route_reason"] = exchange.route.reason
    if isinstance(made := state.get(DECISION_KEY), Decision):
        _note(facts, _decided(made))
    if isinstance(session := state.get(SESSION_KEY), SessionDecision):
        _note(facts, _held(session))


def decided(exchange: Exchange) -> dict[str, Any]:
    """What a router has said of *exchange*, for the routing's own span; empty if none was asked."""
    made = exchange.state.get(DECISION_KEY)
    if not isinstance(made, Decision):
        return {}
    return {"selector": made.selector, "outcome": made.outcome, "route": made.route}


def _note(facts: dict[str, Any], found: dict[str, Any]) -> None:
    facts.update({name: value for name, value in found.items() if value is not None})


def _decided(made: Decision) -> dict[str, Any]:
    return {
        "route_outcome": made.outcome,
        "route_name": made.route,
        "route_selector": made.selector or None,
        "route_score": made.score,
        "route_cached": made.cached,
        "route_latency_s": made.latency_s,
    }


def _held(session: SessionDecision) -> dict[str, Any]:
    found: dict[str, Any] = {
        "session_id": session.session_id,
        "session_pinned": session.pinned,
        "session_switched": session.switched,
        "session_store": session.store,
        "session_skipped": session.skipped,
        "session_idle_s": session.idle_s,
        "cache_warm": session.pinned,
        "cache_idle_ms": None if session.idle_s is None else int(session.idle_s * 1000),
        "session_total_cost_usd": session.total_cost_usd,
    }
    if session.route_name is not None:
        found["route_name"] = session.route_name
    if session.has_budget:
        found |= {
            "session_switches": session.switches,
            "session_switch_spend_usd": session.switch_spend_usd,
            "session_baseline_usd": session.baseline_usd,
            "session_overhead_pct": session.overhead_pct,
        }
    if (weighed := session.weighed) is not None:
        found |= {
            "switch_decision": "allowed" if weighed.is_allowed else "retained",
            "switch_cost_usd": weighed.cost_usd,
            "switch_ceiling_usd": weighed.ceiling_usd,
            "switch_warm_tokens": weighed.warm_tokens,
            "switch_counterfactual": session.counterfactual,
        }
    return found
