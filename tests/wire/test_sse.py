"""Server-sent events: every cut of a stream means the same, and frames stay byte for byte."""

from __future__ import annotations

import collections
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.wire.sse import SSEDecoder, SSEEvent, SSEFramer, encode

STREAM = (
    "\ufeffdata: zwölf\r\n\r\n: comment\n\nevent: a\ndata:1\ndata: 2\r\rid: 7\nretry: 5\n"
    'data\n\nunknown: x\ndata: {"k": "\U0001f600"}\n\r\nevent: tail\ndata: [DONE]\n\n'
).encode()
EVENTS = [
    SSEEvent("", "zwölf"),
    SSEEvent("a", "1\n2"),
    SSEEvent("", ""),
    SSEEvent("", '{"k": "\U0001f600"}'),
    SSEEvent("tail", "[DONE]"),
]


def decode(chunks: list[bytes]) -> list[SSEEvent]:
    """All events of a stream that arrives in *chunks*."""
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.close()]


@st.composite
def cuts(draw: st.DrawFn, data: bytes = STREAM) -> list[bytes]:
    """*data* in pieces."""
    at = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    edges = [0, *at, len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(cuts())
def test_any_cut_decodes_to_the_same_events(chunks: list[bytes]) -> None:
    """Half characters, half line ends and half fields make no difference."""
    assert decode(chunks) == EVENTS


def test_bytes_one_by_one() -> None:
    """The worst cut of all."""
    assert decode([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS


def test_a_last_event_without_its_blank_line_is_kept() -> None:
    """Some upstreams forget the last newline; what they said is not thrown away."""
    assert decode([b"data: 1\n\ndata: 2"]) == [SSEEvent("", "1"), SSEEvent("", "2")]


def test_invalid_utf8_is_replaced_and_harms_nothing_else() -> None:
    """U+FFFD stands for what is no character."""
    assert decode([b"data: a\xff\n\ndata: b\n\n"]) == [SSEEvent("", "a\ufffd"), SSEEvent("", "b")]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 100, b"data:" + b"y" * 100])
def test_an_endless_event_is_refused(line: bytes) -> None:
    """What is held is bounded, with or without a line end in it."""
    for end in (b"", b"\n"):
        decoder = SSEDecoder(max_event_bytes=1000)
        with pytest.raises(UpstreamProtocolError):
            collections.deque(map(decoder.feed, [line + end] * 20))


@given(cuts())
def test_framer_keeps_every_byte_and_cuts_between_events(chunks: list[bytes]) -> None:
    """Joined again it is the stream; every piece decodes by itself."""
    framer = SSEFramer()
    frames = [frame for chunk in chunks if (frame := framer.feed(chunk))]
    rest = framer.close()
    assert b"".join(frames) + rest == STREAM
    assert [event for frame in [*frames, rest] for event in decode([frame])] == EVENTS


def test_framer_passes_whole_events_at_once() -> None:
    """What ends in a blank line is not held for a moment."""
    framer = SSEFramer()
    assert framer.feed(b"data: 1\n\n") == b"data: 1\n\n"
    assert framer.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert framer.feed(b"\n") == b""
    assert framer.feed(b"\ndata: 3\n\n") == b"data: 2\n\ndata: 3\n\n"


def test_framer_is_bounded() -> None:
    """An upstream that never ends its event cannot fill the memory."""
    framer = SSEFramer(max_event_bytes=1000)
    with pytest.raises(UpstreamProtocolError):
        collections.deque(map(framer.feed, [b"x" * 100] * 20))


def test_encode() -> None:
    """The frames we write."""
    assert encode(b"{}") == b"data: {}\n\n"
    assert encode(b"{}", "ping") == b"event: ping\ndata: {}\n\n"
