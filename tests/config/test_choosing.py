"""Preferences and selectors given in Python, beside a file or without one; sources of a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Model, Plano
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.preferences import Preferences, RoutePreference
from routing_fakes import FixedSelector, names_of

HEAD = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: sk-upstream, default: true}
  - {model: house/llama, base_url: "http://h.test/v1",
     provider_interface: openai_compatible, access_key: sk-upstream}
"""
ROUTES = """
routing_preferences:
  - {name: code, description: program code, models: [house/llama], examples: [Write a quicksort]}
"""
HI: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "Write a quicksort in Rust."}],
}
OWN: dict[str, Any] = {
    "name": "own",
    "description": "program code",
    "models": ["house/llama"],
    "examples": ["Write a quicksort"],
}
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40},
}


def _pool(*outcomes: Any) -> tuple[TransportPool, MemoryTransport]:
    transport = MemoryTransport(*(outcomes or (answer(CHAT),)))
    return TransportPool(lambda: transport), transport


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + text, "utf-8")
    return path


def plain(tmp_path: Path, **options: Any) -> Plano:
    """Of arguments."""
    house = Model(
        "house/llama", base_url="http://h.test/v1", interface="openai_compatible", api_key="k"
    )
    return Plano([Model("openai/gpt-4o", api_key="k"), house], environ={}, **options)


def of_the_environment(tmp_path: Path, **options: Any) -> Plano:
    """Of nothing; its echo stands for the model."""
    return Plano.from_env({"OPENAI_API_KEY": "k"}, **options)


def of_a_file(tmp_path: Path, **options: Any) -> Plano:
    """Of a file without routes."""
    return Plano.from_yaml(_file(tmp_path, ""), environ={}, **options)


def with_routes(tmp_path: Path, **options: Any) -> Plano:
    """Of arguments, with a rule made by hand."""
    rule = Preferences(
        (), FixedSelector("own"), names=names_of("openai/gpt-4o", "house/llama", "plano/echo")
    )
    return plain(tmp_path, rules=[rule], steps=[rule.take_field], **options)


@pytest.mark.anyio
@pytest.mark.parametrize("build", [plain, of_the_environment, of_a_file, with_routes])
async def test_preferences_of_a_request_are_obeyed_everywhere(
    tmp_path: Path, build: Callable[..., Plano]
) -> None:
    """However the gateway was built: popped, followed, and told by the decision endpoint."""
    pool, transport = _pool()
    plano = build(tmp_path, transports=pool)
    model = "plano/echo" if build is of_the_environment else "house/llama"
    body = HI | {"routing_preferences": [OWN | {"models": [model]}]}
    told = await drive(plano, "/routing/v1/chat/completions", body)
    assert (told.json()["models"], told.json()["route"]) == ([model], "own")
    assert transport.requests == []
    found = await drive(plano, "/v1/chat/completions", body)
    assert found.headers["x-plano-model"] == model
    assert not any(b"routing_preferences" in request.content for request in transport.requests)
    await plano.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("routes", [ROUTES, ""])
async def test_a_selector_beside_a_file_chooses(tmp_path: Path, routes: str) -> None:
    """Among the file's preferences, or those of requests."""
    asked: list[str] = []

    async def choose(exchange: Exchange) -> str | None:
        asked.append(exchange.id)
        return "own" if not routes else "code"

    plano = Plano.from_yaml(_file(tmp_path, routes), environ={}, selector=choose)
    body = HI if routes else HI | {"routing_preferences": [OWN]}
    told = await drive(plano, "/routing/v1/chat/completions", body)
    assert told.json()["route"] == ("code" if routes else "own")
    assert len(asked) == 1
    await plano.aclose()


@pytest.mark.anyio
async def test_preferences_beside_a_file_take_the_place_of_its_own(tmp_path: Path) -> None:
    """None at all if there are none."""
    other = RoutePreference(
        name="other", description="x", models=("house/llama",), examples=("Write a quicksort",)
    )
    for given, route in (((other,), "other"), ((), None)):
        plano = Plano.from_yaml(_file(tmp_path, ROUTES), environ={}, preferences=given)
        told = await drive(plano, "/routing/v1/chat/completions", HI)
        assert told.json()["route"] == route
        await plano.aclose()


