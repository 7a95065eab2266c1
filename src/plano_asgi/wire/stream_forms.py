"""How a stream is cut into events, by its content type: SSE, one JSON a line, plain text."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from plano_asgi.passages import Layout, StreamEditor, WireEvent
from plano_asgi.wire import wire_events
from plano_asgi.wire.field_layout import FieldLayout
from plano_asgi.wire.line_events import LineDecoder, TextDecoder, encode_line

SSE = "text/event-stream"


class StreamDecoder(Protocol):
    """Bytes in, events out."""

    def feed(self, chunk: bytes, /) -> list[WireEvent]:
        """Take the next bytes, cut anywhere; return the events they complete."""
        ...

    def close(self) -> list[WireEvent]:
        """The stream is over; return what an unfinished last event held."""
        ...


@dataclass(frozen=True, slots=True)
class StreamForm:
    """One way to stream: ``decoder()`` and ``editor()`` make one each for a response."""

    decoder: Callable[[], StreamDecoder]
    encode: Callable[[WireEvent], bytes]
    """The bytes of one event: those it came in while nobody changed it."""
    editor: Callable[[], StreamEditor]


def stream_form(layout: Layout, content_type: str) -> StreamForm | None:
    """
    The form of a stream of *content_type* (a header's value) whose texts *layout* knows; ``None``
    where it is no stream that can be read: the LLM APIs stream server-sent events only.
    """
    media, _, rest = content_type.partition(";")
    media = media.strip().lower()
    if media == SSE:
        return StreamForm(wire_events.EventDecoder, wire_events.encode, layout.stream_editor)
    if not isinstance(layout, FieldLayout):
        return None
    if media in _LINES:
        return StreamForm(LineDecoder, encode_line, layout.stream_editor)
    if media in _TEXTS:
        return _text_form(layout, _charset(rest))
    return None


_LINES = frozenset(
    (
        *("application/x-ndjson", "application/ndjson", "application/jsonl"),
        *("application/x-jsonlines", "application/jsonlines", "application/stream+json"),
    )
)
_TEXTS = frozenset(("text/plain", "text/markdown"))


def _text_form(layout: FieldLayout, charset: str) -> StreamForm:
    def encode(event: WireEvent) -> bytes:
        raw = event.raw
        return str(event.data).encode(charset, "replace") if raw is None else raw

    return StreamForm(lambda: TextDecoder(charset), encode, layout.text_editor)


_CHARSETS = ("utf-8", "ascii", "iso8859-", "cp125")
"""Those whose characters are told apart byte by byte, and that write ASCII as ASCII."""


def _charset(parameters: str) -> str:
    """The charset that *parameters* name; UTF-8 if they name none that we know."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            try:
                found = codecs.lookup(value.strip().strip("\"'")).name
            except (LookupError, ValueError):
                return "utf-8"
            return found if found.startswith(_CHARSETS) and found != "utf-8-sig" else "utf-8"
    return "utf-8"
