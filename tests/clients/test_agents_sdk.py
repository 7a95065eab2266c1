"""
OpenAI Agents SDK: the Responses API by default, chat completions on demand; state that only a
server could keep is refused, never passed over.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_chat, read_responses
from clients.stage import CLIENT_KEY, Stage
from clients.thoughts import CIPHERTEXT, REASONING, THINKING, thinking_stream
from upstream import (
    Tool,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
)

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
HEADERS = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "user-agent": "Agents/Python 0.24.0",
    "x-stainless-async": "async:asyncio",
    "x-stainless-read-timeout": "600",
}
SCHEMA = {
    "properties": {"city": {"title": "City", "type": "string"}},
    "required": ["city"],
    "title": "get_weather_args",
    "type": "object",
    "additionalProperties": False,
}
EMPTY = {"additionalProperties": False, "type": "object", "properties": {}, "required": []}
FUNCTIONS = [
    {"name": "get_weather", "parameters": SCHEMA, "strict": True, "description": "Weather"},
    {"name": "transfer_to_b", "parameters": EMPTY, "strict": True, "description": "Handoff"},
]
CLAUDE = "anthropic/claude-sonnet-4-5"
FOREIGN = ["mistral/large", CLAUDE]
PARIS = Tool("call_1", "get_weather", '{"city":"Paris"}')
HANDOFF = Tool("call_2", "transfer_to_b", "{}")


def body(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A run's turn; *later* are the items after the first."""
    return {
        "model": model,
        "include": [],
        "input": [{"content": "hi", "role": "user"}, *later],
        "instructions": "Be brief",
        "reasoning": {"effort": "low"},
        "tools": [{**function, "type": "function"} for function in FUNCTIONS],
        **fields,
    }


def output(call: dict[str, Any], text: str = "sunny") -> dict[str, Any]:
    """The item that answers *call*."""
    return {"call_id": call["call_id"], "output": text, "type": "function_call_output"}


def stream_of(model: str) -> Any:
    """How the upstream of *model* streams."""
    return anthropic_stream if model == CLAUDE else chat_stream


def test_openai_gets_the_body_as_it_is(stage: Stage) -> None:
    """Unary is the default of ``Runner.run``."""
    asked = body("openai/gpt-5", previous_response_id="resp_0", parallel_tool_calls=True)
    found = stage.post(RESPONSES, asked, HEADERS, responses_reply("Hello"))
    assert found.json()["output"][0]["content"][0]["text"] == "Hello"
    assert stage.sent.json() == asked | {"model": "gpt-5"}


@pytest.mark.parametrize("streamed", [False, True], ids=["run", "run_streamed"])
@pytest.mark.parametrize("model", FOREIGN)
def test_a_run_over_another_api(stage: Stage, model: str, streamed: bool) -> None:
    """A tool and a handoff at once, both answered, then the final text."""

    def turn(asked: dict[str, Any], text: str, *tools: Tool) -> dict[str, Any]:
        if streamed:
            pieces = [text, *tools] if text else [*tools]
            asked = {**asked, "stream": True}
            return read_responses(stage.post(RESPONSES, asked, HEADERS, stream_of(model)(pieces)))
        reply = anthropic_reply if model == CLAUDE else chat_reply
        answer: dict[str, Any] = stage.post(
            RESPONSES, asked, HEADERS, reply(text or None, *tools)
        ).json()
        return answer

    first = turn(body(model), "", PARIS, HANDOFF)
    weather, handoff = first["output"]
    assert (weather["name"], handoff["name"]) == ("get_weather", "transfer_to_b")
    history = [weather, handoff, output(weather), output(handoff, '{"assistant":"B"}')]
    last = turn(body(model, *history, instructions="You are B"), "It is sunny.")
    assert last["output"][-1]["content"][0]["text"] == "It is sunny."
    assert last["usage"]["total_tokens"] == 15
    sent = json.dumps(stage.sent.json())
    assert "You are B" in sent
    assert "sunny" in sent
    assert "transfer_to_b" in sent


