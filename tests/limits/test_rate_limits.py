"""Token limits, as a step and a finalizer see exchanges."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from exchanges import exchange_of
from limiting import CLAUDE, GPT, passes, room, serve, sized
from plano_asgi.conversation import Usage
from plano_asgi.errors import (
    ConfigurationError,
    Forbidden,
    ModelNotFound,
    RateLimited,
    StoreUnavailable,
    UpstreamReset,
)
from plano_asgi.exchange import Candidate
from plano_asgi.limits import RateLimit, RateLimits, Selector
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

EACH = Selector(key="X-User-Id")


def limits(clock: Any, *rules: RateLimit, **options: Any) -> RateLimits:
    """Limits on a store of their own."""
    return RateLimits(rules, options.pop("store", LocalStore()), timer=clock, **options)


def per_minute(tokens: int, model: str = "gpt-4o", **options: Any) -> RateLimit:
    """A limit of so many tokens a minute."""
    return RateLimit(model=model, tokens=tokens, unit="minute", **options)


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4o", "openai/*", "gpt-4*", "*"])
async def test_a_model_goes_by_any_of_its_names(clock: Any, model: str) -> None:
    """Its id, with the provider, or a pattern; not the client's."""
    meter = limits(clock, per_minute(100, model))
    exchange = sized(101)
    exchange.model = "fast"
    assert not await passes(meter, exchange)


@pytest.mark.parametrize("model", ["gpt-4", "azure/gpt-4o", "4o", "gpt-4o-mini", "fast"])
async def test_other_models_are_not_limited(clock: Any, model: str) -> None:
    """Names are compared whole."""
    meter = limits(clock, per_minute(100, model))
    exchange = sized(101)
    exchange.model = "fast"
    assert await passes(meter, exchange)
    assert exchange.state == {}
    await meter.settle(exchange)


@pytest.mark.parametrize(
    ("unit", "seconds"), [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)]
)
async def test_tokens_return_after_their_unit(clock: Any, unit: Any, seconds: int) -> None:
    """Input and output together."""
    meter = limits(clock, RateLimit(model="gpt-4o", tokens=100, unit=unit))
    exchange = sized(50, output=50)
    await meter(exchange)
    await meter.settle(serve(exchange, 100))
    clock.now += seconds * 0.99
    refused = sized(50)
    with pytest.raises(RateLimited, match=f"100 tokens per {unit} for gpt-4o is reached") as caught:
        await meter(refused)
    assert caught.value.status == 429
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= seconds * 0.05
    clock.now += caught.value.retry_after_s
    assert await passes(meter, sized(100))


async def test_the_client_is_told_where_it_stands(clock: Any) -> None:
    """In headers, also of a refusal, of the limit that it is closest to."""
    day = RateLimit(model="gpt-4o", tokens=1000, unit="day")
    meter = limits(clock, day, per_minute(200))
    first = sized(100)
    await meter(first)
    assert first.response_headers == {
        "x-ratelimit-limit-tokens": "200",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "62.000s",
    }
    second = sized(150)
    assert not await passes(meter, second)
    assert second.response_headers["x-ratelimit-remaining-tokens"] == "100"
    third = sized(250)
    with pytest.raises(RateLimited, match="larger than the limit") as caught:
        await meter(third)
    assert caught.value.retry_after_s is None
    assert third.response_headers["x-should-retry"] == "false"


async def test_what_was_really_used_counts(clock: Any) -> None:
    """Less than was reserved, or more."""
    meter = limits(clock, per_minute(1000))
    exchange = sized(100, output=400)
    await meter(exchange)
    assert await room(meter, 1000) == 500
    await meter.settle(serve(exchange, 150))
    assert await room(meter, 1000) == 850
    exchange = sized(100)
    await meter(exchange)
    await meter.settle(serve(exchange, 600))
    assert await room(meter, 1000) == 250


async def test_nothing_counts_where_nothing_came_of_it(clock: Any) -> None:
    """An upstream that failed, a client that left before, a guard that answered instead."""
    meter = limits(clock, per_minute(1000))
    for status in (None, 502, 200):
        exchange = sized(500)
        await meter(exchange)
        exchange.status = status
        await meter.settle(exchange)
        await meter.settle(exchange)
    assert await room(meter, 1000) == 1000


