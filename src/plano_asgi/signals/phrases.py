"""
The phrase language of lexicons::

    no (i|we) (meant|mean)          alternatives
    that (really)? helps            an option
    i asked for ... not             a gap of up to four words, inside one sentence
    option * works                  one word of any kind
    talk to <person>                the list ``person`` of the lexicon's ``words``
    ^ wrong                         at the start of a sentence
    got it $                        at its end
    <line> <asked> , :              a line break, a question mark, a pause, a colon

Marks between words (``no, i meant``) are read over, unless the phrase itself asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from typing import Protocol

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.text import ASKED, COLON, ENDS, LINE, PAUSE, STOP

MAX_GAP_WORDS = 4
ANY = "*"
"""One word of any kind."""
_SYNTAX = re.compile(r"\.\.\.|[()|^$,:]|\?|<\w+>|[^\s()|?<>^$,:]+|\S")
_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "^": tuple(ENDS),
    "$": tuple(ENDS),
    ",": (PAUSE,),
    ":": (COLON,),
    "<asked>": (ASKED,),
    "<line>": (LINE,),
    "<stop>": (STOP,),
}


class Ways(Protocol):
    """What parts of phrases are drawn into: nodes, joined by words or by nothing."""

    def node(self) -> int:
        """A new node."""

    def step(self, start: int, word: str, end: int | None = None) -> int:
        """A way from *start* over *word*, to a new node unless one is given; the node."""

    def skip(self, start: int, end: int) -> None:
        """A way from *start* to *end* over nothing."""


class Part(Protocol):
    """A piece of a phrase."""

    @property
    def is_blank(self) -> bool:
        """Whether it is made of fillers only, so that there is nothing to find."""

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        """Draw it from *start* on, to *end* if it is given; the node where it ends."""


def _nothing(ways: Ways, start: int, end: int | None) -> int:
    """The end of a part that holds nothing."""
    if end is None:
        return start
    ways.skip(start, end)
    return end


@dataclass(frozen=True, slots=True)
class Literal:
    """One word of a phrase as texts spell it: several words, or none."""

    spelt: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        return not self.spelt

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        if not self.spelt:
            return _nothing(ways, start, end)
        *words, last = self.spelt
        for word in words:
            start = ways.step(start, word)
        return ways.step(start, last, end)


@dataclass(frozen=True, slots=True)
class Marks:
    """One of some marks."""

    marks: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        return False

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        end = ways.node() if end is None else end
        for mark in self.marks:
            ways.step(start, mark, end)
        return end


@dataclass(frozen=True, slots=True)
class Gap:
    """From *least* to *most* words of any kind."""

    least: int
    most: int

    @property
    def is_blank(self) -> bool:
        return False

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        end = ways.node() if end is None else end
        for count in range(self.most):
            if count >= self.least:
                ways.skip(start, end)
            start = ways.step(start, ANY)
        ways.skip(start, end)
        return end


@dataclass(frozen=True)
class Chain:
    """Parts one after the other."""

    parts: tuple[Part, ...]

    @cached_property
    def is_blank(self) -> bool:
        return all(part.is_blank for part in self.parts)

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        if not self.parts:
            return _nothing(ways, start, end)
        *parts, last = self.parts
        for part in parts:
            start = part.draw(ways, start)
        return last.draw(ways, start, end)


@dataclass(frozen=True)
class Either:
    """
    One of several parts.

    One that is made of fillers only would let everything pass: it is no way, unless all are.
    """

    members: tuple[Part, ...]

    @cached_property
    def solid(self) -> tuple[Part, ...]:
        """The members that have something to find."""
        return tuple(part for part in self.members if not part.is_blank)

    @property
    def is_blank(self) -> bool:
        return not self.solid

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        if self.is_blank:
            return _nothing(ways, start, end)
        end = ways.node() if end is None else end
        for part in self.solid:
            part.draw(ways, start, end)
        return end


@dataclass(frozen=True, slots=True)
class Maybe:
    """A part that may be there."""

    part: Part

    @property
    def is_blank(self) -> bool:
        return self.part.is_blank

    def draw(self, ways: Ways, start: int, end: int | None = None) -> int:
        end = self.part.draw(ways, start, end)
        if end != start:
            ways.skip(start, end)
        return end


class Language:
    """
    Reads phrases.

    Args:
        spell: How texts spell a word: the words it becomes.
        words: What ``<name>`` stands for: phrases themselves.
    """

    def __init__(
        self, spell: Callable[[str], Iterable[str]], words: Mapping[str, Sequence[str]]
    ) -> None:
        self._spell, self._words = spell, words
        self._literals: dict[str, Literal] = {}
        self._lists: dict[str, Either] = {}
        self._open: set[str] = set()

    def parse(self, phrase: str) -> Part:
        """
        The phrase as parts.

        Raises:
            ConfigurationError: It has an unknown list, a list that has itself, or unbalanced
                brackets.
        """
        return _Parser(self, phrase).whole()

    def literal(self, word: str) -> Literal:
        """A word as texts spell it."""
        known = self._literals.get(word)
        if known is None:
            known = self._literals[word] = Literal(tuple(map(intern, self._spell(word))))
        return known

    def named(self, name: str, phrase: str) -> Either:
        """The members of a list of the lexicon, read once."""
        if name not in self._lists:
            members = self._words.get(name[1:-1])
            if members is None:
                known = ", ".join(sorted(self._words)) or "none"
                raise ConfigurationError(f"no word list {name} for {phrase!r}; there are: {known}")
            if name in self._open:
                raise ConfigurationError(f"word list {name} stands in itself: {phrase!r}")
            self._open.add(name)
            self._lists[name] = Either(tuple(map(self.parse, members)))
            self._open.discard(name)
        return self._lists[name]


class _Parser:
    """Reads one phrase."""

    def __init__(self, language: Language, phrase: str) -> None:
        self.language, self.phrase = language, phrase
        self.parts = [*_SYNTAX.findall(phrase), ""]
        self.at = 0

    def whole(self) -> Part:
        """All of it."""
        found = self.sequence()
        if self.parts[self.at]:
            raise self.error()
        return found

    def error(self) -> ConfigurationError:
        """What is wrong with the phrase, and where."""
        found = self.parts[self.at] or "end"
        return ConfigurationError(f"phrase {self.phrase!r}: unexpected {found!r}")

    def sequence(self) -> Part:
        """Items up to the end of the phrase or of a group."""
        items: list[Part] = []
        while (part := self.parts[self.at]) and part not in ")|":
            item = self.item(part)
            if self.parts[self.at] == "?":
                self.at += 1
                item = Maybe(item)
            items.append(item)
        return items[0] if len(items) == 1 else Chain(tuple(items))

    def item(self, part: str) -> Part:
        """A word, a list, a gap or a group."""
        if part == "?":
            raise self.error()
        self.at += 1
        if part == "(":
            return Either(tuple(self.alternatives()))
        if part == "...":
            return Gap(0, MAX_GAP_WORDS)
        if part == ANY:
            return Gap(1, 1)
        if part in _BUILT_IN:
            return Marks(_BUILT_IN[part])
        if part[0] == "<":
            return self.language.named(part, self.phrase)
        return self.language.literal(part)

    def alternatives(self) -> Iterator[Part]:
        """The members of a group, up to its closing bracket; the opening one is read."""
        while True:
            yield self.sequence()
            closing = self.parts[self.at]
            if not closing:
                raise self.error()
            self.at += 1
            if closing == ")":
                return
