"""
Tools that not every API knows, as those write them, and as their clients want to see the calls.

A **namespace** (Responses) is replaced by its members. A **custom** tool, whose input is free text,
becomes a function with one required text, ``input``. The calls of both come back in the shape in
which the client declared the tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from plano_asgi._json import JSONObject, dumps_str, loads
from plano_asgi.conversation import ChatRequest, Tool, ToolCallPart
from plano_asgi.errors import RequestError, UnsupportedField

RESPONSES = "openai.responses"
"""The one dialect with namespaces."""

FREE_TEXT_SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
"""The parameters of a function that stands for a custom tool."""

_FUNCTION_FIELDS = frozenset({"type", "name", "description", "parameters", "strict"})

# --------------------------------------------------------------------------- namespaces


def hoisted_tools(tools: Iterable[Tool], dialect: str) -> list[tuple[str, Tool]]:
    """
    *tools* with their paths, every ``namespace`` replaced by its members, for *dialect*.

    Raises:
        UnsupportedField: Two tools would carry the same name.
        RequestError: A member that is no tool.
    """
    flat: list[tuple[str, Tool]] = []
    hoisted = False
    for i, tool in enumerate(tools):
        path = f"tools.{i}"
        members = _members(tool)
        if members is None:
            flat.append((path, tool))
            continue
        hoisted = True
        places = ((f"{path}.tools.{j}", member) for j, member in enumerate(members))
        flat += [(where, _read_member(member, where)) for where, member in places]
    if hoisted:
        _check_names(flat, dialect)
    return flat


def _check_names(tools: list[tuple[str, Tool]], dialect: str) -> None:
    seen: set[str] = set()
    for _, tool in tools:
        if tool.kind == "opaque":
            continue
        if tool.name in seen:
            reason = f"two namespaces hold a tool named '{tool.name}'"
            raise UnsupportedField("tools", dialect, reason)
        seen.add(tool.name)


def _members(tool: Tool) -> list[object] | None:
    if tool.kind != "opaque" or tool.dialect != RESPONSES or tool.raw.get("type") != "namespace":
        return None
    members = tool.raw.get("tools")
    return members if isinstance(members, list) else []


def _read_member(member: object, path: str) -> Tool:
    fields = member if isinstance(member, dict) else {}
    kind, name = fields.get("type"), fields.get("name")
    if not isinstance(kind, str):
        raise RequestError(f"'{path}' is not a tool", param=path, code="invalid_type")
    if kind not in ("function", "custom"):
        shown = name if isinstance(name, str) else kind
        return Tool(name=shown, kind="opaque", raw=fields, dialect=RESPONSES)
    description, parameters = fields.get("description"), fields.get("parameters")
    if not isinstance(name, str) or not isinstance(parameters, dict | None):
        raise RequestError(f"'{path}' is not a tool", param=path, code="invalid_type")
    tool = Tool(name=name, description=description if isinstance(description, str) else None)
    if kind == "custom":
        return replace(tool, kind="custom", raw=fields, dialect=RESPONSES)
    strict = fields.get("strict")
    return replace(
        tool,
        parameters=parameters,
        strict=strict if isinstance(strict, bool) else None,
        extras={key: value for key, value in fields.items() if key not in _FUNCTION_FIELDS},
    )


# --------------------------------------------------------------------------- custom tools


def as_function(tool: Tool) -> Tool:
    """*tool* as a function: a custom one takes its text as ``input``, any other is one already."""
    if tool.kind != "custom":
        return tool
    return replace(
        tool,
        kind="function",
        description=described(tool.description, tool.raw.get("format")),
        parameters=FREE_TEXT_SCHEMA,
        raw={},
    )


def described(description: str | None, form: object) -> str | None:
    """The description of a custom tool, with the *form* (its grammar) the input has to follow."""
    if not isinstance(form, dict) or form.get("type") in (None, "text"):
        return description
    hint = f"The input must follow this format: {dumps_str(form)}"
    return f"{description}\n\n{hint}" if description else hint


def wrapped_input(text: str) -> str:
    """The arguments of a function that stands for a custom tool: ``{"input": "..."}``."""
    return dumps_str({"input": text})


def custom_input(arguments: str) -> str:
    """The free text in ``{"input": "..."}``; *arguments* themselves where they are not that."""
    try:
        value = loads(arguments)
    except ValueError:
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


class InputStream:
    """
    Take the free text out of ``{"input": "..."}`` while the arguments still come.

    Arguments that do not begin so are held to their end, and are then what ``custom_input`` says.
    """

    __slots__ = ("_closed", "_escape", "_high", "_opened", "_size", "_unopened")

    def __init__(self) -> None:
        self._unopened: list[str] = []
        self._size = 0
        self._escape = ""
        """The beginning of an escape that was cut in two."""
        self._high = ""
        """The first half of a surrogate pair whose other half is still to come."""
        self._opened = self._closed = False

    def feed(self, arguments: str) -> str:
        """More raw arguments; the text that became readable by them."""
        if self._closed:
            return ""
        return self._decode(arguments) if self._opened else self._open(arguments)

    def finish(self) -> str:
        """No more arguments come: the rest of the text."""
        self._closed = True
        return self._high if self._opened else custom_input("".join(self._unopened))

    def _open(self, arguments: str) -> str:
        self._unopened.append(arguments)
        before, self._size = self._size, self._size + len(arguments)
        if before > _LONGEST_OPENING:
            return ""
        held = "".join(self._unopened)
        opening = _OPENING.match(held)
        if opening is None:
            return ""
        self._opened = True
        return self._decode(held[opening.end() :])

    def _decode(self, arguments: str) -> str:
        held = self._escape + arguments
        body = _BODY.match(held)
        assert body is not None  # it matches nothing, too
        self._closed = held.startswith('"', body.end())
        self._escape = held[body.end() :]
        text = self._high + _ESCAPE.sub(_unescaped, body.group())
        self._high = ""
        if not self._closed and text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        if _SURROGATE.search(text):  # the halves of a pair become one
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return text


_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_LONGEST_OPENING = 256
_BODY = re.compile(
    r'(?:[^"\\]+|\\[^u]|\\u[0-9a-fA-F]{4}|\\u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F]))*', re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def _unescaped(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    # An escape that JSON does not know is a backslash that nobody doubled.
    return chr(int(code, 16)) if code else _ESCAPED.get(letter, escape.group())


# --------------------------------------------------------------------------- what was declared


@dataclass(frozen=True, slots=True)
class Declared:
    """What the client declared of a tool that the model calls."""

    custom: bool = False
    namespace: str | None = None


def declared_tools(request: ChatRequest) -> dict[str, Declared]:
    """
    The client's tools by name: an upstream without custom tools or namespaces calls them as plain
    functions, and its calls have to look like what the client declared.
    """
    found: dict[str, Declared] = {}
    for tool in request.tools:
        for member in _members(tool) or ():
            if isinstance(member, dict) and isinstance(name := member.get("name"), str):
                found[name] = Declared(
                    custom=member.get("type") == "custom", namespace=tool.raw.get("name")
                )
    for tool in request.tools:
        if tool.kind != "opaque":
            found[tool.name] = Declared(custom=tool.kind == "custom")
    return found


def as_declared(call: ToolCallPart, declared: Mapping[str, Declared]) -> ToolCallPart:
    """*call* as one of a custom tool where the client declared it so."""
    if call.kind == "custom" or not declared.get(call.name, Declared()).custom:
        return call
    return replace(call, kind="custom", arguments=custom_input(call.arguments))
