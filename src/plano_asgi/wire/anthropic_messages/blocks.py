"""
Content blocks that requests and answers share: text, thinking, tool calls, and what stays opaque.

Source: https://docs.anthropic.com/en/api/messages (types of the ``anthropic`` SDK 2.12).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from plano_asgi._json import JSONObject, dumps_str, loads
from plano_asgi.conversation import (
    Citation,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.wire.anthropic_messages.fields import join, objects, optional, require, rest
from plano_asgi.wire.reasoning_pack import pack, unpack

NAME = "anthropic.messages"
NATIVE_REASONING = frozenset({NAME, "bedrock.converse"})
"""Dialects whose reasoning carries the signatures that Claude itself checks."""

_BAD_ID_CHARS = re.compile(r"[^a-zA-Z0-9_-]")

# --------------------------------------------------------------------------- reading


def read_block(block: JSONObject, path: str) -> Part:
    """
    One block of text, thinking or a tool call; any other type stays opaque.

    Raises:
        RequestError: A field of the wrong type.
    """
    reader = _READERS.get(require(block, "type", str, path))
    return reader(block, path) if reader else OpaquePart(dialect=NAME, raw=block)


def read_text(block: JSONObject, path: str) -> TextPart:
    """A ``text`` block; ``cache_control`` and unknown fields go to ``extras``."""
    cited = block.get("citations")
    return TextPart(
        text=require(block, "text", str, path),
        citations=[read_citation(raw) for raw in objects(cited or [], join(path, "citations"))],
        extras=rest(block, "type", "text", "citations"),
    )


def read_citation(raw: JSONObject) -> Citation:
    """Any citation type: what the neutral form has a place for, and *raw* for the way back."""
    return Citation(
        url=_text(raw.get("url")) or _text(raw.get("source")),
        title=_text(raw.get("title")) or _text(raw.get("document_title")),
        quote=_text(raw.get("cited_text")),
        raw=raw,
        dialect=NAME,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_thinking(block: JSONObject, path: str) -> ReasoningPart:
    text = require(block, "thinking", str, path)
    signature = optional(block, "signature", str, path)
    if signature and (packed := unpack(signature)):
        return replace(packed, text=text or packed.text)
    known = {"type", "thinking", "signature"}
    return ReasoningPart(
        text=text, signature=signature, dialect=NAME, raw=None if block.keys() <= known else block
    )


def _read_redacted(block: JSONObject, path: str) -> ReasoningPart:
    data = require(block, "data", str, path)
    return unpack(data) or ReasoningPart(encrypted=data, dialect=NAME)


def _read_call(block: JSONObject, path: str) -> ToolCallPart:
    return ToolCallPart(
        id=require(block, "id", str, path),
        name=require(block, "name", str, path),
        arguments=dumps_str(optional(block, "input", dict, path) or {}),
        extras=rest(block, "type", "id", "name", "input"),
    )


_READERS: dict[str, Callable[[JSONObject, str], Part]] = {
    "text": read_text,
    "thinking": _read_thinking,
    "redacted_thinking": _read_redacted,
    "tool_use": _read_call,
}

# --------------------------------------------------------------------------- writing


def text_block(text: str, citations: list[Citation], extras: JSONObject) -> JSONObject:
    """
    A ``text`` block. Citations of other dialects are left out: Anthropic's point into documents
    or carry an ``encrypted_index``, which no other dialect has.
    """
    block: JSONObject = {"type": "text", "text": text}
    if own := [cited.raw for cited in citations if cited.dialect == NAME]:
        block["citations"] = own
    return block | extras


def native_thinking(part: ReasoningPart) -> JSONObject:
    """The block of a part whose dialect is in ``NATIVE_REASONING``."""
    if part.encrypted:
        return {"type": "redacted_thinking", "data": part.encrypted}
    raw = part.raw if part.raw and part.dialect == NAME else {}
    signature = part.signature or ""
    return {**raw, "type": "thinking", "thinking": part.text, "signature": signature}


def packed_signature(part: ReasoningPart) -> str:
    """
    The signature under which a client gets reasoning of another dialect, and hands it back.

    Without the text, which stands beside it in the block: what a filter masks there must not
    come through here.
    """
    return pack(replace(part, text="", raw=None))


def call_block(part: ToolCallPart, call_id: str, extras: JSONObject) -> JSONObject:
    """
    A ``tool_use`` block; the free text of a custom call becomes the string property ``input``.

    Raises:
        ValueError: The arguments are not a JSON object.
    """
    arguments: Any = {}
    if part.kind == "custom":
        arguments = {"input": part.arguments}
    elif part.arguments.strip():
        arguments = loads(part.arguments)
    if not isinstance(arguments, dict):
        raise ValueError("not a JSON object")
    return {"type": "tool_use", "id": call_id, "name": part.name, "input": arguments} | extras


def clean_id(call_id: str) -> str:
    """
    *call_id* in the alphabet the API takes (letters, digits, ``_`` and ``-``).

    An id that has to change gets a checksum, so that two of them never fall together.
    """
    cleaned = _BAD_ID_CHARS.sub("_", call_id)
    if cleaned and cleaned == call_id:
        return call_id
    return f"{cleaned or 'toolu'}_{zlib.crc32(call_id.encode('utf-8', 'surrogatepass')):08x}"
