"""
``selection_policy``: order a route's models by what they cost now, or by how fast they answer.

Models without data come last, in the order they were given.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.metric_sources.base import CostSource, LatencySource
from plano_asgi.routing.selectors.base import Prefer

_NO_NAMES: Mapping[str, Sequence[str]] = MappingProxyType({})


class Ranking:
    """
    Ranks by the data that its sources have at the moment.

    Args:
        cost: Prices, for ``cheapest``: input and output added, USD per million tokens.
        latency: Seconds, or whatever its query gives, for ``fastest``. Lower is better.
        explore: Share of ``fastest`` rankings that put a model without data first, where
            *latency* learns from the traffic itself: what is never tried is never measured.
        rng: Uniform over [0, 1).
    """

    def __init__(
        self,
        *,
        cost: CostSource | None = None,
        latency: LatencySource | None = None,
        explore: float = 0.05,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if not 0 <= explore <= 1:
            raise ConfigurationError("Ranking: explore is a share, 0 to 1")
        self._values: dict[Prefer, Callable[[str], float | None]] = {}
        if cost is not None:
            self._values["cheapest"] = lambda name: price(cost, name)
        if latency is not None:
            self._values["fastest"] = latency.latency
        self._explore = explore if latency is not None and latency.learns else 0.0
        self._rng = rng

    def check(self, name: str, prefer: Prefer) -> None:
        """
        Raises:
            ConfigurationError: Preference *name* wants data that no source gives.
        """
        if prefer != "none" and prefer not in self._values:
            kind = {"cheapest": "cost", "fastest": "latency"}[prefer]
            raise ConfigurationError(
                f"Routing preference '{name}' prefers the {prefer} model, which needs a source of "
                f"type {kind} among model_metrics_sources"
            )

    def rank(
        self,
        models: Sequence[str],
        prefer: Prefer,
        *,
        known_as: Mapping[str, Sequence[str]] = _NO_NAMES,
    ) -> tuple[str, ...]:
        """
        *models*, best first; as given where *prefer* is ``none`` or has no source.

        Args:
            known_as: Further names of a model, in the order in which they are looked up.
        """
        if (value := self._values.get(prefer)) is None:
            return tuple(models)
        values = {model: _first(value, (model, *known_as.get(model, ()))) for model in models}
        ranked = order(models, values)
        unknown = [model for model in models if values[model] is None]
        if prefer == "fastest" and unknown and self._rng() < self._explore:
            tried = unknown[min(len(unknown) - 1, int(self._rng() * len(unknown)))]
            ranked = (tried, *(model for model in ranked if model != tried))
        return ranked


def order(models: Sequence[str], values: Mapping[str, float | None]) -> tuple[str, ...]:
    """*models* by rising value; those without one (``None``, NaN) last, as they were given."""
    known = [model for model in models if _is_number(values.get(model))]
    known.sort(key=lambda model: values[model] or 0.0)
    return (*known, *(model for model in models if not _is_number(values.get(model))))


def price(source: CostSource, name: str) -> float | None:
    """What *name* costs: input and output price added, USD per million tokens."""
    rates = source.rates(name)
    return None if rates is None else rates.input + rates.output


def _first(value: Callable[[str], float | None], names: Sequence[str]) -> float | None:
    for name in names:
        if _is_number(found := value(name)):
            return found
    return None


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
