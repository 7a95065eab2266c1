"""
Tools, tool choice and tool calls, both ways; the legacy ``functions`` are read as tools.

A tool read from ``functions`` carries ``raw={"legacy": True}``: its client is answered with
``function_call``. A tool of a type that is neither "function" nor "custom" is opaque.
"""

from __future__ import annotations

from collections.abc import Mapping

from plano_asgi._json import JSONObject, dumps_str
from plano_asgi.conversation import ChatRequest, Tool, ToolCallPart, ToolChoice
from plano_asgi.errors import RequestError
from plano_asgi.wire.foreign import Refuse, is_claude_search, place_of
from plano_asgi.wire.openai_chat.fields import (
    NAME,
    element,
    new_id,
    optional,
    present,
    required,
    rest,
    text_of,
)
from plano_asgi.wire.tools import hoisted_tools

_FUNCTION_KEYS = ("name", "description", "parameters", "strict")
_CALL_KEYS = ("id", "type", "function", "custom", "index")
_CHOICE_WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def is_legacy(request: ChatRequest) -> bool:
    """Whether the client speaks ``functions`` instead of ``tools``."""
    return any(tool.raw.get("legacy") for tool in request.tools if tool.kind == "function")


# --------------------------------------------------------------------------- reading


def read_tools(body: JSONObject) -> list[Tool]:
    """``tools`` and ``functions``. Raises ``RequestError``."""
    tools = optional(body, "tools", list) or []
    functions = optional(body, "functions", list) or []
    return [
        *(_read_tool(element(tool, f"tools.{i}"), f"tools.{i}.") for i, tool in enumerate(tools)),
        *(
            _read_function(element(item, f"functions.{i}"), f"functions.{i}.", {"legacy": True})
            for i, item in enumerate(functions)
        ),
    ]


def _read_tool(tool: JSONObject, path: str) -> Tool:
    kind = optional(tool, "type", str, path) or "function"
    if kind == "function":
        function = required(tool, "function", dict, path)
        read = _read_function(function, f"{path}function.", {})
        read.extras |= rest(tool, ("type", "function"))
        return read
    if kind == "custom":
        custom = required(tool, "custom", dict, path)
        inner = f"{path}custom."
        return Tool(
            kind="custom",
            name=required(custom, "name", str, inner),
            description=optional(custom, "description", str, inner),
            raw=rest(custom, ("name", "description")),
            dialect=NAME,
            extras=rest(tool, ("type", "custom")),
        )
    return Tool(kind="opaque", name=kind, raw=tool, dialect=NAME)


def _read_function(function: JSONObject, path: str, raw: JSONObject) -> Tool:
    inner = rest(function, _FUNCTION_KEYS)
    return Tool(
        name=required(function, "name", str, path),
        description=optional(function, "description", str, path),
        parameters=optional(function, "parameters", dict, path),
        strict=optional(function, "strict", bool, path),
        raw=raw,
        dialect=NAME,
        extras={"function": inner} if inner else {},
    )


def read_tool_choice(body: JSONObject) -> ToolChoice | None:
    """``tool_choice``, else the legacy ``function_call``. Raises ``RequestError``."""
    key = "tool_choice" if body.get("tool_choice") is not None else "function_call"
    choice = body.get(key)
    if choice is None:
        return None
    if isinstance(choice, str):
        if (word := _CHOICE_WORDS.get(choice)) is None:
            known = ", ".join(_CHOICE_WORDS)
            raise RequestError(f"'{key}' must be one of {known}", param=key, code="invalid_value")
        return ToolChoice(mode=word)  # type: ignore[arg-type]  # the table's values are modes
    choice = required(body, key, dict)
    if key == "function_call":
        return ToolChoice(mode="named", name=required(choice, "name", str, f"{key}."))
    kind = choice.get("type")
    if kind in ("function", "custom"):
        inner = required(choice, kind, dict, f"{key}.")
        return ToolChoice(mode="named", name=required(inner, "name", str, f"{key}.{kind}."))
    allowed = _read_allowed(choice) if kind == "allowed_tools" else None
    return allowed or ToolChoice(mode="opaque", raw=choice, dialect=NAME)


def _read_allowed(choice: JSONObject) -> ToolChoice | None:
    path = "tool_choice.allowed_tools."
    allowed = required(choice, "allowed_tools", dict, "tool_choice.")
    names = []
    for i, tool in enumerate(required(allowed, "tools", list, path)):
        inner = element(tool, f"{path}tools.{i}").get(text_of(tool.get("type")))
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            return None  # a server tool: only the upstream knows what is meant
        names.append(inner["name"])
    mode = "required" if allowed.get("mode") == "required" else "auto"
    return ToolChoice(mode=mode, allowed=names)  # type: ignore[arg-type]  # two of the modes


def read_tool_call(call: JSONObject, path: str) -> ToolCallPart:
    """One of a history's ``tool_calls``. Raises ``RequestError``."""
    kind = "custom" if "custom" in call and "function" not in call else "function"
    inner = required(call, kind, dict, path)
    return ToolCallPart(
        id=required(call, "id", str, path),
        name=required(inner, "name", str, f"{path}{kind}."),
        arguments=arguments_text(inner.get("input" if kind == "custom" else "arguments")),
        kind="custom" if kind == "custom" else "function",
        extras=call_extras(call),
    )


