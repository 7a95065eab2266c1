"""Messages streams: reading an upstream's, writing a client's."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message as SDKMessage
from anthropic.types.raw_message_stream_event import RawMessageStreamEvent
from pydantic import TypeAdapter

from plano_asgi._json import dumps, loads
from plano_asgi.conversation import (
    ChatRequest,
    Citation,
    OpaquePart,
    ReasoningPart,
    Usage,
)
from plano_asgi.errors import UpstreamProtocolError, UpstreamReset, UpstreamStatus
from plano_asgi.stream_events import (
    CitationAdded,
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
    UsageReported,
)
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.reasoning_pack import unpack
from plano_asgi.wire.sse import SSEDecoder, encode

DIALECT = AnthropicMessages()
NAME = DIALECT.name
REQUEST = ChatRequest(model="claude-x", messages=[], dialect=NAME, stream=True)
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

# --------------------------------------------------------------------------- reading


def read(*events: dict[str, Any]) -> list[StreamEvent]:
    """What a fresh reader makes of *events*, without the raw objects."""
    reader = DIALECT.stream_reader()
    found = reader.feed(b"".join(encode(dumps(e), e.get("type", "")) for e in events))
    for event in found:
        event.raw = None
    return found + reader.close()


def start(block: dict[str, Any], index: int = 0) -> dict[str, Any]:
    """A ``content_block_start``."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    """A ``content_block_delta``."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int = 0) -> dict[str, Any]:
    """A ``content_block_stop``."""
    return {"type": "content_block_stop", "index": index}


def test_message_is_framed_by_started_and_ended() -> None:
    """Usage is cumulative: what the end leaves out keeps the value of the start."""
    message: dict[str, Any] = {
        "id": "msg_1",
        "model": "m",
        "content": [],
        "container": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1},
    }
    events = read(
        {"type": "message_start", "message": message},
        {"type": "ping"},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"input_tokens": None, "output_tokens": 9},
        },
        {"type": "message_stop"},
        {"type": "ping"},
    )
    assert events[0] == Started(id="msg_1", model="m", extras={"container": None})
    assert isinstance(events[1], UsageReported)
    assert (events[1].usage.input_tokens, events[1].usage.output_tokens) == (12, 1)
    assert events[2] == Finished(reason="stop", stop_sequence="END")
    assert isinstance(events[3], UsageReported)
    assert (events[3].usage.input_tokens, events[3].usage.output_tokens) == (12, 9)
    assert events[4:] == [Ended()]


def test_every_upstream_event_is_kept_on_its_first_neutral_one() -> None:
    """Only the first of the events it became carries it."""
    message = {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}
    upstream = {"type": "message_start", "message": message}
    first, second = DIALECT.stream_reader().feed(encode(dumps(upstream)))
    assert first.raw == upstream
    assert second.raw is None


def test_text_with_citations() -> None:
    """Text of the start counts; a citation belongs to its part."""
    raw = {"type": "web_search_result_location", "url": "https://a.test", "title": "A"}
    assert read(
        start({"type": "text", "text": "A", "citations": [raw]}),
        delta("text_delta", text="B"),
        delta("citations_delta", citation=raw),
        delta("citations_delta", citation="odd"),
        delta("future_delta", text="C"),
        stop(),
    ) == [
        TextDelta(text="A"),
        CitationAdded(citation=Citation(url="https://a.test", title="A", raw=raw, dialect=NAME)),
        TextDelta(text="B"),
        CitationAdded(citation=Citation(url="https://a.test", title="A", raw=raw, dialect=NAME)),
    ]


def test_thinking_with_its_signature() -> None:
    """Thoughts, their signature, and redacted ones are parts of their own."""
    assert read(
        start({"type": "thinking", "thinking": "", "signature": ""}),
        delta("thinking_delta", thinking="Hm"),
        delta("signature_delta", signature="sig"),
        stop(),
        start({"type": "redacted_thinking", "data": "xyz"}, 1),
        stop(1),
    ) == [
        ReasoningDelta(text="Hm", dialect=NAME),
        ReasoningDelta(signature="sig", dialect=NAME),
        ReasoningDelta(encrypted="xyz", part=1, dialect=NAME),
    ]


