"""Streams written for a Responses client, as the official SDK reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from plano_asgi._json import loads
from plano_asgi.conversation import (
    ChatRequest,
    Citation,
    OpaquePart,
    Usage,
)
from plano_asgi.errors import RateLimited, UpstreamReset, UpstreamStatus
from plano_asgi.stream_events import (
    CitationAdded,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.reasoning_pack import unpack
from plano_asgi.wire.sse import SSEDecoder

DIALECT = OpenAIResponses()
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "patch", "description": "a patch"},
    {
        "type": "namespace",
        "name": "crm",
        "description": "customers",
        "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}],
    },
]


def chat(**fields: Any) -> ChatRequest:
    """A client's request."""
    return DIALECT.read_request({"model": "m", "input": "hi", "stream": True, **fields})


def decoded(data: bytes) -> list[dict[str, Any]]:
    """The events in *data*; each one's SSE name is its type."""
    decoder = SSEDecoder()
    events = []
    for sse in [*decoder.feed(data), *decoder.close()]:
        event = loads(sse.data)
        assert sse.event == event["type"]
        events.append(event)
    return events


def stream(*events: StreamEvent, request: ChatRequest | None = None) -> list[dict[str, Any]]:
    """What a client reads of *events*, cleanly ended."""
    writer = DIALECT.stream_writer(request or chat(tools=TOOLS))
    data = b"".join(writer.write([event]) for event in events)
    return decoded(data + writer.finish())


def checked(events: list[dict[str, Any]]) -> Response:
    """
    The final response, after the SDK's types and its own accumulator have taken every event.

    The accumulated text and arguments have to be those of the final output.
    """
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    for raw in events:
        event = EVENT.validate_python(raw)
        for fired in state.handle_event(event):
            snapshot = getattr(fired, "snapshot", None)
            last = snapshot if snapshot is not None else None
            assert last is None or isinstance(last, str)
    final = Response.model_validate(events[-1]["response"])
    shown = state._ResponseStreamState__current_snapshot.output
    for kind, told in (("message", _texts), ("function_call", _arguments)):
        assert [told(item) for item in shown if item.type == kind] == [
            told(item) for item in final.output if item.type == kind
        ]
    return final


def _texts(item: Any) -> list[str]:
    return [part.text for part in item.content if part.type == "output_text"]


def _arguments(item: Any) -> str:
    return str(item.arguments)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types, without their common prefix."""
    return [event["type"].removeprefix("response.") for event in events]


BEGIN = ["created", "in_progress"]
TEXT = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]


def test_text_comes_in_the_official_order() -> None:
    """One message item, one content part, every event in its place, usage at the end."""
    events = stream(
        Started(id="chatcmpl-1", model="up", created=7),
        TextDelta(text="Hel"),
        TextDelta(text="lo"),
        Finished(reason="stop"),
        UsageReported(usage=Usage(input_tokens=3, output_tokens=2, cache_read_input_tokens=1)),
    )
    assert kinds(events) == [*BEGIN, *TEXT[:3], *TEXT[2:], "completed"]
    final = checked(events)
    assert (final.status, final.output_text, final.model) == ("completed", "Hello", "up")
    assert final.id.startswith("resp_")
    assert final.created_at == 7
    assert final.usage is not None
    assert final.usage.total_tokens == 5
    assert final.usage.input_tokens_details.cached_tokens == 1
    assert {event["output_index"] for event in events if "output_index" in event} == {0}


def test_upstream_id_of_a_response_is_kept() -> None:
    """An id that is already one of this API's stays."""
    assert checked(stream(Started(id="resp_1"), TextDelta(text="x"))).id == "resp_1"


def test_foreign_reasoning_is_a_summary_that_can_be_replayed() -> None:
    """Thinking is shown as summary, and its signature comes back with the next request."""
    events = stream(
        ReasoningDelta(text="hm", dialect="anthropic.messages"),
        ReasoningDelta(signature="sig", dialect="anthropic.messages"),
        TextDelta(text="4", part=1),
        Finished(reason="stop"),
    )
    assert kinds(events) == [
        *BEGIN,
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        *TEXT,
        "completed",
    ]
    item: Any = checked(events).output[0]
    assert item.summary[0].text == "hm"
    part = unpack(item.encrypted_content)
    assert part is not None
    assert (part.dialect, part.text, part.signature) == ("anthropic.messages", "hm", "sig")


def test_own_full_reasoning_stays_full_reasoning() -> None:
    """Reasoning text of this API is not made a summary."""
    events = stream(
        ReasoningDelta(text="hm", dialect="openai.responses", id="rs_1"),
        ReasoningDelta(encrypted="gA", dialect="openai.responses", id="rs_1"),
    )
    item: Any = checked(events).output[0]
    assert (item.id, item.encrypted_content, item.summary) == ("rs_1", "gA", [])
    assert item.content[0].text == "hm"


def test_redacted_reasoning_without_text_is_an_item() -> None:
    """Ciphertext alone makes a reasoning item without summary."""
    events = stream(ReasoningDelta(encrypted="x", dialect="anthropic.messages"))
    assert kinds(events) == [*BEGIN, "output_item.added", "output_item.done", "completed"]


