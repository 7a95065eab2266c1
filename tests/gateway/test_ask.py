"""Asking a gateway's models from inside the process."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_build import gateway
from memory_transport import answer
from plano_asgi.conversation import ChatRequest, Message, TextPart
from plano_asgi.errors import ModelNotFound, UpstreamProtocolError, UpstreamStatus
from plano_asgi.exchange import Exchange

CHAT = {
    "id": "c",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "safe"}}
    ],
}
CLAUDE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "safe"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def _request(model: str) -> ChatRequest:
    return ChatRequest(model=model, messages=[Message(role="user", parts=[TextPart(text="Hi")])])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("model", "body"),
    [("openai/gpt-4o", CHAT), ("anthropic/claude-sonnet-4-5", CLAUDE)],
)
async def test_any_model_is_asked_in_its_own_api(model: str, body: Any) -> None:
    """And answers in the neutral form; no step of the gateway runs."""

    async def never(exchange: Exchange) -> None:
        raise AssertionError("a step ran")

    plano, transport = gateway(answer(body), steps=[never])
    response = await plano.ask(_request(model))
    (part,) = response.choices[0].parts
    assert isinstance(part, TextPart)
    assert part.text == "safe"
    assert len(transport.requests) == 1
    await plano.aclose()


@pytest.mark.anyio
async def test_failures_are_raised_as_a_client_would_be_told() -> None:
    """An unknown model, an upstream that refuses."""
    plano, _ = gateway(answer({"error": {"message": "no"}}, status=401))
    with pytest.raises(ModelNotFound):
        await plano.ask(_request("nobody/nothing"))
    with pytest.raises(UpstreamStatus):
        await plano.ask(_request("openai/gpt-4o"))
    await plano.aclose()


@pytest.mark.anyio
async def test_relayed_apis_are_posted_to() -> None:
    """The body's model chooses the provider and is named as it calls it."""
    plano, transport = gateway(answer({"results": [{"flagged": False}]}))
    found = await plano.post_json("/moderations", {"model": "openai/gpt-4o", "input": ["Hi"]})
    assert found == {"results": [{"flagged": False}]}
    assert transport.requests[0].url.endswith("/moderations")
    assert b'"gpt-4o"' in transport.requests[0].content
    await plano.aclose()


@pytest.mark.anyio
async def test_an_answer_that_is_no_object_is_an_error() -> None:
    """It could not be made sense of."""
    plano, _ = gateway(answer([1, 2]))
    with pytest.raises(UpstreamProtocolError):
        await plano.post_json("/moderations", {"model": "openai/gpt-4o", "input": ["Hi"]})
    await plano.aclose()
