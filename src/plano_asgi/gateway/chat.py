"""Read a chat body into the exchange: only what every request needs, the rest stays as it is."""

from __future__ import annotations

from typing import TypeGuard

from plano_asgi._json import JSONObject
from plano_asgi.asgi.request import has_packed_reasoning, json_object
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.relay import model_of
from plano_asgi.wire import DIALECTS, WriteOptions

_TURNS = {
    "openai.chat": "messages",
    "anthropic.messages": "messages",
    "openai.responses": "input",
}


def read_chat(exchange: Exchange, content: bytes | None) -> None:
    """
    Read *content* into *exchange*; with ``None``, its body was read and parsed before.

    A Responses-shaped body sent to chat completions (Cursor's agent does) is rewritten as a chat
    body, and so are the flat tools of a chat body; the answer stays in the dialect of the path.

    Raises:
        RequestError: A field that every request needs is missing or of the wrong type.
    """
    if content is not None:
        exchange.body = json_object(content)
        exchange.has_packed_reasoning = has_packed_reasoning(exchange.dialect, content)
    body = exchange.body
    exchange.model = model_of(body)
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise RequestError("'stream' must be true or false.", param="stream")
    exchange.stream = stream is True
    if exchange.dialect == "openai.chat":
        body = _as_chat(body)
    _check_turns(exchange.dialect, body)
    if body is not exchange.body:
        exchange.replace_body(body)
        exchange.client_body = None  # it says the same, in the dialect of the path


def _as_chat(body: JSONObject) -> JSONObject:
    """*body* in chat's own shape; itself where it has that."""
    if "input" in body and "messages" not in body:
        _refuse_state(body)
        request = DIALECTS["openai.responses"].read_request(body)
        return DIALECTS["openai.chat"].write_request(request, WriteOptions(on_unsupported="drop"))
    tools, choice = body.get("tools"), body.get("tool_choice")
    if isinstance(tools, list) and any(map(_is_flat, tools)):
        body = {**body, "tools": [_nested(tool) for tool in tools]}
    if _is_flat(choice):
        body = {**body, "tool_choice": _nested(choice)}
    return body


def _refuse_state(body: JSONObject) -> None:
    """The rest of a conversation kept elsewhere is no field to leave out."""
    for field in ("previous_response_id", "conversation"):
        if body.get(field) is not None:
            raise UnsupportedField(field, "openai.chat", "it keeps no conversations")


def _is_flat(tool: object) -> TypeGuard[JSONObject]:
    """Whether *tool* (or the choice of one) is spelled as in the Responses API."""
    if not isinstance(tool, dict) or "name" not in tool:
        return False
    kind = tool.get("type")
    return kind in ("function", "custom") and kind not in tool


def _nested(tool: JSONObject) -> JSONObject:
    if not _is_flat(tool):
        return tool
    inner = {key: value for key, value in tool.items() if key != "type"}
    shape = inner.get("format")
    if isinstance(shape, dict) and shape.get("type") == "grammar" and "grammar" not in shape:
        grammar = {key: value for key, value in shape.items() if key != "type"}
        inner["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": tool["type"], tool["type"]: inner}


def _check_turns(dialect: str, body: JSONObject) -> None:
    field = _TURNS[dialect]
    turns = body.get(field)
    if field == "input":
        if turns is not None and not isinstance(turns, str | list | dict):
            raise RequestError("'input' must be a string or a list.", param="input")
        return
    if field not in body:
        raise RequestError(f"'{field}' is required.", param=field)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RequestError(f"'{field}' must be a list of objects.", param=field)
    if not turns:
        raise RequestError(f"'{field}' must not be empty.", param=field)
