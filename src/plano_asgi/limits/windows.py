"""
The spans of time over which an amount is limited.

A window is cut into numbered slots. What is used counts in the slot in which its request began,
until the slot's time is over: a rolling window has forgotten a slot once its *end* is a whole
window ago, so in no span of that length is more counted as used than the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

SLOTS = 30
_DAY_S = 86_400


class Window(Protocol):
    """Times are Unix seconds."""

    @property
    def name(self) -> str:
        """What tells it from others, in keys and messages."""
        ...

    @property
    def slot_s(self) -> float:
        """The length of a slot; the longest, where they differ."""
        ...

    @property
    def keep_s(self) -> float:
        """How long an account has to be kept after its last change."""
        ...

    def slot(self, at: float) -> int:
        """The slot that *at* is in; later ones have greater numbers."""
        ...

    def oldest(self, now: float) -> int:
        """The first slot that still counts."""
        ...

    def begins(self, slot: int) -> float:
        """When *slot* begins."""
        ...

    def ends(self, slot: int) -> float:
        """When *slot* counts no more."""
        ...


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """
    The last *span_s* seconds, forgotten in steps of a thirtieth.

    Args:
        span_s: Its length.
        name: As in messages ("minute").
    """

    span_s: float
    name: str

    @property
    def slot_s(self) -> float:
        """A thirtieth."""
        return self.span_s / SLOTS

    @property
    def keep_s(self) -> float:
        """All of it, and the slot it began in."""
        return self.span_s + self.slot_s

    def slot(self, at: float) -> int:
        """See ``Window``."""
        return int(at * SLOTS // self.span_s)

    def oldest(self, now: float) -> int:
        """See ``Window``."""
        return self.slot(now) - SLOTS

    def begins(self, slot: int) -> float:
        """See ``Window``."""
        return slot * self.span_s / SLOTS

    def ends(self, slot: int) -> float:
        """See ``Window``."""
        return (slot + 1 + SLOTS) * self.span_s / SLOTS


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """The day or month of the calendar, in UTC: one slot, forgotten when the next begins."""

    name: Literal["day", "month"]

    @property
    def slot_s(self) -> float:
        """A day, or the longest month."""
        return _DAY_S if self.name == "day" else 31 * _DAY_S

    @property
    def keep_s(self) -> float:
        """A slot."""
        return self.slot_s

    def slot(self, at: float) -> int:
        """See ``Window``."""
        if self.name == "day":
            return int(at // _DAY_S)
        date = datetime.fromtimestamp(at, UTC)
        return date.year * 12 + date.month - 1

    def oldest(self, now: float) -> int:
        """See ``Window``."""
        return self.slot(now)

    def begins(self, slot: int) -> float:
        """See ``Window``."""
        if self.name == "day":
            return float(slot * _DAY_S)
        return datetime(slot // 12, slot % 12 + 1, 1, tzinfo=UTC).timestamp()

    def ends(self, slot: int) -> float:
        """See ``Window``."""
        return self.begins(slot + 1)
