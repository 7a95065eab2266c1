"""
The contract of metric sources: what models cost and how fast they are, as known now.

Look-ups are synchronous and cheap. Whoever fetches does so in the background (``refreshed``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""The body behind a URL. Raises unless the answer is a 2xx, whole, and not too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """USD per million tokens. ``cached``: of input read from the provider's prompt cache."""

    input: float
    output: float
    cached: float | None = None

    def cached_or(self, discount: float) -> float:
        """The price of cached input; *discount* times the input's where none is published."""
        return self.input * discount if self.cached is None else self.cached


class CostSource(Protocol):
    """Knows prices."""

    def rates(self, model: str, /) -> Rates | None:
        """Of *model*; under its full name, else under what follows the first ``/``."""
        ...


class LatencySource(Protocol):
    """Knows how fast models answer."""

    @property
    def learns(self) -> bool:
        """It knows only what this gateway's own traffic has shown it."""
        ...

    def latency(self, model: str, /) -> float | None:
        """Of *model*, lower is better; ``None`` if unknown."""
        ...


def by_name(look_up: Callable[[str], Rates | None], model: str) -> Rates | None:
    """What *look_up* has for *model*: under its whole name, else what follows the first ``/``."""
    found = look_up(model)
    return found if found is not None else look_up(model.partition("/")[2])
