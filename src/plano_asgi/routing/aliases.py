"""Aliases by themselves: which of their targets are aliases in turn, and whether all lead on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.entries import Alias, Target


class Aliases:
    """
    The aliases of one gateway, by name.

    Args:
        is_model: Whether a name is a configured model's. As a target it then means the model, also
            where an alias has the same name: ``gpt-4o: {target: gpt-4o}`` is no circle.

    Raises:
        ConfigurationError: One without a name or targets, or with a weight that is not above 0.
    """

    def __init__(self, aliases: Mapping[str, Alias], *, is_model: Callable[[str], bool]) -> None:
        self._aliases, self._is_model = dict(aliases), is_model
        for name, alias in self._aliases.items():
            _check_shape(name, alias)

    def get(self, name: str | None) -> Alias | None:
        """The alias that a client means by *name*: it hides a model of that name."""
        return None if name is None else self._aliases.get(name)

    def behind(self, target: str) -> Alias | None:
        """The alias that *target*, as an alias names it, leads to; ``None``: a model, or nobody."""
        alias = self._aliases.get(target)
        return None if alias is None or self._is_model(target) else alias

    def items(self) -> Iterable[tuple[str, Alias]]:
        """In the order given."""
        return self._aliases.items()

    def check(self, check_model: Callable[[str], None]) -> None:
        """
        See to it that every alias leads to models, whatever is drawn.

        Args:
            check_model: Raises for a name that no model has.

        Raises:
            ConfigurationError: One comes back to itself, or *check_model* says so.
        """
        checked: set[str] = set()
        for name in self._aliases:
            self._check_reach(name, (), checked, check_model)

    def _check_reach(
        self,
        name: str,
        above: tuple[str, ...],
        checked: set[str],
        check_model: Callable[[str], None],
    ) -> None:
        """Alias *name*, met below the aliases *above*, leads to models everywhere."""
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise ConfigurationError(f"Aliases in a circle: {circle}")
        if name in checked:
            return
        for model in self._aliases[name].models:
            if self.behind(model) is not None:
                self._check_reach(model, (*above, name), checked, check_model)
                continue
            try:
                check_model(model)
            except ConfigurationError as exc:
                raise ConfigurationError(f"Alias '{name}': {exc}") from None
        checked.add(name)


def draw(targets: tuple[Target, ...], rng: Callable[[], float]) -> str:
    """The model of one of *targets*, by weight; *rng* is uniform over [0, 1)."""
    if len(targets) == 1:
        return targets[0].model
    point = rng() * sum(target.weight for target in targets)
    for target in targets:
        point -= target.weight
        if point < 0:
            return target.model
    return targets[-1].model


def _check_shape(name: str, alias: Alias) -> None:
    if not name or not alias.targets:
        raise ConfigurationError(f"Alias '{name}' needs a name and a target")
    for target in alias.targets:
        if not (target.weight > 0 and math.isfinite(target.weight)):
            raise ConfigurationError(
                f"Alias '{name}': weight {target.weight} of '{target.model}' is not above 0"
            )
