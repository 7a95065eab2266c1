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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.cache_marks import AS_POINTS, ON_BLOCKS, ON_PARTS, MarkForm, blocks_of
from plano_asgi.routing.prompt_sizes import block_chars, turn_chars

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
_FORMS: Mapping[Strategy, MarkForm] = {
    "breakpoints": ON_BLOCKS,
    "content_part": ON_PARTS,
    "cache_point": AS_POINTS,
}


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
    form = _FORMS.get(strategy(family, model, dialect))
    if form is None:
        return body
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        return body
    if form.has_marks(body, messages):
        return body
    return _marked(body, messages, form, markers)


def _marked(
    body: JSONObject,
    messages: list[JSONObject],
    form: MarkForm,
    markers: CacheMarkers,
) -> JSONObject:
    least = max(markers.min_prefix_tokens, _LEAST_TOKENS) * _CHARS_PER_TOKEN
    step = markers.step_tokens * _CHARS_PER_TOKEN
    head = form.head(messages)
    chars = last = form.head_chars(body, head)
    marked = form.mark_head(body, head) if chars >= least else None
    if marked is None:
        last = 0
    spots: list[_Spot] = []
    for n, message in enumerate(messages):
        if n == head:
            continue
        if message.get("role") != "user":
            chars += turn_chars(message)
            continue
        for at, block in enumerate(blocks_of(message.get("content"))):
            chars += block_chars(block)
            if chars >= least and chars - last >= step and form.takes(block):
                spots.append((n, at))
                last = chars
    changed = body if marked is None else marked
    kept = _kept(spots, markers.max_markers - (marked is not None))
    if not kept:
        return changed
    messages = list(changed["messages"])
    for n, at in kept:
        messages[n] = _with_mark(messages[n], at, form)
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


def _with_mark(message: JSONObject, at: int, form: MarkForm) -> JSONObject:
    blocks = blocks_of(message["content"])
    return {**message, "content": [*blocks[:at], *form.mark(blocks[at]), *blocks[at + 1 :]]}
