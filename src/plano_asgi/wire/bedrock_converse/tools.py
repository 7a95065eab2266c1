"""Tools and tool choice: the neutral forms to ``toolConfig`` and back."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from plano_asgi.wire.bedrock_converse.blocks import Writing
from plano_asgi.wire.bedrock_converse.names import NAME, objects
from plano_asgi.wire.tools import as_function, hoisted_tools

_ANY_OBJECT: JSONObject = {"type": "object", "properties": {}}


def write_tool_config(request: ChatRequest, writing: Writing) -> JSONObject | None:
    """
    The ``toolConfig`` of *request*; ``None`` where it needs none.

    Bedrock demands one as soon as the conversation holds a tool call or result. So with tools in
    the history but none offered, those of the history are offered by name alone. And "none", which
    Converse has no word for, takes the tools away only where the history allows that: else they
    are offered without a choice, and the model may call one.

    Custom tools are functions here, and the tools of a namespace stand alone.

    ``parallel_tool_calls: false`` has no word either, and an agent that counts on it breaks on a
    second call: it is refused rather than dropped, unless the upstream is set to drop.
    """
    choice = request.tool_choice or ToolChoice(mode="auto")
    history = _tools_of_history(request)
    if choice.mode == "none" and not history:
        return None
    specs = _write_tools(_allowed(_offered(request), choice), writing)
    specs = specs or [_spec(Tool(name=name)) for name in history]
    if not specs:
        return None
    if request.parallel_tool_calls is False and choice.mode != "none":
        writing.refuse("parallel_tool_calls")
    config: JSONObject = {"tools": specs}
    if request.tool_choice is not None and (written := _write_choice(choice, writing)):
        config["toolChoice"] = written
    return config


def read_tools(config: JSONObject) -> list[Tool]:
    """The tools of a ``toolConfig``; a cache point becomes ``cache_control`` of the one before."""
    tools: list[Tool] = []
    for item in objects(config.get("tools")):
        spec = item.get("toolSpec")
        point = item.get("cachePoint")
        if isinstance(spec, dict):
            schema = spec.get("inputSchema")
            tools.append(
                Tool(
                    name=str(spec.get("name", "")),
                    description=spec.get("description"),
                    parameters=schema.get("json") if isinstance(schema, dict) else None,
                    strict=spec.get("strict"),
                )
            )
        elif isinstance(point, dict) and tools and "cache_control" not in tools[-1].extras:
            tools[-1].extras["cache_control"] = cache_control(point)
        else:
            system = item.get("systemTool")
            name = str(system.get("name", "")) if isinstance(system, dict) else ""
            tools.append(Tool(name=name, kind="opaque", raw=item, dialect=NAME))
    return tools


def read_tool_choice(config: JSONObject) -> ToolChoice | None:
    """The choice of a ``toolConfig``."""
    choice = config.get("toolChoice")
    if not isinstance(choice, dict):
        return None
    if "auto" in choice:
        return ToolChoice(mode="auto")
    if "any" in choice:
        return ToolChoice(mode="required")
    if isinstance(tool := choice.get("tool"), dict):
        return ToolChoice(mode="named", name=tool.get("name"))
    return ToolChoice(mode="opaque", raw=choice, dialect=NAME)


def cache_control(point: JSONObject) -> JSONObject:
    """A cache point as Anthropic spells it, which is how extras carry it between dialects."""
    return {"type": "ephemeral", **({"ttl": point["ttl"]} if point.get("ttl") else {})}


def _tools_of_history(request: ChatRequest) -> list[str]:
    """Names of the tools called so far, in order; a result alone counts as a call of "tool"."""
    parts = [part for message in request.messages for part in message.parts]
    names = dict.fromkeys(part.name for part in parts if isinstance(part, ToolCallPart))
    if not names and any(isinstance(part, ToolResultPart) for part in parts):
        return ["tool"]
    return list(names)


def _offered(request: ChatRequest) -> list[tuple[str, Tool]]:
    if request.dialect == NAME:
        return [(f"tools.{number}", tool) for number, tool in enumerate(request.tools)]
    return hoisted_tools(request.tools, NAME)


def _allowed(tools: list[tuple[str, Tool]], choice: ToolChoice) -> list[tuple[str, Tool]]:
    if choice.allowed is None:
        return tools
    return [(path, tool) for path, tool in tools if tool.name in choice.allowed]


def _write_tools(tools: list[tuple[str, Tool]], writing: Writing) -> list[JSONObject]:
    specs: list[JSONObject] = []
    for path, tool in tools:
        if tool.kind != "opaque":
            specs.append(_spec(as_function(tool)))
        elif tool.dialect == NAME:
            specs.append(tool.raw)
        else:
            writing.refuse(path, f"'{tool.name}' is a tool that only {tool.dialect} knows")
            continue
        if isinstance(control := tool.extras.get("cache_control"), dict):
            ttl = {"ttl": control["ttl"]} if control.get("ttl") in ("5m", "1h") else {}
            specs.append({"cachePoint": {"type": "default", **ttl}})
    return specs


def _spec(tool: Tool) -> JSONObject:
    spec: JSONObject = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": tool.parameters or _ANY_OBJECT}
    if tool.strict:  # false is the default, and models without the feature refuse the field
        spec["strict"] = True
    return {"toolSpec": spec}


def _write_choice(choice: ToolChoice, writing: Writing) -> JSONObject | None:
    if choice.mode == "auto":
        return {"auto": {}}
    if choice.mode == "required":
        return {"any": {}}
    if choice.mode == "named":
        return {"tool": {"name": choice.name}}
    if choice.mode == "opaque" and choice.dialect == NAME:
        return choice.raw
    if choice.mode == "opaque":
        writing.refuse("tool_choice")
    return None
