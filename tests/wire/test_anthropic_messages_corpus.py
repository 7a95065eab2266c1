"""Recorded Messages traffic: read and written back, cut at random, against the official types."""

from __future__ import annotations

import random
from typing import Any

import pytest
from anthropic.types.raw_message_stream_event import RawMessageStreamEvent
from pydantic import TypeAdapter

from corpus import exchanges
from plano_asgi._json import loads
from plano_asgi.stream_events import (
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    StreamEvent,
    UsageReported,
)
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.sse import SSEDecoder

DIALECT = AnthropicMessages()
OPTIONS = WriteOptions()
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

requests = pytest.mark.parametrize("item", exchanges("anthropic.messages"))
answers = pytest.mark.parametrize("item", exchanges("anthropic.messages", streaming=False))
streams = pytest.mark.parametrize("item", exchanges("anthropic.messages", streaming=True))


def normal(body: Any) -> Any:
    """A request body without what its shorthands and its defaults leave open."""
    body = {key: value for key, value in body.items() if value not in (None, [], False)}
    if "system" in body:
        body["system"] = blocks(body["system"])
    body["messages"] = [turn | {"content": blocks(turn["content"])} for turn in body["messages"]]
    if "output_format" in body:
        body["output_config"] = {"format": body.pop("output_format")}
    return body


def blocks(content: Any) -> list[Any]:
    """Content as blocks, strings spelled out, tool results first."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    spelled = [{k: v for k, v in block.items() if v is not None} for block in content]
    for block in spelled:
        if block["type"] == "tool_result":
            block["content"] = blocks(block.get("content") or [])
            block["is_error"] = block.get("is_error", False)
    return sorted(spelled, key=lambda block: block["type"] != "tool_result")


def events_of(stream: str, rng: random.Random | None) -> list[StreamEvent]:
    """Everything a fresh reader makes of *stream*, whole or cut anywhere."""
    data, reader, events = stream.encode(), DIALECT.stream_reader(), list[StreamEvent]()
    while data:
        size = rng.randint(1, 700) if rng else len(data)
        events += reader.feed(data[:size])
        data = data[size:]
    return events + reader.close()


def frames(stream: str | bytes) -> list[Any]:
    """The JSON documents of an event stream."""
    decoder = SSEDecoder()
    data = stream if isinstance(stream, bytes) else stream.encode()
    return [loads(frame.data) for frame in [*decoder.feed(data), *decoder.close()]]


def accumulate(events: list[Any]) -> dict[str, Any]:
    """The message that stream documents add up to."""
    message: dict[str, Any] = {"content": []}
    texts: dict[int, list[str]] = {}
    grown = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            message |= event["message"] | {"content": []}
        elif kind == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(dict(event["content_block"]))
            texts[event["index"]] = []
        elif kind == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if key := grown.get(delta["type"]):
                block[key] = block.get(key, "") + delta[key]
            elif delta["type"] == "input_json_delta":
                texts[event["index"]].append(delta["partial_json"])
            elif delta["type"] == "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        elif kind == "content_block_stop" and (text := "".join(texts[event["index"]])):
            message["content"][event["index"]]["input"] = loads(text)
        elif kind == "message_delta":
            message |= {key: event["delta"].get(key) for key in ("stop_reason", "stop_sequence")}
            message["usage"] = message["usage"] | event["usage"]
    return message


def content(message: Any) -> list[Any]:
    """Blocks without what a stream may start them with and never fill."""
    kept = [block for block in message["content"] if block != {"type": "text", "text": ""}]
    return [{k: v for k, v in block.items() if (k, v) != ("citations", [])} for block in kept]


@requests
def test_request_is_written_as_it_was_read(item: Any) -> None:
    """A body survives the neutral form, up to the documented shorthands and defaults."""
    if item["request"] is None:
        pytest.skip("only the response was recorded")
    body = item["request"]
    written = DIALECT.write_request(DIALECT.read_request(body), OPTIONS)
    assert normal(written) == normal(body)


@requests
def test_request_read_twice_is_the_same(item: Any) -> None:
    """What is written reads as the same neutral request."""
    if item["request"] is None:
        pytest.skip("only the response was recorded")
    request = DIALECT.read_request(item["request"])
    assert DIALECT.read_request(DIALECT.write_request(request, OPTIONS)) == request


@answers
def test_response_is_written_as_it_was_read(item: Any) -> None:
    """An answer survives the neutral form, error bodies are told from messages."""
    body = item["response"]["body"]
    error = DIALECT.error_in_body(body)
    if item["response"]["status"] != 200:
        assert error is not None
        assert error.status == item["response"]["status"]
        assert error.message == body["error"]["message"]
        return
    assert error is None
    request = DIALECT.read_request(item["request"] or {"max_tokens": 1, "messages": []})
    assert DIALECT.write_response(DIALECT.read_response(body), request) == body


@streams
def test_stream_reads_the_same_however_it_is_cut(item: Any) -> None:
    """Random cuts change nothing; the stream ends whole and accounted for."""
    stream = item["response"]["stream"]
    whole = events_of(stream, None)
    assert events_of(stream, random.Random(7)) == whole
    assert not any(isinstance(event, Failed) for event in whole)
    assert isinstance(whole[-1], Ended)
    assert sum(isinstance(event, Finished) for event in whole) == 1
    assert any(isinstance(event, UsageReported) for event in whole)


@streams
def test_stream_is_written_with_the_same_content(item: Any) -> None:
    """Read and written again, a stream adds up to the same message, in frames the SDK knows."""
    stream = item["response"]["stream"]
    request = DIALECT.read_request({"max_tokens": 1, "messages": []})
    events = events_of(stream, random.Random(3))
    writer = DIALECT.stream_writer(request)
    out = b"".join(writer.write([e]) for e in events if not isinstance(e, Ended)) + writer.finish()
    written, recorded = accumulate(frames(out)), accumulate(frames(stream))
    assert content(written) == content(recorded)
    for key in ("id", "model", "role", "stop_reason", "stop_sequence", "usage"):
        assert written[key] == recorded[key]
    if not any(isinstance(event, OpaqueAdded) for event in events):
        for frame in frames(out):
            EVENT.validate_python(frame)
