"""
One phrase of how tools say that something went wrong, and the words that it is looked for in.

A phrase is a row of places, over the words that ``Words`` makes of a text:

    ``a|b_c``     one of these; ``b c`` are two words
    ``word?``     may be missing
    ``throttl*``  a word that begins so
    ``#``         a number; ``#*`` a word that begins with a digit
    ``...``       up to five words between
    ``!word``     not where this word is anywhere
    ``~``         before all: mild, believed only in an error for sure or in a machine's message
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plano_asgi.errors import ConfigurationError

Strength: TypeAlias = Literal["any", "mild", "hint"]
LONGEST_GAP = 5
_END = ""
_SPEAKING = (
    "failed error errors returned file path said with argument arguments parameter parameters"
)
_GAP_STOPS = frozenset((*_SPEAKING.split(), ".", _END))
_HUMPS = re.compile(r"[A-Z](?:(?<=[a-z0-9].)|(?<=[A-Z].)(?=[a-z]))")
_ENDS = re.compile(r"[.!?;\n](?=\s|$)")
_BETWEEN = re.compile(r"[^\w\0]+|_")
_ASCII_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(1, 128)}
_WORD = re.compile(r"[^\W_A-Z]+(?:(?:_[^\W_A-Z]+)+|\*?)|#\*?")


def plain_words(text: str) -> list[str]:
    """
    *text* as lower-case words, a sentence's end as the word ``.``.

    ``RateLimitError: RATE_LIMIT, can't`` is ``rate limit error rate limit cant``.
    """
    text = text.replace("'", "").replace("\u2019", "")
    ends = _ENDS.sub("\0", _HUMPS.sub(r" \g<0>", text))
    plain = ends.translate(_ASCII_WORDS) if ends.isascii() else _BETWEEN.sub(" ", ends.lower())
    return plain.replace("\0", " . ").split()


class Words:
    """The words of one text, read by many phrases."""

    __slots__ = ("_places", "known", "row", "text")

    def __init__(self, text: str) -> None:
        plain = plain_words(text)
        self.text = f" {' '.join(plain)} "
        self.known = frozenset(plain)
        self.row: Sequence[str] = (*plain, _END)
        """In order; the empty one after the last saves every phrase a look at the length."""
        self._places: dict[str, list[int]] = {}

    def places(self, words: frozenset[str]) -> Sequence[int]:
        """Where any of *words* stands, in order."""
        if not self._places:
            for at, word in enumerate(self.row):
                self._places.setdefault(word, []).append(at)
        found = [self._places[word] for word in words & self.known]
        return found[0] if len(found) == 1 else sorted(at for places in found for at in places)


@dataclass(frozen=True, slots=True)
class _Place:
    """
    One place that more than single words may fill.

    Args:
        words: Single words; *runs*: several in a row; *stems*: beginnings of a word.
        digits: ``#`` takes a number, ``#*`` a word that begins with a digit.
        may_miss: Nothing need be there.
    """

    words: frozenset[str]
    runs: tuple[tuple[str, ...], ...] = ()
    stems: tuple[str, ...] = ()
    digits: str = ""
    may_miss: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether a word that is known has to be there."""
        return not (self.may_miss or self.stems or self.digits)

    @property
    def is_stem(self) -> bool:
        """Whether a word that begins in one certain way has to be there."""
        others = self.may_miss or self.digits or self.words or self.runs
        return len(self.stems) == 1 and not others

    @property
    def first_words(self) -> frozenset[str]:
        """The single words, and those that several begin with."""
        return self.words.union(run[0] for run in self.runs)

    def after(self, row: Sequence[str], starts: Iterable[int]) -> set[int]:
        """Where the next place begins, for each of *starts* where this one may."""
        ends = set(starts) if self.may_miss else set()
        for at in starts:
            word = row[at]
            if word in self.words or word.startswith(self.stems) or self._is_number(word):
                ends.add(at + 1)
            for run in self.runs:
                if word == run[0] and tuple(row[at : at + len(run)]) == run:
                    ends.add(at + len(run))
        return ends

    def _is_number(self, word: str) -> bool:
        if self.digits == "#":
            return word.isdecimal()
        return self.digits == "#*" and word[:1].isdecimal()


