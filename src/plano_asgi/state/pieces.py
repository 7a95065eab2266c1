"""A stretch of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi.state.names import named


@dataclass(slots=True)
class Piece:
    """Some items in their order. *provider* made those that a model made."""

    items: Sequence[Any]
    container: str
    """What their ids follow from, where they have none of their own."""
    provider: str = ""
    number: int = 0
    """Which one of its conversation it is."""
    size: int = 0
    """What it takes of its conversation's bound, in bytes, where it was just added."""

    @property
    def named(self) -> list[tuple[str, Any]]:
        """The items with their ids."""
        return [(id, item) for id, item in named(self.items, self.container) if item is not None]
