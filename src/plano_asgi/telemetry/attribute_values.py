"""What an attribute may hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

AttributeValue: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = dict[str, AttributeValue]

MAX_TEXT_CHARS = 256
"""Characters of an attribute that a client chose."""


def attribute_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """*text* cut, and such that every exporter can encode it: half a character becomes ``?``."""
    cut = text if len(text) <= max_chars else text[:max_chars]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()
