"""
What tokens cost: USD for a provider, a model and a usage.

Prices are those of the `genai-prices` package, bundled with it: nothing is fetched. It takes half
a second to load, and 0.4 ms for one price, so both are done once: see ``Prices.load``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio.to_thread
from cachetools import LRUCache

from plano_asgi.conversation import Usage
from plano_asgi.errors import MissingExtra

_MILLION = 1_000_000
_MAX_MODELS = 4_096
_FRESH_S = 60.0  # some prices depend on the time of day
_MISSING_S = 1.0  # a list that is fetched may come any moment

ACCOUNT_MARK = "~"
"""Between a prefix and the rest of an account's key: ``openai~eu``, or ``openai~2`` of no name."""

PRICED_AS = {
    "azure_openai": "azure",
    "amazon_bedrock": "aws",
    "chatgpt": "openai",
    "gemini": "google",
    "together_ai": "together",
    "xai": "x-ai",
    "zhipu": "zhipuai",
}
"""Our provider keys whose name the price list spells in another way."""
_UNLISTED = frozenset({"openai_compatible"})  # it would be taken for OpenAI


def prefix_of(provider: str) -> str:
    """The configured prefix that the key *provider* stands for: ``openai`` of ``openai~eu``."""
    return provider.partition(ACCOUNT_MARK)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    Prices of one model in USD per million tokens; *per_request* in USD.

    ``None`` is the price that the tokens have as plain input or output: cached ones where caching
    has no price of its own, hour-long cache writes where they cost what others do.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None
    per_request: float = 0.0

    def usd(self, usage: Usage) -> float:
        """What *usage* costs."""
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        hours = min(_hour_long(usage), written) if self.cache_write_1h is not None else 0
        thought = usage.reasoning_output_tokens if self.reasoning is not None else 0
        plain = max(0, usage.input_tokens - read - written)
        total = plain * self.input
        total += read * _or(self.cache_read, self.input)
        total += (written - hours) * _or(self.cache_write, self.input)
        total += hours * _or(self.cache_write_1h, 0.0)
        total += max(0, usage.output_tokens - thought) * self.output
        total += thought * _or(self.reasoning, 0.0)
        return total / _MILLION + self.per_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """
    One model's rates, and those of its larger requests.

    Args:
        rates: Up to the first of *tiers*.
        tiers: ``(tokens, rates)``, ascending: with more input tokens than that, every token of the
            request has these rates.
    """

    rates: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()

    def for_input(self, tokens: int) -> Rates:
        """The rates of a request with so many input tokens, cached ones included."""
        found = self.rates
        for start, rates in self.tiers:
            if tokens > start:
                found = rates
        return found


