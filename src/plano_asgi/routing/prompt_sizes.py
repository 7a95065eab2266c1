"""How many characters of a body count as prompt: what cache markers go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plano_asgi._json import JSONObject, dumps

_MEDIA = frozenset({"image", "document", "image_url", "input_audio", "file", "video"})
_MEDIA_CHARS = 4096  # a thousand tokens, however many bytes
_SCHEMAS = ("input_schema", "parameters", "inputSchema")


def text_chars(content: Any) -> int:
    """Of the texts in a message's content."""
    if isinstance(content, str):
        return len(content)
    return sum(len(str(block.get("text") or "")) for block in objects(content))


def turn_chars(message: JSONObject) -> int:
    """Of a message: its content, and the calls in it."""
    content = message.get("content")
    calls = message.get("tool_calls")
    chars = 0 if calls is None else len(dumps(calls))
    if isinstance(content, str):
        return chars + len(content)
    return chars + sum(map(block_chars, objects(content)))


def block_chars(block: JSONObject) -> int:
    """Of one block of content."""
    if isinstance(text := block.get("text"), str):
        return len(text)
    if block.get("type") in _MEDIA or not _MEDIA.isdisjoint(block):
        return _MEDIA_CHARS
    inner = block.get("content")
    if isinstance(inner, str):
        return len(inner)
    if isinstance(inner, list):
        return sum(
            _MEDIA_CHARS if part.get("type") in _MEDIA else len(dumps(part))
            for part in objects(inner)
        )
    return len(dumps(block))


def tool_chars(tool: Mapping[str, Any]) -> int:
    """Of a tool as the model sees it: its name, description and schema."""
    schemas = (tool[key] for key in _SCHEMAS if key in tool)
    chars = sum(len(dumps(schema)) for schema in schemas)
    return chars + len(str(tool.get("name") or "")) + len(str(tool.get("description") or ""))


def objects(value: Any) -> Sequence[JSONObject]:
    """The objects among *value*, if that is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def object_of(value: Any) -> JSONObject:
    """*value*, if that is an object; else an empty one."""
    return value if isinstance(value, dict) else {}
