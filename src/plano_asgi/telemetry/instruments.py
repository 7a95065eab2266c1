"""Every instrument: what it is, and who reads it from an exchange that is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from plano_asgi.telemetry import call_readings, semconv, step_readings, upstream_readings
from plano_asgi.telemetry.reading import Observations, Reading
from plano_asgi.telemetry.semconv import Metric

Read = Callable[[Reading], Observations]


@dataclass(frozen=True, slots=True)
class Source:
    """Instruments that are read together, where *has* finds anything for them."""

    has: Callable[[Reading], object]
    reads: Mapping[Metric, Read]


SOURCES: Final[tuple[Source, ...]] = (
    Source(
        lambda reading: True,
        {
            semconv.REQUESTS: call_readings.requests,
            semconv.OPERATION_DURATION: call_readings.duration,
            semconv.COST: call_readings.cost,
        },
    ),
    Source(
        lambda reading: reading.used,
        {
            semconv.TOKEN_USAGE: call_readings.token_usage,
            semconv.UPSTREAM_TOKENS: upstream_readings.tokens,
            semconv.PROMPT_CACHE: upstream_readings.prompt_cache,
        },
    ),
    Source(
        lambda reading: reading.exchange.stream,
        {
            semconv.TIME_TO_FIRST_CHUNK: call_readings.first_chunk,
            semconv.TIME_PER_OUTPUT_CHUNK: call_readings.output_chunk,
            semconv.UPSTREAM_TIME_TO_FIRST_TOKEN: upstream_readings.first_token,
            semconv.UPSTREAM_TIME_PER_OUTPUT_TOKEN: upstream_readings.output_token,
        },
    ),
    Source(
        lambda reading: reading.exchange.attempts,
        {
            semconv.UPSTREAM_DURATION: upstream_readings.upstream_duration,
            semconv.UPSTREAM_USAGE_MISSING: upstream_readings.usage_missing,
            semconv.UPSTREAM_FAILOVERS: upstream_readings.failovers,
        },
    ),
    Source(
        lambda reading: reading.error or len(reading.exchange.attempts) > 1,
        {
            semconv.UPSTREAM_ERRORS: upstream_readings.upstream_errors,
            semconv.UPSTREAM_RETRIES: upstream_readings.retries,
        },
    ),
    Source(
        lambda reading: reading.exchange.audits,
        {
            semconv.GUARD_VERDICTS: step_readings.guard_verdicts,
            semconv.GUARD_DURATION: step_readings.guard_duration,
        },
    ),
    Source(
        lambda reading: reading.exchange.facts,
        {
            semconv.MEMORIES_RECALLED: step_readings.memories,
            semconv.RECALLS: step_readings.recalls,
            semconv.CACHE_LOOKUPS: step_readings.cache_lookups,
            semconv.ROUTE_DECISIONS: step_readings.route_decisions,
            semconv.ROUTE_DURATION: step_readings.route_duration,
            semconv.SESSION_EVENTS: step_readings.session_events,
            semconv.SWITCH_DECISIONS: step_readings.switch_decisions,
            semconv.LIMIT_REJECTIONS: step_readings.limit_rejections,
        },
    ),
    Source(
        lambda reading: reading.outcome.signals,
        {
            semconv.CONVERSATIONS_SCORED: step_readings.conversations,
            semconv.SIGNALS: step_readings.signals,
        },
    ),
)
"""What is recorded at the end of an exchange."""

TOLD: Final[tuple[Metric, ...]] = (
    semconv.IN_FLIGHT,
    semconv.UPSTREAM_IN_FLIGHT,
    semconv.UPSTREAM_BREAKER_STATE,
    semconv.SPANS_DROPPED,
    semconv.BUILD_INFO,
)
"""What ``Metrics`` is told of by calls of their own."""

INSTRUMENTS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metrics in (*(source.reads for source in SOURCES), TOLD)
    for metric in metrics
}
"""Every instrument, by its name."""
