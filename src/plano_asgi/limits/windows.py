"""
The spans of time over which an amount is limited.

A window is cut into numbered slots. What is used counts in the slot in which its request began,
until the slot's time is over: a rolling window has forgotten a slot once its *end* is a whole
window ago, so in no span of that length is more counted as used than the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, Protocol

SLOTS = 30
_DAY_S = 86_400
_MAX_DATES = 64  # remembered: requests are of today


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

    def oldest(self, slot: int) -> int:
        """The first one that still counts in *slot*."""
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

    def oldest(self, slot: int) -> int:
        """See ``Window``."""
        return slot - SLOTS

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
        day = int(at // _DAY_S)
        return day if self.name == "day" else _month_of(day)

    def oldest(self, slot: int) -> int:
        """See ``Window``."""
        return slot

    def begins(self, slot: int) -> float:
        """See ``Window``."""
        if self.name == "day":
            return float(slot * _DAY_S)
        return _month_begins(slot)

    def ends(self, slot: int) -> float:
        """See ``Window``."""
        return self.begins(slot + 1)


@lru_cache(_MAX_DATES)
def _month_of(day: int) -> int:
    """The number of the month that *day*, counted from 1970, is in."""
    date = datetime.fromtimestamp(day * _DAY_S, UTC)
    return date.year * 12 + date.month - 1


@lru_cache(_MAX_DATES)
def _month_begins(month: int) -> float:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()
