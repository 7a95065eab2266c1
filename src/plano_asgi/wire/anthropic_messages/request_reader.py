"""A client's Messages body into the neutral request."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    Message,
    OutputFormat,
    Part,
    TextPart,
    ToolResultPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.anthropic_messages.blocks import NAME, read_block
from plano_asgi.wire.anthropic_messages.fields import check, join, objects, optional, require, rest
from plano_asgi.wire.anthropic_messages.media import read_document, read_image
from plano_asgi.wire.anthropic_messages.thinking import read_reasoning
from plano_asgi.wire.anthropic_messages.tools import read_tool_choice, read_tools

_ROLES = ("user", "assistant", "system")
_MEDIA = {"image": read_image, "document": read_document}
_MODELED = (
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "service_tier",
    "thinking",
    "output_config",
    "output_format",
)


def read_request(body: JSONObject) -> ChatRequest:
    """
    Read a Messages request. ``model`` may be missing (some platforms carry it in the URL).

    Raises:
        RequestError: A field is missing or of the wrong type; ``param`` is its path.
    """
    request = ChatRequest(
        model=optional(body, "model", str) or "",
        messages=[*_read_system(body), *_read_messages(require(body, "messages", list))],
        dialect=NAME,
        max_output_tokens=require(body, "max_tokens", int),
        temperature=optional(body, "temperature", float),
        top_p=optional(body, "top_p", float),
        top_k=optional(body, "top_k", int),
        stop=_strings(optional(body, "stop_sequences", list) or [], "stop_sequences"),
        stream=optional(body, "stream", bool) or False,
        service_tier=optional(body, "service_tier", str),
        tools=read_tools(body.get("tools") or []),
        extras=rest(body, *_MODELED),
    )
    if (choice := optional(body, "tool_choice", dict)) is not None:
        request.tool_choice, request.parallel_tool_calls = read_tool_choice(choice)
    _read_output_config(body, request)
    if metadata := optional(body, "metadata", dict):
        request.user = optional(metadata, "user_id", str, "metadata")
        request.metadata = rest(metadata, "user_id") or None
    return request


def _strings(values: list[Any], path: str) -> list[str]:
    return [check(value, str, f"{path}.{index}") for index, value in enumerate(values)]


def _read_output_config(body: JSONObject, request: ChatRequest) -> None:
    """Effort and structured output; ``output_format`` is the beta's name of the latter."""
    config = dict(optional(body, "output_config", dict) or {})
    effort = optional(config, "effort", str, "output_config")
    config.pop("effort", None)
    request.reasoning = read_reasoning(optional(body, "thinking", dict), effort)
    for holder, key, path in ((config, "format", "output_config"), (body, "output_format", "")):
        form = optional(holder, key, dict, path)
        if form is not None and form.get("type") == "json_schema":
            schema = require(form, "schema", dict, join(path, key))
            request.output_format = OutputFormat(kind="json_schema", schema=schema)
            config.pop("format", None)
        elif form is not None and holder is body:
            request.extras[key] = form
    if config:
        request.extras["output_config"] = config


def _read_system(body: JSONObject) -> list[Message]:
    system = body.get("system")
    if not system:
        return []
    return [Message(role="system", parts=_read_content(system, "system"))]


def _read_messages(messages: list[Any]) -> list[Message]:
    read: list[Message] = []
    for index, message in enumerate(objects(messages, "messages")):
        path = f"messages.{index}"
        role = require(message, "role", str, path)
        if role not in _ROLES:
            known = ", ".join(_ROLES)
            raise RequestError(f"{path}.role: must be one of {known}", param=f"{path}.role")
        if "content" not in message:
            raise RequestError(f"{path}.content: field required", param=f"{path}.content")
        parts = _read_content(message["content"], f"{path}.content", results=role == "user")
        extras = rest(message, "role", "content")
        read += _split_results(parts, extras) if role == "user" else []
        if role != "user":
            read.append(Message(role=role, parts=parts, extras=extras))  # type: ignore[arg-type]  # checked above
    return read


def _split_results(parts: list[Part], extras: JSONObject) -> list[Message]:
    """A user turn: its tool results as a message of role tool, then what else it says."""
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    others: list[Part] = [part for part in parts if not isinstance(part, ToolResultPart)]
    split: list[Message] = []
    if results:
        split.append(Message(role="tool", parts=[*results], extras={} if others else extras))
    if others or not results:
        split.append(Message(role="user", parts=others, extras=extras))
    return split


def _read_content(content: Any, path: str, *, results: bool = False) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(text=content)]
    blocks = objects(content, path)
    return [_read_block(block, f"{path}.{i}", results) for i, block in enumerate(blocks)]


def _read_block(block: JSONObject, path: str, results: bool) -> Part:
    kind = block.get("type")
    if kind == "tool_result":
        if not results:
            raise RequestError(f"{path}: tool results belong into user messages", param=path)
        return _read_result(block, path)
    reader = _MEDIA.get(kind, read_block) if isinstance(kind, str) else read_block
    return reader(block, path)


def _read_result(block: JSONObject, path: str) -> ToolResultPart:
    content = block.get("content")
    return ToolResultPart(
        call_id=require(block, "tool_use_id", str, path),
        content=_read_content(content, join(path, "content")) if content else [],
        is_error=optional(block, "is_error", bool, path) or False,
        extras=rest(block, "type", "tool_use_id", "content", "is_error"),
    )
