"""Preference routing as a rule: candidates, fail-open, the cache, what is checked at the start."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi.errors import ConfigurationError, ModelNotFound, RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.routing.decision import Decision
from plano_asgi.routing.metric_sources import Rates
from plano_asgi.routing.names import Alias, ModelEntry, Names, Target
from plano_asgi.routing.preferences import Preferences, RoutePreference
from plano_asgi.routing.ranking import Ranking
from plano_asgi.routing.selectors import Selection, TextSelector, Unreadable
from routing_fakes import FixedSelector, names_of, preference

NAMES = names_of("openai/gpt-4o", "openai/gpt-5", "anthropic/claude", "groq/*")
CODE = preference("code", "anthropic/claude", "openai/gpt-5")
CHAT = preference("chat", "openai/gpt-4o")


class Clock:
    """Seconds that only pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Prices:
    """A fixed price list."""

    def __init__(self, **prices: float) -> None:
        self.prices = prices

    def rates(self, model: str, /) -> Rates | None:
        """Half of it for input."""
        price = self.prices.get(model)
        return None if price is None else Rates(input=price / 2, output=price / 2)


def rule_of(selector: Any, *preferences: Any, **options: Any) -> Preferences:
    """A rule over the two preferences, unless told otherwise."""
    return Preferences(preferences or (CODE, CHAT), selector, **{"names": NAMES, **options})


def made(exchange: Exchange) -> Decision:
    """What the rule left on the exchange."""
    found = exchange.state["routing.decision"]
    assert isinstance(found, Decision)
    return found


async def candidates(rule: Preferences, exchange: Exchange) -> list[str]:
    """Where the rule sends *exchange*."""
    route = await rule(exchange)
    assert route is not None
    return [candidate.name for candidate in route.candidates]


@pytest.mark.anyio
async def test_models_of_the_route_come_first_then_the_requests_own() -> None:
    """In the preference's order; the request's own model is the last resort."""
    exchange = chat_exchange()
    rule = rule_of(FixedSelector("code"))
    assert await candidates(rule, exchange) == [
        "anthropic/claude",
        "openai/gpt-5",
        "openai/gpt-4o",
    ]
    route = await rule(exchange)
    assert route is not None
    assert route.reason == "preference code"
    assert (made(exchange).outcome, made(exchange).route) == ("route", "code")
    assert made(exchange).models == ("anthropic/claude", "openai/gpt-5")
    assert made(exchange).selector == "fixed"


@pytest.mark.anyio
async def test_own_model_among_the_routes_is_there_once() -> None:
    """And at the route's place."""
    rule = rule_of(FixedSelector("code"))
    assert await candidates(rule, chat_exchange(model="anthropic/claude")) == [
        "anthropic/claude",
        "openai/gpt-5",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("model", [None, "", "none"])
async def test_route_serves_requests_without_a_model(model: str | None) -> None:
    """The quick start of Plano's documentation sends "none"."""
    rule = rule_of(FixedSelector("chat"))
    assert await candidates(rule, chat_exchange(model=model)) == ["openai/gpt-4o"]


@pytest.mark.anyio
async def test_no_model_and_no_route_is_the_clients_mistake() -> None:
    """There is nothing to send it to."""
    with pytest.raises(RequestError) as caught:
        await rule_of(FixedSelector(None))(chat_exchange(model="none"))
    assert caught.value.code == "model_required"


@pytest.mark.anyio
async def test_unknown_model_is_an_error_whatever_the_route() -> None:
    """A typing mistake is told, not routed around; the decision is there all the same."""
    exchange = chat_exchange(model="gpt-9")
    with pytest.raises(ModelNotFound):
        await rule_of(FixedSelector("code"))(exchange)
    assert made(exchange).route == "code"


@pytest.mark.anyio
async def test_no_route_keeps_the_requests_own_model() -> None:
    """With the reason."""
    exchange = chat_exchange()
    route = await rule_of(FixedSelector(None))(exchange)
    assert route is not None
    assert [candidate.name for candidate in route.candidates] == ["openai/gpt-4o"]
    assert route.reason == "bare id; no preference fits"
    assert (made(exchange).outcome, made(exchange).models) == ("none", ())


class NotedSelector(FixedSelector):
    """Finds nothing and says why."""

    async def select(self, exchange: Exchange, preferences: Any, /) -> Selection:
        """No route."""
        return Selection(score=0.1, note="below the threshold")


@pytest.mark.anyio
async def test_selectors_note_is_told() -> None:
    """For whoever sets thresholds."""
    exchange = chat_exchange()
    await rule_of(NotedSelector())(exchange)
    assert made(exchange).reason == "no preference fits (below the threshold)"
    assert made(exchange).score == 0.1


def raising(exc: Exception) -> FixedSelector:
    """A selector that fails."""

    async def act() -> None:
        raise exc

    return FixedSelector(act=act)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        (raising(OSError("secret")), "routing failed: OSError"),
        (raising(Unreadable("no usable answer")), "routing failed: no usable answer"),
        (FixedSelector(act=anyio.sleep_forever), "routing failed: timeout"),
    ],
)
async def test_dead_selector_fails_open(selector: FixedSelector, reason: str) -> None:
    """The request's own model, the reason on route and exchange, and nothing in the cache."""
    exchange = chat_exchange()
    rule = rule_of(selector, timeout_s=0.01)
    before = selector.asked
    route = await rule(exchange)
    assert route is not None
    assert [candidate.name for candidate in route.candidates] == ["openai/gpt-4o"]
    assert route.reason == f"bare id; {reason}"
    assert (made(exchange).outcome, made(exchange).reason) == ("failed", reason)
    await rule(chat_exchange())
    assert selector.asked == before + 2


