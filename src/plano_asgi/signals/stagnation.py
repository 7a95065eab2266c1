"""The conversation does not move: it drags on, or the same thing is said again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Literal

from plano_asgi.signals import text as texts
from plano_asgi.signals.base import Detector, Row, Signal, TurnMetrics
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader, Reading

DECAY_PER_TURN = 0.25
DRAGGING_BELOW = 0.5
LOOKBACK = 2
NEAR_DUPLICATE = 0.85
MIN_LENGTH_RATIO = 0.7
MIN_EXACT_WORDS = 3
MIN_NEAR_WORDS = 5
LONG_WORDS = 12
"""From so many words on, a near duplicate may differ in what it is about; a shorter one may not."""
OPENING_WORDS = 4
SAMPLE_CHARS = 120
SAMPLE_OVERLAP = 0.5
_DRAGGING = "interaction.stagnation.dragging"
_REPETITION = "interaction.stagnation.repetition"


def turn_metrics(rows: Sequence[Row], *, baseline_turns: int = 5) -> TurnMetrics:
    """
    How many turns, and how much of their worth is left.

    The efficiency is 1 up to *baseline_turns* messages of the person, then
    ``1 / (1 + 0.25 x turns beyond)``; under 0.5 the conversation drags.
    """
    people = sum(row.kind == "human" for row in rows)
    efficiency = 1 / (1 + DECAY_PER_TURN * max(0, people - baseline_turns))
    return TurnMetrics(
        user_turns=people,
        assistant_turns=sum(row.kind == "gpt" for row in rows),
        efficiency_score=efficiency,
        is_dragging=efficiency < DRAGGING_BELOW,
    )


def stagnation(reader: Reader, *, baseline_turns: int = 5) -> Detector:
    """
    ``dragging`` at most once, then ``repetition`` at most once for each message that says again
    what one of the two before it of the same speaker said.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        turns = turn_metrics(rows, baseline_turns=baseline_turns)
        if turns.is_dragging:
            yield Signal(
                type=_DRAGGING,
                message_index=rows[-1].index,
                confidence=1 - turns.efficiency_score,
                metadata={
                    "total_turns": turns.user_turns,
                    "efficiency_score": turns.efficiency_score,
                    "baseline_turns": baseline_turns,
                },
            )
        yield from _repetitions(reader, rows)

    return detect


class Said:
    """
    One text and what comparing it needs.

    Args:
        row: Where it was said.
        reading: Of a person's text.
    """

    __slots__ = ("_words", "raw", "reading", "row", "sample")

    def __init__(self, row: Row, reading: Reading | None = None) -> None:
        self.row, self.reading = row, reading
        self._words: list[str] | None = None
        self.sample: Set[str]
        """Some of the words, enough to tell most texts apart."""
        if reading:
            self.raw, self.sample = reading.raw, reading.content
        else:
            self.raw = raw = texts.truncate(row.text)
            self.sample = set(f"{raw[:SAMPLE_CHARS]} {raw[-SAMPLE_CHARS:]}".split())

    @property
    def words(self) -> list[str]:
        """The words, folded; of a person's text in their usual spelling."""
        if self._words is None:
            if self.reading:
                self._words = self.reading.spoken()
            else:
                self._words = [w for w in texts.tokens(texts.fold(self.raw)) if w[0].isalnum()]
        return self._words

    @property
    def names(self) -> set[str]:
        """Numbers, and words with a capital that do not begin the text."""
        words = [word.strip(".,;:!?\"'()") for word in self.raw.split()]
        return {
            word.lower()
            for i, word in enumerate(words)
            if (i and word[:1].isupper()) or any(map(str.isdigit, word))
        }


def likeness(new: Said, old: Said, stopwords: frozenset[str]) -> float:
    """
    1.0 for the same words in the same order, at least ``NEAR_DUPLICATE`` for nearly so, else 0.0.

    Lengths are compared before words, and samples before whole texts. Texts that differ in a
    number or a name are two texts, however much they share.
    """
    if new.raw == old.raw:
        return 1.0
    if not MIN_LENGTH_RATIO <= len(new.raw) / len(old.raw) <= 1 / MIN_LENGTH_RATIO:
        return 0.0
    common = len(new.sample & old.sample)
    if common < SAMPLE_OVERLAP * (len(new.sample) + len(old.sample) - common) or not common:
        return 0.0
    if new.words == old.words:
        return 1.0
    if min(len(new.words), len(old.words)) < MIN_NEAR_WORDS:
        return 0.0
    ours, theirs = Counter(new.words), Counter(old.words)
    common = (ours & theirs).total()
    similarity = common / (ours.total() + theirs.total() - common)
    if similarity < NEAR_DUPLICATE or new.names != old.names:
        return 0.0
    differ = set((ours - theirs) + (theirs - ours))
    if min(len(new.words), len(old.words)) < LONG_WORDS and not differ <= stopwords:
        return 0.0
    return similarity


def _repetitions(reader: Reader, rows: Sequence[Row]) -> Iterator[Signal]:
    before: dict[str, deque[Said]] = {
        "human": deque(maxlen=LOOKBACK),
        "gpt": deque(maxlen=LOOKBACK),
    }
    lexicon, asked_again = reader.lexicon, False
    for row in rows:
        if row.kind not in ("human", "gpt") or not row.text:
            continue
        reading = reader.read(row.text) if row.kind == "human" else None
        said = Said(row, reading)
        if reading:
            asked_again = not lexicon.repeats.isdisjoint(reading.words)
        similarity, index = 0.0, -1
        for old in before[row.kind]:
            if (alike := likeness(said, old, lexicon.stopwords)) >= max(similarity, NEAR_DUPLICATE):
                similarity, index = alike, old.row.index
        if similarity and (_counts(lexicon, said) if reading else not asked_again):
            yield from _repeated(said, similarity, index)
        before[row.kind].append(said)


def asks_for_more(lexicon: Lexicon, words: Sequence[str]) -> bool:
    """Whether a text begins by asking for more of the same, or for something else."""
    return not lexicon.followups.isdisjoint(words[:OPENING_WORDS])


def _counts(lexicon: Lexicon, said: Said) -> bool:
    """Whether saying this again is more than to agree, or to ask for more of the same."""
    words = said.words
    if lexicon.stopwords.issuperset(words) or words[0] in lexicon.affirmations:
        return False
    return not asks_for_more(lexicon, words)


def _repeated(said: Said, similarity: float, index: int) -> Iterator[Signal]:
    if len(said.words) < (MIN_EXACT_WORDS if said.reading else MIN_NEAR_WORDS):
        return
    kind: Literal["exact", "near_duplicate"] = "exact" if similarity == 1 else "near_duplicate"
    yield Signal(
        type=_REPETITION,
        message_index=said.row.index,
        confidence=similarity,
        snippet=texts.snippet_around(said.raw, 0, min(40, len(said.raw))),
        metadata={
            "repetition_type": kind,
            "compared_to": index,
            "similarity": round(similarity, 4),
            "role": "user" if said.reading else "assistant",
        },
    )
