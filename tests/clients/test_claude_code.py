"""
Claude Code: Messages with thinking, tools and betas, streamed; counts; a look at the base URL.

The bodies have every field that Claude Code 2.1 sends, with short texts.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi_drive import drive
from clients.reading import read_messages
from clients.stage import CLIENT_KEY, CODER, KEY, REASONER, Stage
from clients.thoughts import (
    CIPHERTEXT,
    SIGNATURE,
    THINKING,
    THOUGHT,
    function_call,
    reasoning_chat_stream,
    reasoning_responses_stream,
    sse,
    thinking_stream,
)
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.gateway import ApiKeys
from upstream import Reply, Tool, anthropic_stream, chat_stream, error_reply

MESSAGES = "/v1/messages?beta=true"
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
HEADERS = {
    "accept": "application/json",
    "authorization": f"Bearer {CLIENT_KEY}",
    "user-agent": "claude-cli/2.1.197 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "a1f7bfb4-dbe2-4d5c-bc6d-2f43f414ff55",
    "x-stainless-lang": "js",
    "anthropic-beta": BETAS,
    "anthropic-version": "2023-06-01",
    "anthropic-dangerous-direct-browser-access": "true",
}
CACHED = {"cache_control": {"type": "ephemeral"}}
USER_ID = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "s" * 36})
BASH = {
    "name": "Bash",
    "description": "Run a command",
    "input_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
        "additionalProperties": False,
    },
}
CALL = Tool("toolu_1", "Bash", '{"command":"ls"}')
CALL_BLOCK = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}
REMINDER = {"role": "system", "content": "Available agent types: none"}


def body(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One turn's request; *later* are the turns after the first."""
    return {
        "model": model,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nToday is Sunday."},
                    {"type": "text", "text": "What is here?", **CACHED},
                ],
            },
            *later,
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197;"},
            {"type": "text", "text": "You are Claude Code.", **CACHED},
        ],
        "tools": [BASH],
        "metadata": {"user_id": USER_ID},
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
        **fields,
    }


def result(call: dict[str, Any], text: str = "README.md") -> dict[str, Any]:
    """The turn that answers *call*."""
    block = {"tool_use_id": call["id"], "type": "tool_result", "content": text, "is_error": False}
    return {"role": "user", "content": [{**block, **CACHED}]}


def test_the_look_at_the_base_url_finds_somebody(stage: Stage) -> None:
    """Before it starts; a 405 would read as down. The runtime sends no headers of its own."""
    found = stage.send("HEAD", "/", {"accept": "*/*"})
    assert (found.status, found.body) == (200, b"")


def test_anthropic_gets_the_body_as_it_is(stage: Stage) -> None:
    """Every field and cache mark of it; only the model's name loses its prefix."""
    asked = body("anthropic/claude-sonnet-4-5")
    read_messages(stage.post(MESSAGES, asked, HEADERS, anthropic_stream()))
    assert stage.sent.path == "/v1/messages"
    assert stage.sent.json() == asked | {"model": "claude-sonnet-4-5"}


def test_anthropic_gets_the_betas_and_the_gateways_key(stage: Stage) -> None:
    """And nothing that tells who the client is."""
    stage.post(MESSAGES, body("anthropic/claude-sonnet-4-5"), HEADERS, anthropic_stream())
    headers = stage.sent.headers
    assert headers["anthropic-beta"] == BETAS
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["x-api-key"] == KEY
    assert CLIENT_KEY not in str(headers)
    assert not {"x-claude-code-session-id", "x-app", "authorization"} & set(headers)
    assert "claude-cli" not in headers["user-agent"]


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large", "deepseek/chat"])
def test_nobody_else_hears_of_betas(stage: Stage, model: str) -> None:
    """A backend may refuse what it does not know."""
    stage.post(MESSAGES, body(model), HEADERS, chat_stream())
    assert not [name for name in stage.sent.headers if name.startswith(("anthropic-", "x-app"))]
    assert stage.sent.headers["authorization"] == f"Bearer {KEY}"


def test_anthropics_stream_is_relayed_byte_for_byte(stage: Stage) -> None:
    """Pings, thinking, blocks and events that nobody knows yet."""
    reply = sse(
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1}}},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram", "a": 1}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta", "b": 2}},
        {"type": "content_block_stop", "index": 0},
        {"type": "thinking_token_count", "count": 12},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    )
    found = stage.post(MESSAGES, body("anthropic/claude-sonnet-4-5"), HEADERS, reply)
    assert found.body == b"".join(step for step in reply.body if isinstance(step, bytes))
    assert found.headers["content-type"].startswith("text/event-stream")


def test_blocks_nobody_knows_reach_anthropic(stage: Stage) -> None:
    """A new client with an old gateway keeps working."""
    hologram = {"role": "user", "content": [{"type": "hologram", "data": {"x": [1, None]}}]}
    asked = body("anthropic/claude-sonnet-4-5", hologram, new_field={"y": 1})
    stage.post(MESSAGES, asked, HEADERS, anthropic_stream())
    assert stage.sent.json()["messages"][1] == hologram
    assert stage.sent.json()["new_field"] == {"y": 1}


