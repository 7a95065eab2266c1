"""
What another API's client said that means nothing, or something else, to the upstream's vendor.

A server-tool block of a past turn is told as text where it holds what the model found, left out
where the answer's text already says it all, and refused where only its own API can resolve it
(references, ciphertext, uploads).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, OpaquePart, Tool

Refuse = Callable[..., None]
"""``(field, reason)``: raise ``UnsupportedField``, or return where the options say to drop."""

OPENAI_DIALECTS = frozenset({"openai.chat", "openai.responses"})
"""Dialects of one vendor: file ids, service tiers and user ids mean the same in both."""

MAX_USER_CHARS = 64
"""
OpenAI refuses longer user ids. Another API's longer one is no plain id either, but a document about
its user (Claude Code sends the device, the account and the session): no other vendor gets it.
"""


def shared_user(request: ChatRequest) -> str | None:
    """The user id that an upstream of another dialect may know; see ``MAX_USER_CHARS``."""
    if request.dialect in OPENAI_DIALECTS or len(request.user or "") <= MAX_USER_CHARS:
        return request.user
    return None


# --------------------------------------------------------------------------- web search

_PLACE = ("city", "region", "country", "timezone")


def is_claude_search(tool: Tool) -> bool:
    """Whether *tool* is Anthropic's web search, of whatever version."""
    kind = str(tool.raw.get("type", ""))
    return tool.dialect == "anthropic.messages" and kind.startswith("web_search_")


def place_of(search: JSONObject) -> JSONObject:
    """What a web search tool says of the user's place; empty if it says nothing."""
    where = search.get("user_location")
    where = where if isinstance(where, dict) else {}
    return {key: where[key] for key in _PLACE if where.get(key)}


# --------------------------------------------------------------------------- blocks

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


def opaque_kind(part: OpaquePart) -> str:
    """Its type, or the one key that stands for it (Bedrock)."""
    return _type(part.raw) or next(iter(part.raw), "")


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


def _type(raw: JSONObject) -> str:
    kind = raw.get("type")
    return kind if isinstance(kind, str) else ""
