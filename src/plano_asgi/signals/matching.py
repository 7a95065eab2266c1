"""
What one text says, told by a lexicon: read once, for all leaves together, in time linear in it.

Phrases are found by one automaton; then the lexicon's guards and exceptions look at the few that
were found: what is negated, asked, supposed, reported or material to work on is not said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, chain, islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals import text as texts
from plano_asgi.signals.automaton import Automaton, Span
from plano_asgi.signals.base import Row
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.saying import Saying, skimmed
from plano_asgi.signals.spelling import MAX_PIECE_CHARS, Spelling
from plano_asgi.signals.text import ENDS, MARKS, STOP

NEAR_WORDS = 3
MISSPELT = 0.9
"""The confidence of a phrase found with a word misspelt."""
_NO_HITS: Mapping[str, Hit] = MappingProxyType({})
MAX_SPANS = 64
MAX_CONTEXT_SPANS = 128
"""How many finds in one text are looked at: saying one word 500 times must not cost 500 squared."""


_Cancels: TypeAlias = Callable[[Span, Span, Sequence[str]], bool]
"""Whether the first of two spans takes the meaning from the second."""


class _Label(NamedTuple):
    """The leaf and kind that a phrase belongs to."""

    key: str
    phrase: str


@dataclass(slots=True)
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
        self.read = lru_cache(maxsize=memo_texts)(self._read)
        self.skim = lru_cache(maxsize=memo_texts)(partial(skimmed, max_chars=max_chars))

    def said(self, row: Row) -> Saying | None:
        """What a person said, read, or a model, skimmed; ``None`` of other rows and no text."""
        if not row.text:
            return None
        if row.kind == "human":
            return self.read(row.text)
        return self.skim(row.text) if row.kind == "gpt" else None

    def human(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Reading, bool]]:
        """The rows of people that have words, read, and whether anything answered before."""
        answered = False
        for row in rows:
            if row.kind != "human":
                answered = True
            elif row.text:
                yield row, self.read(row.text), answered

    def _automaton(self, phrases: Iterator[tuple[str, Any]]) -> Automaton:
        return Automaton(phrases, spell=self._spelling.spell, words=self.lexicon.words)

    def _read(self, text: str) -> Reading:
        raw = texts.truncate(text, self._max_chars)
        pieces = texts.without_quoted(raw, texts.fold(raw)).split(" ")
        spelt = [*map(self._spelling.__getitem__, pieces)]
        words = (STOP, *chain.from_iterable(spelt), STOP)
        hits: Mapping[str, Hit] = _NO_HITS
        if spans := self._phrases.find(words):
            starts = [*accumulate(map(len, spelt[:-1]), initial=1)]
            slips = self._slips(pieces, starts)
            if best := self._best(words, spans, slips):
                places = _Places(raw, pieces, starts)
                hits = {key: _hit(span, places, slips) for key, span in best.items()}
        return Reading(raw, words, frozenset(words) - self._empty, hits)

    def _best(
        self, words: Sequence[str], spans: Sequence[Span], slips: Sequence[int]
    ) -> dict[str, Span]:
        """Of each key the best that nothing cancels: an exact phrase, then a long one."""
        context = self._context.find(words)[:MAX_CONTEXT_SPANS]
        meant: dict[str, list[Span]] = {}
        for found in spans[:MAX_SPANS]:
            span, key = _trimmed(found, words), found.label.key
            for other in context:
                cancels = other.label.get(key)
                if cancels is not None and cancels(_trimmed(other, words), span, words):
                    break
            else:
                meant.setdefault(key, []).append(span)
        return {key: _longest(several, slips) for key, several in meant.items()}

    def _slips(self, pieces: Sequence[str], starts: Sequence[int]) -> Sequence[int]:
        """Where in the words misspelt pieces begin."""
        slipped = self._spelling.slipped
        if slipped.isdisjoint(pieces):
            return ()
        return [start for start, piece in zip(starts, pieces, strict=True) if piece in slipped]


class _Places:
    """
    Where in a text its words are: piece by piece, and word by word in long pieces.

    Args:
        starts: The number of the first word of each piece.
    """

    def __init__(self, raw: str, pieces: Sequence[str], starts: Sequence[int]) -> None:
        self._raw, self._pieces, self._starts = raw, pieces, starts

    def snippet(self, span: Span) -> str:
        """The words of *span* as they were written, with what stands around them."""
        if len(self._raw) <= texts.SNIPPET_CHARS:
            return texts.snippet_around(self._raw, 0, 0)
        start, end = self._chars(span.start)[0], self._chars(span.end - 1)[1]
        return texts.snippet_around(self._raw, start, end)

    def _chars(self, at: int) -> tuple[int, int]:
        number = max(0, bisect_right(self._starts, at) - 1)
        start, piece = sum(map(len, self._pieces[:number])) + number, self._pieces[number]
        if len(piece) > MAX_PIECE_CHARS:
            tokens = islice(texts.TOKEN.finditer(piece), at - self._starts[number], None)
            if match := next(tokens, None):
                return start + match.start(), start + match.end()
        return start, start + len(piece)


def _hit(span: Span, places: _Places, slips: Sequence[int]) -> Hit:
    return Hit(
        key=span.label.key,
        phrase=span.label.phrase,
        snippet=places.snippet(span),
        start=span.start,
        end=span.end,
        confidence=MISSPELT if slips and _holds(span, slips) else 1.0,
    )


def _longest(spans: Sequence[Span], slips: Sequence[int]) -> Span:
    """The longest that is spelt right, else the longest."""
    if len(spans) == 1:
        return spans[0]
    exact = [span for span in spans if not _holds(span, slips)] if slips else spans
    return max(exact or spans, key=_length)


def _length(span: Span) -> int:
    return span.end - span.start


def _holds(span: Span, places: Sequence[int]) -> bool:
    return any(span.start <= at < span.end for at in places)


def _phrases(lexicon: Lexicon) -> Iterator[tuple[str, _Label]]:
    """Every phrase of a leaf."""
    for key, entry in lexicon.entries.items():
        if unknown := set(entry.guards) - lexicon.guards.keys():
            raise ConfigurationError(f"lexicon: {key} names guards not there: {sorted(unknown)}")
        yield from ((phrase, _Label(key, phrase)) for phrase in entry.phrases)


def _context(lexicon: Lexicon) -> Iterator[tuple[str, Mapping[str, _Cancels]]]:
    """Everything that cancels one, and how: by the leaf that it does so to."""
    for key, entry in lexicon.entries.items():
        yield from ((phrase, {key: _overlaps}) for phrase in entry.exceptions)
    for name, guard in lexicon.guards.items():
        cancels = _SCOPES[guard.scope]
        to = {key: cancels for key, entry in lexicon.entries.items() if name in entry.guards}
        yield from ((phrase, to) for phrase in guard.phrases)


def _trimmed(span: Span, words: Sequence[str]) -> Span:
    """*span* without the marks at its ends that only say where it stands."""
    label, start, end = span
    if words[start] not in MARKS and words[end - 1] not in MARKS:
        return span
    while end - start > 1 and words[start] in MARKS:
        start += 1
    while end - start > 1 and words[end - 1] in MARKS:
        end -= 1
    return Span(label, start, end)


def _overlaps(exception: Span, hit: Span, words: Sequence[str]) -> bool:
    return exception.start < hit.end and hit.start < exception.end


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


_SCOPES: Mapping[str, _Cancels] = {
    "near": _near,
    "clause": _in_clause,
    "before": _before,
    "sentence": _in_sentence,
    "rest": _rest,
}
