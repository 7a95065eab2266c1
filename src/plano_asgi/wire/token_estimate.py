"""
An estimate of a request's input tokens, for where no upstream counts them.

Cheap and deterministic: no vocabulary, no model knowledge. Text is counted in quarters of a
token by script: ASCII 1/4 per character (English prose and code), other alphabets 1/2, CJK and
what lies above (ideographs, kana, hangul, emoji) 1. Media is a flat figure; schemas, arguments and
opaque blocks count as their JSON text. It is monotone: whatever is added to a request, the
estimate never falls. Expect some 20% either way on prose, more on numbers and rare scripts.
"""

from __future__ import annotations

import re

from plano_asgi._json import dumps_str
from plano_asgi.conversation import (
    ChatRequest,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

MEDIA_TOKENS = {"image": 1600, "document": 3000, "audio": 1000, "video": 5000}
"""Per piece: an image as large as vendors scale it to, a document of about two pages."""

MESSAGE_TOKENS = 4
"""Role and separators of one message."""
TOOL_TOKENS = 8
"""What surrounds one tool's declaration."""

_WIDE = re.compile("[\u1100-\u11ff\u2e80-\U0010ffff]")


def estimate_input_tokens(request: ChatRequest) -> int:
    """About how many input tokens *request* is; 0 only for one without messages and tools."""
    quarters = sum(_part(part) for message in request.messages for part in message.parts)
    quarters += sum(_tool(tool) for tool in request.tools)
    quarters += 4 * MESSAGE_TOKENS * len(request.messages)
    if request.output_format is not None and request.output_format.schema:
        quarters += _json(request.output_format.schema)
    return -(-quarters // 4)


def _text(text: str) -> int:
    """Quarters of a token."""
    if text.isascii():
        return len(text)
    wide = len(text) - len(_WIDE.sub("", text))
    narrow = len(text.encode("ascii", "ignore"))
    return narrow + 2 * (len(text) - narrow - wide) + 4 * wide


def _json(value: object) -> int:
    return _text(dumps_str(value))


def _tool(tool: Tool) -> int:
    declared = _json(tool.raw or tool.parameters or {})
    return declared + _text(tool.name) + _text(tool.description or "") + 4 * TOOL_TOKENS


def _part(part: Part) -> int:
    match part:
        case TextPart(text=text) | RefusalPart(text=text):
            return _text(text)
        case ReasoningPart():
            return _text(part.text) + _text(part.encrypted or "")
        case MediaPart():
            return _text(part.text or "") if part.text else 4 * MEDIA_TOKENS[part.modality]
        case ToolCallPart():
            return _text(part.name) + _text(part.arguments)
        case ToolResultPart():
            return sum(_part(inner) for inner in part.content)
        case OpaquePart():
            return _json(part.raw)
