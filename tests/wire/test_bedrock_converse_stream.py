"""ConverseStream: frames to events and back, cut, corrupt and failed streams."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import exchanges
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Citation,
    OpaquePart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import RateLimited, UpstreamProtocolError, UpstreamStatus
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
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.bedrock_converse import BedrockConverse
from plano_asgi.wire.eventstream import EventStreamDecoder, encode_frame

DIALECT = BedrockConverse()
REQUEST = ChatRequest(model="m", messages=[])
NAME = "bedrock.converse"


def frame(name: str, payload: object, kind: str = "event") -> bytes:
    """One frame of a stream; *kind* "exception" names an exception type."""
    headers = {f":{kind}-type": name, ":message-type": kind}
    return encode_frame(headers, json.dumps(payload).encode())


def delta(index: int, **value: object) -> bytes:
    """A ``contentBlockDelta``."""
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": value})


def start(index: int, **value: object) -> bytes:
    """A ``contentBlockStart``."""
    return frame("contentBlockStart", {"contentBlockIndex": index, "start": value})


def stop(index: int) -> bytes:
    """A ``contentBlockStop``."""
    return frame("contentBlockStop", {"contentBlockIndex": index})


def read(*chunks: bytes) -> list[StreamEvent]:
    """The events of a stream, without ``raw`` and with a fixed id."""
    reader = DIALECT.stream_reader()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()
    for event in events:
        event.raw = None
        if isinstance(event, Started):
            assert event.id.startswith("bedrock-")
            event.id = "i"
    return events


def whole(stream: bytes) -> ChatResponse:
    """The answer that a stream adds up to."""
    accumulator = Accumulator()
    reader = DIALECT.stream_reader()
    accumulator.add(reader.feed(stream))
    accumulator.add(reader.close())
    assert accumulator.ended
    return accumulator.response()


BEGIN = frame("messageStart", {"role": "assistant", "p": "abc"})
END = frame("messageStop", {"stopReason": "end_turn"}) + frame(
    "metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}, "metrics": {"latencyMs": 1}}
)
USAGE = Usage(
    input_tokens=1, output_tokens=2, raw={"inputTokens": 1, "outputTokens": 2}, dialect=NAME
)
ENDING = [Finished(reason="stop"), UsageReported(usage=USAGE), Ended()]


@pytest.mark.parametrize("item", exchanges("bedrock.converse", streaming=True))
def test_recorded_streams_are_read_whole(item: dict[str, Any]) -> None:
    """Each ends well, its tokens add up, and every cut gives the same events."""
    stream = base64.b64decode(item["response"]["body_base64"])
    answer = whole(stream)
    usage = answer.usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == usage.raw["totalTokens"]
    (choice,) = answer.choices
    assert choice.finish_reason is not None
    assert choice.parts
    calls = [part for part in choice.parts if isinstance(part, ToolCallPart)]
    assert all(isinstance(json.loads(call.arguments), dict) for call in calls)
    assert bool(calls) == (choice.finish_reason == "tool_calls")
    assert read(*(stream[i : i + 7] for i in range(0, len(stream), 7))) == read(stream)


@pytest.mark.parametrize("item", exchanges("bedrock.converse", streaming=True))
def test_recorded_streams_survive_writing(item: dict[str, Any]) -> None:
    """Events written as a stream are read as the same answer."""
    stream = base64.b64decode(item["response"]["body_base64"])
    writer = DIALECT.stream_writer(REQUEST)
    events = [e for e in read(stream) if not isinstance(e, Ended)]
    again = whole(b"".join(writer.write([event]) for event in events) + writer.finish())
    expected = whole(stream)
    assert [choice.parts for choice in again.choices] == [c.parts for c in expected.choices]
    assert again.usage == expected.usage


def test_text_blocks_have_no_start() -> None:
    """Parts are numbered as they appear; an empty delta opens none."""
    events = read(
        BEGIN
        + delta(0, text="")
        + stop(0)
        + delta(1, reasoningContent={"text": "t"})
        + delta(1, reasoningContent={"signature": "s"})
        + stop(1)
        + delta(2, reasoningContent={"redactedContent": "RXFBRA=="})
        + delta(4, text="Hi")
        + delta(4, text="!")
        + stop(4)
        + END
    )
    assert events == [
        Started(id="i"),
        ReasoningDelta(text="t", dialect=NAME),
        ReasoningDelta(signature="s", dialect=NAME),
        ReasoningDelta(encrypted="EqAD", part=1, dialect=NAME),
        TextDelta(text="Hi", part=2),
        TextDelta(text="!", part=2),
        *ENDING,
    ]


def test_tool_calls_are_counted_without_gaps() -> None:
    """Whatever their block index; one without input gets an empty object."""
    events = read(
        BEGIN
        + delta(0, text="x")
        + start(1, toolUse={"toolUseId": "a", "name": "f"})
        + delta(1, toolUse={"input": ""})
        + delta(1, toolUse={"input": '{"k":'})
        + delta(1, toolUse={"input": "1}"})
        + stop(1)
        + start(5, toolUse={"toolUseId": "b", "name": "g", "type": "tool_use"})
        + END
    )
    assert events == [
        Started(id="i"),
        TextDelta(text="x"),
        ToolCallStarted(index=0, id="a", name="f", part=1),
        ToolCallDelta(index=0, arguments='{"k":', part=1),
        ToolCallDelta(index=0, arguments="1}", part=1),
        ToolCallStarted(index=1, id="b", name="g", part=2),
        ToolCallDelta(index=1, arguments="{}", part=2),
        *ENDING,
    ]


def test_a_servers_own_tools_are_no_calls() -> None:
    """They and images come whole, at the end of their block, as in a whole answer."""
    use = {"toolUseId": "s", "name": "n", "type": "server_tool_use"}
    result = {"toolUseId": "s", "type": "n_result", "status": "success"}
    events = read(
        start(0, toolUse=use)
        + delta(0, toolUse={"input": '{"q":'})
        + delta(0, toolUse={"input": "1}"})
        + stop(0)
        + start(1, toolResult=result)
        + delta(1, toolResult=[{"text": "r"}])
        + stop(1)
        + start(2, image={"format": "png"})
        + delta(2, image={"source": {"bytes": "AA=="}})
        + stop(2)
        + start(3, toolUse=use)
        + delta(3, toolUse={"input": "{"})
        + END
    )
    blocks: list[dict[str, Any]] = [
        {"toolUse": {**use, "input": {"q": 1}}},
        {"toolResult": {**result, "content": [{"text": "r"}]}},
        {"image": {"format": "png", "source": {"bytes": "AA=="}}},
        {"toolUse": {**use, "input": "{"}},
    ]
    assert events == [
        *(
            OpaqueAdded(block=OpaquePart(dialect=NAME, raw=block), part=part)
            for part, block in enumerate(blocks)
        ),
        *ENDING,
    ]


def test_a_citation_belongs_to_its_text_or_the_text_before() -> None:
    """Claude cites before the text of a block, Nova in a block of its own after the text."""
    raw = {"title": "t"}
    cited = Citation(title="t", raw=raw, dialect=NAME)
    before = read(delta(0, citation=raw) + delta(0, text="x") + delta(0, citation=raw) + END)
    assert before == [
        CitationAdded(citation=cited),
        TextDelta(text="x"),
        CitationAdded(citation=cited),
        *ENDING,
    ]
    after = read(delta(0, text="x") + stop(0) + delta(1, citation=raw) + stop(1) + END)
    assert after == [TextDelta(text="x"), CitationAdded(citation=cited), *ENDING]
    assert read(delta(0, citation=raw) + stop(0) + END) == [CitationAdded(citation=cited), *ENDING]


def test_each_events_raw_is_the_upstreams() -> None:
    """Set on the first event of a frame only."""
    (event,) = DIALECT.stream_reader().feed(delta(0, text="x"))
    assert event.raw == {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "x"}}}
    reader = DIALECT.stream_reader()
    events = reader.feed(END)
    assert [event.raw is None for event in events] == [False, False, True]


def test_the_reason_alone_makes_an_answer_whole() -> None:
    """Usage may be missing; without the reason the stream was cut."""
    stopped = frame(
        "messageStop",
        {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "|"}},
    )
    assert read(stopped) == [Finished(reason="stop", stop_sequence="|"), Ended()]
    assert read(delta(0, text="x")) == [TextDelta(text="x")]
    assert read(frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}})) == [
        UsageReported(usage=USAGE)
    ]


def test_nothing_comes_after_the_end() -> None:
    """Later frames, and closing, add no events."""
    reader = DIALECT.stream_reader()
    assert isinstance(reader.feed(END + delta(0, text="x"))[-1], Ended)
    assert reader.feed(delta(0, text="x")) == []
    assert reader.close() == []


def test_what_is_not_known_is_passed_over() -> None:
    """Unknown events, deltas, starts and shapes end nothing."""
    odd: list[bytes] = [
        frame("futureEvent", {"x": 1}),
        frame("x", {}, kind="future"),
        delta(0, future={"x": 1}),
        delta(0, text=5),
        delta(0, toolUse=5),
        delta(0, toolUse={"input": "x"}),
        delta(0, reasoningContent=5),
        delta(0, reasoningContent={"text": ""}),
        delta(0, citation=5),
        delta(0, toolResult=5),
        delta(0, image=5),
        start(1, toolUse=5),
        frame("contentBlockDelta", {"delta": 5, "contentBlockIndex": "x"}),
        frame("metadata", {"metrics": {}}),
    ]
    assert read(*odd, END) == ENDING


def test_a_citation_of_odd_shape_is_kept_as_it_is() -> None:
    """Its fields are only read where they are what they should be."""
    raw = {"sourceContent": 5, "location": {"web": 5}, "title": 5, "source": 5}
    (event, *_) = read(delta(0, citation=raw) + delta(0, text="x"))
    assert event == CitationAdded(citation=Citation(raw=raw, dialect=NAME))


@pytest.mark.parametrize(
    ("name", "status", "type_"),
    [
        ("throttlingException", 429, "rate_limit_error"),
        ("validationException", 400, "invalid_request_error"),
        ("modelStreamErrorException", 502, "api_error"),
        ("internalServerException", 500, "api_error"),
        ("serviceUnavailableException", 503, "overloaded_error"),
        ("modelTimeoutException", 504, "timeout_error"),
        ("futureException", 502, "api_error"),
    ],
)
def test_an_exception_frame_fails_the_stream(name: str, status: int, type_: str) -> None:
    """The exception's name gives the status; nothing comes after it."""
    reader = DIALECT.stream_reader()
    payload = {"message": "no", "originalStatusCode": 400}
    events = reader.feed(frame(name, payload, kind="exception") + END)
    (event,) = events
    assert isinstance(event, Failed)
    assert event.raw == {name: payload}
    error = event.error
    assert isinstance(error, UpstreamStatus)
    assert (error.message, error.status, error.type) == ("no", status, type_)
    assert (error.code, error.in_stream, error.body) == (name, True, json.dumps(payload).encode())
    assert reader.close() == []