@pytest.mark.anyio
async def test_selector_that_is_down_is_left_alone_for_a_while() -> None:
    """After three outages nobody waits for it; then one request tries, and all if it is back."""
    clock, selector = Clock(), raising(OSError())
    rule = rule_of(selector, max_failures=3, pause_s=10, timer=clock)
    for _ in range(5):
        exchange = chat_exchange()
        await rule(exchange)
    assert selector.asked == 3
    assert made(exchange).reason == "routing failed: paused after failures"
    clock.now += 10
    await rule(chat_exchange())
    await rule(chat_exchange())
    assert selector.asked == 4
    clock.now += 10
    selector.act, selector.route = None, "code"
    await rule(chat_exchange())
    await rule(chat_exchange("something else"))
    assert selector.asked == 6


@pytest.mark.anyio
async def test_unreadable_answers_are_no_outage() -> None:
    """A selector that answers nonsense for one conversation is asked for the next."""
    selector = raising(Unreadable("x"))
    rule = rule_of(selector, max_failures=1)
    for _ in range(4):
        await rule(chat_exchange())
    assert selector.asked == 4


def turns(*extra: dict[str, Any]) -> Exchange:
    """A conversation of one user turn and what followed."""
    return chat_exchange(messages=[{"role": "user", "content": "hi"}, *extra])


@pytest.mark.anyio
async def test_one_decision_per_turn() -> None:
    """Tool steps of a turn repeat its decision; the next user turn is decided anew."""
    selector = FixedSelector("code")
    rule = rule_of(selector)
    for exchange in (
        turns(),
        turns({"role": "assistant", "content": "let me see"}),
        turns(
            {"role": "assistant", "content": "x"},
            {"role": "tool", "tool_call_id": "c", "content": "result"},
        ),
    ):
        await rule(exchange)
    assert selector.asked == 1
    assert made(exchange).cached
    await rule(turns({"role": "assistant", "content": "x"}, {"role": "user", "content": "more"}))
    assert selector.asked == 2


