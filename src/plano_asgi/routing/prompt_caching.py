"""
Cache markers: where a provider should keep a prompt, for providers that want to be told.

``with_cache_markers`` writes them into the body for the *chosen* upstream, after routing. A marker
depends on what is before it and on nothing after: while a conversation grows, it stays where it
is, and new ones follow. One ends the instructions; one stands in a user's turn wherever enough
tokens have come since the last one. Not at the turn's end: what the user says next, where no answer
came between, is written into the same turn. Past the provider's bound the oldest of the latter are
left out, but the one that ended the prompt before stays: it is where that was cached.

A body with markers of the client's own is left as it is: whoever sets some has counted them, and
an order among them (an hour before five minutes) that ours could break.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.prompt_sizes import (
    block_chars,
    object_of,
    objects,
    text_chars,
    tool_chars,
    turn_chars,
)

Strategy: TypeAlias = Literal["breakpoints", "content_part", "cache_point", "automatic", "none"]
"""
``breakpoints``: ``cache_control`` on blocks. ``content_part``: the same on text parts of chat.
``cache_point``: Bedrock's block after what is cached. ``automatic``: the provider finds out.
"""

_CLAUDE = ("claude", "anthropic")
_GPT = ("gpt", "openai")
_PART_MARKED = frozenset({"digitalocean", "openrouter", "edenai"})
_AUTOMATIC = _PART_MARKED | {
    "openai",
    "azure_openai",
    "chatgpt",
    "groq",
    "deepseek",
    "gemini",
    "moonshotai",
    "xai",
}

_LEAST_TOKENS = 1024  # no provider caches less
_MOST_MARKERS = 4
_CHARS_PER_TOKEN = 4
_MARK: JSONObject = {"cache_control": {"type": "ephemeral"}}
_POINT: JSONObject = {"cachePoint": {"type": "default"}}
_INSTRUCTING = ("system", "developer")
# Thinking is cached with what follows it, but takes no marker of its own.
_MARKABLE = frozenset({"text", "image", "document", "tool_result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMarkers:
    """
    Args:
        min_prefix_tokens: Nothing shorter is marked; never below 1024. Tokens are estimated as a
            quarter of the characters.
        step_tokens: From one marker to the next at least.
        max_markers: In one request, 1 to 4.

    Raises:
        ConfigurationError: A number out of its range.
    """

    min_prefix_tokens: int = 1024
    step_tokens: int = 1024
    max_markers: int = _MOST_MARKERS

    def __post_init__(self) -> None:
        if not 1 <= self.max_markers <= _MOST_MARKERS:
            raise ConfigurationError(f"Cache markers: max_markers is 1 to {_MOST_MARKERS}")
        if self.min_prefix_tokens < 0 or self.step_tokens < 1:
            raise ConfigurationError("Cache markers: their token counts are above 0")


def strategy(family: str, model: str, dialect: str) -> Strategy:
    """
    How *model* of a provider of *family* caches prompts, spoken to in *dialect*.

    Args:
        family: ``UpstreamProvider.family``.
        model: The upstream's id.
    """
    name = model.lower()
    is_claude = any(word in name for word in _CLAUDE)
    match dialect:
        case "anthropic.messages":
            return "breakpoints"
        case "bedrock.converse":
            return "cache_point" if is_claude else "none"
        case "openai.responses":
            return "automatic"
        case "openai.chat" if is_claude:
            return "content_part" if family in _PART_MARKED else "none"
        case "openai.chat" if family in _AUTOMATIC or any(word in name for word in _GPT):
            return "automatic"
    return "none"


def with_cache_markers(
    body: JSONObject, dialect: str, *, family: str, model: str, markers: CacheMarkers
) -> JSONObject:
    """
    *body*, written for *model* in *dialect*, with markers where that upstream takes some; *body*
    itself where it does not, or nothing is worth one. Never changes *body*.

    Args:
        family: See ``strategy``; so is *model*.
    """
    place = _PLACES.get(strategy(family, model, dialect))
    if place is None:
        return body
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        return body
    if place.has_marks(body, messages):
        return body
    return _marked(body, messages, place, markers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
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


def _marked(
    body: JSONObject,
    messages: list[JSONObject],
    place: _Place,
    markers: CacheMarkers,
) -> JSONObject:
    least = max(markers.min_prefix_tokens, _LEAST_TOKENS) * _CHARS_PER_TOKEN
    step = markers.step_tokens * _CHARS_PER_TOKEN
    head = place.head(messages)
    chars = last = place.head_chars(body, head)
    marked = place.mark_head(body, head) if chars >= least else None
    if marked is None:
        last = 0
    spots: list[_Spot] = []
    for n, message in enumerate(messages):
        if n == head:
            continue
        if message.get("role") != "user":
            chars += turn_chars(message)
            continue
        for at, block in enumerate(_blocks(message.get("content"))):
            chars += block_chars(block)
            if chars >= least and chars - last >= step and place.takes(block):
                spots.append((n, at))
                last = chars
    changed = body if marked is None else marked
    kept = _kept(spots, markers.max_markers - (marked is not None))
    if not kept:
        return changed
    messages = list(changed["messages"])
    for n, at in kept:
        messages[n] = _with_mark(messages[n], at, place)
    return {**changed, "messages": messages}


_Spot: TypeAlias = tuple[int, int]
"""A message, and a block of it that a marker ends."""


def _kept(spots: list[_Spot], room: int) -> list[_Spot]:
    """
    The last of *spots* that there is *room* for, one of them before the last marked message; from
    the end, so that what is put in moves none of the others.
    """
    if room <= 0:
        return []
    kept = spots[-room:]
    if len(kept) > 1 and kept[0][0] == kept[-1][0]:
        kept[0] = next((spot for spot in reversed(spots) if spot[0] < kept[0][0]), kept[0])
    return kept[::-1]


def _with_mark(message: JSONObject, at: int, place: _Place) -> JSONObject:
    blocks = _blocks(message["content"])
    return {**message, "content": [*blocks[:at], *place.mark(blocks[at]), *blocks[at + 1 :]]}


def _blocks(content: Any) -> Sequence[JSONObject]:
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
    blocks = _blocks(content)
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
_PLACES: Mapping[Strategy, _Place] = {
    "breakpoints": _Place(
        key=_CONTROL,
        head=_no_head,
        head_chars=_messages_head_chars,
        mark_head=_mark_messages_head,
        takes=_takes_block,
        mark=_with_control,
    ),
    "content_part": _Place(
        key=_CONTROL,
        head=_chat_head,
        head_chars=_chat_head_chars,
        mark_head=_mark_chat_head,
        takes=_takes_text,
        mark=_with_control,
    ),
    "cache_point": _Place(
        key="cachePoint",
        head=_no_head,
        head_chars=_converse_head_chars,
        mark_head=_mark_converse_head,
        takes=_takes_point,
        mark=_with_point,
    ),
}