def test_tool_calls_are_counted_apart_from_parts() -> None:
    """Calls count from 0; their arguments are JSON even where the upstream sent none."""
    assert read(
        start({"type": "text", "text": "A"}),
        stop(),
        start({"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": {}}, 1),
        delta("input_json_delta", 1, partial_json=""),
        delta("input_json_delta", 1, partial_json='{"q":1}'),
        stop(1),
        start({"type": "tool_use", "id": "t2", "name": "g", "input": {}}, 2),
        stop(2),
        start({"type": "tool_use", "id": "t3", "name": "h", "input": {"a": 1}}, 3),
        stop(3),
    ) == [
        TextDelta(text="A"),
        ToolCallStarted(index=0, id="t1", name="f", part=1, extras={"caller": {}}),
        ToolCallDelta(index=0, arguments='{"q":1}', part=1),
        ToolCallStarted(index=1, id="t2", name="g", part=2),
        ToolCallDelta(index=1, arguments="{}", part=2),
        ToolCallStarted(index=2, id="t3", name="h", part=3),
        ToolCallDelta(index=2, arguments='{"a":1}', part=3),
    ]


def test_other_blocks_arrive_whole() -> None:
    """Server tools and unknown blocks are one event when they are complete."""
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    events = read(
        start(search),
        delta("input_json_delta", partial_json='{"query":'),
        delta("input_json_delta", partial_json='"x"}'),
        stop(),
        start(found, 1),
        stop(1),
        start({"type": "compaction", "content": None}, 2),
        delta("compaction_delta", 2, content="Sum"),
        delta("compaction_delta", 2, content="mary"),
        stop(2),
    )
    raws = [event.block.raw for event in events if isinstance(event, OpaqueAdded)]
    summary = {"type": "compaction", "content": "Summary"}
    assert raws == [search | {"input": {"query": "x"}}, found, summary]


def test_broken_input_of_a_server_tool_is_wrapped() -> None:
    """Cut JSON is kept as text."""
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    events = read(start(search), delta("input_json_delta", partial_json='{"q'), stop())
    assert isinstance(events[0], OpaqueAdded)
    assert events[0].block.raw["input"] == {"INVALID_JSON": '{"q'}


def test_deltas_without_a_start_open_their_block() -> None:
    """Some compatible servers skip the start; a delta that fits nothing is passed over."""
    assert read(
        delta("thinking_delta", thinking="Hm"),
        delta("text_delta", 1, text="A"),
        delta("input_json_delta", 2, partial_json="{"),
        stop(9),
    ) == [ReasoningDelta(text="Hm", dialect=NAME), TextDelta(text="A", part=1)]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("overloaded_error", 529), ("rate_limit_error", 429), ("timeout_error", 504), ("odd", 502)],
)
def test_error_event_ends_the_stream(kind: str, status: int) -> None:
    """It is the upstream's status; nothing comes after it."""
    error = {"type": "error", "error": {"type": kind, "message": "Overloaded"}}
    (failed,) = read(error, start({"type": "text", "text": "A"}))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamStatus)
    assert (failed.error.status, failed.error.in_stream) == (status, True)
    assert failed.error.body is not None
    assert loads(failed.error.body) == error


@pytest.mark.parametrize(
    "data", [b"data: {half\n\n", b"data: [1]\n\n", b'event: error\ndata: {"type":"error"}\n\n']
)
def test_events_that_make_no_sense_fail(data: bytes) -> None:
    """One failure, and nothing after it."""
    reader = DIALECT.stream_reader()
    (failed,) = reader.feed(data)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamProtocolError)
    assert reader.feed(data) == reader.close() == []


def test_an_event_that_never_ends_fails() -> None:
    """The decoder's bound is a failure of the upstream."""
    reader = DIALECT.stream_reader()
    events: list[StreamEvent] = []
    for _ in range(17):
        events += reader.feed(b"x" * (1 << 20))
    assert [type(event) for event in events] == [Failed]


def test_what_is_not_for_us_is_passed_over() -> None:
    """Unknown events, a foreign end mark, fields of the wrong type: no failure, no event."""
    odd = {"type": "content_block_delta", "index": "x", "delta": "y"}
    assert read({"type": "future"}, {"no": "type"}, odd, start({}), {"type": "message_delta"}) == []
    assert DIALECT.stream_reader().feed(b"data: [DONE]\n\n") == []


def test_a_last_event_without_blank_line_counts() -> None:
    """``close`` returns what it held."""
    reader = DIALECT.stream_reader()
    assert reader.feed(b'data: {"type":"message_stop"}') == []
    assert [type(event) for event in reader.close()] == [Ended]


# --------------------------------------------------------------------------- writing


def frames(data: bytes) -> list[dict[str, Any]]:
    """The JSON documents of *data*; each named as its type says."""
    decoded = SSEDecoder().feed(data)
    documents = [loads(frame.data) for frame in decoded]
    assert [frame.event for frame in decoded] == [document["type"] for document in documents]
    return documents


