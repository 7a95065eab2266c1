"""
Every name that telemetry writes: attributes, spans, events, metrics. Nothing else spells one.

Three sources, and each section says which:

* ``SEMCONV``: a release of OpenTelemetry's semantic conventions. All of GenAI is *Development*
  there, and from 1.42 on deprecated in favour of a repository of its own that has no release yet.
* ``GENAI_NEXT``: what that repository changed and OpenTelemetry's own GenAI library already
  writes. Only on opt-in: see ``semconv``.
* Plano's own, kept so that dashboards made for it go on working, and ours beside them
  (``plano.*``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SEMCONV: Final = "1.44.0"
"""The release of the semantic conventions that names come from, unless their section says else."""
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{SEMCONV}"
"""The schema of our tracer and meter."""
GENAI_NEXT: Final = "opentelemetry-util-genai 1.3b0"
"""Where the names of ``NEXT`` come from."""
OPT_IN: Final = "gen_ai_latest_experimental"
"""The entry of ``OTEL_SEMCONV_STABILITY_OPT_IN`` that selects ``NEXT``."""

# ---- GenAI: the request (SEMCONV)

OPERATION_NAME: Final = "gen_ai.operation.name"
"""What is done: `chat`, `text_completion`, `embeddings`, `invoke_agent`, ..."""
PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Who serves, as the conventions spell it (`aws.bedrock`); else our provider key."""
REQUEST_MODEL: Final = "gen_ai.request.model"
"""The model the client asked for; on an attempt, the upstream's."""
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
"""The limit of the answer, in tokens."""
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
"""As the client sent it."""
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
"""As the client sent it."""
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
"""As the client sent it."""
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
"""As the client sent it."""
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
"""As the client sent it."""
REQUEST_SEED: Final = "gen_ai.request.seed"
"""As the client sent it."""
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
"""As the client sent them; one alone is a list too."""
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
"""How many answers the client asked for, where not one."""
REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
"""Of embeddings."""
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
"""Of embeddings, where the client asked for a number."""
REQUEST_STREAM: Final = "gen_ai.request.stream"
"""True for a stream; else absent."""
OUTPUT_TYPE: Final = "gen_ai.output.type"
"""`json` or `text`, where the client asked for a format."""
CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""The thread: kept by us (Responses), named in the body, or the session's id."""
OPENAI_API_TYPE: Final = "openai.api.type"
"""`chat_completions` or `responses`."""
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
"""As the client asked, where not `auto`."""

# ---- GenAI: the answer (SEMCONV)

RESPONSE_ID: Final = "gen_ai.response.id"
"""As the upstream said it."""
RESPONSE_MODEL: Final = "gen_ai.response.model"
"""The model that answered, as the upstream said it."""
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
"""One for each choice."""
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""Seconds from the request to the first byte of the answer's body; streams only."""
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
"""The tier that served, where the answer was read."""
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"
"""Of the answer, where it was read."""
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""Cached ones and those written to a cache included."""
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""Reasoning included."""
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
"""Of the input: read from the provider's cache."""
USAGE_CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
"""Of the input: written to the provider's cache."""
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
"""Of the output: reasoning."""
TOKEN_TYPE: Final = "gen_ai.token.type"
"""A metric's: `input` or `output`."""

# ---- GenAI: content, only where asked for (SEMCONV)

INPUT_MESSAGES: Final = "gen_ai.input.messages"
"""JSON text: messages with parts."""
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
"""JSON text: one message for each choice."""
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
"""JSON text: parts."""
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
"""JSON text: the tools offered."""

# ---- Content: what became of it (ours)

CONTENT_DROPPED: Final = "plano.content.dropped_messages"
"""How many input messages, the oldest, were left out for their size."""
CONTENT_CUT: Final = "plano.content.cut"
"""True if anything was cut short for its size."""

# ---- GenAI: agents, tools (SEMCONV)

AGENT_ID: Final = "gen_ai.agent.id"
"""The agent's id, where it has one beside its name."""
AGENT_NAME: Final = "gen_ai.agent.name"
"""The agent asked."""
TOOL_NAME: Final = "gen_ai.tool.name"
"""The tool run."""
TOOL_TYPE: Final = "gen_ai.tool.type"
"""`function`."""
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
"""The call it answers."""

# ---- GenAI: on opt-in (GENAI_NEXT)

USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
"""Takes the place of `gen_ai.usage.cache_creation.input_tokens`."""
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
"""How much to think, as the client sent it; by default `plano.request.reasoning_level`."""
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
"""Responses: what it continues; by default `plano.request.previous_response_id`."""

# ---- Errors, servers, HTTP (SEMCONV, stable)

