"""Thinking across vendors: replayed where it was made, taken out where it means nothing."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import KEY, gateway
from memory_transport import answer
from plano_asgi.config import Model
from plano_asgi.routing.names import Alias, Target

pytestmark = pytest.mark.anyio

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
CLAUDE_ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [THOUGHT, {"type": "text", "text": "yes"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
CHAT_ANSWER: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
    ],
}
ERROR = answer({"error": {"message": "down"}}, 503)
USER = {"role": "user", "content": "well?"}


async def ask(app: Any, path: str, model: str, turns: list[Any]) -> Any:
    """One unary turn; the decoded answer."""
    field = "input" if path == "/v1/responses" else "messages"
    extra = {"max_tokens": 2000} if path == "/v1/messages" else {}
    found = await drive(app, path, {"model": model, field: turns, **extra})
    assert found.status == 200, found.body
    return found.json()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_signature_survives_a_client_of_another_dialect(path: str) -> None:
    """What the client hands back is the thinking block, signed as it was."""
    app, transport = gateway(answer(CLAUDE_ANSWER))
    model = "anthropic/claude-sonnet-4-5"
    first = await ask(app, path, model, [USER])
    said = first["output"] if path == "/v1/responses" else [first["choices"][0]["message"]]
    await ask(app, path, model, [USER, *said, USER])
    turns = transport.body()["messages"]
    assert turns[1]["content"][0] == THOUGHT


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_thinking_of_one_vendor_never_reaches_another(path: str) -> None:
    """The conversation moves to another model: the text goes on, the thinking stays."""
    app, transport = gateway(answer(CLAUDE_ANSWER))
    first = await ask(app, path, "anthropic/claude-sonnet-4-5", [USER])
    said = first["output"] if path == "/v1/responses" else [first["choices"][0]["message"]]
    native = Model("openai/gpt-4o", api_key=KEY)
    app, transport = gateway(
        answer({**CHAT_ANSWER, "output": [], "status": "completed", "id": "resp_1"}),
        models=(native,),
    )
    await ask(app, path, "openai/gpt-4o", [USER, *said, USER])
    sent = transport.requests[-1].content
    assert b"yes" in sent
    assert b"c2lnbmVk" not in sent
    assert b"plano1." not in sent
    assert b"reasoning" not in sent


async def test_packed_reasoning_is_not_relayed_to_its_own_dialect() -> None:
    """An Anthropic client got another vendor's reasoning; Anthropic must not see it as its own."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    text = {"type": "output_text", "text": "yes", "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [text]}
    native = {"id": "resp_1", "status": "completed", "model": "m", "output": [reasoning, message]}
    to_responses = dict.fromkeys(("anthropic.messages",), "openai.responses")
    app, transport = gateway(
        answer(native), models=(Model("openai/gpt-5", api_key=KEY, dialects=to_responses),)
    )
    first = await ask(app, "/v1/messages", "openai/gpt-5", [USER])
    assert first["content"][0]["type"] == "thinking"
    said = {"role": "assistant", "content": first["content"]}
    await ask(app, "/v1/messages", "openai/gpt-5", [USER, said, USER])
    assert b"gAAA" in transport.requests[-1].content, "back home, the ciphertext is itself again"
    app, transport = gateway(answer(CLAUDE_ANSWER))
    await ask(app, "/v1/messages", "anthropic/claude-sonnet-4-5", [USER, said, USER])
    sent = transport.requests[-1].content
    assert b"plano1." not in sent
    assert b"thinking" not in sent
    assert b"yes" in sent


async def test_a_failover_to_another_family_takes_signed_thinking_out() -> None:
    """And one within the family keeps it."""
    models = (
        Model("anthropic/claude-sonnet-4-5", api_key=KEY),
        Model("anthropic/claude-haiku-4-5", api_key=KEY),
        Model("vercel/anthropic/claude-sonnet-4.5", api_key=KEY),
    )
    said = {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "yes"}]}
    for fallback, kept in (("anthropic/claude-haiku-4-5", True), (models[2].model, False)):
        alias = Alias(targets=(Target(model=models[0].model),), fallbacks=(fallback,))
        app, transport = gateway(
            ERROR, answer(CLAUDE_ANSWER), models=models, aliases={"smart": alias}
        )
        await ask(app, "/v1/messages", "smart", [USER, said, USER])
        assert len(transport.requests) == 2
        assert (b"c2lnbmVk" in transport.requests[1].content) is kept


@pytest.mark.parametrize("model", ["mistral/small", "anthropic/claude-sonnet-4-5", "plano/echo"])
@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "background"])
async def test_state_kept_elsewhere_is_never_ignored(model: str, field: str) -> None:
    """An upstream without it would answer another conversation."""
    models = (Model("mistral/*", api_key=KEY, drop_unsupported=True), "plano/echo")
    app, transport = gateway(
        answer(CHAT_ANSWER), models=(*models, Model("anthropic/*", api_key=KEY))
    )
    value: Any = True if field == "background" else "resp_1"
    found = await drive(app, "/v1/responses", {"model": model, "input": "hi", field: value})
    assert found.status == 400
    assert field in found.json()["error"]["message"]
    assert transport.requests == []
