"""What turns and switches cost, and how large a prompt is where nobody counted. All in USD."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from plano_asgi._json import dumps
from plano_asgi.conversation import (
    ChatRequest,
    MediaPart,
    OpaquePart,
    Part,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from plano_asgi.routing.metric_sources.base import Rates

Pricing: TypeAlias = Callable[[str, str], Rates | None]
"""The rates of a model: ``(provider, model)``, as in ``Candidate``; ``None`` if not known."""

_PER_MILLION = 1e6
_BYTES_PER_TOKEN = 4


def turn_baseline(context_tokens: int, default: Rates, *, discount: float) -> float:
    """
    What reading *context_tokens* from the cache of the session's default model costs.

    *discount* times the input price is the cached one, here and below, where none is published.
    """
    return context_tokens * default.cached_or(discount) / _PER_MILLION


def switch_cost(
    context_tokens: int, warm_tokens: int, *, anchor: Rates, candidate: Rates, discount: float
) -> float:
    """
    What a turn costs more (below 0: less) at *candidate*, which has *warm_tokens* of the context
    in its cache, than at *anchor*, which has all. Output does not count.
    """
    warm = min(warm_tokens, context_tokens)
    there = (context_tokens - warm) * candidate.input + warm * candidate.cached_or(discount)
    return (there - context_tokens * anchor.cached_or(discount)) / _PER_MILLION


def request_cost(usage: Usage, rates: Rates, *, discount: float) -> tuple[float, float]:
    """Input and output of one answered request. What was written to a cache costs as input."""
    cached = min(usage.cache_read_input_tokens, usage.input_tokens)
    spent = (usage.input_tokens - cached) * rates.input + cached * rates.cached_or(discount)
    return spent / _PER_MILLION, usage.output_tokens * rates.output / _PER_MILLION


def context_tokens(request: ChatRequest) -> int:
    """Roughly the tokens of *request*: a quarter of the bytes of texts, calls and tools."""
    size = sum(_size(message.parts) for message in request.messages)
    for tool in request.tools:
        size += len(tool.name) + _bytes(tool.description or "")
        size += len(dumps(tool.parameters or tool.raw))
    return size // _BYTES_PER_TOKEN


def _size(parts: Sequence[Part]) -> int:
    return sum(map(_bytes, _texts(parts)))


def _texts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        match part:
            case ToolCallPart():
                yield part.name
                yield part.arguments
            case ToolResultPart():
                yield from _texts(part.content)
            case MediaPart():
                yield part.text or ""
            case OpaquePart():
                pass  # a server tool's item: its shape is its dialect's affair
            case _:
                yield part.text


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
