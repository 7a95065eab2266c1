"""One limited amount as a store keeps it: what was used when, and what is reserved since when."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from plano_asgi._json import dumps, loads
from plano_asgi.errors import ConfigurationError
from plano_asgi.limits.windows import Window

_TICKS = 8  # a reservation's time is kept to this part of it


class Standing(NamedTuple):
    """
    How an account stands after a reservation was asked for. Amounts are those of its limit.

    ``reset_s``: when a request that begins now counts no more, nor any before it; 0 where there is
    none.
    ``retry_after_s``: when there is room for what was refused, if nobody else comes; ``None`` where
    there never is.
    """

    is_granted: bool
    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float | None = None


class Terms:
    """
    By what an account is kept.

    Args:
        limit: Of what is used and reserved in *window*, in any unit.
        ttl_s: How long a reservation that nobody settles is kept.

    Raises:
        ConfigurationError: *ttl_s* is no time.
    """

    __slots__ = ("limit", "tick_s", "ttl_s", "window")

    def __init__(self, window: Window, limit: int, ttl_s: float) -> None:
        if ttl_s <= 0:
            raise ConfigurationError("reservation_ttl_s is more than 0 seconds")
        self.window, self.limit, self.ttl_s = window, limit, ttl_s
        self.tick_s = min(ttl_s / _TICKS, window.slot_s)
        """To what a reservation's beginning is rounded down: they are added up by it."""

    def tick(self, at: float) -> int:
        """The tick that *at* is in."""
        return int(at // self.tick_s)

    def oldest_tick(self, now: float, oldest_slot: int) -> int:
        """The first tick that still counts: its time is not over, and it ends in the window."""
        return max(self.tick(self.window.begins(oldest_slot)), self.tick(now - self.ttl_s))

    def tick_ends(self, tick: int) -> float:
        """When a reservation counts no more."""
        end = (tick + 1) * self.tick_s
        last = end - self.tick_s / 1000  # a moment before: the end itself is the next slot's
        return min(end + self.ttl_s, self.window.ends(self.window.slot(last)))


class Account:
    """
    An account at a moment; what counts no more is left out when it is read.

    ``used`` is by slot of the window, ``held`` by tick. Reservations are not told apart: what
    expires of a tick is what nobody has settled. Both are bounded by the window, not by requests.
    """

    __slots__ = ("_now", "_oldest", "_slot", "_terms", "held", "used")

    def __init__(self, value: bytes | None, terms: Terms, now: float) -> None:
        used, held = ((), ()) if value is None else loads(value)
        self._terms, self._now = terms, now
        self._slot = slot = terms.window.slot(now)
        self._oldest = oldest = terms.window.oldest(slot)
        self.used: dict[int, int] = dict(used)
        self.held: dict[int, int] = dict(held)
        if used and min(self.used) < oldest:
            self.used = {at: amount for at, amount in used if at >= oldest}
        if held and min(self.held) < (first := terms.oldest_tick(now, oldest)):
            self.held = {tick: amount for tick, amount in held if tick >= first}

    def value(self) -> bytes | None:
        """What to keep of it."""
        if not self.used and not self.held:
            return None
        return dumps([[*self.used.items()], [*self.held.items()]])

    def reserve(self, amount: int) -> Standing:
        """Hold *amount* if there is room for it."""
        terms, now = self._terms, self._now
        limit, total = terms.limit, sum(self.used.values()) + sum(self.held.values())
        reset_s = terms.window.ends(self._slot) - now if total or amount <= limit else 0.0
        if total + amount > limit:
            after = self._retry_after(total, amount)
            return Standing(False, limit, max(0, limit - total), reset_s, after)
        if amount:
            tick = terms.tick(now)
            self.held[tick] = self.held.get(tick, 0) + amount
        return Standing(True, limit, limit - total - amount, reset_s)

    def settle(self, began: float, reserved: int, used: int) -> None:
        """End what was *reserved* at *began*, and count what was really *used* since."""
        tick, slot = self._terms.tick(began), self._terms.window.slot(began)
        if tick in self.held:
            self.held[tick] -= reserved
            if self.held[tick] <= 0:
                del self.held[tick]
        if used and slot >= self._oldest:
            self.used[slot] = self.used.get(slot, 0) + used

    def _retry_after(self, total: int, amount: int) -> float | None:
        """Seconds until there is room for *amount*."""
        room = self._terms.limit - amount
        if room < 0:
            return None
        ends = chain(
            ((self._terms.window.ends(slot), used) for slot, used in self.used.items()),
            ((self._terms.tick_ends(tick), held) for tick, held in self.held.items()),
        )
        for end, freed in sorted(ends):
            total -= freed
            if total <= room:
                return end - self._now
        return 0.0