async def test_a_stream_cut_short_counts_by_estimate(clock: Any) -> None:
    """The input, and of the output no more than a usual answer."""
    meter = limits(clock, per_minute(1000), default_output_tokens=200)
    exchange = sized(100, output=800)
    await meter(exchange)
    serve(exchange, None)
    exchange.disconnected = True
    await meter.settle(exchange)
    assert await room(meter, 1000) == 700


async def test_a_cut_stream_counts_more_than_its_first_word(clock: Any) -> None:
    """Anthropic's begins with true input tokens and one of output; the rest is estimated."""
    meter = limits(clock, per_minute(1000), default_output_tokens=200)
    for tokens, counted in ((1, 150 + 200), (300, 150 + 300)):
        exchange = sized(100, output=400)
        exchange.stream = True
        await meter(exchange)
        serve(exchange, None)
        exchange.usage = Usage(input_tokens=150, output_tokens=tokens)
        exchange.error = UpstreamReset("cut")
        await meter.settle(exchange)
        assert await room(meter, 1000) == 1000 - counted
        clock.now += 62


async def test_an_answer_that_was_refused_counts_as_the_upstream_did(clock: Any) -> None:
    """Whole: nothing of it is missing, though the client has none."""
    meter = limits(clock, per_minute(1000), default_output_tokens=200)
    exchange = sized(100, output=400)
    await meter(exchange)
    serve(exchange, 150)
    exchange.timings.first_byte, exchange.error = None, Forbidden("no")
    await meter.settle(exchange)
    assert await room(meter, 1000) == 850


async def test_an_unbounded_answer_is_reserved_as_a_usual_one(clock: Any) -> None:
    """For each of the answers asked for."""
    meter = limits(clock, per_minute(1000), default_output_tokens=200)
    exchange = sized(100)
    del exchange.body["max_tokens"]
    exchange.body["n"] = 2
    await meter(exchange)
    assert await room(meter, 1000) == 500


async def test_a_generous_bound_is_not_refused_for_ever(clock: Any) -> None:
    """All of the limit is reserved, if the input fits."""
    meter = limits(clock, per_minute(1000))
    exchange = sized(100, output=32_000)
    await meter(exchange)
    assert await room(meter, 1000) == 0
    await meter.settle(serve(exchange, 300))
    assert await room(meter, 1000) == 700
    assert not await passes(meter, sized(1001, output=1))


@pytest.mark.parametrize(
    ("dialect", "body", "reserved"),
    [
        ("openai.chat", {"messages": [], "max_completion_tokens": 7, "max_tokens": 9}, 7),
        ("openai.responses", {"input": "x", "max_output_tokens": 7}, 7),
        ("anthropic.messages", {"messages": [], "max_tokens": 7}, 7),
        ("openai.chat", {"messages": [], "max_tokens": "many", "n": None}, 100),
        ("openai.chat", {"messages": [], "max_tokens": None}, 100),
        ("openai.chat", {"messages": [], "max_completion_tokens": None, "max_tokens": 9}, 9),
    ],
)
async def test_every_dialect_says_how_much_it_wants(
    clock: Any, dialect: str, body: dict[str, Any], reserved: int
) -> None:
    """And a field of the wrong type is the reader's business."""
    meter = limits(clock, per_minute(1000, "m"), default_output_tokens=100)
    exchange = exchange_of(dialect, {"model": "m", **body})
    plain = exchange_of(dialect, {"model": "m", **body})
    plain.operation = "/embeddings"
    await meter(exchange)
    await meter(plain)
    left = [int(e.response_headers["x-ratelimit-remaining-tokens"]) for e in (exchange, plain)]
    assert 1000 - left[0] - (left[0] - left[1]) == reserved


async def test_media_are_not_counted_as_text(clock: Any) -> None:
    """A picture of two megabytes is a picture."""
    meter = limits(clock, per_minute(10_000))
    exchange = sized(100)
    picture = {"url": "data:image/png;base64," + "A" * 2_000_000}
    exchange.body["messages"][0]["content"] = [{"type": "image_url", "image_url": picture}]
    assert await passes(meter, exchange)


