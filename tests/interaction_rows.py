"""Conversations for the detectors of the interaction layer, and one reader for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from plano_asgi.signals.base import Row, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader

ANSWER = "Open the panel and choose the second entry."


@cache
def reader() -> Reader:
    """A reader of the lexicon that comes with the package."""
    return Reader(Lexicon.load())


def talk(*texts: str, first: int = 0) -> list[Row]:
    """A person and a model in turns, the person first; an empty text is left out."""
    return [
        Row(kind="gpt" if i % 2 else "human", text=text, index=first + i)
        for i, text in enumerate(texts)
        if text
    ]


def reply(text: str, answer: str = ANSWER) -> list[Row]:
    """A question, an answer, and what the person says to it (message 2)."""
    return talk("How do I make the monthly report for my shop?", answer, text)


def leaves(
    detect: Callable[[Sequence[Row]], Iterable[Signal]], rows: Sequence[Row]
) -> list[tuple[str, int]]:
    """Last part of each signal's type, and its message."""
    return [(s.type.rpartition(".")[2], s.message_index) for s in detect(rows)]
