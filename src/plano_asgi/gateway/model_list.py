"""``GET /models`` and ``GET /models/{id}``, in the shape of the client that asks."""

from __future__ import annotations

from datetime import UTC, datetime

from plano_asgi._json import JSONObject
from plano_asgi.errors import ModelNotFound
from plano_asgi.gateway.call import Call
from plano_asgi.routing.model_list import ModelInfo
from plano_asgi.routing.names import Names


async def serve_models(call: Call, names: Names) -> None:
    """
    The list, or with ``call.tail`` one model (ids contain ``/``).

    Anthropic's shape for a client that sends ``anthropic-version``, OpenAI's otherwise.
    """
    anthropic = "anthropic-version" in call.headers
    shape = _anthropic_model if anthropic else _openai_model
    if call.tail:
        info = names.get(call.tail)
        if info is None:
            raise ModelNotFound(call.tail)
        await call.reply_json(shape(info))
        return
    data = [shape(info) for info in names.models()]
    if not anthropic:
        await call.reply_json({"object": "list", "data": data})
        return
    await call.reply_json(
        {
            "data": data,
            "has_more": False,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    )


def _openai_model(info: ModelInfo) -> JSONObject:
    model: JSONObject = {
        "id": info.id,
        "object": "model",
        "created": info.created,
        "owned_by": info.owned_by,
    }
    if info.alias_of:
        model["alias_of"] = info.alias_of
    return model


def _anthropic_model(info: ModelInfo) -> JSONObject:
    created = datetime.fromtimestamp(info.created, UTC)
    return {
        "type": "model",
        "id": info.id,
        "display_name": info.id,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
