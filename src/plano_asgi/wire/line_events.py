"""Streams that are no server-sent events, as ``WireEvent``s: one JSON a line, and plain text."""

from __future__ import annotations

import codecs
from typing import Any

from plano_asgi._json import dumps, loads
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import WireEvent

MAX_LINE_BYTES = 16 << 20
_OPENINGS = (b"{", b"[")


class LineDecoder:
    """
    Turn bytes, cut anywhere, into one event a line. ``data`` is parsed where it is a JSON object
    or array, else the line's text without its end.

    Args:
        max_line_bytes: Bytes kept of an unfinished line.

    Raises (from ``feed``):
        UpstreamProtocolError: A line is longer than *max_line_bytes*.
    """

    __slots__ = ("_max", "_pieces", "_size")

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._max = max_line_bytes

    def feed(self, chunk: bytes) -> list[WireEvent]:
        """Take the next bytes; return the lines they complete."""
        head, end, rest = chunk.rpartition(b"\n")
        events: list[WireEvent] = []
        if end:
            whole = b"".join((*self._pieces, head, end))
            self._pieces, self._size = [], 0
            events = [_line(line) for line in whole.split(b"\n")[:-1]]
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > self._max:
                raise UpstreamProtocolError(f"a line of the upstream is over {self._max} bytes")
        return events

    def close(self) -> list[WireEvent]:
        """The stream is over; return a last line without its end."""
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        if not rest:
            return []
        event = _line(rest)
        event.raw = rest
        return [event]


def encode_line(event: WireEvent) -> bytes:
    """The line of *event*, end and all."""
    if event.raw is not None:
        return event.raw
    data = event.data
    return b"%b\n" % (data.encode("utf-8", "replace") if isinstance(data, str) else dumps(data))


def _line(line: bytes) -> WireEvent:
    return WireEvent(_value(line.removesuffix(b"\r")), raw=line + b"\n")


def _value(line: bytes) -> Any:
    text = line.decode("utf-8", "replace")
    if line.lstrip()[:1] not in _OPENINGS:
        return text
    try:
        return loads(line)
    except ValueError:
        pass
    try:
        return loads(text)  # clients decode, bad bytes and all, before they parse
    except ValueError:
        return text


class TextDecoder:
    """Turn bytes of *charset*, cut anywhere, into events of text; bad bytes become U+FFFD."""

    __slots__ = ("_decoder", "_held")

    def __init__(self, charset: str = "utf-8") -> None:
        self._decoder = codecs.getincrementaldecoder(charset)("replace")
        self._held = b""

    def feed(self, chunk: bytes) -> list[WireEvent]:
        """Take the next bytes; return their whole characters as one event."""
        text = self._decoder.decode(chunk)
        whole = self._held + chunk
        held = self._decoder.getstate()[0]
        self._held = held
        return [WireEvent(text, raw=whole[: len(whole) - len(held)])] if text else []

    def close(self) -> list[WireEvent]:
        """The stream is over; return what half a character came to."""
        text, held = self._decoder.decode(b"", final=True), self._held
        self._held = b""
        return [WireEvent(text, raw=held)] if text else []
