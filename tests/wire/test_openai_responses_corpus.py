"""Recorded Responses traffic: requests, answers and streams survive the neutral forms."""

from __future__ import annotations

import random
from typing import Any

import pytest
from openai.types.responses import Response

from corpus import exchanges
from plano_asgi._json import loads
from plano_asgi.conversation import (
    ChatResponse,
    Choice,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.errors import UpstreamStatus
from plano_asgi.stream_events import (
    Ended,
    Failed,
    StreamEvent,
)
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.openai_responses import OpenAIResponses

DIALECT = OpenAIResponses()
JSON = dict[str, Any]
UNARY = exchanges("openai.responses", streaming=False)
STREAMS = exchanges("openai.responses", streaming=True)


def normal(body: JSON) -> JSON:
    """*body* without what only says the default, ``include`` as the set it is."""
    kept = {
        key: value
        for key, value in body.items()
        if value is not None
        and not (key == "stream" and value is False)
        and not (key in ("include", "instructions", "model") and not value)
    }
    if "include" in kept:
        kept["include"] = sorted(kept["include"])
    return kept


@pytest.mark.parametrize("item", exchanges("openai.responses"))
def test_requests_come_back_as_they_were(item: JSON) -> None:
    """Reading and writing a request of this API loses nothing."""
    if item["request"] is None:
        pytest.skip("only the response was recorded")
    written = DIALECT.write_request(DIALECT.read_request(item["request"]), WriteOptions())
    assert normal(written) == normal(item["request"])


@pytest.mark.parametrize("item", exchanges("openai.responses"))
def test_requests_without_reasoning_stay_readable(item: JSON) -> None:
    """Nothing encrypted is left, everything else is, in its order."""
    if item["request"] is None:
        pytest.skip("only the response was recorded")
    body = DIALECT.without_reasoning(item["request"])
    given: Any = item["request"].get("input")
    kept: Any = body.get("input")
    if not isinstance(given, list):
        assert body is item["request"]
        return
    assert not [each for each in kept if each.get("encrypted_content") and "summary" in each]
    plain = [each for each in given if not each.get("encrypted_content") or "summary" not in each]
    assert [{**each, "id": 0} for each in kept] == [{**each, "id": 0} for each in plain]
    DIALECT.read_request(body)


@pytest.mark.parametrize("item", UNARY)
def test_answers_come_back_as_they_were(item: JSON) -> None:
    """The output, the usage, the status and every echoed field survive."""
    body = item["response"]["body"]
    if item["response"]["status"] >= 400:
        assert isinstance(DIALECT.error_in_body(body), UpstreamStatus)
        return
    assert DIALECT.error_in_body(body) is None
    request = DIALECT.read_request({"model": "m", "input": "x"})
    written = DIALECT.write_response(DIALECT.read_response(body), request)
    for left, right in zip(written["output"], body["output"], strict=True):
        fields = right.keys() - {"content"}
        if "refusal" in str(right.get("content")):
            fields -= {"id"}  # a refusal part has no room for its item's id
        assert {key: left.get(key) for key in fields} == {key: right[key] for key in fields}
        if right.get("content") is not None:
            for part, original in zip(left["content"], right["content"], strict=True):
                assert {key: part.get(key) for key in original} == original
    for key in body.keys() - {"output"}:
        if key == "created_at":
            assert written[key] == int(body[key])
        elif key != "service_tier" or body[key] is not None:
            assert written[key] == body[key], key


def events_of(stream: bytes, cuts: random.Random | None = None) -> list[StreamEvent]:
    """The events of *stream*, in one chunk or cut at random."""
    reader = DIALECT.stream_reader()
    events: list[StreamEvent] = []
    while stream:
        size = cuts.choice((1, 7, 64, 900)) if cuts else len(stream)
        events += reader.feed(stream[:size])
        stream = stream[size:]
    return events + reader.close()


def accumulated(events: list[StreamEvent]) -> ChatResponse:
    """What *events* add up to."""
    whole = Accumulator(dialect=DIALECT.name)
    whole.add(events)
    return whole.response()


def gist(part: Part) -> object:
    """What a stream and a whole answer have to agree on; ciphertext is made anew each time."""
    match part:
        case TextPart():
            return part.text, [citation.raw for citation in part.citations]
        case ReasoningPart():
            return part.text, part.summary, bool(part.encrypted)
        case ToolCallPart():
            return part.id, part.name, part.arguments, part.kind
        case OpaquePart():
            return part.raw
    return part


def parts_of(choice: Choice) -> list[object]:
    """The parts of *choice* that say something."""
    said = [gist(part) for part in choice.parts]
    return [each for each in said if each not in (("", []), ("", False, False))]


def tokens(choice: Choice) -> list[object]:
    """The tokens of the logprobs; their values are computed anew for the final response."""
    return [entry["token"] for entry in choice.logprobs or ()]


@pytest.mark.parametrize("item", STREAMS)
def test_streams_add_up_to_their_final_response(item: JSON) -> None:
    """Deltas give the same answer as the response that the stream ends with."""
    stream = item["response"]["stream"].encode()
    events = events_of(stream)
    if "error_in_stream" in item["features"]:
        assert isinstance(events[-1], Failed)
        assert isinstance(events[-1].error, UpstreamStatus)
        assert events[-1].error.status == 429
        assert events[-1].error.code == "insufficient_quota"
        return
    assert isinstance(events[-1], Ended)
    final = DIALECT.read_response(last_response(stream))
    read = accumulated(events)
    assert (read.id, read.model, read.created) == (final.id, final.model, final.created)
    assert read.choices[0].finish_reason == final.choices[0].finish_reason
    assert parts_of(read.choices[0]) == parts_of(final.choices[0])
    assert tokens(read.choices[0]) == tokens(final.choices[0])
    assert read.usage == final.usage


def last_response(stream: bytes) -> JSON:
    """The response object of the terminal event."""
    lines = [line for line in stream.split(b"\n") if line.startswith(b"data: {")]
    response: JSON = loads(lines[-1].removeprefix(b"data: "))["response"]
    return response


@pytest.mark.parametrize("item", STREAMS)
def test_streams_may_be_cut_anywhere(item: JSON) -> None:
    """The same events, whatever the chunks."""
    stream = item["response"]["stream"].encode()
    whole = events_of(stream)
    for seed in range(2):
        assert _plain(events_of(stream, random.Random(seed))) == _plain(whole)


def _plain(events: list[StreamEvent]) -> list[object]:
    # Errors compare by identity.
    return [str(event.error) if isinstance(event, Failed) else event for event in events]


@pytest.mark.parametrize("item", STREAMS)
def test_streams_written_again_read_the_same(item: JSON) -> None:
    """Read, written, read: the same answer; and the SDK's types take the final response."""
    if "error_in_stream" in item["features"]:
        pytest.skip("the stream fails")
    events = events_of(item["response"]["stream"].encode())
    request = DIALECT.read_request(item["request"] or {"model": "m", "input": "x"})
    writer = DIALECT.stream_writer(request)
    passed = [event for event in events if not isinstance(event, Ended)]
    data = b"".join(writer.write([event]) for event in passed) + writer.finish()
    first, second = accumulated(events), accumulated(events_of(data))
    # Server tools that run at the same time are written in the order in which they end.
    assert sorted(map(repr, parts_of(second.choices[0]))) == sorted(
        map(repr, parts_of(first.choices[0]))
    )
    assert second.choices[0].finish_reason == first.choices[0].finish_reason
    assert second.choices[0].logprobs == first.choices[0].logprobs
    assert second.usage == first.usage
    Response.model_construct(**last_response(data))
