"""Spend budgets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from limiting import CLAUDE, GPT, passes, serve, sized
from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, Forbidden
from plano_asgi.exchange import Candidate
from plano_asgi.limits import BudgetSpent, SpendBudget, SpendBudgets
from plano_asgi.pricing import Prices, Rates
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

DOLLARS = Rates(input=1000.0, output=10_000.0)  # a tenth of a cent, and one, per token
UNKNOWN = Candidate(provider="mine", model="mystery")


def budgets(clock: Any, *rules: SpendBudget, **options: Any) -> SpendBudgets:
    """Budgets at simple prices."""
    prices = Prices({"gpt-4o": DOLLARS, "claude*": DOLLARS}, bundled=False)
    return SpendBudgets(rules, LocalStore(), prices, timer=clock, **options)


async def spend(meter: SpendBudgets, usd: float, **options: Any) -> None:
    """Let a request be served that costs *usd*."""
    exchange = sized(100, **options)
    await meter(exchange)
    assert exchange.route is not None
    await meter.settle(serve(exchange, round(usd * 1000), exchange.route.candidates[0]))


async def test_a_budget_ends(clock: Any) -> None:
    """With what was really spent; the next period has a new one."""
    meter = budgets(clock, SpendBudget(usd=1.0, period="day"))
    await spend(meter, 0.85, identity="ann")
    assert await passes(meter, sized(100, identity="bob"))
    refused = sized(200, identity="ann")
    with pytest.raises(BudgetSpent, match=r"\$1 per day") as caught:
        await meter(refused)
    assert (caught.value.status, caught.value.code) == (429, "insufficient_quota")
    assert caught.value.retry_after_s == 12 * 3600
    assert refused.response_headers == {"x-should-retry": "false"}
    clock.now += 12 * 3600
    assert await passes(meter, sized(200, identity="ann"))


async def test_periods_may_be_months_or_roll(clock: Any) -> None:
    """The calendar's, or any span of so many seconds."""
    meter = budgets(
        clock, SpendBudget(usd=10.0, period="month"), SpendBudget(usd=1.0, period=3600.0)
    )
    for _ in range(10):
        await spend(meter, 0.95)
        assert not await passes(meter, sized(100))
        clock.now += 3600 * 1.04
    await spend(meter, 0.5)
    clock.now += 86_400
    assert not await passes(meter, sized(100))
    clock.now = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
    assert await passes(meter, sized(100))


async def test_budgets_are_for_identities_and_models(clock: Any) -> None:
    """Each, one by name, or all together."""
    meter = budgets(
        clock,
        SpendBudget(usd=1.0, period="day"),
        SpendBudget(usd=5.0, period="day", identity="ann"),
        SpendBudget(usd=3.0, period="day", model="anthropic/*", identity=None),
    )
    await spend(meter, 2.95, identity="ann", candidate=CLAUDE)
    assert not await passes(meter, sized(100, identity="bob", candidate=CLAUDE))
    assert await passes(meter, sized(950, identity="bob"))
    await spend(meter, 1.95, identity="ann")
    assert not await passes(meter, sized(200, identity="ann"))


async def test_what_a_request_may_cost_is_reserved(clock: Any) -> None:
    """Input and output at their own prices, caches at theirs."""
    meter = budgets(clock, SpendBudget(usd=1.0, period="day"))
    exchange = sized(100, output=80)
    await meter(exchange)
    assert not await passes(meter, sized(101))
    assert await passes(meter, sized(100))
    serve(exchange, None).usage = Usage(input_tokens=100, output_tokens=10)
    await meter.settle(exchange)
    assert not await passes(meter, sized(701))
    assert await passes(meter, sized(700))


async def test_a_model_without_price_is_refused(clock: Any) -> None:
    """Said once in the log, and to each client without naming anything."""
    meter = budgets(clock, SpendBudget(usd=1.0, period="day"))
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(Forbidden, match="no known price") as caught:
                await meter(sized(100, candidate=UNKNOWN))
            assert caught.value.code == "price_unknown"
        with pytest.raises(Forbidden):
            await meter(sized(100, candidate=None))
    assert [log["model"] for log in logs] == ["mine/mystery", "gpt-4o"]


async def test_a_model_without_price_may_count_as_nothing(clock: Any) -> None:
    """Said once in the log; also where a request with a price ends there."""
    meter = budgets(clock, SpendBudget(usd=1.0, period="day"), unknown_price="zero")
    with capture_logs() as logs:
        for _ in range(3):
            exchange = sized(10_000, candidate=UNKNOWN)
            await meter(exchange)
            await meter.settle(serve(exchange, 10_000, UNKNOWN))
        exchange = sized(500)
        await meter(exchange)
        await meter.settle(serve(exchange, 500, UNKNOWN))
    assert [log["event"] for log in logs] == ["price_unknown"]
    assert await passes(meter, sized(1000))


async def test_other_models_need_no_price(clock: Any) -> None:
    """A budget asks only about its own."""
    meter = budgets(clock, SpendBudget(usd=1.0, period="day", model="gpt-4o"))
    assert await passes(meter, sized(100, candidate=UNKNOWN))
    assert not await passes(meter, sized(1001, candidate=GPT))


@pytest.mark.parametrize(
    "budget",
    [
        SpendBudget(usd=0, period="day"),
        SpendBudget(usd=1, period="week"),  # type: ignore[arg-type]  # as YAML may have it
        SpendBudget(usd=1, period=-5),
    ],
)
async def test_budgets_that_make_no_sense_are_refused(budget: SpendBudget) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError):
        SpendBudgets([budget], LocalStore(), Prices(bundled=False))