ERROR_TYPE: Final = "error.type"
"""Why it failed: a code, an exception's class name, or a status; absent if it did not."""
SERVER_ADDRESS: Final = "server.address"
"""An attempt's host; an exchange's is that of its last attempt."""
SERVER_PORT: Final = "server.port"
"""The port of it."""
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
"""The client's, or an attempt's."""

# ---- The exchange (Plano's names)

SESSION_ID: Final = "plano.session_id"
"""The session whose model was pinned."""
ROUTE_NAME: Final = "plano.route.name"
"""The route taken."""
DISTINCT_ID: Final = "plano.distinct_id"
"""Who it was for, as PostHog is told."""
ROUTING_SKIPPED: Final = "plano.routing.skipped"
"""Why the earlier decision was kept."""
CACHE_WARM: Final = "plano.cache.warm"
"""The provider's prompt cache was thought to be warm."""
CACHE_IDLE_MS: Final = "plano.cache.idle_ms"
"""Milliseconds since the session's last turn."""
SESSION_OVERHEAD_PCT: Final = "plano.session.overhead_pct"
"""The routing budget of the session, in percent."""
SESSION_SWITCH_SPEND: Final = "plano.session.switch_spend_in_usd"
"""What the session's switches have cost."""
SESSION_BASELINE: Final = "plano.session.baseline_in_usd"
"""What the session would have cost without them."""
SESSION_SWITCHES: Final = "plano.session.switches"
"""How often the session changed its model."""
SESSION_TOTAL_COST: Final = "plano.session.total_cost_in_usd"
"""The session's cost through the turn before."""
SWITCH_COST: Final = "plano.switch.cost_in_usd"
"""What a change of model would lose in cached input."""
SWITCH_CEILING: Final = "plano.switch.overhead_ceiling_in_usd"
"""What it was allowed to lose."""
SWITCH_WARM_TOKENS: Final = "plano.switch.candidate_warm_tokens"
"""Cached tokens at the model that would have been left."""
SWITCH_DECISION: Final = "plano.switch.decision"
"""`allowed` or `retained`."""
SWITCH_COUNTERFACTUAL: Final = "plano.switch.counterfactual_route"
"""Where it would have gone."""

# ---- The exchange (ours)

REQUEST_ID: Final = "plano.request.id"
"""Ours, as in `x-request-id`."""
DIALECT: Final = "plano.dialect"
"""The client's wire dialect."""
PROVIDER: Final = "plano.provider"
"""Who served, or was asked last: the gateway's provider key."""
MODEL: Final = "plano.model"
"""The upstream's model id."""
ALIAS: Final = "plano.alias"
"""The alias that was resolved."""
PLANO_REASONING_LEVEL: Final = "plano.request.reasoning_level"
"""How much to think, as the client sent it."""
PLANO_PREVIOUS_RESPONSE_ID: Final = "plano.request.previous_response_id"
"""Responses: what it continues."""
REQUEST_BYTES: Final = "plano.request.bytes"
"""The body, as the client sent it."""
RESPONSE_BYTES: Final = "plano.response.bytes"
"""The body, as the client got it."""
RESPONSE_CHUNKS: Final = "plano.response.chunks"
"""Messages of a stream with content."""
DISCONNECTED: Final = "plano.disconnected"
"""True if the client left before the end."""
ATTEMPTS: Final = "plano.attempts"
"""How many upstream tries."""
USAGE_ESTIMATED: Final = "plano.usage.estimated"
"""True if we counted the tokens, since the upstream did not say."""
COST_TOTAL: Final = "plano.cost.total_usd"
"""USD."""
COST_INPUT: Final = "plano.cost.input_usd"
"""USD."""
COST_OUTPUT: Final = "plano.cost.output_usd"
"""USD."""
COST_ESTIMATED: Final = "plano.cost.estimated"
"""True if it is the price of tokens that we counted."""
ROUTE_OUTCOME: Final = "plano.route.outcome"
"""`route`, `none` or `failed`."""
ROUTE_SELECTOR: Final = "plano.route.selector"
"""What chose the route."""
ROUTE_SCORE: Final = "plano.route.score"
"""How sure it was."""
ROUTE_CACHED: Final = "plano.route.cached"
"""The decision came from a cache."""
ROUTE_LATENCY: Final = "plano.route.latency_s"
"""Seconds."""
ROUTE_REASON: Final = "plano.route.reason"
"""The rule that decided."""
SESSION_PINNED: Final = "plano.session.pinned"
"""The session kept its model."""
SESSION_SWITCHED: Final = "plano.session.switched"
"""The session changed its model."""
SESSION_STORE: Final = "plano.session.store"
"""`hit`, `miss` or `error`."""
SESSION_IDLE: Final = "plano.session.idle_s"
"""Seconds since the session's last turn."""
CACHE_OUTCOME: Final = "plano.cache.outcome"
"""Of the response cache: `hit` or `miss`."""
MEMORY_HITS: Final = "plano.memory.hits"
"""How many memories were recalled."""
MEMORY_INJECTED: Final = "plano.memory.injected"
"""Memories stand in what the model was sent."""
MEMORY_STORE: Final = "plano.memory.store"
"""`hit`, `miss` or `error`."""
LIMIT_NAME: Final = "plano.limit.name"
"""The limit or budget that refused."""
STATE_THREAD: Final = "plano.state.thread"
"""The thread we keep for a Responses client."""
STATE_OPERATION: Final = "plano.state.operation"
"""What was done to it."""