def read_answered_call(call: JSONObject) -> ToolCallPart:
    """One of an answer's ``tool_calls``, whatever of it there is; a missing id is made."""
    custom = isinstance(call.get("custom"), dict)
    inner = call.get("custom" if custom else "function")
    inner = inner if isinstance(inner, dict) else {}
    return ToolCallPart(
        id=text_of(call.get("id")) or new_id("call_"),
        name=text_of(inner.get("name")),
        arguments=arguments_text(inner.get("input" if custom else "arguments")),
        kind="custom" if custom else "function",
        extras=call_extras(call),
    )


def call_extras(call: JSONObject) -> JSONObject:
    """Unknown fields of a call (``extra_content``, ...), those of its function under "function"."""
    extras = rest(call, _CALL_KEYS)
    inner = call.get("function")
    if isinstance(inner, dict) and (unknown := rest(inner, ("name", "arguments"))):
        extras["function"] = unknown
    return extras


def arguments_text(value: object) -> str:
    """Raw arguments as text; some upstreams send the decoded object."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps_str(value)


# --------------------------------------------------------------------------- writing


def write_tools(request: ChatRequest, refuse: Refuse) -> list[JSONObject]:
    """``tools``; refuses another dialect's server tools."""
    own = request.dialect == NAME
    tools = []
    for path, tool in _offered(request):
        if tool.kind == "opaque":
            if tool.dialect == NAME:
                tools.append(tool.raw)
            elif not (_only_finds_tools(tool) or is_claude_search(tool)):
                refuse(path, f"'{tool.name}' is a tool that only {tool.dialect} knows")
            continue
        kind, inner = ("custom", _custom(tool)) if tool.kind == "custom" else _function(tool)
        extras = dict(tool.extras) if own else {}
        inner |= extras.pop("function", {})
        tools.append({"type": kind, kind: inner} | extras)
    return tools


def _offered(request: ChatRequest) -> list[tuple[str, Tool]]:
    """The tools with their paths, those of namespaces one by one."""
    if request.dialect == NAME:
        return [(f"tools.{i}", tool) for i, tool in enumerate(request.tools)]
    return hoisted_tools(request.tools, NAME)


def write_web_search(request: ChatRequest, refuse: Refuse) -> JSONObject | None:
    """
    ``web_search_options`` for Anthropic's web search; refuses what limits it to some domains.

    ``max_uses`` is left out: it bounds costs, and chat searches once.
    """
    for i, tool in enumerate(request.tools):
        if not is_claude_search(tool):
            continue
        for field in ("allowed_domains", "blocked_domains"):
            if tool.raw.get(field):
                refuse(f"tools.{i}.{field}", "chat searches the whole web")
        place = place_of(tool.raw)
        where = {"type": "approximate", "approximate": place} if place else None
        return present(user_location=where)
    return None


def _function(tool: Tool) -> tuple[str, JSONObject]:
    return "function", {"name": tool.name} | present(
        description=tool.description, parameters=tool.parameters, strict=tool.strict
    )


def _only_finds_tools(tool: Tool) -> bool:
    """
    A server-side search over the other tools, which needs no counterpart: all of them are sent.

    One that the client executes brings tools nobody has seen yet, and is not this.
    """
    kind = text_of(tool.raw.get("type"))
    return kind.startswith("tool_search") and tool.raw.get("execution") != "client"


def _custom(tool: Tool) -> JSONObject:
    custom = {"name": tool.name} | present(description=tool.description)
    if tool.dialect == NAME:
        return custom | tool.raw
    form = tool.raw.get("format")
    if isinstance(form, dict) and "grammar" not in form and form.get("type") == "grammar":
        # Responses has the grammar's fields beside its type, chat below it.
        form = {"type": "grammar", "grammar": rest(form, ("type",))}
    return custom | present(format=form)


def write_tool_choice(request: ChatRequest, refuse: Refuse) -> str | JSONObject | None:
    """``tool_choice``; refuses a choice that only another dialect knows."""
    choice = request.tool_choice
    if choice is None:
        return None
    if choice.mode == "opaque":
        if choice.dialect == NAME:
            return choice.raw
        refuse("tool_choice")
        return None
    kinds = {tool.name: tool.kind for _, tool in _offered(request)}
    searches = {tool.name for tool in request.tools if is_claude_search(tool)}
    if choice.mode == "named" and choice.name in searches:
        return None  # a search is asked for by its options, and no tool here
    if choice.allowed is not None:
        tools = [_named(name, kinds) for name in choice.allowed if name not in searches]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return _named(choice.name or "", kinds) if choice.mode == "named" else choice.mode


def _named(name: str, kinds: Mapping[str, str]) -> JSONObject:
    kind = "custom" if kinds.get(name) == "custom" else "function"
    return {"type": kind, kind: {"name": name}}


def write_tool_call(part: ToolCallPart, *, own: bool) -> JSONObject:
    """One of ``tool_calls``. *own*: its extras are this dialect's and go back."""
    if part.kind == "custom":
        call: JSONObject = {"name": part.name, "input": part.arguments}
    else:
        call = {"name": part.name, "arguments": part.arguments}
    extras = dict(part.extras) if own else {}
    call |= extras.pop("function", {})
    return {"id": part.id, "type": part.kind, part.kind: call} | extras