def write(*events: StreamEvent, together: bool = False) -> SDKMessage:
    """The message that the official SDK makes of the stream for *events*."""
    writer = DIALECT.stream_writer(REQUEST)
    out = writer.write(events) if together else b"".join(writer.write([e]) for e in events)
    documents = frames(out + writer.finish())
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    open_block, next_index = None, 0
    for document in documents:
        if document["type"] == "content_block_start":
            assert (open_block, document["index"]) == (None, next_index)
            open_block, next_index = next_index, next_index + 1
        elif document["type"] == "content_block_delta":
            assert document["index"] == open_block
        elif document["type"] == "content_block_stop":
            assert document["index"] == open_block
            open_block = None
        event = EVENT.validate_python(document)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    kinds = [document["type"] for document in documents]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert open_block is None
    return SDKMessage.model_validate(
        snapshot.model_dump(exclude={"content": {"__all__": {"parsed_output"}}})
    )


def blocks(message: SDKMessage) -> list[dict[str, Any]]:
    """The content as plain objects."""
    return [block.model_dump(exclude_none=True) for block in message.content]


STARTED = Started(id="chatcmpl-1", model="m")
USAGE = UsageReported(
    usage=Usage(input_tokens=10, output_tokens=4, cache_read_input_tokens=6, dialect="openai.chat")
)
both_ways = pytest.mark.parametrize("together", [False, True], ids=["one-by-one", "together"])


@both_ways
def test_text(together: bool) -> None:
    """Text is one block; the frame carries id, model, reason and usage."""
    message = write(
        STARTED,
        TextDelta(text="Hel"),
        TextDelta(text=""),
        TextDelta(text="lo"),
        Finished(reason="stop"),
        USAGE,
        together=together,
    )
    assert blocks(message) == [{"type": "text", "text": "Hello"}]
    assert (message.id, message.model) == ("msg_chatcmpl-1", "m")
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (4, 4)
    assert message.usage.cache_read_input_tokens == 6


@both_ways
def test_native_thinking_then_text_then_call(together: bool) -> None:
    """The signature stands in its block; a part that changes is a new block."""
    message = write(
        ReasoningDelta(text="Hm", dialect=NAME),
        ReasoningDelta(signature="sig", dialect=NAME),
        ReasoningDelta(encrypted="xyz", part=1, dialect=NAME),
        TextDelta(text="A", part=2),
        TextDelta(text="B", part=3),
        ToolCallStarted(index=0, id="t1", name="f", part=4, extras={"caller": {"type": "direct"}}),
        ToolCallDelta(index=0, arguments='{"q":1}', part=4),
        Finished(reason="tool_calls"),
        together=together,
    )
    assert blocks(message) == [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
        {
            "type": "tool_use",
            "id": "t1",
            "name": "f",
            "input": {"q": 1},
            "caller": {"type": "direct"},
        },
    ]
    assert message.stop_reason == "tool_use"


def test_foreign_thinking_is_signed_with_its_origin() -> None:
    """What another dialect needs back is the signature, sent once before the block ends."""
    message = write(
        ReasoningDelta(text="Sum", summary=True, dialect="openai.responses"),
        ReasoningDelta(encrypted="gAAA", id="rs_1", dialect="openai.responses"),
        ReasoningDelta(text="more", part=1),
        TextDelta(text="A", part=2),
        Finished(reason="stop"),
    )
    first, second, _ = blocks(message)
    assert unpack(first["signature"]) == ReasoningPart(
        summary=True, encrypted="gAAA", id="rs_1", dialect="openai.responses"
    )
    assert second["thinking"] == "more"
    assert unpack(second["signature"]) == ReasoningPart()


@both_ways
def test_interleaved_parallel_calls(together: bool) -> None:
    """Arguments of a call that is not open are held until it is its turn."""
    message = write(
        TextDelta(text="A"),
        ToolCallStarted(index=0, id="t1", name="f", part=1),
        ToolCallStarted(index=1, id="t2", name="g", part=2),
        ToolCallDelta(index=1, arguments='{"b"', part=2),
        ToolCallDelta(index=0, arguments='{"a"', part=1),
        ToolCallDelta(index=1, arguments=":2}", part=2),
        TextDelta(text="between", part=3),
        ToolCallDelta(index=0, arguments=":1}", part=1),
        ToolCallDelta(index=7, arguments="{}", part=9),
        Finished(reason="tool_calls"),
        together=together,
    )
    assert blocks(message) == [
        {"type": "text", "text": "A"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {"b": 2}},
        {"type": "text", "text": "between"},
    ]


