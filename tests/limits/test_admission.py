"""A reservation goes with its exchange, from one candidate to the next."""

from __future__ import annotations

from typing import Any

import pytest

from limiting import CLAUDE, GPT, room, serve, sized
from plano_asgi.errors import Forbidden
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits import (
    BudgetSpent,
    LimitReached,
    RateLimit,
    RateLimits,
    Selector,
    SpendBudget,
    SpendBudgets,
)
from plano_asgi.limits.meter import Meter
from plano_asgi.pricing import Prices, Rates
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

SECOND = Candidate(provider="house~2", model="qwen")


class CountingStore(LocalStore):
    """Counts changes."""

    changes = 0

    async def update(self, key: str, change: Any, /, *, ttl_s: float | None = None) -> Any:
        """As above."""
        self.changes += 1
        return await super().update(key, change, ttl_s=ttl_s)


def limits(clock: Any, *models: str, store: LocalStore | None = None) -> RateLimits:
    """A thousand tokens a minute for each of *models*."""
    rules = [RateLimit(model=model, tokens=1000, unit="minute") for model in models]
    return RateLimits(rules, store or LocalStore(), timer=clock)


async def refusal(meter: Meter, exchange: Exchange, candidate: Candidate) -> LimitReached | None:
    """What *exchange* is told at *candidate*."""
    try:
        await meter.admit(exchange, candidate)
    except LimitReached as exc:
        return exc
    return None


async def test_the_reservation_moves(clock: Any) -> None:
    """What is held for the candidate before is free again, and the client is told of the new."""
    meter = limits(clock, "openai/*", "anthropic/*")
    exchange = sized(300)
    await meter.admit(exchange, GPT)
    clock.now += 10
    await meter.admit(exchange, CLAUDE)
    assert await room(meter, 1000) == 1000
    assert await room(meter, 1000, candidate=CLAUDE) == 700
    assert exchange.response_headers["x-ratelimit-remaining-tokens"] == "700"
    await meter.settle(serve(exchange, 100, CLAUDE))
    assert await room(meter, 1000, candidate=CLAUDE) == 900


async def test_a_limit_of_both_is_asked_once(clock: Any) -> None:
    """The same amount stays where it is."""
    store = CountingStore()
    meter = limits(clock, "*", store=store)
    exchange = sized(600)
    await meter.admit(exchange, GPT)
    await meter.admit(exchange, CLAUDE)
    assert store.changes == 1
    assert exchange.response_headers["x-ratelimit-remaining-tokens"] == "400"
    await meter.settle(serve(exchange, 500, CLAUDE))
    assert await room(meter, 1000) == 500


async def test_a_model_without_limits_holds_nothing(clock: Any) -> None:
    """Nor does the client hear of the limit before."""
    meter = limits(clock, "openai/*")
    exchange = sized(300)
    await meter.admit(exchange, GPT)
    exchange.response_headers["x-other"] = "kept"
    await meter.admit(exchange, CLAUDE)
    assert exchange.response_headers == {"x-other": "kept"}
    assert await room(meter, 1000) == 1000
    await meter.settle(serve(exchange, 100, CLAUDE))
    assert await room(meter, 1000) == 1000


async def test_a_refusal_leaves_nothing_behind(clock: Any) -> None:
    """No reservation, and no word to the client that is not the refusal's."""
    meter = limits(clock, "openai/*", "anthropic/*", "gpt*")
    other = sized(900)
    await meter.admit(other, CLAUDE)
    exchange = sized(300)
    await meter.admit(exchange, GPT)
    told = await refusal(meter, exchange, CLAUDE)
    assert told is not None
    assert told.headers["x-ratelimit-remaining-tokens"] == "100"
    assert exchange.response_headers == {}
    assert await room(meter, 1000) == 1000
    await meter.settle(exchange)
    await meter.settle(other)
    assert await room(meter, 1000, candidate=CLAUDE) == 1000


