"""
The ways in which upstreams and models differ from the API they claim to speak.

A quirk changes an outgoing JSON body after routing, so it always speaks of the *chosen* upstream
and its own model id. It gets a shallow copy of the client's body: it may replace top-level values
and must copy whatever lies deeper before it changes it. Which upstream has which: ``quirk_rows``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.wire.tools import FREE_TEXT_SCHEMA, described, wrapped_input

CHAT = "openai.chat"
RESPONSES = "openai.responses"
MESSAGES = "anthropic.messages"
CONVERSE = "bedrock.converse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk(ABC):
    """
    One difference. *models* is a regular expression matched at the start of the upstream's model
    id ("" is every model), *dialect* the upstream dialect it belongs to.
    """

    models: str = ""
    dialect: str = CHAT

    def applies(self, model: str, dialect: str) -> bool:
        """Whether it concerns *model* spoken to in *dialect*."""
        return dialect == self.dialect and re.match(self.models, model) is not None

    @abstractmethod
    def apply(self, body: JSONObject) -> None:
        """Change *body*, a shallow copy of the client's."""


@dataclass(frozen=True, slots=True)
class Rename(Quirk):
    """Move a value from field *old* to *new*; a value that *new* already has is kept."""

    old: str
    new: str

    def apply(self, body: JSONObject) -> None:
        value = body.pop(self.old, None)
        if value is not None and body.get(self.new) is None:
            body[self.new] = value


@dataclass(frozen=True, slots=True)
class Drop(Quirk):
    """Leave *fields* out; ``outer.inner`` names a field one level down."""

    fields: tuple[str, ...]

    def apply(self, body: JSONObject) -> None:
        for name in self.fields:
            outer, dot, inner = name.partition(".")
            if not dot:
                body.pop(name, None)
            elif isinstance(nested := body.get(outer), dict) and inner in nested:
                body[outer] = {key: value for key, value in nested.items() if key != inner}


@dataclass(frozen=True, slots=True)
class DropWhileReasoning(Quirk):
    """
    Leave *fields* out while the model reasons.

    *effort* is the path of the effort in the body; ``none`` there means no reasoning, and a
    missing one whatever *by_default* says of the model.
    """

    fields: tuple[str, ...]
    effort: tuple[str, ...] = ("reasoning_effort",)
    by_default: bool = True

    def apply(self, body: JSONObject) -> None:
        effort: Any = body
        for step in self.effort:
            effort = effort.get(step) if isinstance(effort, dict) else None
        reasons = self.by_default if effort is None else effort != "none"
        if reasons:
            for name in self.fields:
                body.pop(name, None)


@dataclass(frozen=True, slots=True)
class Exclusive(Quirk):
    """The upstream takes *first* or *second*, not both: *second* goes."""

    first: str
    second: str

    def apply(self, body: JSONObject) -> None:
        if body.get(self.first) is not None:
            body.pop(self.second, None)


@dataclass(frozen=True, slots=True)
class Clamp(Quirk):
    """Bring a number into the upstream's range."""

    name: str
    low: float
    high: float

    def apply(self, body: JSONObject) -> None:
        value = body.get(self.name)
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            body[self.name] = min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class MapValues(Quirk):
    """
    Map the words of one scale to another, ignoring case. A word that *values* does not know
    passes unchanged, or goes with its field under *drop_others*.
    """

    name: str
    values: Mapping[str, str]
    drop_others: bool = field(default=False, kw_only=True)

    def apply(self, body: JSONObject) -> None:
        word = body.get(self.name)
        if word is None:
            return
        mapped = self.values.get(word.lower()) if isinstance(word, str) else None
        if mapped is not None:
            body[self.name] = mapped
        elif self.drop_others:
            del body[self.name]


@dataclass(frozen=True, slots=True)
class Pin(Quirk):
    """The upstream works with this one value only."""

    name: str
    value: Any

    def apply(self, body: JSONObject) -> None:
        body[self.name] = self.value


@dataclass(frozen=True, slots=True)
class Default(Quirk):
    """The upstream demands a value where the client may give none."""

    name: str
    value: Any

    def apply(self, body: JSONObject) -> None:
        if not body.get(self.name):
            body[self.name] = self.value


@dataclass(frozen=True, slots=True)
class RenameRole(Quirk):
    """Messages of role *old* become messages of role *new*."""

    old: str
    new: str

    def apply(self, body: JSONObject) -> None:
        messages = body.get("messages")
        if isinstance(messages, list) and any(_role(m) == self.old for m in messages):
            body["messages"] = [
                {**m, "role": self.new} if _role(m) == self.old else m for m in messages
            ]


@dataclass(frozen=True, slots=True)
class DropItem(Quirk):
    """Take *item* out of the list *field*; an emptied list goes as a whole."""

    field: str
    item: str

    def apply(self, body: JSONObject) -> None:
        items = body.get(self.field)
        if isinstance(items, list) and self.item in items:
            body[self.field] = [item for item in items if item != self.item]
            if not body[self.field]:
                del body[self.field]