@pytest.mark.anyio
async def test_dialects_share_decisions() -> None:
    """The same words are the same turn, whatever API they come by."""
    selector = FixedSelector("code")
    rule = rule_of(selector)
    await rule(turns())
    body = {"model": "gpt-4o", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    await rule(exchange_of("anthropic.messages", body))
    await rule(exchange_of("openai.responses", {"model": "gpt-4o", "input": "hi"}))
    assert selector.asked == 1


@pytest.mark.anyio
async def test_an_alias_is_drawn_for_each_request_of_a_turn() -> None:
    """The route is kept, not the target: half of the traffic stays half of it."""
    entries = [
        ModelEntry(name=f"mistral/{m}", provider="mistral", model=m, prefix="mistral")
        for m in ("a", "b", "own")
    ]
    half = Alias(targets=(Target(model="mistral/a"), Target(model="mistral/b")))
    selector = FixedSelector("chat")
    rule = rule_of(
        selector, preference("chat", "half"), names=Names(entries, aliases={"half": half})
    )
    served = {(await candidates(rule, chat_exchange(model="mistral/own")))[0] for _ in range(60)}
    assert served == {"mistral/a", "mistral/b"}
    assert selector.asked == 1


@pytest.mark.anyio
async def test_the_order_of_a_turn_is_kept() -> None:
    """Prices that change in the middle of a tool loop do not move it to another model."""
    cheap = preference("cheap", "anthropic/claude", "openai/gpt-5", selection_policy="cheapest")
    prices = Prices(**{"openai/gpt-5": 1.0, "anthropic/claude": 3.0})
    rule = rule_of(FixedSelector("cheap"), cheap, ranking=Ranking(cost=prices))
    assert (await candidates(rule, chat_exchange()))[0] == "openai/gpt-5"
    prices.prices["openai/gpt-5"] = 9.0
    assert (await candidates(rule, chat_exchange()))[0] == "openai/gpt-5"
    assert (await candidates(rule, chat_exchange("something else")))[0] == "anthropic/claude"


@pytest.mark.anyio
async def test_cache_is_bounded_in_time_and_size() -> None:
    """What is over its time or pushed out is decided again; size 0 keeps nothing."""
    clock, selector = Clock(), FixedSelector("code")
    rule = rule_of(selector, cache_ttl_s=60, cache_size=1, timer=clock)
    await rule(chat_exchange("a"))
    clock.now += 61
    await rule(chat_exchange("a"))
    assert selector.asked == 2
    await rule(chat_exchange("b"))
    await rule(chat_exchange("a"))
    assert selector.asked == 4
    never = FixedSelector("code")
    rule = rule_of(never, cache_size=0)
    await rule(chat_exchange("a"))
    await rule(chat_exchange("a"))
    assert never.asked == 2


@pytest.mark.anyio
async def test_function_is_a_selector() -> None:
    """It sees the whole exchange, so it is asked every time."""
    asked: list[str] = []

    async def choose(exchange: Exchange) -> str | None:
        asked.append(exchange.headers["x-team"])
        return "code"

    rule = rule_of(choose)
    for _ in range(2):
        assert (await candidates(rule, chat_exchange()))[0] == "anthropic/claude"
    assert asked == ["blue", "blue"]


@pytest.mark.anyio
async def test_ranked_by_price() -> None:
    """``selection_policy`` orders the route's models; a bare id in the list will do."""
    cheap = preference(
        "cheap", "anthropic/claude", "openai/gpt-5", "openai/gpt-4o", selection_policy="cheapest"
    )
    prices = Prices(**{"openai/gpt-5": 2.0, "gpt-4o": 1.0, "claude": 3.0})
    rule = rule_of(FixedSelector("cheap"), cheap, ranking=Ranking(cost=prices))
    assert await candidates(rule, chat_exchange(model="groq/x")) == [
        "openai/gpt-4o",
        "openai/gpt-5",
        "anthropic/claude",
        "groq/x",
    ]


@pytest.mark.anyio
async def test_nothing_to_decide() -> None:
    """No preferences, no user turn, or no chat: the rule passes."""
    selector = FixedSelector("code")
    assert await Preferences((), selector, names=NAMES)(chat_exchange()) is None
    assert await rule_of(selector)(chat_exchange(messages=[])) is None
    embeddings = chat_exchange()
    embeddings.operation = "embeddings"
    assert await rule_of(selector)(embeddings) is None
    assert selector.asked == 0


@pytest.mark.parametrize(
    ("preferences", "selector", "message"),
    [
        ((CODE, CODE), FixedSelector(), "Duplicate routing preference name 'code'"),
        ((preference("a", "openai/gpt-9"),), FixedSelector(), "'a' names the model 'openai/gpt-9'"),
        ((preference("a", "llama"),), FixedSelector(), "does not exist here"),
        ((preference("a", selection_policy="cheapest"),), FixedSelector(), "source of type cost"),
        ((preference("a", selection_policy="fastest"),), FixedSelector(), "of type latency"),
        ((CODE,), TextSelector(), "without examples"),
    ],
)
def test_configuration_is_checked(preferences: Any, selector: Any, message: str) -> None:
    """What cannot work is found at the start."""
    with pytest.raises(ConfigurationError, match=message):
        rule_of(selector, *preferences)


def test_default_does_not_stand_in_for_a_preferences_model() -> None:
    """A mistyped model would silently be another one."""
    names = names_of("openai/gpt-4o", default="openai/gpt-4o")
    with pytest.raises(ConfigurationError, match="does not exist here"):
        rule_of(FixedSelector(), preference("a", "gpt-9"), names=names)
    rule_of(FixedSelector(), preference("a", "openai/gpt-4o"), names=names)


def test_members_of_a_wildcard_are_known() -> None:
    """What a wildcard serves can be preferred."""
    rule_of(FixedSelector(), preference("a", "groq/llama-3"))


@pytest.mark.parametrize("options", [{"timeout_s": 0}, {"cache_size": -1}, {"max_failures": 0}])
def test_bounds_are_checked(options: dict[str, float]) -> None:
    """A bound that is none is refused."""
    with pytest.raises(ConfigurationError, match="above 0"):
        rule_of(FixedSelector(), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"models": ()}, "needs models"),
        ({"models": ("",)}, "needs models"),
        ({"description": ""}, "description or examples"),
        ({"selection_policy": "best"}, "cheapest, fastest, none"),
    ],
)
def test_preferences_are_checked(options: dict[str, Any], message: str) -> None:
    """Each preference for itself."""
    given = {"name": "a", "description": "d", "models": ("m",), **options}
    with pytest.raises(ConfigurationError, match=message):
        RoutePreference(**given)


def test_lists_become_values() -> None:
    """Preferences are keys of caches: what users write as lists is frozen."""
    found = preference("a", examples=["x"])
    assert found.examples == ("x",)
    assert hash(found)


def test_ambiguous_models_are_refused() -> None:
    """A bare id that two providers serve could be either."""
    names = names_of("openai/gpt-4o", "azure/gpt-4o")
    with pytest.raises(ConfigurationError, match="Several providers serve"):
        rule_of(FixedSelector(), preference("a", "gpt-4o"), names=names)
