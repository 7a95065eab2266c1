"""Streams of Responses upstreams, the odd ones among them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi._json import dumps
from plano_asgi.conversation import (
    ChatResponse,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.errors import UpstreamProtocolError, UpstreamStatus
from plano_asgi.stream_events import (
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.reasoning_pack import pack

DIALECT = OpenAIResponses()


def read(*events: dict[str, Any] | str) -> list[StreamEvent]:
    """What a reader makes of *events*; types without their common prefix."""
    reader = DIALECT.stream_reader()
    found: list[StreamEvent] = []
    for event in events:
        if isinstance(event, dict):
            if event.get("type", "error") != "error":
                event = event | {"type": f"response.{event['type']}"}
            event = dumps(event).decode()
        found += reader.feed(f"data: {event}\n\n".encode())
    return found + reader.close()


def whole(events: list[StreamEvent]) -> ChatResponse:
    """What they add up to."""
    accumulator = Accumulator(dialect=DIALECT.name)
    accumulator.add(events)
    return accumulator.response()


def message(text: str, **fields: Any) -> dict[str, Any]:
    """A finished message item."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": content} | fields


CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c1",
    "name": "f",
    "arguments": '{"a":1}',
}
DONE = {"type": "completed", "response": {"status": "completed"}}


def test_the_begin_is_told_once() -> None:
    """``created``, ``queued`` and ``in_progress`` say the same."""
    response = {"id": "resp_1", "model": "m", "created_at": 7.5, "service_tier": "default"}
    events = read(
        {"type": "created", "response": response}, {"type": "in_progress", "response": response}
    )
    assert [type(event) for event in events] == [Started]
    assert isinstance(events[0], Started)
    assert (events[0].id, events[0].created, events[0].service_tier) == ("resp_1", 7, "default")
    assert events[0].raw["type"] == "response.created"


def test_text_told_twice_counts_once() -> None:
    """Deltas, ``done`` events, the finished item and the final response hold the same text."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = read(
        {"type": "output_item.added", "output_index": 0, "item": message("", content=[])},
        {"type": "output_text.delta", "delta": "Hel", **at},
        {"type": "output_text.done", "text": "Hello", **at},
        {"type": "output_item.done", "output_index": 0, "item": message("Hello!")},
        {"type": "completed", "response": {"output": [message("Hello!")]}},
    )
    texts = [event.text for event in events if isinstance(event, TextDelta)]
    assert texts == ["Hel", "lo", "!"]
    assert [type(event) for event in events[-2:]] == [Finished, Ended]


TEXT_DONE = {"type": "output_text.done", "text": "Hi", "output_index": 0}
NO_INDEX = {"type": "output_text.delta", "delta": "Hi", "item_id": "msg_1"}
ITEM_DONE = {"type": "output_item.done", "output_index": 3, "item": message("Hi")}
FINAL = {"type": "completed", "response": {"output": [message("Hi")]}}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([TEXT_DONE, DONE], id="text-done"),
        pytest.param([TEXT_DONE, FINAL], id="text-done-and-final"),
        pytest.param([NO_INDEX, DONE], id="no-index"),
        pytest.param([ITEM_DONE, DONE], id="item-done"),
        pytest.param([ITEM_DONE, FINAL], id="item-done-at-another-index"),
        pytest.param([FINAL], id="final"),
    ],
)
def test_upstreams_that_skip_events(events: list[dict[str, Any]]) -> None:
    """However little an upstream says, its text is read once."""
    assert whole(read(*events)).choices[0].parts == [TextPart(text="Hi")]


def test_a_finished_item_tells_its_sources_and_is_told_once() -> None:
    """Annotations without events of their own are read; a repeated item is not."""
    source = {"type": "url_citation", "url": "https://x", "start_index": 0, "end_index": 2}
    content = [
        {"type": "output_text", "text": "Hi", "annotations": [source]},
        {"type": "hologram"},
        {"type": "refusal", "refusal": "no"},
    ]
    item = {"type": "output_item.done", "output_index": 0, "item": message("", content=content)}
    odd = {"type": "output_text.annotation.added", "output_index": 0, "annotation": None}
    parts = whole(read(item, item, odd, DONE)).choices[0].parts
    assert isinstance(parts[0], TextPart)
    assert [citation.url for citation in parts[0].citations] == ["https://x"]
    assert parts[1:] == [RefusalPart(text="no")]


def test_calls_without_announcement_are_told_whole() -> None:
    """Arguments before the name is known wait for the finished item."""
    events = read(
        {"type": "function_call_arguments.delta", "delta": '{"a"', "output_index": 0},
        {"type": "output_item.done", "output_index": 0, "item": CALL},
        DONE,
    )
    assert isinstance(events[0], ToolCallStarted)
    assert isinstance(events[1], ToolCallDelta)
    assert events[1].arguments == '{"a":1}'
    assert isinstance(events[2], Finished)
    assert events[2].reason == "tool_calls"


def test_arguments_without_deltas_count_once() -> None:
    """Some upstreams only send the ``done`` event (or repeat everything in ``added``)."""
    events = read(
        {"type": "output_item.added", "output_index": 0, "item": CALL},
        {"type": "function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'},
        {"type": "output_item.done", "output_index": 0, "item": CALL},
        {"type": "completed", "response": {"output": [CALL]}},
    )
    assert whole(events).choices[0].parts == [
        ToolCallPart(id="c1", name="f", arguments='{"a":1}', item_id="fc_1")
    ]


def test_custom_calls() -> None:
    """Free-text input streams like arguments."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "p", "input": ""}
    events = read(
        {"type": "output_item.added", "output_index": 0, "item": item},
        {"type": "custom_tool_call_input.delta", "output_index": 0, "delta": "a"},
        {"type": "custom_tool_call_input.done", "output_index": 0, "input": "ab"},
        {"type": "output_item.done", "output_index": 0, "item": item | {"input": "ab"}},
        DONE,
    )
    assert whole(events).choices[0].parts == [
        ToolCallPart(id="c", name="p", arguments="ab", kind="custom", item_id="ctc_1")
    ]


