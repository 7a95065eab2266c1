"""What is done for an exchange, as spans."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args

import pytest
from opentelemetry.trace import SpanKind

from plano_asgi.activities import Activity, ActivityKind
from plano_asgi.telemetry.activity_attributes import (
    SPANS,
    _known_start,
    end_attributes,
    start_of,
)


def activity(kind: ActivityKind, name: str, **facts: Any) -> Activity:
    """One that nobody watches."""
    return Activity(None, kind, name, facts)


def test_every_kind_has_a_span() -> None:
    """A new kind of activity needs a row."""
    assert set(SPANS) == set(get_args(ActivityKind))


def test_attempt() -> None:
    """A client span of the upstream, without what would be counted twice."""
    tried = activity(
        "attempt",
        "mistral/large",
        number=2,
        provider="mistral",
        model="large",
        address="api.mistral.ai",
        port=443,
        dialect="openai.chat",
        retry=True,
    )
    name, kind, attributes = start_of(tried)
    assert (name, kind) == ("attempt mistral/large", SpanKind.CLIENT)
    assert attributes == {
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "large",
        "server.address": "api.mistral.ai",
        "server.port": 443,
        "plano.provider": "mistral",
        "plano.attempt.number": 2,
        "plano.attempt.retry": True,
        "plano.attempt.dialect": "openai.chat",
    }
    assert end_attributes(tried) == {}
    tried.facts["status"] = 429
    assert start_of(tried)[2] == attributes
    assert end_attributes(tried) == {"http.response.status_code": 429}


def test_guard() -> None:
    """Its verdict; what it does not say is left out."""
    asked = activity("guard", "pii", side="request")
    assert start_of(asked) == (
        "apply_guardrail pii",
        SpanKind.INTERNAL,
        {"plano.guard.name": "pii", "plano.guard.side": "request"},
    )
    asked.facts.update(status="blocked", rule="", score=0.5, extra=1, odd=object(), none=None)
    assert end_attributes(asked) == {
        "plano.guard.status": "blocked",
        "plano.guard.score": 0.5,
        "plano.guard.extra": 1,
    }


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [("http", SpanKind.CLIENT), ("mcp", SpanKind.CLIENT), ("function", SpanKind.INTERNAL)],
)
def test_a_filter_elsewhere_is_a_client_span(protocol: str, kind: SpanKind) -> None:
    """One in this process is not."""
    assert start_of(activity("filter", "f", protocol=protocol))[1] is kind


def test_memory() -> None:
    """A span for what is looked up; its hits come at the end."""
    used = activity("memory", "Local")
    assert start_of(used) == ("search_memory Local", SpanKind.INTERNAL, {})
    used.facts["hits"] = 0
    assert end_attributes(used) == {"plano.memory.hits": 0}


def test_agent_and_tool() -> None:
    """As the conventions have them."""
    assert start_of(activity("agent", "travel", agent_id="a1")) == (
        "invoke_agent travel",
        SpanKind.INTERNAL,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "travel",
            "gen_ai.agent.id": "a1",
        },
    )
    assert start_of(activity("tool", "search", call_id="c1")) == (
        "execute_tool search",
        SpanKind.INTERNAL,
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": "c1",
        },
    )


def test_names_are_bounded_and_are_no_patterns() -> None:
    """A name with braces, or a very long one, does no harm."""
    assert start_of(activity("cache", "{x}"))[0] == "cache {x}"
    assert len(start_of(activity("state", "y" * 5000))[0]) < 300


def test_an_agent_elsewhere_is_asked_as_a_client() -> None:
    """If it is said where; no other word of a tool's makes one of it."""
    found = start_of(activity("agent", "travel", address="a.example", port=443))
    assert found[1] is SpanKind.CLIENT
    assert found[2]["server.port"] == 443
    for nowhere in ({"address": None}, {"address": ""}, {"protocol": "http"}):
        assert start_of(activity("agent", "travel", **nowhere))[1] is SpanKind.INTERNAL
        assert start_of(activity("tool", "x", **nowhere))[1] is SpanKind.INTERNAL


def test_what_an_app_says_is_told_as_it_is_or_not_at_all() -> None:
    """Its facts are anybody's."""
    odd = activity("tool", "x", provider=5, status=HTTPStatus.OK, huge=1 << 70, many=[1], gone=None)
    assert start_of(odd)[2].keys() == {
        "gen_ai.operation.name",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
    }
    assert end_attributes(odd) == {"plano.tool.provider": 5, "plano.tool.status": 200}
    assert start_of(activity("tool", 5))[0] == "execute_tool ?"  # type: ignore[arg-type]


def test_calls_of_tools_are_not_remembered() -> None:
    """Each has an id of its own."""
    before = _known_start.cache_info().currsize
    for number in range(20):
        start_of(activity("tool", "x", call_id=f"call {number}"))
    assert _known_start.cache_info().currsize == before