async def test_counting_tokens_is_free(clock: Any) -> None:
    """It uses none."""
    meter = limits(clock, per_minute(10))
    exchange = sized(100)
    exchange.operation = "/messages/count_tokens"
    assert await passes(meter, exchange)
    await meter.settle(serve(exchange, None))
    assert exchange.state == {}


async def test_a_star_gives_each_caller_its_own(clock: Any) -> None:
    """By identity, else by header, in any case; those with neither share one."""
    meter = limits(clock, per_minute(100, selector=EACH))
    for identity in ("ann", "bob", 7):
        assert await passes(meter, sized(100, identity=identity))
        assert not await passes(meter, sized(100, identity=identity))
    for name in ("ann", "bob"):
        assert await passes(meter, sized(100, headers={"x-user-id": name}))
        assert not await passes(meter, sized(100, headers={"x-user-id": name}))
    assert await passes(meter, sized(100))
    assert not await passes(meter, sized(100, headers={"x-user-id": ""}))


async def test_the_identity_beats_the_header(clock: Any) -> None:
    """Which any client may set: another's name helps nobody, and harms nobody."""
    meter = limits(clock, per_minute(100, selector=EACH))
    assert await passes(meter, sized(100, identity="ann", headers={"x-user-id": "new-1"}))
    assert not await passes(meter, sized(100, identity="ann", headers={"x-user-id": "new-2"}))
    assert await passes(meter, sized(100, headers={"x-user-id": "ann"}))


async def test_a_named_caller_has_its_own_limit(clock: Any) -> None:
    """In the place of the one for each; the others are not touched by it."""
    named = per_minute(500, selector=Selector(key="x-user-id", value="ann"))
    meter = limits(clock, per_minute(100, selector=EACH), named)
    assert await room(meter, 1000, identity="ann") == 500
    assert await room(meter, 1000, headers={"x-user-id": "ann"}) == 500
    assert await room(meter, 1000, identity="bob") == 100
    only = limits(clock, named)
    assert await room(only, 1000, identity="bob") == 1000


async def test_a_named_callers_limit_may_use_another_name_of_the_model(clock: Any) -> None:
    """It is the same model's; a pattern is about more than that, and stays."""
    for each, named in (("openai/gpt-4o", "smart"), ("fast", "gpt-4o"), ("smart", "fast")):
        mine = per_minute(500, named, selector=Selector(key="x-user-id", value="ann"))
        meter = limits(clock, per_minute(100, each, selector=EACH), mine)
        meter.attach(lambda _: ("fast", "smart"))
        assert await room(meter, 1000, identity="ann") == 500
        assert await room(meter, 1000, identity="bob") == 100
    mine = per_minute(500, selector=Selector(key="x-user-id", value="ann"))
    meter = limits(clock, per_minute(100, "gpt*", selector=EACH), mine)
    assert await room(meter, 1000, identity="ann") == 100


async def test_without_a_selector_all_share_one(clock: Any) -> None:
    """Beside the limits of each."""
    meter = limits(clock, per_minute(150), per_minute(100, selector=EACH))
    assert await passes(meter, sized(100, identity="ann"))
    assert not await passes(meter, sized(100, identity="bob"))
    assert await passes(meter, sized(50, identity="bob"))


async def test_a_refusal_by_one_limit_holds_nothing_of_another(clock: Any) -> None:
    """All limits or none."""
    hour = RateLimit(model="gpt-4o", tokens=1000, unit="hour")
    meter = limits(clock, hour, per_minute(100))
    for _ in range(20):
        assert not await passes(meter, sized(200))
    clock.now += 61
    assert await passes(meter, sized(100))
    clock.now += 100
    for _ in range(9):
        assert await passes(meter, sized(100))
        clock.now += 62
    assert not await passes(meter, sized(100))