@pytest.mark.parametrize("model", FOREIGN)
def test_an_output_type_is_a_schema(stage: Stage, model: str) -> None:
    """``text.format`` with ``verbosity`` beside it."""
    shape = {"type": "json_schema", "name": "final_output", "schema": SCHEMA, "strict": True}
    asked = body(model, text={"format": shape, "verbosity": "low"})
    reply = anthropic_reply if model == CLAUDE else chat_reply
    found = stage.post(RESPONSES, asked, HEADERS, reply('{"city":"Paris"}'))
    assert found.json()["output"][-1]["content"][0]["text"] == '{"city":"Paris"}'
    sent = stage.sent.json()
    if model == CLAUDE:
        assert sent["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
    else:
        assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize("model", FOREIGN)
@pytest.mark.parametrize("field", ["previous_response_id", "conversation"])
def test_state_of_a_server_is_refused_elsewhere(stage: Stage, model: str, field: str) -> None:
    """A run would go on without its history, and nobody would know."""
    asked = body(model, **{field: "resp_1"})
    found = stage.post(RESPONSES, asked, HEADERS)
    assert found.status == 400
    error = found.json()["error"]
    assert error["param"] == field
    assert field in error["message"]
    assert not stage.upstream.requests


def test_a_lenient_model_does_not_lose_state_either(stage: Stage) -> None:
    """``drop_unsupported`` is for what an answer can do without."""
    asked = body("anthropic/lenient", previous_response_id="resp_1")
    found = stage.post(RESPONSES, asked, HEADERS, anthropic_reply())
    assert found.status == 400
    assert found.json()["error"]["param"] == "previous_response_id"


def test_zero_retention_replays_reasoning(stage: Stage) -> None:
    """``store=False`` and ``response_include``: the items come back as they went."""
    call = {
        "type": "function_call",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": "{}",
        "id": "fc_1",
    }
    asked = body(
        "openai/gpt-5",
        REASONING,
        call,
        output(call),
        include=["reasoning.encrypted_content"],
        store=False,
        stream=True,
    )
    read_responses(stage.post(RESPONSES, asked, HEADERS, responses_stream()))
    assert stage.sent.json()["input"][1]["encrypted_content"] == CIPHERTEXT
    assert stage.sent.json()["store"] is False


def test_thinking_survives_a_run_over_anthropic(stage: Stage) -> None:
    """Reasoning items keep the signature between turns."""
    asked = body(CLAUDE, include=["reasoning.encrypted_content"], stream=True)
    first = read_responses(stage.post(RESPONSES, asked, HEADERS, thinking_stream(PARIS)))
    thought, call = first["output"]
    asked = body(CLAUDE, thought, call, output(call), stream=True)
    read_responses(stage.post(RESPONSES, asked, HEADERS, thinking_stream(text="Sunny.")))
    assert stage.sent.json()["messages"][1]["content"][0] == THINKING


@pytest.mark.parametrize("model", ["openai/gpt-5", *FOREIGN])
def test_chat_completions_on_demand(stage: Stage, model: str) -> None:
    """``set_default_openai_api("chat_completions")``: with ``store`` and ``verbosity``."""
    asked = {
        "model": model,
        "stream": True,
        "messages": [
            {"content": "Be brief", "role": "system"},
            {"role": "user", "content": "hi"},
        ],
        "parallel_tool_calls": True,
        "reasoning_effort": "low",
        "store": False,
        "verbosity": "low",
        "tools": [{"type": "function", "function": function} for function in FUNCTIONS],
    }
    found = read_chat(stage.post(CHAT, asked, HEADERS, stream_of(model)([PARIS, HANDOFF])))
    names = [call["function"]["name"] for call in found["message"]["tool_calls"]]
    assert names == ["get_weather", "transfer_to_b"]
