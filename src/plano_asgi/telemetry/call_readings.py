"""What an exchange says as a whole: pure functions of one ``Reading``."""

from __future__ import annotations

from plano_asgi.telemetry.reading import NOTHING, Observations, Reading


def requests(reading: Reading) -> Observations:
    """One, whatever happened."""
    status = reading.outcome.status
    status_class = f"{status // 100}xx" if status is not None else "none"
    operation, dialect = reading.call[0], reading.exchange.dialect
    return (((operation, *reading.served, dialect, status_class, reading.error), 1),)


def duration(reading: Reading) -> Observations:
    """Of the whole exchange."""
    return (((*reading.call, reading.error), reading.outcome.duration_s),)


def token_usage(reading: Reading) -> Observations:
    """
    Input and output, where the upstream counted them: the conventions want no estimates here. An
    answer without any output (embeddings) has no record of it.
    """
    if (used := reading.used) is None or used.estimated:
        return NOTHING
    found = []
    if used.input_tokens > 0:
        found.append(((*reading.call, "input"), used.input_tokens))
    if used.output_tokens > 0:
        found.append(((*reading.call, "output"), used.output_tokens))
    return found


def first_chunk(reading: Reading) -> Observations:
    """Of streams."""
    first_s = reading.outcome.first_chunk_s
    if first_s is None or not reading.exchange.stream:
        return NOTHING
    return ((reading.call, first_s),)


def output_chunk(reading: Reading) -> Observations:
    """Of streams: one record for each, the mean of its gaps."""
    gap_s = reading.outcome.chunk_gap_s
    if gap_s is None or not reading.exchange.stream:
        return NOTHING
    return ((reading.call, gap_s),)


def cost(reading: Reading) -> Observations:
    """USD, where a price is known."""
    paid = reading.outcome.cost
    return ((reading.served, paid.total_usd),) if paid is not None else NOTHING
