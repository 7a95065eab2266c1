"""Conversations in the neutral form, as the rows that detectors read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from plano_asgi._json import dumps_str, loads
from plano_asgi.conversation import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.signals.base import Row, RowKind
from plano_asgi.signals.clipping import RESULT_HEAD_SHARE, clip, clip_arguments
from plano_asgi.signals.server_tools import server_rows

MAX_ROWS = 100
MAX_TEXT = 2000
RESULT_FACTOR = 4
"""How much longer than a person's words a tool's result or a call's arguments may be kept."""


def rows_of(
    messages: Sequence[Message],
    answer: Sequence[Part] | None = None,
    *,
    dialect: str = "",
    max_rows: int = MAX_ROWS,
    max_text: int = MAX_TEXT,
    start: int = 0,
) -> list[Row]:
    """
    The last rows of a conversation, in order.

    A user message is a row even without text; an assistant's text only where there is some, its
    calls after it. System and developer messages are none. The indexes are positions in the
    client's own list; those of messages the client did not send again (a *start* below 0) are
    negative.

    Args:
        answer: What the model says to all this; its index is one past the last.
        dialect: The client's, where its list is told otherwise in the neutral form:
            ``anthropic.messages`` and ``bedrock.converse`` (a user turn with tool results becomes
            two messages, ``system`` one more), ``openai.responses`` (items become turns).
        max_rows: The window: so many of the last rows.
        max_text: Characters kept of a person's or the model's words, the head and the tail; of
            results and arguments four times as many.
        start: The index of the first message.
    """
    places, end = _PLACES.get(dialect, _one_each)(messages, start)
    newest: list[Row] = []
    if answer:
        newest += reversed(_assistant(answer, end))
    for message, place in zip(reversed(messages), reversed(places), strict=True):
        if len(newest) >= max_rows:
            break
        if reader := _READERS.get(message.role):
            own = reader(message.parts, place)
            newest += own if len(own) == 1 else reversed(own)
    return [
        row if len(row.text) <= max_text else bounded(row, max_text)
        for row in reversed(newest[:max_rows])
    ]


def bounded(row: Row, max_text: int = MAX_TEXT) -> Row:
    """*row* with a text no longer than ``rows_of`` keeps of its kind."""
    if len(row.text) <= max_text:
        return row
    if row.kind == "function_call":
        text = clip_arguments(row.text, RESULT_FACTOR * max_text)
    elif row.kind == "observation":
        text = clip(row.text, RESULT_FACTOR * max_text, head_share=RESULT_HEAD_SHARE)
    else:
        text = clip(row.text, max_text)
    return replace(row, text=text)


# --------------------------------------------------------------------------- parts

_Place: TypeAlias = int | Sequence[int]
"""The index of a message, or of each of its parts."""
_SAID = (TextPart, RefusalPart)


def _user(parts: Sequence[Part], place: _Place) -> list[Row]:
    if parts and isinstance(parts[0], OpaquePart) and all(map(_is_opaque, parts)):
        return _tools(parts, place)  # an item that only its dialect knows is nobody's turn
    return [Row(kind="human", text=_text(parts), index=_index(place, 0))]


def _assistant(parts: Sequence[Part], place: _Place) -> list[Row]:
    text = _text(parts)
    if not text or text.isspace():
        return _tools(parts, place)
    if len(parts) == 1:
        return [Row(kind="gpt", text=text, index=_index(place, 0))]
    first = next(at for at, part in enumerate(parts) if isinstance(part, _SAID))
    return [Row(kind="gpt", text=text, index=_index(place, first)), *_tools(parts, place)]


def _tools(parts: Sequence[Part], place: _Place) -> list[Row]:
    rows: list[Row] = []
    for at, part in enumerate(parts):
        if isinstance(part, ToolCallPart):
            rows.append(
                Row(
                    kind="function_call",
                    text=part.arguments,
                    name=part.name,
                    call_id=part.id,
                    index=_index(place, at),
                )
            )
        elif isinstance(part, ToolResultPart):
            rows.append(
                Row(
                    kind="observation",
                    text=_text(part.content),
                    call_id=part.call_id,
                    # False is also what a dialect says that has no such field.
                    is_error=part.is_error or None,
                    index=_index(place, at),
                )
            )
        elif isinstance(part, OpaquePart):
            rows += server_rows(part.raw, _index(place, at))
    return rows


