"""
The vocabulary of a scripted upstream: a reply is a head and the steps that follow it.

Bytes, gates to wait for, and three ways of not going on.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


class End(enum.Enum):
    """Ways of not going on. Nothing after one of these is written."""

    CUT = "close the connection, whatever was promised"
    RESET = "close it with a TCP reset"
    HANG = "keep it open and stay silent until the client leaves"


CUT, RESET, HANG = End.CUT, End.RESET, End.HANG

Step: TypeAlias = bytes | threading.Event | End
"""Bytes to write (one chunk), a gate to wait for, or an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    One answer of the scripted upstream.

    Args:
        headers: Win over the ones implied by *body*. A ``content-length`` larger than the body
            wants a ``CUT`` after it.
        repeated: Further header lines, names repeated as given.
        body: Bytes are sent with a content-length; steps are sent with chunked encoding (or as
            they are, if *headers* has a content-length), ending the connection where one says so.
        before: Steps before the status line; bytes are written raw (not HTTP at all, for example).
        after: How the connection ends after a whole body; by default it is kept alive.
        gzip: Compress a bytes *body*.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: Sequence[tuple[str, str]] = ()
    body: bytes | Sequence[Step] = b""
    before: Sequence[Step] = ()
    after: End | None = None
    gzip: bool = False

    def framed(self) -> dict[str, str]:
        """The headers to send, with the body's framing."""
        headers = {"content-type": "application/json"}
        if self.gzip:
            headers["content-encoding"] = "gzip"
        headers |= {name.lower(): value for name, value in self.headers.items()}
        if isinstance(self.body, bytes):
            headers.setdefault("content-length", str(len(self.body)))
        elif "content-length" not in headers and headers.get("connection") != "close":
            headers["transfer-encoding"] = "chunked"
        return headers