def test_a_tool_loop_with_anthropic_replays_signed_thinking(stage: Stage) -> None:
    """The second turn reaches the upstream with the block it signed."""
    model = "anthropic/claude-sonnet-4-5"
    first = read_messages(stage.post(MESSAGES, body(model), HEADERS, thinking_stream(CALL)))
    assert first["content"] == [THINKING, CALL_BLOCK]
    assert first["stop_reason"] == "tool_use"
    said = {"role": "assistant", "content": first["content"]}
    asked = body(model, said, result(CALL_BLOCK))
    second = read_messages(stage.post(MESSAGES, asked, HEADERS, thinking_stream(text="A file.")))
    assert stage.sent.json()["messages"] == asked["messages"]
    assert second["content"][-1] == {"type": "text", "text": "A file."}


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large", "deepseek/chat", CODER])
def test_a_tool_loop_over_a_chat_upstream(stage: Stage, model: str) -> None:
    """Text, call, result and answer; the arguments are an object for Claude Code."""
    reply = chat_stream(["I will look. ", CALL], usage=(100, 5))
    first = read_messages(stage.post(MESSAGES, body(model), HEADERS, reply))
    assert stage.sent.path == "/v1/chat/completions"
    tools = stage.sent.json()["tools"]
    assert [tool["function"]["name"] for tool in tools] == ["Bash"]
    assert first["content"][-1] == CALL_BLOCK
    assert first["stop_reason"] == "tool_use"
    assert first["usage"]["input_tokens"] == 100
    asked = body(model, {"role": "assistant", "content": first["content"]}, result(CALL_BLOCK))
    second = read_messages(stage.post(MESSAGES, asked, HEADERS, chat_stream(["A file."])))
    *_, call, answered = stage.sent.json()["messages"]
    assert call["tool_calls"][0]["function"]["name"] == "Bash"
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"command": "ls"}
    assert answered["role"] == "tool"
    assert answered["tool_call_id"] == call["tool_calls"][0]["id"]
    assert answered["content"] == "README.md"
    assert second["content"] == [{"type": "text", "text": "A file."}]
    assert second["stop_reason"] == "end_turn"


def test_thoughts_of_a_chat_model_are_thinking_blocks(stage: Stage) -> None:
    """And sent back they reach nobody as signed thinking."""
    model = "deepseek/chat"
    first = read_messages(stage.post(MESSAGES, body(model), HEADERS, reasoning_chat_stream(CALL)))
    assert [block["type"] for block in first["content"]] == ["thinking", "tool_use"]
    assert first["content"][0]["thinking"] == THOUGHT
    said = {"role": "assistant", "content": first["content"]}
    asked = body(model, said, result(CALL_BLOCK))
    read_messages(stage.post(MESSAGES, asked, HEADERS, chat_stream()))
    assert "plano1." not in json.dumps(stage.sent.json())


def test_a_chat_model_gets_its_thoughts_back(stage: Stage) -> None:
    """In a tool loop its thinking mode demands them."""
    model = "deepseek/chat"
    first = read_messages(stage.post(MESSAGES, body(model), HEADERS, reasoning_chat_stream(CALL)))
    said = {"role": "assistant", "content": first["content"]}
    stage.post(MESSAGES, body(model, said, result(CALL_BLOCK)), HEADERS, chat_stream())
    assert stage.sent.json()["messages"][-2].get("reasoning_content") == THOUGHT


def test_encrypted_reasoning_survives_claude_code(stage: Stage) -> None:
    """A Responses upstream gets its ciphertext back out of the thinking block."""
    reply = reasoning_responses_stream(function_call(CALL))
    first = read_messages(stage.post(MESSAGES, body(REASONER), HEADERS, reply))
    assert stage.sent.json()["include"] == ["reasoning.encrypted_content"]
    assert first["content"][0]["thinking"] == THOUGHT
    said = {"role": "assistant", "content": first["content"]}
    asked = body(REASONER, said, result(CALL_BLOCK))
    stage.post(MESSAGES, asked, HEADERS, reasoning_responses_stream())
    items = {item["type"]: item for item in stage.sent.json()["input"] if "type" in item}
    assert items["reasoning"]["encrypted_content"] == CIPHERTEXT
    assert items["function_call"]["call_id"] == items["function_call_output"]["call_id"]


def test_foreign_thinking_does_not_reach_a_chat_upstream(stage: Stage) -> None:
    """The model was switched in the middle of a conversation."""
    said = {"role": "assistant", "content": [THINKING, {"type": "text", "text": "Hm."}]}
    asked = body("openai/gpt-5", said, {"role": "user", "content": "Well?"})
    read_messages(stage.post(MESSAGES, asked, HEADERS, chat_stream()))
    assert SIGNATURE not in json.dumps(stage.sent.json())


