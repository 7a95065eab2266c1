"""Where a request would go, without asking the model."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.exchange import Candidate, Exchange, Route

HI: dict[str, Any] = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    [
        "/routing/v1/chat/completions",
        "/v1/routing/v1/chat/completions",
        "/routing/chat/completions/",
        "/routing/v1/messages",
    ],
)
async def test_a_decision_asks_no_model(path: str) -> None:
    """200 with the shape that Plano answers; nothing goes upstream."""

    async def rule(exchange: Exchange) -> Route:
        return Route(candidates=(Candidate(provider="openai", model="gpt-4o"),), reason="rule")

    app, transport = gateway(answer({}), rules=[rule])
    found = await drive(app, path, HI)
    assert found.status == 200
    assert {"models", "route", "trace_id", "pinned"} <= set(found.json())
    assert transport.requests == []
    await app.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/routing/v1/embeddings", "/routing", "/routing/v1/models"])
async def test_there_are_decisions_about_chat_only(path: str) -> None:
    """Everything else is not there."""
    app, _ = gateway(answer({}))
    assert (await drive(app, path, HI)).status == 404
    await app.aclose()


@pytest.mark.anyio
async def test_headers_of_steps_go_out_with_answers_and_errors() -> None:
    """What a limit tells, say."""

    async def step(exchange: Exchange) -> None:
        exchange.response_headers["x-team"] = "blue"

    app, _ = gateway(answer({}, status=500), steps=[step])
    assert (await drive(app, "/routing/v1/chat/completions", HI)).status == 200
    assert (await drive(app, "/v1/chat/completions", HI)).headers["x-team"] == "blue"
    await app.aclose()
