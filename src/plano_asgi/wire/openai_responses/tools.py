"""Tools and the choice among them, both ways."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, Tool, ToolChoice
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.foreign import is_claude_search, place_of
from plano_asgi.wire.openai_responses.check import optional, required, typed
from plano_asgi.wire.openai_responses.names import NAME

_FUNCTION_FIELDS = ("type", "name", "description", "parameters", "strict")
_CALLABLE = ("function", "custom")
_NO_PARAMETERS: JSONObject = {"type": "object", "properties": {}}


# --------------------------------------------------------------------------- read


def read_tools(raw: Sequence[object]) -> list[Tool]:
    """The ``tools`` of a request."""
    return [_read_tool(tool, f"tools.{index}") for index, tool in enumerate(raw)]


def _read_tool(raw: object, param: str) -> Tool:
    body = typed(raw, dict, param)
    kind = required(body, "type", str, param)
    if kind not in _CALLABLE:
        name = body.get("name")
        return Tool(
            name=name if isinstance(name, str) else kind, kind="opaque", raw=body, dialect=NAME
        )
    tool = Tool(
        name=required(body, "name", str, param),
        description=optional(body, "description", str, param),
    )
    if kind == "custom":
        tool.kind, tool.raw, tool.dialect = "custom", body, NAME
        return tool
    tool.parameters = optional(body, "parameters", dict, param)
    tool.strict = optional(body, "strict", bool, param)
    tool.extras = {
        key: value
        for key, value in body.items()
        if key not in _FUNCTION_FIELDS or value is None  # a null strict is not an absent one
    }
    return tool


def read_tool_choice(raw: object) -> ToolChoice:
    """A ``tool_choice``: a word, a named tool, a narrowed set, or a hosted tool."""
    if isinstance(raw, str):
        for mode in ("auto", "none", "required"):
            if raw == mode:
                return ToolChoice(mode=mode)
        raise RequestError(
            f"Invalid value for 'tool_choice': '{raw}'. Supported: 'auto', 'none', 'required'.",
            param="tool_choice",
            code="invalid_value",
        )
    body = typed(raw, dict, "tool_choice")
    kind = required(body, "type", str, "tool_choice")
    if kind in _CALLABLE:
        name = required(body, "name", str, "tool_choice")
        return ToolChoice(mode="named", name=name, raw=body, dialect=NAME)
    if kind == "allowed_tools":
        tools = required(body, "tools", list, "tool_choice")
        names = [tool["name"] for tool in tools if isinstance(tool, dict) and "name" in tool]
        mode = required(body, "mode", str, "tool_choice")
        return ToolChoice(
            mode="required" if mode == "required" else "auto",
            allowed=names,
            raw=body,
            dialect=NAME,
        )
    return ToolChoice(mode="opaque", raw=body, dialect=NAME)


# --------------------------------------------------------------------------- write


def write_tools(request: ChatRequest, options: WriteOptions) -> list[JSONObject]:
    """The ``tools`` of an upstream request."""
    own = request.dialect == NAME
    tools: list[JSONObject] = []
    for i, tool in enumerate(request.tools):
        if tool.kind == "function":
            tools.append(_write_function(tool, own=own))
        elif tool.kind == "custom":
            tools.append(_write_custom(tool))
        elif tool.dialect == NAME:
            tools.append(tool.raw)
        elif is_claude_search(tool):
            tools.append(_write_search(tool.raw, f"tools.{i}", options))
        elif options.on_unsupported == "error":
            raise UnsupportedField("tools", NAME, f"'{tool.name}' is a tool of {tool.dialect}")
    return tools


def _write_function(tool: Tool, *, own: bool) -> JSONObject:
    body: JSONObject = {"type": "function", "name": tool.name}
    if tool.description is not None:
        body["description"] = tool.description
    if own:
        if tool.parameters is not None:
            body["parameters"] = tool.parameters
        if tool.strict is not None:
            body["strict"] = tool.strict
        return tool.extras | body
    # Left out, this API reads strict as true, every other one as false.
    return body | {"parameters": tool.parameters or _NO_PARAMETERS, "strict": tool.strict or False}


def _write_custom(tool: Tool) -> JSONObject:
    if tool.dialect == NAME:
        return tool.raw
    inner = tool.raw.get("custom")
    raw = inner if isinstance(inner, dict) else tool.raw
    body: JSONObject = {"type": "custom", "name": tool.name}
    if tool.description is not None:
        body["description"] = tool.description
    shape = raw.get("format")
    if isinstance(shape, dict):
        # The chat API nests a grammar one level deeper.
        grammar = shape.get("grammar")
        body["format"] = {"type": "grammar", **grammar} if isinstance(grammar, dict) else shape
    return body


def _write_search(search: JSONObject, path: str, options: WriteOptions) -> JSONObject:
    """Anthropic's web search as this API's; ``max_uses`` bounds costs only and is left out."""
    if search.get("blocked_domains") and options.on_unsupported == "error":
        raise UnsupportedField(f"{path}.blocked_domains", NAME)
    body: JSONObject = {"type": "web_search"}
    if domains := search.get("allowed_domains"):
        body["filters"] = {"allowed_domains": domains}
    if place := place_of(search):
        body["user_location"] = {"type": "approximate", **place}
    return body


def write_tool_choice(request: ChatRequest, options: WriteOptions) -> JSONObject | str | None:
    """The ``tool_choice`` of *request*; ``None`` where there is none to write."""
    choice = request.tool_choice
    if choice is None:
        return None
    if choice.dialect == NAME and choice.raw:
        return choice.raw
    if choice.mode == "opaque":
        if options.on_unsupported == "error":
            raise UnsupportedField("tool_choice", NAME)
        return None
    custom = {tool.name for tool in request.tools if tool.kind == "custom"}
    searches = {tool.name for tool in request.tools if is_claude_search(tool)}

    def entry(name: str) -> JSONObject:
        if name in searches:
            return {"type": "web_search"}
        return {"type": "custom" if name in custom else "function", "name": name}

    if choice.mode == "named":
        return entry(choice.name or "")
    if choice.allowed is not None and choice.mode != "none":
        tools = [entry(name) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.mode
