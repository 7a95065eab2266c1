"""
Vercel AI SDK: ``@ai-sdk/openai-compatible``, chat completions with strict ideas of a chunk; and
``@ai-sdk/openai``, which asks the Responses API.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_chat, read_responses
from clients.stage import CLIENT_KEY, Stage
from clients.thoughts import SIGNATURE, THOUGHT, reasoning_chat_stream, thinking_stream
from upstream import (
    CUT,
    End,
    Tool,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    error_reply,
)

CHAT = "/v1/chat/completions"
HEADERS = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "user-agent": "ai-sdk/openai-compatible/2.0.91 ai-sdk/provider-utils/4.0.64",
}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {"name": "getWeather", "description": "Weather", "parameters": SCHEMA},
}
PARIS = Tool("call_1", "getWeather", '{"city":"Paris"}')
ROME = Tool("call_2", "getWeather", '{"city":"Rome"}')
UPSTREAMS = ["openai/gpt-5", "mistral/large", "anthropic/claude-sonnet-4-5"]


def body(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """``streamText`` with a tool; *later* are the turns after the first."""
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Weather?"},
            *later,
        ],
        "tools": [TOOL],
        "tool_choice": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
    }


def small(model: str, **fields: Any) -> dict[str, Any]:
    """``generateText`` without tools."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}


def result(call: dict[str, Any]) -> dict[str, Any]:
    """What the tool answered, as JSON text."""
    return {"role": "tool", "tool_call_id": call["id"], "content": '{"temp":20}'}


@pytest.mark.parametrize("model", UPSTREAMS)
def test_tool_calls_stream_and_loop(stage: Stage, model: str) -> None:
    """Two calls at once, each with its index; then both results, and the answer."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    first = read_chat(stage.post(CHAT, body(model), HEADERS, stream(["Hm. ", PARIS, ROME])))
    calls = first["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == [
        "Paris",
        "Rome",
    ]
    assert first["finish_reason"] == "tool_calls"
    said = {"role": "assistant", "content": "Hm. ", "tool_calls": calls}
    asked = body(model, said, *map(result, calls))
    second = read_chat(stage.post(CHAT, asked, HEADERS, stream(["Warm."])))
    assert second["message"] == {"role": "assistant", "content": "Warm."}
    assert second["usage"]["completion_tokens"] == 5
    assert json.dumps(stage.sent.json()).count('{\\"temp\\":20}') == 2


def test_thoughts_of_any_upstream_are_reasoning_content(stage: Stage) -> None:
    """The one field this client reads them from."""
    reply = thinking_stream(text="Warm.")
    asked = body("anthropic/claude-sonnet-4-5", reasoning_effort="low")
    found = read_chat(stage.post(CHAT, asked, HEADERS, reply))
    assert found["message"]["reasoning_content"] == THOUGHT
    asked = body("deepseek/chat")
    found = read_chat(stage.post(CHAT, asked, HEADERS, reasoning_chat_stream(text="Warm.")))
    assert found["message"]["reasoning_content"] == THOUGHT


def test_thoughts_sent_back_go_to_the_one_who_had_them(stage: Stage) -> None:
    """Text without proof: DeepSeek wants it, Anthropic would not believe it."""
    function = {"name": "getWeather", "arguments": '{"city":"Paris"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    said: dict[str, Any] = {"role": "assistant", "content": None, "reasoning_content": THOUGHT}
    said |= {"tool_calls": [call]}
    stage.post(CHAT, body("deepseek/chat", said, result(call)), HEADERS, chat_stream())
    assert stage.sent.json()["messages"][2] == said
    asked = body("anthropic/claude-sonnet-4-5", said, result(call), reasoning_effort="low")
    read_chat(stage.post(CHAT, asked, HEADERS, anthropic_stream()))
    assert "thinking" not in json.dumps(stage.sent.json()["messages"])
    assert SIGNATURE not in json.dumps(stage.sent.json())


@pytest.mark.parametrize("model", UPSTREAMS)
def test_objects_come_by_their_schema(stage: Stage, model: str) -> None:
    """``Output.object`` with structured outputs."""
    shape = {"schema": SCHEMA, "strict": True, "name": "response"}
    reply = anthropic_reply if model.startswith("anthropic/") else chat_reply
    asked = small(model, response_format={"type": "json_schema", "json_schema": shape})
    found = stage.post(CHAT, asked, HEADERS, reply('{"city":"Paris"}'))
    assert found.json()["choices"][0]["message"]["content"] == '{"city":"Paris"}'
    sent = stage.sent.json()
    if model.startswith("anthropic/"):
        assert sent["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
    else:
        assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize("model", UPSTREAMS)
def test_free_json_works_everywhere(stage: Stage, model: str) -> None:
    """``response_format: json_object`` is what it sends without structured outputs."""
    reply = anthropic_reply if model.startswith("anthropic/") else chat_reply
    asked = small(model, response_format={"type": "json_object"})
    assert stage.post(CHAT, asked, HEADERS, reply("{}")).status == 200


@pytest.mark.parametrize(
    ("choice", "anthropics"),
    [
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        (
            {"type": "function", "function": {"name": "getWeather"}},
            {"type": "tool", "name": "getWeather"},
        ),
    ],
    ids=["required", "none", "named"],
)
def test_a_tool_choice_means_the_same_over_anthropic(
    stage: Stage, choice: object, anthropics: object
) -> None:
    """Forced, forbidden, named."""
    asked = body("anthropic/claude-sonnet-4-5", tool_choice=choice)
    read_chat(stage.post(CHAT, asked, HEADERS, anthropic_stream([PARIS])))
    assert stage.sent.json()["tool_choice"] == anthropics


def test_an_image_goes_inline_to_anthropic(stage: Stage) -> None:
    """A data URL becomes a base64 source."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": "What?"}, image]
    asked = small("anthropic/claude-sonnet-4-5", stream=True)
    asked["messages"] = [{"role": "user", "content": content}]
    read_chat(stage.post(CHAT, asked, HEADERS, anthropic_stream()))
    source = stage.sent.json()["messages"][0]["content"][1]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


