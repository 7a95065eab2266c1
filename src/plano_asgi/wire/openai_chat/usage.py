"""
Token counts, both ways.

``prompt_tokens`` includes cached ones everywhere. Whether ``completion_tokens`` includes reasoning
differs between upstreams (xAI's and Google's do not), but ``total_tokens`` always counts it: what
the total has beyond prompt and completion is output.
"""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import Usage
from plano_asgi.wire.openai_chat.fields import NAME
from plano_asgi.wire.token_counts import token_count

_PLAIN = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
"""What many upstreams leave it at."""
_CACHE_READ = (
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens", ""),  # DeepSeek
    ("cache_read_input_tokens", ""),  # gateways in front of Anthropic
    ("cached_tokens", ""),
)
_CACHE_CREATION = (
    ("prompt_tokens_details", "cache_write_tokens"),
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("cache_creation_input_tokens", ""),
)
_REASONING = (("completion_tokens_details", "reasoning_tokens"), ("reasoning_tokens", ""))


def read_usage(raw: Any) -> Usage | None:
    """Usage from an answer's or a chunk's ``usage``; ``None`` where it counts nothing."""
    if not isinstance(raw, dict):
        return None
    prompt = token_count(raw.get("prompt_tokens"))
    completion = token_count(raw.get("completion_tokens"))
    total = token_count(raw.get("total_tokens"))
    if not (prompt or completion or total):
        return None
    output = completion if completion >= total - prompt else total - prompt
    if _PLAIN.issuperset(raw):
        cached = created = reasoning = 0
    else:
        cached, created = _count(raw, _CACHE_READ), _count(raw, _CACHE_CREATION)
        reasoning = _count(raw, _REASONING)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_input_tokens=cached,
        cache_creation_input_tokens=created,
        reasoning_output_tokens=reasoning or output - completion,
        raw=raw,
        dialect=NAME,
    )


def write_usage(usage: Usage) -> JSONObject:
    """``usage`` for a client: as the upstream spelled it where that was chat."""
    if usage.dialect == NAME and usage.raw and not usage.estimated:
        return usage.raw
    prompt: JSONObject = {"cached_tokens": usage.cache_read_input_tokens}
    if usage.cache_creation_input_tokens:
        prompt["cache_write_tokens"] = usage.cache_creation_input_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
    }


def _count(raw: JSONObject, places: tuple[tuple[str, str], ...]) -> int:
    """The first count above zero at *places*: a key, and one below it or ""."""
    for key, below in places:
        value = raw.get(key)
        if value and below:
            value = value.get(below) if isinstance(value, dict) else None
        if value and (count := token_count(value)):
            return count
    return 0
