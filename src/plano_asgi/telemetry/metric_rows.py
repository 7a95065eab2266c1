"""
Every metric that telemetry writes: one row for each. Nothing else spells one.

Those of the conventions (``gen_ai.*``) are of the release ``SEMCONV``, and so are their buckets;
the others are ours. Attributes are named in ``semconv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from plano_asgi.telemetry.semconv import (
    CACHE_OUTCOME,
    DIALECT,
    ERROR_TYPE,
    EXPORTER,
    GUARD_NAME,
    GUARD_SIDE,
    GUARD_STATUS,
    LIMIT_NAME,
    MEMORY_STORE,
    MODEL,
    OPERATION_NAME,
    PROMPT_CACHE_OUTCOME,
    PROVIDER,
    PROVIDER_NAME,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    ROUTE_NAME,
    ROUTE_OUTCOME,
    ROUTE_SELECTOR,
    SERVER_ADDRESS,
    SERVER_PORT,
    SESSION_EVENT,
    SIGNAL_CATEGORY,
    SIGNALS_QUALITY,
    STATUS_CLASS,
    SWITCH_DECISION,
    TOKEN_KIND,
    TOKEN_TYPE,
    USAGE_ESTIMATED,
    VERSION,
)

Instrument = Literal["histogram", "counter", "up_down_counter", "gauge"]

DURATION_BUCKETS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
"""Seconds, as the conventions advise for calls and chunks (``SEMCONV``)."""
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
"""Tokens, as the conventions advise (``SEMCONV``)."""
TIME_PER_TOKEN_BUCKETS: Final = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
)
"""Seconds, as the conventions advise for ``gen_ai.server.time_per_output_token``."""
STEP_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds, for steps in this process and small services: guards, decisions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """
    One instrument: *unit* in UCUM, *buckets* (upper bounds, in that unit) of a histogram.
    *attributes* are the only ones it carries. There is one of each: it is equal to itself alone,
    which is what makes it a cheap key.
    """

    name: str
    instrument: Instrument
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_CALL = (
    OPERATION_NAME,
    PROVIDER_NAME,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    SERVER_ADDRESS,
    SERVER_PORT,
)
_SERVED = (PROVIDER, MODEL)

OPERATION_DURATION: Final = Metric(
    name="gen_ai.client.operation.duration",
    instrument="histogram",
    unit="s",
    description="How long an exchange took, to its last byte",
    attributes=(*_CALL, ERROR_TYPE),
    buckets=DURATION_BUCKETS,
)
TOKEN_USAGE: Final = Metric(
    name="gen_ai.client.token.usage",
    instrument="histogram",
    unit="{token}",
    description="Input and output tokens of an exchange, as the upstream counted them",
    attributes=(*_CALL, TOKEN_TYPE),
    buckets=TOKEN_BUCKETS,
)
TIME_TO_FIRST_CHUNK: Final = Metric(
    name="gen_ai.client.operation.time_to_first_chunk",
    instrument="histogram",
    unit="s",
    description="From the request to the first chunk of a stream",
    attributes=_CALL,
    buckets=DURATION_BUCKETS,
)
TIME_PER_OUTPUT_CHUNK: Final = Metric(
    name="gen_ai.client.operation.time_per_output_chunk",
    instrument="histogram",
    unit="s",
    description="Mean time between the chunks of a stream",
    attributes=_CALL,
    buckets=DURATION_BUCKETS,
)
UPSTREAM_DURATION: Final = Metric(
    name="plano.upstream.duration",
    instrument="histogram",
    unit="s",
    description="How long one upstream try took",
    attributes=(*_SERVED, ERROR_TYPE),
    buckets=DURATION_BUCKETS,
)
UPSTREAM_TIME_TO_FIRST_TOKEN: Final = Metric(
    name="plano.upstream.time_to_first_token",
    instrument="histogram",
    unit="s",
    description="From the request to the first content of a stream, by who served it",
    attributes=_SERVED,
    buckets=DURATION_BUCKETS,
)
UPSTREAM_TIME_PER_OUTPUT_TOKEN: Final = Metric(
    name="plano.upstream.time_per_output_token",
    instrument="histogram",
    unit="s",
    description="Time of a stream after its first content, by output token",
    attributes=_SERVED,
    buckets=TIME_PER_TOKEN_BUCKETS,
)
UPSTREAM_TOKENS: Final = Metric(
    name="plano.upstream.tokens",
    instrument="counter",
    unit="{token}",
    description="Tokens; input includes both cache kinds, output includes reasoning",
    attributes=(*_SERVED, TOKEN_KIND, USAGE_ESTIMATED),
)
UPSTREAM_ERRORS: Final = Metric(
    name="plano.upstream.errors",
    instrument="counter",
    unit="{error}",
    description="Upstream tries that failed",
    attributes=(*_SERVED, ERROR_TYPE),
)
UPSTREAM_RETRIES: Final = Metric(
    name="plano.upstream.retries",
    instrument="counter",
    unit="{retry}",
    description="Tries of a model that had failed in the same exchange",
    attributes=_SERVED,
)
UPSTREAM_FAILOVERS: Final = Metric(
    name="plano.upstream.failovers",
    instrument="counter",
    unit="{failover}",
    description="Exchanges that went on to this model after another had failed",
    attributes=_SERVED,
)
UPSTREAM_BREAKER_STATE: Final = Metric(
    name="plano.upstream.breaker.state",
    instrument="gauge",
    unit="1",
    description="0 closed, 1 half open, 2 open",
    attributes=_SERVED,
)
UPSTREAM_IN_FLIGHT: Final = Metric(
    name="plano.upstream.in_flight",
    instrument="up_down_counter",
    unit="{request}",
    description="Upstream tries under way",
    attributes=_SERVED,
)
UPSTREAM_USAGE_MISSING: Final = Metric(
    name="plano.upstream.usage_missing",
    instrument="counter",
    unit="{response}",
    description="Answers whose tokens the upstream did not report",
    attributes=_SERVED,
)
COST: Final = Metric(
    name="plano.cost",
    instrument="counter",
    unit="{USD}",
    description="What was used, in USD",
    attributes=_SERVED,
)
GUARD_VERDICTS: Final = Metric(
    name="plano.guard.verdicts",
    instrument="counter",
    unit="{verdict}",
    description="What guards found",
    attributes=(GUARD_NAME, GUARD_SIDE, GUARD_STATUS),
)
GUARD_DURATION: Final = Metric(
    name="plano.guard.duration",
    instrument="histogram",
    unit="s",
    description="How long a guard took",
    attributes=(GUARD_NAME, GUARD_SIDE),
    buckets=STEP_BUCKETS,
)
MEMORIES_RECALLED: Final = Metric(
    name="plano.memory.hits",
    instrument="counter",
    unit="{memory}",
    description="Memories recalled",
)
CACHE_LOOKUPS: Final = Metric(
    name="plano.cache.lookups",
    instrument="counter",
    unit="{lookup}",
    description="Look-ups of the response cache",
    attributes=(CACHE_OUTCOME,),
)
ROUTE_DECISIONS: Final = Metric(
    name="plano.route.decisions",
    instrument="counter",
    unit="{decision}",
    description="Route decisions",
    attributes=(ROUTE_NAME, ROUTE_OUTCOME, ROUTE_SELECTOR),
)
ROUTE_DURATION: Final = Metric(
    name="plano.route.duration",
    instrument="histogram",
    unit="s",
    description="How long a route decision took",
    attributes=(ROUTE_SELECTOR,),
    buckets=STEP_BUCKETS,
)
SWITCH_DECISIONS: Final = Metric(
    name="plano.switch.decisions",
    instrument="counter",
    unit="{decision}",
    description="Whether a warm session might change its model",
    attributes=(SWITCH_DECISION,),
)
LIMIT_REJECTIONS: Final = Metric(
    name="plano.limit.rejections",
    instrument="counter",
    unit="{rejection}",
    description="Exchanges refused by a limit or a budget",
    attributes=(LIMIT_NAME,),
)
CONVERSATIONS_SCORED: Final = Metric(
    name="plano.signals.conversations",
    instrument="counter",
    unit="{conversation}",
    description="Conversations analysed",
    attributes=(SIGNALS_QUALITY,),
)
SPANS_DROPPED: Final = Metric(
    name="plano.telemetry.dropped",
    instrument="counter",
    unit="{span}",
    description="Spans that an exporter did not take in time",
    attributes=(EXPORTER,),
)

REQUESTS: Final = Metric(
    name="plano.requests",
    instrument="counter",
    unit="{request}",
    description="Exchanges, each counted once, whatever happened",
    attributes=(
        OPERATION_NAME,
        PROVIDER,
        MODEL,
        DIALECT,
        STATUS_CLASS,
        ERROR_TYPE,
    ),
)
IN_FLIGHT: Final = Metric(
    name="plano.requests.in_flight",
    instrument="up_down_counter",
    unit="{request}",
    description="Exchanges under way",
    attributes=(OPERATION_NAME, DIALECT),
)
PROMPT_CACHE: Final = Metric(
    name="plano.prompt_cache.lookups",
    instrument="counter",
    unit="{lookup}",
    description="Whether the provider's prompt cache helped, where it reported tokens",
    attributes=(PROVIDER, MODEL, PROMPT_CACHE_OUTCOME),
)
RECALLS: Final = Metric(
    name="plano.memory.recalls",
    instrument="counter",
    unit="{recall}",
    description="Searches of a memory",
    attributes=(MEMORY_STORE,),
)
SESSION_EVENTS: Final = Metric(
    name="plano.session.events",
    instrument="counter",
    unit="{event}",
    description="What became of sessions",
    attributes=(SESSION_EVENT,),
)
SIGNALS: Final = Metric(
    name="plano.signals.instances",
    instrument="counter",
    unit="{signal}",
    description="Signals found, in every analysis of a conversation anew",
    attributes=(SIGNAL_CATEGORY,),
)
BUILD_INFO: Final = Metric(
    name="plano.build.info",
    instrument="gauge",
    unit="",
    description="1, with the version that runs",
    attributes=(VERSION,),
)


METRICS: Final[tuple[Metric, ...]] = (
    OPERATION_DURATION,
    TOKEN_USAGE,
    TIME_TO_FIRST_CHUNK,
    TIME_PER_OUTPUT_CHUNK,
    UPSTREAM_DURATION,
    UPSTREAM_TIME_TO_FIRST_TOKEN,
    UPSTREAM_TIME_PER_OUTPUT_TOKEN,
    UPSTREAM_TOKENS,
    UPSTREAM_ERRORS,
    UPSTREAM_RETRIES,
    UPSTREAM_FAILOVERS,
    UPSTREAM_BREAKER_STATE,
    UPSTREAM_IN_FLIGHT,
    UPSTREAM_USAGE_MISSING,
    COST,
    GUARD_VERDICTS,
    GUARD_DURATION,
    MEMORIES_RECALLED,
    CACHE_LOOKUPS,
    ROUTE_DECISIONS,
    ROUTE_DURATION,
    SWITCH_DECISIONS,
    LIMIT_REJECTIONS,
    CONVERSATIONS_SCORED,
    SPANS_DROPPED,
    REQUESTS,
    IN_FLIGHT,
    PROMPT_CACHE,
    RECALLS,
    SESSION_EVENTS,
    SIGNALS,
    BUILD_INFO,
)
"""Every metric, in the order above."""
