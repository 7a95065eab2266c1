"""``routing_preferences`` in a request: taken out, checked, and used for that request alone."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi.errors import RequestError
from plano_asgi.routing.preferences import Preferences
from plano_asgi.routing.preferences_field import FieldLimits
from plano_asgi.routing.selectors import TextSelector
from routing_fakes import FixedSelector, names_of, preference

NAMES = names_of("openai/gpt-4o", "openai/gpt-5", default="openai/gpt-4o")
ITEM = {"name": "a", "description": "about a", "models": ["openai/gpt-5"]}


def rule_of(selector: Any = None, **options: Any) -> Preferences:
    """A rule with one configured preference."""
    configured = (preference("configured", examples=("x",)),)
    return Preferences(configured, selector or FixedSelector("a"), names=NAMES, **options)


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages", "openai.responses"])
async def test_field_is_taken_out_and_used(dialect: str) -> None:
    """Any client API; the upstream never sees it, the client's bytes are not replayed."""
    turn = [{"role": "user", "content": "hi"}]
    field = "input" if dialect == "openai.responses" else "messages"
    body = {"model": "gpt-4o", "max_tokens": 5, field: turn, "routing_preferences": [ITEM]}
    exchange = exchange_of(dialect, body)
    rule = rule_of()
    await rule.take_field(exchange)
    assert "routing_preferences" not in exchange.body
    assert "routing_preferences" not in exchange.request.extras
    assert exchange.is_changed
    route = await rule(exchange)
    assert route is not None
    assert [candidate.model for candidate in route.candidates] == ["gpt-5", "gpt-4o"]


@pytest.mark.anyio
async def test_without_the_field_the_configured_routes_count() -> None:
    """And the body stays the client's."""
    exchange, rule = chat_exchange(), rule_of(FixedSelector("configured"))
    await rule.take_field(exchange)
    assert not exchange.is_changed
    route = await rule(exchange)
    assert route is not None
    assert route.reason == "preference configured"


@pytest.mark.anyio
@pytest.mark.parametrize("value", [[], None])
async def test_empty_list_means_no_route(value: Any) -> None:
    """It replaces the configured list like any other."""
    exchange, selector = chat_exchange(routing_preferences=value), FixedSelector("configured")
    rule = rule_of(selector)
    await rule.take_field(exchange)
    route = await rule(exchange)
    assert route is not None
    assert route.reason == "bare id; no preferences offered"
    assert selector.asked == 0


@pytest.mark.anyio
@pytest.mark.parametrize("policy", [None, {}, {"prefer": None}, {"prefer": ""}, {"prefer": "none"}])
async def test_policy_may_be_empty(policy: Any) -> None:
    """All spellings of ``none``; keys that we do not know are passed over."""
    item = {**ITEM, "selection_policy": policy, "examples": None, "weight": 3}
    exchange = chat_exchange(routing_preferences=[item])
    await rule_of().take_field(exchange)
    (found,) = exchange.state["routing.preferences"]
    assert found.prefer == "none"


@pytest.mark.anyio
async def test_policy_and_examples_are_read() -> None:
    """A request may rank, too; without data its order stays."""
    item = {**ITEM, "selection_policy": {"prefer": "cheapest"}, "examples": ["e"]}
    exchange = chat_exchange(routing_preferences=[item])
    rule = rule_of()
    await rule.take_field(exchange)
    (found,) = exchange.state["routing.preferences"]
    assert (found.prefer, found.examples) == ("cheapest", ("e",))
    assert await rule(exchange) is not None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "routing_preferences"),
        (["x"], "routing_preferences[0]"),
        ([{**ITEM, "name": ""}], "routing_preferences[0].name"),
        ([{**ITEM, "name": "x" * 300}], "routing_preferences[0].name"),
        ([ITEM, ITEM], "routing_preferences[1].name"),
        ([{**ITEM, "description": 1}], "routing_preferences[0].description"),
        ([{"name": "a", "models": ["m"]}], "routing_preferences[0].description"),
        ([{**ITEM, "models": []}], "routing_preferences[0].models"),
        ([{**ITEM, "models": "m"}], "routing_preferences[0].models"),
        ([{**ITEM, "models": ["openai/gpt-5", 1]}], "routing_preferences[0].models[1]"),
        ([{**ITEM, "models": ["gpt-9"]}], "routing_preferences[0].models[0]"),
        ([{**ITEM, "models": ["openai/gpt-9"]}], "routing_preferences[0].models[0]"),
        ([{**ITEM, "selection_policy": "x"}], "routing_preferences[0].selection_policy"),
        (
            [{**ITEM, "selection_policy": {"prefer": "x"}}],
            "routing_preferences[0].selection_policy.prefer",
        ),
        ([{**ITEM, "examples": [" "]}], "routing_preferences[0].examples[0]"),
        ([{**ITEM, "name": str(n)} for n in range(65)], "routing_preferences"),
    ],
)
async def test_mistakes_are_told_by_path(value: Any, path: str) -> None:
    """400, naming what is wrong, instead of silently routing by other preferences."""
    with pytest.raises(RequestError) as caught:
        await rule_of().take_field(chat_exchange(routing_preferences=value))
    assert caught.value.status == 400
    assert caught.value.param == path
    assert path in str(caught.value)


@pytest.mark.anyio
async def test_routes_the_selector_cannot_use_are_refused() -> None:
    """Full text has nothing to go by without examples."""
    with pytest.raises(RequestError, match="without examples") as caught:
        await rule_of(TextSelector()).take_field(chat_exchange(routing_preferences=[ITEM]))
    assert caught.value.param == "routing_preferences"


@pytest.mark.anyio
async def test_limits_can_be_set() -> None:
    """Every bound is an argument."""
    rule = rule_of(limits=FieldLimits(max_models=1))
    item = {**ITEM, "models": ["openai/gpt-5", "openai/gpt-4o"]}
    with pytest.raises(RequestError, match="at most 1 entries"):
        await rule.take_field(chat_exchange(routing_preferences=[item]))
