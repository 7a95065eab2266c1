"""
Cache markers: where a provider should keep a prompt, for providers that want to be told.

``with_cache_markers`` writes them into the body for the *chosen* upstream, after routing. A marker
depends on what is before it and on nothing after: while a conversation grows, it stays where it
is, and new ones follow. One ends the instructions; one ends a user's turn whenever enough tokens
have come since the last one. Past the provider's bound the oldest of the latter are left out.

A body with markers of the client's own is left as it is: whoever sets some has counted them, and
an order among them (an hour before five minutes) that ours could break.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import ConfigurationError

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
_MEDIA = frozenset({"image", "document", "image_url", "input_audio", "file", "video"})
_MEDIA_CHARS = 4096  # a thousand tokens, however many bytes
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


@dataclass(frozen=True, slots=True)
class _Place:
    """
    One way of marking. *key* is what marks; *head* the index of the message that holds the
    instructions, -1 if none does. *mark_head* and *mark_turn* return the marked copy of a body and
    of a message's content, ``None`` if there is nothing to mark.
    """

    key: str
    head: Callable[[list[JSONObject]], int]
    head_chars: Callable[[JSONObject, int], int]
    mark_head: Callable[[JSONObject, int], JSONObject | None]
    mark_turn: Callable[[Any], list[JSONObject] | None]

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
        for block in _objects(content):
            if self.key in block:
                return True
            inner = block.get("content")
            if isinstance(inner, list) and any(self.key in part for part in _objects(inner)):
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
    turns: dict[int, JSONObject] = {}
    for n, message in enumerate(messages):
        if n == head:
            continue
        chars += _turn_chars(message)
        if message.get("role") != "user" or chars < least or chars - last < step:
            continue
        if (content := place.mark_turn(message.get("content"))) is not None:
            turns[n] = {**message, "content": content}
            last = chars
    room = markers.max_markers - (marked is not None)
    kept = dict(list(turns.items())[-room:] if room else ())
    if not kept:
        return body if marked is None else marked
    changed = body if marked is None else marked
    return {**changed, "messages": [kept.get(n, m) for n, m in enumerate(changed["messages"])]}


# ------------------------------------------------------------------ Messages


def _no_head(messages: list[JSONObject]) -> int:
    return -1


def _messages_head_chars(body: JSONObject, head: int) -> int:
    return _text_chars(body.get("system")) + sum(map(_tool_chars, _objects(body.get("tools"))))


def _mark_messages_head(body: JSONObject, head: int) -> JSONObject | None:
    if (system := _mark_blocks(body.get("system"))) is not None:
        return {**body, "system": system}
    tools = list(_objects(body.get("tools")))
    # A tool that is loaded later is not part of the prefix, and takes no marker.
    last = _last(tools, lambda tool: not tool.get("defer_loading"))
    if last is None:
        return None
    tools[last] = {**tools[last], **_MARK}
    return {**body, "tools": tools}


def _mark_blocks(content: Any) -> list[JSONObject] | None:
    return _mark_last(content, _MARKABLE)


# ------------------------------------------------------------------ chat


def _chat_head(messages: list[JSONObject]) -> int:
    return next((n for n, m in enumerate(messages) if m.get("role") in _INSTRUCTING), -1)


def _chat_head_chars(body: JSONObject, head: int) -> int:
    tools = (_object(tool.get("function")) for tool in _objects(body.get("tools")))
    chars = sum(map(_tool_chars, tools))
    return chars + (_text_chars(body["messages"][head].get("content")) if head >= 0 else 0)


def _mark_chat_head(body: JSONObject, head: int) -> JSONObject | None:
    if head < 0:
        return None
    messages = list(body["messages"])
    if (content := _mark_text(messages[head].get("content"))) is None:
        return None
    messages[head] = {**messages[head], "content": content}
    return {**body, "messages": messages}


def _mark_text(content: Any) -> list[JSONObject] | None:
    return _mark_last(content, frozenset({"text"}))


# ------------------------------------------------------------------ Bedrock Converse


def _converse_head_chars(body: JSONObject, head: int) -> int:
    tools = _objects(_object(body.get("toolConfig")).get("tools"))
    specs = (_object(tool.get("toolSpec")) for tool in tools)
    return _text_chars(body.get("system")) + sum(map(_tool_chars, specs))


def _mark_converse_head(body: JSONObject, head: int) -> JSONObject:
    if isinstance(system := body.get("system"), list) and system:
        return {**body, "system": [*system, _POINT]}
    config = body["toolConfig"]  # a head that is long enough has one of the two
    return {**body, "toolConfig": {**config, "tools": [*config["tools"], _POINT]}}


def _mark_converse_turn(content: Any) -> list[JSONObject] | None:
    return [*content, _POINT] if isinstance(content, list) and content else None


# ------------------------------------------------------------------ shared


def _mark_last(content: Any, types: frozenset[str]) -> list[JSONObject] | None:
    """*content* with a marker on its last block of *types*; a string becomes a block."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list):
        return None
    last = _last(blocks, lambda block: block.get("type") in types and not _is_blank(block))
    if last is None:
        return None
    return [*blocks[:last], {**blocks[last], **_MARK}, *blocks[last + 1 :]]


def _is_blank(block: JSONObject) -> bool:
    """An empty text takes no marker."""
    return block.get("type") == "text" and not str(block.get("text") or "").strip()


def _last(blocks: Sequence[Any], fits: Callable[[JSONObject], bool]) -> int | None:
    """The index of the last object that *fits*."""
    found = (n for n in range(len(blocks) - 1, -1, -1) if isinstance(blocks[n], dict))
    return next((n for n in found if fits(blocks[n])), None)


def _text_chars(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    return sum(len(str(block.get("text") or "")) for block in _objects(content))


def _turn_chars(message: JSONObject) -> int:
    content = message.get("content")
    calls = message.get("tool_calls")
    chars = 0 if calls is None else len(dumps(calls))
    if isinstance(content, str):
        return chars + len(content)
    return chars + sum(map(_block_chars, _objects(content)))


def _block_chars(block: JSONObject) -> int:
    if isinstance(text := block.get("text"), str):
        return len(text)
    if block.get("type") in _MEDIA or not _MEDIA.isdisjoint(block):
        return _MEDIA_CHARS
    inner = block.get("content")
    if isinstance(inner, str):
        return len(inner)
    if isinstance(inner, list):
        return sum(
            _MEDIA_CHARS if part.get("type") in _MEDIA else len(dumps(part))
            for part in _objects(inner)
        )
    return len(dumps(block))


_SCHEMAS = ("input_schema", "parameters", "inputSchema")


def _tool_chars(tool: Mapping[str, Any]) -> int:
    schemas = (tool[key] for key in _SCHEMAS if key in tool)
    chars = sum(len(dumps(schema)) for schema in schemas)
    return chars + len(str(tool.get("name") or "")) + len(str(tool.get("description") or ""))


def _objects(value: Any) -> Sequence[JSONObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def _object(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}


_CONTROL = "cache_control"
_PLACES: Mapping[Strategy, _Place] = {
    "breakpoints": _Place(
        _CONTROL, _no_head, _messages_head_chars, _mark_messages_head, _mark_blocks
    ),
    "content_part": _Place(_CONTROL, _chat_head, _chat_head_chars, _mark_chat_head, _mark_text),
    "cache_point": _Place(
        "cachePoint", _no_head, _converse_head_chars, _mark_converse_head, _mark_converse_turn
    ),
}