@pytest.mark.parametrize("name", ["models", "aliases"])
def test_what_only_a_file_says_is_refused(tmp_path: Path, name: str) -> None:
    """An argument that would be lost is an error."""
    given: dict[str, Any] = {name: {}}
    with pytest.raises(ConfigurationError, match=f"^{name}: a file says these itself"):
        Plano.from_yaml(_file(tmp_path, ROUTES), environ={}, **given)


LATENCIES = {
    "status": "success",
    "data": {
        "result": [
            {"metric": {"model_name": "llama-fast"}, "value": [0, "0.1"]},
            {"metric": {"model_name": "gpt-slow"}, "value": [0, "0.9"]},
        ]
    },
}
FASTEST = """
model_metrics_sources:
  - type: latency
    provider: prometheus
    url: "http://p.test"
    query: ttft
    model_aliases: {llama-fast: house/llama, gpt-slow: openai/gpt-4o}
routing_preferences:
  - name: code
    description: program code
    models: [openai/gpt-4o, house/llama]
    examples: [Write a quicksort]
    selection_policy: {prefer: fastest}
"""


@pytest.mark.anyio
async def test_names_of_prometheus_are_renamed(tmp_path: Path) -> None:
    """``model_aliases`` of every source that is fetched."""
    pool, _ = _pool(answer(LATENCIES))
    plano = Plano.from_yaml(_file(tmp_path, FASTEST), environ={}, transports=pool)
    async with plano.lifespan():
        told = await drive(plano, "/routing/v1/chat/completions", HI)
    assert told.json()["models"] == ["house/llama", "openai/gpt-4o"]


@pytest.mark.anyio
async def test_sources_without_a_lifespan_say_so(tmp_path: Path) -> None:
    """At the first request that wants them, once."""
    plano = Plano.from_yaml(_file(tmp_path, FASTEST), environ={})
    with capture_logs() as logs:
        for text in ("Write a quicksort", "Write a quicksort now"):
            body = HI | {"messages": [{"role": "user", "content": text}]}
            await drive(plano, "/routing/v1/chat/completions", body)
    assert [log["source"] for log in logs if log["event"] == "metrics_never_fetched"] == [
        "prometheus"
    ]
    await plano.aclose()


@pytest.mark.anyio
async def test_spend_budgets_go_by_the_catalogue_of_routing(tmp_path: Path) -> None:
    """40 tokens at USD 10 a million: the second request has no room."""
    catalogue = {"house": {"models": {"llama": {"cost": {"input": 10, "output": 10}}}}}
    text = (
        "model_metrics_sources: [{type: cost, provider: models.dev}]\n"
        "spend_budgets: [{usd: 0.0005, period: day}]\n"
    )
    pool, _ = _pool(answer(catalogue), answer(CHAT))
    plano = Plano.from_yaml(_file(tmp_path, text), environ={}, transports=pool)
    body = HI | {"model": "house/llama", "max_tokens": 10}
    async with plano.lifespan():
        assert (await drive(plano, "/v1/chat/completions", body)).status == 200
        refused = await drive(plano, "/v1/chat/completions", body)
    assert refused.json()["error"]["code"] == "insufficient_quota"


WITHOUT_PRICES = """
import sys
from plano_asgi.config import Plano, load_config
config = load_config(sys.argv[1], environ={})
sys.modules["genai_prices"] = None
try:
    Plano.from_config(config, environ={})
except Exception as exc:
    print(type(exc).__name__, exc)
"""


def test_a_routing_budget_without_prices_is_refused(tmp_path: Path) -> None:
    """It would refuse no switch at all; also where the file was read somewhere else."""
    path = _file(tmp_path, "routing: {routing_budget: {max_switch_spend_pct: 10}}\n")
    command = [sys.executable, "-c", WITHOUT_PRICES, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.startswith("ConfigurationError routing.routing_budget: needs a source of type")
