"""Which stretches of a text are judged, so that an attack inside a long text does not drown."""

from __future__ import annotations

from collections.abc import Iterator

SIZE, STEP = 48, 16
"""Words in a window that the model judges, and how far apart two begin."""
LONG_SIZE, LONG_STEP = 150, 50
"""The same for the second stage, which reads 256 word pieces at most."""


def windows(count: int, size: int = SIZE, step: int = STEP) -> Iterator[tuple[int, int]]:
    """Start and end of every window of a text of *count* words; together they cover it."""
    for start in range(0, count - size, step):
        yield start, start + size
    yield max(count - size, 0), count
