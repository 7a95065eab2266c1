"""The person has what was wanted: is grateful, agrees, or says that it works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.matching import Hit, Reader, Reading

_CATEGORY = "interaction.satisfaction"
_ORDER = ("gratitude.gratitude", "success.success", "confirmation.confirmation", "gratitude.thanks")
"""
The most telling first: in "great, it worked" the first word is an exclamation, and in "that works,
thanks" the last one a courtesy.
"""


def satisfaction(reader: Reader) -> Detector:
    """
    At most one signal for each message of a person: ``gratitude``, else ``success``, else
    ``confirmation``; none for a message that also complains, corrects or leaves.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        for row, reading in reader.human(rows):
            if reading.hits and (found := _best(reading)):
                leaf, hit = found
                yield Signal(
                    type=f"{_CATEGORY}.{leaf}",
                    message_index=row.index,
                    confidence=hit.confidence,
                    snippet=hit.snippet,
                    metadata={"pattern_type": leaf, "pattern": hit.phrase},
                )

    return detect


def _best(reading: Reading) -> tuple[str, Hit] | None:
    if any(not key.startswith(_CATEGORY) for key in reading.hits):
        return None
    for kind in _ORDER:
        if hit := reading.hits.get(f"{_CATEGORY}.{kind}"):
            return kind.partition(".")[0], hit
    return None