async def test_a_failover_is_counted_where_it_went(clock: Any) -> None:
    """The expected model's tokens are free again."""
    meter = limits(clock, per_minute(1000), per_minute(1000, "anthropic/*"))
    exchange = sized(300)
    await meter(exchange)
    await meter.settle(serve(exchange, 200, CLAUDE))
    assert await room(meter, 1000) == 1000
    assert await room(meter, 1000, candidate=CLAUDE) == 800
    only = limits(clock, per_minute(1000, "anthropic/*"))
    exchange = sized(300)
    await only(exchange)
    await only.settle(serve(exchange, 200, CLAUDE))
    assert await room(only, 1000, candidate=CLAUDE) == 800


async def test_before_routing_the_name_is_read(clock: Any) -> None:
    """By the function given for it; what it cannot read is routing's to refuse."""

    def model_of(name: str | None) -> Candidate:
        if name == "fast":
            return GPT
        raise ModelNotFound(name or "")

    meter = limits(clock, per_minute(100), model_of=model_of)
    for name, is_limited in (("fast", True), ("gpt-4o", True), ("slow", False)):
        exchange = sized(101, candidate=None)
        exchange.model = name
        assert await passes(meter, exchange) is not is_limited


async def test_interleaved_requests_never_exceed_the_limit(clock: Any) -> None:
    """Two hundred at once: as many pass as there is room for."""
    meter, granted = limits(clock, per_minute(5000)), list[int]()

    async def request() -> None:
        exchange = sized(100)
        await anyio.lowlevel.checkpoint()
        if await passes(meter, exchange):
            granted.append(1)
            await anyio.lowlevel.checkpoint()
            await meter.settle(serve(exchange, 100))

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(request)
    assert len(granted) == 50


async def test_a_worker_that_died_gives_back_what_it_held(clock: Any) -> None:
    """After the reservation's time, and before the limit's."""
    store, hour = LocalStore(timer=clock), RateLimit(model="gpt-4o", tokens=1000, unit="hour")
    dead = limits(clock, hour, store=store, reservation_ttl_s=80.0)
    living = limits(clock, hour, store=store, reservation_ttl_s=80.0)
    await dead(sized(900))
    assert await room(living, 1000) == 100
    clock.now += 91
    assert await room(living, 1000) == 1000


class DownStore(LocalStore):
    """A store that a test takes down."""

    is_shared = True
    is_down = False
    calls = 0

    async def update(self, key: str, change: Any, /, *, ttl_s: float | None = None) -> Any:
        """As above."""
        self.calls += 1
        if self.is_down:
            raise StoreUnavailable("the store is down")
        return await super().update(key, change, ttl_s=ttl_s)


async def test_an_outage_lets_pass_and_is_not_waited_for_each_time(clock: Any) -> None:
    """The store is asked again after a while, and the limit holds once it is back."""
    store = DownStore()
    meter = limits(clock, per_minute(100), store=store)
    store.is_down = True
    for _ in range(5):
        exchange = sized(100)
        await meter(exchange)
        assert exchange.response_headers == {}
        await meter.settle(serve(exchange, 100))
    assert store.calls == 1
    store.is_down = False
    clock.now += 5
    assert await passes(meter, sized(100))
    assert not await passes(meter, sized(100))


async def test_an_outage_may_refuse_instead(clock: Any) -> None:
    """With a 503 that says when to try again; what was held elsewhere is released."""
    store = DownStore()
    meter = limits(clock, per_minute(100), store=store, on_outage="refuse")
    held = sized(100)
    await meter(held)
    store.is_down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            await meter(sized(100))
        assert caught.value.retry_after_s == 5.0
    assert store.calls == 2
    await meter.settle(serve(held, 10))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([per_minute(0)], "at least 1 token"),
        ([RateLimit(model="m", tokens=1, unit="week")], "second, minute"),  # type: ignore[arg-type]
        ([per_minute(1), per_minute(2)], "two limits of the kind"),
        ([per_minute(1, selector=EACH), per_minute(2, selector=Selector(key="x-user-id"))], "two"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(rules: list[RateLimit], message: str) -> None:
    """When they are made."""
    with pytest.raises(ConfigurationError, match=message):
        RateLimits(rules, LocalStore())
    with pytest.raises(ConfigurationError, match="more than 0"):
        RateLimits([per_minute(1)], LocalStore(), reservation_ttl_s=0)
