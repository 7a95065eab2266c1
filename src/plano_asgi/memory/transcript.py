"""A conversation as a model is shown it that is asked about it."""

from __future__ import annotations

from collections.abc import Iterable

from plano_asgi.conversation import Message, TextPart, ToolCallPart, ToolResultPart


def transcript(messages: Iterable[Message], *, max_chars: int) -> str:
    """
    A conversation as text, a paragraph per turn; tool calls by name. Over *max_chars* its middle
    is left out: the beginning says what it is about, the end where it stands.
    """
    lines = [f"{message.role}: {text}" for message in messages if (text := spoken(message))]
    whole = "\n\n".join(lines)
    if len(whole) <= max_chars:
        return whole
    half = max(1, (max_chars - 5) // 2)
    return f"{whole[:half]}\n...\n{whole[-half:]}"


def spoken(message: Message) -> str:
    """What one turn says: its text, and of tools that they were called and what they answered."""
    said: list[str] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            said.append(part.text)
        elif isinstance(part, ToolCallPart):
            said.append(f"[calls {part.name}]")
        elif isinstance(part, ToolResultPart):
            texts = [inner.text for inner in part.content if isinstance(inner, TextPart)]
            said.append(f"[result: {' '.join(texts)[:500]}]")
    return " ".join(text for text in said if text).strip()
