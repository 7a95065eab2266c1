"""Prices of a file: by any name of a model, wherever money is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Plano
from plano_asgi.config.load import load_config
from plano_asgi.config.prices import rates_of
from plano_asgi.config.routing import build_routing
from plano_asgi.config.schema_models import ModelProvider
from plano_asgi.config.schema_routing import ModelPrice
from plano_asgi.pricing import Rates
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.metric_sources import Rates as CatalogueRates

CHOICE = {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 50, "completion_tokens": 50, "total_tokens": 100}
WHOLE = {"id": "c", "object": "chat.completion", "choices": [CHOICE], "usage": USAGE}
FAST = ModelProvider(model="openai/gpt-4o", name="fast")
WILD = ModelProvider(model="openai/*", name="any")


def test_a_price_by_a_name_is_its_models() -> None:
    """Unless that has its own; a wildcard is no model."""
    one, two = ModelPrice(input=1.0, output=1.0), ModelPrice(input=2.0, output=2.0, per_request=0.5)
    assert rates_of({"fast": one, "any": one}, [FAST, WILD]) == {
        "fast": Rates(input=1.0, output=1.0),
        "any": Rates(input=1.0, output=1.0),
        "openai/gpt-4o": Rates(input=1.0, output=1.0),
    }
    both = rates_of({"fast": one, "openai/gpt-4o": two}, [FAST])
    assert both["openai/gpt-4o"] == Rates(input=2.0, output=2.0, per_request=0.5)


@pytest.mark.anyio
@pytest.mark.parametrize("priced", ["fast", "openai/gpt-4o", "gpt-4o"])
@pytest.mark.parametrize("asked", ["fast", "openai/gpt-4o", "gpt-4o"])
async def test_a_model_costs_the_same_by_any_of_its_names(
    tmp_path: Path, priced: str, asked: str
) -> None:
    """Told to the client, and taken from a budget: a hundred tokens at a dollar each."""
    price = "{input: 1000000, output: 1000000}"
    path = tmp_path / "plano_config.yaml"
    path.write_text(
        "version: v0.4.0\nmodel_providers:\n"
        "  - {model: openai/gpt-4o, name: fast, access_key: sk-upstream}\n"
        f"model_metrics_sources: [{{type: cost, provider: own, prices: {{{priced}: {price}}}}}]\n"
        "spend_budgets: [{usd: 290}]\n"
        f"telemetry: {{prices: {{{priced}: {price}}}, cost_header: true}}\n",
        "utf-8",
    )
    transport = MemoryTransport(answer(WHOLE))
    plano = Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport))
    body: dict[str, Any] = {"model": asked, "messages": [{"role": "user", "content": "hi"}]}
    found = [await drive(plano, "/v1/chat/completions", body | {"max_tokens": 80}) for _ in "ab"]
    assert [one.headers.get("x-plano-cost") for one in found] == ["100.0", "100.0"]
    assert (await drive(plano, "/v1/chat/completions", body | {"max_tokens": 80})).status == 429
    await plano.aclose()


@pytest.mark.anyio
async def test_routing_and_its_budget_count_by_any_name() -> None:
    """A price of your own by one name comes before the bundled list's by another."""
    pytest.importorskip("genai_prices")
    source = {
        "type": "cost",
        "provider": "genai-prices",
        "prices": {"fast": {"input": 7, "output": 9}},
    }
    document = {
        "version": "v0.4.0",
        "model_providers": [{"model": "openai/gpt-4o", "name": "fast", "access_key": "sk-up"}],
        "model_metrics_sources": [source],
    }
    config = load_config(document, environ={})
    plano = Plano.from_config(config, environ={})
    cost = build_routing(config, plano).cost
    assert cost is not None
    for name in ("fast", "openai/gpt-4o", "gpt-4o"):
        assert cost.rates(name) == CatalogueRates(input=7.0, output=9.0)
    await plano.aclose()
