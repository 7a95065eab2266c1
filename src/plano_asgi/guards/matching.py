"""The contract of a matcher: what finds passages in running text, whole or streamed."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Match(NamedTuple):
    """What a matcher found in a text: ``[start, end)`` is to become ``replacement``."""

    start: int
    end: int
    rule: str
    replacement: str
    score: float = 1.0


class Matcher(Protocol):
    """
    Finds passages in running text. The streamed and the whole form agree: this is law 5's half.

    For any text, and any continuation of it, the matches that ``find`` reports of the whole and
    that start before ``settled(text)`` are exactly those that it reports of *text* alone.
    """

    def find(self, text: str, /) -> list[Match]:
        """Every match in *text*, as a whole: in order, not overlapping, none empty."""
        ...

    def settled(self, text: str, /) -> int:
        """
        Up to which index no continuation of *text* changes what ``find`` says; matches that end
        there or before are final, and no match crosses it.
        """
        ...
