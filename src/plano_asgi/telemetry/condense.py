"""
Runs of like events of a stream made one, so that a long stream is read as fast as a short one.

Most events of a stream differ from the one before in a single text: the next piece of the answer.
One such event is read in full, once; those that have the very same bytes around their text are
the same event with another text, and all of them together say what one with all the texts says.
Whatever is not of that shape stays as it came. So the ordinary reader reads what is left, and no
second reader has to agree with it: 0.2 us for an event where it takes 3 to 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plano_asgi._json import JSONObject, loads

_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+')
_STRINGS = re.compile(rb'(?:[^"\\]++|\\[^\0])*+')
"""What stands between the quotes of JSON texts, with a NUL between any two."""
_COUNTER = re.compile(rb'"sequence_number":\s?\d+,')
_PADDING = re.compile(rb', ?"(?:obfuscation|p)": ?"[\w-]*"\}(?=\n\n)')
_PADDED = (b'"obfuscation":', b'"p":')
"""Fields of random letters that some upstreams end every event with."""
_PADDED_WITHIN = 4096  # bytes
_NAME = re.compile(rb"\n*(?:event: ?(?!error)[\w.]+\n)?data: ?(?=\{)")
_BLANK = b"\n\n"


class _Shape(NamedTuple):
    """The bytes around the text of an event, its blank line included."""

    start: bytes
    end: bytes


def condensed(dialect: str, stream: bytes) -> bytes:
    """
    The same as *stream* to a reader of *dialect*, in fewer events. Numbers that count events, and
    padding, are left out.
    """
    text_key = _TEXT_KEYS.get(dialect)
    if text_key is None:
        return stream
    if b"\r" in stream:
        stream = stream.replace(b"\r\n", b"\n")
    if text_key is _responses_key:
        stream = _COUNTER.sub(b"", stream)
    if any(mark in stream[:_PADDED_WITHIN] for mark in _PADDED):
        stream = _PADDING.sub(b"}", stream)
    found: list[bytes] = []
    at = 0
    while (after := stream.find(_BLANK, at) + 2) > 1:
        if shape := _shape(stream[at:after], text_key):
            texts, after = _run(stream, at, shape)
            if _STRINGS.fullmatch(b"\0".join(texts)):
                found += (shape.start, *texts, shape.end)
                at = after
                continue
        found.append(stream[at:after])
        at = after
    return b"".join((*found, stream[at:]))


def _run(stream: bytes, at: int, shape: _Shape) -> tuple[list[bytes], int]:
    """The texts of the events of *shape* that stand one after the other, and where they end."""
    start, end = shape
    before, behind = len(start), len(end)
    find, startswith = stream.find, stream.startswith
    texts: list[bytes] = []
    while startswith(start, at):
        after = find(_BLANK, at + before) + 2
        if not startswith(end, after - behind) or after - behind < at + before:
            break
        texts.append(stream[at + before : after - behind])
        at = after
    return texts, at


def _shape(frame: bytes, text_key: Callable[[JSONObject], str]) -> _Shape | None:
    """Where the one text of *frame* stands, if it is an event that says nothing else."""
    if (name := _NAME.match(frame)) is None:
        return None
    try:
        event = loads(frame[name.end() :])
    except ValueError:
        return None
    if not isinstance(event, dict) or not (key := text_key(event)):
        return None
    marks = list(re.finditer(rb'"%b":\s?"' % key.encode(), frame))
    if len(marks) != 1:
        return None
    at = marks[0].end()
    text = _STRING.match(frame, at)
    return _Shape(frame[:at], frame[text.end() :]) if text else None


# ------------------------------------------------------------------- events that are one text

_TELLING = ("error", "usage", "x_groq", "type")
_CHOICE = frozenset({"index", "delta"})
_DELTAS: Mapping[frozenset[str], str] = {
    frozenset({"content"}): "content",
    frozenset({"role", "content"}): "content",
    frozenset({"reasoning_content"}): "reasoning_content",
    frozenset({"role", "reasoning_content"}): "reasoning_content",
    frozenset({"reasoning"}): "reasoning",
    frozenset({"role", "reasoning"}): "reasoning",
}


def _chat_key(event: JSONObject) -> str:
    choices = event.get("choices")
    if (
        not isinstance(choices, list)
        or len(choices) != 1
        or not isinstance(choice := choices[0], dict)
        or any(event.get(name) for name in _TELLING)
        or event.get("object") == "error"
        or not {name for name, value in choice.items() if value} <= _CHOICE
        or not isinstance(delta := choice.get("delta"), dict)
    ):
        return ""
    told = frozenset(name for name, value in delta.items() if value)
    if told == {"tool_calls"}:
        return _call_key(delta["tool_calls"])
    key = _DELTAS.get(told, "")
    return key if isinstance(delta.get(key), str) else ""


_ARGUMENTS = {"arguments"}


def _call_key(calls: Any) -> str:
    """More arguments of a call that an index tells; nothing that could begin another."""
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 else None
    if not isinstance(call, dict) or not isinstance(call.get("index"), int):
        return ""
    if {name for name, value in call.items() if value} - {"index", "type", "function"}:
        return ""
    function = call.get("function")
    if not isinstance(function, dict) or any(
        function[name] for name in function.keys() - _ARGUMENTS
    ):
        return ""
    return "arguments" if isinstance(function.get("arguments"), str) else ""


_MESSAGES_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


def _messages_key(event: JSONObject) -> str:
    delta = event.get("delta")
    if event.get("type") != "content_block_delta" or not isinstance(delta, dict):
        return ""
    key = _MESSAGES_DELTAS.get(str(delta.get("type")), "")
    return key if isinstance(delta.get(key), str) and delta.keys() == {"type", key} else ""


_RESPONSES_DELTAS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
    }
)


def _responses_key(event: JSONObject) -> str:
    is_text = str(event.get("type")) in _RESPONSES_DELTAS and not event.get("logprobs")
    return "delta" if is_text and isinstance(event.get("delta"), str) else ""


_TEXT_KEYS: Mapping[str, Callable[[JSONObject], str]] = {
    "openai.chat": _chat_key,
    "anthropic.messages": _messages_key,
    "openai.responses": _responses_key,
}