class _Gap:
    """Up to ``LONGEST_GAP`` words of one sentence, that say nothing of their own."""

    is_fixed = False
    may_miss = True
    first_words: frozenset[str] = frozenset()

    def after(self, row: Sequence[str], starts: Iterable[int]) -> set[int]:
        """Where the next place may begin."""
        ends = set(starts)
        for start in starts:
            for at in range(start, start + LONGEST_GAP):
                if row[at] in _GAP_STOPS:
                    break
                ends.add(at + 1)
        return ends


_GAP = _Gap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """
    One phrase, read.

    Args:
        needs: Of each of these sets at least one word has to be there.
        stem: Of a phrase that needs none: a word that begins so has to be there.
        forbidden: None of these may.
        first: The words it begins with; ``None``: it may begin with any.
        head: The single words of the places it begins with, as far as they are nothing else.
        rest: The places after them.
    """

    text: str
    leaf: str
    strength: Strength
    needs: tuple[frozenset[str], ...]
    stem: str
    forbidden: frozenset[str]
    first: frozenset[str] | None
    head: tuple[frozenset[str], ...]
    rest: tuple[_Place | _Gap, ...]

    def find(self, words: Words, before: int) -> int:
        """The first place in *words* where it stands, below *before*; -1 where it does not."""
        known = words.known
        if self.stem not in words.text or not self.forbidden.isdisjoint(known):
            return -1
        for need in self.needs:
            if need.isdisjoint(known):
                return -1
        row = words.row
        starts = range(len(row)) if self.first is None else words.places(self.first)
        for start in starts:
            if start >= before:
                break
            if self._stands(row, start):
                return start
        return -1

    def _stands(self, row: Sequence[str], at: int) -> bool:
        for words in self.head:
            if row[at] not in words:
                return False
            at += 1
        ends = {at}
        for place in self.rest:
            ends = place.after(row, ends)
            if not ends:
                return False
        return True


def read_phrase(text: str, leaf: str, *, is_hint: bool = False) -> Phrase:
    """
    The phrase that *text* spells, see the head of this module.

    Raises:
        ConfigurationError: It holds no word that has to be there, or signs without a meaning.
    """
    marks = text.removeprefix("~").split()
    places = [_place(mark, text) for mark in marks if not mark.startswith("!")]
    if all(place.may_miss for place in places):
        raise ConfigurationError(f"a phrase without a word: {text!r}")
    needs = tuple(place.first_words for place in places if place.is_fixed)
    simple = next(
        (at for at, p in enumerate(places) if not (p.is_fixed and isinstance(p, _Place)) or p.runs),
        len(places),
    )
    return Phrase(
        text=text.removeprefix("~"),
        leaf=leaf,
        strength="hint" if is_hint else "mild" if text.startswith("~") else "any",
        needs=needs,
        stem="" if needs else _stem(places),
        forbidden=frozenset(mark[1:] for mark in marks if mark.startswith("!")),
        first=_first_words(places),
        head=tuple(place.first_words for place in places[:simple]),
        rest=tuple(places[simple:]),
    )


def _first_words(places: Sequence[_Place | _Gap]) -> frozenset[str] | None:
    """What may stand first, where that is known: a place that may miss leaves it to the next."""
    words: frozenset[str] = frozenset()
    for place in places:
        if isinstance(place, _Gap) or place.stems or place.digits:
            return None
        words |= place.first_words
        if not place.may_miss:
            break
    return words


def _stem(places: Sequence[_Place | _Gap]) -> str:
    """Where one place takes nothing but words that begin in one way: a space and how."""
    return next((f" {p.stems[0]}" for p in places if isinstance(p, _Place) and p.is_stem), "")


def _place(mark: str, text: str) -> _Place | _Gap:
    if mark == "...":
        return _GAP
    words = mark.removesuffix("?").split("|")
    if not all(_WORD.fullmatch(word) for word in words):
        raise ConfigurationError(f"{mark!r} of the phrase {text!r} means nothing")
    return _Place(
        words=frozenset(word for word in words if not set(word) & set("_#*")),
        runs=tuple(tuple(word.split("_")) for word in words if "_" in word),
        stems=tuple(word[:-1] for word in words if word.endswith("*") and word[0] != "#"),
        digits=next((word for word in words if word[0] == "#"), ""),
        may_miss=mark.endswith("?"),
    )
