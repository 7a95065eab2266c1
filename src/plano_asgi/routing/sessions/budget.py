"""
The routing budget: what a session may spend on leaving a warm prompt cache.

A switch costs what the new model charges for reading the prompt afresh, less what the old one
charges for its cached one. The sum of a session's switches stays below a share of what it would
have cost to read the cached prompt on every turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import structlog

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.binding import Binding
from plano_asgi.routing.sessions.costs import Pricing, switch_cost, turn_baseline
from plano_asgi.routing.sessions.warmth import Warmths

BUDGET_HEADER = "x-plano-max-switch-spend-pct"
"""Sets ``max_switch_spend_pct`` for one request, with or without a configured budget."""

Why: TypeAlias = Literal["same_anchor", "free", "no_pricing", "within_cap", "over_cap"]

_log = structlog.get_logger("plano_asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingBudget:
    """
    Args:
        max_switch_spend_pct: What switches may cost, in percent of what the session would have
            paid for its cached prompt without them; 0 to 100.
        replenish_on_rebind: A session that went cold begins with an unspent budget.
        cache_read_discount: Price of a cached token as a share of a fresh one's, 0 to 1, where no
            price is published.
        record_counterfactual: Tell what would have been chosen where a switch was refused.

    Raises:
        ConfigurationError: A share out of its range.
    """

    max_switch_spend_pct: float
    replenish_on_rebind: bool = True
    cache_read_discount: float = 0.1
    record_counterfactual: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_switch_spend_pct <= 100:
            raise ConfigurationError("routing_budget: max_switch_spend_pct is 0 to 100")
        if not 0 <= self.cache_read_discount <= 1:
            raise ConfigurationError("routing_budget: cache_read_discount is 0 to 1")


@dataclass(slots=True)
class Weighed:
    """
    What a budget says to one warm turn's candidate.

    ``cost_usd`` (of switching), ``warm_tokens`` (at the candidate) and ``ceiling_usd`` (of all
    switches) are ``None`` where none was computed. ``charged_usd`` and ``baseline_usd`` are what
    this turn adds to the session's sums.
    """

    is_allowed: bool
    why: Why
    baseline_usd: float = 0.0
    charged_usd: float = 0.0
    cost_usd: float | None = None
    warm_tokens: int | None = None
    ceiling_usd: float | None = None


def budget_for(
    configured: RoutingBudget | None, headers: Mapping[str, str]
) -> RoutingBudget | None:
    """The budget of one request: the configured one, its share overridden by the header."""
    said = headers.get(BUDGET_HEADER)
    if said is None:
        return configured
    share = _share(said)
    if share is None:
        _log.warning("max_switch_spend_pct_ignored", reason="not a number from 0 to 100")
        return configured
    if configured is None:
        return RoutingBudget(max_switch_spend_pct=share)
    return replace(configured, max_switch_spend_pct=share)


def weigh(
    binding: Binding,
    candidate: Candidate,
    budget: RoutingBudget,
    *,
    context_tokens: int,
    prices: Pricing,
    warmths: Warmths,
    now: float,
) -> Weighed:
    """
    Whether a warm session may go to *candidate*. Changes nothing.

    Args:
        context_tokens: Of the prompt that a cache holds.
        now: Unix seconds.
    """
    discount = budget.cache_read_discount
    default = prices(binding.default_model.provider, binding.default_model.model)
    saved = 0.0 if default is None else turn_baseline(context_tokens, default, discount=discount)
    anchor = binding.anchor_model
    if candidate == anchor:
        return Weighed(True, "same_anchor", saved)
    there = prices(candidate.provider, candidate.model)
    here = prices(anchor.provider, anchor.model)
    if there is None or here is None:
        return Weighed(True, "no_pricing", saved)
    warm = min(_warm_tokens(binding, candidate, warmths, now), context_tokens)
    cost = switch_cost(context_tokens, warm, anchor=here, candidate=there, discount=discount)
    ceiling = budget.max_switch_spend_pct / 100 * (binding.baseline_usd + saved)
    fits = cost <= 0 or binding.switch_spend_usd + cost <= ceiling
    return Weighed(
        is_allowed=fits,
        why="free" if cost <= 0 else "within_cap" if fits else "over_cap",
        baseline_usd=saved,
        charged_usd=cost if fits and cost > 0 else 0.0,
        cost_usd=cost,
        warm_tokens=warm,
        ceiling_usd=ceiling,
    )


def _warm_tokens(binding: Binding, candidate: Candidate, warmths: Warmths, now: float) -> int:
    visit = binding.visit(candidate)
    if visit is None or not warmths.is_warm(candidate, visit.last_used, now):
        return 0
    return visit.cached_tokens


def _share(said: str) -> float | None:
    try:
        share = float(said)
    except ValueError:
        return None
    is_plain = said.isascii() and "_" not in said and math.isfinite(share)
    return share if is_plain and 0 <= share <= 100 else None
