"""Prices, against the list they come from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot

from plano_asgi.conversation import Usage
from plano_asgi.pricing import Price, Prices, Rates

_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_USAGES = [
    Usage(input_tokens=1000, output_tokens=200),
    Usage(input_tokens=1000, output_tokens=200, cache_read_input_tokens=400),
    Usage(
        input_tokens=300_000,
        output_tokens=5000,
        cache_read_input_tokens=100_000,
        cache_creation_input_tokens=50_000,
        reasoning_output_tokens=4000,
    ),
    Usage(
        input_tokens=150_000,
        output_tokens=100,
        cache_creation_input_tokens=50_000,
        raw={"cache_creation": {"ephemeral_1h_input_tokens": 20_000}},
    ),
]


def _prices(**options: object) -> Prices:
    return Prices(timer=_NOW.timestamp, **options)  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize("usage", _USAGES)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "deepseek", "perplexity"])
def test_prices_are_those_of_the_list(provider: str, usage: Usage) -> None:
    """For every model of a provider whose tokens have a price: tiers, caches and all."""
    prices, compared = _prices(), 0
    created = usage.raw.get("cache_creation", {})
    listed_usage = ListedUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        cache_write_1h_tokens=created.get("ephemeral_1h_input_tokens"),
        output_reasoning_tokens=usage.reasoning_output_tokens,
    )
    for model in next(p for p in get_snapshot().providers if p.id == provider).models:
        if (ours := prices.usd(provider, model.id, usage)) is None:
            continue
        theirs = calc_price(
            listed_usage, model.id, provider_id=provider, genai_request_timestamp=_NOW
        )
        assert ours == pytest.approx(float(theirs.total_price)), model.id
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize(
    ("provider", "model", "listed"),
    [
        ("gemini", "gemini-2.5-flash", "google"),
        ("azure_openai", "gpt-4o", "azure"),
        ("amazon_bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "aws"),
        ("xai", "grok-3", "x-ai"),
        ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
        ("mistral", "mistral-large-latest", "mistral"),
    ],
)
def test_our_provider_keys_are_found(provider: str, model: str, listed: str) -> None:
    """Though the list calls them otherwise."""
    theirs = calc_price(
        ListedUsage(input_tokens=1000, output_tokens=100),
        model,
        provider_id=listed,
        genai_request_timestamp=_NOW,
    )
    ours = _prices().usd(provider, model, Usage(input_tokens=1000, output_tokens=100))
    assert ours == pytest.approx(float(theirs.total_price))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "my-own-finetune-of-nothing"),
        ("my-vllm", "gpt-4o"),
        ("openai_compatible", "gpt-4o"),
        ("openai", "whisper-1"),
    ],
)
def test_an_unknown_price_is_none(provider: str, model: str) -> None:
    """Never a guess by the model's name alone."""
    assert _prices().usd(provider, model, Usage(input_tokens=1)) is None


def test_prices_may_be_overridden() -> None:
    """A full name wins over a bare one, that over patterns, and those over the list."""
    one, two, three = (Rates(input=float(n), output=0.0) for n in (1, 2, 3))
    prices = _prices(
        overrides={"open*/gpt*": three, "gpt-4o": two, "openai/gpt-4o": Price(rates=one)},
        priced_as={"house": "openai"},
    )
    usage = Usage(input_tokens=1_000_000)
    assert prices.usd("openai", "gpt-4o", usage) == 1.0
    assert prices.usd("azure", "gpt-4o", usage) == 2.0
    assert prices.usd("openai", "gpt-5", usage) == 3.0
    assert prices.usd("house", "gpt-5", usage) == _prices().usd("openai", "gpt-5", usage)
    assert Prices(bundled=False).usd("openai", "gpt-4o", usage) is None


@pytest.mark.parametrize(
    "name", ["house/qwen", "house~2/qwen", "house/*", "fast", "smart", "sma*", "qwen"]
)
def test_accounts_of_a_prefix_have_its_prices(name: str) -> None:
    """By any name of the model."""
    prices = _prices(overrides={name: Rates(input=7.0, output=0.0)}, bundled=False)
    assert prices.usd("house~2", "qwen", Usage(input_tokens=1_000_000), ("fast", "smart")) == 7.0
    assert prices.usd("house~2", "other", Usage(input_tokens=1_000_000)) in (None, 7.0)


def test_of_several_names_with_a_price_one_counts() -> None:
    """The full name, the configured ones in order, the bare id; and before any pattern."""
    names = ("house~2/qwen", "house/qwen", "fast", "smart", "qwen", "*")
    table = {name: Rates(input=float(n), output=0.0) for n, name in enumerate(names, 1)}
    for n, name in enumerate(names, 1):
        prices = _prices(overrides=dict(reversed(table.items())), bundled=False)
        usage = Usage(input_tokens=1_000_000)
        assert prices.usd("house~2", "qwen", usage, ("fast", "smart")) == float(n)
        del table[name]


def test_a_second_account_has_the_lists_prices() -> None:
    """As the first."""
    usage = Usage(input_tokens=1_000_000)
    for provider, model in (("openai", "gpt-4o"), ("azure_openai", "gpt-4o")):
        first = _prices().usd(provider, model, usage)
        assert first is not None
        assert _prices().usd(f"{provider}~2", model, usage) == first
    assert _prices().usd("openai_compatible~2", "gpt-4o", usage) is None


def test_another_list_comes_between_yours_and_the_bundled_one() -> None:
    """And may come late."""
    table: dict[str, Rates] = {}
    clock = [_NOW.timestamp()]
    yours = {"openai/gpt-5": Rates(input=1.0, output=0.0)}
    prices = Prices(yours, source=table.get, timer=lambda: clock[0])
    usage = Usage(input_tokens=1_000_000)
    assert prices.usd("house~2", "llama", usage) is None
    for name in ("openai/gpt-4o", "openai/gpt-5", "house/llama"):
        table[name] = Rates(input=8.0, output=0.0)
    clock[0] += 1.0
    assert prices.usd("house~2", "llama", usage) == 8.0
    assert prices.usd("openai", "gpt-4o", usage) == 8.0
    assert prices.usd("openai", "gpt-5", usage) == 1.0
    assert prices.usd("openai", "gpt-4o-mini", usage) == _prices().usd(
        "openai", "gpt-4o-mini", usage
    )


def test_a_price_of_the_hour_is_looked_up_again() -> None:
    """DeepSeek's off-peak prices, which ended in September 2025."""
    clock = [datetime(2025, 8, 1, 12, tzinfo=UTC).timestamp()]
    prices, usage = Prices(timer=lambda: clock[0]), Usage(input_tokens=1_000_000)
    peak = prices.usd("deepseek", "deepseek-reasoner", usage)
    clock[0] = datetime(2025, 8, 1, 20, tzinfo=UTC).timestamp()
    off_peak = prices.usd("deepseek", "deepseek-reasoner", usage)
    assert peak is not None
    assert off_peak is not None
    assert off_peak < peak


@pytest.mark.anyio
async def test_the_list_is_loaded_beside_the_event_loop() -> None:
    """And once."""
    prices = _prices()
    await prices.load()
    await prices.load()
    assert prices.price("openai", "gpt-4o") is not None
    assert prices.price("openai", "gpt-4o") is prices.price("openai", "gpt-4o")