class Prices:
    """
    Prices by provider and model. Accounts of one prefix have the same ones.

    Args:
        overrides: Prices of your own, by ``provider/model``, a bare model id, or a pattern with
            ``*``: an exact name wins over a pattern, and among patterns the first.
        source: Prices of another list, by ``provider/model``, which may change while it is used;
            asked after *overrides* and before the bundled list.
        priced_as: The price list's name for further provider keys of yours, beside ``PRICED_AS``:
            ``{"my-azure": "azure"}``.
        bundled: Whether to look in the bundled list at all.
        timer: The clock, Unix seconds: prices change with the date and the time of day.

    Raises:
        MissingExtra: `genai-prices` is not installed, and *bundled* asks for it.
    """

    def __init__(
        self,
        overrides: Mapping[str, Price | Rates] | None = None,
        *,
        source: Callable[[str], Price | Rates | None] | None = None,
        priced_as: Mapping[str, str] | None = None,
        bundled: bool = True,
        timer: Callable[[], float] = time.time,
    ) -> None:
        if bundled and find_spec("genai_prices") is None:
            raise MissingExtra("the bundled price list", "prices")
        self._overrides = {name: _whole(given) for name, given in (overrides or {}).items()}
        self._patterns = [name for name in self._overrides if "*" in name]
        self._source = source
        self._priced_as = PRICED_AS | dict(priced_as or {})
        self._bundled = bundled
        self._timer = timer
        self._found: LRUCache[tuple[str, str, tuple[str, ...]], tuple[float, Price | None]]
        self._found = LRUCache(maxsize=_MAX_MODELS)
        self._list: Any = None

    async def load(self) -> None:
        """Read the bundled list in a worker thread; else the first look-up does it, where it is."""
        if self._bundled and self._list is None:
            self._list = await anyio.to_thread.run_sync(_snapshot, abandon_on_cancel=True)

    def price(self, provider: str, model: str, called: tuple[str, ...] = ()) -> Price | None:
        """
        The price of *model* at *provider* as of now; ``None`` if it is not known.

        Args:
            called: Other names that *overrides* and *source* may know it by, in the order in which
                they are looked up: all that it is configured under.
        """
        name = provider, model, called
        now = self._timer()
        found = self._found.get(name)
        if found is None or now >= found[0] or found[0] - now > _FRESH_S:
            price = self._look_up(provider, model, called, now)
            is_final = price is not None or self._source is None
            found = self._found[name] = now + (_FRESH_S if is_final else _MISSING_S), price
        return found[1]

    def usd(
        self, provider: str, model: str, usage: Usage, called: tuple[str, ...] = ()
    ) -> float | None:
        """What *usage* of *model* at *provider* costs; ``None`` if its price is not known."""
        price = self.price(provider, model, called)
        return None if price is None else price.for_input(usage.input_tokens).usd(usage)

    def _look_up(
        self, provider: str, model: str, called: tuple[str, ...], now: float
    ) -> Price | None:
        prefix = prefix_of(provider)
        names = (f"{provider}/{model}", f"{prefix}/{model}", *called, model)
        if (price := self._own(names)) is not None:
            return price
        if self._source is not None:
            for name in (f"{prefix}/{model}", *called):
                if (given := self._source(name)) is not None:
                    return _whole(given)
        if not self._bundled or prefix in _UNLISTED - self._priced_as.keys():
            return None
        return self._listed(self._priced_as.get(prefix, prefix), model, now)

    def _own(self, names: Sequence[str]) -> Price | None:
        for name in names:
            if (price := self._overrides.get(name)) is not None:
                return price
        for pattern in self._patterns:
            if any(fnmatchcase(name, pattern) for name in names):
                return self._overrides[pattern]
        return None

    def _listed(self, provider: str, model: str, now: float) -> Price | None:
        if self._list is None:
            self._list = _snapshot()
        try:
            _, found = self._list.find_provider_model(model, None, provider, None)
        except LookupError:
            return None
        return _price(found.get_prices(datetime.fromtimestamp(now, UTC)))


def _whole(given: Price | Rates) -> Price:
    return Price(rates=given) if isinstance(given, Rates) else given


def _snapshot() -> Any:
    return import_module("genai_prices.data_snapshot").get_snapshot()


def _price(listed: Any) -> Price | None:
    """The list's own form as ours; ``None`` where tokens have no price (audio by the minute)."""
    if listed.input_mtok is None and listed.output_mtok is None:
        return None
    fields = {
        "input": listed.input_mtok,
        "output": listed.output_mtok,
        "cache_read": listed.cache_read_mtok,
        "cache_write": listed.cache_write_mtok,
        "cache_write_1h": listed.cache_write_1h_mtok,
        "reasoning": listed.output_reasoning_mtok,
    }
    starts = {tier.start for value in fields.values() for tier in getattr(value, "tiers", ())}
    per_request = float(listed.requests_kcount or 0) / 1000

    def rates(tokens: int) -> Rates:
        at = {name: _at(value, tokens) for name, value in fields.items()}
        return Rates(
            input=at.pop("input") or 0.0,
            output=at.pop("output") or 0.0,
            per_request=per_request,
            **at,
        )

    tiers = tuple((start, rates(start + 1)) for start in sorted(starts))
    return Price(rates=rates(0), tiers=tiers)


def _at(value: Any, tokens: int) -> float | None:
    """A listed price, which may depend on the request's input tokens."""
    if value is None:
        return None
    found = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        if tokens > tier.start:
            found = tier.price
    return float(found)


def _hour_long(usage: Usage) -> int:
    """Tokens written to a cache for an hour, which Anthropic tells apart."""
    created = usage.raw.get("cache_creation")
    count = created.get("ephemeral_1h_input_tokens") if isinstance(created, dict) else None
    return count if isinstance(count, int) else 0


def _or(rate: float | None, instead: float) -> float:
    return instead if rate is None else rate
