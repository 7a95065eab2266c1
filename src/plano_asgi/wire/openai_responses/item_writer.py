"""Input items, written: turns become a flat list again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.foreign import OPENAI_DIALECTS, tell_opaque
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.parts import write_media, write_text
from plano_asgi.wire.openai_responses.reasoning import write_replay

_ITEM_PARTS = (ReasoningPart, ToolCallPart, ToolResultPart)

_CONTENT_TYPES = ("input_", "output_", "computer_screenshot", "summary_", "encrypted_content")
"""How the types of content parts begin; items' types begin otherwise."""


class ItemWriter:
    """
    Write messages as input items.

    Args:
        dialect: Whose messages; if they were read from this one, marks and extras are put back.
        options: What to do with what the API cannot express.
    """

    __slots__ = ("_dialect", "_options", "_own")

    def __init__(self, *, dialect: str, options: WriteOptions) -> None:
        self._dialect = dialect
        self._own = dialect == NAME
        self._options = options

    def items(self, messages: Sequence[Message]) -> list[JSONObject]:
        """The ``input`` of *messages*."""
        return [item for message in messages for item in self._message(message)]

    def _message(self, message: Message) -> list[JSONObject]:
        items: list[JSONObject] = []
        for alone, parts in groupby(message.parts, key=_is_item):
            if alone:
                items += [item for part in parts if (item := self._item(part)) is not None]
            else:
                items += self._message_item(message, list(parts))
        if self._own and not message.parts and NAME in message.extras:
            items += self._message_item(message, [])
        return items

    def _item(self, part: Part) -> JSONObject | None:
        match part:
            case ReasoningPart():
                return write_replay(part)
            case ToolCallPart():
                return self._call(part)
            case ToolResultPart():
                return self._result(part)
            case OpaquePart(raw=raw):
                return raw
        raise AssertionError(part)  # pragma: no cover - _is_item let nothing else through

    def _call(self, part: ToolCallPart) -> JSONObject:
        custom = part.kind == "custom"
        item: JSONObject = {
            "type": "custom_tool_call" if custom else "function_call",
            "call_id": part.id,
            "name": part.name,
            "input" if custom else "arguments": part.arguments,
        }
        if not self._own:
            return item if custom or part.arguments else item | {"arguments": "{}"}
        if part.item_id is not None:
            item["id"] = part.item_id
        return part.extras | item

    def _result(self, part: ToolResultPart) -> JSONObject:
        mark = part.extras.get(NAME, {}) if self._own else {}
        kind = "custom_tool_call_output" if part.kind == "custom" else "function_call_output"
        item: JSONObject = {"type": kind, "call_id": part.call_id}
        kept: JSONObject = mark.get("item", {})
        return kept | item | {"output": self._output(part, mark)}

    def _output(self, part: ToolResultPart, mark: JSONObject) -> str | list[JSONObject]:
        texts = [each for each in part.content if isinstance(each, TextPart)]
        if len(texts) == len(part.content) and mark.get("string", True):
            # The plain string: every upstream takes it, and not every one a list.
            text = "\n".join(each.text for each in texts)
            return _as_error(text) if part.is_error else text
        content = self._content(part.content, "input_text")
        if part.is_error:
            content.insert(0, {"type": "input_text", "text": _as_error("")})
        return content

    def _message_item(self, message: Message, parts: list[Part]) -> list[JSONObject]:
        mark = message.extras.get(NAME, {}) if self._own else {}
        role = message.role if message.role != "tool" else "user"
        content = self._content(parts, "output_text" if role == "assistant" else "input_text")
        if not content and not mark:
            return []
        whole = _plain_text(parts) if mark.get("string", True) else None
        return [
            mark.get("item", {}) | {"role": role, "content": content if whole is None else whole}
        ]

    def _content(self, parts: Sequence[Part], kind: str) -> list[JSONObject]:
        written = [self._part(part, kind) for part in parts]
        return [part for part in written if part is not None]

    def _part(self, part: Part, kind: str) -> JSONObject | None:
        match part:
            case TextPart():
                return write_text(part, kind, own=self._own)
            case RefusalPart(text=text):
                return {"type": "refusal", "refusal": text}
            case OpaquePart(dialect=dialect, raw=raw) if dialect == NAME:
                return raw
            case OpaquePart():
                told = tell_opaque(part, "messages", self._refuse)
                return {"type": kind, "text": told} if told else None
            case MediaPart():
                return self._media(part, kind)
        raise AssertionError(part)  # pragma: no cover - the others are items of their own

    def _media(self, part: MediaPart, kind: str) -> JSONObject | None:
        if self._own:
            return write_media(part, own=True)
        if part.file_id and self._dialect not in OPENAI_DIALECTS:
            self._refuse("file_id", f"the file was uploaded to the API of {self._dialect}")
            return None
        media = None if kind == "output_text" else write_media(part, own=False)
        if media is None:
            self._refuse("messages", f"no {part.modality} here")
        return media

    def _refuse(self, field: str, reason: str = "") -> None:
        if self._options.on_unsupported == "error":
            raise UnsupportedField(field, NAME, reason)


def _is_item(part: Part) -> bool:
    """Whether *part* is an item of its own, not content of a message item."""
    if isinstance(part, OpaquePart):
        return part.dialect == NAME and not str(part.raw.get("type")).startswith(_CONTENT_TYPES)
    return isinstance(part, _ITEM_PARTS)


def _plain_text(parts: Sequence[Part]) -> str | None:
    """The text of the one plain text part that *parts* is, else ``None``."""
    match parts:
        case [TextPart(text=text, citations=[])]:
            return text
    return None


def _as_error(text: str) -> str:
    # The API has no error flag on results; without a word the model takes a failure for an answer.
    return text if text[:5].lower() == "error" else f"Error: {text}".strip()
