"""
Server-sent events as ``WireEvent``s: decoded for whoever reads or changes a stream in place, and
encoded again. An event nobody touched goes out as the bytes it came in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import dumps, loads
from plano_asgi.passages import Origin, Passage, WireEvent
from plano_asgi.wire.sse import MAX_EVENT_BYTES, SSEDecoder, SSEFramer, split_frames

_LINE_END = re.compile(r"\r\n|\n|\r")
_OPENINGS = (b"{", b"[")
_BLANKS = (b"\n\n", b"\r\n\r\n")


class EventDecoder:
    """
    Turn bytes, cut anywhere, into events that keep their exact frames.

    ``data`` is parsed where it is a JSON object or array, else the text. A frame without data (a
    comment, a keep-alive, blank lines) is an event of data "".

    Args:
        max_event_bytes: Bytes kept of an unfinished event.

    Raises (from ``feed``):
        UpstreamProtocolError: An event is larger than *max_event_bytes*.
    """

    __slots__ = ("_framer", "_held")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._framer = SSEFramer(max_event_bytes=max_event_bytes)
        self._held = 0

    def feed(self, chunk: bytes) -> list[WireEvent]:
        """Take the next bytes; return the events they complete."""
        if not chunk:
            return []
        if not self._held and chunk.endswith(_BLANKS):  # most chunks are whole events
            return [_read(frame) for frame in _frames(chunk)]
        whole = self._framer.feed(chunk)
        self._held += len(chunk) - len(whole)
        return [_read(frame) for frame in _frames(whole)] if whole else []

    def close(self) -> list[WireEvent]:
        """The stream is over; return what an event without its last blank line held."""
        self._held = 0
        rest = self._framer.close()
        return [_read(frame) for frame in _frames(rest)] if rest else []


def encode(event: WireEvent) -> bytes:
    """
    The frame of *event*: ``raw``, or one made of its name and data.

    An event of no name and no data says nothing and is no bytes: clients that parse every
    event's data as JSON would fail on it.
    """
    if event.raw is not None:
        return event.raw
    data = event.data
    if not isinstance(data, str):
        lines = [dumps(data)]
    elif data or event.name:
        lines = [line.encode("utf-8", "replace") for line in _LINE_END.split(data)]
    else:
        return b""
    name = b"event: %b\n" % event.name.encode("utf-8", "replace") if event.name else b""
    return b"%b%b\n" % (name, b"".join(b"data: %b\n" % line for line in lines))


@dataclass(slots=True, eq=False)
class DataPassage(Passage):
    """The whole data of an event that is text and no JSON: ``holder`` is the event."""

    def replace(self, text: str) -> None:
        """Put *text* in the place of the event's data."""
        self.text = self.holder.data = text


def data_passage(event: WireEvent, origin: Origin) -> list[Passage]:
    """The text of an *event* that holds no JSON, where a layout expects some; often none."""
    data = event.data
    if not isinstance(data, str) or not data.strip():
        return []
    return [DataPassage(data, origin, "", event, "data")]


def _frames(whole: bytes) -> Iterable[bytes]:
    """Cut at blank lines; every byte of *whole* is in one of the frames."""
    blank = b"\n\n"
    if whole.find(blank) == len(whole) - 2 and b"\r" not in whole:
        return (whole,)
    if not whole.strip(b"\r\n"):
        return (whole,)
    if b"\r" in whole:
        count = whole.count(b"\r\n")
        if count != whole.count(b"\n") or count != whole.count(b"\r"):
            return split_frames(whole)
        blank = b"\r\n\r\n"
        if whole.find(blank) == len(whole) - len(blank):
            return (whole,)
    *frames, rest = whole.split(blank)
    cut = [frame + blank for frame in frames]
    return [*cut, rest] if rest else cut


def _read(frame: bytes) -> WireEvent:
    is_one_line = frame.find(b"\n") == len(frame) - 2 and frame.endswith(b"}\n\n")
    if is_one_line and frame.startswith(b"data: {") and b"\r" not in frame:  # nearly all are
        return WireEvent(_value(frame[6:-2]), "", frame)
    text = frame.replace(b"\r\n", b"\n") if b"\r" in frame else frame
    name, begin, end = "", 0, text.find(b"\n")
    if text.startswith(b"event: "):
        name, begin = text[7:end].decode("utf-8", "replace"), end + 1
        end = text.find(b"\n", begin)
    is_usual = end == len(text) - 2 and text.endswith(b"\n\n") and b"\r" not in text
    if is_usual and text.startswith(b"data: ", begin):
        return WireEvent(_value(text[begin + 6 : end]), name, frame)
    if b"data" not in frame:
        return WireEvent("", "", frame)
    decoder = SSEDecoder(max_event_bytes=2 * len(frame) + 2)  # a whole frame is within bounds
    for found in (*decoder.feed(frame), *decoder.close()):
        return WireEvent(_value(found.data.encode("utf-8", "replace")), found.event, frame)
    return WireEvent("", "", frame)


def _value(data: bytes) -> Any:
    text: str | None = None
    if data.startswith(_OPENINGS) or data.lstrip().startswith(_OPENINGS):
        try:
            return loads(data)
        except ValueError:
            text = data.decode("utf-8", "replace")
        if "\ufffd" in text:  # clients, too, decode before they parse
            try:
                return loads(text)
            except ValueError:
                return text
    return data.decode("utf-8", "replace") if text is None else text
