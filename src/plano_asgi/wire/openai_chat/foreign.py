"""
What to do with fields and blocks that only another client dialect knows.

A field is carried over where chat has one of the same meaning, left out where it only tunes how
the other API works (caching, storage of its own answers), and refused by name otherwise: it asks
for something that would silently not happen. A server-tool block of a past turn is told as text
where it holds what the model found, left out where the answer's text already says it all, and
refused where only its own API can resolve it (references, ciphertext, uploads).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, OpaquePart
from plano_asgi.wire.openai_chat.fields import present, text_of
from plano_asgi.wire.openai_chat.tools import Refuse

OPENAI_DIALECTS = frozenset({"openai.chat", "openai.responses"})
"""Dialects of one vendor: file ids, service tiers and user ids mean the same in both."""

_SAME_MEANING = {
    "openai.responses": frozenset(
        {
            "moderation",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "verbosity",
        }
    ),
}

_SAFE_TO_DROP = {
    "openai.responses": frozenset(
        {
            "client_metadata",
            "context_management",
            "include",  # asks for more output items, none of which a chat answer has
            "max_tool_calls",  # counts server-tool calls, and those tools are refused
            "store",
            "stream_options",
            "truncation",  # without it an overlong input is an error: loud
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

_TELL = {
    "anthropic.messages": frozenset(
        {
            "bash_code_execution_tool_result",
            "code_execution_tool_result",
            "compaction",
            "mcp_tool_result",
            "search_result",
            "text_editor_code_execution_tool_result",
            "tool_reference",
            "web_fetch_tool_result",
            "web_search_tool_result",
        }
    ),
    "openai.responses": frozenset({"code_interpreter_call", "file_search_call", "mcp_call"}),
    "bedrock.converse": frozenset({"citationsContent", "guardContent", "searchResult"}),
}

_LEAVE_OUT = {
    "anthropic.messages": frozenset(
        {"mcp_tool_use", "server_tool_use", "tool_search_tool_result"},
    ),
    "openai.responses": frozenset(
        {"mcp_list_tools", "tool_search_call", "tool_search_output", "web_search_call"}
    ),
    "bedrock.converse": frozenset({"cachePoint"}),
}

_TEXT_KEYS = frozenset(
    {
        "arguments",
        "code",
        "content",
        "logs",
        "outputs",
        "output",
        "results",
        "source",
        "stderr",
        "stdout",
        "text",
        "title",
        "tool_name",
        "url",
    }
)
_MAX_DEPTH = 8


def write_foreign_extras(request: ChatRequest, refuse: Refuse) -> JSONObject:
    """Body fields for another dialect's ``extras``; a field that is empty or off asks nothing."""
    same = _SAME_MEANING.get(request.dialect, frozenset())
    safe = _SAFE_TO_DROP.get(request.dialect, frozenset())
    body: JSONObject = {}
    for key, value in request.extras.items():
        if not value:
            continue
        if key in same:
            body[key] = value
        elif key == "text" and isinstance(value, dict):
            body |= present(verbosity=value.get("verbosity"))
        elif key not in safe:
            refuse(key)
    return body


def opaque_kind(part: OpaquePart) -> str:
    """Its type, or the one key that stands for it (Bedrock)."""
    return text_of(part.raw.get("type")) or next(iter(part.raw), "")


def tell_opaque(part: OpaquePart, path: str, refuse: Refuse) -> str:
    """The text of another dialect's block, "" where it is left out."""
    kind = opaque_kind(part)
    if kind in _TELL.get(part.dialect, ()):
        return "\n".join([f"[{kind}]", *_texts(part.raw), ""])
    if kind not in _LEAVE_OUT.get(part.dialect, ()):
        refuse(path, f"'{kind}' is a block of {part.dialect}")
    return ""


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict) and depth < _MAX_DEPTH:
        if value.get("type") == "text" and isinstance(value.get("data"), str):
            yield value["data"]
        for key, inner in value.items():
            if key in _TEXT_KEYS:
                yield from _texts(inner, depth + 1)
