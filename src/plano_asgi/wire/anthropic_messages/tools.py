"""Tools and the choice between them, both ways."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, Tool, ToolCallPart, ToolChoice
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.anthropic_messages.blocks import NAME
from plano_asgi.wire.anthropic_messages.fields import objects, optional, require, rest
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.tools import as_function, hoisted_tools

_CHOICE_FIELDS = frozenset({"type", "name", "disable_parallel_tool_use"})
_MODES: dict[str, Any] = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}
_TYPES = {mode: kind for kind, mode in _MODES.items()}

WEB_SEARCH = "web_search_20250305"

# --------------------------------------------------------------------------- reading


def read_tools(value: Any) -> list[Tool]:
    """``tools``: client tools become functions, typed (server) tools stay opaque."""
    tools = objects(value, "tools")
    return [_read_tool(tool, f"tools.{index}") for index, tool in enumerate(tools)]


def _read_tool(tool: JSONObject, path: str) -> Tool:
    kind = optional(tool, "type", str, path)
    if kind not in (None, "custom"):
        name = optional(tool, "name", str, path) or kind or ""
        return Tool(name=name, kind="opaque", raw=tool, dialect=NAME)
    return Tool(
        name=require(tool, "name", str, path),
        description=optional(tool, "description", str, path),
        parameters=require(tool, "input_schema", dict, path),
        strict=optional(tool, "strict", bool, path),
        extras=rest(tool, "name", "description", "input_schema", "strict"),
    )


def read_tool_choice(choice: JSONObject) -> tuple[ToolChoice, bool | None]:
    """``tool_choice``, and whether calls may be parallel (``None``: not said)."""
    disabled = optional(choice, "disable_parallel_tool_use", bool, "tool_choice")
    parallel = None if disabled is None else not disabled
    kind = require(choice, "type", str, "tool_choice")
    if kind not in _MODES or not choice.keys() <= _CHOICE_FIELDS:
        return ToolChoice(mode="opaque", raw=choice, dialect=NAME), parallel
    named = kind == "tool"
    name = require(choice, "name", str, "tool_choice") if named else None
    return ToolChoice(mode=_MODES[kind], name=name), parallel


# --------------------------------------------------------------------------- writing


def write_tools(request: ChatRequest, options: WriteOptions) -> list[JSONObject]:
    """
    The ``tools`` array, narrowed to ``tool_choice.allowed``.

    Custom tools become functions, the tools of a namespace stand alone. Server tools of other
    dialects: web search becomes Anthropic's, the rest is refused. A
    conversation that shows calls but offers no tools gets bare declarations of the called ones,
    because the API refuses calls of undeclared tools; ``write_tool_choice`` forbids their use.

    Raises:
        UnsupportedField: A server tool that has no counterpart.
    """
    native = request.dialect == NAME
    allowed = request.tool_choice.allowed if request.tool_choice else None
    tools: list[JSONObject] = []
    paths = ((f"tools.{index}", tool) for index, tool in enumerate(request.tools))
    for path, tool in paths if native else hoisted_tools(request.tools, NAME):
        if allowed is not None and tool.name not in allowed:
            continue
        if written := _write_tool(tool, path, options, native=native):
            tools.append(written)
    if not native and isinstance(asked := request.extras.get("web_search_options"), dict):
        tools.append(_web_search(asked))
    return tools or ([] if native else _declared_by_history(request))


def _write_tool(tool: Tool, path: str, options: WriteOptions, *, native: bool) -> JSONObject | None:
    if tool.kind == "opaque":
        return _write_opaque(tool, path, options)
    tool = as_function(tool)
    written: JSONObject = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    schema = tool.parameters or {}
    # A schema without its type is refused.
    written["input_schema"] = schema if native or "type" in schema else {"type": "object"} | schema
    if tool.strict or (native and tool.strict is not None):
        written["strict"] = tool.strict
    kept = tool.extras if native else {k: v for k, v in tool.extras.items() if k == "cache_control"}
    return written | kept


def _write_opaque(tool: Tool, path: str, options: WriteOptions) -> JSONObject | None:
    if tool.dialect == NAME:
        return tool.raw
    if str(tool.raw.get("type", "")).startswith("web_search"):
        return _web_search(tool.raw)
    if "cachePoint" in tool.raw or options.on_unsupported == "drop":
        return None  # a cache point is a hint about the tools before it, not a tool
    raise UnsupportedField(path, NAME, "a server tool of another API")


def _web_search(asked: JSONObject) -> JSONObject:
    """Anthropic's web search from chat ``web_search_options`` or a Responses ``web_search``."""
    written: JSONObject = {"type": WEB_SEARCH, "name": "web_search"}
    filters = asked.get("filters")
    if isinstance(filters, dict) and filters.get("allowed_domains"):
        written["allowed_domains"] = filters["allowed_domains"]
    where = asked.get("user_location")
    if isinstance(where, dict):
        place = where.get("approximate", where)  # chat nests the place, Responses does not
        known = {
            key: place[key] for key in ("city", "country", "region", "timezone") if place.get(key)
        }
        written["user_location"] = {"type": "approximate"} | known
    return written


def _declared_by_history(request: ChatRequest) -> list[JSONObject]:
    parts = (part for message in request.messages for part in message.parts)
    names = dict.fromkeys(part.name for part in parts if isinstance(part, ToolCallPart))
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def write_tool_choice(
    request: ChatRequest, options: WriteOptions, *, has_tools: bool
) -> JSONObject | None:
    """
    ``tool_choice`` with ``disable_parallel_tool_use``; ``None`` where the default says the same.

    Raises:
        UnsupportedField: A choice that only another dialect knows.
    """
    choice, native = request.tool_choice, request.dialect == NAME
    if not native and not has_tools:
        return None  # refused without tools, and there is nothing to choose
    if not native and not request.tools and "web_search_options" not in request.extras:
        return {"type": "none"}
    if choice is not None and choice.mode == "opaque":
        if choice.dialect == NAME:
            return choice.raw
        if options.on_unsupported == "error":
            raise UnsupportedField("tool_choice", NAME, "a choice of another API's tools")
        choice = None
    parallel = request.parallel_tool_calls
    if choice is None and parallel is not False:
        return None
    written: JSONObject = {"type": _TYPES[choice.mode] if choice else "auto"}
    if choice is not None and choice.mode == "named":
        written["name"] = choice.name
    if parallel is not None and written["type"] != "none" and (native or not parallel):
        written["disable_parallel_tool_use"] = not parallel
    return written