def _index(place: _Place, at: int) -> int:
    return place if isinstance(place, int) else place[at]


def _is_opaque(part: Part) -> bool:
    return isinstance(part, OpaquePart)


def _text(parts: Sequence[Part]) -> str:
    if len(parts) == 1 and isinstance(only := parts[0], _SAID):
        return only.text
    return "\n".join([part.text for part in parts if isinstance(part, _SAID)])


_READERS: Mapping[str, Callable[[Sequence[Part], _Place], list[Row]]] = {
    "user": _user,
    "assistant": _assistant,
    "tool": _tools,
}

# --------------------------------------------------------------------------- places

_Placing: TypeAlias = Callable[[Sequence[Message], int], tuple[Sequence[_Place], int]]


def _one_each(messages: Sequence[Message], start: int) -> tuple[Sequence[_Place], int]:
    end = start + len(messages)
    return range(start, end), end


def _turns(messages: Sequence[Message], start: int) -> tuple[Sequence[_Place], int]:
    """Tool results and the words after them are one turn; what the head says is none."""
    places: list[_Place] = []
    index, before = start - 1, ""
    for message in messages:
        is_head = message.role == "system" and not places
        if not is_head and (before, message.role) != ("tool", "user"):
            index += 1
        places.append(max(start, index))
        before = message.role
    return places, index + 1


def _items(messages: Sequence[Message], start: int) -> tuple[Sequence[_Place], int]:
    """Reasoning, calls and results are items of their own; a message's texts are one."""
    places: list[_Place] = []
    index = start
    for message in messages:
        if message.extras.get("openai.responses", {}).get("instructions"):
            places.append(index)
            continue
        own: list[int] = []
        was_content = False
        for part in message.parts:
            is_content = isinstance(part, (TextPart, RefusalPart, MediaPart))
            index += bool(own) and not (is_content and was_content)
            own.append(index)
            was_content = is_content
        index += 1
        places.append(own or [index - 1])
    return places, index


_PLACES: Mapping[str, _Placing] = {
    "anthropic.messages": _turns,
    "bedrock.converse": _turns,
    "openai.responses": _items,
}

# --------------------------------------------------------------------------- ShareGPT

_SHAREGPT: Mapping[str, RowKind] = {
    **dict.fromkeys(("human", "user"), "human"),
    **dict.fromkeys(("gpt", "assistant", "model", "bot", "chatgpt"), "gpt"),
    **dict.fromkeys(("function_call", "tool_call"), "function_call"),
    **dict.fromkeys(("observation", "tool", "function_response", "tool_response"), "observation"),
}


def rows_from_sharegpt(turns: Iterable[Mapping[str, Any]], *, start: int = 0) -> list[Row]:
    """
    Rows of ``{"from", "value"}`` turns; turns of other speakers (system) are passed over.

    A call's value is JSON (``name`` or ``function``, ``arguments``, ``args`` or ``parameters``)
    or ``name(arguments)``.
    """
    rows: list[Row] = []
    for index, turn in enumerate(turns, start):
        value = turn.get("value")
        text = value if isinstance(value, str) else dumps_str(value) if value is not None else ""
        kind = _SHAREGPT.get(str(turn.get("from")))
        if kind == "function_call":
            rows += _calls(text, index)
        elif kind is not None and (text.strip() or kind != "gpt"):
            rows.append(Row(kind=kind, text=text, index=index))
    return rows


def _calls(text: str, index: int) -> Iterator[Row]:
    try:
        value = loads(text)
    except ValueError:
        value = None
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(isinstance(call, dict) for call in calls):
        name, _, arguments = text.strip().partition("(")
        yield Row(kind="function_call", text=arguments.removesuffix(")"), name=name, index=index)
        return
    for call in calls:
        name = call.get("name") or call.get("function") or "unknown"
        arguments = next((call[k] for k in ("arguments", "args", "parameters") if k in call), "")
        written = arguments if isinstance(arguments, str) else dumps_str(arguments)
        yield Row(kind="function_call", text=written, name=str(name), index=index)
