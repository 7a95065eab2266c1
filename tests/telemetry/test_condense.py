"""Streams in fewer events, which say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answer_streams import DIALECT_NAMES, pieces_of, replies, written
from plano_asgi.conversation import ChatResponse, TextPart
from plano_asgi.telemetry.condense import condensed
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.accumulate import Accumulator
from tapped import DONE, chunk, frame


def heard(dialect: str, stream: bytes) -> tuple[ChatResponse, bool, bool]:
    """What the ordinary reader makes of *stream*: the answer, its end, an error."""
    reader, accumulator = DIALECTS[dialect].stream_reader(), Accumulator(dialect=dialect)
    accumulator.add(reader.feed(stream))
    accumulator.add(reader.close())
    return accumulator.response(), accumulator.ended, accumulator.error is not None


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@given(data=st.data())
def test_it_says_the_same(dialect: str, data: st.DataObject) -> None:
    """Of texts, thoughts, refusals and calls, in any order, cut anywhere."""
    stream = written(dialect, data.draw(pieces_of(dialect)))
    cut = data.draw(st.integers(0, len(stream)))
    for part in (stream, stream[: stream.rfind(b"\n\n", 0, cut) + 2]):
        assert heard(dialect, condensed(dialect, part)) == heard(dialect, part)


def delta(**fields: Any) -> bytes:
    """A chat chunk of one choice."""
    return frame({"id": "c", "model": "m", "choices": [{"index": 0, **fields}]})


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("text", [chunk(text) for text in ("a", "b\n", '"c"', "\\", "é", "", "😀")]),
        ("spaces", [frame('{"choices": [{"index": 0, "delta": {"content": "a"}}]}')] * 3),
        ("compact", [b'data:{"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'] * 3),
        ("names", [frame({"choices": [{"index": 0, "delta": {"content": "a"}}]}, "x")] * 3),
        ("thought", [delta(delta={"reasoning_content": "a"})] * 3),
        ("padding", [frame({**json.loads(chunk("a")[6:]), "obfuscation": n}) for n in "xyz"]),
    ],
)
def test_events_that_differ_in_a_text_are_made_one(name: str, frames: list[bytes]) -> None:
    """Whatever the upstream's spelling of JSON."""
    stream = b"".join(frames) + DONE
    shorter = condensed("openai.chat", stream)
    assert shorter.count(b"data:") == 2, name
    assert heard("openai.chat", shorter) == heard("openai.chat", stream)


FORCED = {"id": "", "function": {"name": "f", "arguments": "{}"}}
TWICE = {"content": "b", "choices": [{"index": 0, "delta": {"content": "a"}}]}


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([chunk("a", "stop")] * 2, id="finished"),
        pytest.param([delta(delta={"tool_calls": [FORCED]})] * 2, id="whole calls"),
        pytest.param([delta(delta={"tool_calls": [{**FORCED, "index": 0}]})] * 2, id="named calls"),
        pytest.param([frame(TWICE)] * 2, id="two of a name"),
        pytest.param([delta(delta={"content": "a"}, logprobs={"content": [{}]})] * 2, id="logs"),
        pytest.param([delta(delta={"content": "a", "refusal": "b"})] * 2, id="two texts"),
        pytest.param([frame({"error": {"message": "a"}})] * 2, id="errors"),
        pytest.param([frame(json.loads(chunk("a")[6:]), "error")] * 2, id="named an error"),
        pytest.param([frame("a")] * 2, id="no JSON"),
        pytest.param([b"data: {\ndata: }\n\n"] * 2, id="two lines"),
        pytest.param([b": ping\n\n"] * 2, id="comments"),
        pytest.param([frame({"choices": []})] * 2, id="nothing"),
    ],
)
def test_events_that_say_more_stay_as_they_are(frames: list[bytes]) -> None:
    """What they say beside the text is not the same when it is said once."""
    stream = b"".join(frames)
    assert condensed("openai.chat", stream) == stream


def test_halves_of_a_character_become_one() -> None:
    """Some upstreams cut an emoji in two escapes: whoever adds texts up has half characters."""
    halves = [frame({"choices": [{"delta": {"content": half}}]}) for half in ("\ud83d", "\ude00")]
    answer, _, _ = heard("openai.chat", condensed("openai.chat", b"".join(halves) + DONE))
    assert answer.choices[0].parts == [TextPart(text="\U0001f600")]


def test_a_text_that_ends_elsewhere_is_no_text() -> None:
    """The same bytes at both ends do not make the same event."""
    start, end = b'data: {"choices":[{"index":0,"delta":{"content":"', b'"}}]}\n\n'
    stream = b"".join(start + text + end for text in (b"a", b'b","refusal":"c', b"d"))
    assert heard("openai.chat", condensed("openai.chat", stream)) == heard("openai.chat", stream)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_carriage_returns_are_the_same_grammar(dialect: str) -> None:
    """A stream of CRLF lines is condensed too."""
    stream = written(dialect, replies()["plain"])
    shorter = condensed(dialect, stream.replace(b"\n", b"\r\n"))
    assert heard(dialect, shorter) == heard(dialect, stream)
    assert shorter.count(b"data:") < stream.count(b"data:")


def test_a_dialect_that_is_not_known_is_left_alone() -> None:
    """Bytes for somebody else."""
    assert condensed("bedrock.converse", b"data: {}\n\n") == b"data: {}\n\n"
