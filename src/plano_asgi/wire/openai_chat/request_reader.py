"""
A client's chat body, read into the neutral request.

Normalised on the way, so that a body written back differs from the one read in these points only:
``max_tokens`` becomes ``max_completion_tokens``; a single ``stop`` becomes a list; ``functions``,
``function_call`` and messages of role ``function`` become tools, tool choice, tool calls and tool
messages; content of one plain text part is a string; an image given as a bare string becomes an
object; null, empty or false where the API's default is the same are left out.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    Message,
    OpaquePart,
    OutputFormat,
    Part,
    Reasoning,
    RefusalPart,
    Role,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.openai_chat.fields import NAME, element, optional, required, rest, wrong_type
from plano_asgi.wire.openai_chat.media import read_content
from plano_asgi.wire.openai_chat.reasoning import REASONING_KEYS, read_reasoning
from plano_asgi.wire.openai_chat.tools import (
    arguments_text,
    read_tool_call,
    read_tool_choice,
    read_tools,
)

SCALARS: dict[str, type] = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "seed": int,
    "n": int,
    "frequency_penalty": float,
    "presence_penalty": float,
    "logprobs": bool,
    "top_logprobs": int,
    "parallel_tool_calls": bool,
    "user": str,
    "metadata": dict,
    "service_tier": str,
}
"""Fields that have the same name in ``ChatRequest``, and their JSON type."""

_OTHERS = (
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "stream",
    "stream_options",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
)
_MODELLED = frozenset({*SCALARS, *_OTHERS})


def read_request(body: JSONObject) -> ChatRequest:
    """
    Read a body.

    Raises:
        RequestError: A field we model has the wrong type; ``param`` is its path.
    """
    extras = rest(body, _MODELLED)
    scalars: dict[str, Any] = {key: optional(body, key, kind) for key, kind in SCALARS.items()}
    limit = optional(body, "max_completion_tokens", int)
    request = ChatRequest(
        model=optional(body, "model", str) or "",  # a router may choose for the client
        messages=read_messages(required(body, "messages", list)),
        dialect=NAME,
        tools=read_tools(body),
        tool_choice=read_tool_choice(body),
        max_output_tokens=optional(body, "max_tokens", int) if limit is None else limit,
        stop=_read_stop(body),
        output_format=_read_format(body, extras),
        reasoning=read_effort(body),
        stream=optional(body, "stream", bool) or False,
        extras=extras,
        **scalars,
    )
    options = optional(body, "stream_options", dict) or {}
    request.include_usage = optional(options, "include_usage", bool, "stream_options.") or False
    if others := rest(options, ("include_usage",)):
        extras["stream_options"] = others
    return request


def _read_stop(body: JSONObject) -> list[str]:
    stop = body.get("stop")
    if isinstance(stop, str):
        return [stop]
    sequences = optional(body, "stop", list) or []
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise wrong_type(f"stop.{i}", str)
    return sequences


def _read_format(body: JSONObject, extras: JSONObject) -> OutputFormat | None:
    """Formats of compatible upstreams (grammars, regular expressions) stay in *extras*."""
    given = optional(body, "response_format", dict)
    if given is None:
        return None
    kind = required(given, "type", str, "response_format.")
    if kind in ("text", "json_object") and len(given) == 1:
        return OutputFormat(kind="text" if kind == "text" else "json_object")
    if kind == "json_schema" and isinstance(given.get("json_schema"), dict):
        schema = given["json_schema"]
        if len(given) == 2 and schema.keys() <= {"name", "schema", "strict", "description"}:
            path = "response_format.json_schema."
            return OutputFormat(
                kind="json_schema",
                name=optional(schema, "name", str, path),
                schema=optional(schema, "schema", dict, path),
                strict=optional(schema, "strict", bool, path),
                description=optional(schema, "description", str, path),
            )
    extras["response_format"] = given
    return None


def read_effort(body: JSONObject) -> Reasoning | None:
    """
    ``reasoning_effort``, and the objects ``reasoning`` and ``thinking`` of compatible APIs.

    All three are kept in ``Reasoning.extras``, to be written back as they came.
    """
    effort = optional(body, "reasoning_effort", str)
    asked = optional(body, "reasoning", dict)
    thinking = optional(body, "thinking", dict)
    if effort is None and asked is None and thinking is None:
        return None
    read = Reasoning(effort=effort)
    if effort is not None:
        read.extras["reasoning_effort"] = effort
    if asked is not None:
        read.effort = effort or optional(asked, "effort", str, "reasoning.")
        read.budget_tokens = optional(asked, "max_tokens", int, "reasoning.")
        read.enabled = optional(asked, "enabled", bool, "reasoning.")
        read.summary = optional(asked, "summary", str, "reasoning.")
        read.extras["reasoning"] = asked
    if thinking is not None:
        kind = optional(thinking, "type", str, "thinking.")
        read.adaptive = kind == "adaptive"
        if kind in ("enabled", "disabled"):
            read.enabled = kind == "enabled"
        budget = optional(thinking, "budget_tokens", int, "thinking.")
        read.budget_tokens = read.budget_tokens if budget is None else budget
        read.extras["thinking"] = thinking
    return read


# --------------------------------------------------------------------------- messages


def read_messages(items: list[Any]) -> list[Message]:
    """Every message in order. Raises ``RequestError``."""
    messages: list[Message] = []
    legacy_id = ""
    for i, item in enumerate(items):
        path = f"messages.{i}"
        message = element(item, path)
        role = required(message, "role", str, f"{path}.")
        if (reader := _READERS.get(role)) is None:
            raise RequestError(
                f"'{path}.role' must be one of {', '.join(_READERS)}",
                param=f"{path}.role",
                code="invalid_value",
            )
        if message.get("function_call") is not None:
            legacy_id = f"call_{i}"  # the legacy API pairs call and answer by their order
        messages.append(reader(message, f"{path}.", legacy_id or f"call_{i}"))
    return messages


def _reader(role: Role) -> Callable[[JSONObject, str, str], Message]:
    def read(message: JSONObject, path: str, legacy_id: str) -> Message:
        return Message(
            role=role,
            parts=read_content(message.get("content"), f"{path}content"),
            name=optional(message, "name", str, path),
            extras=rest(message, ("role", "content", "name")),
        )

    return read


_ASSISTANT_KEYS = frozenset(
    {"role", "content", "name", "refusal", "audio", "tool_calls", "function_call"}
)


def _read_assistant(message: JSONObject, path: str, legacy_id: str) -> Message:
    for key in REASONING_KEYS:
        optional(message, key, str if key in ("reasoning_content", "reasoning") else list, path)
    parts: list[Part] = [*read_reasoning(message)]
    parts += read_content(message.get("content"), f"{path}content")
    if refusal := optional(message, "refusal", str, path):
        parts.append(RefusalPart(text=refusal))
    if audio := optional(message, "audio", dict, path):
        parts.append(OpaquePart(dialect=NAME, raw={"audio": audio}))
    for i, call in enumerate(optional(message, "tool_calls", list, path) or []):
        where = f"{path}tool_calls.{i}"
        parts.append(read_tool_call(element(call, where), f"{where}."))
    if call := optional(message, "function_call", dict, path):
        name = required(call, "name", str, f"{path}function_call.")
        arguments = arguments_text(call.get("arguments"))
        parts.append(ToolCallPart(id=legacy_id, name=name, arguments=arguments))
    extras = rest(message, _ASSISTANT_KEYS)
    for key in REASONING_KEYS:
        if key in extras and not extras[key]:
            del extras[key]
    return Message(
        role="assistant", parts=parts, name=optional(message, "name", str, path), extras=extras
    )


def _read_tool(message: JSONObject, path: str, legacy_id: str) -> Message:
    result = ToolResultPart(
        call_id=required(message, "tool_call_id", str, path),
        content=read_content(message.get("content"), f"{path}content"),
    )
    return Message(
        role="tool",
        parts=[result],
        name=optional(message, "name", str, path),
        extras=rest(message, ("role", "content", "name", "tool_call_id")),
    )


def _read_function(message: JSONObject, path: str, legacy_id: str) -> Message:
    return _read_tool({**rest(message, ("name",)), "tool_call_id": legacy_id}, path, legacy_id)


_READERS: dict[str, Callable[[JSONObject, str, str], Message]] = {
    "system": _reader("system"),
    "developer": _reader("developer"),
    "user": _reader("user"),
    "assistant": _read_assistant,
    "tool": _read_tool,
    "function": _read_function,
}
