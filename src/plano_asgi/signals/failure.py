"""Calls that were wrong: bad arguments, unknown tools, missing rights, wrong moment, bad query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.results import answered_calls, metadata_of
from plano_asgi.signals.trouble_reader import TroubleReader, TroubleReading


def failures(reader: TroubleReader) -> Detector:
    """
    ``execution.failure.*``: at most one for each result.

    Metadata: ``tool_name`` and ``call_index`` of the call, ``error_type`` (the leaf) and
    ``matched``, the phrase of the lexicon.
    """

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        calls: Mapping[int, int] | None = None
        for at, row in enumerate(rows):
            if row.kind == "observation" and (reading := reader.read(row)) is not None:
                calls = answered_calls(rows) if calls is None else calls
                if signal := failure_signal(reading, rows, at, calls):
                    yield signal

    return detect


def failure_signal(
    reading: TroubleReading, rows: Sequence[Row], at: int, calls: Mapping[int, int]
) -> Signal | None:
    """The signal of the result at *at*, if the call was wrong; *calls*: ``answered_calls``."""
    if (finding := reading.failure) is None:
        return None
    return Signal(
        type=finding.type,
        message_index=rows[at].index,
        confidence=finding.confidence,
        snippet=reading.trouble.snippet,
        metadata=metadata_of(
            rows,
            at,
            calls,
            error_type=finding.type.rpartition(".")[2],
            matched=finding.phrase,
        ),
    )
