"""
Which of a conversation's batches are gone, in few numbers: most have gone side by side.

Gaps are in order, and neighbours are one: there is at most one more than there are batches left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Gaps: TypeAlias = Sequence[Sequence[int]]
"""Each from the number of one batch up to another, which is not in it."""


def numbers_left(batches: int, gaps: Gaps) -> Iterator[int]:
    """The numbers below *batches* that are in none of *gaps*, in order."""
    start = 0
    for first, end in (*gaps, (batches, batches)):
        yield from range(start, min(first, batches))
        start = end


def widened(gaps: Gaps, number: int) -> list[list[int]]:
    """*gaps* with *number*."""
    wide: list[list[int]] = []
    for first, end in sorted((*map(tuple, gaps), (number, number + 1))):
        if wide and first <= wide[-1][1]:
            wide[-1][1] = max(end, wide[-1][1])
        else:
            wide.append([first, end])
    return wide
