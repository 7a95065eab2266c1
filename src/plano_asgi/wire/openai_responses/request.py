"""
A client's body, read.

Left out where they only say the default: null fields, ``stream: false``, ``include: []``, an
empty ``instructions`` or ``reasoning``. A single item as ``input`` (Codex, Cursor) becomes a list.
"""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, Message, OutputFormat, Reasoning
from plano_asgi.wire.openai_responses.check import optional, typed
from plano_asgi.wire.openai_responses.items import TurnReader, instructions, user_text
from plano_asgi.wire.openai_responses.names import ENCRYPTED_REASONING, NAME, TEXT_LOGPROBS
from plano_asgi.wire.openai_responses.tools import read_tool_choice, read_tools

SCALARS: dict[str, type] = {
    "parallel_tool_calls": bool,
    "max_output_tokens": int,
    "temperature": float,
    "top_p": float,
    "top_logprobs": int,
    "user": str,
    "metadata": dict,
    "service_tier": str,
}
"""Fields that the neutral request has under the same name."""

_READ = frozenset(
    {
        *SCALARS,
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "include",
        "stream",
    }
)

_CHECKED: dict[str, type] = {
    "store": bool,
    "background": bool,
    "previous_response_id": str,
    "prompt": dict,
    "prompt_cache_key": str,
    "safety_identifier": str,
    "truncation": str,
    "max_tool_calls": int,
    "stream_options": dict,
}
"""Fields that stay in ``extras``, of which other code relies on the type."""


def read_request(body: JSONObject) -> ChatRequest:
    """See ``Dialect.read_request``."""
    for key, kind in _CHECKED.items():
        optional(body, key, kind)
    request = ChatRequest(
        model=optional(body, "model", str) or "",
        messages=_read_input(body),
        dialect=NAME,
        tools=read_tools(optional(body, "tools", list) or []),
        stream=optional(body, "stream", bool) or False,
        include_usage=True,
        extras={k: v for k, v in body.items() if k not in _READ and v is not None},
    )
    for key, kind in SCALARS.items():
        setattr(request, key, optional(body, key, kind))
    if request.user is None:
        request.user = optional(body, "safety_identifier", str)
    if (choice := body.get("tool_choice")) is not None:
        request.tool_choice = read_tool_choice(choice)
    _read_text(request, optional(body, "text", dict) or {})
    _read_reasoning(request, optional(body, "reasoning", dict) or {})
    _read_include(request, optional(body, "include", list) or [])
    return request


def _read_input(body: JSONObject) -> list[Message]:
    messages: list[Message] = []
    if text := optional(body, "instructions", str):
        messages.append(instructions(text))
    given: Any = body.get("input")
    if isinstance(given, str):
        return [*messages, user_text(given)]
    turns = TurnReader()
    if isinstance(given, dict):
        turns.add(given, "input")
    elif given is not None:
        for index, item in enumerate(typed(given, list, "input")):
            turns.add(item, f"input.{index}")
    return messages + turns.messages


def _read_text(request: ChatRequest, text: JSONObject) -> None:
    rest = dict(text)
    shape = optional(rest, "format", dict, "text")
    if shape is not None and (read := _read_format(shape)):
        request.output_format = read
        del rest["format"]
    if (verbosity := rest.pop("verbosity", None)) is not None:
        request.extras["verbosity"] = typed(verbosity, str, "text.verbosity")
    if rest:
        request.extras["text"] = rest


def _read_format(shape: JSONObject) -> OutputFormat | None:
    path = "text.format"
    match shape.get("type"):
        case "text":
            return OutputFormat(kind="text")
        case "json_object":
            return OutputFormat(kind="json_object")
        case "json_schema":
            return OutputFormat(
                kind="json_schema",
                name=optional(shape, "name", str, path),
                schema=typed(shape.get("schema"), dict, f"{path}.schema"),
                strict=optional(shape, "strict", bool, path),
                description=optional(shape, "description", str, path),
            )
    return None  # a format of tomorrow stays in ``extras``


def _read_reasoning(request: ChatRequest, raw: JSONObject) -> None:
    if not raw:
        return
    effort = optional(raw, "effort", str, "reasoning")
    summary = optional(raw, "summary", str, "reasoning")
    old_summary = optional(raw, "generate_summary", str, "reasoning")
    request.reasoning = Reasoning(
        effort=effort,
        summary=summary or old_summary,
        enabled=False if effort == "none" else None,
        extras={k: v for k, v in raw.items() if k not in ("effort", "summary") or v is None},
    )


def _read_include(request: ChatRequest, include: list[Any]) -> None:
    if TEXT_LOGPROBS in include:
        request.logprobs = True
    if ENCRYPTED_REASONING in include:
        request.reasoning = request.reasoning or Reasoning()
        request.reasoning.encrypted = True
    rest = [each for each in include if each not in (TEXT_LOGPROBS, ENCRYPTED_REASONING)]
    if rest:
        request.extras["include"] = rest
