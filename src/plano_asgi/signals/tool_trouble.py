"""The execution and environment layers in one pass: each result is read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.exhaustion import exhaustion_signal
from plano_asgi.signals.failure import failure_signal
from plano_asgi.signals.loops import loops
from plano_asgi.signals.results import answered_calls
from plano_asgi.signals.trouble_reader import TroubleReader


def tool_trouble(reader: TroubleReader) -> Detector:
    """What ``failures`` and ``exhaustions`` of the same *reader* and ``loops`` find together."""

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        calls: Mapping[int, int] | None = None
        in_trouble: set[int] = set()
        for at, row in enumerate(rows):
            if row.kind != "observation" or (reading := reader.read(row)) is None:
                continue
            if reading.trouble.is_sure:
                in_trouble.add(at)
            calls = answered_calls(rows) if calls is None else calls
            if failure := failure_signal(reading, rows, at, calls):
                yield failure
            if exhaustion := exhaustion_signal(reading, row):
                yield exhaustion
        yield from loops(rows, in_trouble=in_trouble)

    return detect
