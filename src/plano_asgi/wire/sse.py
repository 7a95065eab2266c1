"""
Server-sent events: an incremental decoder that follows the whole grammar, and the encoder.

Fed by bytes cut anywhere: half UTF-8 characters, CRLF / CR / LF (a CRLF may be cut too), comments,
a byte order mark, multi-line data, a last event without its blank line. Invalid UTF-8 becomes
U+FFFD, as the specification says.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plano_asgi.errors import UpstreamProtocolError

_LINE_END = re.compile(rb"\r\n|\n|\r")
_FRAME_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n|\Z))")
_BOM = b"\xef\xbb\xbf"

DONE = "[DONE]"
MAX_EVENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class SSEEvent:
    """One event: its type ("" if none was given) and its data lines joined by line feeds."""

    event: str
    data: str


class SSEDecoder:
    """
    Turn bytes into events. Keeps at most *max_event_bytes* of an unfinished event.

    Raises (from ``feed``):
        UpstreamProtocolError: An event is larger than *max_event_bytes*.
    """

    __slots__ = ("_data", "_event", "_first", "_max", "_parts", "_size")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._parts: list[bytes] = []  # the unfinished line, in pieces: no quadratic joins
        self._size = 0
        self._data: list[str] = []
        self._event = ""
        self._first = True
        self._max = max_event_bytes

    def feed(self, chunk: bytes) -> list[SSEEvent]:
        """Take the next bytes; return the events they complete."""
        if not chunk:
            return []
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        if cut < 0 and not (self._parts and self._parts[-1].endswith(b"\r")):
            self._hold(chunk)
            return []
        text = b"".join((*self._parts, chunk)) if self._parts else chunk
        self._parts.clear()
        self._size = sum(map(len, self._data)) + len(self._data)
        if self._first:
            if len(text) < 3 and _BOM.startswith(text):
                self._hold(text)
                return []
            self._first = False
            text = text.removeprefix(_BOM)
        lines = _LINE_END.split(text) if b"\r" in text else text.split(b"\n")
        rest = lines.pop()
        if not rest and text.endswith(b"\r"):
            # A CR at the end may be half of a CRLF: leave its line for the next chunk to decide.
            rest = lines.pop() + b"\r"
        if rest:
            self._hold(rest)
        return self._take(lines)

    def close(self) -> list[SSEEvent]:
        """
        The stream is over: dispatch what a missing last blank line left.

        The specification drops such an event; upstreams that forget the last newline send real
        content in it.
        """
        rest = b"".join(self._parts)
        self._parts.clear()
        lines = [line for line in _LINE_END.split(rest) if line]
        return self._take([*lines, b""])

    def _hold(self, rest: bytes) -> None:
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > self._max:
            raise UpstreamProtocolError(f"an event of the upstream is over {self._max} bytes")

    def _take(self, lines: list[bytes]) -> list[SSEEvent]:
        events: list[SSEEvent] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(SSEEvent(self._event, "\n".join(self._data)))
                    self._data.clear()
                    self._size = 0
                self._event = ""
                continue
            name, colon, value = line.partition(b":")
            if not name and colon:
                continue  # a comment
            value = value[1:] if value.startswith(b" ") else value
            if name == b"data":
                self._data.append(value.decode("utf-8", "replace"))
                self._size += len(value) + 1  # an empty line is not free either
                if self._size > self._max:
                    raise UpstreamProtocolError(
                        f"an event of the upstream is over {self._max} bytes"
                    )
            elif name == b"event":
                self._event = value.decode("utf-8", "replace")
        return events


class SSEFramer:
    """
    Cut a relayed stream at event boundaries without decoding it.

    ``feed`` returns whole frames, byte for byte; what follows the last blank line is held (in
    pieces: a large event that arrives in many reads is joined once).

    Raises (from ``feed``):
        UpstreamProtocolError: An event is larger than *max_event_bytes*.
    """

    __slots__ = ("_held", "_max", "_size")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._max = max_event_bytes

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return everything up to the last event boundary (often all)."""
        if not self._held:
            if chunk.endswith(b"\n\n"):
                return chunk
            cut = _last_boundary(chunk)
            if cut:
                self._hold(chunk[cut:])
                return chunk[:cut]
            self._hold(chunk)
            return b""
        # A boundary may straddle the seam: look at the last three bytes before it, too.
        seam = b"".join(self._held[-3:])[-3:] if len(self._held[-1]) < 3 else self._held[-1][-3:]
        boundary = _last_boundary(seam + chunk)
        if not boundary:
            self._hold(chunk)
            return b""
        data = b"".join((*self._held, chunk))
        cut = boundary + len(data) - len(chunk) - len(seam)
        self._held.clear()
        self._size = 0
        self._hold(data[cut:])
        return data[:cut]

    def close(self) -> bytes:
        """Return what is held: the upstream closed without a last blank line."""
        held = b"".join(self._held)
        self._held.clear()
        self._size = 0
        return held

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._held.append(rest)
        self._size += len(rest)
        if self._size > self._max:
            raise UpstreamProtocolError(f"an event of the upstream is over {self._max} bytes")


def _last_boundary(data: bytes) -> int:
    """Where the last blank line of *data* ends; 0 if there is none."""
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    return max((match.end() for match in _FRAME_END.finditer(data)), default=0)


def split_frames(frames: bytes) -> Iterator[bytes]:
    """Cut *frames* into single ones, byte for byte; a last one may lack its blank line."""
    framer = SSEFramer()
    for line in frames.splitlines(keepends=True):
        if frame := framer.feed(line):
            yield frame
    if rest := framer.close():
        yield rest


def encode(data: bytes, event: str = "") -> bytes:
    """One event of one data line. *data* is JSON or ``[DONE]``: it holds no line end."""
    if event:
        return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
    return b"data: %b\n\n" % data
