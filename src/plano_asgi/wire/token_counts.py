"""What an upstream says it has counted, so far as that can be."""

from __future__ import annotations

MAX_TOKENS = 1_000_000_000
"""Of one kind, in one exchange: far more than any model reads or writes."""


def token_count(value: object) -> int:
    """*value*, a number of tokens from 0 to ``MAX_TOKENS``; 0 where it is none."""
    is_count = type(value) in (int, float) and 0 <= value <= MAX_TOKENS  # type: ignore[operator]
    return int(value) if is_count else 0  # type: ignore[call-overload]
