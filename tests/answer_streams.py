"""Answers in pieces, written as streams of each client dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from hypothesis import strategies as st

from plano_asgi.conversation import ChatRequest, FinishReason, Usage
from plano_asgi.stream_events import (
    Finished,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire import DIALECTS

DIALECT_NAMES = ("openai.chat", "openai.responses", "anthropic.messages")
USAGE = Usage(input_tokens=11, output_tokens=7, cache_read_input_tokens=4)
_WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
_RUN = st.lists(_WORDS | st.sampled_from(['"', "\\", "\n", "}}\n\n", "data: {"]), max_size=12)
Pieces = Sequence[tuple[str, Sequence[str]]]
"""A kind of part, and its text in pieces."""


def pieces_of(dialect: str) -> st.SearchStrategy[Pieces]:
    """Parts of an answer that *dialect* can say."""
    kinds = ["text", "call", "thought"] + ["refusal"] * (dialect != "anthropic.messages")
    return st.lists(st.tuples(st.sampled_from(kinds), _RUN), max_size=5)


def replies() -> Mapping[str, Pieces]:
    """A few of them."""
    words = ["The", " quick", " brown", " fox", '\n"', "jumps", '"', " 😀", "."]
    return {
        "plain": [("text", words)],
        "call": [("text", words), ("call", ['{"ci', 'ty": "', "Par", 'is"}'])],
        "thought": [("thought", words), ("text", words)],
        "refusal": [("refusal", words)],
    }


def events_of(pieces: Pieces) -> list[StreamEvent]:
    """The answer as events, usage and end included."""
    events: list[StreamEvent] = [Started(id="msg_1", model="m-1", created=1)]
    calls = 0
    for number, (kind, texts) in enumerate(pieces):
        if kind == "call":
            events.append(ToolCallStarted(index=calls, id=f"call_{calls}", name="f", part=number))
            events += [ToolCallDelta(index=calls, arguments=t, part=number) for t in texts]
            calls += 1
        elif kind == "thought":
            events += [ReasoningDelta(text=text, part=number) for text in texts]
        else:
            channel: Literal["content", "refusal"] = "refusal" if kind == "refusal" else "content"
            events += [TextDelta(text=t, part=number, channel=channel) for t in texts]
    reason: FinishReason = "tool_calls" if calls else "stop"
    return [*events, Finished(reason=reason), UsageReported(usage=USAGE)]


def written(dialect: str, pieces: Pieces) -> bytes:
    """The answer as a whole stream."""
    request = ChatRequest(model="m-1", messages=[], stream=True, include_usage=True)
    writer = DIALECTS[dialect].stream_writer(request)
    return b"".join(writer.write([event]) for event in events_of(pieces)) + writer.finish()
