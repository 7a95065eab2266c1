"""Conversation state out of a file, through the gateway's own door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Plano
from plano_asgi.errors import ConfigurationError
from plano_asgi.providers.transports import TransportPool

ADA, BOB = "adas-key-is-long", "bobs-key-is-long"
HEAD = f"""
version: v0.4.0
model_providers: [{{model: anthropic/claude-sonnet-4-5, access_key: sk-upstream, default: true}}]
auth: {{api_keys: [{ADA}, {BOB}]}}
"""
MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Lovelace"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def _plano(tmp_path: Path, text: str) -> tuple[Plano, MemoryTransport]:
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + text, "utf-8")
    transport = MemoryTransport(answer(MESSAGE))
    return Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport)), transport


async def _ask(plano: Plano, path: str, body: Any = b"", key: str = ADA, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {key}"}
    return await drive(plano, path, body, headers=headers, **options)


@pytest.mark.anyio
async def test_a_conversation_goes_on_at_a_provider_that_keeps_none(tmp_path: Path) -> None:
    """Also in the next process; found by its id, deleted, and nobody else's."""
    text = f"state_storage: {{type: sqlite, connection_string: 'sqlite:///{tmp_path}/s.db'}}\n"
    plano, _ = _plano(tmp_path, text)
    async with plano.lifespan():
        model = "anthropic/claude-sonnet-4-5"
        first = await _ask(plano, "/v1/responses", {"model": model, "input": "Who wrote it?"})
    id = first.json()["id"]
    again, transport = _plano(tmp_path, text)
    async with again.lifespan():
        body = {"model": model, "input": "Sure?", "previous_response_id": id}
        second = await _ask(again, "/v1/responses", body)
        assert second.status == 200
        said = transport.body()["messages"]
        assert [turn["role"] for turn in said] == ["user", "assistant", "user"]
        found = await _ask(again, f"/v1/responses/{id}", method="GET")
        assert found.json()["output"] == first.json()["output"]
        stolen = await _ask(again, "/v1/responses", body, BOB)
        assert stolen.status == 404
        assert stolen.json()["error"]["code"] == "previous_response_not_found"
        assert (await _ask(again, f"/responses/{id}", method="GET", key=BOB)).status == 404
        gone = await _ask(again, f"/v1/responses/{id}", method="DELETE")
        assert gone.json()["deleted"] is True
        assert (await _ask(again, f"/v1/responses/{id}", method="GET")).status == 404


@pytest.mark.anyio
async def test_conversations_are_made_and_used(tmp_path: Path) -> None:
    """Created by the client, added to by its responses."""
    plano, transport = _plano(tmp_path, "state_storage: {type: memory}\n")
    made = await _ask(plano, "/v1/conversations", {"metadata": {"topic": "books"}})
    assert made.status == 200
    body = {"model": "claude-sonnet-4-5", "input": "Who?", "conversation": made.json()["id"]}
    await _ask(plano, "/v1/responses", body)
    await _ask(plano, "/v1/responses", {**body, "input": "Sure?"})
    assert len(transport.body()["messages"]) == 3
    items = await _ask(plano, f"/v1/conversations/{made.json()['id']}/items", method="GET")
    assert len(items.json()["data"]) == 4
    await plano.aclose()


@pytest.mark.anyio
async def test_without_a_store_there_are_no_such_paths(tmp_path: Path) -> None:
    """And an id is refused, never ignored."""
    plano, _ = _plano(tmp_path, "")
    assert (await _ask(plano, "/v1/responses/resp_1", method="GET")).status == 404
    body = {"model": "claude-sonnet-4-5", "input": "Who?", "previous_response_id": "resp_1"}
    assert (await _ask(plano, "/v1/responses", body)).status == 400
    await plano.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("bound", ["max_items: 3", "max_bytes: 600"])
async def test_bounds_of_a_conversation(tmp_path: Path, bound: str) -> None:
    """What is over is not gone on from."""
    plano, transport = _plano(tmp_path, f"state_storage: {{type: memory, {bound}}}\n")
    body: dict[str, Any] = {"model": "claude-sonnet-4-5", "input": "Who wrote it?" * 10}
    for _ in range(3):
        found = await _ask(plano, "/v1/responses", body)
        if found.status != 200:
            break
        body["previous_response_id"] = found.json()["id"]
    assert found.json()["error"]["code"] == "context_length_exceeded"
    assert len(transport.requests) < 3
    await plano.aclose()


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    """By place."""
    with pytest.raises(ConfigurationError, match=r"state_storage\.key"):
        _plano(tmp_path, "state_storage: {type: memory, key: nonsense}\n")
