"""``selection_policy``: cheapest and fastest, with whatever data there is."""

from __future__ import annotations

import math

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.metric_sources import Rates
from plano_asgi.routing.ranking import Ranking, order


class Prices:
    """Prices by name."""

    def __init__(self, **prices: float) -> None:
        self.prices = prices

    def rates(self, model: str, /) -> Rates | None:
        """All of it for output."""
        price = self.prices.get(model)
        return None if price is None else Rates(input=0, output=price)


class Latencies:
    """Latencies by name."""

    def __init__(self, *, learns: bool = False, **seconds: float) -> None:
        self.learns, self.seconds = learns, seconds

    def latency(self, model: str, /) -> float | None:
        """Seconds."""
        return self.seconds.get(model)


@pytest.mark.parametrize(
    ("models", "values", "ranked"),
    [
        ("abc", {"a": 0.01, "b": 0.005, "c": 0.02}, "bac"),
        ("abc", {}, "abc"),
        ("ab", {"b": 1.0}, "ba"),
        ("abcd", {"a": math.nan, "b": 0.5, "c": 0.1}, "cbad"),
        ("abc", {"a": 1.0, "b": 1.0, "c": 0.0}, "cab"),
    ],
)
def test_models_are_ordered(models: str, values: dict[str, float], ranked: str) -> None:
    """Plano's table: rising values, stable, what has none behind in the given order."""
    assert "".join(order(models, values)) == ranked


def test_policies_use_their_source() -> None:
    """``none`` keeps the order, also with data."""
    ranking = Ranking(cost=Prices(a=2, b=1), latency=Latencies(a=0.1, b=0.2))
    assert ranking.rank(("a", "b"), "cheapest") == ("b", "a")
    assert ranking.rank(("b", "a"), "fastest") == ("a", "b")
    assert ranking.rank(("a", "b"), "none") == ("a", "b")


def test_price_is_input_and_output() -> None:
    """Added, per million tokens."""

    class Both:
        """Cheap to read, dear to write."""

        def rates(self, model: str, /) -> Rates | None:
            """By name."""
            return {"a": Rates(input=1, output=9), "b": Rates(input=4, output=5)}[model]

    assert Ranking(cost=Both()).rank(("a", "b"), "cheapest") == ("b", "a")


def test_without_a_source_the_order_stays() -> None:
    """A request may ask for it all the same; a configured preference is refused."""
    ranking = Ranking()
    assert ranking.rank(("b", "a"), "cheapest") == ("b", "a")
    ranking.check("x", "none")
    with pytest.raises(ConfigurationError, match=r"'x' prefers the cheapest .* type cost"):
        ranking.check("x", "cheapest")
    with pytest.raises(ConfigurationError, match="type latency"):
        Ranking(cost=Prices()).check("x", "fastest")
    Ranking(latency=Latencies()).check("x", "fastest")


def test_other_names_of_a_model_are_looked_up() -> None:
    """The given name first, then the others in order."""
    ranking = Ranking(cost=Prices(full=3, bare=1, b=2))
    known = {"a": ("full", "bare")}
    assert ranking.rank(("a", "b"), "cheapest", known_as=known) == ("b", "a")


def test_unmeasured_models_get_their_chance() -> None:
    """Where the source learns from the traffic, some requests try what it does not know."""
    draws = iter([0.04, 0.99, 0.06])
    source = Latencies(learns=True, a=0.1)
    ranking = Ranking(latency=source, rng=lambda: next(draws))
    assert ranking.rank(("a", "b", "c"), "fastest") == ("c", "a", "b")
    assert ranking.rank(("a", "b", "c"), "fastest") == ("a", "b", "c")


def test_sources_that_do_not_learn_are_taken_at_their_word() -> None:
    """Trying a model tells Prometheus nothing that it would not find out."""
    ranking = Ranking(latency=Latencies(a=0.1), explore=1.0, rng=lambda: 0.0)
    assert ranking.rank(("b", "a"), "fastest") == ("a", "b")
    with pytest.raises(ConfigurationError, match="a share"):
        Ranking(explore=2)
