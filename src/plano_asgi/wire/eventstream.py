"""
AWS event-stream framing (``application/vnd.amazon.eventstream``): incremental decoder and encoder.

::

    total length   u32     of the whole frame, these four bytes included
    headers length u32
    prelude CRC    u32     of the eight bytes above
    headers                repeated: u8 name length, name, u8 value type, value
    payload
    message CRC    u32     of everything above

All numbers are big-endian; both checksums are the CRC-32 of zlib. A frame is only handed out when
both checksums hold: a corrupt one can never be told from the start of the next, so it ends the
stream.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID
from zlib import crc32

from plano_asgi.errors import UpstreamProtocolError

MAX_FRAME_BYTES = 16 << 20
MAX_HEADERS_BYTES = 128 << 10

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_LEAST = _PRELUDE.size + _CRC.size

_TRUE, _FALSE, _BYTE, _INT16, _INT32, _INT64, _BYTES, _STRING, _TIMESTAMP, _UUID = range(10)
_NUMBERS = {
    _BYTE: struct.Struct(">b"),
    _INT16: struct.Struct(">h"),
    _INT32: struct.Struct(">i"),
    _INT64: struct.Struct(">q"),
    _TIMESTAMP: struct.Struct(">q"),
}


class Timestamp(int):
    """A header value of type timestamp: milliseconds since the Unix epoch."""

    __slots__ = ()


HeaderValue: TypeAlias = bool | int | bytes | str | Timestamp | UUID
"""The ten wire types; the four integer widths are all ``int``."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its headers by name (``:event-type``, ...) and its payload."""

    headers: dict[str, HeaderValue]
    payload: bytes

    def text(self, name: str) -> str:
        """The string header *name*, or "" where it is missing or not a string."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class EventStreamDecoder:
    """
    Turn bytes, cut anywhere, into frames. Holds at most one frame of *max_frame_bytes*.

    Raises (from ``feed``):
        UpstreamProtocolError: A length or checksum is wrong, or a frame is too large. The stream
            cannot be read any further.
    """

    __slots__ = ("_max", "_need", "_parts", "_size")

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._parts: list[bytes] = []  # joined only once _need is reached: no quadratic joins
        self._size = 0
        self._need = _PRELUDE.size
        self._max = max_frame_bytes

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame; not 0 at the end of the stream: it was cut."""
        return self._size

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """
        Take the next bytes and yield the frames they complete, up to the first corrupt one.

        Iterate to the end before the next call: it is then that the rest is kept.
        """
        self._parts.append(chunk)
        self._size += len(chunk)
        if self._size < self._need:
            return
        data = b"".join(self._parts) if len(self._parts) > 1 else chunk
        self._parts.clear()
        start = 0
        while True:
            self._need = self._next_length(data, start)
            if len(data) - start < self._need:
                break
            yield _decode_frame(data, start, start + self._need)
            start += self._need
        self._parts.append(data[start:])
        self._size = len(data) - start

    def _next_length(self, data: bytes, start: int) -> int:
        """Length of the frame at *start*, or of a prelude as long as that is not whole."""
        if len(data) - start < _PRELUDE.size:
            return _PRELUDE.size
        total, headers, checksum = _PRELUDE.unpack_from(data, start)
        if crc32(data[start : start + 8]) != checksum:
            raise UpstreamProtocolError("an event-stream frame has a wrong prelude checksum")
        if total > self._max or headers > MAX_HEADERS_BYTES:
            raise UpstreamProtocolError(f"an event-stream frame is over {self._max} bytes")
        if total < _LEAST + headers:
            raise UpstreamProtocolError("an event-stream frame is shorter than its parts")
        return int(total)


def encode_frame(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """
    One frame. An ``int`` header is written in 32 bits where it fits, else in 64.

    Raises:
        ValueError: A name or value is longer than the format allows.
    """
    head = b"".join(_encode_header(name, value) for name, value in headers.items())
    sizes = struct.pack(">II", _LEAST + len(head) + len(payload), len(head))
    frame = b"".join((sizes, _CRC.pack(crc32(sizes)), head, payload))
    return frame + _CRC.pack(crc32(frame))


def _decode_frame(data: bytes, start: int, end: int) -> Frame:
    body_end = end - _CRC.size
    view = memoryview(data)[start:body_end]
    if crc32(view) != _CRC.unpack_from(data, body_end)[0]:
        raise UpstreamProtocolError("an event-stream frame has a wrong checksum")
    headers_end = _PRELUDE.size + _PRELUDE.unpack_from(view)[1]
    try:
        headers = _decode_headers(bytes(view[_PRELUDE.size : headers_end]))
    except (struct.error, IndexError, ValueError) as exc:
        raise UpstreamProtocolError("an event-stream frame has malformed headers") from exc
    return Frame(headers, bytes(view[headers_end:]))


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name = data[at + 1 : name_end].decode()
        headers[name], at = _decode_value(data[name_end], data, name_end + 1)
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if number := _NUMBERS.get(kind):
        value = number.unpack_from(data, at)[0]
        return Timestamp(value) if kind == _TIMESTAMP else value, at + number.size
    if kind == _UUID:
        return UUID(bytes=data[at : at + 16]), at + 16
    if kind not in (_BYTES, _STRING):
        raise ValueError(f"header value type {kind}")
    start = at + _SHORT.size
    end = start + _SHORT.unpack_from(data, at)[0]
    if end > len(data):
        raise ValueError("a header value reaches past the headers")
    raw = data[start:end]
    return raw if kind == _BYTES else raw.decode(), end


def _encode_header(name: str, value: HeaderValue) -> bytes:
    label = name.encode()
    if not 0 < len(label) < 256:
        raise ValueError(f"a header name of {len(label)} bytes")
    kind, data = _encode_value(value)
    return b"%c%b%c%b" % (len(label), label, kind, data)


def _encode_value(value: HeaderValue) -> tuple[int, bytes]:
    if isinstance(value, bool):
        return (_TRUE if value else _FALSE), b""
    if isinstance(value, UUID):
        return _UUID, value.bytes
    if isinstance(value, int):
        small = _INT32 if -(1 << 31) <= value < 1 << 31 else _INT64
        kind = _TIMESTAMP if isinstance(value, Timestamp) else small
        return kind, _NUMBERS[kind].pack(value)
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) >= 1 << 15:
        raise ValueError(f"a header value of {len(raw)} bytes")
    return (_STRING if isinstance(value, str) else _BYTES), _SHORT.pack(len(raw)) + raw
