"""
Write a Converse request from any client's.

Decisions where Converse and the neutral form differ:

* ``model`` is in the URL, so it is not in the body.
* System and developer messages go to ``system``, wherever they stand in the conversation.
* ``top_k`` and thinking are model-specific: they go to ``additionalModelRequestFields`` in the
  spelling of Anthropic's models, the only ones on Bedrock that have both. A reasoning effort has
  a field of Converse's own, ``outputConfig.effort`` (of botocore 1.44.5's service model); it asks
  for no visible thinking by itself.
* A JSON schema goes to ``outputConfig.textFormat``; free JSON output cannot be asked for.
* Metadata and user are labels: those that fit ``requestMetadata``'s rules are sent, others not,
  nor another API's long user id (``wire.foreign.MAX_USER_CHARS``).
* What other APIs' server tools found in earlier turns is told as text.
* ``seed`` is best effort by its own definition, the service tier a wish: both may be dropped.

Source: the ``bedrock-runtime`` service model, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re

from plano_asgi._json import JSONObject, dumps_str
from plano_asgi.conversation import ChatRequest, Message, OutputFormat, Reasoning
from plano_asgi.errors import RequestError
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.bedrock_converse.blocks import Writing, write_blocks
from plano_asgi.wire.bedrock_converse.media import DocumentNames
from plano_asgi.wire.bedrock_converse.names import KIN, NAME
from plano_asgi.wire.bedrock_converse.tools import write_tool_config
from plano_asgi.wire.foreign import shared_user

_SAFE_TO_DROP = frozenset(
    {
        # where the upstream keeps or caches things
        "store",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "cache_control",
        # wishes about speed, length and the shape of the stream
        "prediction",
        "verbosity",
        "text",
        "speed",
        "output_config",
        "stream_options",
        "truncation",
        "context_management",
        "max_tool_calls",  # counts server-tool calls, and those tools are refused
        # who asks, in which version
        "safety_identifier",
        "client_metadata",
        "anthropic_version",
        "anthropic_beta",
        "betas",
        # more to be told, nothing to be done
        "include",
        "usage",
    }
)

_SERVICE_TIERS = {
    "default": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}

_SYSTEM_BLOCKS = frozenset({"text", "guardContent", "cachePoint"})

_EFFORTS = {"none": None, "minimal": "low"}

_LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_MAX_LABELS = 16


def write_request(request: ChatRequest, options: WriteOptions) -> JSONObject:
    """
    The body of ``POST /model/{model}/converse`` (or ``converse-stream``).

    Raises:
        UnsupportedField: See ``WriteOptions.on_unsupported``.
        RequestError: Tool arguments that are no JSON object, or nothing left to say.
    """
    own = request.dialect == NAME
    writing = Writing(options=options, own=own, names=DocumentNames(keep=own))
    body: JSONObject = dict(request.extras) if own else {}
    _check_fields(request, writing)
    system, messages = _write_messages(request.messages, writing)
    body["messages"] = messages
    fields: dict[str, object] = {
        "system": system,
        "inferenceConfig": _inference_config(request),
        "toolConfig": write_tool_config(request, writing),
        "outputConfig": _output_config(request, body, writing),
        "additionalModelRequestFields": _model_fields(request, body),
        "requestMetadata": _labels(request),
    }
    if tier := _SERVICE_TIERS.get(request.service_tier or ""):
        fields["serviceTier"] = {"type": tier}
    return {**body, **{name: value for name, value in fields.items() if value}}


def _check_fields(request: ChatRequest, writing: Writing) -> None:
    refused = {
        "n": request.n is not None and request.n > 1,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
    }
    if not writing.own:
        refused.update(
            (name, value)
            for name, value in request.extras.items()
            if name not in _SAFE_TO_DROP and (name, value) != ("modalities", ["text"])
        )
    for name, value in refused.items():
        if value:  # empty, zero and false ask for nothing
            writing.refuse(name)


def _write_messages(
    messages: list[Message], writing: Writing
) -> tuple[list[JSONObject], list[JSONObject]]:
    """The system blocks, and the turns with adjacent ones of the same role merged."""
    system: list[JSONObject] = []
    turns: list[JSONObject] = []
    for number, message in enumerate(messages):
        blocks = write_blocks(message.parts, f"messages.{number}.content", writing)
        role = "assistant" if message.role == "assistant" else "user"
        if message.role in ("system", "developer"):
            # Converse's own system turns, which add and remove tools, keep their place.
            if not (writing.own and turns):
                system += _system_blocks(blocks, number, writing)
                continue
            role = "system"
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if not turns and any(message.role not in ("system", "developer") for message in messages):
        raise RequestError("the messages have no content", param="messages")
    return system, turns


def _system_blocks(blocks: list[JSONObject], number: int, writing: Writing) -> list[JSONObject]:
    kept = [block for block in blocks if not _SYSTEM_BLOCKS.isdisjoint(block)]
    if len(kept) < len(blocks):
        writing.refuse(f"messages.{number}.content", "a system prompt is text")
    return kept


def _inference_config(request: ChatRequest) -> JSONObject:
    config = {
        "maxTokens": request.max_output_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": request.stop or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _output_config(request: ChatRequest, body: JSONObject, writing: Writing) -> JSONObject:
    config: JSONObject = dict(body.get("outputConfig") or {})
    if text_format := _text_format(request.output_format, writing):
        config["textFormat"] = text_format
    effort = request.reasoning.effort if request.reasoning else None
    if effort and (written := _EFFORTS.get(effort, effort)):
        config["effort"] = written
    return config


def _text_format(wanted: OutputFormat | None, writing: Writing) -> JSONObject | None:
    if wanted is None or wanted.kind == "text":
        return None
    if wanted.kind == "json_object" or wanted.schema is None:
        writing.refuse("response_format", "JSON output needs a schema")
        return None
    schema: JSONObject = {"schema": dumps_str(wanted.schema)}
    if wanted.name:
        schema["name"] = wanted.name
    if wanted.description:
        schema["description"] = wanted.description
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _model_fields(request: ChatRequest, body: JSONObject) -> JSONObject:
    fields: JSONObject = dict(body.get("additionalModelRequestFields") or {})
    if request.top_k is not None:
        fields["top_k"] = request.top_k
    if request.reasoning and (thinking := _thinking(request.reasoning, request.dialect in KIN)):
        fields["thinking"] = thinking
    return fields


def _thinking(reasoning: Reasoning, kin: bool) -> JSONObject | None:
    """Anthropic's ``thinking``; *kin*: the extras and an explicit "disabled" are Anthropic's."""
    extras = reasoning.extras if kin else {}
    if reasoning.enabled is False:
        return {**extras, "type": "disabled"} if kin else None
    if reasoning.budget_tokens is not None:
        return {**extras, "type": "enabled", "budget_tokens": reasoning.budget_tokens}
    return {**extras, "type": "adaptive"} if reasoning.adaptive else None


def _labels(request: ChatRequest) -> JSONObject:
    user = shared_user(request)
    labels = {**({"user": user} if user else {}), **(request.metadata or {})}
    fitting = (
        (name, value)
        for name, value in labels.items()
        if isinstance(value, str)
        and _LABEL.fullmatch(name)
        and (not value or _LABEL.fullmatch(value))
    )
    return dict(list(fitting)[:_MAX_LABELS])
