"""Small streams of each client dialect, frame by frame."""

from __future__ import annotations

from typing import Any

from tapped import chunk, frame

_MESSAGE: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
_RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "in_progress"}
_TEXT = {"type": "output_text", "text": "", "annotations": []}
_ITEM = {"id": "it_1", "type": "message", "role": "assistant", "status": "in_progress"}
_AT = {"item_id": "it_1", "output_index": 0, "content_index": 0}


def typed(kind: str, **data: Any) -> bytes:
    """An event named by its type."""
    return frame({"type": kind, **data}, kind)


def opening(dialect: str) -> list[bytes]:
    """All that comes before the first text."""
    if dialect == "openai.chat":
        return [chunk("")]
    if dialect == "anthropic.messages":
        usage = {"input_tokens": 1, "output_tokens": 0}
        message = {**_MESSAGE, "content": [], "stop_reason": None, "usage": usage}
        block = {"type": "text", "text": ""}
        return [
            typed("message_start", message=message),
            typed("content_block_start", index=0, content_block=block),
        ]
    response = {**_RESPONSE, "output": [], "model": "m", "created_at": 1}
    return [
        typed("response.created", sequence_number=0, response=response),
        typed(
            "response.output_item.added",
            sequence_number=1,
            output_index=0,
            item={**_ITEM, "content": []},
        ),
        typed("response.content_part.added", sequence_number=2, part=_TEXT, **_AT),
    ]


def piece(dialect: str, text: str, number: int = 3) -> bytes:
    """The next piece of text."""
    if dialect == "openai.chat":
        return chunk(text)
    if dialect == "anthropic.messages":
        delta = {"type": "text_delta", "text": text}
        return typed("content_block_delta", index=0, delta=delta)
    return typed("response.output_text.delta", sequence_number=number, delta=text, **_AT)
