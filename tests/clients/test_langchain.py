"""
LangChain: ``ChatOpenAI`` (chat, and Responses on demand) and ``ChatAnthropic``, each against
upstreams of the other's API too.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_chat, read_messages, read_responses
from clients.stage import CLIENT_KEY, Stage
from upstream import (
    Tool,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_stream,
)

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
OPENAI = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "user-agent": "OpenAI/Python 3.54.0",
    "x-stainless-lang": "python",
    "x-stainless-retry-count": "0",
}
ANTHROPIC = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "user-agent": "langchain-anthropic/1.7.7",
    "anthropic-version": "2026-10-21",
}
SCHEMA = {"properties": {"city": {"type": "string"}}, "required": ["city"], "type": "object"}
STRICT = {**SCHEMA, "additionalProperties": False}
FUNCTION = {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
CLAUDE_TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": SCHEMA,
}
CALL = Tool("call_1", "get_weather", '{"city": "Paris"}')
CLAUDE = "anthropic/claude-sonnet-4-5"
UPSTREAMS = ["openai/gpt-5", "mistral/large", CLAUDE]
HISTORY: list[dict[str, Any]] = [
    {"content": "Be brief", "role": "system"},
    {"content": "Weather?", "role": "user"},
    {
        "content": None,
        "role": "assistant",
        "tool_calls": [
            {
                "type": "function",
                "id": "call_1",
                "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
            }
        ],
    },
    {"content": "sunny", "role": "tool", "tool_call_id": "call_1"},
]


def chat(model: str, **fields: Any) -> dict[str, Any]:
    """``ChatOpenAI``'s body."""
    return {"model": model, "stream": False, "messages": HISTORY, "tools": [TOOL], **fields}


def claude(model: str, **fields: Any) -> dict[str, Any]:
    """``ChatAnthropic``'s body."""
    call = {"type": "tool_use", "name": "get_weather", "input": {"city": "Paris"}, "id": "call_1"}
    result = {
        "type": "tool_result",
        "content": "sunny",
        "tool_use_id": "call_1",
        "is_error": False,
    }
    return {
        "max_tokens": 4096,
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
        "model": model,
        "system": "Be brief",
        "tools": [CLAUDE_TOOL],
        **fields,
    }


# --------------------------------------------------------------------------- ChatOpenAI


@pytest.mark.parametrize("model", UPSTREAMS)
@pytest.mark.parametrize("extra", [{}, {"n": 1, "temperature": 0.7, "stop": ["\n\n"]}])
def test_invoke_with_a_tool_history(stage: Stage, model: str, extra: dict[str, Any]) -> None:
    """Null content before a call; and the defaults that older versions always send."""
    is_claude = model == CLAUDE
    reply = (anthropic_reply if is_claude else chat_reply)("It is sunny.")
    found = stage.post(CHAT, chat(model, **extra), OPENAI, reply)
    assert found.json()["choices"][0]["message"]["content"] == "It is sunny."
    turns = stage.sent.json()["messages"]
    assert "sunny" in json.dumps(turns[-1])
    assert "n" not in stage.sent.json() or not is_claude


@pytest.mark.parametrize("model", UPSTREAMS)
def test_a_stream_has_usage_only_where_asked(stage: Stage, model: str) -> None:
    """``stream_usage`` is off with a base URL of one's own; on, a chunk with usage alone comes."""
    stream = anthropic_stream if model == CLAUDE else chat_stream
    asked = {"model": model, "messages": HISTORY[:2], "stream": True}
    found = stage.post(CHAT, asked, OPENAI, stream(["Hel", "lo!"]))
    assert read_chat(found)["usage"] is None
    assert all(event["choices"] for event in found.events() if event != "[DONE]")
    asked["stream_options"] = {"include_usage": True}
    found = stage.post(CHAT, asked, OPENAI, stream(["Hel", "lo!"]))
    *_, last, done = found.events()
    assert done == "[DONE]"
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 15)


@pytest.mark.parametrize("model", UPSTREAMS)
def test_streamed_tool_calls_are_merged_by_index(stage: Stage, model: str) -> None:
    """As ``AIMessageChunk`` adds them up."""
    stream = anthropic_stream if model == CLAUDE else chat_stream
    found = read_chat(stage.post(CHAT, chat(model, stream=True), OPENAI, stream([CALL, CALL])))
    calls = found["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Paris"}] * 2


