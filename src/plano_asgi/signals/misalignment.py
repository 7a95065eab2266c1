"""Person and answer have come apart: corrected, said again in other words, not understood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader, Reading
from plano_asgi.signals.stagnation import asks_for_more, likeness
from plano_asgi.signals.text import snippet_around

REPHRASED_CONFIDENCE = 0.8
MIN_CONTENT_WORDS = 3
MIN_SAME_WORDS = 2
MIN_OVERLAP = 0.75
MAX_NEW_SHARE = 0.4
MIN_LENGTH_RATIO = 0.4
_CATEGORY = "interaction.misalignment"
_CONTRADICTION = "correction.contradiction"
_ORDER = {
    "correction.correction": "correction",
    _CONTRADICTION: "correction",
    "rephrase.rephrase": "rephrase",
    "clarification.clarification": "clarification",
}


def misalignment(reader: Reader) -> Detector:
    """
    At most one signal for each message of a person: ``correction``, else ``rephrase``, else
    ``clarification``. A message that repeats the one before it is ``stagnation``'s, not ours.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        before: tuple[Row, Reading] | None = None
        asked = False
        for row in rows:
            if row.kind == "gpt":
                asked = row.text.rstrip().endswith("?")
            elif row.kind == "human" and row.text:
                now = reader.read(row.text)
                found = _said(row, now, asked) if now.hits else None
                if found or (before and (found := _again(reader.lexicon, *before, row, now))):
                    yield found
                before = row, now

    return detect


def _said(row: Row, now: Reading, asked: bool) -> Signal | None:
    """What the words say; a bare "no, the other" is an answer if it was *asked* for."""
    for key, leaf in _ORDER.items():
        if (hit := now.hits.get(f"{_CATEGORY}.{key}")) and not (asked and key == _CONTRADICTION):
            return Signal(
                type=f"{_CATEGORY}.{leaf}",
                message_index=row.index,
                confidence=hit.confidence,
                snippet=hit.snippet,
                metadata={"pattern_type": leaf, "pattern": hit.phrase},
            )
    return None


def _again(lexicon: Lexicon, asked: Row, old: Reading, row: Row, new: Reading) -> Signal | None:
    """A ``rephrase`` that does not announce itself: the same content in another sentence."""
    overlap = _overlap(lexicon, new, old)
    if not overlap or likeness(new, old, lexicon.stopwords):
        return None
    return Signal(
        type=f"{_CATEGORY}.rephrase",
        message_index=row.index,
        confidence=REPHRASED_CONFIDENCE,
        snippet=snippet_around(new.raw, 0, min(40, new.size)),
        metadata={
            "pattern_type": "semantic_rephrase",
            "compared_to": asked.index,
            "similarity": round(overlap, 4),
        },
    )


def _overlap(lexicon: Lexicon, new: Reading, old: Reading) -> float:
    """The share of the shorter text's content that both have; 0.0 if it is another request."""
    if not MIN_LENGTH_RATIO * old.size <= new.size <= old.size / MIN_LENGTH_RATIO:
        return 0.0
    # Words are counted before they are stemmed: few pairs of messages share any.
    if len(new.content & old.content) < MIN_SAME_WORDS:
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
