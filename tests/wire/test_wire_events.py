"""Events of a stream as they stand on the wire: decoded from any cut, encoded byte for byte."""

from __future__ import annotations

import collections
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import WireEvent
from plano_asgi.wire.sse import SSEDecoder
from plano_asgi.wire.wire_events import EventDecoder, data_passage, encode

STREAM = (
    b"\xef\xbb\xbf: a comment\n\n"
    b'data: {"n": 1}\n\n'
    b'event: named\ndata: {"text": "gr\xc3\xbc\xc3\x9fe"}\n\n'
    b'data:{"no": "space"}\r\n\r\n'
    b'event: crlf\r\ndata: {"n": 2}\r\n\r\n'
    b"data: [1, 2]\n\n\n"
    b'data: {"lines":\ndata: "two"}\n\n'
    b'id: 7\ndata: {"n": 3}\n\n'
    b"data: {broken\r\r"
    b"event: ping\n\n"
    b"data: \xff{}\n\n"
    b'data: {"bad": "\xff"}\n\n'
    b"data: [DONE]\n\n"
    b'data: {"last": "without its blank line"}'
)
EVENTS: list[tuple[str, Any]] = [
    ("", {"n": 1}),
    ("named", {"text": "grüße"}),
    ("", {"no": "space"}),
    ("crlf", {"n": 2}),
    ("", [1, 2]),
    ("", {"lines": "two"}),
    ("", {"n": 3}),
    ("", "{broken"),
    ("", "\ufffd{}"),
    ("", {"bad": "\ufffd"}),
    ("", "[DONE]"),
    ("", {"last": "without its blank line"}),
]


def decode(chunks: list[bytes]) -> list[WireEvent]:
    """Every event of *chunks*."""
    decoder = EventDecoder()
    return [*(event for chunk in chunks for event in decoder.feed(chunk)), *decoder.close()]


@st.composite
def cuts(draw: st.DrawFn, data: bytes = STREAM) -> list[bytes]:
    """*data* in pieces."""
    at = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in pairwise([0, *at, len(data)])]


@given(cuts())
def test_any_cut_decodes_to_the_same_events_and_bytes(chunks: list[bytes]) -> None:
    """Events do not depend on the cut; encoded again they are the stream."""
    events = decode(chunks)
    assert [(event.name, event.data) for event in events if event.data != ""] == EVENTS
    assert b"".join(map(encode, events)) == STREAM


@given(st.lists(st.sampled_from([b"data: {}", b"event: a", b"\n", b"\r", b"\r\n", b":"])))
def test_it_agrees_with_the_decoder_of_the_whole_grammar(pieces: list[bytes]) -> None:
    """Line ends of every kind, in any mixture; nothing is lost."""
    stream = b"".join(pieces)
    reference = SSEDecoder()
    expected = [*reference.feed(stream), *reference.close()]
    events = decode([stream])
    assert b"".join(map(encode, events)) == stream
    said = [event for event in events if event.data != ""]
    assert ["{}" if event.data == {} else event.data for event in said] == [
        event.data for event in expected if event.data
    ]


def test_many_events_in_one_chunk_keep_their_own_frames() -> None:
    """With either line end."""
    for end in (b"\n", b"\r\n"):
        frames = [b"data: {}" + end * 2, b"data: [1]" + end * 2, b": ping" + end * 2]
        assert [event.raw for event in decode([b"".join(frames)])] == frames


def test_an_endless_event_is_refused() -> None:
    """What is held of an event is bounded."""
    decoder = EventDecoder(max_event_bytes=1000)
    with pytest.raises(UpstreamProtocolError):
        collections.deque(map(decoder.feed, [b"data: " + b"x" * 100] * 20))


def test_numbers_that_are_not_json_leave_text() -> None:
    """NaN is no JSON; the text is there to be looked at."""
    (event,) = decode([b'data: {"x": NaN}\n\n'])
    assert event.data == '{"x": NaN}'


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (WireEvent({"a": "ü"}, "x"), 'event: x\ndata: {"a":"ü"}\n\n'.encode()),
        (WireEvent("[DONE]"), b"data: [DONE]\n\n"),
        (
            WireEvent("one\ntwo\r\nthree\rfour"),
            b"data: one\ndata: two\ndata: three\ndata: four\n\n",
        ),
        (WireEvent("", "named"), b"event: named\ndata: \n\n"),
        (WireEvent(""), b""),
        (WireEvent("changed", raw=b"as received"), b"as received"),
    ],
)
def test_an_event_is_encoded_as_one_frame(event: WireEvent, frame: bytes) -> None:
    """Its raw bytes, or a frame that no line end in its data can break."""
    assert encode(event) == frame


def test_a_text_that_is_no_json_is_a_passage() -> None:
    """Replaced in the event itself; white space and JSON are none."""
    event = WireEvent("{broken")
    (passage,) = data_passage(event, "content")
    assert (passage.text, passage.origin) == ("{broken", "content")
    passage.replace("[REDACTED]")
    assert event.data == passage.text == "[REDACTED]"
    assert not data_passage(WireEvent(" "), "content")
    assert not data_passage(WireEvent({}), "content")
