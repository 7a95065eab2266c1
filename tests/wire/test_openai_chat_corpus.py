"""The chat dialect on what providers really send and are really sent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from corpus import exchanges
from plano_asgi._json import loads
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.errors import UpstreamStatus
from plano_asgi.stream_events import (
    Ended,
    Failed,
    Finished,
    Started,
    StreamEvent,
    ToolCallStarted,
)
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.openai_chat import OpenAIChat
from plano_asgi.wire.sse import DONE, SSEDecoder

DIALECT = OpenAIChat()
_REASONING = ("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks")
_NULL_IS_ABSENT = (*_REASONING, "refusal", "audio", "tool_calls", "function_call", "name")


# --------------------------------------------------------------------------- requests


def _normal_content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    content = [
        {**part, "image_url": {"url": part["image_url"]}}
        if isinstance(part.get("image_url"), str)
        else part
        for part in content
    ]
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return content[0]["text"]
    return content


def _normal_message(message: dict[str, Any]) -> dict[str, Any]:
    normal = dict(message, content=_normal_content(message.get("content")))
    if message["role"] != "assistant":
        return {k: v for k, v in normal.items() if v is not None or k != "name"}
    normal = {k: v for k, v in normal.items() if v is not None or k not in _NULL_IS_ABSENT}
    normal = {k: v for k, v in normal.items() if v or k not in _REASONING}
    if not normal.get("content"):
        normal["content"] = None if {"tool_calls", "refusal", "audio"} & normal.keys() else ""
    if "tool_calls" in normal:
        normal["tool_calls"] = [
            {key: value for key, value in call.items() if key != "index"}
            for call in normal["tool_calls"]
        ]
    return normal


def _normal_request(body: dict[str, Any]) -> dict[str, Any]:
    """The documented normalisations of ``request_reader``, done to a body."""
    normal = {"model": ""} | {key: value for key, value in body.items() if value is not None}
    normal["messages"] = [_normal_message(message) for message in body["messages"]]
    if "max_tokens" in normal:
        normal.setdefault("max_completion_tokens", normal["max_tokens"])
        del normal["max_tokens"]
    if isinstance(normal.get("stop"), str):
        normal["stop"] = [normal["stop"]]
    if functions := normal.pop("functions", None):
        normal["tools"] = [{"type": "function", "function": item} for item in functions]
    if choice := normal.pop("function_call", None):
        normal["tool_choice"] = choice
    droppable = {"tools": [], "stop": [], "stream": False}
    return {k: v for k, v in normal.items() if k not in droppable or v != droppable[k]}


@pytest.mark.parametrize("item", exchanges("openai.chat"))
def test_a_request_comes_back_as_it_was(item: dict[str, Any]) -> None:
    """Reading and writing a body changes nothing but what the reader says it normalises."""
    body = item["request"]
    if not body or item["response"]["status"] >= 400:
        pytest.skip("no request the upstream took")
    written = DIALECT.write_request(DIALECT.read_request(body), WriteOptions())
    assert written == _normal_request(body)


# --------------------------------------------------------------------------- answers


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=False))
def test_an_answer_is_read_again_as_it_was(item: dict[str, Any]) -> None:
    """Written and read again, an answer is the same, and the official client's types take it."""
    body = item["response"].get("body")
    if item["response"]["status"] >= 400:
        assert DIALECT.error_in_body(body) is not None
        return
    assert DIALECT.error_in_body(body) is None
    read = DIALECT.read_response(body)
    written = DIALECT.write_response(read, _request(item))
    assert read.usage is not None or not body.get("usage")
    again = DIALECT.read_response(written)
    if "functions" in (item["request"] or {}):  # these calls have no ids but made ones
        for part in (part for choice in (*again.choices, *read.choices) for part in choice.parts):
            assert isinstance(part, ToolCallPart)
            part.id = "made"
    assert again == replace(read, created=again.created, id=again.id, model=again.model)
    ChatCompletion.model_validate(_official(written))


def _official(body: dict[str, Any]) -> dict[str, Any]:
    """Without what only other vendors have: service tiers, citations of files."""
    choices = [dict(choice) for choice in body["choices"]]
    for choice in choices:
        if (message := choice.get("message")) and "annotations" in message:
            cited = [c for c in message["annotations"] if c["type"] == "url_citation"]
            choice["message"] = {**message, "annotations": cited}
    return {**body, "service_tier": None, "choices": choices}


def _request(item: dict[str, Any]) -> ChatRequest:
    body = item["request"]
    return DIALECT.read_request(body) if body else ChatRequest(model="m", messages=[])


# --------------------------------------------------------------------------- streams


def _read(pieces: Sequence[bytes]) -> list[StreamEvent]:
    reader = DIALECT.stream_reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.close()]


