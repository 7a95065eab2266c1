"""What a session may spend on leaving a warm cache."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.binding import Binding, Visit
from plano_asgi.routing.sessions.budget import RoutingBudget, Weighed, budget_for, weigh
from plano_asgi.routing.sessions.warmth import Warmths
from session_fakes import ANCHOR, CHEAP, PRICEY, UNPRICED, prices

NOW = 1000.0
QUARTER = RoutingBudget(max_switch_spend_pct=25)


def bound(**fields: Any) -> Binding:
    """A session at the anchor with 100k tokens in its cache."""
    return Binding(
        **{"anchor_model": ANCHOR, "default_model": ANCHOR, "cached_tokens": 100_000, **fields}
    )


def weighed(binding: Binding, candidate: Candidate, budget: RoutingBudget = QUARTER) -> Weighed:
    """What *budget* says."""
    return weigh(
        binding,
        candidate,
        budget,
        context_tokens=binding.cached_tokens,
        prices=prices,
        warmths=Warmths(),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("binding", "candidate", "is_allowed", "why", "charged"),
    [
        pytest.param(bound(baseline_usd=2.0), PRICEY, True, "within_cap", 0.47, id="within 25%"),
        pytest.param(bound(baseline_usd=1.0), PRICEY, False, "over_cap", 0.0, id="over 25%"),
        pytest.param(bound(switch_spend_usd=0.1), CHEAP, True, "free", 0.0, id="saves money"),
        pytest.param(bound(), ANCHOR, True, "same_anchor", 0.0, id="stays"),
        pytest.param(bound(), UNPRICED, True, "no_pricing", 0.0, id="unpriced candidate"),
        pytest.param(
            bound(anchor_model=UNPRICED), PRICEY, True, "no_pricing", 0.0, id="unpriced anchor"
        ),
        pytest.param(
            bound(baseline_usd=0.4, history=[Visit(PRICEY, NOW - 30, 100_000)]),
            PRICEY,
            True,
            "within_cap",
            0.02,
            id="return to a warm model",
        ),
        pytest.param(
            bound(baseline_usd=0.4, history=[Visit(PRICEY, NOW - 301, 100_000)]),
            PRICEY,
            False,
            "over_cap",
            0.0,
            id="return to a model gone cold",
        ),
    ],
)
def test_switches_are_weighed(
    binding: Binding, candidate: Candidate, is_allowed: bool, why: str, charged: float
) -> None:
    """Free ones pass; others while their sum stays below the ceiling."""
    found = weighed(binding, candidate)
    assert (found.is_allowed, found.why) == (is_allowed, why)
    assert found.charged_usd == pytest.approx(charged)


def test_baseline_is_that_of_the_default_model() -> None:
    """Wherever the session is, a turn adds what its default model's cache would cost."""
    binding = bound(anchor_model=CHEAP, default_model=ANCHOR)
    assert weighed(binding, CHEAP).baseline_usd == pytest.approx(0.03)
    unpriced = bound(anchor_model=CHEAP, default_model=UNPRICED)
    assert weighed(unpriced, CHEAP).baseline_usd == 0


def test_figures_are_told() -> None:
    """Cost, tokens and ceiling, for telemetry."""
    found = weighed(bound(baseline_usd=1.97), PRICEY)
    assert found.cost_usd == pytest.approx(0.47)
    assert found.warm_tokens == 0
    assert found.ceiling_usd == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("15", 15.0),
        ("101", None),
        ("12.5", 12.5),
        ("100.01", None),
        ("0", 0.0),
        ("100", 100.0),
        (" 7 ", 7.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("\u0667", None),
        ("", None),
        ("much", None),
    ],
)
def test_header_sets_the_share(said: str, share: float | None) -> None:
    """0 to 100, fractions too; anything else is passed over, and logged."""
    with capture_logs() as logs:
        found = budget_for(None, {"x-plano-max-switch-spend-pct": said})
    assert (found.max_switch_spend_pct if found else None) == share
    assert [log["event"] for log in logs] == ["max_switch_spend_pct_ignored"] * (share is None)


def test_header_overrides_nothing_but_the_share() -> None:
    """The rest of the configured budget stays."""
    configured = RoutingBudget(max_switch_spend_pct=20, record_counterfactual=True)
    found = budget_for(configured, {"x-plano-max-switch-spend-pct": "5"})
    assert found == replace(configured, max_switch_spend_pct=5)
    assert budget_for(configured, {}) is configured
    assert budget_for(configured, {"x-plano-max-switch-spend-pct": "?"}) is configured


@pytest.mark.parametrize("share", [-1, 100.1, math.nan, math.inf])
def test_share_out_of_range_is_refused(share: float) -> None:
    """When the budget is built."""
    with pytest.raises(ConfigurationError, match="max_switch_spend_pct"):
        RoutingBudget(max_switch_spend_pct=share)


def test_discount_out_of_range_is_refused() -> None:
    """When the budget is built."""
    with pytest.raises(ConfigurationError, match="cache_read_discount"):
        RoutingBudget(max_switch_spend_pct=5, cache_read_discount=1.5)


def test_share_is_needed() -> None:
    """There is no default for what may be spent."""
    with pytest.raises(TypeError, match="max_switch_spend_pct"):
        RoutingBudget()  # type: ignore[call-arg]  # that is the point