@dataclass(frozen=True, slots=True)
class DropInMessages(Quirk):
    """Leave *fields* out of every message, or of those of *roles* only."""

    fields: frozenset[str]
    roles: frozenset[str] = frozenset()

    def apply(self, body: JSONObject) -> None:
        messages = body.get("messages")
        if isinstance(messages, list) and any(map(self._concerns, messages)):
            body["messages"] = [
                {key: value for key, value in m.items() if key not in self.fields}
                if self._concerns(m)
                else m
                for m in messages
            ]

    def _concerns(self, message: Any) -> bool:
        return (
            isinstance(message, dict)
            and not self.fields.isdisjoint(message)
            and (not self.roles or message.get("role") in self.roles)
        )


@dataclass(frozen=True, slots=True)
class DropInFunctions(Quirk):
    """Leave *name* out of every function tool."""

    name: str

    def apply(self, body: JSONObject) -> None:
        tools = body.get("tools")
        if isinstance(tools, list):
            body["tools"] = [self._without(tool) for tool in tools]

    def _without(self, tool: Any) -> Any:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or self.name not in function:
            return tool
        kept = {key: value for key, value in function.items() if key != self.name}
        return {**tool, "function": kept}


@dataclass(frozen=True, slots=True)
class FunctionsOnly(Quirk):
    """
    The upstream has no custom tools: they, the choice of them and their calls become functions
    with one text, ``input``, which holds what was free text.
    """

    def apply(self, body: JSONObject) -> None:
        if isinstance(tools := body.get("tools"), list):
            body["tools"] = [_function_tool(tool) for tool in tools]
        if "tool_choice" in body:
            body["tool_choice"] = _function_choice(body["tool_choice"])
        if isinstance(messages := body.get("messages"), list):
            body["messages"] = [self._message(message) for message in messages]

    def _message(self, message: Any) -> Any:
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        if not isinstance(calls, list) or not any(map(_custom, calls)):
            return message
        return {**message, "tool_calls": [_function_call(call) for call in calls]}


@dataclass(frozen=True, slots=True)
class ShortCallIds(Quirk):
    """Tool call ids become *length* letters and digits, the same for a call and its result."""

    length: int

    def apply(self, body: JSONObject) -> None:
        messages = body.get("messages")
        if isinstance(messages, list):
            body["messages"] = [self._message(m) for m in messages]

    def _message(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        changed: JSONObject = {}
        if isinstance(call_id := message.get("tool_call_id"), str):
            changed["tool_call_id"] = self._short(call_id)
        if isinstance(calls := message.get("tool_calls"), list):
            changed["tool_calls"] = [
                {**call, "id": self._short(call["id"])}
                if isinstance(call, dict) and isinstance(call.get("id"), str)
                else call
                for call in calls
            ]
        return {**message, **changed} if changed else message

    def _short(self, call_id: str) -> str:
        if len(call_id) == self.length and call_id.isascii() and call_id.isalnum():
            return call_id
        return sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[: self.length]


@dataclass(frozen=True, slots=True)
class ListInput(Quirk):
    """A Responses ``input`` that is a text or one item becomes a list."""

    def apply(self, body: JSONObject) -> None:
        given = body.get("input")
        if isinstance(given, str):
            body["input"] = [{"type": "message", "role": "user", "content": given}]
        elif isinstance(given, dict):
            body["input"] = [given]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


# --------------------------------------------------------------------------- custom tools


def _custom(item: Any) -> JSONObject | None:
    """What is in a custom tool, a choice of one, or a call of one."""
    inner = item.get("custom") if isinstance(item, dict) else None
    return inner if isinstance(inner, dict) else None


def _function_tool(tool: Any) -> Any:
    custom = _custom(tool)
    if custom is None:
        return tool
    description = described(custom.get("description"), custom.get("format"))
    function = {"name": custom.get("name"), "parameters": FREE_TEXT_SCHEMA}
    if description is not None:
        function["description"] = description
    return _in_place_of_custom(tool, function)


def _function_call(call: Any) -> Any:
    custom = _custom(call)
    if custom is None:
        return call
    text = custom.get("input")
    arguments = wrapped_input(text if isinstance(text, str) else "")
    return _in_place_of_custom(call, {"name": custom.get("name"), "arguments": arguments})


def _function_choice(choice: Any) -> Any:
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if isinstance(allowed, dict) and isinstance(tools := allowed.get("tools"), list):
        return {
            **choice,
            "allowed_tools": {**allowed, "tools": [_function_choice(t) for t in tools]},
        }
    custom = _custom(choice)
    return choice if custom is None else _in_place_of_custom(choice, {"name": custom.get("name")})


def _in_place_of_custom(item: JSONObject, function: JSONObject) -> JSONObject:
    others = {key: value for key, value in item.items() if key not in ("type", "custom")}
    return {**others, "type": "function", "function": function}