def test_interleaved_calls_keep_their_arguments_apart() -> None:
    """Deltas of two calls in turn end up with their own call."""
    final = checked(
        stream(
            TextDelta(text="ok"),
            ToolCallStarted(index=0, id="c0", name="add", part=1),
            ToolCallStarted(index=1, id="c1", name="find", part=2),
            ToolCallDelta(index=0, arguments='{"a":', part=1),
            ToolCallDelta(index=1, arguments='{"b":', part=2),
            ToolCallDelta(index=0, arguments="1}", part=1),
            ToolCallDelta(index=1, arguments="2}", part=2),
            Finished(reason="tool_calls"),
        )
    )
    calls: list[Any] = list(final.output[1:])
    assert [(call.call_id, call.arguments) for call in calls] == [
        ("c0", '{"a":1}'),
        ("c1", '{"b":2}'),
    ]
    assert [call.namespace for call in calls] == [None, "crm"]
    assert final.status == "completed"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    """Clients parse the arguments: they are JSON even where the upstream sent none."""
    final = checked(stream(ToolCallStarted(index=0, id="c", name="add")))
    assert final.output[0].arguments == "{}"  # type: ignore[union-attr]


def test_a_custom_tool_is_called_with_free_text() -> None:
    """The function form of a custom tool's call is unwrapped, as it comes and in the end."""
    events = stream(
        ToolCallStarted(index=0, id="c", name="patch"),
        ToolCallDelta(index=0, arguments='{"input":"*** Be'),
        ToolCallDelta(index=0, arguments='gin\\n"}'),
        Finished(reason="tool_calls"),
    )
    assert kinds(events)[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    item: Any = checked(events).output[0]
    assert (item.type, item.input) == ("custom_tool_call", "*** Begin\n")
    assert item.id.startswith("ctc_")


def test_native_custom_input_streams() -> None:
    """A custom call of the same API needs no unwrapping and is not held."""
    events = stream(
        ToolCallStarted(index=0, id="c", name="patch", kind="custom", item_id="ctc_1"),
        ToolCallDelta(index=0, arguments="a"),
        ToolCallDelta(index=0, arguments="b"),
    )
    assert kinds(events).count("custom_tool_call_input.delta") == 2
    assert checked(events).output[0].input == "ab"  # type: ignore[union-attr]


def test_refusals_are_parts_of_the_message() -> None:
    """A refusal has events of its own."""
    events = stream(TextDelta(text="no", channel="refusal"), Finished(reason="stop"))
    assert "refusal.delta" in kinds(events)
    assert "refusal.done" in kinds(events)
    final = checked(events)
    message: Any = final.output[0]
    assert message.content[0].refusal == "no"


def test_citations_and_logprobs() -> None:
    """Sources become annotations, in time or late; logprobs get every field."""
    events = stream(
        TextDelta(text="sun", logprobs=[{"token": "sun", "logprob": -1.0, "bytes": None}]),
        CitationAdded(citation=Citation(url="https://a", title="A")),
        TextDelta(text="moon", part=1),
        ToolCallStarted(index=0, id="c", name="add", part=2),
        CitationAdded(citation=Citation(url="https://b"), part=1),
        Finished(reason="tool_calls"),
    )
    assert kinds(events).count("output_text.annotation.added") == 1
    message: Any = checked(events).output[0]
    content = message.content
    assert [part.text for part in content] == ["sun", "moon"]
    assert content[0].annotations[0].end_index == 3
    assert content[0].logprobs[0].bytes == []
    assert content[1].annotations[0].url == "https://b"


def test_server_tool_items_of_this_api_pass() -> None:
    """Opaque items are announced and done; other dialects' blocks are left out."""
    raw = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x", "queries": ["x"]},
    }
    events = stream(
        OpaqueAdded(block=OpaquePart(dialect="anthropic.messages", raw={"type": "x"})),
        OpaqueAdded(block=OpaquePart(dialect="openai.responses", raw=raw)),
        TextDelta(text="x", part=1),
    )
    final = checked(events)
    assert [item.type for item in final.output] == ["web_search_call", "message"]


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_cut_answer_is_incomplete(reason: Any, told: str) -> None:
    """The terminal event, the status, the reason and the last item all say so."""
    events = stream(TextDelta(text="x"), Finished(reason=reason))
    assert events[-1]["type"] == "response.incomplete"
    final = checked(events)
    assert final.incomplete_details is not None
    assert final.incomplete_details.reason == told
    assert final.output[0].status == "incomplete"  # type: ignore[union-attr]


def test_an_empty_answer_is_complete() -> None:
    """Nothing at all is still a whole stream."""
    events = stream()
    assert kinds(events) == [*BEGIN, "completed"]
    assert checked(events).output == []


