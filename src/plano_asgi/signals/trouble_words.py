"""
How tools say that something went wrong, as data: phrases for each leaf of a category.

A phrase is a row of words, in the form that ``plain_words`` gives a text:

    ``a|b_c``     one of these; ``b c`` are two words
    ``word?``     may be missing
    ``throttl*``  a word that begins so
    ``#``         a number; ``#*`` a word that begins with a digit
    ``...``       up to five words between
    ``!word``     not where this word is anywhere
    ``~``         before all: mild, believed only in an error for sure or in a machine's message

``hints`` are phrases of the last resort: of an error for sure that no phrase fits.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

from plano_asgi.errors import ConfigurationError

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENDS = re.compile(r"[.!?;\n](?=\s|$)")
_BETWEEN = re.compile(r"[^\w\0]+|_")
_GAP_STOPS = (
    "failed|error|errors|returned|file|path|said|with|argument|arguments|parameter|parameters"
)
_GAP = rf"(?:(?!(?:{_GAP_STOPS}|\.) )\S+ ){{0,5}}?"
_COMMON_WORDS = (
    "a an the is are was were be been has have had not no to of in for on error errors failed"
    " invalid must cannot could unable"
)


def plain_words(text: str) -> str:
    """
    *text* as lower-case words with a space around each, a sentence's end as the word ``.``.

    ``RateLimitError: RATE_LIMIT, can't`` is `` rate limit error rate limit cant ``.
    """
    ends = _ENDS.sub("\0", _HUMPS.sub(" ", text).replace("'", "").replace("\u2019", ""))
    words = _BETWEEN.sub(" ", ends.lower()).replace("\0", " . ").split()
    return f" {' '.join(words)} "


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """One phrase, read. *needs*: of each of these sets at least one word has to be there."""

    text: str
    leaf: str
    source: str
    needs: tuple[frozenset[str], ...]
    forbidden: frozenset[str]
    strength: Literal["any", "mild", "hint"]

    @property
    def is_hint(self) -> bool:
        """Whether it is of the last resort."""
        return self.strength == "hint"

    def find(self, words: str, known: set[str]) -> int:
        """Where it stands in *words*, whose set is *known*; -1 where it does not."""
        if not self.forbidden.isdisjoint(known):
            return -1
        if any(need.isdisjoint(known) for need in self.needs):
            return -1
        match = self._regex.search(words)
        return match.start() if match else -1

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        # Compiled when first needed: all of them at once would take a tenth of a second.
        return re.compile(self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What tells one leaf. *status*: HTTP status and JSON-RPC codes that do so without words."""

    type: str
    confidence: float
    hint_confidence: float
    phrases: tuple[str, ...]
    hints: tuple[str, ...]
    status: frozenset[int]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: the leaf's type, the phrase of the lexicon, how sure, how weakly told."""

    type: str
    phrase: str
    confidence: float
    is_weak: bool = False
    """Told by a hint or a status code alone."""


