"""
Cursor: an "OpenAI" base URL of one's own. Agent mode posts a Responses-shaped body to chat
completions, ask mode a chat body with flat tools in between; both want chat chunks.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_chat
from clients.stage import CLIENT_KEY, KEY, Stage
from clients.thoughts import THOUGHT, chat_deltas, thinking_stream
from upstream import Tool, anthropic_stream, chat_reply, chat_stream

CHAT = "/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {CLIENT_KEY}", "user-agent": "Go-http-client/2.0"}
SCHEMA = {
    "type": "object",
    "properties": {"target_file": {"type": "string"}},
    "required": ["target_file"],
}
READ: dict[str, Any] = {
    "type": "function",
    "name": "read_file",
    "description": "Read a file",
    "parameters": SCHEMA,
}
PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "ApplyPatch",
    "description": "Apply a V4A patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: LF"},
}
CALL = Tool("call_1", "read_file", '{"target_file":"main.py"}')
UPSTREAMS = ["openai/gpt-5", "mistral/large", "anthropic/claude-sonnet-4-5"]


def agent(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Agent mode's body; *later* are the items after the first turn's."""
    return {
        "model": model,
        "input": [
            {"role": "system", "content": "You are a coding assistant."},
            {"role": "user", "content": [{"type": "input_text", "text": "Read main.py"}]},
            *later,
        ],
        "tools": [READ],
        "tool_choice": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_retention": "24h",
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "medium"},
        "user": "auth0|user_01",
        "metadata": {"cursorConversationId": "c1"},
        **fields,
    }


def ask(model: str, *tools: dict[str, Any]) -> dict[str, Any]:
    """Ask mode's body: chat messages, and tools of whatever shape."""
    messages = [{"role": "user", "content": "Read main.py"}]
    return {"model": model, "messages": messages, "tools": list(tools), "stream": True}


def stream_of(model: str) -> Any:
    """How the upstream of *model* streams."""
    return anthropic_stream if model.startswith("anthropic/") else chat_stream


@pytest.mark.parametrize("model", UPSTREAMS)
def test_agent_mode_is_answered_in_chat_chunks(stage: Stage, model: str) -> None:
    """Whatever the upstream speaks; usage comes last because it was asked for."""
    reply = stream_of(model)(["I will ", "read it.", CALL])
    found = read_chat(stage.post(CHAT, agent(model), HEADERS, reply))
    assert found["message"]["content"] == "I will read it."
    (call,) = found["message"]["tool_calls"]
    assert call["function"]["name"] == "read_file"
    assert json.loads(call["function"]["arguments"]) == {"target_file": "main.py"}
    assert found["finish_reason"] == "tool_calls"
    assert found["usage"]["total_tokens"] == 15


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large"])
def test_a_chat_upstream_gets_a_chat_body(stage: Stage, model: str) -> None:
    """Messages and nested tools, and none of the fields it would refuse."""
    stage.post(CHAT, agent(model), HEADERS, chat_stream())
    sent = stage.sent.json()
    assert stage.sent.path == "/v1/chat/completions"
    assert stage.sent.headers["authorization"] == f"Bearer {KEY}"
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
    assert sent["tools"][0]["function"]["name"] == "read_file"
    assert sent["stream"] is True
    assert not {"input", "include", "text", "reasoning"} & set(sent)


@pytest.mark.parametrize("model", UPSTREAMS)
def test_agent_mode_sends_results_as_items(stage: Stage, model: str) -> None:
    """The second turn: a call and its output, flat in the input."""
    call = {
        "type": "function_call",
        "call_id": "call_1",
        "name": "read_file",
        "arguments": '{"target_file":"main.py"}',
    }
    output = {"type": "function_call_output", "call_id": "call_1", "output": "print()"}
    asked = agent(model, call, output)
    found = read_chat(stage.post(CHAT, asked, HEADERS, stream_of(model)(["It prints."])))
    assert found["message"] == {"role": "assistant", "content": "It prints."}
    *_, turn, answered = stage.sent.json()["messages"]
    assert "read_file" in json.dumps(turn)
    assert "print()" in json.dumps(answered)


def test_agent_mode_cannot_lean_on_a_stored_answer(stage: Stage) -> None:
    """Chat completions has none; the history would be lost in silence."""
    asked = agent("openai/gpt-5", previous_response_id="resp_1")
    found = stage.post(CHAT, asked, HEADERS)
    assert found.status == 400
    assert found.json()["error"]["param"] == "previous_response_id"


