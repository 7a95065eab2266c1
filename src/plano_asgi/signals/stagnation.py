"""The conversation does not move: it drags on, or the same thing is said again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from plano_asgi.signals import text as texts
from plano_asgi.signals.base import Detector, Row, Signal, TurnMetrics
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader
from plano_asgi.signals.saying import Saying

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
SAMPLE_OVERLAP = 0.5
_DRAGGING = "interaction.stagnation.dragging"
_REPETITION = "interaction.stagnation.repetition"


def turn_metrics(rows: Sequence[Row], *, baseline_turns: int = 5) -> TurnMetrics:
    """
    How many turns, and how much of their worth is left.

    The efficiency is 1 up to *baseline_turns* messages of the person, then
    ``1 / (1 + 0.25 x turns beyond)``; under 0.5 the conversation drags.
    """
    kinds = [row.kind for row in rows]
    people = kinds.count("human")
    efficiency = 1 / (1 + DECAY_PER_TURN * max(0, people - baseline_turns))
    return TurnMetrics(
        user_turns=people,
        assistant_turns=kinds.count("gpt"),
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


def likeness(new: Saying, old: Saying, stopwords: frozenset[str]) -> float:
    """
    1.0 for the same words in the same order, at least ``NEAR_DUPLICATE`` for nearly so, else 0.0.

    Lengths are compared before words, and samples before whole texts. Texts that differ in a
    number or a name are two texts, however much they share.
    """
    if not are_near(new, old):
        return 0.0
    if new.raw == old.raw:
        return 1.0
    if new.digits() != old.digits():
        return 0.0
    ours, theirs = new.spoken(), old.spoken()
    if ours == theirs:
        return 1.0
    if min(len(ours), len(theirs)) < MIN_NEAR_WORDS or new.names() != old.names():
        return 0.0
    return _shared(new, old, stopwords)


def are_near(new: Saying, old: Saying) -> bool:
    """Whether lengths and samples leave it open that two texts are alike: what most fail."""
    size, other = new.size, old.size
    if size < MIN_LENGTH_RATIO * other or other < MIN_LENGTH_RATIO * size:
        return False
    ours, theirs = new.sample, old.sample
    common = len(ours & theirs)
    return common >= SAMPLE_OVERLAP * (len(ours) + len(theirs) - common) and (
        common > 0 or new.raw == old.raw
    )


def _shared(new: Saying, old: Saying, stopwords: frozenset[str]) -> float:
    """The share of words both have, each counted as often as it is said; 0.0 if too few."""
    ours, theirs = Counter(new.spoken()), Counter(old.spoken())
    common = (ours & theirs).total()
    similarity = common / (ours.total() + theirs.total() - common)
    if similarity < NEAR_DUPLICATE:
        return 0.0
    differ = set((ours - theirs) + (theirs - ours))
    if min(ours.total(), theirs.total()) < LONG_WORDS and not differ <= stopwords:
        return 0.0
    return similarity


def _repetitions(reader: Reader, rows: Sequence[Row]) -> Iterator[Signal]:
    before: dict[str, deque[tuple[int, Saying]]] = {
        "human": deque(maxlen=LOOKBACK),
        "gpt": deque(maxlen=LOOKBACK),
    }
    lexicon = reader.lexicon
    stopwords = lexicon.stopwords
    for row in rows:
        if (said := reader.said(row)) is None:
            continue
        earlier = before[row.kind]
        similarity, index = 0.0, -1
        for place, old in earlier:
            if are_near(said, old) and (alike := likeness(said, old, stopwords)) >= similarity:
                similarity, index = alike, place
        if similarity and _counts(lexicon, row, said, before["human"]):
            yield _repeated(row, said, similarity, index)
        earlier.append((row.index, said))


def asks_for_more(lexicon: Lexicon, words: Sequence[str]) -> bool:
    """Whether a text begins by asking for more of the same, or for something else."""
    return not lexicon.followups.isdisjoint(words[:OPENING_WORDS])


def _counts(lexicon: Lexicon, row: Row, said: Saying, asked: Sequence[tuple[int, Saying]]) -> bool:
    """
    Whether saying this again is more than to agree, or to ask for more of the same; of an answer,
    whether nobody asked to hear it again.
    """
    words = said.spoken()
    if row.kind == "gpt":
        is_wanted = asked and not lexicon.repeats.isdisjoint(asked[-1][1].spoken())
        return len(words) >= MIN_NEAR_WORDS and not is_wanted
    if len(words) < MIN_EXACT_WORDS or lexicon.stopwords.issuperset(words):
        return False
    return words[0] not in lexicon.affirmations and not asks_for_more(lexicon, words)


def _repeated(row: Row, said: Saying, similarity: float, index: int) -> Signal:
    kind: Literal["exact", "near_duplicate"] = "exact" if similarity == 1 else "near_duplicate"
    return Signal(
        type=_REPETITION,
        message_index=row.index,
        confidence=similarity,
        snippet=texts.snippet_around(said.raw, 0, min(40, said.size)),
        metadata={
            "repetition_type": kind,
            "compared_to": index,
            "similarity": round(similarity, 4),
            "role": "user" if row.kind == "human" else "assistant",
        },
    )