def _comparable(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    """Without made ids and the identity of errors."""
    found: list[StreamEvent] = []
    for event in events:
        if isinstance(event, ToolCallStarted):
            event = replace(event, id="")
        if isinstance(event, Failed):
            found.append(Failed(error=Exception(str(event.error)), raw=event.raw))
            assert isinstance(event.error, UpstreamStatus)
            found[-1] = replace(event, error=None)  # type: ignore[arg-type]
            continue
        found.append(event)
    return found


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=True))
def test_a_stream_reads_the_same_however_it_is_cut(item: dict[str, Any]) -> None:
    """Network chunks end anywhere; the events do not depend on it."""
    data = item["response"]["stream"].encode()
    whole = _comparable(_read([data]))
    dice = random.Random(len(data))
    for _ in range(3):
        cuts = sorted(dice.randrange(len(data)) for _ in range(60))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert _comparable(_read(pieces)) == whole


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=True))
def test_a_recorded_stream_is_whole(item: dict[str, Any]) -> None:
    """It starts once, numbers its parts and calls without gaps, and finishes each choice once."""
    events = _read([item["response"]["stream"].encode()])
    assert sum(isinstance(event, Started) for event in events) == 1
    failed = "error_in_stream" in item["features"]
    assert isinstance(events[-1], Failed if failed else Ended | Finished)
    choices = {event.choice for event in events if hasattr(event, "choice")}
    for choice in choices:
        own = [event for event in events if getattr(event, "choice", None) == choice]
        assert sum(isinstance(event, Finished) for event in own) == (not failed)
        assert isinstance(own[-1], Finished) or failed
        calls = [event.index for event in own if isinstance(event, ToolCallStarted)]
        assert calls == list(range(len(calls)))
        parts = [event.part for event in own if hasattr(event, "part")]
        assert not parts or set(parts) == set(range(max(parts) + 1))


def _collected(events: Sequence[StreamEvent]) -> ChatResponse:
    sums = Accumulator(dialect=DIALECT.name)
    sums.add(events)
    return sums.response()


def _essence(response: ChatResponse) -> list[object]:
    """Content by kind: the order in which text, reasoning and calls alternate has no place."""
    found: list[object] = [response.id, response.model, response.created]
    for choice in response.choices:
        texts = [part.text for part in choice.parts if isinstance(part, TextPart)]
        thoughts = [part.text for part in choice.parts if isinstance(part, ReasoningPart)]
        others = [p for p in choice.parts if not isinstance(p, TextPart | ReasoningPart)]
        cited = [c for p in choice.parts if isinstance(p, TextPart) for c in p.citations]
        found += [choice.index, choice.finish_reason, choice.logprobs, "".join(texts)]
        found += ["".join(thoughts).replace("\n\n", ""), others, cited]
    return found


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=True))
def test_a_stream_written_again_says_the_same(item: dict[str, Any]) -> None:
    """Read, written and read again, the accumulated answer is equal, in official chunks."""
    events = _read([item["response"]["stream"].encode()])
    if isinstance(events[-1], Failed):
        pytest.skip("a failed stream is not written to its end")
    request = replace(_request(item), include_usage=True)
    writer = DIALECT.stream_writer(request)
    written = b"".join(writer.write([event]) for event in events if not isinstance(event, Ended))
    written += writer.finish()
    _check_chunks(written)
    again = _read([written])
    assert isinstance(again[-1], Ended)
    first, second = _collected(events), _collected(again)
    first.id = first.id or second.id
    first.created = first.created or second.created
    assert _essence(second) == _essence(first)
    assert second.usage == first.usage


def _check_chunks(stream: bytes) -> None:
    *messages, last = SSEDecoder().feed(stream)
    assert last.data == DONE
    chunks = [loads(message.data) for message in messages]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(_official(chunk), strict=True)
    for field in ("id", "model", "created"):
        assert len({chunk[field] for chunk in chunks}) == 1


def test_no_field_of_the_request_is_forgotten() -> None:
    """Every field of the neutral request is one the reader can set."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop": ["x"],
        "seed": 1 << 40,
        "n": 2,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "user": "u",
        "metadata": {"k": "v"},
        "service_tier": "flex",
        "verbosity": "low",
    }
    request = DIALECT.read_request(body)
    unset = [f.name for f in fields(request) if not getattr(request, f.name)]
    assert unset == ["parallel_tool_calls"]
    assert request.parallel_tool_calls is False
    assert DIALECT.write_request(request, WriteOptions()) == body


@pytest.mark.parametrize("item", exchanges("mistral.chat"))
def test_mistrals_own_traffic_is_chat_too(item: dict[str, Any]) -> None:
    """Content in parts with thinking in it, tools without a type, "any" for "required"."""
    if item["response"]["status"] >= 400:
        pytest.skip("an error")
    request = _request(item)
    once = DIALECT.write_request(request, WriteOptions())
    assert DIALECT.write_request(DIALECT.read_request(once), WriteOptions()) == once
    if item["streaming"]:
        assert isinstance(_read([item["response"]["stream"].encode()])[-1], Ended)
    else:
        read = DIALECT.read_response(item["response"]["body"])
        ChatCompletion.model_validate(DIALECT.write_response(read, request))
