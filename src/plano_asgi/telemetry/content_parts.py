"""The parts of captured messages, in the GenAI conventions' shapes: masked, and within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from plano_asgi._json import JSONObject, dumps_str, loads
from plano_asgi.conversation import (
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

Scrubbers: TypeAlias = Sequence[Callable[[str], str]]

_MAX_DEPTH = 32
"""Of JSON that is masked value by value; deeper, it is masked as text."""
_FRAME_CHARS = 16
"""What a part or a JSON value costs besides its text."""


class PartWriter:
    """
    Writes what belongs to one message; make one for each.

    Args:
        scrubbers: Applied to every text, whole, before it is cut.
        max_chars: Of all texts together; what comes after is left out or cut short.
    """

    def __init__(self, scrubbers: Scrubbers, max_chars: int) -> None:
        self._scrubbers = scrubbers
        self._left = max_chars

    def text(self, text: str) -> str:
        """*text* masked, and cut to what is left."""
        for scrub in self._scrubbers:
            text = scrub(text)
        text = text[: max(0, self._left)]
        self._left -= len(text)
        return text

    def json(self, value: Any, depth: int = 0) -> Any:
        """A JSON value, its texts and its keys masked."""
        self._left -= _FRAME_CHARS
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, dict | list):
            return value
        if depth == _MAX_DEPTH:
            return self.text(dumps_str(value))
        if isinstance(value, list):
            return [self.json(item, depth + 1) for item in value if self._left > 0]
        return {
            self.text(key): self.json(item, depth + 1)
            for key, item in value.items()
            if self._left > 0
        }

    def parts(self, parts: Sequence[Part]) -> list[JSONObject]:
        """Those of *parts* that have something to show, up to where the budget ends."""
        written = []
        for part in parts:
            if self._left <= 0:
                break
            self._left -= _FRAME_CHARS
            if (shown := _WRITERS[type(part)](self, part)) is not None:
                written.append(shown)
        return written


def _text(writer: PartWriter, part: TextPart) -> JSONObject:
    return {"type": "text", "content": writer.text(part.text)}


def _refusal(writer: PartWriter, part: RefusalPart) -> JSONObject:
    return {"type": "refusal", "content": writer.text(part.text)}


def _reasoning(writer: PartWriter, part: ReasoningPart) -> JSONObject | None:
    return {"type": "reasoning", "content": writer.text(part.text)} if part.text else None


def _media(writer: PartWriter, part: MediaPart) -> JSONObject:
    if part.text is not None:
        return {"type": "text", "content": writer.text(part.text)}
    written: JSONObject = {"modality": part.modality, "mime_type": part.mime_type}
    if part.file_id is not None:
        return {"type": "file", **written, "file_id": writer.text(part.file_id)}
    if part.url is not None:
        return {"type": "uri", **written, "uri": writer.text(_place(part.url))}
    size = len(part.data or "") * 3 // 4
    return {"type": "blob", **written, "content": "", "bytes": size}


def _place(url: str) -> str:
    """*url* without what may be a signature or a password."""
    try:
        found = urlsplit(url)
    except ValueError:
        return ""
    host = found.netloc.rpartition("@")[2]
    if found.scheme == "data" or not host:
        return f"{found.scheme}:"
    return f"{found.scheme}://{host}{found.path}"


def _tool_call(writer: PartWriter, part: ToolCallPart) -> JSONObject:
    return {
        "type": "tool_call",
        "id": writer.text(part.id),
        "name": writer.text(part.name),
        "arguments": _arguments(writer, part),
    }


def _arguments(writer: PartWriter, part: ToolCallPart) -> Any:
    """A function's as JSON; those of a custom tool, and half a JSON, as the text they are."""
    if part.kind == "function":
        try:
            return writer.json(loads(part.arguments or "{}"))
        except ValueError:
            return writer.text(part.arguments)
    return writer.text(part.arguments)


def _tool_result(writer: PartWriter, part: ToolResultPart) -> JSONObject:
    parts, call_id = part.content, writer.text(part.call_id)
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        response: Any = writer.text(parts[0].text)
    else:
        response = writer.parts(parts)
    return {"type": "tool_call_response", "id": call_id, "response": response}


def _opaque(writer: PartWriter, part: OpaquePart) -> JSONObject:
    return {"type": writer.text(str(part.raw.get("type", "opaque")))}


_WRITERS: Mapping[type[Part], Callable[[PartWriter, Any], JSONObject | None]] = {
    TextPart: _text,
    RefusalPart: _refusal,
    ReasoningPart: _reasoning,
    MediaPart: _media,
    ToolCallPart: _tool_call,
    ToolResultPart: _tool_result,
    OpaquePart: _opaque,
}