@pytest.mark.parametrize("model", UPSTREAMS)
def test_an_error_in_a_stream_is_a_chunk_with_error(stage: Stage, model: str) -> None:
    """It is validated against the same schema as chunks: ``error.message``, and no ``[DONE]``."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    pieces: list[str | End] = ["a long enough beginning " * 40, CUT]
    found = stage.post(CHAT, body(model), HEADERS, stream(pieces))
    assert found.status == 200
    assert isinstance(found.events()[-1]["error"]["message"], str)


@pytest.mark.parametrize("model", UPSTREAMS)
def test_an_error_before_the_stream_is_a_status(stage: Stage, model: str) -> None:
    """In OpenAI's shape, whoever said it."""
    dialect = "anthropic.messages" if model.startswith("anthropic/") else "openai.chat"
    reply = error_reply(400, "no", dialect=dialect, type="invalid_request_error")
    found = stage.post(CHAT, body(model), HEADERS, reply)
    assert found.status == 400
    assert found.json()["error"]["message"] == "no"


@pytest.mark.parametrize("model", ["mistral/large", "anthropic/claude-sonnet-4-5"])
def test_its_openai_provider_asks_responses(stage: Stage, model: str) -> None:
    """Parts of type ``input_text``, flat tools without ``strict``."""
    content = [{"type": "input_text", "text": "Weather?"}]
    tool = {"type": "function", "name": "getWeather", "parameters": SCHEMA}
    asked = {
        "model": model,
        "input": [{"role": "user", "content": content}],
        "tools": [tool],
        "tool_choice": "auto",
        "stream": True,
    }
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    (call,) = read_responses(stage.post("/v1/responses", asked, HEADERS, stream([PARIS])))["output"]
    assert json.loads(call["arguments"]) == {"city": "Paris"}


@pytest.mark.parametrize("model", ["mistral/large", "anthropic/claude-sonnet-4-5"])
def test_a_reference_to_a_stored_item_is_refused_by_name(stage: Stage, model: str) -> None:
    """Its second turn, unless ``store: false`` is set: the item is not there to be looked up."""
    asked = {
        "model": model,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "item_reference", "id": "fc_1"},
            {"type": "function_call_output", "call_id": "call_1", "output": "20"},
        ],
    }
    found = stage.post("/v1/responses", asked, HEADERS)
    assert found.status == 400
    assert "item_reference" in found.json()["error"]["message"]
    assert not stage.upstream.requests
