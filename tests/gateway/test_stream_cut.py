"""How much of a relayed stream had been written when it was cut."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import KEY, gateway
from memory_transport import events
from plano_asgi.config import Model
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Exchange

pytestmark = pytest.mark.anyio

PATHS = {"anthropic": "/v1/messages", "openai": "/v1/responses"}
BODIES: dict[str, dict[str, Any]] = {
    "anthropic": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 800},
    "openai": {"input": "hi"},
}
TEXT: dict[str, dict[str, Any]] = {
    "anthropic": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "wordy "},
    },
    "openai": {
        "type": "response.output_text.delta",
        "item_id": "m",
        "output_index": 0,
        "content_index": 0,
        "delta": "wordy ",
        "sequence_number": 1,
    },
}
CALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "anthropic": (
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "write", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "wordy "},
        },
    ),
    "openai": (
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "function_call", "id": "f", "call_id": "c", "name": "write"},
        },
        {
            "type": "response.function_call_arguments.delta",
            "item_id": "f",
            "output_index": 0,
            "delta": "wordy ",
            "sequence_number": 1,
        },
    ),
}


@pytest.mark.parametrize("kind", ["text", "call"])
@pytest.mark.parametrize("api", PATHS)
async def test_what_was_written_is_told_from_the_last_few_events(api: str, kind: str) -> None:
    """Of arguments of a call, whose beginning they do not hold, by the bytes."""
    seen: list[int] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.cut_after_bytes)

    first, delta = (TEXT[api], TEXT[api]) if kind == "text" else CALL[api]
    reply = events(first, *[delta] * 400, cut=UpstreamReset("cut"))
    model = {"anthropic": "anthropic/claude-sonnet-4-5", "openai": "openai/gpt-4o"}[api]
    plano, _ = gateway(reply, models=[Model(model, api_key=KEY)], finalizers=[note])
    told = await drive(plano, PATHS[api], {"model": model, "stream": True, **BODIES[api]})
    assert told.status == 200
    off = 1.02 if kind == "text" else 2.0
    assert 2_400 / off <= seen[0] <= 2_400 * off
