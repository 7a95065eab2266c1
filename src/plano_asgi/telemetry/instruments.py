"""Every instrument: what it is, and who reads it from an exchange that is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from plano_asgi.telemetry import call_readings, metric_rows, step_readings, upstream_readings
from plano_asgi.telemetry.metric_rows import Metric
from plano_asgi.telemetry.reading import Observations, Reading

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
            metric_rows.REQUESTS: call_readings.requests,
            metric_rows.OPERATION_DURATION: call_readings.duration,
            metric_rows.COST: call_readings.cost,
        },
    ),
    Source(
        lambda reading: reading.used,
        {
            metric_rows.TOKEN_USAGE: call_readings.token_usage,
            metric_rows.UPSTREAM_TOKENS: upstream_readings.tokens,
            metric_rows.PROMPT_CACHE: upstream_readings.prompt_cache,
        },
    ),
    Source(
        lambda reading: reading.exchange.stream,
        {
            metric_rows.TIME_TO_FIRST_CHUNK: call_readings.first_chunk,
            metric_rows.TIME_PER_OUTPUT_CHUNK: call_readings.output_chunk,
            metric_rows.UPSTREAM_TIME_TO_FIRST_TOKEN: upstream_readings.first_token,
            metric_rows.UPSTREAM_TIME_PER_OUTPUT_TOKEN: upstream_readings.output_token,
        },
    ),
    Source(
        lambda reading: reading.exchange.attempts,
        {
            metric_rows.UPSTREAM_DURATION: upstream_readings.upstream_duration,
            metric_rows.UPSTREAM_USAGE_MISSING: upstream_readings.usage_missing,
            metric_rows.UPSTREAM_FAILOVERS: upstream_readings.failovers,
        },
    ),
    Source(
        lambda reading: reading.error or len(reading.exchange.attempts) > 1,
        {
            metric_rows.UPSTREAM_ERRORS: upstream_readings.upstream_errors,
            metric_rows.UPSTREAM_RETRIES: upstream_readings.retries,
        },
    ),
    Source(
        lambda reading: reading.exchange.audits,
        {
            metric_rows.GUARD_VERDICTS: step_readings.guard_verdicts,
            metric_rows.GUARD_DURATION: step_readings.guard_duration,
        },
    ),
    Source(
        lambda reading: not step_readings.FACTS.isdisjoint(reading.exchange.facts),
        {
            metric_rows.MEMORIES_RECALLED: step_readings.memories,
            metric_rows.RECALLS: step_readings.recalls,
            metric_rows.CACHE_LOOKUPS: step_readings.cache_lookups,
            metric_rows.ROUTE_DECISIONS: step_readings.route_decisions,
            metric_rows.ROUTE_DURATION: step_readings.route_duration,
            metric_rows.SESSION_EVENTS: step_readings.session_events,
            metric_rows.SWITCH_DECISIONS: step_readings.switch_decisions,
            metric_rows.LIMIT_REJECTIONS: step_readings.limit_rejections,
        },
    ),
    Source(
        lambda reading: reading.outcome.signals,
        {
            metric_rows.CONVERSATIONS_SCORED: step_readings.conversations,
            metric_rows.SIGNALS: step_readings.signals,
        },
    ),
)
"""What is recorded at the end of an exchange."""

TOLD: Final[tuple[Metric, ...]] = (
    metric_rows.IN_FLIGHT,
    metric_rows.UPSTREAM_IN_FLIGHT,
    metric_rows.UPSTREAM_BREAKER_STATE,
    metric_rows.SPANS_DROPPED,
    metric_rows.BUILD_INFO,
)
"""What ``Metrics`` is told of by calls of their own."""

INSTRUMENTS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metrics in (*(source.reads for source in SOURCES), TOLD)
    for metric in metrics
}
"""Every instrument, by its name."""
