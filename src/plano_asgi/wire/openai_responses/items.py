"""
Input items, read: a flat list becomes turns.

One assistant ``Message`` gathers what the model made before somebody answered: reasoning, at most
one message item, calls, server-tool items. The message item's own fields (id, status, phase) and
the form of its content travel in ``Message.extras["openai.responses"]``.
"""

from __future__ import annotations

from collections.abc import Callable

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    Message,
    OpaquePart,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.openai_responses.check import optional, required, typed
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.parts import read_content
from plano_asgi.wire.openai_responses.reasoning import read_reasoning

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}

_MODEL_MADE = frozenset(
    {"mcp_list_tools", "mcp_approval_request", "compaction", "program", "item_reference"}
)
"""Items of the model's turn whose type does not end in ``_call``."""


class TurnReader:
    """Collect input items into ``messages``, turn by turn."""

    __slots__ = ("_turn", "_turn_has_calls", "_turn_has_message", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._turn: Message | None = None
        self._turn_has_calls = self._turn_has_message = False

    def add(self, raw: object, param: str) -> None:
        """
        Take the next item; *param* is its path.

        Raises:
            RequestError: A field is missing or of the wrong type.
        """
        item = typed(raw, dict, param)
        kind = optional(item, "type", str, param) or ("message" if "role" in item else None)
        if kind is None:
            raise RequestError(
                f"Missing required parameter: '{param}.type'.",
                param=f"{param}.type",
                code="missing_required_parameter",
            )
        _ADDERS.get(kind, TurnReader._add_opaque)(self, item, param)

    def _add_message(self, item: JSONObject, param: str) -> None:
        word = required(item, "role", str, param)
        if (role := _ROLES.get(word)) is None:
            raise RequestError(
                f"Invalid value for '{param}.role': '{word}'. Supported: {', '.join(_ROLES)}.",
                param=f"{param}.role",
                code="invalid_value",
            )
        content = item.get("content")
        kind = "output_text" if role == "assistant" else "input_text"
        parts = [] if content is None else read_content(content, f"{param}.content", kind)
        mark: JSONObject = {k: v for k, v in item.items() if k not in ("role", "content")}
        message = self._assistant(starts=self._turn_has_message) if role == "assistant" else None
        if message is None:
            message = self._append(Message(role=role))
        else:
            self._turn_has_message = True
        message.parts += parts
        message.extras[NAME] = {"item": mark, "string": isinstance(content, str)}

    def _add_reasoning(self, item: JSONObject, param: str) -> None:
        optional(item, "encrypted_content", str, param)
        optional(item, "summary", list, param)
        # Reasoning after a message belongs to what follows it, unless calls are still open: those
        # have to stay in one turn, as their results will be in the next.
        starts = self._turn_has_message and not self._turn_has_calls
        self._assistant(starts=starts).parts.append(read_reasoning(item))

    def _add_call(self, item: JSONObject, param: str) -> None:
        self._assistant().parts.append(read_call(item, param))
        self._turn_has_calls = True

    def _add_result(self, item: JSONObject, param: str) -> None:
        output = item.get("output")
        if output is None:
            raise RequestError(
                f"Missing required parameter: '{param}.output'.",
                param=f"{param}.output",
                code="missing_required_parameter",
            )
        mark: JSONObject = {k: v for k, v in item.items() if k not in ("type", "call_id", "output")}
        result = ToolResultPart(
            call_id=required(item, "call_id", str, param),
            content=read_content(output, f"{param}.output", "input_text"),
            kind="custom" if item["type"] == "custom_tool_call_output" else "function",
            extras={NAME: {"item": mark, "string": isinstance(output, str)}},
        )
        self._append(Message(role="tool", parts=[result]))

    def _add_opaque(self, item: JSONObject, param: str) -> None:
        part: Part = OpaquePart(dialect=NAME, raw=item)
        kind = str(item["type"])
        if kind.endswith("_call") or kind in _MODEL_MADE:
            self._assistant().parts.append(part)
        else:
            role: Role = "tool" if kind.endswith("_output") else "user"
            self._append(Message(role=role, parts=[part]))

    def _assistant(self, *, starts: bool = False) -> Message:
        if self._turn is None or starts:
            self._turn = self._append(Message(role="assistant"))
        return self._turn

    def _append(self, message: Message) -> Message:
        self._turn = message if message.role == "assistant" else None
        self._turn_has_calls = self._turn_has_message = False
        self.messages.append(message)
        return message


_ADDERS: dict[str, Callable[[TurnReader, JSONObject, str], None]] = {
    "message": TurnReader._add_message,
    "reasoning": TurnReader._add_reasoning,
    "function_call": TurnReader._add_call,
    "custom_tool_call": TurnReader._add_call,
    "function_call_output": TurnReader._add_result,
    "custom_tool_call_output": TurnReader._add_result,
}

_CALL_FIELDS = ("type", "call_id", "name", "id")


def read_call(item: JSONObject, param: str) -> ToolCallPart:
    """A ``function_call`` or ``custom_tool_call`` item of a request or an answer."""
    custom = item["type"] == "custom_tool_call"
    text = "input" if custom else "arguments"
    return ToolCallPart(
        id=required(item, "call_id", str, param),
        name=required(item, "name", str, param),
        arguments=required(item, text, str, param),
        kind="custom" if custom else "function",
        item_id=optional(item, "id", str, param),
        extras={k: v for k, v in item.items() if k not in (*_CALL_FIELDS, text)},
    )


def user_text(text: str) -> Message:
    """The message of an ``input`` that is one string."""
    return Message(role="user", parts=[TextPart(text=text)], extras={NAME: {"input": "string"}})


def instructions(text: str) -> Message:
    """The message of ``instructions``: marked, so that a writer can tell it from an input item."""
    return Message(
        role="system", parts=[TextPart(text=text)], extras={NAME: {"instructions": True}}
    )
