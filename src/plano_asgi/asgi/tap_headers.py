"""What a response's headers say of its body, and which of them a changed body makes untrue."""

from __future__ import annotations

import zlib
from typing import Final

from starlette.types import Message, Send

from plano_asgi.asgi.respond import RawHeaders, encode_headers
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.exchange import Exchange

_OF_THE_OLD_BODY = frozenset(
    (
        b"content-length",
        b"content-encoding",
        b"etag",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
        b"accept-ranges",
    )
)
_NO_BODY = frozenset((204, 205, 304))
_PIECE_BYTES: Final = 256 << 10  # a bomb of a thousand to one fills no memory
_GZIP: Final = 16 + zlib.MAX_WBITS


_TEXT = "text/plain"
_EVENT_MARKS = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_MARK = max(map(len, _EVENT_MARKS))
_MAX_START = 1 << 16


def has_no_body(status: int) -> bool:
    """Whether a response of this *status* never has one."""
    return status < 200 or status in _NO_BODY


def header(headers: RawHeaders, name: bytes) -> str:
    """The last value of *name*, or ""."""
    for key, value in reversed(headers):
        if key.lower() == name:
            return value.decode("latin-1")
    return ""


def is_json(content_type: str) -> bool:
    """``application/json`` and everything built on it."""
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")


def told_type(content_type: str, start: bytes) -> str:
    """
    *content_type*, or what the first bytes of an LLM API's answer say against it. Clients parse
    events where they asked for a stream, and JSON where they did not, whatever the header says.
    """
    guessed = guessed_type(start)
    return content_type if is_json(content_type) or guessed in ("", _TEXT) else guessed


def tells_nothing(start: bytes) -> bool:
    """Whether the first bytes of a body are too few to tell what it is."""
    begun = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return len(begun) < _LONGEST_MARK and len(start) < _MAX_START and begun[:1] not in (b"{", b"[")


def plain_start(headers: RawHeaders, chunk: bytes) -> bytes:
    """
    *chunk*, the first of a body, decoded if that is encoded.

    Raises:
        UpstreamProtocolError: As ``Inflater``.
    """
    inflater = inflater_for(headers)
    return chunk if inflater is None else inflater.feed(chunk)


def guessed_type(start: bytes) -> str:
    """The content type of a body that has none, by its first bytes; "" if there are none."""
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return ""
    if start.startswith((b"{", b"[")):
        return "application/json"
    return "text/event-stream" if start.startswith(_EVENT_MARKS) else _TEXT


def for_new_body(headers: RawHeaders, length: int | None = None) -> RawHeaders:
    """*headers* less what was true of the old body only; *length* in bytes where it is known."""
    kept = [item for item in headers if item[0].lower() not in _OF_THE_OLD_BODY]
    return kept if length is None else [*kept, (b"content-length", b"%d" % length)]


def with_late_headers(send: Send, exchange: Exchange) -> Send:
    """
    *send*, which adds to the response's start what has come to ``exchange.response_headers`` since
    its headers were written: a filter of a whole answer has its say before they go out.
    """

    async def late(message: Message) -> None:
        if message["type"] == "http.response.start":
            written = message["headers"]
            known = {name.lower() for name, _ in written}
            told = encode_headers(exchange.response_headers)
            new = [(name, value) for name, value in told if name not in known]
            message = {**message, "headers": [*written, *new]}
        await send(message)

    return late


class Inflater:
    """
    Decode a body piece by piece.

    Args:
        encoding: The ``content-encoding``, ``gzip`` or ``deflate``.

    Raises:
        UpstreamProtocolError: Another encoding, which nobody here can look into.
    """

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding in ("gzip", "x-gzip")
        if not self._gzip and encoding != "deflate":
            raise UpstreamProtocolError("The answer is encoded in a way that cannot be read.")
        self._stream: zlib._Decompress | None = None
        self._rest = b""

    @property
    def has_more(self) -> bool:
        """Whether ``feed(b"")`` goes on with what was fed before."""
        return bool(self._rest)

    def feed(self, chunk: bytes) -> bytes:
        """
        Take the next bytes; return what they complete, at most 256 KiB at a time: see ``has_more``.

        Raises:
            UpstreamProtocolError: They are not in the encoding.
        """
        data, self._rest = self._rest + chunk, b""
        if not data:
            return b""
        try:
            if self._stream is None or (self._stream.eof and self._gzip):  # gzip may have members
                self._stream = zlib.decompressobj(self._window(data))
            elif self._stream.eof:
                return b""
            piece = self._stream.decompress(data, _PIECE_BYTES)
        except zlib.error as exc:
            raise UpstreamProtocolError("The answer is not encoded as it says.") from exc
        self._rest = self._stream.unconsumed_tail or self._stream.unused_data
        return piece

    def finish(self) -> None:
        """
        Say that the body is over.

        Raises:
            UpstreamProtocolError: In the middle of the encoded data.
        """
        if self._stream is not None and not self._stream.eof:
            raise UpstreamProtocolError("The answer is not encoded as it says.")

    def _window(self, start: bytes) -> int:
        if self._gzip:
            return _GZIP
        # RFC 9110 means zlib's format; some servers send what it wraps.
        return zlib.MAX_WBITS if start[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS


def inflater_for(headers: RawHeaders) -> Inflater | None:
    """The decoder that a response with *headers* needs, if any. Raises as ``Inflater``."""
    encoding = header(headers, b"content-encoding").strip().lower()
    return None if encoding in ("", "identity") else Inflater(encoding)
