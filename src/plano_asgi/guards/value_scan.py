"""
Values in running text: found where a lead points, judged by what stands before them.

A value is short, and what makes it one (a digit, a prefix) stands in it; the word that says what it
is ("passport no.") may have been let go long before it comes. So, other than ``PatternMatcher``,
this one holds back values only, never words, and remembers a little of what it let go. It reads a
text from left to right: of the values that begin at a place the longest is taken, of equals the one
whose row stands first, and reading goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

from plano_asgi.guards.matching import Match

Check = Callable[[str], bool]

MEMORY = 96
"""Characters before a value that its row or lead may look at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """
    One kind of value, or one way of writing it.

    Args:
        name: The rule's name: the kind, or ``kind.sub``.
        regex: What it looks like. It may look two characters ahead, and back by ``MEMORY``.
        first: The characters that it begins with; any if empty.
        check: Judges the value in upper case, without separators: a checksum.
        judge: Judges the value as it stands.
        after: It counts only if this matches right before it, where no digit, ``@`` or line feed
            is in between.
        unless: It does not count if this matches there.
    """

    name: str
    regex: re.Pattern[str]
    first: str = ""
    check: Check | None = None
    judge: Check | None = None
    after: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None

    @property
    def kind(self) -> str:
        """What kind of value it finds."""
        return self.name.partition(".")[0]

    def accepts(self, text: str, start: int, end: int) -> bool:
        """``text[start:end]``, which *regex* matches, passes as a value where it stands."""
        value = text[start:end]
        if self.judge is not None and not self.judge(value):
            return False
        if self.check is not None and not self.check(_SEPARATORS.sub("", value).upper()):
            return False
        if self.unless is not None and self.unless.search(text, max(0, start - MEMORY), start):
            return False
        if self.after is None:
            return True
        words = _WORDS.match(text[max(0, start - MEMORY) : start][::-1])
        size = words.end() if words else 0
        return size > 1 and self.after.search(text, start - size, start) is not None


_WORDS = re.compile(r"[^\d\n@]*+")
_SEPARATORS = re.compile(r"[\s./()+\u2010\u2011-]+")


