"""
Attributes of an exchange's span: what is known when it begins, and when it is over.

Pure, and cheap: the request is read straight from the client's JSON, never by way of the neutral
form; texts are cut: a span is no place for a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from plano_asgi.conversation import ChatResponse, Usage
from plano_asgi.exchange import Attempt, Candidate, Exchange
from plano_asgi.pricing import prefix_of
from plano_asgi.telemetry import semconv as names_of
from plano_asgi.telemetry.attribute_values import (
    MAX_TEXT_CHARS,
    Attributes,
    attribute_text,
    name_text,
)
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.request_fields import double, is_int64, put_request_fields
from plano_asgi.telemetry.semconv import Names

if TYPE_CHECKING:
    from plano_asgi.signals.triage import TriageDecision

PROVIDER_NAMES: Mapping[str, str] = {
    "amazon_bedrock": "aws.bedrock",
    "azure_openai": "azure.ai.openai",
    "chatgpt": "openai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "xai": "x_ai",
}
"""Our provider keys that the conventions spell in another way."""
_DIALECT_PROVIDERS = {
    "openai.chat": "openai",
    "openai.responses": "openai",
    "anthropic.messages": "anthropic",
}
_OPERATIONS = {
    "chat": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
}
_MAX_REMEMBERED = 1024  # names
_NO_ATTEMPT = Attempt(candidate=Candidate("", ""), started=0.0)
_API_TYPES = {"openai.chat": "chat_completions", "openai.responses": "responses"}


@lru_cache(_MAX_REMEMBERED)
def provider_name(provider: str, dialect: str = "") -> str:
    """
    ``gen_ai.provider.name`` of the gateway's key *provider*; where nobody says who served, of the
    API that the client speaks. "" if neither tells.
    """
    if provider:
        prefix = prefix_of(provider)
        return PROVIDER_NAMES.get(prefix, prefix)
    return _DIALECT_PROVIDERS.get(dialect, "")


def operation_name(exchange: Exchange) -> str:
    """
    ``gen_ai.operation.name``: the conventions' word where they have one, else the path's. A chat
    request that is only asked where it would go is none: no model answers it.
    """
    if exchange.facts.get("endpoint") == "decision":
        return "routing_decision"
    operation = exchange.operation
    return _OPERATIONS.get(operation) or operation.strip("/").replace("/", "_")


def span_name(exchange: Exchange) -> str:
    """``chat gpt-4o``: the operation, and the model the client asked for."""
    return first_told(exchange)[0]


def _model_asked(exchange: Exchange) -> str:
    """As the client says it, if not at length: it may be anything."""
    model = exchange.model or ""
    return model if len(model) <= MAX_TEXT_CHARS else model[:MAX_TEXT_CHARS]


@lru_cache(_MAX_REMEMBERED)
def _asked(
    operation: str, dialect: str, model: str, *, is_chat: bool, stream: bool
) -> tuple[str, Attributes]:
    """The name, and what is always the same of those who ask the same. Not to be changed."""
    attributes: Attributes = {names_of.OPERATION_NAME: operation, names_of.DIALECT: dialect}
    if stream:
        attributes[names_of.REQUEST_STREAM] = True
    if is_chat and (api := _API_TYPES.get(dialect)):
        attributes[names_of.OPENAI_API_TYPE] = api
    if not model:
        return operation, attributes
    shown = name_text(model)
    attributes[names_of.REQUEST_MODEL] = shown
    return names_of.SPAN_EXCHANGE.format(operation=operation, model=shown), attributes


# ---- what the client asked for


def first_told(exchange: Exchange) -> tuple[str, Attributes]:
    """
    ``span_name``, and what samplers decide by: the operation and, where the body has been read,
    the model.
    """
    operation = operation_name(exchange)
    attributes: Attributes = {names_of.OPERATION_NAME: operation}
    if not exchange.model:
        return operation, attributes
    name, same = _asked(operation, "", _model_asked(exchange), is_chat=False, stream=False)
    attributes[names_of.REQUEST_MODEL] = same[names_of.REQUEST_MODEL]
    return name, attributes


def request_attributes(exchange: Exchange, names: Names) -> Attributes:
    """What *exchange* asks for, once its body has been read; see ``semconv`` for *names*."""
    return named_request(exchange, names)[1]


def named_request(exchange: Exchange, names: Names) -> tuple[str, Attributes]:
    """``span_name`` and ``request_attributes``."""
    dialect, model = exchange.dialect, _model_asked(exchange)
    is_chat, stream = exchange.operation == "chat", exchange.stream
    name, same = _asked(operation_name(exchange), dialect, model, is_chat=is_chat, stream=stream)
    attributes = {**same, names_of.REQUEST_ID: exchange.id}
    asked = exchange.client_body
    put_request_fields(attributes, dialect, exchange.body if asked is None else asked)
    if names is not names_of.RELEASED:
        _rename(attributes, names_of.PLANO_REASONING_LEVEL, names.reasoning_level)
        _rename(attributes, names_of.PLANO_PREVIOUS_RESPONSE_ID, names.previous_response_id)
    return name, attributes


def _rename(attributes: Attributes, old: str, new: str) -> None:
    if old in attributes:
        attributes[new] = attributes.pop(old)


# ---- what came of it

FACTS: Mapping[str, str] = {
    "alias": names_of.ALIAS,
    "cache": names_of.CACHE_OUTCOME,
    "cache_idle_ms": names_of.CACHE_IDLE_MS,
    "cache_warm": names_of.CACHE_WARM,
    "limit": names_of.LIMIT_NAME,
    "memory_hits": names_of.MEMORY_HITS,
    "memory_injected": names_of.MEMORY_INJECTED,
    "memory_store": names_of.MEMORY_STORE,
    "route_cached": names_of.ROUTE_CACHED,
    "route_latency_s": names_of.ROUTE_LATENCY,
    "route_name": names_of.ROUTE_NAME,
    "route_outcome": names_of.ROUTE_OUTCOME,
    "route_reason": names_of.ROUTE_REASON,
    "route_score": names_of.ROUTE_SCORE,
    "route_selector": names_of.ROUTE_SELECTOR,
    "session_baseline_usd": names_of.SESSION_BASELINE,
    "session_id": names_of.SESSION_ID,
    "session_idle_s": names_of.SESSION_IDLE,
    "session_overhead_pct": names_of.SESSION_OVERHEAD_PCT,
    "session_pinned": names_of.SESSION_PINNED,
    "session_skipped": names_of.ROUTING_SKIPPED,
    "session_store": names_of.SESSION_STORE,
    "session_switch_spend_usd": names_of.SESSION_SWITCH_SPEND,
    "session_switched": names_of.SESSION_SWITCHED,
    "session_switches": names_of.SESSION_SWITCHES,
    "session_total_cost_usd": names_of.SESSION_TOTAL_COST,
    "state_thread": names_of.STATE_THREAD,
    "switch_ceiling_usd": names_of.SWITCH_CEILING,
    "switch_cost_usd": names_of.SWITCH_COST,
    "switch_counterfactual": names_of.SWITCH_COUNTERFACTUAL,
    "switch_decision": names_of.SWITCH_DECISION,
    "switch_warm_tokens": names_of.SWITCH_WARM_TOKENS,
}
"""``Exchange.facts`` and their attributes; a fact of an extension becomes ``plano.<its name>``."""


def outcome_attributes(outcome: Outcome, names: Names) -> Attributes:
    """What came of an exchange; see ``semconv`` for *names*."""
    exchange = outcome.exchange
    attempts, facts, answer = exchange.attempts, exchange.facts, outcome.answer
    last, provider = attempts[-1] if attempts else _NO_ATTEMPT, outcome.provider
    model = outcome.model[:MAX_TEXT_CHARS] if provider else ""
    attributes: Attributes = {
        **_served(provider, exchange.dialect, model, last.address, last.port),
        names_of.REQUEST_BYTES: outcome.request_bytes,
        names_of.RESPONSE_BYTES: outcome.response_bytes,
    }
    if outcome.status is not None:
        attributes[names_of.HTTP_RESPONSE_STATUS_CODE] = outcome.status
    if outcome.error_type:
        attributes[names_of.ERROR_TYPE] = outcome.error_type
    if exchange.disconnected:
        attributes[names_of.DISCONNECTED] = True
    if attempts:
        attributes[names_of.ATTEMPTS] = len(attempts)
    if outcome.response_id:
        attributes[names_of.RESPONSE_ID] = attribute_text(outcome.response_id)
    if outcome.response_model:
        attributes[names_of.RESPONSE_MODEL] = name_text(outcome.response_model)
    if outcome.finish_reasons:
        attributes[names_of.RESPONSE_FINISH_REASONS] = outcome.finish_reasons
    if exchange.stream:
        _put_stream(attributes, outcome)
    if answer is not None and answer.dialect.startswith("openai."):
        _put_openai(attributes, answer)
    if outcome.usage is not None:
        _put_usage(attributes, outcome.usage, names)
    if outcome.cost is not None:
        _put_cost(attributes, outcome.cost)
    if facts:
        _put_facts(attributes, exchange)
    return attributes


@lru_cache(_MAX_REMEMBERED)
def _served(
    provider: str, dialect: str, model: str, address: str | None, port: int | None
) -> Attributes:
    """Who served, and the upstream that was asked last. Not to be changed."""
    attributes: Attributes = {}
    if name := provider_name(provider, dialect):
        attributes[names_of.PROVIDER_NAME] = name
    if provider:
        attributes[names_of.PROVIDER] = provider
        attributes[names_of.MODEL] = name_text(model)
    if address is not None:
        attributes[names_of.SERVER_ADDRESS] = address
        if port is not None:
            attributes[names_of.SERVER_PORT] = port
    return attributes


def _put_stream(attributes: Attributes, outcome: Outcome) -> None:
    attributes[names_of.RESPONSE_CHUNKS] = outcome.chunks
    if outcome.first_chunk_s is not None:
        attributes[names_of.RESPONSE_TIME_TO_FIRST_CHUNK] = outcome.first_chunk_s


def _put_openai(attributes: Attributes, answer: ChatResponse) -> None:
    if answer.service_tier:
        attributes[names_of.OPENAI_RESPONSE_SERVICE_TIER] = attribute_text(answer.service_tier)
    fingerprint = answer.extras.get("system_fingerprint")
    if isinstance(fingerprint, str):
        attributes[names_of.OPENAI_RESPONSE_SYSTEM_FINGERPRINT] = attribute_text(fingerprint)


def _put_usage(attributes: Attributes, usage: Usage, names: Names) -> None:
    attributes[names_of.USAGE_INPUT_TOKENS] = usage.input_tokens
    attributes[names_of.USAGE_OUTPUT_TOKENS] = usage.output_tokens
    if usage.cache_read_input_tokens:
        attributes[names_of.USAGE_CACHE_READ] = usage.cache_read_input_tokens
    if usage.cache_creation_input_tokens:
        attributes[names.cache_creation] = usage.cache_creation_input_tokens
    if usage.reasoning_output_tokens:
        attributes[names_of.USAGE_REASONING] = usage.reasoning_output_tokens
    if usage.estimated:
        attributes[names_of.USAGE_ESTIMATED] = True


def _put_cost(attributes: Attributes, cost: Cost) -> None:
    attributes[names_of.COST_TOTAL] = cost.total_usd
    attributes[names_of.COST_INPUT] = cost.input_usd
    attributes[names_of.COST_OUTPUT] = cost.output_usd
    if cost.is_estimated:
        attributes[names_of.COST_ESTIMATED] = True


def _put_facts(attributes: Attributes, exchange: Exchange) -> None:
    facts = exchange.facts
    for key, value in facts.items():
        # An extension may have put anything there.
        name = FACTS.get(key) or f"plano.{attribute_text(key)}"
        if isinstance(value, str):
            attributes[name] = attribute_text(value)
        elif isinstance(value, bool | float) or is_int64(value):
            attributes[name] = value
    thread, session = facts.get("state_thread"), facts.get("session_id")
    if thread is None and session is not None:
        asked = exchange.body if exchange.client_body is None else exchange.client_body
        thread = None if asked.get("conversation") else session
    if isinstance(thread, str):
        attributes[names_of.CONVERSATION_ID] = attribute_text(thread)


def triage_attributes(decision: TriageDecision) -> Attributes:
    """What the triage thinks of the exchange's trace."""
    return {
        names_of.TRIAGE_KEEP: decision.keep,
        names_of.TRIAGE_SCORE: float(decision.score),
        names_of.TRIAGE_REASON: decision.reason,
    }


