"""The contract of an embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

Vector: TypeAlias = Sequence[float]
"""Of length ``Embedder.dimensions``, scaled to length 1: a dot product is the cosine."""


class Embedder(Protocol):
    """Turns texts into vectors. Instances are shared and keep the event loop free."""

    @property
    def name(self) -> str:
        """Model and version: vectors of different names are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        ...

    async def embed(self, texts: Sequence[str], /) -> list[Vector]:
        """One vector per text, in order; an empty text has a vector too."""
        ...
