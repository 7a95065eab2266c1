"""Person and answer have come apart: corrected, said again in other words, not understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Heard, Hit, Reader, Reading
from plano_asgi.signals.opening import is_all, speaks_of_self, tells_of_earlier
from plano_asgi.signals.stagnation import asks_for_more, likeness
from plano_asgi.signals.text import snippet_around

REPHRASED_CONFIDENCE = 0.8
INSISTING_CONFIDENCE = 0.9
INSISTING_WORDS = 8
"""And marks."""
MIN_CONTENT_WORDS = 3
MIN_SAME_WORDS = 2
MIN_OVERLAP = 0.75
MAX_NEW_SHARE = 0.4
MIN_LENGTH_RATIO = 0.4
_CATEGORY = "interaction.misalignment"
_CONTRADICTION = "correction.contradiction"
_CORRECTION = "correction.correction"
_REPHRASE = "rephrase.rephrase"
_CLARIFICATION = "clarification.clarification"
_ORDER = {
    _CORRECTION: "correction",
    _CONTRADICTION: "correction",
    _REPHRASE: "rephrase",
    _CLARIFICATION: "clarification",
}
_AT_FIRST = {_CORRECTION: tells_of_earlier, _REPHRASE: speaks_of_self, _CLARIFICATION: is_all}
"""What makes these believable before the first answer."""


def misalignment(reader: Reader) -> Detector:
    """
    At most one signal for each message of a person: ``correction``, else ``rephrase``, else
    ``clarification``. A message that repeats the one before it is ``stagnation``'s, not ours.

    Before the first answer little of this is possible, see ``opening``.
    """
    return lambda rows: misaligned(reader.lexicon, reader.hear(rows))


def misaligned(lexicon: Lexicon, heard: Heard) -> Iterator[Signal]:
    """What ``misalignment`` finds in what was heard already."""
    before: tuple[Row, Reading] | None = None
    for row, now, answer in heard.people:
        found = _said(lexicon, row, now, answer) if now.hits else None
        if found is None and before is not None:
            if len(now.words) <= INSISTING_WORDS:
                found = _insists(lexicon, *before, row, now, answer)
            # Words are counted before they are stemmed: few pairs of messages share any.
            if found is None and len(now.content & before[1].content) >= MIN_SAME_WORDS:
                found = _again(lexicon, *before, row, now)
        if found:
            yield found
        before = row, now


def _said(lexicon: Lexicon, row: Row, now: Reading, answer: str | None) -> Signal | None:
    """What the words say; *answer* is the one that they follow."""
    for key, leaf in _ORDER.items():
        hit = now.hits.get(f"{_CATEGORY}.{key}")
        if hit is not None and _fits(lexicon, key, now, hit, answer):
            return _signal(row, leaf, hit.snippet, hit.confidence, leaf, pattern=hit.phrase)
    return None


def _fits(lexicon: Lexicon, key: str, now: Reading, hit: Hit, answer: str | None) -> bool:
    """Whether it can be meant where it stands: "no, the other" answers a question."""
    if key == _CONTRADICTION:
        return answer is not None and not _asks(answer)
    return answer is not None or _AT_FIRST[key](lexicon, now, hit)


def _asks(answer: str) -> bool:
    return answer.rstrip().endswith("?")


def _insists(
    lexicon: Lexicon, asked: Row, old: Reading, row: Row, now: Reading, answer: str | None
) -> Signal | None:
    """A ``correction``: "nope, Rome", where Rome was asked for."""
    if answer is None or _asks(answer):
        return None
    words = now.spoken()
    if not words or words[0] not in lexicon.denials:
        return None
    what = now.content - lexicon.denials
    if not what or not what <= old.content:
        return None
    return _signal(
        row,
        "correction",
        snippet_around(now.raw, 0, now.size),
        INSISTING_CONFIDENCE,
        "insistence",
        compared_to=asked.index,
    )


def _signal(
    row: Row, leaf: str, snippet: str, confidence: float, pattern_type: str, **more: Any
) -> Signal:
    return Signal(
        type=f"{_CATEGORY}.{leaf}",
        message_index=row.index,
        confidence=confidence,
        snippet=snippet,
        metadata={"pattern_type": pattern_type, **more},
    )


def _again(lexicon: Lexicon, asked: Row, old: Reading, row: Row, new: Reading) -> Signal | None:
    """A ``rephrase`` that does not announce itself: the same content in another sentence."""
    overlap = _overlap(lexicon, new, old)
    if not overlap or likeness(new, old, lexicon.stopwords):
        return None
    return _signal(
        row,
        "rephrase",
        snippet_around(new.raw, 0, min(40, new.size)),
        REPHRASED_CONFIDENCE,
        "semantic_rephrase",
        compared_to=asked.index,
        similarity=round(overlap, 4),
    )


def _overlap(lexicon: Lexicon, new: Reading, old: Reading) -> float:
    """The share of the shorter text's content that both have; 0.0 if it is another request."""
    if not MIN_LENGTH_RATIO * old.size <= new.size <= old.size / MIN_LENGTH_RATIO:
        return 0.0
    words = new.spoken()
    if words[0] in lexicon.affirmations or asks_for_more(lexicon, words):
        return 0.0
    if new.digits() - old.digits() or new.names() - old.names():
        return 0.0
    ours, theirs = _content(lexicon, words), _content(lexicon, old.spoken())
    smaller = min(len(ours), len(theirs))
    if smaller < MIN_CONTENT_WORDS:
        return 0.0
    common = ours.keys() & theirs.keys()
    added, dropped = ours.keys() - common, theirs.keys() - common
    if len(common) < MIN_OVERLAP * smaller or len(added) > MAX_NEW_SHARE * len(ours):
        return 0.0
    if added and dropped and _replaced(ours, theirs, common):
        return 0.0
    return len(common) / smaller


def _content(lexicon: Lexicon, words: Sequence[str]) -> dict[str, None]:
    """What *words* are about, in order: stems, a group of synonyms being one."""
    stems = (
        lexicon.synonyms.get(word) or lexicon.synonyms.get(_stem(word)) or _stem(word)
        for word in words
        if word not in lexicon.stopwords
    )
    return dict.fromkeys(stems)


def _stem(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) >= len(ending) + 3 and word.endswith(ending):
            word = word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 3 else word


def _replaced(ours: dict[str, None], theirs: dict[str, None], common: set[str]) -> bool:
    """Whether the common words keep their order: then one thing stands in the place of another."""
    return [word for word in ours if word in common] == [word for word in theirs if word in common]
