"""
What is being done for an exchange, told to whoever watches it: telemetry, or nobody.

Rooms that do something worth a span say so with ``exchange.doing(...)``; none of them knows
telemetry, and without a watcher it costs next to nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Protocol, TypeAlias

ActivityKind: TypeAlias = Literal[
    "attempt", "routing", "guard", "filter", "memory", "cache", "state", "agent", "tool"
]


class Watcher(Protocol):
    """Hears of activities. Its methods return at once and never raise."""

    def begin(self, activity: Activity) -> None:
        """It begins, in the running task."""
        ...

    def leave(self, activity: Activity) -> None:
        """It goes on, but the task that began it has something else to do now."""
        ...

    def end(self, activity: Activity) -> None:
        """It is over; ``activity.error`` says how. Not necessarily in the task it began in."""
        ...

    def headers(self, activity: Activity | None) -> dict[str, str]:
        """
        Headers, new ones, that carry the trace to a provider asked within *activity*, with what
        strangers may know (no baggage). ``None``: to a service of one's own, whatever is being
        done.
        """
        ...


class Activity:
    """
    One stretch of work in one task, as a context manager. An exception passes through, noted.

    Args:
        kind: What sort of work.
        name: Of the thing that works: a guard's name, ``provider/model``.
        facts: What is known of it, by short names (``number``, ``rule``, ``hits``); ``None`` is
            left out. Never content.
    """

    __slots__ = ("_watcher", "error", "facts", "handle", "kind", "name", "token")

    def __init__(
        self, watcher: Watcher | None, kind: ActivityKind, name: str, facts: dict[str, Any]
    ) -> None:
        self._watcher = watcher
        self.kind: ActivityKind = kind
        self.name = name
        self.facts = facts
        self.error: BaseException | str | None = None
        """Why it failed: what was raised, or an error's code."""
        self.handle: Any = None
        """The watcher's own; so *token*, until it is left."""
        self.token: Any = None

    def __enter__(self) -> Activity:
        if self._watcher is not None:
            self._watcher.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watcher is not None:
            self._watcher.leave(self)
            self.end(error)

    def leave(self) -> None:
        """Leave it open: somebody else will ``end`` it."""
        if self._watcher is not None:
            self._watcher.leave(self)

    def end(self, error: BaseException | str | None = None) -> None:
        """It is over, and *error* is why, unless it said so itself. Once only."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self.error = self.error or error
            watcher.end(self)
            self.error = None  # its frames hold this activity: what holds itself is left to the gc

    def note(self, **facts: Any) -> None:
        """Add to the facts."""
        if self._watcher is not None:
            self.facts.update(facts)

    @property
    def headers(self) -> dict[str, str]:
        """Headers for a service asked within it, yours to add to; none without a watcher."""
        return {} if self._watcher is None else self._watcher.headers(self)
