"""
Every name that telemetry writes on spans and in events. Nothing else spells one; metrics, which
carry the same attributes, are in ``metric_rows``.

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
from typing import Final

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
