"""
Where cache markers go in each form of a body: what a marker is, what may end with one, and where
the instructions are.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching and, of Bedrock,
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.routing.prompt_sizes import object_of, objects, text_chars, tool_chars

_MARK: JSONObject = {"cache_control": {"type": "ephemeral"}}
_POINT: JSONObject = {"cachePoint": {"type": "default"}}
_INSTRUCTING = ("system", "developer")
# Thinking is cached with what follows it, but takes no marker of its own.
_MARKABLE = frozenset({"text", "image", "document", "tool_result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkForm:
    """
    One way of marking. *key* is what marks; *head* the index of the message that holds the
    instructions, -1 if none does. *mark_head* returns the marked copy of a body, ``None`` if there
    is nothing to mark; *takes* says whether a marker may end a block of a turn, and *mark* is the
    blocks that take the place of one.
    """

    key: str
    head: Callable[[list[JSONObject]], int]
    head_chars: Callable[[JSONObject, int], int]
    mark_head: Callable[[JSONObject, int], JSONObject | None]
    takes: Callable[[JSONObject], bool]
    mark: Callable[[JSONObject], Sequence[JSONObject]]

    def has_marks(self, body: JSONObject, messages: list[JSONObject]) -> bool:
        """Whether the client has set any: in front, on a block, or inside a tool's result."""
        config = body.get("toolConfig")
        tools = config.get("tools") if isinstance(config, dict) else body.get("tools")
        if self.key in body or self._on_blocks(body.get("system")) or self._on_blocks(tools):
            return True
        return any(self.key in m or self._on_blocks(m.get("content")) for m in messages)

    def _on_blocks(self, content: Any) -> bool:
        if not isinstance(content, list):
            return False
        for block in objects(content):
            if self.key in block:
                return True
            inner = block.get("content")
            if isinstance(inner, list) and any(self.key in part for part in objects(inner)):
                return True
        return False


def blocks_of(content: Any) -> Sequence[JSONObject]:
    """A message's content in blocks: a text is one. None where it is no content."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = objects(content)
    return blocks if isinstance(content, list) and len(blocks) == len(content) else ()


# ------------------------------------------------------------------ Messages


def _no_head(messages: list[JSONObject]) -> int:
    return -1


def _messages_head_chars(body: JSONObject, head: int) -> int:
    return text_chars(body.get("system")) + sum(map(tool_chars, objects(body.get("tools"))))


def _mark_messages_head(body: JSONObject, head: int) -> JSONObject | None:
    if (system := _mark_blocks(body.get("system"))) is not None:
        return {**body, "system": system}
    tools = list(objects(body.get("tools")))
    # A tool that is loaded later is not part of the prefix, and takes no marker.
    last = _last(tools, lambda tool: not tool.get("defer_loading"))
    if last is None:
        return None
    tools[last] = {**tools[last], **_MARK}
    return {**body, "tools": tools}


def _mark_blocks(content: Any) -> list[JSONObject] | None:
    return _mark_last(content, _takes_block)


def _takes_block(block: JSONObject) -> bool:
    return block.get("type") in _MARKABLE and not _is_blank(block)


# ------------------------------------------------------------------ chat


def _chat_head(messages: list[JSONObject]) -> int:
    return next((n for n, m in enumerate(messages) if m.get("role") in _INSTRUCTING), -1)


def _chat_head_chars(body: JSONObject, head: int) -> int:
    tools = (object_of(tool.get("function")) for tool in objects(body.get("tools")))
    chars = sum(map(tool_chars, tools))
    return chars + (text_chars(body["messages"][head].get("content")) if head >= 0 else 0)


def _mark_chat_head(body: JSONObject, head: int) -> JSONObject | None:
    if head < 0:
        return None
    messages = list(body["messages"])
    if (content := _mark_text(messages[head].get("content"))) is None:
        return None
    messages[head] = {**messages[head], "content": content}
    return {**body, "messages": messages}


def _mark_text(content: Any) -> list[JSONObject] | None:
    return _mark_last(content, _takes_text)


def _takes_text(block: JSONObject) -> bool:
    return block.get("type") == "text" and not _is_blank(block)


# ------------------------------------------------------------------ Bedrock Converse


def _converse_head_chars(body: JSONObject, head: int) -> int:
    tools = objects(object_of(body.get("toolConfig")).get("tools"))
    specs = (object_of(tool.get("toolSpec")) for tool in tools)
    return text_chars(body.get("system")) + sum(map(tool_chars, specs))


def _mark_converse_head(body: JSONObject, head: int) -> JSONObject:
    if isinstance(system := body.get("system"), list) and system:
        return {**body, "system": [*system, _POINT]}
    config = body["toolConfig"]  # a head that is long enough has one of the two
    return {**body, "toolConfig": {**config, "tools": [*config["tools"], _POINT]}}


def _takes_point(block: JSONObject) -> bool:
    return "type" not in block  # Converse's have none


def _with_point(block: JSONObject) -> Sequence[JSONObject]:
    return block, _POINT


# ------------------------------------------------------------------ shared


def _mark_last(content: Any, takes: Callable[[JSONObject], bool]) -> list[JSONObject] | None:
    """*content* with a marker on the last block that *takes* one; a string becomes a block."""
    blocks = blocks_of(content)
    if (last := _last(blocks, takes)) is None:
        return None
    return [*blocks[:last], *_with_control(blocks[last]), *blocks[last + 1 :]]


def _with_control(block: JSONObject) -> Sequence[JSONObject]:
    return ({**block, **_MARK},)


def _is_blank(block: JSONObject) -> bool:
    """An empty text takes no marker."""
    return block.get("type") == "text" and not str(block.get("text") or "").strip()


def _last(blocks: Sequence[Any], fits: Callable[[JSONObject], bool]) -> int | None:
    """The index of the last object that *fits*."""
    found = (n for n in range(len(blocks) - 1, -1, -1) if isinstance(blocks[n], dict))
    return next((n for n in found if fits(blocks[n])), None)


_CONTROL = "cache_control"

ON_BLOCKS = MarkForm(
    key=_CONTROL,
    head=_no_head,
    head_chars=_messages_head_chars,
    mark_head=_mark_messages_head,
    takes=_takes_block,
    mark=_with_control,
)
"""Anthropic Messages."""

ON_PARTS = MarkForm(
    key=_CONTROL,
    head=_chat_head,
    head_chars=_chat_head_chars,
    mark_head=_mark_chat_head,
    takes=_takes_text,
    mark=_with_control,
)
"""OpenAI chat, at providers that pass markers on."""

AS_POINTS = MarkForm(
    key="cachePoint",
    head=_no_head,
    head_chars=_converse_head_chars,
    mark_head=_mark_converse_head,
    takes=_takes_point,
    mark=_with_point,
)
"""Bedrock Converse."""