def test_an_error_frame_carries_its_words_in_headers() -> None:
    """Errors that are not modelled have a code and a message, and no payload."""
    headers = {":message-type": "error", ":error-code": "ThrottlingException"}
    (event,) = read(encode_frame({**headers, ":error-message": "slow"}, b""))
    assert isinstance(event, Failed)
    error = event.error
    assert isinstance(error, UpstreamStatus)
    assert (error.message, error.status, error.code) == ("slow", 429, "ThrottlingException")


def test_an_exception_without_json_is_still_read() -> None:
    """Its payload is then the message."""
    headers = {":message-type": "exception", ":exception-type": "x"}
    (event,) = read(encode_frame(headers, b"plain"))
    assert isinstance(event, Failed)
    assert str(event.error) == "plain"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b'{"message": "no stream at all"}', id="json"),
        pytest.param(encode_frame({":event-type": "messageStop"}, b"{"), id="payload-no-json"),
        pytest.param(frame("messageStop", [1]), id="payload-no-object"),
    ],
)
def test_bytes_that_make_no_sense_fail_the_stream(bad: bytes) -> None:
    """What came before is still handed out."""
    text, failed = read(delta(0, text="x") + bad + END)
    assert text == TextDelta(text="x")
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamProtocolError)


@given(st.lists(st.integers(0, 600), max_size=6))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    """However the bytes arrive."""
    stream = BEGIN + delta(0, text="é") + start(1, toolUse={"toolUseId": "a", "name": "f"}) + END
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert read(*chunks) == read(stream)


