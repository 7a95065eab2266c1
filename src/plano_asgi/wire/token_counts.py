"""What an upstream says it has counted, so far as that can be."""

from __future__ import annotations

MAX_TOKENS = 1_000_000_000
"""Of one kind, in one exchange: far more than any model reads or writes."""


def token_count(value: object) -> int:
    """*value*, a number of tokens from 0 to ``MAX_TOKENS``; 0 where it is none."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else 0
    return int(value) if type(value) is float and 0 <= value <= MAX_TOKENS else 0
