"""
Holdback: redact a text that comes in pieces, and let go of what is decided, no sooner, no later.

However the text is cut, what comes out in all is the redacted whole, and nothing of what is
redacted is ever out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.patterns import Overflow
from plano_asgi.guards.scan import scan_of


class MatchFound(Exception):
    """A match that ends the text. ``before``: what precedes it and was not out yet."""

    def __init__(self, match: Match, before: str) -> None:
        super().__init__(match.rule)
        self.match = match
        self.before = before


class Holdback:
    """
    One running text, redacted with *matcher*. Make one per choice and channel.

    Args:
        mode: "redact" replaces; "block" raises ``MatchFound`` at the first match, as an over-long
            match of a blocking rule does in either.
    """

    __slots__ = ("_base", "_blocks", "_held", "_scan", "rules")

    def __init__(self, matcher: Matcher, *, mode: Literal["redact", "block"] = "redact") -> None:
        self._scan = scan_of(matcher)
        self._blocks = mode == "block"
        self._held = ""
        self._base = 0
        self.rules: dict[str, float] = {}
        """The rules that matched so far, with the best score of each."""

    def feed(self, text: str, /) -> str:
        """What is decided now, *text* added."""
        self._held += text
        matches = self._scan.feed(text)
        size = self._scan.settled - self._base
        if matches:
            return self._replace(matches, size)
        if not size:
            return ""
        out, self._held = self._held[:size], self._held[size:]
        self._base += size
        return out

    def flush(self) -> str:
        """The rest: the text ends here."""
        matches = self._scan.finish()
        return self._replace(matches, len(self._held))

    def abandon(self) -> str:
        """What was not let go yet, as it came: nobody looks at this text any more."""
        held, self._held = self._held, ""
        return held

    def _replace(self, matches: Iterable[Match], size: int) -> str:
        pieces, done, base = [], 0, self._base
        for match in matches:
            pieces.append(self._held[done : match.start - base])
            if self._blocks or isinstance(match, Overflow):
                raise MatchFound(match, "".join(pieces))
            self.rules[match.rule] = max(match.score, self.rules.get(match.rule, match.score))
            pieces.append(match.replacement)
            done = match.end - base
        pieces.append(self._held[done:size])
        self._held = self._held[size:]
        self._base += size
        return "".join(pieces)