class Lead:
    """
    Where values of *rows* may begin: at the end of every match of *regex*.

    Args:
        rows: In order of precedence.
        regex: The context right before a value, at most ``MEMORY`` long; or nothing but what it
            looks ahead and behind to.
        needle: Text without it is not looked through.
        gate: Matches at the start of a text that holds such a value; others are not looked
            through. Leads with one gate ask it once.
        at_start: Values begin where *regex* does, which then is how they begin.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        regex: str,
        *,
        needle: str = "",
        gate: str = "",
        at_start: bool = False,
    ) -> None:
        self.rows = tuple(rows)
        self.regex = re.compile(regex)
        self.needle = needle
        self.gate = re.compile(gate) if gate else None
        self.at_start = at_start

    def of(self, rows: Sequence[Row], /) -> Lead:
        """The same, for some of its rows."""
        other = copy(self)
        other.rows = tuple(rows)
        return other

    def places(self, text: str, start: int, /) -> Iterator[int]:
        """From *start* on; some perhaps twice, or out of order."""
        if self.needle not in text:
            return
        search, low = self.regex.search, start if self.at_start else max(0, start - MEMORY)
        while (found := search(text, low)) is not None:
            place = found.start() if self.at_start else found.end()
            if place >= start:
                yield place
            low = found.start() + 1  # contexts overlap: each counts, wherever reading began


class LeadWithin(Lead):
    """
    The same, only within matches of *area* and *reach* characters around: for text that is mostly
    free of them. *regex* looks at most *reach* characters ahead.
    """

    def __init__(
        self, rows: Sequence[Row], regex: str, *, area: str, reach: int = 0, gate: str = ""
    ) -> None:
        super().__init__(rows, regex, gate=gate, at_start=True)
        self.area = re.compile(area)
        self.reach = reach

    def places(self, text: str, start: int, /) -> Iterator[int]:
        """From *start* on, in order."""
        search, low = self.regex.search, start
        for area in self.area.finditer(text, start):
            low, high = max(low, area.start() - self.reach), area.end() + self.reach
            while (found := search(text, low, high + self.reach)) is not None:
                if (place := found.start()) >= high:
                    break
                yield place
                low = place + 1


class AnyLead(Lead):
    """Wherever one of *leads* points; they have no gates."""

    def __init__(self, rows: Sequence[Row], *leads: Lead) -> None:
        super().__init__(rows, "")
        self.leads = leads

    def places(self, text: str, start: int, /) -> Iterator[int]:
        """From *start* on; some perhaps twice, or out of order."""
        for lead in self.leads:
            yield from lead.places(text, start)


class ValueMatcher:
    """
    A ``Matcher`` of values. Immutable; share it.

    Args:
        leads: Of two values that begin together and are as long, that of the earlier lead counts.
        gate: A character that every value holds; text without it is done with at once.
        undecided: Of a text and an index, before which all is decided: from where on more text
            might make a value, or another one, of what is there.
        replace: What stands in the place of a row's value.
        is_allowed: Values that are left alone.
    """

    def __init__(
        self,
        leads: Sequence[Lead],
        *,
        gate: re.Pattern[str],
        undecided: Callable[[str, int], int],
        replace: Callable[[Row, str], str],
        is_allowed: Check | None = None,
    ) -> None:
        self._leads = tuple(leads)
        self._gate = gate
        self._gates = {lead.gate for lead in leads if lead.gate is not None}
        self._rows = [_by_first(lead.rows) for lead in leads]
        self._undecided = undecided
        self._replace = replace
        self._is_allowed = is_allowed

    def replacing(self, replace: Callable[[Row, str], str]) -> ValueMatcher:
        """The same, with other replacements."""
        other = copy(self)
        other._replace = replace
        return other

    def find(self, text: str, /) -> list[Match]:
        """Every match in *text*, as a whole."""
        return self.matches(text, 0, len(text))

    def settled(self, text: str, /) -> int:
        """Up to where no more text changes what ``find`` says."""
        stop = self.undecided(text, 0)
        found = self.matches(text, 0, stop)
        return max(stop, found[-1].end) if found else stop

    def scan(self) -> ValueScan:
        """Begin a running text."""
        return ValueScan(self)

    def undecided(self, text: str, start: int, /) -> int:
        """From where on *text*, decided up to *start*, is not."""
        return max(start, self._undecided(text, start))

    def matches(self, text: str, start: int, stop: int, /) -> list[Match]:
        """Those that begin in ``[start, stop)``; nothing that begins before *start* reaches it."""
        if self._gate.search(text, start) is None:
            return []
        is_open = {gate: gate.match(text, start) for gate in self._gates}
        places = [
            (place, rank)
            for rank, lead in enumerate(self._leads)
            if lead.gate is None or is_open[lead.gate]
            for place in lead.places(text, start)
            if start <= place < stop
        ]
        if not places:
            return []
        found: list[Match] = []
        best: tuple[int, Row] | None = None
        at = start
        for place, rank in sorted(set(places)):
            if place != at and best is not None:
                found.append(self._match(text, at, *best))
                start, best = best[0], None
            if place < start:
                continue
            at = place
            for regex, row in self._rows[rank].get(text[place], self._rows[rank][""]):
                if (match := regex.match(text, place)) is None:
                    continue
                end = match.end()
                if best is not None and end <= best[0]:
                    continue
                if row.accepts(text, place, end) and not self._is_left(text[place:end]):
                    best = end, row
        if best is not None:
            found.append(self._match(text, at, *best))
        return found

    def _match(self, text: str, start: int, end: int, row: Row) -> Match:
        return Match(start, end, row.name, self._replace(row, text[start:end]))

    def _is_left(self, value: str) -> bool:
        return self._is_allowed is not None and self._is_allowed(value)


_ByFirst: TypeAlias = dict[str, list[tuple[re.Pattern[str], Row]]]


def _by_first(rows: Iterable[Row]) -> _ByFirst:
    """Rows by what their values begin with; those under the empty text may begin with anything."""
    tried = [(row.regex, row) for row in rows]
    table: _ByFirst = {"": [one for one in tried if not one[1].first]}
    for char in {char for _, row in tried for char in row.first}:
        table[char] = [one for one in tried if not one[1].first or char in one[1].first]
    return table


class ValueScan:
    """A ``Scan`` for ``ValueMatcher``: holds what is undecided, and ``MEMORY`` behind it."""

    __slots__ = ("_base", "_matcher", "_text", "settled")

    def __init__(self, matcher: ValueMatcher) -> None:
        self.settled = 0
        self._matcher = matcher
        self._text = ""
        self._base = 0

    def feed(self, text: str, /) -> list[Match]:
        """The next piece of the text."""
        self._text += text
        start = self.settled - self._base
        stop = self._matcher.undecided(self._text, start)
        return self._advance(start, stop) if stop > start else []

    def finish(self) -> list[Match]:
        """The text ends here."""
        return self._advance(self.settled - self._base, len(self._text))

    def _advance(self, start: int, stop: int) -> list[Match]:
        base = self._base
        found = self._matcher.matches(self._text, start, stop)
        if found:
            stop = max(stop, found[-1].end)
        self.settled = base + stop
        if (cut := stop - 2 * MEMORY) > 0:
            self._text, self._base = self._text[cut:], base + cut
        if base:
            found = [m._replace(start=m.start + base, end=m.end + base) for m in found]
        return found


def spellings(words: Iterable[str], /) -> tuple[str, ...]:
    """Each word in small letters, in capitals, and with a capital first."""
    forms = (form for word in words for form in (word, word[0].upper() + word[1:], word.upper()))
    return tuple(dict.fromkeys(forms))


def one_of(words: Iterable[str], /) -> str:
    """A regex for any of *words*, by first letter: most places are told by one look."""
    by_letter: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        by_letter.setdefault(word[0], []).append(re.escape(word[1:]))
    branches = (f"{re.escape(letter)}(?:{'|'.join(ends)})" for letter, ends in by_letter.items())
    return f"(?:{'|'.join(branches)})"
