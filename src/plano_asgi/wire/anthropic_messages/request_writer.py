"""
A neutral request into an upstream's Messages body.

Dropped as safe where the request came by another dialect: seed, user-defined metadata, names of
participants, storage and caching hints, verbosity, strictness that is off. Anthropic's own OpenAI
compatibility layer passes over the same fields. ``json_object`` (JSON of no given schema) becomes
a line of system text; everything else the API cannot say is refused by name.

Source: https://docs.anthropic.com/en/api/messages,
https://docs.anthropic.com/en/api/openai-sdk (what is safe to drop)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.anthropic_messages.blocks import NAME
from plano_asgi.wire.anthropic_messages.fields import rest
from plano_asgi.wire.anthropic_messages.thinking import Thinking, plan_thinking, read_reasoning
from plano_asgi.wire.anthropic_messages.tools import write_tool_choice, write_tools
from plano_asgi.wire.anthropic_messages.turns import ConversationWriter, bare_loop, short_content
from plano_asgi.wire.base import WriteOptions

JSON_INSTRUCTION = "Respond with a single valid JSON object and nothing else."
"""The system text that stands for ``json_object``."""

_REFUSED: dict[str, Callable[[ChatRequest], bool]] = {
    "n": lambda request: (request.n or 1) > 1,
    "logprobs": lambda request: bool(request.logprobs or request.top_logprobs),
    "frequency_penalty": lambda request: bool(request.frequency_penalty),
    "presence_penalty": lambda request: bool(request.presence_penalty),
}
_SAFE_EXTRAS = frozenset(
    {
        "client_metadata",
        "include",
        "include_reasoning",
        "performanceConfig",
        "prediction",
        "max_tool_calls",  # counts server-tool calls, and those tools are refused
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "provider",
        "requestMetadata",
        "safety_identifier",
        "store",
        "stream_options",
        "text",
        "thinking",  # read as reasoning
        "transforms",
        "truncation",
        "usage",
        "verbosity",
        "web_search_options",  # became a tool
    }
)
_BORROWED_EXTRAS = frozenset({"cache_control", "mcp_servers"})
"""Fields of this API that clients of other APIs send on purpose; passed on."""

_TIERS = {"auto": "auto", "default": "standard_only"}


def write_request(request: ChatRequest, options: WriteOptions) -> JSONObject:
    """
    Write a Messages request.

    A request of the same dialect comes out as it was read, up to: a lone plain text block as its
    string, tool results first in their turn, ``output_format`` (beta) as ``output_config.format``,
    and no fields that say what the default says (``is_error: false``, empty lists, nulls).

    Raises:
        UnsupportedField: See ``WriteOptions.on_unsupported``.
        RequestError: Tool call arguments that are not a JSON object.
    """
    native = request.dialect == NAME
    if not native and request.reasoning is None:
        request = _with_borrowed_thinking(request)
    system, turns = ConversationWriter(request, options).write()
    if request.output_format is not None and request.output_format.kind == "json_object":
        system.append({"type": "text", "text": JSON_INSTRUCTION})
    tools = write_tools(request, options)
    choice = write_tool_choice(request, options, has_tools=bool(tools))
    forced = choice is not None and choice.get("type") in ("any", "tool")
    plan = plan_thinking(request, options, forced=forced, bare_loop=bare_loop(turns))

    body: JSONObject = {"model": request.model} if request.model else {}
    body["max_tokens"] = plan.max_tokens
    if system:
        body["system"] = short_content(system)
    body["messages"] = [turn.written() for turn in turns]
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice
    if plan.thinking is not None:
        body["thinking"] = plan.thinking
    if config := _output_config(request, plan):
        body["output_config"] = config
    body |= _sampling(request) if native else _foreign_sampling(request, options, plan)
    body |= _bookkeeping(request, native=native)
    return body | _extras(request, options, native=native)


def _with_borrowed_thinking(request: ChatRequest) -> ChatRequest:
    """Chat clients that mean Claude send its own ``thinking`` object."""
    thinking = request.extras.get("thinking")
    if not isinstance(thinking, dict):
        return request
    return replace(request, reasoning=read_reasoning(thinking, None))


def _output_config(request: ChatRequest, plan: Thinking) -> JSONObject:
    kept = request.extras.get("output_config") if request.dialect == NAME else None
    config: JSONObject = dict(kept) if isinstance(kept, dict) else {}
    if plan.effort is not None:
        config["effort"] = plan.effort
    form = request.output_format
    if form is not None and form.kind == "json_schema":
        schema = form.schema or {}
        closed = schema if request.dialect == NAME else _closed(schema)
        config["format"] = {"type": "json_schema", "schema": closed}
    return config


def _closed(schema: Any) -> Any:
    """*schema* with ``additionalProperties: false`` on every object that says nothing about it:
    the API demands it, and an answer to the narrower schema is one to the wider."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def _sampling(request: ChatRequest) -> JSONObject:
    fields = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": request.stop or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _foreign_sampling(request: ChatRequest, options: WriteOptions, plan: Thinking) -> JSONObject:
    """Sampling in Anthropic's ranges: temperature 0 to 1, and next to none while thinking."""
    drop = options.on_unsupported == "drop"
    for name, asked in _REFUSED.items():
        if asked(request) and not drop:
            raise UnsupportedField(name, NAME)
    fields = _sampling(request)
    if fields.get("temperature", 0) > 1:
        if not drop:
            raise UnsupportedField("temperature", NAME, "it goes from 0 to 1")
        fields["temperature"] = 1
    if plan.on:
        fields.pop("temperature", None)
        fields.pop("top_k", None)
        if fields.get("top_p", 1) < 0.95:
            del fields["top_p"]
    visible = [text for text in request.stop if text.strip()]  # others are refused
    fields.pop("stop_sequences", None)
    return fields | ({"stop_sequences": visible} if visible else {})


def _bookkeeping(request: ChatRequest, *, native: bool) -> JSONObject:
    fields: JSONObject = {"stream": True} if request.stream else {}
    metadata = dict(request.metadata or {}) if native else {}
    if request.user is not None:
        metadata["user_id"] = request.user
    if metadata:
        fields["metadata"] = metadata
    tier = request.service_tier
    tier = tier if native or tier is None else _TIERS.get(tier)
    if tier is not None:
        fields["service_tier"] = tier
    return fields


def _extras(request: ChatRequest, options: WriteOptions, *, native: bool) -> JSONObject:
    if native:
        return rest(request.extras, "output_config")
    fields: JSONObject = {}
    for name, value in request.extras.items():
        if name in _BORROWED_EXTRAS:
            fields[name] = value
        elif value and not _safe(name, value) and options.on_unsupported == "error":
            raise UnsupportedField(name, NAME)
    return fields


def _safe(name: str, value: Any) -> bool:
    return name in _SAFE_EXTRAS or (name == "modalities" and value == ["text"])
