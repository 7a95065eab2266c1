"""A trace laid out as a tree, and what its spans say of tokens, money and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.span_rows import StoredSpan

_GENERATIONS = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_CACHE_WRITES = (semconv.USAGE_CACHE_CREATION, semconv.USAGE_CACHE_WRITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A span in its place; *guide* draws the lines to its parent (``"│  └─ "``)."""

    span: StoredSpan
    depth: int
    guide: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    What one span says of itself, fit to be shown; ``None`` and "" where it says nothing.

    Args:
        asked, model: What the client asked for, and what served.
        input_tokens: Cached ones and those written to a cache included.
        first_chunk_s: From the request to the first byte of a streamed answer.
    """

    asked: str = ""
    model: str = ""
    provider: str = ""
    route: str = ""
    status: int | None = None
    error: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    is_estimated: bool = False
    is_stream: bool = False
    first_chunk_s: float | None = None


def outline(spans: Iterable[StoredSpan]) -> list[Node]:
    """
    Every span once, each below its parent, siblings by their start. A span whose parent is not
    among *spans* (it is in another process, or went) is a root.
    """
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.id))
    known = {span.span_id for span in ordered}
    children: dict[str, list[StoredSpan]] = {}
    for span in ordered:
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault(parent, []).append(span)
    roots = children.get("", [])
    nodes: list[Node] = []
    seen: set[str] = set()
    for root in [*roots, *ordered]:  # the rest: spans that are each other's parents
        if root.span_id not in seen:
            _lay_out(root, children, nodes, seen)
    return nodes


def _lay_out(
    root: StoredSpan,
    children: Mapping[str, Sequence[StoredSpan]],
    nodes: list[Node],
    seen: set[str],
) -> None:
    waiting: list[tuple[StoredSpan, int, str, str]] = [(root, 0, "", "")]
    while waiting:
        span, depth, guide, below = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        nodes.append(Node(span=span, depth=depth, guide=guide))
        young = [child for child in children.get(span.span_id, ()) if child.span_id not in seen]
        for number, child in enumerate(reversed(young)):
            turn, line = ("└─ ", "   ") if number == 0 else ("├─ ", "│  ")
            waiting.append((child, depth + 1, below + turn, below + line))


def is_exchange(span: StoredSpan) -> bool:
    """Whether *span* stands for one answered request, with its tokens and its cost."""
    return str(span.attributes.get(semconv.OPERATION_NAME)) in _GENERATIONS


def answered(spans: Iterable[StoredSpan]) -> list[StoredSpan]:
    """
    The exchanges that asked a model themselves: those with no exchange below them. Their tokens
    and costs add up; an agent's own exchange would count those within it again.
    """
    found: list[StoredSpan] = []
    nearest = -1  # the least depth of what comes up to the next exchange; -1: no other comes
    for node in reversed(outline(spans)):
        if not is_exchange(node.span):
            nearest = min(nearest, node.depth)
            continue
        if nearest <= node.depth:  # the next exchange is not below this one
            found.append(node.span)
        nearest = node.depth
    return found[::-1]


def figures(span: StoredSpan) -> Figures:
    """What the attributes of *span* say."""
    has = span.attributes
    return Figures(
        asked=_text(has, semconv.REQUEST_MODEL),
        model=_text(has, semconv.MODEL, semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL),
        provider=_text(has, semconv.PROVIDER, semconv.PROVIDER_NAME),
        route=_text(has, semconv.ROUTE_NAME),
        status=_count(has, semconv.HTTP_RESPONSE_STATUS_CODE, semconv.HTTP_STATUS_CODE),
        error=_text(has, semconv.ERROR_TYPE) or (span.status == "error" and "error") or "",
        input_tokens=_count(has, semconv.USAGE_INPUT_TOKENS),
        output_tokens=_count(has, semconv.USAGE_OUTPUT_TOKENS),
        cached_tokens=_count(has, semconv.USAGE_CACHE_READ),
        cache_write_tokens=_count(has, *_CACHE_WRITES),
        reasoning_tokens=_count(has, semconv.USAGE_REASONING),
        cost_usd=_number(has, semconv.COST_TOTAL),
        is_estimated=has.get(semconv.COST_ESTIMATED) is True
        or has.get(semconv.USAGE_ESTIMATED) is True,
        is_stream=has.get(semconv.REQUEST_STREAM) is True,
        first_chunk_s=_number(has, semconv.RESPONSE_TIME_TO_FIRST_CHUNK),
    )


def tokens_per_s(figures: Figures, duration_s: float) -> float | None:
    """
    How fast a stream's output came once it had begun; ``None`` for an answer in one piece, whose
    first byte is its last.
    """
    if not figures.output_tokens or figures.first_chunk_s is None:
        return None
    flowing_s = duration_s - figures.first_chunk_s
    return figures.output_tokens / flowing_s if flowing_s > 0 else None


def duration_text(seconds: float | None) -> str:
    """``840 µs``, ``12 ms``, ``1.24 s``, ``3 m 05 s``; "" for ``None``."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s"


def cost_text(usd: float | None, *, is_estimated: bool = False) -> str:
    """``$0.0042`` with the digits that matter; ``~`` before an estimate; "" for ``None``."""
    if usd is None:
        return ""
    decimals = next((d for limit, d in ((1e-4, 8), (1e-2, 6), (1.0, 4)) if usd < limit), 2)
    return f"{'~' if is_estimated else ''}${usd:.{decimals if usd else 2}f}"


def tokens_text(count: int | None) -> str:
    """``1,204``; "" for ``None``."""
    return "" if count is None else f"{count:,}"


def printable(text: str) -> str:
    """*text* with nothing in it that moves a terminal's cursor: much of it is a client's."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _text(attributes: Mapping[str, Any], *names: str) -> str:
    return next((printable(str(found)) for name in names if (found := attributes.get(name))), "")


def _count(attributes: Mapping[str, Any], *names: str) -> int | None:
    found = _number(attributes, *names)
    return None if found is None else int(found)


def _number(attributes: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        found = attributes.get(name)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return found
    return None
