"""
The part of a conversation that tells what is asked for, and how it is cut to fit.

Only what users and the assistant said counts, up to the last user turn: the steps of a tool loop
that follow it are the same request, and so get the same route.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from plano_asgi.conversation import ChatRequest, TextPart

MARKER = "…"
_MARKER_BYTES = len(MARKER.encode())
_MOST_BYTES = 5  # to a token, hardly ever more: what is longer is trimmed without counting it


class Turn(NamedTuple):
    """One thing said."""

    role: str
    text: str


def said(request: ChatRequest) -> list[Turn]:
    """What users and the assistant said up to the last user turn; empty if no user did."""
    last = max((n for n, m in enumerate(request.messages) if m.role == "user"), default=-1)
    turns = []
    for message in request.messages[: last + 1]:
        if message.role in ("user", "assistant"):
            texts = [part.text for part in message.parts if isinstance(part, TextPart)]
            if text := "\n".join(text for text in texts if text):
                turns.append(Turn(message.role, text))
    return turns


def asked(request: ChatRequest, *, min_words: int = 4, max_chars: int = 1000) -> str:
    """
    The last user turn as one text. One of less than *min_words* words ("shorter, please") is read
    with the user turn before it; of a long one the head and the tail are kept.
    """
    users = [turn.text.strip() for turn in said(request) if turn.role == "user"]
    if not users:
        return ""
    text = users[-1]
    if len(users) > 1 and len(text.split()) < min_words:
        text = f"{_short(users[-2], max_chars)}\n{text}"
    return _short(text, max_chars)


def _short(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    head = max_chars // 2
    return f"{text[:head]} {MARKER} {text[head - max_chars :]}"


def trim_middle(text: str, max_bytes: int) -> str:
    """
    *text* in at most *max_bytes* of UTF-8: head and tail around a marker, in the ratio 3 to 2.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= max_bytes:
        return text
    if max_bytes <= _MARKER_BYTES:
        return _decoded(data[: max(0, max_bytes)])
    room = max_bytes - _MARKER_BYTES
    head = _decoded(data[: room * 3 // 5])
    tail = room - len(head.encode())
    return f"{head}{MARKER}{_decoded(data[len(data) - tail :])}"


def fit_turns(
    turns: Sequence[Turn],
    room: int,
    *,
    cost: Callable[[Turn], int],
    max_turns: int = 16,
) -> list[Turn]:
    """
    The newest of *turns* that cost no more than *room* together, in their order.

    The oldest user turn that does not fit whole is trimmed in its middle; so is the newest turn,
    whoever said it. Texts past 5 characters for each unit of *room* are trimmed without asking for
    their *cost*.
    """
    kept: list[Turn] = []
    for turn in reversed(turns[-max_turns:] if max_turns > 0 else ()):
        if len(turn.text) <= room * _MOST_BYTES and (price := cost(turn)) <= room:
            kept.append(turn)
            room -= price
            continue
        if turn.role == "user" or not kept:
            kept.extend(_trimmed(turn, room, cost))
        break
    return kept[::-1]


def _trimmed(turn: Turn, room: int, cost: Callable[[Turn], int]) -> list[Turn]:
    """*turn* cut to cost at most *room*; nothing if no text of it fits."""
    bare = cost(Turn(turn.role, ""))
    size = min(len(turn.text.encode("utf-8", "surrogatepass")), room * _MOST_BYTES)
    while size > 0 and room > bare:
        cut = Turn(turn.role, trim_middle(turn.text, size))
        if (price := cost(cut)) <= room:
            return [cut] if cut.text else []
        # What is dense costs more than its share: shrink in proportion, and at least by one.
        size = min(size - 1, size * (room - bare) // (price - bare))
    return []


def _decoded(data: bytes) -> str:
    """*data* without the halves of characters at its ends."""
    return data.decode("utf-8", "ignore")
