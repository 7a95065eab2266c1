"""Prices out of a list that is here already: no network, as old as the list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

from plano_asgi.routing.metric_sources.base import Rates

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


class ListedRates(Protocol):
    """USD per million tokens."""

    @property
    def input(self) -> float: ...

    @property
    def output(self) -> float: ...

    @property
    def cache_read(self) -> float | None: ...


class ListedPrice(Protocol):
    """A model's price; *rates* are those of its smaller requests."""

    @property
    def rates(self) -> ListedRates: ...


PriceOf: TypeAlias = Callable[[str, str], ListedPrice | None]
"""The price of a model (second) at a provider (first)."""

_MAKERS = ("openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "moonshotai", "zhipu")
"""Asked in this order where no provider is named, or the one that is has no listed price."""


class BundledPrices:
    """
    A ``CostSource`` over a price list: ``BundledPrices(Prices().price)``.

    Args:
        price: Looks prices up.
        aliases: ``provider/model`` in the list -> the model's name here.
    """

    def __init__(self, price: PriceOf, *, aliases: Mapping[str, str] = _NO_ALIASES) -> None:
        self._price = price
        self._names = {name: key for key, name in aliases.items()}

    def rates(self, model: str, /) -> Rates | None:
        """Of *model* (``provider/model`` or a bare id) at its provider, else at its maker."""
        provider, slash, rest = self._names.get(model, model).partition("/")
        found = self._price(provider, rest) if slash else None
        bare = (rest or provider).rpartition("/")[2]
        if found is None and bare:
            made = (self._price(maker, bare) for maker in _MAKERS)
            found = next((price for price in made if price is not None), None)
        if found is None:
            return None
        rates = found.rates
        return Rates(input=rates.input, output=rates.output, cached=rates.cache_read)