def test_newer_bodies_are_understood_over_a_chat_upstream(stage: Stage) -> None:
    """Adaptive thinking, an effort, and system messages in the middle of a conversation."""
    asked = body(
        "openai/gpt-5",
        REMINDER,
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
    )
    read_messages(stage.post(MESSAGES, asked, HEADERS, chat_stream()))
    sent = stage.sent.json()
    assert sent["reasoning_effort"] == "high"
    assert sent["messages"][-1] == REMINDER
    assert sent["max_completion_tokens"] == 32000
    assert not {"thinking", "context_management", "metadata", "system"} & set(sent)


def test_the_user_id_fits_what_openai_takes(stage: Stage) -> None:
    """It is a JSON text of 150 characters."""
    read_messages(stage.post(MESSAGES, body("openai/gpt-5"), HEADERS, chat_stream()))
    assert len(stage.sent.json().get("user", "")) <= 64


def test_title_generation_is_a_small_request_without_tools(stage: Stage) -> None:
    """Structured output and no thinking: the background model's job."""
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    asked = body(
        "openai/gpt-5",
        tools=[],
        thinking={"type": "disabled"},
        temperature=1,
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    found = read_messages(stage.post(MESSAGES, asked, HEADERS, chat_stream(['{"title":"x"}'])))
    assert found["content"] == [{"type": "text", "text": '{"title":"x"}'}]
    sent = stage.sent.json()
    assert sent["response_format"]["json_schema"]["schema"]["properties"] == schema["properties"]
    assert not sent.get("tools")


def test_tokens_are_counted_by_anthropic(stage: Stage) -> None:
    """The body has no max_tokens and no stream."""
    asked = {k: v for k, v in body("anthropic/claude-sonnet-4-5").items() if k in _COUNTED}
    reply = Reply(body=b'{"input_tokens":2095}')
    found = stage.post("/v1/messages/count_tokens?beta=true", asked, HEADERS, reply)
    assert found.json() == {"input_tokens": 2095}
    assert stage.sent.path == "/v1/messages/count_tokens"
    assert stage.sent.headers["anthropic-beta"] == BETAS
    assert stage.sent.json() == asked | {"model": "claude-sonnet-4-5"}


_COUNTED = ("model", "messages", "system", "tools", "thinking")


def test_tokens_are_estimated_elsewhere(stage: Stage) -> None:
    """Claude Code wants a number only; nothing is sent upstream."""
    asked = {k: v for k, v in body("openai/gpt-5").items() if k in _COUNTED}
    found = stage.post("/v1/messages/count_tokens?beta=true", asked, HEADERS)
    assert found.status == 200
    assert found.json()["input_tokens"] > 20
    assert not stage.upstream.requests


def test_errors_of_any_upstream_are_anthropics(stage: Stage) -> None:
    """With the wait it asked for; the client must not multiply our own tries."""
    reply = error_reply(429, "slow down", headers={"retry-after": "7"})
    found = stage.post(MESSAGES, body("openai/gpt-5"), HEADERS, reply)
    assert found.status == 429
    assert found.json()["type"] == "error"
    assert found.json()["error"] == {"type": "rate_limit_error", "message": "slow down"}
    assert found.headers["retry-after"] == "7"
    assert found.headers["x-should-retry"] == "false"
    assert found.headers["request-id"]


def test_overloaded_stays_529(stage: Stage) -> None:
    """Anthropic's own status and words."""
    reply = error_reply(529, "Overloaded", dialect="anthropic.messages", type="overloaded_error")
    found = stage.post(MESSAGES, body("anthropic/claude-sonnet-4-5"), HEADERS, reply)
    assert (found.status, found.json()["error"]["type"]) == (529, "overloaded_error")


def test_models_are_listed_in_anthropics_shape(stage: Stage) -> None:
    """Model discovery shows ids that begin with claude: an alias does."""
    headers = {k: HEADERS[k] for k in ("authorization", "anthropic-version", "user-agent")}
    found = stage.send("GET", "/v1/models?limit=1000", headers)
    ids = {model["id"]: model for model in found.json()["data"]}
    assert ids[CODER]["type"] == "model"
    assert found.json()["has_more"] is False


@pytest.mark.anyio
@pytest.mark.parametrize(
    "credential", [{"authorization": "Bearer sk-team-key"}, {"x-api-key": "sk-team-key"}]
)
async def test_either_credential_opens_the_gateway(credential: dict[str, str]) -> None:
    """ANTHROPIC_AUTH_TOKEN comes as a bearer token, ANTHROPIC_API_KEY as x-api-key."""
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": {}}
    app, transport = gateway(answer(whole), auth=ApiKeys({"team": "sk-team-key"}))
    asked = body("anthropic/claude-sonnet-4-5", stream=False)
    found = await drive(app, "/v1/messages", asked, headers=credential)
    assert found.status == 200
    assert "sk-team-key" not in str(transport.requests[0].headers)
    refused = await drive(app, "/v1/messages", asked, headers={"x-api-key": "wrong-key"})
    assert (refused.status, refused.json()["error"]["type"]) == (401, "authentication_error")
    assert (await drive(app, "/", method="HEAD")).status == 200, "the look needs no key"
