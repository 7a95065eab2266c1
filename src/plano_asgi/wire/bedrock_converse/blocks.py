"""Neutral parts to Converse content blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject, loads
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
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.bedrock_converse.media import DocumentNames, write_media
from plano_asgi.wire.bedrock_converse.names import KIN, NAME, text_to_blob, tool_use_id
from plano_asgi.wire.foreign import tell_opaque

NO_OUTPUT = "(no output)"
"""Stands for a tool result without content: Bedrock refuses blank text and most models no text."""


@dataclass(slots=True, kw_only=True)
class Writing:
    """One request in the making: what the writers of its blocks share."""

    options: WriteOptions
    own: bool
    """The request came by this dialect."""
    names: DocumentNames

    def refuse(self, field: str, reason: str = "") -> None:
        """
        Leave *field* out, where that is allowed.

        Raises:
            UnsupportedField: It is not.
        """
        if self.options.on_unsupported == "error":
            raise UnsupportedField(field, NAME, reason)


def write_blocks(parts: Sequence[Part], where: str, writing: Writing) -> list[JSONObject]:
    """
    The blocks of *parts*; what may be dropped leaves none.

    Bedrock refuses a blank text block, so blank text joins the text before it.
    """
    blocks: list[JSONObject] = []
    for number, part in enumerate(parts):
        block = _WRITERS[type(part)](part, f"{where}.{number}", writing)
        if block is not None:
            blocks.append(block)
        elif isinstance(part, TextPart) and blocks and "text" in blocks[-1]:
            blocks[-1]["text"] += part.text
        if blocks and (point := cache_point(part)) and "cachePoint" not in blocks[-1]:
            blocks.append(point)
    return blocks


def cache_point(part: Part) -> JSONObject | None:
    """
    The cache point that *part* asks for with a ``cache_control`` in its extras.

    Anthropic marks the block that ends a cached prefix, Converse puts a block of its own after it.
    """
    marked = part.content if isinstance(part, ToolResultPart) else ()
    for holder in (part, *marked):
        control = getattr(holder, "extras", {}).get("cache_control")
        if isinstance(control, dict):
            ttl = {"ttl": control["ttl"]} if control.get("ttl") in ("5m", "1h") else {}
            return {"cachePoint": {"type": "default", **ttl}}
    return None


def write_text_block(
    part: TextPart | RefusalPart, where: str, writing: Writing
) -> JSONObject | None:
    """A text block, ``citationsContent`` where Bedrock made its citations; none of blank text."""
    citations = [
        citation.raw
        for citation in (part.citations if isinstance(part, TextPart) else ())
        if citation.dialect == NAME and citation.raw
    ]
    if citations:
        content = [{"text": part.text}] if part.text else []
        return {"citationsContent": {"content": content, "citations": citations}}
    return {"text": part.text} if part.text.strip() else None


def write_tool_call(part: ToolCallPart, where: str, writing: Writing) -> JSONObject:
    """
    A ``toolUse`` block. The input of a custom tool, which is free text, goes under ``input``.

    Raises:
        RequestError: The arguments are not a JSON object.
    """
    given: object = {}
    if part.kind == "custom":
        given = {"input": part.arguments}
    elif part.arguments.strip():
        try:
            given = loads(part.arguments)
        except ValueError:
            given = None
    if not isinstance(given, dict):
        message = f"the arguments of the tool call '{part.id}' are not a JSON object"
        raise RequestError(message, param=f"{where}.arguments")
    use = {"toolUseId": tool_use_id(part.id), "name": part.name, "input": given}
    return {"toolUse": use}


def _write_reasoning(part: ReasoningPart, where: str, writing: Writing) -> JSONObject | None:
    # What other families signed or encrypted means nothing to Bedrock's models, and a thought
    # without its signature is refused by those that sign.
    if part.dialect not in KIN:
        return None
    if part.encrypted:
        return {"reasoningContent": {"redactedContent": text_to_blob(part.encrypted)}}
    if part.signature:
        return {
            "reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}
        }
    if part.dialect == NAME and part.text:
        return {"reasoningContent": {"reasoningText": {"text": part.text}}}
    return None


def _write_tool_result(part: ToolResultPart, where: str, writing: Writing) -> JSONObject:
    content = []
    for number, inner in enumerate(part.content):
        block = _write_result_content(inner, f"{where}.content.{number}", writing)
        if block is not None:
            content.append(block)
    result: JSONObject = {
        "toolUseId": tool_use_id(part.call_id),
        "content": content or [{"text": NO_OUTPUT}],
    }
    if part.is_error:  # success goes without saying: only some models know the field
        result["status"] = "error"
    return {"toolResult": result}


def _write_result_content(part: Part, where: str, writing: Writing) -> JSONObject | None:
    if isinstance(part, TextPart):
        return _write_result_text(part)
    if isinstance(part, MediaPart) and part.modality == "audio":
        writing.refuse(where, "audio in a tool result")
        return None
    return _WRITERS[type(part)](part, where, writing)


def _write_result_text(part: TextPart) -> JSONObject | None:
    if part.extras.get("json") is True:
        try:
            return {"json": loads(part.text)}
        except ValueError:  # a filter changed it: it is still text
            pass
    return {"text": part.text} if part.text.strip() else None


def _write_media(part: MediaPart, where: str, writing: Writing) -> JSONObject | None:
    try:
        return write_media(part, writing.names)
    except ValueError as exc:
        writing.refuse(where, str(exc))
        return None


def _write_opaque(part: OpaquePart, where: str, writing: Writing) -> JSONObject | None:
    if part.dialect == NAME:
        return part.raw
    text = tell_opaque(part, where, writing.refuse)
    return {"text": text} if text else None


_WRITERS: dict[type, Callable[[Any, str, Writing], JSONObject | None]] = {
    TextPart: write_text_block,
    RefusalPart: write_text_block,
    ReasoningPart: _write_reasoning,
    MediaPart: _write_media,
    ToolCallPart: write_tool_call,
    ToolResultPart: _write_tool_result,
    OpaquePart: _write_opaque,
}
