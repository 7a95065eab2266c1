"""``POST /messages/count_tokens``: counted by the upstream, or estimated and marked as such."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import KEY, gateway
from memory_transport import answer
from plano_asgi.config import Model
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.names import Alias, Target

pytestmark = pytest.mark.anyio

PATH = "/v1/messages/count_tokens"
CLAUDE = "anthropic/claude-sonnet-4-5"
COUNT = {"input_tokens": 2095}
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "token-counting-2024-11-01",
    "x-api-key": "the-clients",
}


def body(model: str, **fields: Any) -> dict[str, Any]:
    """What a client counts: a conversation without ``max_tokens``."""
    return {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **fields}


async def test_anthropic_counts_itself() -> None:
    """The body as it is, the client's betas with it."""
    app, transport = gateway(answer(COUNT))
    asked = body(CLAUDE, system=[{"type": "text", "text": "x"}], unknown=[1])
    found = await drive(app, PATH, asked, headers=HEADERS)
    assert (found.status, found.json()) == (200, COUNT)
    assert "x-plano-estimated" not in found.headers
    request = transport.requests[0]
    assert request.url == "https://api.anthropic.com/v1/messages/count_tokens"
    assert transport.body() == asked | {"model": "claude-sonnet-4-5"}
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-beta"] == HEADERS["anthropic-beta"]


@pytest.mark.parametrize("model", ["openai/gpt-4o", "mistral/large"])
async def test_others_are_estimated(model: str) -> None:
    """The answer and a header say so; nothing is sent upstream."""
    app, transport = gateway(answer(COUNT))
    found = await drive(app, PATH, body(model), headers=HEADERS)
    assert found.status == 200
    assert found.json()["estimated"] is True
    assert found.headers["x-plano-estimated"] == "true"
    assert found.headers["x-plano-model"] == model
    assert not transport.requests


async def test_an_estimate_grows_with_what_is_counted() -> None:
    """System text, tools, results, images and thinking count."""
    app, _ = gateway(answer(COUNT))
    image = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    turns = body("")["messages"]
    steps: list[dict[str, Any]] = [
        {},
        {"system": "Be brief, and polite."},
        {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
        {"messages": [*turns, {"role": "assistant", "content": "Well."}]},
        {"messages": [*turns, {"role": "user", "content": [{"type": "image", "source": image}]}]},
    ]
    counts = []
    for step in steps:
        found = await drive(app, PATH, body("openai/gpt-4o", **step))
        counts.append(found.json()["input_tokens"])
    assert 0 < counts[0] < min(counts[1:4])
    assert counts[4] > 1000


async def test_one_that_counts_is_asked_before_one_that_does_not() -> None:
    """Candidates that do not speak Messages are no fallback for a count."""
    mixed = Alias(targets=(Target(model=CLAUDE),), fallbacks=("openai/gpt-4o",))
    app, transport = gateway(answer({"error": {"message": "x"}}, 503), aliases={"mixed": mixed})
    found = await drive(app, PATH, body("mixed"))
    assert found.status == 503
    assert found.json()["type"] == "error"
    assert len(transport.requests) == 1


async def test_the_route_is_decided_once() -> None:
    """A rule that draws lots must not draw twice."""
    asked = []

    async def rule(exchange: Exchange) -> Route | None:
        asked.append(exchange.model)
        provider = "anthropic" if len(asked) == 1 else "openai"
        return Route(candidates=(Candidate(provider=provider, model="m"),))

    app, transport = gateway(answer(COUNT), rules=[rule])
    found = await drive(app, PATH, body("any"))
    assert (found.status, found.json()) == (200, COUNT)
    assert asked == ["any"]
    assert transport.body()["model"] == "m"


async def test_a_model_spoken_to_in_messages_counts_whoever_serves_it() -> None:
    """The dialect decides, not the vendor."""
    native = {"anthropic.messages": "anthropic.messages"}
    models = (
        Model("deepseek/chat", api_key=KEY, base_url="https://x.example/v1", dialects=native),
    )
    app, transport = gateway(answer(COUNT), models=models)
    assert (await drive(app, PATH, body("deepseek/chat"))).json() == COUNT
    assert transport.requests[0].url == "https://x.example/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="cut"),
        pytest.param({"messages": []}, 400, id="no-model"),
        pytest.param(body("nobody/knows"), 404, id="unknown"),
        pytest.param({"model": "openai/gpt-4o", "messages": "hi"}, 400, id="messages-type"),
        pytest.param({"model": "openai/gpt-4o"}, 400, id="no-messages"),
        pytest.param({"model": 1}, 400, id="model-type"),
    ],
)
async def test_what_cannot_be_counted_is_refused_in_anthropics_shape(
    asked: object, status: int
) -> None:
    """As its own endpoint does."""
    app, transport = gateway(answer(COUNT))
    found = await drive(app, PATH, asked, headers=HEADERS)
    assert found.status == status
    assert found.json()["type"] == "error"
    assert found.json()["error"]["message"]
    assert not transport.requests


async def test_an_upstreams_refusal_keeps_its_words() -> None:
    """In the same shape."""
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too odd"}}
    app, _ = gateway(answer(error, 400))
    found = await drive(app, PATH, body(CLAUDE))
    assert found.status == 400
    assert found.json()["error"] == error["error"]
