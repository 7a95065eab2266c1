"""A world that gave out: limits, broken services, time, network, answers, context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.trouble_reader import TroubleReader, TroubleReading


def exhaustions(reader: TroubleReader) -> Detector:
    """
    ``environment.exhaustion.*``: at most one for each result.

    Metadata: ``exhaustion_type`` (the leaf) and ``matched``, the phrase of the lexicon.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        for row in rows:
            reading = reader.read(row) if row.kind == "observation" else None
            if reading is not None and (signal := exhaustion_signal(reading, row)):
                yield signal

    return detect


def exhaustion_signal(reading: TroubleReading, row: Row) -> Signal | None:
    """The signal of the result *row*, if the world gave out."""
    if (finding := reading.exhaustion) is None:
        return None
    return Signal(
        type=finding.type,
        message_index=row.index,
        confidence=finding.confidence,
        snippet=reading.trouble.snippet,
        metadata={
            "exhaustion_type": finding.type.rpartition(".")[2],
            "matched": finding.phrase,
        },
    )
