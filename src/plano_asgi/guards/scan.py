"""A running text looked through as it comes: what a matcher finds, and what is final."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from plano_asgi.errors import GuardUnavailable
from plano_asgi.guards.matching import Match, Matcher

_CONTEXT = 16


class Scan(Protocol):
    """
    One running text. Offsets count from its first character.

    ``settled``: up to where everything is decided. What ``feed`` and ``finish`` return lies between
    the last ``settled`` and this one, in order. A match that is longer than anybody holds comes in
    pieces: the first brings the replacement, those that follow it have an empty one.
    """

    @property
    def settled(self) -> int: ...

    def feed(self, text: str, /) -> list[Match]:
        """The next piece of the text."""
        ...

    def finish(self) -> list[Match]:
        """The text ends here; all of it is settled."""
        ...


@runtime_checkable
class Scannable(Protocol):
    """A matcher that brings its own way of looking through a running text."""

    def scan(self) -> Scan:
        """Begin a text."""
        ...


def scan_of(matcher: Matcher, /) -> Scan:
    """A fresh scan: the matcher's own, or one by ``find`` and ``settled``."""
    return matcher.scan() if isinstance(matcher, Scannable) else MatcherScan(matcher)


class MatcherScan:
    """
    A scan by a matcher's ``find`` and ``settled``. *matcher* may look back over 16 characters.

    Args:
        max_held: Characters that may be undecided at once. Beyond, ``GuardUnavailable``: a matcher
            that never settles cannot be used on a stream.
    """

    __slots__ = ("_base", "_matcher", "_max_held", "_text", "settled")

    def __init__(self, matcher: Matcher, *, max_held: int = 1 << 20) -> None:
        self.settled = 0
        self._matcher = matcher
        self._max_held = max_held
        self._text = ""
        self._base = 0

    def feed(self, text: str, /) -> list[Match]:
        """The next piece of the text."""
        self._text += text
        start = self.settled - self._base
        stop = max(start, self._matcher.settled(self._text))
        if stop == start:
            if len(self._text) - start > self._max_held:
                raise GuardUnavailable("A guard cannot decide on a text of this length.")
            return []
        return self._advance(start, stop)

    def finish(self) -> list[Match]:
        """The text ends here."""
        return self._advance(self.settled - self._base, len(self._text))

    def _advance(self, start: int, stop: int) -> list[Match]:
        matches = self._find(start, stop)
        if matches:
            stop = max(stop, matches[-1].end)
        base = self._base
        self.settled = base + stop
        cut = max(0, stop - _CONTEXT)
        self._text, self._base = self._text[cut:], base + cut
        return [m._replace(start=m.start + base, end=m.end + base) for m in matches]

    def _find(self, start: int, stop: int) -> list[Match]:
        found = self._matcher.find(self._text)
        if any(match.start < start < match.end for match in found):
            # Cut off from what stood before it, the context reads as a match, and hides others.
            rest = self._matcher.find(self._text[start:])
            found = [m._replace(start=m.start + start, end=m.end + start) for m in rest]
        return [match for match in found if start <= match.start < stop]
