"""Sessions and prompt-cache markers out of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import Exchanged, drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Plano
from plano_asgi.providers.transports import TransportPool

HEAD = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: sk-upstream, default: true}
  - {model: openai/gpt-4o-mini, access_key: sk-upstream}
  - {model: anthropic/claude-sonnet-4-5, access_key: sk-upstream}
model_aliases:
  either:
    targets: [{model: openai/gpt-4o, weight: 50}, {model: openai/gpt-4o-mini, weight: 50}]
"""
CHAT: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
}
MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "yo"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def _plano(tmp_path: Path, text: str, outcome: Any) -> tuple[Plano, MemoryTransport]:
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + text, "utf-8")
    transport = MemoryTransport(outcome)
    return Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport)), transport


async def _ask(plano: Plano, path: str = "/v1/chat/completions", **headers: str) -> Exchanged:
    body = {"model": "either", "messages": [{"role": "user", "content": "hi"}]}
    return await drive(
        plano, path, body, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


@pytest.mark.anyio
async def test_the_affinity_header_pins_a_conversation(tmp_path: Path) -> None:
    """Of two models drawn at random, the one it began with."""
    plano, _ = _plano(tmp_path, "", answer(CHAT))
    for session in ("one", "two", "three"):
        served = {
            (await _ask(plano, x_model_affinity=session)).headers["x-plano-model"] for _ in range(8)
        }
        assert len(served) == 1
    drawn = {(await _ask(plano)).headers["x-plano-model"] for _ in range(40)}
    assert len(drawn) == 2
    await plano.aclose()


@pytest.mark.anyio
async def test_the_decision_tells_of_the_session(tmp_path: Path) -> None:
    """And a decision is kept, too: the client asks the model itself."""
    plano, transport = _plano(tmp_path, "", answer(CHAT))
    path = "/routing/v1/chat/completions"
    told = [(await _ask(plano, path, x_model_affinity="s")).json() for _ in range(6)]
    assert {one["session_id"] for one in told} == {"s"}
    assert [one["pinned"] for one in told] == [False, *[True] * 5]
    assert len({tuple(one["models"]) for one in told[1:]}) == 1
    assert transport.requests == []
    await plano.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("enabled", [True, False])
async def test_markers_are_set_for_the_provider_that_takes_them(
    tmp_path: Path, enabled: bool
) -> None:
    """A chat client's long system prompt is marked on its way to Anthropic, if asked for."""
    text = f"prompt_caching: {{enabled: {str(enabled).lower()}}}\n"
    plano, transport = _plano(tmp_path, text, answer(MESSAGE))
    body = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": "Be kind. " * 1500},
            {"role": "user", "content": "hi"},
        ],
    }
    assert (await drive(plano, "/v1/chat/completions", body)).status == 200
    assert (b"cache_control" in transport.requests[0].content) is enabled
    await plano.aclose()


BUDGET = """
version: v0.4.0
model_providers:
  - {{model: house/cheap, base_url: "http://one.test/v1", provider_interface: openai_compatible}}
  - {{model: house/dear, name: {name}, base_url: "http://{host}.test/v1",
      provider_interface: openai_compatible}}
model_metrics_sources:
  - type: cost
    provider: own
    prices:
      house/cheap: {{input: 1, output: 1, cache_read: 0.1}}
      {priced}: {{input: 50, output: 50, cache_read: 5}}
routing: {{routing_budget: {{max_switch_spend_pct: 1}}}}
routing_preferences:
  - {{name: hard, description: hard, models: ["{name}"], examples: [prove this about groups]}}
"""


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["one", "two"])
@pytest.mark.parametrize("priced", ["house/dear", "oracle"])
async def test_a_routing_budget_knows_the_prices_of_a_second_server(
    tmp_path: Path, host: str, priced: str
) -> None:
    """By the prefix, or by the name that the model is configured under: a switch is refused."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(BUDGET.format(host=host, priced=priced, name="oracle"), "utf-8")
    usage = {"prompt_tokens": 100_000, "completion_tokens": 5, "total_tokens": 100_005}
    transport = MemoryTransport(answer({**CHAT, "usage": usage}))
    plano = Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport))
    turns = [{"role": "user", "content": "hello"}]
    for _ in range(2):
        found = await drive(
            plano,
            "/v1/chat/completions",
            {"model": "house/cheap", "messages": turns},
            headers={"x-model-affinity": "s"},
        )
        assert found.headers["x-plano-model"] == "house/cheap"
        turns += [
            {"role": "assistant", "content": "yo"},
            {"role": "user", "content": "prove this about groups"},
        ]
    await plano.aclose()
