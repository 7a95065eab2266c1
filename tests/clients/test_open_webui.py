"""
Open WebUI: models, streams with usage, small unary tasks, embeddings, speech; and, with direct
connections, all of that from a browser.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_chat
from clients.stage import CLIENT_KEY, CODER, KEY, ORIGIN, Stage
from clients.thoughts import THOUGHT, thinking_stream
from upstream import (
    Reply,
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
    "user-agent": "Python/3.11 aiohttp/3.12",
    "x-openwebui-user-name": "Ann%20Example",
    "x-openwebui-user-id": "u-1",
    "x-openwebui-user-email": "ann@example.com",
    "x-openwebui-user-role": "admin",
    "x-openwebui-chat-id": "chat-1",
}
UPSTREAMS = ["openai/gpt-5", "mistral/large", "anthropic/claude-sonnet-4-5"]
TASK_SIZE = 1000


def chat(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A turn of the chat window; *later* are the turns after the first."""
    return {
        "stream": True,
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}, *later],
        "stream_options": {"include_usage": True},
        **fields,
    }


def task(model: str) -> dict[str, Any]:
    """Title generation."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": "### Task:\nGenerate a title."}],
        "stream": False,
        "max_completion_tokens": TASK_SIZE,
    }


def test_models_are_listed(stage: Stage) -> None:
    """The connection is checked and filled with it; ids are what the chat window sends."""
    found = stage.send("GET", "/v1/models", HEADERS)
    assert found.json()["object"] == "list"
    models = {model["id"]: model for model in found.json()["data"]}
    assert {"openai/gpt-5", "anthropic/claude-sonnet-4-5", CODER} <= set(models)
    assert all(model["object"] == "model" for model in models.values())


@pytest.mark.parametrize("model", UPSTREAMS)
def test_a_turn_ends_with_usage(stage: Stage, model: str) -> None:
    """In a chunk of its own without choices; the window shows the tokens."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    found = stage.post(CHAT, chat(model), HEADERS, stream(["Hel", "lo!"]))
    assert read_chat(found)["message"]["content"] == "Hello!"
    last = found.events()[-2]
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 10
    assert last["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("model", UPSTREAMS)
def test_who_chats_stays_here(stage: Stage, model: str) -> None:
    """Names and addresses of users are for this gateway, not for a vendor."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    stage.post(CHAT, chat(model), HEADERS, stream())
    headers = stage.sent.headers
    assert not {name for name in headers if name.startswith("x-openwebui")}
    assert "ann@example.com" not in str(headers)
    assert CLIENT_KEY not in str(headers)
    assert KEY in str(headers)


@pytest.mark.parametrize("model", UPSTREAMS)
def test_a_title_is_generated_in_one_piece(stage: Stage, model: str) -> None:
    """Unary, with a limit of its own."""
    reply = anthropic_reply if model.startswith("anthropic/") else chat_reply
    found = stage.post(CHAT, task(model), HEADERS, reply('{"title":"x"}'))
    assert found.json()["choices"][0]["message"]["content"] == '{"title":"x"}'
    sent = stage.sent.json()
    assert TASK_SIZE in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_thoughts_are_folded_above_the_answer(stage: Stage) -> None:
    """The window reads them from ``reasoning_content``."""
    model = "anthropic/claude-sonnet-4-5"
    asked = chat(model, reasoning_effort="low")
    found = read_chat(stage.post(CHAT, asked, HEADERS, thinking_stream(text="Hi")))
    assert found["message"]["reasoning_content"] == THOUGHT
    assert found["usage"]["prompt_tokens_details"]["cached_tokens"] == 90


TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "",
        "parameters": {"type": "object", "properties": {}},
    },
}


@pytest.mark.parametrize("model", UPSTREAMS)
def test_native_tools_loop(stage: Stage, model: str) -> None:
    """Native function calling: the call is sent back with an empty text, then its result."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    reply = stream([Tool("call_1", "get_time", "{}")])
    first = read_chat(stage.post(CHAT, chat(model, tools=[TOOL]), HEADERS, reply))
    (call,) = first["message"]["tool_calls"]
    said = {"role": "assistant", "content": "", "tool_calls": [{**call, "index": 0}]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "12:00"}
    asked = chat(model, said, result, tools=[TOOL])
    second = read_chat(stage.post(CHAT, asked, HEADERS, stream(["Noon."])))
    assert second["message"]["content"] == "Noon."
    assert "12:00" in json.dumps(stage.sent.json()["messages"][-1])


def test_a_browser_may_ask_first(stage: Stage) -> None:
    """Direct connections: the preflight names the headers that will come."""
    asking = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    found = stage.send("OPTIONS", CHAT, asking)
    assert found.status == 204
    assert found.headers["access-control-allow-origin"] == ORIGIN
    allowed = found.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type"} <= set(allowed.replace(" ", "").split(","))
    strange = stage.send("OPTIONS", CHAT, asking | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in strange.headers


def test_a_browser_may_read_streams_and_errors(stage: Stage) -> None:
    """Also what went wrong has to be readable."""
    headers = {"origin": ORIGIN, "authorization": f"Bearer {CLIENT_KEY}"}
    found = stage.post(CHAT, chat("openai/gpt-5"), headers, chat_stream())
    assert found.headers["access-control-allow-origin"] == ORIGIN
    refused = stage.post(CHAT, chat("nobody/knows"), headers)
    assert refused.status == 404
    assert refused.headers["access-control-allow-origin"] == ORIGIN
    listed = stage.send("GET", "/v1/models", headers)
    assert listed.headers["access-control-allow-origin"] == ORIGIN


def test_documents_are_embedded_in_batches(stage: Stage) -> None:
    """Relayed to the model's provider."""
    vectors = {"object": "list", "data": [{"index": 0, "embedding": [0.5]}]}
    reply = Reply(body=json.dumps(vectors).encode())
    asked = {"input": ["a", "b"], "model": "openai/text-embedding-3-small"}
    assert stage.post("/v1/embeddings", asked, HEADERS, reply).json() == vectors
    assert stage.sent.json() == asked | {"model": "text-embedding-3-small"}
    assert "x-openwebui-user-email" not in stage.sent.headers


def test_speech_comes_as_bytes(stage: Stage) -> None:
    """With its content type."""
    reply = Reply(headers={"content-type": "audio/mpeg"}, body=[b"\xff\xfb", b"\x90\x00"])
    asked = {"model": "openai/tts-1", "input": "Hello", "voice": "alloy"}
    found = stage.post("/v1/audio/speech", asked, HEADERS, reply)
    assert (found.headers["content-type"], found.body) == ("audio/mpeg", b"\xff\xfb\x90\x00")


def test_errors_are_words_to_show(stage: Stage) -> None:
    """``error.message`` is what the window prints."""
    reply = error_reply(401, "Incorrect API key provided", type="invalid_request_error")
    found = stage.post(CHAT, chat("openai/gpt-5"), HEADERS, reply)
    assert found.json()["error"]["message"]
    assert found.status >= 400