NESTED_PATCH = {
    "name": "ApplyPatch",
    "description": "Apply a V4A patch",
    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: LF"}},
}
NESTED_READ = {"name": "read_file", "description": "Read a file", "parameters": SCHEMA}


@pytest.mark.parametrize("mode", ["agent", "ask"])
def test_a_patch_tool_reaches_openai_as_a_custom_tool(stage: Stage, mode: str) -> None:
    """Nested as chat completions wants it; the call comes back as one of a custom tool."""
    custom = {"name": "ApplyPatch", "input": ""}
    reply = chat_deltas(
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, "id": "call_2", "type": "custom", "custom": custom}]},
        {"tool_calls": [{"index": 0, "custom": {"input": "*** Begin Patch"}}]},
        finish="tool_calls",
    )
    model = "openai/gpt-5"
    asked = agent(model, tools=[READ, PATCH]) if mode == "agent" else ask(model, READ, PATCH)
    found = read_chat(stage.post(CHAT, asked, HEADERS, reply))
    read, patch = stage.sent.json()["tools"]
    assert (read["type"], patch["type"]) == ("function", "custom")
    assert {k: v for k, v in read["function"].items() if k != "strict"} == NESTED_READ
    assert patch["custom"] == NESTED_PATCH
    (call,) = found["message"]["tool_calls"]
    assert call["custom"] == {"name": "ApplyPatch", "input": "*** Begin Patch"}


def test_ask_mode_mixes_flat_and_nested_tools(stage: Stage) -> None:
    """The nested ones stay as they are, unknown fields too; a flat choice is nested as well."""
    nested = {"type": "function", "function": {"name": "grep", "parameters": SCHEMA, "x": 1}}
    asked = ask("openai/gpt-5", nested, PATCH)
    asked["tool_choice"] = {"type": "custom", "name": "ApplyPatch"}
    read_chat(stage.post(CHAT, asked, HEADERS, chat_stream()))
    sent = stage.sent.json()
    assert sent["tools"] == [nested, {"type": "custom", "custom": NESTED_PATCH}]
    assert sent["tool_choice"] == {"type": "custom", "custom": {"name": "ApplyPatch"}}


def test_ask_mode_over_anthropic(stage: Stage) -> None:
    """A flat custom tool is a function with one text there."""
    asked = ask("anthropic/claude-sonnet-4-5", READ, PATCH)
    read_chat(stage.post(CHAT, asked, HEADERS, anthropic_stream()))
    read, patch = stage.sent.json()["tools"]
    assert (read["name"], patch["name"]) == ("read_file", "ApplyPatch")
    assert list(patch["input_schema"]["properties"]) == ["input"]


@pytest.mark.parametrize("mode", ["agent", "ask"])
def test_a_patch_over_anthropic_is_free_text_again(stage: Stage, mode: str) -> None:
    """The client sees a call of what it declared."""
    model = "anthropic/claude-sonnet-4-5"
    tool = Tool("call_2", "ApplyPatch", '{"input":"*** Begin Patch"}')
    asked = agent(model, tools=[READ, PATCH]) if mode == "agent" else ask(model, READ, PATCH)
    found = read_chat(stage.post(CHAT, asked, HEADERS, anthropic_stream([tool])))
    (call,) = found["message"]["tool_calls"]
    assert call.get("custom") == {"name": "ApplyPatch", "input": "*** Begin Patch"}


def test_thoughts_are_shown_while_they_come(stage: Stage) -> None:
    """In ``reasoning_content``, before the text."""
    asked = agent("anthropic/claude-sonnet-4-5")
    found = read_chat(stage.post(CHAT, asked, HEADERS, thinking_stream(text="It prints.")))
    assert stage.sent.json()["thinking"]["type"] == "enabled"
    assert found["message"]["reasoning_content"] == THOUGHT
    assert found["message"]["content"] == "It prints."


def test_the_key_check_is_a_small_unary_chat(stage: Stage) -> None:
    """What "Verify" in the settings sends."""
    asked = {"model": "openai/gpt-5", "messages": [{"role": "user", "content": "Testing."}]}
    found = stage.post(CHAT, asked, HEADERS, chat_reply("Hi"))
    assert found.json()["choices"][0]["message"]["content"] == "Hi"
