"""The person turns away: asks for a human, leaves, or is annoyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Hit, Reader, Reading
from plano_asgi.signals.text import fold, snippet_around, without_quoted

MIN_CAPS_LETTERS = 10
MIN_CAPS_SHARE = 0.8
MIN_CAPS_WORDS = 3
SNIPPET_CHARS = 50
_CATEGORY = "interaction.disengagement"
_STANCE = f"{_CATEGORY}.negative_stance"

_IDENTIFIER = re.compile(r"\w_\w|[=;{}<>]|\w\(|\)\s*;")
_SQL = re.compile(
    r"\b(?:select|insert|update|delete|create|alter|drop)\b.*"
    r"\b(?:from|into|set|table|where|values|index|view|database)\b",
    re.DOTALL,
)
_LINKING = frozenset(
    ("the", "a", "an", "of", "and", "or", "in", "on", "at", "to", "for", "by", "with")
)
"""What titles and lists have too."""
_HEAP = re.compile(r"[?!][?!]")
_RUN = re.compile(r"(?<=[^\s?!])[ ]?([?!]{2,})(?=[\s\"')]|$)")


def disengagement(reader: Reader) -> Detector:
    """
    For each message of a person: shouting, heaps of marks, ``escalation``, ``quit``, abuse, and
    a complaint unless it is told already by escalation or abuse.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        for row, reading in reader.human(rows):
            yield from _tone(reader.lexicon, row, reading)
            if reading.hits:
                yield from _told(row, reading.hits)

    return detect


def _told(row: Row, hits: Any) -> Iterator[Signal]:
    for leaf in ("escalation", "quit"):
        if hit := hits.get(f"{_CATEGORY}.{leaf}.{leaf}"):
            yield _signal(f"{_CATEGORY}.{leaf}", row, hit, {"pattern_type": leaf})
    escalated = f"{_CATEGORY}.escalation.escalation" in hits
    if hit := hits.get(f"{_STANCE}.profanity"):
        yield _signal(_STANCE, row, hit, {"indicator_type": "profanity"})
    elif not escalated and (hit := hits.get(f"{_STANCE}.complaint")):
        yield _signal(_STANCE, row, hit, {"indicator_type": "complaint"})


def _signal(leaf: str, row: Row, hit: Hit, metadata: dict[str, Any]) -> Signal:
    return Signal(
        type=leaf,
        message_index=row.index,
        confidence=hit.confidence,
        snippet=hit.snippet,
        metadata={**metadata, "pattern": hit.phrase},
    )


def _tone(lexicon: Lexicon, row: Row, reading: Reading) -> Iterator[Signal]:
    """What the writing itself says, unless the words are glad."""
    raw = reading.raw
    shouted = _may_shout(raw)
    heaped = _HEAP.search(raw) is not None
    if not (shouted or heaped) or _is_glad(lexicon, reading):
        return
    kept = "".join(
        char if mark != "\x00" and not mark.isspace() else " "
        for char, mark in zip(raw, without_quoted(raw, fold(raw)), strict=True)
    )
    for found in (shouted and _shouting(lexicon, kept), heaped and _heaping(kept)):
        if found:
            yield Signal(
                type=_STANCE,
                message_index=row.index,
                confidence=1.0,
                snippet=snippet_around(raw, 0, 1, limit=SNIPPET_CHARS),
                metadata=found,
            )


def _may_shout(raw: str) -> bool:
    """Whether so many letters are capitals that words are worth a look; vowels tell mostly."""
    if raw.count("e") + raw.count("a") > raw.count("E") + raw.count("A"):
        return False
    if raw.isascii():
        return sum(map(raw.count, "AEIOU")) >= sum(map(raw.count, "aeiou"))
    return sum(map(str.isupper, raw)) >= sum(map(str.islower, raw))


def _is_glad(lexicon: Lexicon, reading: Reading) -> bool:
    if any(key.startswith("interaction.satisfaction") for key in reading.hits):
        return True
    spoken = reading.spoken()
    return bool(spoken) and (
        spoken[0] in lexicon.affirmations or not lexicon.glad.isdisjoint(spoken)
    )


def _shouting(lexicon: Lexicon, text: str) -> dict[str, Any] | None:
    """Capitals in sentences; not in code, names of things, or a list of abbreviations."""
    letters = [char for char in text if char.isalpha()]
    if len(letters) < MIN_CAPS_LETTERS or _IDENTIFIER.search(text):
        return None
    ratio = sum(map(str.isupper, letters)) / len(letters)
    folded = text.lower()
    words = folded.split()
    if ratio < MIN_CAPS_SHARE or len(words) < MIN_CAPS_WORDS or _SQL.search(folded):
        return None
    if {word.strip(".,!?:") for word in words}.isdisjoint(lexicon.stopwords - _LINKING):
        return None
    return {"indicator_type": "all_caps", "upper_ratio": round(ratio, 4)}


def _heaping(text: str) -> dict[str, Any] | None:
    """Runs of question and exclamation marks after words."""
    runs = _RUN.findall(text)
    if not runs:
        return None
    return {
        "indicator_type": "excessive_punctuation",
        "consecutive_questions": sum(set(run) == {"?"} for run in runs),
        "consecutive_exclamations": sum(set(run) == {"!"} for run in runs),
        "mixed_punctuation": sum(len(set(run)) == 2 for run in runs),
    }