@dataclass(frozen=True)
class TroubleWords:
    """
    The leaves of one category of tools' trouble, in the order that breaks ties.

    Raises:
        ConfigurationError: A phrase that means nothing.
    """

    leaves: tuple[Leaf, ...]

    def __post_init__(self) -> None:
        self._index  # noqa: B018 - a phrase that means nothing is told here and not in the midst

    @classmethod
    def load(cls, category: str) -> TroubleWords:
        """
        Those that come with the package for *category*: ``failure`` or ``exhaustion``.

        Raises:
            ConfigurationError: There are none for it.
        """
        if category not in _FILES:
            raise ConfigurationError(f"no words for {category!r}; known: {', '.join(_FILES)}")
        layer, name = _FILES[category]
        source = files("plano_asgi.signals") / "lexicons" / name
        document = tomllib.loads(source.read_text("utf-8"))
        return cls.from_document(document, prefix=f"{layer}.{category}")

    @classmethod
    def from_document(
        cls, document: Mapping[str, Mapping[str, Any]], *, prefix: str
    ) -> TroubleWords:
        """
        From parsed TOML: a table for each leaf under *prefix* (``execution.failure``).

        Raises:
            ConfigurationError: A phrase or a key that means nothing.
        """
        return cls(tuple(_leaf(f"{prefix}.{name}", table) for name, table in document.items()))

    def extended(self, phrases: Mapping[str, Sequence[str]]) -> TroubleWords:
        """
        These and more phrases, by leaf type (``execution.failure.auth_misuse``).

        Raises:
            ConfigurationError: A leaf that is not here, or a phrase that means nothing.
        """
        if unknown := phrases.keys() - {leaf.type for leaf in self.leaves}:
            raise ConfigurationError(f"no such leaf: {', '.join(sorted(unknown))}")
        more = (
            replace(leaf, phrases=(*leaf.phrases, *phrases.get(leaf.type, ())))
            for leaf in self.leaves
        )
        return TroubleWords(tuple(more))

    def find(
        self, words: str, *, is_sure: bool, is_terse: bool = False, status: int | None = None
    ) -> Finding | None:
        """
        What *words* (see ``plain_words``) say first; a status says it where no words do.

        Args:
            is_sure: The text is an error for sure: milder phrases and hints count too.
            is_terse: It is written as machines write messages: milder phrases count.
            status: An HTTP status or JSON-RPC code.
        """
        known = set(words.split())
        told: tuple[bool, int, int] | None = None
        best: Phrase | None = None
        for order, phrase in self._candidates(known):
            if not (
                is_sure or phrase.strength == "any" or (is_terse and phrase.strength == "mild")
            ):
                continue
            if told and phrase.is_hint and not told[0]:
                continue
            at = phrase.find(words, known)
            if at >= 0 and (told is None or (phrase.is_hint, at, order) < told):
                told, best = (phrase.is_hint, at, order), phrase
        if best is not None and not best.is_hint:
            return Finding(best.leaf, best.text, self._by_type[best.leaf].confidence)
        if status is not None and (leaf := self._by_status.get(status)) is not None:
            return Finding(leaf.type, f"status {status}", leaf.confidence, is_weak=True)
        if best is not None:
            confidence = self._by_type[best.leaf].hint_confidence
            return Finding(best.leaf, best.text, confidence, is_weak=True)
        return None

    def _candidates(self, known: set[str]) -> Iterable[tuple[int, Phrase]]:
        index, loose = self._index
        yield from loose
        for word in known:
            yield from index.get(word, ())

    @cached_property
    def _index(self) -> tuple[dict[str, list[tuple[int, Phrase]]], list[tuple[int, Phrase]]]:
        """Phrases under the words of their rarest place, and those that have no such place."""
        index: defaultdict[str, list[tuple[int, Phrase]]] = defaultdict(list)
        loose: list[tuple[int, Phrase]] = []
        common = frozenset(_COMMON_WORDS.split())
        for order, phrase in enumerate(self._phrases()):
            if not phrase.needs:
                loose.append((order, phrase))
                continue
            for word in min(phrase.needs, key=lambda need: (len(need & common), len(need))):
                index[word].append((order, phrase))
        return dict(index), loose

    @cached_property
    def _by_type(self) -> dict[str, Leaf]:
        return {leaf.type: leaf for leaf in self.leaves}

    @cached_property
    def _by_status(self) -> dict[int, Leaf]:
        return {status: leaf for leaf in self.leaves for status in leaf.status}

    def _phrases(self) -> Iterable[Phrase]:
        for leaf in self.leaves:
            for text in leaf.phrases:
                yield read_phrase(text, leaf.type)
            for text in leaf.hints:
                yield read_phrase(text, leaf.type, is_hint=True)


_FILES = {
    "failure": ("execution", "execution.toml"),
    "exhaustion": ("environment", "environment.toml"),
}
_KEYS = frozenset({"confidence", "hint_confidence", "phrases", "hints", "status"})


def _leaf(leaf_type: str, table: Mapping[str, Any]) -> Leaf:
    if unknown := table.keys() - _KEYS:
        raise ConfigurationError(f"{leaf_type}: unknown key {', '.join(sorted(unknown))}")
    return Leaf(
        type=leaf_type,
        confidence=table.get("confidence", 0.9),
        hint_confidence=table.get("hint_confidence", 0.6),
        phrases=tuple(table.get("phrases", ())),
        hints=tuple(table.get("hints", ())),
        status=frozenset(table.get("status", ())),
    )


def read_phrase(text: str, leaf: str, *, is_hint: bool = False) -> Phrase:
    """
    The phrase that *text* spells, see the head of this module.

    Raises:
        ConfigurationError: It holds no word that has to be there, or signs without a meaning.
    """
    marks = text.removeprefix("~").split()
    places = [mark for mark in marks if not mark.startswith("!")]
    regexes = [_place(place, text) for place in places]
    needs = tuple(
        frozenset(words.partition("_")[0] for words in place.split("|"))
        for place in places
        if _is_fixed(place)
    )
    if all(place == "..." or place.endswith("?") for place in places):
        raise ConfigurationError(f"a phrase without a word: {text!r}")
    return Phrase(
        text=text.removeprefix("~"),
        leaf=leaf,
        source=f"(?<= ){''.join(regexes)}",
        needs=needs,
        forbidden=frozenset(mark[1:] for mark in marks if mark.startswith("!")),
        strength="hint" if is_hint else "mild" if text.startswith("~") else "any",
    )


def _is_fixed(place: str) -> bool:
    return place != "..." and not place.endswith("?") and not set(place) & set("#*")


def _place(place: str, text: str) -> str:
    if place == "...":
        return _GAP
    words = place.removesuffix("?").split("|")
    if not all(_WORD.fullmatch(word) for word in words):
        raise ConfigurationError(f"{place!r} of the phrase {text!r} means nothing")
    found = "|".join(
        _STARS.get(word) or word.replace("*", r"\S*").replace("_", " ") for word in words
    )
    return f"(?:(?:{found}) )" + ("?" if place.endswith("?") else "")


_WORD = re.compile(r"[^\W_A-Z]+(?:_[^\W_A-Z]+)*\*?|#\*?|\.")
_STARS = {"#": r"\d+", "#*": r"\d\S*"}