KEYS = [
    *("contentBlockIndex", "delta", "start", "text", "toolUse", "input", "type", "image"),
    *("reasoningContent", "signature", "redactedContent", "citation", "location", "web"),
    *("source", "sourceContent", "usage", "stopReason", "toolResult", "trace"),
]
EVENTS = ["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
JSONS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(KEYS), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.sampled_from(EVENTS), JSONS), max_size=5))
def test_no_payload_makes_the_reader_raise(sent: list[tuple[str, object]]) -> None:
    """Whatever shape arrives, the reader answers with events."""
    read(b"".join(frame(name, payload) for name, payload in sent))


def test_a_stream_of_another_dialect_is_written() -> None:
    """The writer opens by itself, passes over other choices, and closes what is open."""
    writer = DIALECT.stream_writer(REQUEST)
    written = writer.write(
        [
            ReasoningDelta(text="t", dialect="openai.responses"),
            ReasoningDelta(signature="x", encrypted="y", dialect="openai.responses"),
            ReasoningDelta(text="u", part=1, signature="s", dialect="anthropic.messages"),
            TextDelta(text="Hi", part=2),
            TextDelta(text="no", choice=1),
            TextDelta(text="", part=2),
            CitationAdded(citation=Citation(url="u"), part=2),
            OpaqueAdded(block=OpaquePart(dialect="anthropic.messages", raw={}), part=3),
            OpaqueAdded(block=OpaquePart(dialect=NAME, raw={"future": 1}), part=3),
            ToolCallStarted(index=0, id="a", name="f", part=4),
            ToolCallStarted(index=1, id="b", name="g", part=5),
            ToolCallDelta(index=0, arguments="{}", part=4),
            UsageReported(usage=Usage(input_tokens=3, output_tokens=4)),
            Finished(reason="tool_calls"),
        ]
    )
    answer = whole(written + writer.finish())
    assert answer.choices[0].parts == [
        ReasoningPart(text="t", dialect=NAME),
        ReasoningPart(text="u", signature="s", dialect=NAME),
        TextPart(text="Hi"),
        ToolCallPart(id="a", name="f", arguments="{}"),
        ToolCallPart(id="b", name="g", arguments="{}"),
    ]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 4)
    names = [f.text(":event-type") for f in EventStreamDecoder().feed(written)]
    assert names.count("messageStart") == 1


def test_an_empty_stream_is_written_whole() -> None:
    """No events still make a message."""
    assert read(DIALECT.stream_writer(REQUEST).finish())[0] == Started(id="i")


def test_a_failed_stream_has_no_end_mark() -> None:
    """An exception frame, and nothing after it."""
    writer = DIALECT.stream_writer(REQUEST)
    stream = writer.write([TextDelta(text="x")]) + writer.fail(RateLimited("slow"))
    *_, failed = read(stream)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UpstreamStatus)
    assert (failed.error.status, failed.error.message) == (429, "slow")
    assert b"messageStop" not in stream


def test_an_error_can_be_written_by_itself() -> None:
    """The frame that a relayed stream ends with where it fails."""
    (failed,) = read(DIALECT.write_stream_error(RateLimited("slow"), "r"))
    assert isinstance(failed, Failed)
    assert str(failed.error) == "slow"
