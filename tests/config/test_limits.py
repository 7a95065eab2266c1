"""Limits, budgets and the response cache out of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import Exchanged, drive
from exchanges import chat_exchange
from memory_transport import MemoryTransport, answer, events
from plano_asgi.config import Plano
from plano_asgi.config.limits import build_meters
from plano_asgi.config.load import load_config
from plano_asgi.errors import Forbidden
from plano_asgi.exchange import Candidate
from plano_asgi.limits import BudgetSpent, SpendBudgets
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.metric_sources import CostSource
from plano_asgi.routing.metric_sources.base import Rates as CatalogueRates
from plano_asgi.routing.names import ModelEntry, Names

KEY, OTHER = "a-long-enough-key", "another-long-key"
HEAD = f"""
version: v0.4.0
model_providers: [{{model: openai/gpt-4o, access_key: sk-upstream, default: true}}]
auth: {{api_keys: [{KEY}, {OTHER}]}}
"""
LIMIT = """
ratelimits:
  - model: openai/gpt-4o
    selector: {key: x-user-id, value: "*"}
    limit: {tokens: 60, unit: hour}
"""
WHOLE: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40},
}


def _plano(tmp_path: Path, text: str, *outcomes: Any) -> tuple[Plano, MemoryTransport]:
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + text, "utf-8")
    transport = MemoryTransport(*(outcomes or (answer(WHOLE),)))
    return Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport)), transport


async def _ask(plano: Plano, key: str = KEY, **body: Any) -> Exchanged:
    body = {
        "model": "openai/gpt-4o",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "hi"}],
        **body,
    }
    return await drive(
        plano, "/v1/chat/completions", body, headers={"authorization": f"Bearer {key}"}
    )


@pytest.mark.anyio
async def test_a_limit_counts_true_usage_by_identity(tmp_path: Path) -> None:
    """40 of 60 tokens used: the next is told how many are left, one that needs more is refused."""
    plano, transport = _plano(tmp_path, LIMIT)
    first = await _ask(plano)
    assert first.status == 200
    assert first.headers["x-ratelimit-limit-tokens"] == "60"
    refused = await _ask(plano, max_tokens=50)
    assert refused.status == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["x-ratelimit-remaining-tokens"] == "20"
    assert len(transport.requests) == 1
    assert (await _ask(plano, OTHER, max_tokens=50)).status == 200
    await plano.aclose()


@pytest.mark.anyio
async def test_what_failed_is_not_counted(tmp_path: Path) -> None:
    """A reservation is released with the failure."""
    plano, _ = _plano(tmp_path, LIMIT + "retries: {max_attempts: 1}\n", answer({}, status=500))
    for _ in range(5):
        assert (await _ask(plano, max_tokens=40)).status == 500
    await plano.aclose()


@pytest.mark.anyio
async def test_a_budget_is_in_money(tmp_path: Path) -> None:
    """What is spent is gone; the refusal says so in the client's dialect."""
    pytest.importorskip("genai_prices")
    plano, _ = _plano(tmp_path, "spend_budgets: [{usd: 0.0003}]\n")
    assert (await _ask(plano)).status == 200
    refused = await _ask(plano)
    assert refused.status == 429
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert (await _ask(plano, OTHER)).status == 200
    await plano.aclose()


@pytest.mark.anyio
async def test_a_budget_counts_own_prices(tmp_path: Path) -> None:
    """40 tokens at USD 10 a million: the second request has no room."""
    own = "{type: cost, provider: own, prices: {openai/*: {input: 10, output: 10}}}"
    text = f"model_metrics_sources: [{own}]\nspend_budgets: [{{usd: 0.0005}}]\n"
    plano, _ = _plano(tmp_path, text)
    assert [(await _ask(plano)).status for _ in range(2)] == [200, 429]
    await plano.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(("said", "status"), [("", 403), ("unknown_price: zero", 200)])
async def test_a_model_without_a_price(tmp_path: Path, said: str, status: int) -> None:
    """Refused, or served and counted as nothing."""
    own = "{type: cost, provider: own, prices: {other/*: {input: 10, output: 10}}}"
    text = f"model_metrics_sources: [{own}]\nspend_budgets: [{{usd: 1}}]\n"
    plano, _ = _plano(tmp_path, f"{text}limits_store: {{{said}}}\n")
    assert (await _ask(plano)).status == status
    await plano.aclose()


SECOND = """
  - {model: house/llama, base_url: "http://one.test/v1", provider_interface: openai_compatible}
  - {model: house/qwen, base_url: "http://two.test/v1", provider_interface: openai_compatible}
"""
MODELS = f"""
version: v0.4.0
model_providers: {SECOND}
model_metrics_sources: [{{type: cost, provider: own, prices: {{house/*: {{input: 9, output: 9}}}}}}]
"""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("ratelimits: [{model: house/qwen, %s}]", [200, 429, 200, 200]),
        ("ratelimits: [{model: house/*, %s}]", [200, 429, 429, 429]),
        ("spend_budgets: [{usd: 0.0004, model: house/qwen}]", [200, 429, 200, 200]),
        ("spend_budgets: [{usd: 5}]", [200, 200, 200, 200]),
    ],
)
async def test_models_of_a_second_server_are_limited_and_priced(
    tmp_path: Path, text: str, statuses: list[int]
) -> None:
    """By the prefix that the file gives to both."""
    rest = 'selector: {key: x-user-id, value: "*"}, limit: {tokens: 60, unit: hour}'
    path = tmp_path / "plano_config.yaml"
    path.write_text(MODELS + (text % rest if "%" in text else text), "utf-8")
    transport = MemoryTransport(answer(WHOLE))
    plano = Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport))
    asked = ["house/qwen", "house/qwen", "house/llama", "house/llama"]
    assert [(await _ask(plano, model=model)).status for model in asked] == statuses
    await plano.aclose()


