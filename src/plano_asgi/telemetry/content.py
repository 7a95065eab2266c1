"""
Prompts and answers as attributes, where somebody asked for them: JSON text in the message shapes
of the GenAI conventions, masked and bounded.

Media go by reference only: what it is and how large, or where, without the query of a URL (it may
be signed). Reasoning that only its maker can read is left out, and blocks that only one dialect
knows are named, not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, TypeVar

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import ChatRequest, Choice, Message, TextPart, Tool
from plano_asgi.errors import ConfigurationError, RequestError
from plano_asgi.telemetry import semconv as names
from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.content_parts import PartWriter, Scrubbers
from plano_asgi.telemetry.outcome import Outcome

MAX_CONTENT_BYTES = 64 << 10
_INSTRUCTING = frozenset(("openai.responses", "anthropic.messages"))
"""Dialects whose instructions stand beside the messages."""
_FINISH_REASONS = {"tool_calls": "tool_call", "refusal": "content_filter"}
_WIDEST = 8  # bytes that a character may take in JSON, and some for the frame
T = TypeVar("T")


class ContentCapture(Enum):
    """
    Where the words of a conversation go: nowhere (the default), onto spans, into events, or both.

    The names are those of ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``.
    """

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """Content goes onto spans."""
        return self in (ContentCapture.SPAN_ONLY, ContentCapture.SPAN_AND_EVENT)

    @property
    def in_events(self) -> bool:
        """Content goes into events."""
        return self in (ContentCapture.EVENT_ONLY, ContentCapture.SPAN_AND_EVENT)

    @classmethod
    def parse(cls, value: str | None) -> ContentCapture:
        """
        What *value* asks for, in any case; nothing or "" is ``NO_CONTENT``. ``true`` and
        ``false``, which the variable took before there were four modes, are events and nothing.

        Raises:
            ConfigurationError: None of them.
        """
        word = (value or "").strip().upper()
        if word in _WORDS:
            return _WORDS[word]
        raise ConfigurationError(f"content capture must be one of {', '.join(cls.__members__)}")


_WORDS = {
    **ContentCapture.__members__,
    "": ContentCapture.NO_CONTENT,
    "FALSE": ContentCapture.NO_CONTENT,
    "TRUE": ContentCapture.EVENT_ONLY,
}


def captured(
    outcome: Outcome, mode: ContentCapture, *, max_bytes: int = MAX_CONTENT_BYTES
) -> Attributes:
    """
    The content of a chat exchange as attributes, for its span or its event, as *mode* says; none
    for ``NO_CONTENT``.

    Every text goes through ``Exchange.scrubbers``. Of too much the newest messages stay, and
    ``plano.content.dropped_messages`` says how many do not; of what is too long by itself the
    beginning stays, and ``plano.content.cut`` says so.

    Args:
        max_bytes: Of each attribute, as UTF-8.
    """
    exchange = outcome.exchange
    if mode is ContentCapture.NO_CONTENT or exchange.operation != "chat":
        return {}
    kept = _Kept(exchange.scrubbers, max_bytes)
    try:
        request = exchange.request
    except RequestError:  # the client was told; the upstream may have thought otherwise
        request = None
    if request is not None:
        _put_request(kept, request)
    if outcome.answer is not None:
        kept.put(names.OUTPUT_MESSAGES, outcome.answer.choices, _choice)
    return kept.attributes


def _put_request(kept: _Kept, request: ChatRequest) -> None:
    instructions, messages = _split(request)
    kept.put(names.SYSTEM_INSTRUCTIONS, instructions, _instruction)
    kept.put(names.INPUT_MESSAGES, messages, _message, newest=True)
    kept.put(names.TOOL_DEFINITIONS, request.tools, _tool)


class _Kept:
    """Attributes in the making, each within *max_bytes*."""

    def __init__(self, scrubbers: Scrubbers, max_bytes: int) -> None:
        self.attributes: Attributes = {}
        self._scrubbers, self._max_bytes = scrubbers, max_bytes

    def put(
        self,
        name: str,
        items: Sequence[T],
        write: Callable[[PartWriter, T], JSONObject],
        *,
        newest: bool = False,
    ) -> None:
        """Attribute *name*: *items* from the first on, or from the last if *newest*, that fit."""
        if not items:
            return
        kept = self._fitting(reversed(items) if newest else items, write)
        if newest:
            kept.reverse()
            if dropped := len(items) - len(kept):
                self.attributes[names.CONTENT_DROPPED] = dropped
        elif len(kept) < len(items):
            self.attributes[names.CONTENT_CUT] = True
        self.attributes[name] = (b"[" + b",".join(kept) + b"]").decode()

    def _fitting(
        self, items: Iterable[T], write: Callable[[PartWriter, T], JSONObject]
    ) -> list[bytes]:
        kept: list[bytes] = []
        left = self._max_bytes - 2
        for item in items:
            written = self._written(item, write, left)
            if len(written) >= left and not kept:
                self.attributes[names.CONTENT_CUT] = True
                written = self._written(item, write, left // _WIDEST)
            if len(written) >= left:
                break
            left -= len(written) + 1
            kept.append(written)
        return kept

    def _written(
        self, item: T, write: Callable[[PartWriter, T], JSONObject], max_chars: int
    ) -> bytes:
        return dumps(write(PartWriter(self._scrubbers, max_chars), item))


def _split(request: ChatRequest) -> tuple[list[TextPart], list[Message]]:
    """The instructions beside the messages, and the messages."""
    messages = request.messages
    if request.dialect not in _INSTRUCTING or not messages or messages[0].role != "system":
        return [], messages
    return [part for part in messages[0].parts if isinstance(part, TextPart)], messages[1:]


def _instruction(writer: PartWriter, part: TextPart) -> JSONObject:
    return {"type": "text", "content": writer.text(part.text)}


def _message(writer: PartWriter, message: Message) -> JSONObject:
    written: JSONObject = {"role": message.role, "parts": writer.parts(message.parts)}
    if message.name:
        written["name"] = writer.text(message.name)
    return written


def _choice(writer: PartWriter, choice: Choice) -> JSONObject:
    reason: Any = choice.finish_reason
    return {
        "role": "assistant",
        "parts": writer.parts(choice.parts),
        "finish_reason": _FINISH_REASONS.get(reason, reason),
    }


def _tool(writer: PartWriter, tool: Tool) -> JSONObject:
    written: JSONObject = {"type": "function", "name": writer.text(tool.name)}
    if tool.kind == "opaque":
        written["type"] = writer.text(str(tool.raw.get("type", "opaque")))
        return written
    if tool.description:
        written["description"] = writer.text(tool.description)
    if tool.parameters is not None:
        written["parameters"] = writer.json(tool.parameters)
    return written
