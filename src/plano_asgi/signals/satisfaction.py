"""The person has what was wanted: is grateful, agrees, or says that it works."""

from __future__ import annotations

from collections.abc import Iterator

from plano_asgi.signals.base import Detector, Signal
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Heard, Hit, Reader, Reading
from plano_asgi.signals.opening import praises

_CATEGORY = "interaction.satisfaction"
_CONFIRMATION = "confirmation.confirmation"
_ORDER = ("gratitude.gratitude", "success.success", _CONFIRMATION, "gratitude.thanks")
"""
The most telling first: in "great, it worked" the first word is an exclamation, and in "that works,
thanks" the last one a courtesy.
"""


def satisfaction(reader: Reader) -> Detector:
    """
    At most one signal for each message of a person: ``gratitude``, else ``success``, else
    ``confirmation``; none for a message that also complains, corrects or leaves. Before the first
    answer there is nothing to confirm, see ``opening``.
    """

    return lambda rows: satisfied(reader.lexicon, reader.hear(rows))


def satisfied(lexicon: Lexicon, heard: Heard) -> Iterator[Signal]:
    """What ``satisfaction`` finds in what was heard already."""
    for row, reading, answer in heard.people:
        if reading.hits and (found := _best(lexicon, reading, answer is not None)):
            leaf, hit = found
            yield Signal(
                type=f"{_CATEGORY}.{leaf}",
                message_index=row.index,
                confidence=hit.confidence,
                snippet=hit.snippet,
                metadata={"pattern_type": leaf, "pattern": hit.phrase},
            )


def _best(lexicon: Lexicon, reading: Reading, answered: bool) -> tuple[str, Hit] | None:
    if any(not key.startswith(_CATEGORY) for key in reading.hits):
        return None
    for kind in _ORDER:
        hit = reading.hits.get(f"{_CATEGORY}.{kind}")
        if hit and (answered or kind != _CONFIRMATION or praises(lexicon, reading, hit)):
            return kind.partition(".")[0], hit
    return None
