"""The person turns away: asks for a human, leaves, or is annoyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Heard, Hit, Reader, Reading
from plano_asgi.signals.opening import is_all
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
_SPACE = re.compile(r"[\s\x00]")
_SEEN = re.compile(r"[^ ]+")
_PLAIN_WORD = re.compile(r"[^\W\d_]+")
_RUN = re.compile(r"(?<=[^\s?!])[ ]?([?!]{2,})(?=[\s\"')]|$)")


def disengagement(reader: Reader) -> Detector:
    """
    For each message of a person: shouting, heaps of marks, ``escalation``, ``quit``, abuse, and
    a complaint unless it is told already by escalation or abuse. Before the first answer, a
    complaint about something of theirs is none, see ``opening``.
    """

    return lambda rows: disengaged(reader.lexicon, reader.hear(rows))


def disengaged(lexicon: Lexicon, heard: Heard) -> Iterator[Signal]:
    """What ``disengagement`` finds in what was heard already."""
    for row, reading, answer in heard.people:
        if _is_loud(reading.raw):
            yield from _tone(lexicon, row, reading)
        if reading.hits:
            yield from _told(lexicon, row, reading, answer is not None)


def _told(lexicon: Lexicon, row: Row, reading: Reading, answered: bool) -> Iterator[Signal]:
    hits = reading.hits
    for leaf in ("escalation", "quit"):
        if hit := hits.get(f"{_CATEGORY}.{leaf}.{leaf}"):
            yield _signal(f"{_CATEGORY}.{leaf}", row, hit, {"pattern_type": leaf})
    escalated = f"{_CATEGORY}.escalation.escalation" in hits
    if hit := hits.get(f"{_STANCE}.profanity"):
        yield _signal(_STANCE, row, hit, {"indicator_type": "profanity"})
    elif not escalated and (hit := _complaint(lexicon, reading, answered)):
        yield _signal(_STANCE, row, hit, {"indicator_type": "complaint"})


def _complaint(lexicon: Lexicon, reading: Reading, answered: bool) -> Hit | None:
    hit = reading.hits.get(f"{_STANCE}.complaint")
    if answered:
        return hit or reading.hits.get(f"{_STANCE}.sarcasm")
    return hit if hit is not None and is_all(lexicon, reading, hit) else None


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
    if _is_glad(lexicon, reading):
        return
    written = without_quoted(raw, fold(raw))
    kept = _SEEN.sub(lambda seen: raw[seen.start() : seen.end()], _SPACE.sub(" ", written))
    for found in (_shouting(lexicon, kept), _heaping(kept)):
        if found:
            yield Signal(
                type=_STANCE,
                message_index=row.index,
                confidence=1.0,
                snippet=snippet_around(raw, 0, 1, limit=SNIPPET_CHARS),
                metadata=found,
            )


def _is_loud(raw: str) -> bool:
    """Whether capitals or marks are worth a look."""
    if "?" in raw and ("??" in raw or "?!" in raw or "!?" in raw):
        return True
    return "!!" in raw or _may_shout(raw)


def _may_shout(raw: str) -> bool:
    """Whether so many letters may be capitals; the vowels tell mostly."""
    if raw.count("e") > raw.count("E"):
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
    """Capitals in sentences; not in code, names of things, titles, lists and notices."""
    letters = [*filter(str.isalpha, text)]
    if len(letters) < MIN_CAPS_LETTERS:
        return None
    ratio = sum(map(str.isupper, letters)) / len(letters)
    if ratio < MIN_CAPS_SHARE or _IDENTIFIER.search(text):
        return None
    folded = text.lower()
    if len(folded.split()) < MIN_CAPS_WORDS or _SQL.search(folded):
        return None
    if lexicon.personal.isdisjoint(_PLAIN_WORD.findall(folded)):
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