class Catalogue:
    """A price list that has not come yet."""

    def __init__(self) -> None:
        self.table: dict[str, CatalogueRates] = {}

    def rates(self, model: str, /) -> CatalogueRates | None:
        """As ``CostSource``."""
        return self.table.get(model)


def _budgets(tmp_path: Path, sources: str, cost: CostSource | None) -> SpendBudgets:
    path = tmp_path / "plano_config.yaml"
    path.write_text(f"{HEAD}model_metrics_sources: [{sources}]\nspend_budgets: [{{usd: 1}}]\n")
    names = Names([ModelEntry(name="fast", provider="house~2", model="qwen", prefix="house")])
    (meter,) = build_meters(load_config(path, environ={}), names, cost)
    assert isinstance(meter, SpendBudgets)
    meter.attach(names.names_of)
    return meter


async def _is_priced(meter: SpendBudgets, candidate: Candidate) -> bool:
    try:
        await meter.admit(chat_exchange("hi"), candidate)
    except Forbidden:
        return False
    return True


@pytest.mark.anyio
@pytest.mark.parametrize("provider", ["models.dev", "digitalocean"])
async def test_a_budget_goes_by_the_catalogue_that_routing_goes_by(
    tmp_path: Path, provider: str
) -> None:
    """From when it has come on; then by the bundled list, where that is installed."""
    pytest.importorskip("genai_prices")
    catalogue = Catalogue()
    meter = _budgets(tmp_path, f"{{type: cost, provider: {provider}}}", catalogue)
    for name in ("house/qwen", "fast"):
        catalogue.table = {name: CatalogueRates(input=1e6, output=1e6)}
        fresh = _budgets(tmp_path, f"{{type: cost, provider: {provider}}}", catalogue)
        assert not await _is_priced(fresh, Candidate(provider="house", model="other"))
        with pytest.raises(BudgetSpent):
            await fresh.admit(chat_exchange("hi"), Candidate(provider="house~2", model="qwen"))
    assert await _is_priced(meter, Candidate(provider="openai", model="gpt-4o"))


@pytest.mark.anyio
async def test_a_budget_of_a_file_goes_by_its_catalogue(tmp_path: Path) -> None:
    """Fetched when the gateway starts."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(
        f"version: v0.4.0\nmodel_providers: {SECOND}\n"
        "model_metrics_sources: [{type: cost, provider: models.dev}]\n"
        "spend_budgets: [{usd: 0.0005}]\n"
    )
    listed = {"house": {"models": {"qwen": {"cost": {"input": 10, "output": 10}}}}}
    transport = MemoryTransport(answer(listed), answer(WHOLE))
    plano = Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport))
    async with plano.lifespan():
        found = [(await _ask(plano, model="house/qwen")).status for _ in range(2)]
        assert found == [200, 429]
        assert (await _ask(plano, model="house/llama")).status == 403


CHUNK = {"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o"}
STREAM = events(
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "yo"}}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    "[DONE]",
)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("stream", "outcome"), [(False, answer(WHOLE)), (True, STREAM)], ids=["whole", "stream"]
)
async def test_the_same_request_is_answered_again(
    tmp_path: Path, stream: bool, outcome: Any
) -> None:
    """Byte for byte, for the same caller only; what limits count is not spent again."""
    plano, transport = _plano(tmp_path, "response_cache: {ttl: 5m}\n" + LIMIT, outcome)
    first = await _ask(plano, stream=stream)
    again = await _ask(plano, stream=stream)
    assert (first.headers["x-plano-cache"], again.headers["x-plano-cache"]) == ("miss", "hit")
    assert again.body == first.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(transport.requests) == 1
    await _ask(plano, OTHER, stream=stream)
    assert len(transport.requests) == 2
    await plano.aclose()


@pytest.mark.anyio
async def test_what_guards_took_out_is_not_in_the_cache(tmp_path: Path) -> None:
    """Recorded outside of everything that changes an answer."""
    said = {**WHOLE["choices"][0], "message": {"role": "assistant", "content": "a forbidden word"}}
    text = "response_cache: {}\nguards: {use: [{type: words, deny: [forbidden], mode: redact}]}\n"
    plano, transport = _plano(tmp_path, text, answer({**WHOLE, "choices": [said]}))
    for _ in range(2):
        found = await _ask(plano)
        assert found.json()["choices"][0]["message"]["content"] == "a [removed] word"
    assert len(transport.requests) == 1
    await plano.aclose()
