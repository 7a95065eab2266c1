"""
An upstream body, written.

A request of this dialect gets its own fields back. One of another dialect is written *stateless*:
``store: false`` and ``include: ["reasoning.encrypted_content"]``, so that nothing stays upstream
and the client can replay the reasoning it was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, Message, OutputFormat, Part, Reasoning, TextPart
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.foreign import OPENAI_DIALECTS, shared_user
from plano_asgi.wire.openai_responses.item_writer import ItemWriter
from plano_asgi.wire.openai_responses.names import ENCRYPTED_REASONING, NAME, TEXT_LOGPROBS
from plano_asgi.wire.openai_responses.request import SCALARS
from plano_asgi.wire.openai_responses.tools import write_tool_choice, write_tools

MIN_OUTPUT_TOKENS = 16
"""The API refuses smaller limits; clients probe with ``max_tokens: 1``."""

_EFFORT_OF_BUDGET = ((4096, "low"), (16384, "medium"))
"""Upper bounds of ``budget_tokens``; anything above is high."""

_SAME_FIELD = frozenset(
    {
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "safety_identifier",
        "moderation",
    }
)
"""Fields that this API and chat share, under the same name and with the same meaning."""

_SAFE_TO_DROP = {
    "openai.chat": frozenset(
        {
            "cache_control",
            "prediction",  # speeds up, changes nothing
            "store",  # we write our own
            "stream_options",
        }
    ),
    "anthropic.messages": frozenset(
        {
            "anthropic_beta",
            "anthropic_version",
            "betas",
            "cache_control",
            "context_management",
            "metadata",
            "output_config",
            "speed",
        }
    ),
    "bedrock.converse": frozenset(
        {"additionalModelResponseFieldPaths", "performanceConfig", "requestMetadata", "serviceTier"}
    ),
}
"""Fields that only tune how another API works."""


def write_request(request: ChatRequest, options: WriteOptions) -> JSONObject:
    """See ``Dialect.write_request``."""
    own = request.dialect == NAME
    # A stored prompt (``prompt``) may name the model.
    body: JSONObject = {"model": request.model} if request.model or not own else {}
    body |= _write_input(request, own, options)
    for key in SCALARS:
        if (value := getattr(request, key)) is not None:
            body[key] = value
    if tools := write_tools(request, options):
        body["tools"] = tools
    if (choice := write_tool_choice(request, options)) is not None:
        body["tool_choice"] = choice
    if text := write_text_config(request):
        body["text"] = text
    if request.stream:
        body["stream"] = True
    _write_own(request, body) if own else _write_foreign(request, body, options)
    return body


def write_text_config(request: ChatRequest) -> JSONObject:
    """The ``text`` object of *request*, empty where nothing was asked."""
    text: JSONObject = dict(request.extras.get("text") or {}) if request.dialect == NAME else {}
    if request.output_format is not None:
        text["format"] = _write_format(request.output_format, own=request.dialect == NAME)
    if isinstance(verbosity := request.extras.get("verbosity"), str):
        text["verbosity"] = verbosity
    return text


def _write_format(shape: OutputFormat, *, own: bool) -> JSONObject:
    if shape.kind != "json_schema":
        return {"type": shape.kind}
    body: JSONObject = {"type": "json_schema", "schema": shape.schema or {}}
    if shape.name is not None or not own:
        body["name"] = shape.name or "response"
    if shape.strict is not None:
        body["strict"] = shape.strict
    if shape.description is not None:
        body["description"] = shape.description
    return body


# --------------------------------------------------------------------------- input


def _write_input(request: ChatRequest, own: bool, options: WriteOptions) -> JSONObject:
    writer = ItemWriter(dialect=request.dialect, options=options)
    is_instructions = _is_marked if own else _is_system_text
    leading = list(takewhile(is_instructions, request.messages))
    rest = request.messages[len(leading) :]
    text = "\n\n".join(_instructions(message, own=own) for message in leading)
    if not rest and leading and not own:
        return {"input": writer.items(leading)}  # instructions alone are no input
    body: JSONObject = {"instructions": text} if leading else {}
    match rest:
        case [Message(parts=[TextPart(text=whole)], extras={"openai.responses": {"input": _}})]:
            if own:
                return body | {"input": whole}
    items = writer.items(rest)
    return body if own and not rest else body | {"input": items}


def _instructions(message: Message, *, own: bool) -> str:
    """The text of a system message; the parts of another dialect's are blocks of their own."""
    return message.text if own else "\n\n".join(_text_of(message.parts))


def _text_of(parts: Sequence[Part]) -> Iterator[str]:
    return (part.text for part in parts if isinstance(part, TextPart) and part.text)


def _is_marked(message: Message) -> bool:
    return bool(message.extras.get(NAME, {}).get("instructions"))


def _is_system_text(message: Message) -> bool:
    texts_only = all(isinstance(part, TextPart) for part in message.parts)
    return message.role in ("system", "developer") and texts_only