def test_a_failure_is_the_last_event() -> None:
    """``response.failed`` with what there is; the upstream's code is kept."""
    writer = DIALECT.stream_writer(chat(tools=TOOLS))
    data = writer.write(
        [
            TextDelta(text="par"),
            ToolCallStarted(index=0, id="c", name="add", part=1),
            ToolCallDelta(index=0, arguments='{"a', part=1),
            TextDelta(text="tial", part=2),
        ]
    )
    events = decoded(data + writer.fail(UpstreamReset("cut")))
    assert events[-1]["type"] == "response.failed"
    response = events[-1]["response"]
    assert response["error"] == {"code": "server_error", "message": "cut"}
    assert [item["status"] for item in response["output"]] == [
        "completed",
        "incomplete",
        "incomplete",
    ]
    assert response["output"][2]["content"][0]["text"] == "tial"
    checked(events)


def test_a_failure_before_anything_still_opens() -> None:
    """The SDK wants ``response.created`` first, whatever comes."""
    error = UpstreamStatus("no money", status=429, code="insufficient_quota")
    events = decoded(DIALECT.stream_writer(chat()).fail(error))
    assert kinds(events) == [*BEGIN, "failed"]
    assert events[-1]["response"]["error"]["code"] == "insufficient_quota"
    limited = decoded(DIALECT.stream_writer(chat()).fail(RateLimited("slow down")))
    assert limited[-1]["response"]["error"]["code"] == "rate_limit_exceeded"


def test_failing_reasoning_is_kept() -> None:
    """A reasoning item that was open when the response failed is in its output."""
    writer = DIALECT.stream_writer(chat())
    data = writer.write([ReasoningDelta(text="hm", dialect="openai.chat")])
    events = decoded(data + writer.fail(UpstreamReset("cut")))
    assert events[-1]["response"]["output"][0]["summary"][0]["text"] == "hm"


def test_empty_deltas_open_nothing() -> None:
    """Upstreams that send empty text or thinking first make no empty items."""
    assert kinds(stream(TextDelta(text=""), ReasoningDelta(text=""))) == [*BEGIN, "completed"]


def test_other_choices_are_not_mixed_in() -> None:
    """The API has one choice."""
    final = checked(stream(TextDelta(text="a"), TextDelta(text="b", choice=1)))
    assert final.output_text == "a"


def test_settings_are_echoed() -> None:
    """The response object repeats what the client asked, with the API's defaults for the rest."""
    request = chat(
        instructions="be brief",
        temperature=0,
        tools=TOOLS,
        tool_choice={"type": "function", "name": "add"},
        text={"format": {"type": "json_object"}},
        reasoning={"effort": "low"},
        metadata={"a": "b"},
        store=False,
        previous_response_id="resp_0",
        conversation="conv_1",
        max_tool_calls=3,
    )
    for event in stream(TextDelta(text="{}"), request=request):
        if "response" in event:
            response = event["response"]
            assert response["instructions"] == "be brief"
            assert response["temperature"] == 0
            assert response["tools"][0] == TOOLS[0] | {"description": None}
            assert response["tools"][1:] == TOOLS[1:]
            assert response["tool_choice"] == {"type": "function", "name": "add"}
            assert response["text"] == {"format": {"type": "json_object"}, "verbosity": "medium"}
            assert response["reasoning"] == {"effort": "low", "summary": None}
            assert response["metadata"] == {"a": "b"}
            assert response["store"] is False
            assert response["previous_response_id"] == "resp_0"
            assert response["conversation"] == {"id": "conv_1"}
            assert response["max_tool_calls"] == 3
            assert response["parallel_tool_calls"] is True


texts = st.text(max_size=5)
EVENTS = st.one_of(
    st.builds(Started, id=texts, model=texts),
    st.builds(
        TextDelta,
        text=texts,
        part=st.integers(0, 4),
        channel=st.sampled_from(["content", "refusal"]),
    ),
    st.builds(CitationAdded, citation=st.builds(Citation, url=texts), part=st.integers(0, 4)),
    st.builds(
        ReasoningDelta,
        text=texts,
        part=st.integers(0, 4),
        summary=st.booleans(),
        signature=st.none() | texts,
        encrypted=st.none() | texts,
        dialect=st.sampled_from(["anthropic.messages", "openai.responses"]),
    ),
    st.builds(ToolCallDelta, index=st.integers(0, 3), arguments=texts),
    st.builds(Finished, reason=st.sampled_from(["stop", "tool_calls", "length", "refusal"])),
)


@given(st.lists(EVENTS, max_size=20), st.integers(0, 3), st.booleans())
def test_any_order_of_events_makes_a_valid_stream(
    events: list[StreamEvent], calls: int, fails: bool
) -> None:
    """Whatever comes: no gap in the numbers, and the SDK accumulates the final output."""
    started: list[StreamEvent] = [
        ToolCallStarted(index=i, id=f"c{i}", name=["add", "patch", "find"][i]) for i in range(calls)
    ]
    writer = DIALECT.stream_writer(chat(tools=TOOLS))
    data = b"".join(writer.write([event]) for event in [*started, *events])
    data += writer.fail(UpstreamReset("cut")) if fails else writer.finish()
    checked(decoded(data))
