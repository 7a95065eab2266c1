"""
How tools say that something went wrong, as data: phrases for each leaf of a category, in the
language of ``trouble_phrases``.

``hints`` are phrases of the last resort: of an error for sure that no phrase fits.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.trouble_phrases import Phrase, Strength, Words, read_phrase

UNEXPLAINED_CONFIDENCE = 0.5
_COMMON = (
    "a an the is are was were be been has have had not no to of in for on error errors failed"
    " invalid must cannot could unable"
)
_COMMON_WORDS = frozenset(_COMMON.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """
    What tells one leaf. *status*: HTTP status and JSON-RPC codes that do so without words; *rest*:
    it is also that of errors for sure that nothing else explains.
    """

    type: str
    confidence: float
    hint_confidence: float
    phrases: tuple[str, ...]
    hints: tuple[str, ...]
    status: frozenset[int]
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: the leaf's type, the phrase of the lexicon, how sure, how weakly told."""

    type: str
    phrase: str
    confidence: float
    is_weak: bool = False
    """Told by a hint or a status code alone, or by nothing."""


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
        self, words: Words, *, is_sure: bool, is_terse: bool = False, status: int | None = None
    ) -> Finding | None:
        """
        What *words* say first; a status says it where no words do.

        Args:
            is_sure: The text is an error for sure: milder phrases and hints count too.
            is_terse: It is written as machines write messages: milder phrases count.
            status: An HTTP status or JSON-RPC code.
        """
        if best := self._index["mild" if is_sure or is_terse else "any"].first(words):
            return Finding(best.leaf, best.text, self._by_type[best.leaf].confidence)
        if status is not None and (leaf := self._by_status.get(status)) is not None:
            return Finding(leaf.type, f"status {status}", leaf.confidence, is_weak=True)
        if is_sure and (best := self._index["hint"].first(words)):
            confidence = self._by_type[best.leaf].hint_confidence
            return Finding(best.leaf, best.text, confidence, is_weak=True)
        return None

    def unexplained(self) -> Finding | None:
        """What an error for sure is of which nothing is understood."""
        return next(
            (
                Finding(leaf.type, "error", UNEXPLAINED_CONFIDENCE, is_weak=True)
                for leaf in self.leaves
                if leaf.rest
            ),
            None,
        )

    @cached_property
    def _index(self) -> Mapping[Strength, _Index]:
        """What is asked of texts that may be errors, of errors, and of errors for want of it."""
        phrases = list(self._phrases())
        return {
            "any": _Index(phrase for phrase in phrases if phrase.strength == "any"),
            "mild": _Index(phrase for phrase in phrases if phrase.strength != "hint"),
            "hint": _Index(phrase for phrase in phrases if phrase.strength == "hint"),
        }

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


class _Index:
    """Phrases under the words of their rarest place, and those that have no such place."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._loose: list[tuple[int, Phrase]] = []
        self._by_word: defaultdict[str, list[tuple[int, Phrase]]] = defaultdict(list)
        for each in enumerate(phrases):
            if needs := each[1].needs:
                for word in min(needs, key=lambda need: (len(need & _COMMON_WORDS), len(need))):
                    self._by_word[word].append(each)
            else:
                self._loose.append(each)
        self._anchors = frozenset(self._by_word)

    def first(self, words: Words) -> Phrase | None:
        """The phrase that stands first in *words*; of several there, the first of the lexicon."""
        anchors = words.known & self._anchors
        best: Phrase | None = None
        best_at, best_order = len(words.row), 0
        for candidates in (self._loose, *map(self._by_word.__getitem__, anchors)):
            for order, phrase in candidates:
                at = phrase.find(words, best_at + (order < best_order))
                if at >= 0:
                    best, best_at, best_order = phrase, at, order
        return best


_FILES = {
    "failure": ("execution", "execution.toml"),
    "exhaustion": ("environment", "environment.toml"),
}
_KEYS = frozenset({"confidence", "hint_confidence", "phrases", "hints", "status", "rest"})


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
        rest=table.get("rest", False),
    )
