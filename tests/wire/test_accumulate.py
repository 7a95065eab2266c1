"""Streams added up to whole answers, and whole answers told as streams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.conversation import (
    ChatResponse,
    Choice,
    Citation,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)
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
from plano_asgi.wire.accumulate import Accumulator, response_events


def added(*events: StreamEvent, **options: Any) -> ChatResponse:
    """The answer that *events* make."""
    accumulator = Accumulator(**options)
    accumulator.add(events)
    return accumulator.response()


def test_every_kind_of_event_finds_its_place() -> None:
    """Parts by choice and part number, whatever the order of arrival; the last usage counts."""
    citation = Citation(url="https://example.com")
    opaque = OpaquePart(dialect="d", raw={"k": 1})
    accumulator = Accumulator(dialect="d")
    accumulator.add(
        [
            Started(id="i", model="m", created=5, service_tier="flex", extras={"x": 1}),
            TextDelta(text="second ", choice=1),
            ReasoningDelta(text="thin", summary=True, id="r"),
            ToolCallStarted(index=0, id="a", name="f", part=2, item_id="it", extras={"e": 1}),
            ToolCallStarted(index=1, id="b", name="g", part=3, kind="custom"),
            ReasoningDelta(text="king"),
            ReasoningDelta(signature="sig", encrypted="enc", dialect="d"),
            ToolCallDelta(index=0, arguments='{"x"', part=2),
            TextDelta(text="He", part=1, logprobs=[{"token": "He"}]),
            ToolCallDelta(index=0, arguments=":1}", part=2),
            CitationAdded(citation=citation, part=1),
            TextDelta(text="llo", part=1, logprobs=[{"token": "llo"}]),
            TextDelta(text="choice", choice=1),
            OpaqueAdded(block=opaque, part=4),
            TextDelta(text="no", part=5, channel="refusal"),
            UsageReported(usage=Usage(input_tokens=1)),
            Finished(reason="tool_calls"),
            Finished(reason="stop", choice=1, stop_sequence="|"),
            UsageReported(usage=Usage(input_tokens=1, output_tokens=2)),
            Ended(),
        ]
    )
    assert accumulator.ended
    assert accumulator.response() == ChatResponse(
        id="i",
        model="m",
        created=5,
        service_tier="flex",
        extras={"x": 1},
        dialect="d",
        usage=Usage(input_tokens=1, output_tokens=2),
        choices=[
            Choice(
                parts=[
                    ReasoningPart(
                        text="thinking",
                        summary=True,
                        signature="sig",
                        encrypted="enc",
                        id="r",
                        dialect="d",
                    ),
                    TextPart(text="Hello", citations=[citation]),
                    ToolCallPart(
                        id="a", name="f", arguments='{"x":1}', item_id="it", extras={"e": 1}
                    ),
                    ToolCallPart(id="b", name="g", kind="custom"),
                    opaque,
                    RefusalPart(text="no"),
                ],
                finish_reason="tool_calls",
                logprobs=[{"token": "He"}, {"token": "llo"}],
            ),
            Choice(
                index=1,
                parts=[TextPart(text="second choice")],
                finish_reason="stop",
                stop_sequence="|",
            ),
        ],
    )


def test_a_failure_keeps_what_came_before() -> None:
    """``error`` holds the cause, the answer so far stays readable and unfinished."""
    error = ValueError("x")
    accumulator = Accumulator()
    accumulator.add([TextDelta(text="half"), Failed(error=error)])
    assert accumulator.error is error
    assert not accumulator.ended
    assert accumulator.response().choices == [Choice(parts=[TextPart(text="half")])]


def test_the_answer_can_be_asked_for_more_than_once() -> None:
    """More events after a look continue where it was."""
    accumulator = Accumulator()
    accumulator.add([TextDelta(text="a")])
    assert accumulator.response().choices[0].parts == [TextPart(text="a")]
    accumulator.add([TextDelta(text="b")])
    assert accumulator.response().choices[0].parts == [TextPart(text="ab")]


def test_nothing_gives_an_empty_answer() -> None:
    """No events, no choices; an empty delta opens no part; stray arguments are passed over."""
    assert added() == ChatResponse()
    assert added(TextDelta(text=""), Ended()) == ChatResponse()
    assert added(ToolCallDelta(index=3, arguments="x")).choices == [Choice()]


def test_past_the_bound_only_content_is_dropped() -> None:
    """``truncated`` says so; finish reason and usage are still known."""
    accumulator = Accumulator(max_bytes=100)
    accumulator.add([TextDelta(text="é" * 10), TextDelta(text="x" * 17), TextDelta(text="y")])
    assert accumulator.truncated
    accumulator.add([Finished(reason="stop"), UsageReported(usage=Usage(output_tokens=9))])
    answer = accumulator.response()
    assert answer.choices[0].parts == [TextPart(text="é" * 10)]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage == Usage(output_tokens=9)


def test_every_kind_of_content_is_bounded() -> None:
    """No event can grow the answer past the bound, not even empty parts."""
    big = "x" * 200
    content: list[StreamEvent] = [
        TextDelta(text=big),
        TextDelta(text="", logprobs=[{"token": big}]),
        CitationAdded(citation=Citation(quote=big)),
        ReasoningDelta(text=big),
        ReasoningDelta(signature=big),
        ToolCallStarted(index=0, id=big, name="f"),
        OpaqueAdded(block=OpaquePart(dialect="d", raw={"k": big})),
        *(ToolCallStarted(index=index, id="", name="") for index in range(4)),
        *(ReasoningDelta(text="", part=part) for part in range(4)),
        *(OpaqueAdded(block=OpaquePart(dialect="", raw={}), part=part) for part in range(4)),
    ]
    for event in content[:7]:
        accumulator = Accumulator(max_bytes=150)
        accumulator.add([event])
        assert accumulator.truncated
        assert big not in str(accumulator.response())
    accumulator = Accumulator(max_bytes=150)
    accumulator.add(content[7:])
    assert accumulator.truncated
    assert sum(len(choice.parts) for choice in accumulator.response().choices) == 2


def test_what_no_event_can_carry_becomes_an_opaque_block() -> None:
    """A media part of a whole answer is told as a block of no dialect."""
    answer = ChatResponse(choices=[Choice(parts=[MediaPart(modality="image", data="AA==")])])
    (event,) = [e for e in response_events(answer) if isinstance(e, OpaqueAdded)]
    assert event.block.dialect == ""
    assert event.block.raw["data"] == "AA=="


def test_a_choice_without_a_reason_finishes_with_stop() -> None:
    """A whole document is a whole answer."""
    assert response_events(ChatResponse(choices=[Choice()]))[1:] == [
        Finished(reason="stop"),
        Ended(),
    ]


def test_a_call_without_arguments_is_told_by_its_start() -> None:
    """No delta says nothing."""
    answer = ChatResponse(choices=[Choice(parts=[ToolCallPart(id="a", name="f")])])
    assert not any(isinstance(event, ToolCallDelta) for event in response_events(answer))


def test_logprobs_without_text_are_told_too() -> None:
    """They ride on an empty text delta, which opens no part."""
    answer = ChatResponse(choices=[Choice(finish_reason="length", logprobs=[{"token": "a"}])])
    assert added(*response_events(answer)) == answer


texts = st.text(min_size=1, max_size=12)
maybe = st.none() | texts
objects = st.dictionaries(texts, st.integers(0, 9), max_size=2)
citations = st.lists(st.builds(Citation, url=maybe, quote=maybe, raw=objects), max_size=2)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, text=texts, citations=citations),
    st.builds(RefusalPart, text=texts),
    st.builds(
        ReasoningPart,
        text=st.text(max_size=12),
        summary=st.booleans(),
        signature=maybe,
        encrypted=maybe,
        id=maybe,
        dialect=st.sampled_from(["", "anthropic.messages"]),
    ),
    st.builds(
        ToolCallPart,
        id=texts,
        name=texts,
        arguments=st.text(max_size=12),
        kind=st.sampled_from(["function", "custom"]),
        item_id=maybe,
        extras=objects,
    ),
    st.builds(OpaquePart, dialect=texts, raw=objects),
)
choices = st.builds(
    Choice,
    parts=st.lists(parts, max_size=4),
    finish_reason=st.sampled_from(["stop", "length", "tool_calls"]),
    stop_sequence=maybe,
    logprobs=st.none() | st.lists(objects, min_size=1, max_size=2),
)
answers = st.builds(
    ChatResponse,
    id=texts,
    model=texts,
    created=st.none() | st.integers(0, 9),
    choices=st.lists(choices, max_size=3),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0, 9), raw=objects),
    service_tier=maybe,
    extras=objects,
)


@given(answers)
def test_an_answer_told_as_events_adds_up_to_itself(answer: ChatResponse) -> None:
    """Nothing is lost and nothing added on the way there and back."""
    numbered = [replace(choice, index=index) for index, choice in enumerate(answer.choices)]
    answer = replace(answer, choices=numbered, dialect="d")
    events = response_events(answer)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Ended)
    assert added(*events, dialect="d") == answer
