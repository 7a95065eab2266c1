"""Read a chat body into the exchange: only what every request needs, the rest stays as it is."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import json_object
from plano_asgi.gateway.relay import model_of
from plano_asgi.wire import DIALECTS, WriteOptions
from plano_asgi.wire.reasoning_pack import PREFIX

_PACKED = PREFIX.encode()
_TURNS = {
    "openai.chat": "messages",
    "anthropic.messages": "messages",
    "openai.responses": "input",
}


def read_chat(exchange: Exchange, content: bytes) -> None:
    """
    Read *content* into *exchange*.

    A Responses-shaped body sent to chat completions (Cursor does) is rewritten as a chat body;
    the answer stays in the dialect of the path.

    Raises:
        RequestError: A field that every request needs is missing or of the wrong type.
    """
    body = json_object(content)
    exchange.model = model_of(body)
    exchange.has_packed_reasoning = _PACKED in content
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise RequestError("'stream' must be true or false.", param="stream")
    exchange.stream = stream is True
    if exchange.dialect == "openai.chat" and "input" in body and "messages" not in body:
        request = DIALECTS["openai.responses"].read_request(body)
        body = DIALECTS["openai.chat"].write_request(request, WriteOptions(on_unsupported="drop"))
    _check_turns(exchange.dialect, body)
    exchange.replace_body(body)


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
