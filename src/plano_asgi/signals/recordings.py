"""
Recorded conversations, read: JSON Lines of OpenAI chat messages, Anthropic messages, Responses
items or ShareGPT turns; and reports, written as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from plano_asgi._json import JSONObject, dumps_str, loads
from plano_asgi.signals.base import CATEGORIES, Row, Signal, SignalGroup, SignalReport
from plano_asgi.signals.report import layer_of
from plano_asgi.signals.rows import MAX_TEXT, bounded, rows_from_sharegpt
from plano_asgi.signals.server_tools import server_rows, text_of

MAX_LINE = 4 << 20
_LISTS = ("messages", "conversations", "conversation", "input", "items")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """
    One line of a file.

    Args:
        line: Its number, from 1.
        id: What it calls itself; ``None`` if nothing.
        rows: The conversation; empty where there is an *error*.
        error: Why it could not be read; never words of it.
    """

    line: int
    id: str | None = None
    rows: Sequence[Row] = field(default_factory=tuple)
    error: str | None = None


def read_recording(
    lines: Iterable[bytes | str], *, max_line: int = MAX_LINE
) -> Iterator[Recording]:
    """
    One recording for each line that is not blank, in order; a bad line is one with an ``error``.

    A line is ``{"id", "messages": [...]}``, ``{"id", "conversations": [...]}`` or a bare list,
    of what ``read_messages`` reads.

    Args:
        max_line: Bytes (characters of text lines); a longer line is a bad one.
    """
    for number, line in enumerate(lines, 1):
        if len(line) > max_line:
            yield Recording(line=number, error=f"longer than {max_line} bytes")
        elif line.strip():
            yield _recording(number, line)


def _recording(number: int, line: bytes | str) -> Recording:
    try:
        value = loads(line)
    except ValueError:
        return Recording(line=number, error="not JSON")
    named = value.get("id") if isinstance(value, dict) else None
    name = None if named is None else str(named)
    try:
        return Recording(line=number, id=name, rows=read_messages(value))
    except ValueError as exc:
        return Recording(line=number, id=name, error=str(exc))


def read_messages(value: Any, *, max_text: int = MAX_TEXT) -> list[Row]:
    """
    The rows of a recorded conversation, of any of the forms named above, told item by item.

    An item's position in its list is its index. System and developer messages are no rows, nor
    are items of a type that is not known.

    Args:
        value: The list, an object that holds it, or the text of a single message of the user.
        max_text: Characters kept of a text, see ``rows_of``.

    Raises:
        ValueError: There is no list of objects in it.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in _LISTS if key in value), None)
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise ValueError("no list of messages")
    rows: list[Row] = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise ValueError(f"message {index} is not an object")
        rows += _item(item, index)
    return [bounded(row, max_text) for row in rows]


def report_dict(report: SignalReport, *, with_snippets: bool = False) -> JSONObject:
    """
    *report* as JSON: ``interaction_signals``, ``execution_signals``, ``environment_signals`` (each
    the groups of a layer), ``overall_quality``, ``quality_score``, ``is_flagged``,
    ``turn_metrics``, ``summary``.

    Args:
        with_snippets: Words of the conversation too.
    """
    layers: dict[str, JSONObject] = {layer: {} for layer in CATEGORIES.values()}
    for name, group in report.groups.items():
        layers.setdefault(layer_of(group), {})[name] = _group_dict(group, with_snippets)
    turns = report.turns
    return {
        **{f"{layer}_signals": groups for layer, groups in layers.items()},
        "overall_quality": report.quality,
        "quality_score": report.quality_score,
        "is_flagged": report.is_flagged,
        "turn_metrics": {
            "total_turns": turns.user_turns + turns.assistant_turns,
            "user_turns": turns.user_turns,
            "assistant_turns": turns.assistant_turns,
            "is_dragging": turns.is_dragging,
            "efficiency_score": turns.efficiency_score,
        },
        "summary": report.summary,
    }


def _group_dict(group: SignalGroup, with_snippets: bool) -> JSONObject:
    return {
        "category": group.category,
        "count": group.count,
        "severity": group.severity,
        "signals": [_signal_dict(signal, with_snippets) for signal in group.signals],
    }