def test_a_complete_call_makes_room_at_once() -> None:
    """The second call streams as soon as the first is a whole object, not only at the end."""
    writer = DIALECT.stream_writer(REQUEST)
    writer.write(
        [
            ToolCallStarted(index=0, id="t1", name="f"),
            ToolCallDelta(index=0, arguments='{"a":{"x":1}'),
            ToolCallStarted(index=1, id="t2", name="g", part=1),
        ]
    )
    assert writer.write([ToolCallDelta(index=1, arguments='{"b"', part=1)]) == b""
    out = frames(writer.write([ToolCallDelta(index=0, arguments="}")]))
    assert [document["type"] for document in out] == [
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]
    assert writer.write([ToolCallDelta(index=0, arguments=" ")]) == b""


def test_calls_that_never_become_json_are_still_written() -> None:
    """A call cut by a limit is closed at the end, as far as it came."""
    message = write(
        ToolCallStarted(index=0, id="t1", name="f"),
        ToolCallDelta(index=0, arguments='{"a":"}'),
        ToolCallStarted(index=1, id="t2", name="g", part=1),
        Finished(reason="length"),
    )
    assert [block["id"] for block in blocks(message)] == ["t1", "t2"]
    assert message.stop_reason == "max_tokens"


def test_refusal() -> None:
    """Refusal text is text, and the reason says what it is."""
    message = write(TextDelta(text="No.", channel="refusal"), Finished(reason="stop"))
    assert blocks(message) == [{"type": "text", "text": "No."}]
    assert message.stop_reason == "refusal"


def test_stop_sequence() -> None:
    """The sequence that was met is named."""
    message = write(TextDelta(text="A"), Finished(reason="stop", stop_sequence="END"))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize("events", [(), (STARTED,), (Finished(reason="stop"),)])
def test_empty_answer(events: tuple[StreamEvent, ...]) -> None:
    """No content is still a whole message."""
    message = write(*events)
    assert blocks(message) == []
    assert message.stop_reason == "end_turn"


def test_calls_without_a_reason_are_tool_use() -> None:
    """A client must see that it is its turn."""
    assert write(ToolCallStarted(index=0, id="t", name="f")).stop_reason == "tool_use"


def test_own_blocks_and_citations_pass_foreign_ones_do_not() -> None:
    """What only this dialect knows is written as it came."""
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
    cited = {
        "type": "char_location",
        "cited_text": "q",
        "document_index": 0,
        "document_title": "D",
        "start_char_index": 0,
        "end_char_index": 1,
    }
    foreign = OpaquePart(dialect="openai.responses", raw={"type": "web_search_call"})
    message = write(
        OpaqueAdded(block=OpaquePart(dialect=NAME, raw=search)),
        OpaqueAdded(block=foreign, part=1),
        TextDelta(text="A", part=2),
        CitationAdded(citation=Citation(raw=cited, dialect=NAME), part=2),
        CitationAdded(citation=Citation(url="https://a.test", dialect="openai.chat"), part=2),
        Finished(reason="stop"),
    )
    assert blocks(message) == [search, {"type": "text", "text": "A", "citations": [cited]}]


def test_only_the_first_choice_is_written() -> None:
    """The API has no other."""
    message = write(
        TextDelta(text="A"),
        TextDelta(text="B", choice=1),
        Finished(reason="length", choice=1),
        Finished(reason="stop"),
    )
    assert blocks(message) == [{"type": "text", "text": "A"}]
    assert message.stop_reason == "end_turn"


def test_the_message_starts_with_the_first_news() -> None:
    """``Started`` opens the stream, with the usage that came beside it; so does content."""
    writer = DIALECT.stream_writer(REQUEST)
    assert writer.write([USAGE]) == b""
    (begun,) = frames(writer.write([STARTED]))
    assert begun["message"]["usage"]["input_tokens"] == 4
    late = DIALECT.stream_writer(REQUEST)
    out = frames(late.write([TextDelta(text="A")]))
    assert out[0]["message"]["model"] == "claude-x"
    assert late.write([STARTED]) == b""


def test_an_error_event_may_stand_alone() -> None:
    """A relayed stream that broke off ends with it."""
    (failed,) = frames(DIALECT.write_stream_error(UpstreamReset("gone"), "req_1"))
    assert (failed["error"]["message"], failed["request_id"]) == ("gone", "req_1")


def test_failure_is_an_event_and_no_end() -> None:
    """A broken stream never looks whole."""
    writer = DIALECT.stream_writer(REQUEST)
    writer.write([TextDelta(text="A")])
    (failed,) = frames(writer.fail(UpstreamReset("the connection ended")))
    assert failed == {
        "type": "error",
        "error": {"type": "api_error", "message": "the connection ended"},
    }