# ---- Stretches of work within it, and labels of metrics (ours)

ATTEMPT_NUMBER: Final = "plano.attempt.number"
"""From 1."""
ATTEMPT_RETRY: Final = "plano.attempt.retry"
"""The same model is tried again."""
ATTEMPT_DIALECT: Final = "plano.attempt.dialect"
"""The upstream's wire dialect."""
GUARD_NAME: Final = "plano.guard.name"
"""The guard."""
GUARD_SIDE: Final = "plano.guard.side"
"""`request` or `answer`."""
GUARD_STATUS: Final = "plano.guard.status"
"""`passed`, `blocked`, `redacted`, `skipped`, `error` or `timeout`."""
GUARD_RULE: Final = "plano.guard.rule"
"""The rule that found something."""
GUARD_SCORE: Final = "plano.guard.score"
"""How sure it was."""
GUARD_REPORT_ONLY: Final = "plano.guard.report_only"
"""It may not block."""
FILTER_NAME: Final = "plano.filter.name"
"""The filter."""
FILTER_PROTOCOL: Final = "plano.filter.protocol"
"""`function`, `http` or `mcp`."""
FILTER_SIDE: Final = "plano.filter.side"
"""`request` or `answer`."""
STATUS_CLASS: Final = "plano.status_class"
"""A metric's: `2xx`, `4xx`, ...; `none` if the client left before a status."""
PROMPT_CACHE_OUTCOME: Final = "plano.prompt_cache.outcome"
"""A metric's: `hit`, `write` or `miss`."""
SESSION_EVENT: Final = "plano.session.event"
"""A metric's: `store_hit`, `store_miss`, `store_error`, `pinned`, `switched`, `routing_skipped`."""
SIGNAL_CATEGORY: Final = "plano.signal.category"
"""A metric's: `misalignment`, `failure`, ..."""
EXPORTER: Final = "plano.exporter"
"""A metric's: who did not take a span in time."""
VERSION: Final = "plano.version"
"""A metric's: of plano-asgi."""
TOKEN_KIND: Final = "plano.token.kind"
"""A metric's: `input`, `output`, `cache_read`, `cache_creation` or `reasoning`."""

# ---- Signals (Plano's names)

SIGNALS_QUALITY: Final = "signals.quality"
"""`excellent`, `good`, `neutral`, `poor` or `severe`."""
SIGNALS_SCORE: Final = "signals.quality_score"
"""0 to 100."""
SIGNALS_TURNS: Final = "signals.turn_count"
"""The user's turns, among the last 100 rows that are looked at."""
SIGNALS_EFFICIENCY: Final = "signals.efficiency_score"
"""0 to 1."""
SIGNALS_GROUP: Final = "signals.{layer}.{category}"
"""With `.count` and `.severity`, for each category that has any."""
SIGNAL_EVENT: Final = "signal.{type}"
"""One event for each instance."""
SIGNAL_TYPE: Final = "signal.type"
"""An event's: `layer.category.leaf`."""
SIGNAL_MESSAGE_INDEX: Final = "signal.message_index"
"""An event's: the client's message it comes from."""
SIGNAL_CONFIDENCE: Final = "signal.confidence"
"""An event's: 0 to 1."""
SIGNAL_SNIPPET: Final = "signal.snippet"
"""An event's: the words that told it; only with content capture."""
SIGNAL_METADATA: Final = "signal.metadata"
"""An event's: JSON text."""
FLAG: Final = " \N{TRIANGULAR FLAG ON POST}"
"""Ends the span's name if somebody should look at it."""

# ---- Triage by signals (ours)

TRIAGE_KEEP: Final = "plano.triage.keep"
"""Whether the trace is worth keeping; `TriageProcessor` acts on it."""
TRIAGE_SCORE: Final = "plano.triage.score"
"""The weight of the signals."""
TRIAGE_REASON: Final = "plano.triage.reason"
"""What decided."""

# ---- Plano's names that the conventions have replaced (on demand)