@pytest.mark.parametrize(
    ("choice", "anthropics"),
    [
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
        ),
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
    ids=["any", "named", "left-out"],
)
def test_bind_tools_means_the_same_over_anthropic(
    stage: Stage, choice: object, anthropics: object
) -> None:
    """``tool_choice``, ``strict`` and ``parallel_tool_calls=False`` together."""
    strict = {"type": "function", "function": {**FUNCTION, "parameters": STRICT, "strict": True}}
    asked = chat(CLAUDE, tools=[strict], parallel_tool_calls=False)
    if choice is not None:
        asked["tool_choice"] = choice
    found = stage.post(CHAT, asked, OPENAI, anthropic_reply(None, CALL))
    (call,) = found.json()["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    sent = stage.sent.json()
    assert sent["tool_choice"] == anthropics
    assert sent["tools"][0]["input_schema"] == STRICT
    assert sent["tools"][0]["strict"] is True


@pytest.mark.parametrize("model", UPSTREAMS)
def test_structured_output_by_schema(stage: Stage, model: str) -> None:
    """``with_structured_output`` of a pydantic model: titles and a description in the schema."""
    schema = {**STRICT, "title": "Out", "description": "An answer"}
    shape = {"type": "json_schema", "json_schema": {"schema": schema, "name": "Out"}}
    shape["json_schema"]["strict"] = True  # type: ignore[index]
    is_claude = model == CLAUDE
    reply = (anthropic_reply if is_claude else chat_reply)('{"city":"Paris"}')
    asked = {"model": model, "stream": False, "messages": HISTORY[:2], "response_format": shape}
    found = stage.post(CHAT, asked, OPENAI, reply)
    assert json.loads(found.json()["choices"][0]["message"]["content"]) == {"city": "Paris"}
    sent = stage.sent.json()
    if is_claude:
        assert sent["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    else:
        assert sent["response_format"] == shape


@pytest.mark.parametrize("model", UPSTREAMS)
def test_structured_output_by_a_forced_tool(stage: Stage, model: str) -> None:
    """``method="function_calling"``: the answer is the call's arguments."""
    tool = {"type": "function", "function": {**FUNCTION, "name": "Out"}}
    choice = {"type": "function", "function": {"name": "Out"}}
    asked = chat(model, tools=[tool], tool_choice=choice, parallel_tool_calls=False)
    asked["messages"] = HISTORY[:2]
    reply = anthropic_reply if model == CLAUDE else chat_reply
    found = stage.post(CHAT, asked, OPENAI, reply(None, CALL._replace(name="Out")))
    (call,) = found.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "Out"


def test_responses_on_demand_over_anthropic(stage: Stage) -> None:
    """``use_responses_api``: messages typed, their content plain text, the prompt one of them."""
    asked = {
        "model": CLAUDE,
        "stream": True,
        "input": [
            {"content": "Be brief", "role": "system", "type": "message"},
            {"content": "Weather?", "role": "user", "type": "message"},
            {
                "type": "function_call",
                "name": "get_weather",
                "arguments": '{"city": "Paris"}',
                "call_id": "call_1",
            },
            {"type": "function_call_output", "output": "sunny", "call_id": "call_1"},
        ],
        "tools": [{"type": "function", **FUNCTION}],
    }
    found = read_responses(stage.post(RESPONSES, asked, OPENAI, anthropic_stream(["Sunny."])))
    assert found["output"][0]["content"][0]["text"] == "Sunny."
    sent = stage.sent.json()
    assert "Be brief" in json.dumps(sent["system"])
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    asked["model"] = "openai/gpt-5"
    read_responses(stage.post(RESPONSES, asked, OPENAI, responses_stream()))
    assert stage.sent.json() == asked | {"model": "gpt-5"}


# --------------------------------------------------------------------------- ChatAnthropic


def test_claude_native_is_as_it_is(stage: Stage) -> None:
    """With the version of the API that the client speaks."""
    found = stage.post(MESSAGES, claude(CLAUDE), ANTHROPIC, anthropic_reply("Sunny."))
    assert found.json()["content"] == [{"type": "text", "text": "Sunny."}]
    assert stage.sent.json() == claude("claude-sonnet-4-5")
    assert stage.sent.headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large"])
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_claudes_class_over_a_chat_upstream(stage: Stage, model: str, streamed: bool) -> None:
    """A conversation with a call and its result."""
    if streamed:
        asked = claude(model, stream=True)
        found = read_messages(stage.post(MESSAGES, asked, ANTHROPIC, chat_stream(["Sunny."])))
    else:
        found = stage.post(MESSAGES, claude(model), ANTHROPIC, chat_reply("Sunny.")).json()
    assert found["content"] == [{"type": "text", "text": "Sunny."}]
    system, _, call, result = stage.sent.json()["messages"]
    assert system == {"role": "system", "content": "Be brief"}
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert result["content"] == "sunny"


@pytest.mark.parametrize(
    ("choice", "openais"),
    [
        ({"type": "any", "disable_parallel_tool_use": True}, "required"),
        (
            {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
    ],
    ids=["any", "named"],
)
def test_claudes_tool_choice_means_the_same_over_chat(
    stage: Stage, choice: dict[str, Any], openais: object
) -> None:
    """``parallel_tool_calls`` is a field of its own there."""
    asked = claude("openai/gpt-5", tool_choice=choice)
    found = stage.post(MESSAGES, asked, ANTHROPIC, chat_reply(None, CALL)).json()
    assert found["content"][0]["input"] == {"city": "Paris"}
    assert stage.sent.json()["tool_choice"] == openais
    assert stage.sent.json()["parallel_tool_calls"] is False


def test_claudes_structured_output_over_chat(stage: Stage) -> None:
    """``output_config.format`` becomes ``response_format``, with the name it demands."""
    shape = {"type": "json_schema", "schema": {**STRICT, "title": "Out"}}
    asked = claude("openai/gpt-5", output_config={"format": shape})
    stage.post(MESSAGES, asked, ANTHROPIC, chat_reply("{}"))
    wanted = stage.sent.json()["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"] == shape["schema"]
    assert wanted["json_schema"]["name"]
