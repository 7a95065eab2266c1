"""The conversation does not move: it drags on, or the same thing is said again."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import and_, itemgetter
from typing import Literal

from plano_asgi.signals import text as texts
from plano_asgi.signals.base import Detector, Row, Signal, TurnMetrics
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Heard, Reader
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

    return lambda rows: stagnant(
        reader.lexicon, reader.hear(rows), rows, baseline_turns=baseline_turns
    )


def stagnant(
    lexicon: Lexicon, heard: Heard, rows: Sequence[Row], *, baseline_turns: int = 5
) -> Iterator[Signal]:
    """What ``stagnation`` finds in what was heard already of *rows*."""
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
    yield from _repetitions(lexicon, heard)


def likeness(new: Saying, old: Saying, stopwords: frozenset[str]) -> float:
    """
    1.0 for the same words in the same order, at least ``NEAR_DUPLICATE`` for nearly so, else 0.0.

    Lengths are compared before words, and samples before whole texts. Texts that differ in a
    number or a name are two texts, however much they share.
    """
    if not _are_near(new, old):
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


def _are_near(new: Saying, old: Saying) -> bool:
    size, other = new.size, old.size
    if size < MIN_LENGTH_RATIO * other or other < MIN_LENGTH_RATIO * size:
        return False
    common, union = len(new.sample & old.sample), len(new.sample | old.sample)
    return common >= SAMPLE_OVERLAP * union and (common > 0 or new.raw == old.raw)


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


def _repetitions(lexicon: Lexicon, heard: Heard) -> Iterator[Signal]:
    people = [at for at, (row, _) in enumerate(heard.all) if row.kind == "human"]
    models = [at for at, (row, _) in enumerate(heard.all) if row.kind == "gpt"]
    near = sorted((*_near(heard, people), *_near(heard, models)))
    for at, pairs in groupby(near, key=_first):
        row, said = heard.all[at]
        similarity, index = 0.0, -1
        for _, earlier in pairs:
            before, old = heard.all[earlier]
            if (alike := likeness(said, old, lexicon.stopwords)) >= similarity:
                similarity, index = alike, before.index
        asked = bisect_left(people, at) - 1
        request = heard.all[people[asked]][1] if asked >= 0 else None
        if similarity and _counts(lexicon, row, said, request):
            yield _repeated(row, said, similarity, index)


_first = itemgetter(0)


def _near(heard: Heard, places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """
    Of what stands at *places*, the pairs at most ``LOOKBACK`` apart whose samples leave it open
    that they are alike, the later one first: what most fail.
    """
    samples = [heard.all[at][1].sample for at in places]
    sizes = [*map(len, samples)]
    for back in range(1, LOOKBACK + 1):
        shared = map(len, map(and_, samples[back:], samples))
        for at, (common, new, old) in enumerate(zip(shared, sizes[back:], sizes, strict=False)):
            if common >= SAMPLE_OVERLAP * (new + old - common):
                yield places[at + back], places[at]


def asks_for_more(lexicon: Lexicon, words: Sequence[str]) -> bool:
    """Whether a text begins by asking for more of the same, or for something else."""
    return not lexicon.followups.isdisjoint(words[:OPENING_WORDS])


def _counts(lexicon: Lexicon, row: Row, said: Saying, request: Saying | None) -> bool:
    """
    Whether saying this again is more than to agree, or to ask for more of the same; of an answer,
    whether the *request* before it was not to hear it again.
    """
    words = said.spoken()
    if row.kind == "gpt":
        if request is not None and not lexicon.repeats.isdisjoint(request.spoken()):
            return False
        return len(words) >= MIN_NEAR_WORDS
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
