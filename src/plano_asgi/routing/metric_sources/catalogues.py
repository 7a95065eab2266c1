"""
Price lists as others publish them, read into ``Rates`` by model name.

Sources: https://models.dev/api.json; https://docs.digitalocean.com (GenAI model catalogue).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from plano_asgi._json import loads
from plano_asgi.routing.metric_sources.base import Rates

MODELS_DEV_URL = "https://models.dev/api.json"
DIGITALOCEAN_URL = "https://api.digitalocean.com/v2/gen-ai/models/catalog"

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})
_TOKENS = 1_000_000


def read_models_dev(data: bytes, aliases: Mapping[str, str] = _NO_ALIASES) -> dict[str, Rates]:
    """
    A models.dev catalogue. Keys are ``provider/model``, and the bare model where it is free.
    Models without an input and an output price are left out.

    Args:
        aliases: Key in the catalogue -> the model's name here.

    Raises:
        ValueError: Not such a catalogue.
    """
    table = _Table(aliases)
    for provider, entry in _object(loads(data), "catalogue").items():
        models = entry.get("models") if isinstance(entry, dict) else None
        for key, model in (models if isinstance(models, dict) else {}).items():
            cost = model.get("cost") if isinstance(model, dict) else None
            if (rates := _rates(cost, "input", "output", ("cache_read",))) is not None:
                table.add(rates, f"{provider}/{key}", key)
    return table.read()


def read_digitalocean(data: bytes, aliases: Mapping[str, str] = _NO_ALIASES) -> dict[str, Rates]:
    """
    DigitalOcean's model catalogue. Keys are ``creator/id``, the creator in lower case, and the id
    where it is free; prices that it calls "per million" are per token. Models without pricing are
    left out.

    Args:
        aliases: Key in the catalogue -> the model's name here.

    Raises:
        ValueError: Not such a catalogue.
    """
    models = _object(loads(data), "catalogue").get("data")
    if not isinstance(models, list):
        raise ValueError("the catalogue has no list 'data'")
    table = _Table(aliases)
    for model in models:
        if not isinstance(model, dict) or not isinstance(key := model.get("model_id"), str):
            continue
        pricing = model.get("pricing")
        if isinstance(pricing, dict) and pricing:
            rates = Rates(
                input=_price(pricing.get("input_price_per_million")) or 0.0,
                output=_price(pricing.get("output_price_per_million")) or 0.0,
                cached=_first_price(
                    pricing, ("cache_read_input_price_per_million", "input_cache_read")
                ),
            )
            creator = model.get("creator")
            name = f"{creator.lower()}/{key}" if isinstance(creator, str) and creator else key
            table.add(_per_million(rates), name, key)
    return table.read()


class _Table:
    """Rates by name. What *aliases* name wins over what the catalogue calls so."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._aliases = aliases
        self._bare: dict[str, Rates] = {}
        self._full: dict[str, Rates] = {}
        self._aliased: dict[str, Rates] = {}

    def add(self, rates: Rates, name: str, bare: str) -> None:
        """The rates of the model *name*; of several *bare* ones the first counts."""
        for key, table in ((name, self._full), (bare, self._bare)):
            if (alias := self._aliases.get(key)) is not None:
                self._aliased.setdefault(alias, rates)
            else:
                table.setdefault(key, rates)

    def read(self) -> dict[str, Rates]:
        """
        Raises:
            ValueError: There are none. An error document is JSON as well: no prices at all is a
                failure, never a new truth.
        """
        if not (found := {**self._bare, **self._full, **self._aliased}):
            raise ValueError("the catalogue holds no prices")
        return found


def _rates(cost: Any, input: str, output: str, cached: tuple[str, ...]) -> Rates | None:
    if not isinstance(cost, dict):
        return None
    paid, earned = _price(cost.get(input)), _price(cost.get(output))
    if paid is None or earned is None:
        return None
    return Rates(input=paid, output=earned, cached=_first_price(cost, cached))


def _per_million(rates: Rates) -> Rates:
    cached = None if rates.cached is None else rates.cached * _TOKENS
    return Rates(input=rates.input * _TOKENS, output=rates.output * _TOKENS, cached=cached)


def _first_price(prices: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    found = (_price(prices.get(key)) for key in keys)
    return next((value for value in found if value is not None), None)


def _price(value: Any) -> float | None:
    """A price that can be one; catalogues also spell them as texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"the {what} is not a JSON object")
    return value
