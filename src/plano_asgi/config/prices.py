"""Prices as a file spells them, made into what counts money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from plano_asgi.config.schema_models import ModelProvider
from plano_asgi.config.schema_routing import OWN_PRICES, ModelMetricsSource, ModelPrice
from plano_asgi.pricing import Prices, Rates


def own_prices(
    sources: Sequence[ModelMetricsSource], models: Iterable[ModelProvider] = ()
) -> Prices:
    """
    The prices that *sources* tell or leave to the bundled list, for whoever counts money.

    Args:
        models: See ``rates_of``.

    Raises:
        MissingExtra: They leave it to the list, and the extra ``prices`` is not installed.
    """
    found = next((source for source in sources if source.provider in OWN_PRICES), None)
    if found is None:
        return Prices()
    return Prices(rates_of(found.prices, models), bundled=found.provider != "own")


def rates_of(
    prices: Mapping[str, ModelPrice], models: Iterable[ModelProvider] = ()
) -> dict[str, Rates]:
    """
    *prices* as rates, by the same names.

    Args:
        models: A price by the ``name`` of one of these is its ``model``'s, too, unless that has
            one: it costs the same under both, also for those who know it by one alone.
    """
    rates = {name: Rates(**price.model_dump()) for name, price in prices.items()}
    for entry in models:
        if not entry.is_wildcard and (given := rates.get(entry.full_name)) is not None:
            rates.setdefault(entry.model, given)
    return rates
