"""
Incremental decoding of ``content-encoding``.

Both clients have their own; one passes unknown encodings and cut bodies on without a word, the
other depends on what else is installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from plano_asgi.providers.transports import shared

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"
_PIECE_BYTES: Final = 1 << 20  # a bomb of a thousand to one fills no memory


def inflater_for(headers: Mapping[str, str]) -> Inflater | None:
    """The decoder that a response with *headers* needs, if it needs one."""
    encoding = headers.get("content-encoding", "").strip().lower()
    return None if encoding in ("", "identity") else Inflater(encoding)


class Inflater:
    """
    Decode one body.

    Args:
        encoding: The ``content-encoding``: ``gzip`` or ``deflate``; any other fails in ``feed``.
    """

    __slots__ = ("_encoding", "_rest", "_stream")

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._stream: zlib._Decompress | None = None
        self._rest = b""

    @property
    def has_more(self) -> bool:
        """Whether ``feed(b"")`` goes on with what was fed before."""
        return bool(self._rest)

    def feed(self, chunk: bytes) -> bytes:
        """
        Take the next bytes; return what they complete, often nothing, and at most 1 MiB at a time:
        see ``has_more``.

        Raises:
            UpstreamProtocolError: They are not in the encoding.
        """
        data, self._rest = self._rest + chunk, b""
        if not data:
            return b""
        try:
            if self._stream is None or (self._stream.eof and data.startswith(_GZIP_MAGIC)):
                self._stream = zlib.decompressobj(self._window(data))  # gzip may have members
            elif self._stream.eof:
                return b""  # padding
            piece = self._stream.decompress(data, _PIECE_BYTES)
        except zlib.error as exc:
            raise shared.bad_encoding() from exc
        self._rest = self._stream.unconsumed_tail or self._stream.unused_data
        return piece

    def finish(self) -> None:
        """
        Say that the body is over.

        Raises:
            UpstreamProtocolError: In the middle of the encoded data.
        """
        if self._stream is not None and not self._stream.eof:
            raise shared.bad_encoding()

    def _window(self, start: bytes) -> int:
        if self._encoding in ("gzip", "x-gzip"):
            return _GZIP
        if self._encoding != "deflate":
            raise shared.bad_encoding()
        # RFC 9110 means zlib's format; some servers send what it wraps.
        return zlib.MAX_WBITS if start[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
