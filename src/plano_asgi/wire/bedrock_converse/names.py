"""What Bedrock's Converse API calls things, and the small rules about its identifiers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from plano_asgi._json import JSONObject
from plano_asgi.conversation import FinishReason

NAME = "bedrock.converse"
KIN = frozenset({NAME, "anthropic.messages"})
"""Dialects whose reasoning signatures Bedrock understands: Claude's are the same in both."""

SERVER_TOOL = "server_tool_use"

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
    "model_context_window_exceeded": "context_window",
}

STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "context_window": "model_context_window_exceeded",
    "error": "malformed_model_output",
}

_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_RAW_BLOB = "base64:"


def objects(value: object) -> list[JSONObject]:
    """The objects in a list; none where *value* is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def tool_use_id(call_id: str) -> str:
    """
    *call_id* where Bedrock takes it, else a name made of it: the same one for call and result.

    Bedrock allows 1 to 64 of ``a-zA-Z0-9_.:-``; other APIs' ids may be longer or have more signs.
    """
    if _CALL_ID.fullmatch(call_id):
        return call_id
    return "call_" + hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:40]


def blob_to_text(blob: str) -> str:
    """
    The text inside a base64 *blob*: Anthropic's own ciphertext, as its Messages API spells it.

    A blob that holds no ASCII text stays base64, marked with a prefix.
    """
    try:
        text = base64.b64decode(blob, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return _RAW_BLOB + blob
    return text if text_to_blob(text) == blob else _RAW_BLOB + blob


def text_to_blob(text: str) -> str:
    """The base64 blob that ``blob_to_text`` made *text* of."""
    if text.startswith(_RAW_BLOB):
        return text.removeprefix(_RAW_BLOB)
    return base64.b64encode(text.encode()).decode("ascii")
