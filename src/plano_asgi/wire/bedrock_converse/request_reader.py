"""Read a Converse request into the neutral form."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import (
    ChatRequest,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    ToolResultPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.bedrock_converse.content import read_turn
from plano_asgi.wire.bedrock_converse.names import NAME
from plano_asgi.wire.bedrock_converse.tools import read_tool_choice, read_tools

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MODELLED = frozenset(
    {
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "outputConfig",
        "additionalModelRequestFields",
        "requestMetadata",
        "serviceTier",
    }
)


def read_request(body: JSONObject) -> ChatRequest:
    """
    The request in *body*. ``model`` is empty: it is part of the URL.

    Raises:
        RequestError: A field of the wrong type; ``param`` is its path.
    """
    limits = _object(body, "inferenceConfig")
    tools = _object(body, "toolConfig")
    model_fields = dict(_object(body, "additionalModelRequestFields"))
    output = dict(_object(body, "outputConfig"))
    thinking = model_fields.pop("thinking", None)
    extras = {name: value for name, value in body.items() if name not in _MODELLED}
    request = ChatRequest(
        model="",
        messages=_messages(body),
        dialect=NAME,
        tools=read_tools(tools),
        tool_choice=read_tool_choice(tools),
        max_output_tokens=limits.get("maxTokens"),
        temperature=limits.get("temperature"),
        top_p=limits.get("topP"),
        top_k=model_fields.pop("top_k", None),
        stop=list(limits.get("stopSequences") or ()),
        output_format=_output_format(output.pop("textFormat", None)),
        reasoning=_reasoning(thinking, output.pop("effort", None)),
        metadata=_object(body, "requestMetadata") or None,
        service_tier=_object(body, "serviceTier").get("type"),
        extras=extras,
    )
    rest = {"additionalModelRequestFields": model_fields, "outputConfig": output}
    extras.update((name, value) for name, value in rest.items() if value)
    return request


def _messages(body: JSONObject) -> list[Message]:
    messages: list[Message] = []
    if parts := read_turn(_blocks(body, "system", "system")):
        messages.append(Message(role="system", parts=parts))
    for number, turn in enumerate(_list(body, "messages", "messages")):
        where = f"messages.{number}"
        if not isinstance(turn, dict):
            raise RequestError("a message must be an object", param=where)
        role = _ROLES.get(str(turn.get("role")))
        if role is None:
            raise RequestError("unknown role", param=f"{where}.role")
        messages += _split(role, read_turn(_blocks(turn, "content", f"{where}.content")))
    return messages


def _split(role: Role, parts: list[Part]) -> list[Message]:
    """The messages of one turn: tool results stand in messages of role ``tool``."""
    messages: list[Message] = []
    for part in parts:
        part_role: Role = "tool" if isinstance(part, ToolResultPart) else role
        if not messages or messages[-1].role != part_role:
            messages.append(Message(role=part_role))
        messages[-1].parts.append(part)
    return messages


def _output_format(text_format: Any) -> OutputFormat | None:
    if not isinstance(text_format, dict):
        return None
    structure = text_format.get("structure")
    spec = structure.get("jsonSchema") if isinstance(structure, dict) else None
    if not isinstance(spec, dict):
        raise RequestError("a JSON schema is expected", param="outputConfig.textFormat.structure")
    try:
        schema = loads(spec.get("schema") or "")
    except (ValueError, TypeError) as exc:
        where = "outputConfig.textFormat.structure.jsonSchema.schema"
        raise RequestError("a JSON schema as text is expected", param=where) from exc
    return OutputFormat(
        kind="json_schema",
        name=spec.get("name"),
        schema=schema,
        description=spec.get("description"),
    )


def _reasoning(thinking: Any, effort: Any) -> Reasoning | None:
    if not isinstance(thinking, dict):
        return Reasoning(effort=effort) if effort else None
    kind = thinking.get("type")
    extras = {k: v for k, v in thinking.items() if k not in ("type", "budget_tokens")}
    return Reasoning(
        effort=effort,
        budget_tokens=thinking.get("budget_tokens"),
        enabled=kind != "disabled",
        adaptive=kind == "adaptive",
        extras=extras,
    )


def _object(body: JSONObject, name: str) -> JSONObject:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError("an object is expected", param=name)
    return value


def _list(body: JSONObject, name: str, where: str) -> list[Any]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RequestError("a list is expected", param=where)
    return value


def _blocks(body: JSONObject, name: str, where: str) -> list[JSONObject]:
    blocks = _list(body, name, where)
    for number, block in enumerate(blocks):
        if not isinstance(block, dict):
            raise RequestError("a content block must be an object", param=f"{where}.{number}")
    return blocks