def plano_attributes(outcome: Outcome) -> Attributes:
    """
    The names Plano 0.4 had where the conventions now have others (``llm.*``, milliseconds): for
    dashboards that were made for it, beside ``outcome_attributes``.
    """
    exchange, usage, cost = outcome.exchange, outcome.usage, outcome.cost
    attributes: Attributes = {
        names_of.LLM_DURATION_MS: round(outcome.duration_s * 1000),
        names_of.LLM_RESPONSE_BYTES: outcome.response_bytes,
    }
    if model := outcome.response_model or outcome.model:
        attributes[names_of.LLM_MODEL] = name_text(model)
    if outcome.provider:
        attributes[names_of.LLM_PROVIDER] = outcome.provider
    asked = exchange.body if exchange.client_body is None else exchange.client_body
    if (temperature := double(asked.get("temperature"))) is not None:
        attributes[names_of.LLM_TEMPERATURE] = str(temperature)
    if outcome.status is not None:
        attributes[names_of.HTTP_STATUS_CODE] = outcome.status
    if outcome.first_chunk_s is not None:
        attributes[names_of.LLM_TIME_TO_FIRST_TOKEN] = round(outcome.first_chunk_s * 1000)
    if usage is not None:
        attributes |= {
            names_of.LLM_PROMPT_TOKENS: usage.input_tokens,
            names_of.LLM_COMPLETION_TOKENS: usage.output_tokens,
            names_of.LLM_TOTAL_TOKENS: usage.input_tokens + usage.output_tokens,
            names_of.LLM_CACHED_TOKENS: usage.cache_read_input_tokens,
            names_of.LLM_CACHE_CREATION_TOKENS: usage.cache_creation_input_tokens,
            names_of.LLM_REASONING_TOKENS: usage.reasoning_output_tokens,
        }
    if cost is not None:
        attributes |= {
            names_of.LLM_INPUT_COST: cost.input_usd,
            names_of.LLM_OUTPUT_COST: cost.output_usd,
            names_of.LLM_TOTAL_COST: cost.total_usd,
        }
    return attributes
