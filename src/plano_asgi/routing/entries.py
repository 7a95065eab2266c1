"""What names are made of: configured models, and aliases of them."""

from __future__ import annotations

from dataclasses import dataclass

WILDCARD = "*"
"""The model id of an entry that stands for every model of its provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """
    One configured model, or with *model* ``"*"`` any model, of one provider.

    Args:
        name: What clients call it; usually ``prefix/model``. Several entries of one name are
            several places for one model, tried in order.
        provider: The key under which the gateway holds the provider.
        model: The upstream's own id.
        prefix: The provider's prefix in full names.
        default: Serves requests without a (known) model.
        owned_by: In model lists.
        created: In model lists, Unix seconds.
        listed: Whether model lists show it.
    """

    name: str
    provider: str
    model: str
    prefix: str
    default: bool = False
    owned_by: str = ""
    created: int = 0
    listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One destination of an alias; *weight* is its share of the traffic, above 0."""

    model: str
    weight: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another name: one of *targets* drawn by weight, then *fallbacks* in order."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Every name that it may lead to: targets, then fallbacks."""
        return (*(target.model for target in self.targets), *self.fallbacks)
