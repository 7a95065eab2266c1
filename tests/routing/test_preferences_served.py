"""Preference routing inside a gateway, on every chat API."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.exchange import Exchange
from plano_asgi.routing.balance import Balancer
from plano_asgi.routing.decision import Decision
from plano_asgi.routing.metric_sources import MeasuredLatency
from plano_asgi.routing.preferences import Preferences
from routing_fakes import FixedSelector, names_of, preference

pytestmark = pytest.mark.anyio

NAMES = names_of("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "mistral/*")
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
TURN = {"role": "user", "content": "hi"}
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {"messages": [TURN]},
    "/messages": {"messages": [TURN], "max_tokens": 9},
    "/responses": {"input": "hi"},
}


@pytest.mark.parametrize("path", BODIES)
async def test_request_brings_its_own_preferences(path: str) -> None:
    """The chosen model is asked first; neither it nor anybody sees the field."""
    rule = Preferences((), FixedSelector("write"), names=NAMES)
    app, transport = gateway(answer(CLAUDE), steps=[rule.take_field], rules=[rule])
    item = {"name": "write", "description": "prose", "models": ["anthropic/claude-sonnet-4-5"]}
    body = {"model": "gpt-4o", "routing_preferences": [item], **BODIES[path]}
    found = await drive(app, path, body)
    assert found.status == 200
    assert found.headers["x-plano-model"] == "anthropic/claude-sonnet-4-5"
    assert transport.body()["model"] == "claude-sonnet-4-5"
    assert "routing_preferences" not in transport.body()


@pytest.mark.parametrize("path", BODIES)
async def test_mistakes_are_answered_with_400(path: str) -> None:
    """In the client's dialect, naming the place; nobody is asked."""
    rule = Preferences((), FixedSelector(), names=NAMES)
    app, transport = gateway(answer(CHAT), steps=[rule.take_field], rules=[rule])
    body = {"model": "gpt-4o", "routing_preferences": [{"name": "x"}], **BODIES[path]}
    found = await drive(app, path, body)
    assert found.status == 400
    assert "routing_preferences[0].models" in found.json()["error"]["message"]
    assert transport.requests == []


async def test_next_model_of_the_route_takes_over() -> None:
    """A route's further models, and then the request's own, are fail-over."""
    seen: list[Decision] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.state["routing.decision"])

    routes = [preference("write", "anthropic/claude-sonnet-4-5", "mistral/large")]
    rule = Preferences(routes, FixedSelector("write"), names=NAMES)
    down = answer({"error": {"message": "down"}}, 503)
    app, transport = gateway(down, down, answer(CHAT), rules=[rule], finalizers=[note])
    found = await drive(app, "/chat/completions", {"model": "gpt-4o", "messages": [TURN]})
    assert found.status == 200
    assert found.headers["x-plano-model"] == "openai/gpt-4o"
    assert len(transport.requests) == 3
    assert seen[0].route == "write"


async def test_balancer_and_clock_are_finalizers() -> None:
    """They hear of every exchange, and are quiet where they have nothing to do with it."""
    balance, clock = Balancer([]), MeasuredLatency()
    rule = Preferences((), FixedSelector(), names=NAMES)
    app, _ = gateway(answer(CHAT), rules=[balance.balanced(rule)], finalizers=[balance, clock])
    found = await drive(app, "/chat/completions", {"model": "gpt-4o", "messages": [TURN]})
    assert found.status == 200
    assert clock.latency("openai/gpt-4o") is None