# --------------------------------------------------------------------------- our own requests


def _write_own(request: ChatRequest, body: JSONObject) -> None:
    apart = ("text", "verbosity", "include")
    body |= {key: value for key, value in request.extras.items() if key not in apart}
    if request.user is not None and request.user == request.extras.get("safety_identifier"):
        del body["user"]
    if reasoning := write_own_reasoning(request.reasoning):
        body["reasoning"] = reasoning
    if include := _include(request, list(request.extras.get("include") or ())):
        body["include"] = include


def write_own_reasoning(reasoning: Reasoning | None) -> JSONObject:
    """The ``reasoning`` object of a request of this dialect."""
    if reasoning is None:
        return {}
    body = dict(reasoning.extras)
    if reasoning.effort is not None:
        body["effort"] = reasoning.effort
    if reasoning.summary is not None and not body.get("generate_summary"):
        body["summary"] = reasoning.summary
    return body


def _include(request: ChatRequest, include: list[Any]) -> list[Any]:
    if request.reasoning is not None and request.reasoning.encrypted:
        include.append(ENCRYPTED_REASONING)
    if request.logprobs:
        include.append(TEXT_LOGPROBS)
    return include


# --------------------------------------------------------------------------- other dialects'


def _write_foreign(request: ChatRequest, body: JSONObject, options: WriteOptions) -> None:
    if options.on_unsupported == "error":
        _refuse(request)
    if request.max_output_tokens is not None:
        body["max_output_tokens"] = max(request.max_output_tokens, MIN_OUTPUT_TOKENS)
    if request.metadata is not None:
        # Only text values here; others' metadata may hold null (Anthropic ``user_id``).
        texts = {k: v for k, v in request.metadata.items() if isinstance(v, str)}
        body["metadata"] = texts
    if request.dialect not in OPENAI_DIALECTS:
        body.pop("service_tier", None)  # another vendor's tiers
    if shared_user(request) is None:
        body.pop("user", None)
    for key in _same_fields(request):
        body[key] = request.extras[key]
    if isinstance(search := request.extras.get("web_search_options"), dict):
        body.setdefault("tools", []).append(_web_search(search))
    if "tools" not in body:
        for key in ("tool_choice", "parallel_tool_calls"):
            body.pop(key, None)  # the API wants tools beside them
    if reasoning := _foreign_reasoning(request.reasoning):
        body["reasoning"] = reasoning
    body["store"] = False
    body["include"] = [ENCRYPTED_REASONING, *([TEXT_LOGPROBS] if request.logprobs else [])]


def _foreign_reasoning(reasoning: Reasoning | None) -> JSONObject:
    """
    ``reasoning`` of another dialect's settings.

    Thinking that is merely switched off is not mentioned: models that do not reason refuse the
    field, and few of the others know the effort "none".
    """
    if reasoning is None:
        return {}
    effort, budget = reasoning.effort, reasoning.budget_tokens
    if effort is None and reasoning.enabled is False:
        return {}
    if effort is None and budget is not None:
        effort = next((word for limit, word in _EFFORT_OF_BUDGET if budget < limit), "high")
    body: JSONObject = {} if effort is None else {"effort": effort}
    wanted = reasoning.enabled or reasoning.adaptive or effort not in (None, "none")
    if summary := reasoning.summary or ("auto" if wanted else None):
        body["summary"] = summary
    return body


def _web_search(options: JSONObject) -> JSONObject:
    tool: JSONObject = {"type": "web_search"}
    if size := options.get("search_context_size"):
        tool["search_context_size"] = size
    place = options.get("user_location")
    if isinstance(place, dict):
        tool["user_location"] = {"type": "approximate", **(place.get("approximate") or {})}
    return tool


_UNSUPPORTED: dict[str, Callable[[ChatRequest], bool]] = {
    "stop": lambda request: bool(request.stop),
    "n": lambda request: (request.n or 1) > 1,
    "top_k": lambda request: request.top_k is not None,
    "frequency_penalty": lambda request: bool(request.frequency_penalty),
    "presence_penalty": lambda request: bool(request.presence_penalty),
}


def _refuse(request: ChatRequest) -> None:
    for field, is_set in _UNSUPPORTED.items():
        if is_set(request):
            raise UnsupportedField(field, NAME)
    known = _same_fields(request) | _SAFE_TO_DROP.get(request.dialect, frozenset())
    known |= {"verbosity", "web_search_options"}
    for field, value in request.extras.items():
        harmless = value in (None, [], {}) or (field == "modalities" and value == ["text"])
        if field not in known and not harmless:
            raise UnsupportedField(field, NAME)


def _same_fields(request: ChatRequest) -> frozenset[str]:
    return (
        _SAME_FIELD & request.extras.keys() if request.dialect in OPENAI_DIALECTS else frozenset()
    )