def _signal_dict(signal: Signal, with_snippets: bool) -> JSONObject:
    told: JSONObject = {
        "signal_type": signal.type,
        "message_index": signal.message_index,
        "confidence": signal.confidence,
        "metadata": dict(signal.metadata),
    }
    return told | {"snippet": signal.snippet} if with_snippets else told


# --------------------------------------------------------------------------- items


def _item(item: JSONObject, index: int) -> Iterable[Row]:
    if "from" in item:
        return rows_from_sharegpt([item], start=index)
    if role := item.get("role"):
        reader = _ROLES.get(str(role))
        return reader(item, index) if reader else ()
    if reader := _ITEMS.get(str(item.get("type"))):
        return reader(item, index)
    return server_rows(item, index)


def _user(item: JSONObject, index: int) -> Iterator[Row]:
    """The results of tools that an Anthropic turn of the user begins with, then the words."""
    blocks = _blocks(item.get("content"))
    results = [b for b in blocks if b.get("type") == "tool_result" or "toolResult" in b]
    for block in results:
        yield from (server_rows if "toolResult" in block else _anthropic_result)(block, index)
    if len(results) < len(blocks) or not results:
        yield Row(kind="human", text=text_of(item.get("content")), index=index)


def _assistant(item: JSONObject, index: int) -> Iterator[Row]:
    content = item.get("content")
    text = text_of(content) or text_of(item.get("refusal"))
    refusals = [b["refusal"] for b in _blocks(content) if isinstance(b.get("refusal"), str)]
    if (said := text or "\n".join(refusals)).strip():
        yield Row(kind="gpt", text=said, index=index)
    for block in _blocks(content):
        if reader := _BLOCKS.get(str(block.get("type"))):
            yield from reader(block, index)
        elif block.get("type") not in ("text", "output_text"):
            yield from server_rows(block, index)
    for call in _blocks(item.get("tool_calls")):
        own = call.get("function") or call.get("custom")
        if isinstance(own, dict):
            yield _call_row(own, index, call.get("id"))
    if isinstance(legacy := item.get("function_call"), dict):
        yield _call_row(legacy, index, None)


def _tool(item: JSONObject, index: int) -> Iterator[Row]:
    marked = item.get("is_error")
    yield Row(
        kind="observation",
        text=text_of(item.get("content")),
        call_id=str(item.get("tool_call_id") or ""),
        is_error=marked if isinstance(marked, bool) else None,
        index=index,
    )


def _call(item: JSONObject, index: int) -> Iterator[Row]:
    yield _call_row(item, index, item.get("call_id") or item.get("id"))


def _call_row(call: JSONObject, index: int, call_id: Any) -> Row:
    asked = next((call[key] for key in ("arguments", "input") if call.get(key) is not None), "")
    return Row(
        kind="function_call",
        text=asked if isinstance(asked, str) else dumps_str(asked),
        name=str(call.get("name") or "unknown"),
        call_id=str(call_id or ""),
        index=index,
    )


def _output(item: JSONObject, index: int) -> Iterator[Row]:
    yield Row(
        kind="observation",
        text=text_of(item.get("output")),
        call_id=str(item.get("call_id") or ""),
        is_error=True if item.get("status") == "failed" else None,
        index=index,
    )


def _anthropic_result(block: JSONObject, index: int) -> Iterator[Row]:
    marked = block.get("is_error")
    yield Row(
        kind="observation",
        text=text_of(block.get("content")),
        call_id=str(block.get("tool_use_id") or ""),
        is_error=marked if isinstance(marked, bool) else None,
        index=index,
    )


def _blocks(value: Any) -> list[JSONObject]:
    return [block for block in value if isinstance(block, dict)] if isinstance(value, list) else []


_Reader: TypeAlias = Callable[[JSONObject, int], Iterator[Row]]

_ROLES: Mapping[str, _Reader] = {
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _tool,
}
_BLOCKS: Mapping[str, _Reader] = {"tool_use": _call}
_ITEMS: Mapping[str, _Reader] = {
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
}
