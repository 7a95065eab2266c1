"""
What one text says, told by a lexicon: read once, for all leaves together, in time linear in it.

Phrases are found by one automaton; then the lexicon's guards and exceptions look at the few that
were found: what is negated, asked, supposed, reported or material to work on is not said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals import text as texts
from plano_asgi.signals.automaton import Automaton, Span
from plano_asgi.signals.base import Row
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.memo import Memo
from plano_asgi.signals.saying import Saying, skimmed
from plano_asgi.signals.spelling import MAX_PIECE_CHARS, Slip, Spelling
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


class Heard(NamedTuple):
    """
    The words of a conversation.

    Args:
        all: Of people, read, and of models, skimmed.
        people: Of people alone, and the answer before them: ``""`` if it had no words, ``None``
            if there was none.
    """

    all: list[tuple[Row, Saying]]
    people: list[tuple[Row, Reading, str | None]]


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
        self._readings = Memo(self._read, memo_texts)
        self._skimmed = Memo(self._skim, memo_texts)

    def read(self, text: str) -> Reading:
        """What a text says."""
        return self._readings.of([text])[0]

    def hear(self, rows: Sequence[Row]) -> Heard:
        """What people and models say in a conversation; rows without text say nothing."""
        readings = iter(self._readings.of([r.text for r in rows if r.kind == "human" and r.text]))
        skimmed = iter(self._skimmed.of([r.text for r in rows if r.kind == "gpt" and r.text]))
        heard, answer = Heard([], []), None
        for row in rows:
            if row.kind == "human":
                if row.text:
                    reading = next(readings)
                    heard.people.append((row, reading, answer))
                    heard.all.append((row, reading))
            elif row.kind == "gpt":
                if answer := row.text:
                    heard.all.append((row, next(skimmed)))
            elif answer is None:
                answer = ""
        return heard

    def _automaton(self, phrases: Iterator[tuple[str, Any]]) -> Automaton:
        return Automaton(phrases, spell=self._spelling.spell, words=self.lexicon.words)

    def _skim(self, several: Sequence[str]) -> list[Saying]:
        return [skimmed(text, self._max_chars) for text in several]

    def _read(self, several: Sequence[str]) -> list[Reading]:
        """
        Each step is taken for all texts before the next: what it needs stays in the caches of the
        processor, which is half of what it costs.
        """
        most = self._max_chars
        raws = [text if len(text) <= most else texts.truncate(text, most) for text in several]
        pieces = [texts.without_quoted(raw, texts.fold(raw)).split(" ") for raw in raws]
        spelt = [[*map(self._spelling.__getitem__, each)] for each in pieces]
        words = [(STOP, *chain.from_iterable(each), STOP) for each in spelt]
        found = self._phrases.find(words)
        telling = [at for at, spans in enumerate(found) if spans]
        context = self._context.find([words[at] for at in telling])
        hits = {
            at: _hits(words[at], found[at], around, _Written(raws[at], pieces[at], spelt[at]))
            for at, around in zip(telling, context, strict=True)
        }
        return [
            Reading(raw, each, frozenset(each) - self._empty, hits.get(at, _NO_HITS))
            for at, (raw, each) in enumerate(zip(raws, words, strict=True))
        ]


class _Written:
    """
    A text as it is written, piece by piece, and where in it its words are.

    Args:
        spelt: The words of each piece.
    """

    __slots__ = ("_pieces", "_raw", "_spelt")

    def __init__(self, raw: str, pieces: Sequence[str], spelt: Sequence[tuple[str, ...]]) -> None:
        self._raw, self._pieces, self._spelt = raw, pieces, spelt

    def slips(self) -> Sequence[int]:
        """The number of the first word of each piece with one misspelt."""
        if Slip not in map(type, self._spelt):
            return ()
        pairs = zip(self._starts(), self._spelt, strict=True)
        return [start for start, words in pairs if type(words) is Slip]

    def snippet(self, span: Span) -> str:
        """The words of *span* as they were written, with what stands around them."""
        if len(self._raw) <= texts.SNIPPET_CHARS:
            return texts.snippet_around(self._raw, 0, 0)
        _, first, behind = span
        start, end = self._chars(first)[0], self._chars(behind - 1)[1]
        return texts.snippet_around(self._raw, start, end)

    def _starts(self) -> list[int]:
        """The number of the first word of each piece."""
        return [*accumulate(map(len, self._spelt[:-1]), initial=1)]

    def _chars(self, at: int) -> tuple[int, int]:
        """Word *at*, or the piece that it is part of: piece by piece, but for long pieces."""
        starts = self._starts()
        number = max(0, bisect_right(starts, at) - 1)
        start, piece = sum(map(len, self._pieces[:number])) + number, self._pieces[number]
        if len(piece) > MAX_PIECE_CHARS:
            tokens = islice(texts.TOKEN.finditer(piece), at - starts[number], None)
            if match := next(tokens, None):
                return start + match.start(), start + match.end()
        return start, start + len(piece)


def _hits(
    words: Sequence[str], spans: Sequence[Span], context: Sequence[Span], text: _Written
) -> Mapping[str, Hit]:
    """Of each key the best that nothing cancels: an exact phrase, then a long one."""
    meant: dict[str, list[Span]] = {}
    context = context[:MAX_CONTEXT_SPANS]
    for found in spans[:MAX_SPANS]:
        span, key = _trimmed(found, words), found[0].key
        for other in context:
            cancels = other[0].get(key)
            if cancels is not None and cancels(_trimmed(other, words), span, words):
                break
        else:
            meant.setdefault(key, []).append(span)
    if not meant:
        return _NO_HITS
    slips = text.slips()
    return {key: _hit(_longest(several, slips), text, slips) for key, several in meant.items()}


def _hit(span: Span, text: _Written, slips: Sequence[int]) -> Hit:
    label, start, end = span
    return Hit(
        key=label.key,
        phrase=label.phrase,
        snippet=text.snippet(span),
        start=start,
        end=end,
        confidence=MISSPELT if slips and _holds(span, slips) else 1.0,
    )


def _longest(spans: Sequence[Span], slips: Sequence[int]) -> Span:
    """The longest that is spelt right, else the longest."""
    if len(spans) == 1:
        return spans[0]
    exact = [span for span in spans if not _holds(span, slips)] if slips else spans
    return max(exact or spans, key=_length)


def _length(span: Span) -> int:
    return span[2] - span[1]


def _holds(span: Span, places: Sequence[int]) -> bool:
    _, start, end = span
    return any(start <= at < end for at in places)


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
    return label, start, end


def _overlaps(exception: Span, hit: Span, words: Sequence[str]) -> bool:
    return exception[1] < hit[2] and hit[1] < exception[2]


def _near(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return _in_clause(guard, hit, words) and hit[1] - guard[2] <= NEAR_WORDS


def _in_clause(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard[2] <= hit[1] and MARKS.isdisjoint(words[guard[2] : hit[1]])


def _before(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return hit[1] <= guard[1] and MARKS.isdisjoint(words[hit[2] : guard[1]])


def _in_sentence(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard[2] <= hit[1] and ENDS.isdisjoint(words[guard[2] : hit[1]])


def _rest(guard: Span, hit: Span, words: Sequence[str]) -> bool:
    return guard[2] <= hit[1]


_SCOPES: Mapping[str, _Cancels] = {
    "near": _near,
    "clause": _in_clause,
    "before": _before,
    "sentence": _in_sentence,
    "rest": _rest,
}
