"""Long work of the CPU in steps, so that the event loop serves others, and time limits, between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from anyio.lowlevel import checkpoint

T = TypeVar("T")

PIECE_CHARS = 4096
"""Looked through between two steps: some milliseconds, a tenth of a second at the worst."""


def done(steps: Generator[None, None, T]) -> T:
    """What *steps* come to, all taken at once."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: T = end.value
        return found


async def done_in_turn(steps: Generator[None, None, T]) -> T:
    """The same, with everybody else's turn after each step."""
    try:
        while True:
            next(steps)
            await checkpoint()
    except StopIteration as end:
        found: T = end.value
        return found