async def test_a_dearer_candidate_reserves_more(clock: Any) -> None:
    """In the same account, in the place of what the cheaper one had; or it is refused."""
    cheap, dear = Rates(input=1000.0, output=0.0), Rates(input=4000.0, output=0.0)
    prices = Prices({"gpt-4o": cheap, "claude*": dear}, bundled=False)
    meter = SpendBudgets([SpendBudget(usd=1.0, period="day")], LocalStore(), prices, timer=clock)
    exchange = sized(200)
    await meter.admit(exchange, GPT)
    assert await room(meter, 1000) == 800
    await meter.admit(exchange, CLAUDE)
    assert await room(meter, 1000) == 200
    await meter.admit(exchange, GPT)
    other = sized(100)
    assert await refusal(meter, other, CLAUDE) is None
    assert isinstance(await refusal(meter, exchange, CLAUDE), BudgetSpent)
    await meter.settle(exchange)
    await meter.settle(serve(other, 100, CLAUDE))
    assert await room(meter, 1000) == 600


async def test_an_unknown_price_is_refused_at_its_candidate(clock: Any) -> None:
    """Though the one before it had a price."""
    prices = Prices({"gpt-4o": Rates(input=1.0, output=1.0)}, bundled=False)
    meter = SpendBudgets([SpendBudget(usd=1.0, period="day")], LocalStore(), prices, timer=clock)
    exchange = sized(200)
    await meter.admit(exchange, GPT)
    with pytest.raises(Forbidden):
        await meter.admit(exchange, CLAUDE)
    await meter.admit(exchange, GPT)
    await meter.settle(serve(exchange, 100))


@pytest.mark.parametrize(
    ("model", "is_limited"),
    [
        ("house/qwen", True),
        ("house/*", True),
        ("house~2/qwen", True),
        ("qwen", True),
        ("fast", True),
        ("house~3/qwen", False),
        ("house", False),
    ],
)
async def test_a_second_account_goes_by_its_prefix(
    clock: Any, model: str, is_limited: bool
) -> None:
    """By its key and its configured name, too."""
    meter = limits(clock, model)
    meter.attach(lambda candidate: ("fast",) if candidate == SECOND else (candidate.name,))
    assert (await refusal(meter, sized(1001), SECOND) is not None) is is_limited


async def test_accounts_of_one_prefix_share_its_limit(clock: Any) -> None:
    """A limit is the model's, wherever it is served."""
    meter = limits(clock, "house/*")
    first = Candidate(provider="house", model="llama")
    assert await refusal(meter, sized(700), first) is None
    assert await refusal(meter, sized(700), SECOND) is not None


async def test_a_budget_knows_a_second_account_by_any_name(clock: Any) -> None:
    """By the names it is configured under as well, the first one or any."""
    for name in ("house/qwen", "house/*", "house~2/qwen", "fast", "smart"):
        prices = Prices({name: Rates(input=1000.0, output=0.0)}, bundled=False)
        budget = SpendBudget(usd=1.0, period="day", model="house/qwen")
        meter = SpendBudgets([budget], LocalStore(), prices, timer=clock)
        meter.attach(lambda candidate: ("fast", "smart"))
        assert await refusal(meter, sized(900), SECOND) is None
        assert await refusal(meter, sized(200), SECOND) is not None


async def test_a_named_caller_keeps_its_own_account(clock: Any) -> None:
    """Through a failover, too."""
    each = Selector(key="x-user")
    rule = RateLimit(model="*", tokens=1000, unit="minute", selector=each)
    meter = RateLimits([rule], LocalStore(), timer=clock)
    ann = sized(800, identity="ann")
    for candidate in (GPT, CLAUDE, GPT):
        await meter.admit(ann, candidate)
    assert await refusal(meter, sized(800, identity="bob"), CLAUDE) is None
    assert await refusal(meter, sized(300, identity="ann"), CLAUDE) is not None


async def test_overlong_names_are_limited_and_not_remembered(clock: Any) -> None:
    """Of a model that nobody knows, and of a caller."""
    rule = RateLimit(model="x*", tokens=1000, unit="minute", selector=Selector(key="x-user"))
    book = RateLimits([rule], LocalStore(), timer=clock)._rules
    for size, remembered in ((2048, 1), (2049, 1)):
        exchange = sized(100)
        exchange.model, exchange.headers = "x" * size, {"x-user": "y" * size}
        ((_, key),) = book.applying(exchange, None)
        assert len(key) < 50
        assert len(book._by_model) == remembered