def test_summaries_of_several_parts() -> None:
    """Parts are told apart as in a whole answer; the proof comes once, at the end."""
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "encrypted_content": "gA",
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    }
    events = read(
        {"type": "output_item.added", "output_index": 0, "item": item | {"summary": []}},
        {
            "type": "reasoning_summary_text.delta",
            "output_index": 0,
            "summary_index": 0,
            "delta": "a",
        },
        {
            "type": "reasoning_summary_text.delta",
            "output_index": 0,
            "summary_index": 1,
            "delta": "b",
        },
        {"type": "output_item.done", "output_index": 0, "item": item},
        DONE,
    )
    part = whole(events).choices[0].parts[0]
    body = {"status": "completed", "output": [item]}
    assert isinstance(part, ReasoningPart)
    part.raw = item
    assert DIALECT.read_response(body).choices[0].parts == [part]


def test_packed_reasoning_is_unpacked() -> None:
    """A gateway behind this one hands out other families' reasoning."""
    foreign = ReasoningPart(text="hm", signature="s", dialect="anthropic.messages")
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": pack(foreign)}
    events = read({"type": "output_item.done", "output_index": 0, "item": item}, DONE)
    assert whole(events).choices[0].parts == [foreign]
    assert isinstance(events[0], ReasoningDelta)


def test_unknown_items_are_opaque_and_unknown_events_ignored() -> None:
    """An item nobody here knows is kept whole."""
    item = {"type": "dream_call", "id": "d_1"}
    events = read(
        {"type": "output_item.added", "output_index": 0, "item": None},
        {"type": "output_item.added", "output_index": 0, "item": item},
        {"type": "dream_call.deep", "output_index": 0},
        {"type": "output_item.done", "output_index": 0, "item": item},
        {"type": "completed", "response": {"output": [item]}},
    )
    assert [type(event) for event in events] == [OpaqueAdded, Finished, Ended]


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, 429, None),
        ({"type": "error", "error": {"code": "server_error", "message": "m"}}, 500, None),
        (
            {
                "type": "failed",
                "response": {
                    "status": "failed",
                    "error": {"code": "invalid_image_url", "message": "m"},
                },
            },
            400,
            "invalid_image_url",
        ),
        ({"type": "failed", "response": {"status": "failed", "error": None}}, 502, None),
        ({"error": {"message": "m", "type": "insufficient_quota"}}, 429, "insufficient_quota"),
    ],
)
def test_errors_end_the_stream(event: dict[str, Any], status: int, code: str | None) -> None:
    """One ``Failed`` with the status of the code, and nothing after it."""
    events = read(event, {"type": "output_text.delta", "delta": "x", "output_index": 0}, DONE)
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    error = events[0].error
    assert isinstance(error, UpstreamStatus)
    assert error.status == status
    assert error.in_stream
    assert error.body
    if code:
        assert error.code == code


@pytest.mark.parametrize("data", ["no json", "[1]", '"x"'])
def test_other_bytes_are_a_protocol_error(data: str) -> None:
    """What is no event ends the stream."""
    events = read(data, DONE)
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert isinstance(events[0].error, UpstreamProtocolError)


def test_a_malformed_call_is_a_protocol_error() -> None:
    """A call that cannot be answered is not passed on."""
    item = {"type": "function_call", "id": "fc_1", "arguments": "{}"}
    events = read({"type": "output_item.done", "output_index": 0, "item": item})
    assert isinstance(events[0], Failed)


def test_nothing_follows_the_end() -> None:
    """``[DONE]`` and repeated ends are not told."""
    events = read(DONE, "[DONE]", DONE)
    assert [type(event) for event in events] == [Finished, Ended]


TYPES = [
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_text.annotation.added",
    "response.refusal.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.done",
    "response.completed",
    "response.failed",
    "error",
]
leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
KEYS = [
    "type",
    "id",
    "call_id",
    "name",
    "arguments",
    "content",
    "summary",
    "text",
    "status",
    "output",
    "annotations",
    "logprobs",
    "encrypted_content",
    "usage",
    "error",
    "created_at",
    "incomplete_details",
]
kinds = st.sampled_from(["message", "reasoning", "function_call", "output_text", "refusal", "x"])
value = st.recursive(
    leaf | kinds,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=8,
)
event = st.builds(
    lambda kind, rest: {"type": kind} | {k: v for k, v in rest.items() if k != "type"},
    st.sampled_from(TYPES),
    st.dictionaries(
        st.sampled_from(
            ["output_index", "item_id", "item", "response", "delta", "text", "annotation", "part"]
        ),
        value,
        max_size=5,
    ),
)


@given(st.lists(event, max_size=6))
def test_a_reader_never_raises(events: list[dict[str, Any]]) -> None:
    """Whatever the JSON: events, or one ``Failed`` at the end."""
    reader = DIALECT.stream_reader()
    found = [
        each for body in events for each in reader.feed(b"data: " + dumps(body) + b"\n\n")
    ] + reader.close()
    failed = [isinstance(each, Failed) for each in found]
    assert not any(failed[:-1])


@given(st.dictionaries(st.sampled_from(KEYS), value, max_size=6))
def test_a_whole_answer_is_read_or_a_protocol_error(body: dict[str, Any]) -> None:
    """Nothing but a protocol error comes of a malformed answer."""
    DIALECT.error_in_body(body)
    try:
        DIALECT.read_response(body)
    except UpstreamProtocolError:
        return