LLM_MODEL: Final = "llm.model"
"""`provider/model`, then the upstream's own."""
LLM_PROVIDER: Final = "llm.provider"
"""The gateway's provider key."""
LLM_TEMPERATURE: Final = "llm.temperature"
"""As the client sent it."""
LLM_TIME_TO_FIRST_TOKEN: Final = "llm.time_to_first_token"
"""Milliseconds."""
LLM_DURATION_MS: Final = "llm.duration_ms"
"""Milliseconds."""
LLM_RESPONSE_BYTES: Final = "llm.response_bytes"
"""The body, as the client got it."""
LLM_PROMPT_TOKENS: Final = "llm.usage.prompt_tokens"
"""Cached ones included."""
LLM_COMPLETION_TOKENS: Final = "llm.usage.completion_tokens"
"""Reasoning included."""
LLM_TOTAL_TOKENS: Final = "llm.usage.total_tokens"
"""Of both."""
LLM_CACHED_TOKENS: Final = "llm.usage.cached_input_tokens"
"""Of the input: read from the provider's cache."""
LLM_CACHE_CREATION_TOKENS: Final = "llm.usage.cache_creation_tokens"
"""Of the input: written to the provider's cache."""
LLM_REASONING_TOKENS: Final = "llm.usage.reasoning_tokens"
"""Of the output: reasoning."""
LLM_INPUT_COST: Final = "llm.usage.input_cost_usd"
"""USD."""
LLM_OUTPUT_COST: Final = "llm.usage.output_cost_usd"
"""USD."""
LLM_TOTAL_COST: Final = "llm.usage.total_cost_usd"
"""USD."""
HTTP_STATUS_CODE: Final = "http.status_code"
"""The client's."""

# ---- Events (SEMCONV)

INFERENCE_EVENT: Final = "gen_ai.client.inference.operation.details"
"""Carries the content of one exchange, where it is to go into events."""

# ---- Spans

INFERENCE_OPERATIONS: Final = frozenset(("chat", "text_completion", "embeddings"))
"""``gen_ai.operation.name`` of spans that stand for one call of a model."""
INVOKE_AGENT: Final = "invoke_agent"
"""An agent's operation; its span is `invoke_agent {agent}` (SEMCONV)."""
EXECUTE_TOOL: Final = "execute_tool"
"""A tool's operation; its span is `execute_tool {tool}` (SEMCONV)."""
SPAN_EXCHANGE: Final = "{operation} {model}"
"""The span of an exchange (SEMCONV)."""
SPAN_ATTEMPT: Final = "attempt {name}"
"""One upstream try of `provider/model`."""
SPAN_GUARD: Final = "apply_guardrail {name}"
"""One guard; the drafts of the conventions have this name."""
SPAN_SEARCH_MEMORY: Final = "search_memory {name}"
"""A recall; the drafts of the conventions have this name."""
SPAN_ROUTE: Final = "route {name}"
"""A route decision."""
SPAN_FILTER: Final = "filter {name}"
"""One filter."""
SPAN_CACHE: Final = "cache {name}"
"""A look-up of the response cache."""
SPAN_STATE: Final = "state {name}"
"""A thread read or written."""

# ---- Metrics

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    One instrument: *unit* in UCUM, *buckets* (upper bounds, in that unit) of a histogram.
    *attributes* are the only ones it carries.
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

# ---- The names in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of which there are two sets; all others are constants of this module."""

    cache_creation: str
    reasoning_level: str
    previous_response_id: str


RELEASED: Final = Names(
    cache_creation=USAGE_CACHE_CREATION,
    reasoning_level=PLANO_REASONING_LEVEL,
    previous_response_id=PLANO_PREVIOUS_RESPONSE_ID,
)
"""The default: what a released convention names, and ours for the rest."""
NEXT: Final = Names(
    cache_creation=USAGE_CACHE_WRITE,
    reasoning_level=REQUEST_REASONING_LEVEL,
    previous_response_id=REQUEST_PREVIOUS_RESPONSE_ID,
)
"""On opt-in: what OpenTelemetry's own instrumentations write beside us (``GENAI_NEXT``)."""


def semconv(opt_in: str | None) -> Names:
    """
    The names that *opt_in* asks for: the value of ``OTEL_SEMCONV_STABILITY_OPT_IN``, a comma list.

    Without ``gen_ai_latest_experimental`` in it: the newest *released* names, which the backends
    know. (The conventions' other default, 1.36 and ``gen_ai.system``, is for instrumentations
    that wrote those names before; we never did.) With it: also what OpenTelemetry's own GenAI
    instrumentations write ahead of a release, so that all spans of a process agree. Names that
    only drafts have are in neither set: the draft metrics have been renamed twice. Entries for
    other areas (``http``, ``database/dup``) change nothing here.
    """
    asked = {entry.strip().lower() for entry in (opt_in or "").split(",")}
    return NEXT if OPT_IN in asked else RELEASED
