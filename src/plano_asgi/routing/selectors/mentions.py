"""
Names of routes in a text that is no JSON: where a model's quotes are broken, or it only talks.

A name counts as a whole only, never as part of a word or of a longer name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_MIN_CHARS = 3  # shorter names are words of any sentence: a, it
_BEFORE = r"(?<![\w-])(?<!\w[.'\u2019])"
_AFTER = r"(?![\w-]|[.'\u2019]\w)"
_AFTER_KEY = re.compile(r"routes?[\"']?\s*:", re.IGNORECASE)
_LEADS = re.compile(
    r"(?:[:=>\"'`*(]"
    r"|\b(?:route|answer|name|choice|category|fit|match|option)\s+(?:is|would be))\s*\Z"
)
_ENDS = re.compile(r"[\s.!\"'`*)]*\Z")
_DENIALS = re.compile(
    r"\b(?:no|not|none|neither|nor|never|cannot|without|except|unless|unclear|unsure)\b"
    r"|n['\u2019]t\b"
)


class Mentions:
    """Finds *names*, in whatever case."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {name.strip().casefold(): name for name in reversed(names)}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._any = "|".join(map(re.escape, longest_first))

    def in_broken_json(self, text: str) -> tuple[str, ...]:
        """The names that stand in quotes of their own behind the last ``route:``, in order."""
        folded = text.casefold()
        key = list(_AFTER_KEY.finditer(folded))
        if not key or not self._any:
            return ()
        quoted = rf"(?<=[:\[,\s])([\"'])({self._any})\1(?=\s*[\],}}])"
        return self._found(re.finditer(quoted, folded[key[-1].end() :]), group=2)

    def concluded(self, text: str) -> tuple[str, ...]:
        """
        The one name of a sentence that says so: in quotes, behind a colon or "the route is", or at
        the end. Nothing if several names are in it, or if anything is denied.
        """
        folded = text.casefold()
        if not self._any:
            return ()
        found = list(re.finditer(f"{_BEFORE}(?:{self._any}){_AFTER}", folded))
        names = self._found(iter(found), group=0)
        if len(names) != 1 or len(names[0]) < _MIN_CHARS:
            return ()
        around = re.sub(re.escape(found[0][0]), " ", folded)
        says_so = any(
            _LEADS.search(folded[: match.start()]) or _ENDS.match(folded[match.end() :])
            for match in found
        )
        return names if says_so and not _DENIALS.search(around) else ()

    def _found(self, matches: Iterator[re.Match[str]], *, group: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._names[match[group]] for match in matches))
