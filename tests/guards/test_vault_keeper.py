"""Vaults kept for conversations whose earlier turns a server keeps."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer, events
from plano_asgi.errors import ConfigurationError
from plano_asgi.gateway import ApiKeys
from plano_asgi.guards import PII, GuardChain, VaultKeeper
from plano_asgi.stores.open_store import open_store

pytest.importorskip("cryptography")

KEY = b"k" * 32
ADA, BOB = "adas-key-is-long", "bobs-key-is-long"


def _response(n: int, text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "type": "message",
        "id": f"msg_{n}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    return {
        "id": f"resp_{n}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-4o",
        "output": [message],
    }


def _stream(n: int, text: str) -> Any:
    whole = _response(n, text)
    place = {"item_id": f"msg_{n}", "output_index": 0, "content_index": 0}
    return events(
        {"type": "response.created", "sequence_number": 0, "response": {**whole, "output": []}},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": text, **place},
        {"type": "response.completed", "sequence_number": 2, "response": whole},
    )


async def _ask(app: Any, key: str = ADA, **body: Any) -> Any:
    body = {"model": "openai/gpt-4o", **body}
    return await drive(app, "/v1/responses", body, headers={"authorization": f"Bearer {key}"})


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_next_turn_knows_the_values_of_the_one_before(stream: bool) -> None:
    """The client sends only what is new; another tenant's id opens nothing."""
    said = ("Noted, <EMAIL_1>.", "It was <EMAIL_1>.", "It was <EMAIL_1>.")
    outcomes = [(_stream if stream else _whole)(n, text) for n, text in enumerate(said)]
    store = open_store("memory://")
    chain = GuardChain([PII(mode="mask", kinds=["email"])], vaults=VaultKeeper(store, KEY))
    app, transport = gateway(*outcomes, guards=[chain], auth=ApiKeys({"ada": ADA, "bob": BOB}))
    first = await _ask(app, input="I am ada@example.org", stream=stream)
    assert b"ada@example.org" in first.body
    assert b"ada@example.org" not in transport.requests[0].content
    second = await _ask(app, input="Who?", previous_response_id="resp_0", stream=stream)
    assert b"It was ada@example.org." in second.body
    third = await _ask(app, BOB, input="Who?", previous_response_id="resp_0", stream=stream)
    assert b"ada@example.org" not in third.body
    kept = await store.get("vault:3:ada:resp_0")
    assert kept is not None
    assert b"ada@" not in kept
    await app.aclose()


def _whole(n: int, text: str) -> Any:
    return answer(_response(n, text))


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 33])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    """When built."""
    with pytest.raises(ConfigurationError, match="key"):
        VaultKeeper(open_store("memory://"), key)
