"""
What one text says, told by a lexicon: read once, for all leaves together, in time linear in it.

Phrases are found by one automaton; then the lexicon's guards and exceptions look at the few that
were found: what is negated, asked, supposed, reported or material to work on is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import NamedTuple

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals import text as texts
from plano_asgi.signals.automaton import Automaton, Span
from plano_asgi.signals.base import Row
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.saying import Saying, skimmed
from plano_asgi.signals.spelling import Spelling
from plano_asgi.signals.text import ENDS, MARKS, STOP

NEAR_WORDS = 3
MISSPELT = 0.9
"""The confidence of a phrase found with a word misspelt."""
MAX_SPANS = 64
MAX_CONTEXT_SPANS = 128
"""How many finds in one text are looked at: saying one word 500 times must not cost 500 squared."""


class _Label(NamedTuple):
    """What a phrase belongs to: a leaf and kind, or a guard; or an exception of the former."""

    key: str
    phrase: str
    is_exception: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """
    A phrase that was said.

    Args:
        key: Leaf and kind, as ``Lexicon.entries`` has them.
        phrase: The lexicon's.
        snippet: The text's own words, at most 80 characters.
        start, end: Where, in words and marks of the ``Reading``.
        confidence: 1.0, or ``MISSPELT``.
    """

    key: str
    phrase: str
    snippet: str
    start: int
    end: int
    confidence: float = 1.0

    @property
    def length(self) -> int:
        """How many words."""
        return self.end - self.start


class Reading(Saying):
    """
    A text, read.

    Args:
        words: Its words in their usual spelling, without fillers, between marks.
        content: Those that say what it is about.
        hits: The best hit of each leaf and kind.
    """

    __slots__ = ("hits", "words")

    def __init__(
        self, raw: str, words: Sequence[str], content: Set[str], hits: Mapping[str, Hit]
    ) -> None:
        super().__init__(raw, content)
        self.words, self.hits = words, hits

    @property
    def content(self) -> Set[str]:
        """The words that say what the text is about."""
        return self.sample

    def _speak(self) -> Sequence[str]:
        return [word for word in self.words if word not in MARKS]


class Reader:
    """
    Reads texts by a lexicon.

    Args:
        max_chars: Of a longer text, the first fifth and the last four are read.
        memo_texts: How many readings are kept: a conversation comes back whole with every turn,
            and every detector asks for the same texts. 0 keeps none.

    Raises:
        ConfigurationError: A phrase of the lexicon cannot be understood, or names a guard that
            is not there.
    """

    def __init__(self, lexicon: Lexicon, *, max_chars: int = 2000, memo_texts: int = 256) -> None:
        self.lexicon = lexicon
        self._max_chars = max_chars
        self._spelling = Spelling(lexicon)
        self._phrases = self._automaton(_phrases(lexicon))
        self._context = self._automaton(_context(lexicon))
        self._spelling.teach(self._phrases.vocabulary, self._context.vocabulary)
        self._empty = lexicon.stopwords | MARKS
        self._guards = {key: entry.guards for key, entry in lexicon.entries.items()}
        self.read = lru_cache(maxsize=memo_texts)(self._read)
        self.skim = lru_cache(maxsize=memo_texts)(partial(skimmed, max_chars=max_chars))

    def said(self, row: Row) -> Saying | None:
        """What a person said, read, or a model, skimmed; ``None`` of other rows and no text."""
        if not row.text:
            return None
        if row.kind == "human":
            return self.read(row.text)
        return self.skim(row.text) if row.kind == "gpt" else None

    def human(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Reading]]:
        """The rows of people that have words, each with its reading."""
        return ((row, self.read(row.text)) for row in rows if row.kind == "human" and row.text)

    def _automaton(self, phrases: Iterator[tuple[str, _Label]]) -> Automaton:
        return Automaton(phrases, spell=self._spelling.spell, words=self.lexicon.words)

    def _read(self, text: str) -> Reading:
        raw = texts.truncate(text, self._max_chars)
        said = texts.without_quoted(raw, texts.fold(raw))
        words = (STOP, *chain.from_iterable(map(self._spelling.__getitem__, said.split(" "))), STOP)
        spans = self._phrases.find(words)
        hits = self._hits(raw, said, words, spans) if spans else {}
        return Reading(raw, words, frozenset(words) - self._empty, hits)

    def _hits(
        self, raw: str, said: str, words: Sequence[str], spans: Sequence[Span]
    ) -> dict[str, Hit]:
        """The best of each key that nothing cancels."""
        context = [_trimmed(span, words) for span in self._context.find(words)]
        del context[MAX_CONTEXT_SPANS:]
        found = [
            span
            for span in (_trimmed(span, words) for span in spans[:MAX_SPANS])
            if not any(self._cancels(other, span, words) for other in context)
        ]
        places = self._places(said) if found else []
        best: dict[str, Hit] = {}
        for span in found:
            hit = self._hit(raw, said, span, places)
            known = best.get(hit.key)
            if known is None or (hit.confidence, hit.length) > (known.confidence, known.length):
                best[hit.key] = hit
        return best

    def _cancels(self, other: Span, hit: Span, words: Sequence[str]) -> bool:
        """Whether an exception lies over *hit*, or a guard of its leaf has it in its scope."""
        label: _Label = other.label
        if label.is_exception:
            overlap = other.start < hit.end and hit.start < other.end
            return overlap and label.key == hit.label.key
        if label.key not in self._guards[hit.label.key]:
            return False
        return _SCOPES[self.lexicon.guards[label.key].scope](other, hit, words)

    def _places(self, said: str) -> list[tuple[int, int]]:
        """Of each word: its first character, and one past its last."""
        places = [(0, 0)]
        for match in texts.TOKEN.finditer(said):
            places += [match.span()] * len(self._spelling[match[0]])
        return [*places, (len(said), len(said))]

    def _hit(self, raw: str, said: str, span: Span, places: Sequence[tuple[int, int]]) -> Hit:
        covered = places[span.start : span.end]
        slipped = any(self._spelling.is_slip(said[start:end]) for start, end in covered)
        return Hit(
            key=span.label.key,
            phrase=span.label.phrase,
            snippet=texts.snippet_around(raw, covered[0][0], covered[-1][1]),
            start=span.start,
            end=span.end,
            confidence=MISSPELT if slipped else 1.0,
        )


def _phrases(lexicon: Lexicon) -> Iterator[tuple[str, _Label]]:
    """Every phrase of a leaf."""
    for key, entry in lexicon.entries.items():
        if unknown := set(entry.guards) - lexicon.guards.keys():
            raise ConfigurationError(f"lexicon: {key} names guards not there: {sorted(unknown)}")
        yield from ((phrase, _Label(key, phrase)) for phrase in entry.phrases)


def _context(lexicon: Lexicon) -> Iterator[tuple[str, _Label]]:
    """Everything that cancels one."""
    for key, entry in lexicon.entries.items():
        yield from ((phrase, _Label(key, phrase, True)) for phrase in entry.exceptions)
    for name, guard in lexicon.guards.items():
        yield from ((phrase, _Label(name, phrase)) for phrase in guard.phrases)


def _trimmed(span: Span, words: Sequence[str]) -> Span:
    """*span* without the marks at its ends that only say where it stands."""
    label, start, end = span
    while end - start > 1 and words[start] in MARKS:
        start += 1
    while end - start > 1 and words[end - 1] in MARKS:
        end -= 1
    return Span(label, start, end)


def _near(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return _in_clause(guard, hit, words) and hit.start - guard.end <= NEAR_WORDS


def _in_clause(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard.end <= hit.start and MARKS.isdisjoint(words[guard.end : hit.start])


def _before(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return hit.start <= guard.start and MARKS.isdisjoint(words[hit.end : guard.start])


def _in_sentence(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard.end <= hit.start and ENDS.isdisjoint(words[guard.end : hit.start])


def _rest(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard.end <= hit.start


_SCOPES: Mapping[str, Callable[[Span, Span, Sequence[str]], bool]] = {
    "near": _near,
    "clause": _in_clause,
    "before": _before,
    "sentence": _in_sentence,
    "rest": _rest,
}
