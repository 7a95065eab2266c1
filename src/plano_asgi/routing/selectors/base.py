"""
The contract of selectors: which of several routes, told in words, a conversation asks for.

A selector names a route or none. It never fails traffic: whoever asks it (``Preferences``) goes on
with the request's own model when it raises or takes too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange

Prefer: TypeAlias = Literal["cheapest", "fastest", "none"]
"""How a route's models are ranked; ``none`` keeps their order."""

PREFERS: tuple[Prefer, ...] = get_args(Prefer)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePreference:
    """
    A kind of task in words, and the models for it.

    Args:
        name: Unique among the routes it is offered with.
        description: What the task is; selectors compare conversations with it.
        models: Names that clients could send, best first.
        examples: Things a user might say; a few do more for the local selectors than a long
            description.
        selection_policy: ``cheapest`` or ``fastest`` ranks *models* by current data; ``None`` is
            ``none``.

    Raises:
        ConfigurationError: No name, no model, neither description nor example, or an unknown
            policy.
    """

    name: str
    description: str
    models: tuple[str, ...]
    examples: tuple[str, ...] = ()
    selection_policy: Prefer | None = None

    def __post_init__(self) -> None:
        # Frozen, hashable values: lists that users write are made tuples.
        object.__setattr__(self, "models", tuple(self.models))
        object.__setattr__(self, "examples", tuple(self.examples))
        if not self.name.strip():
            raise ConfigurationError("A routing preference needs a name")
        if not self.models or not all(self.models):
            raise ConfigurationError(f"Routing preference '{self.name}' needs models")
        if not self.description.strip() and not self.examples:
            raise ConfigurationError(
                f"Routing preference '{self.name}' needs a description or examples"
            )
        if self.selection_policy not in (None, *PREFERS):
            raise ConfigurationError(
                f"Routing preference '{self.name}': selection_policy is one of {', '.join(PREFERS)}"
            )

    @property
    def prefer(self) -> Prefer:
        """The policy; ``none`` where there is none."""
        return self.selection_policy or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    What a selector found. *route* is the name of an offered preference, ``None`` if none fits;
    *score* is on the selector's own scale; *note* says in a few words why, never content.
    """

    route: str | None = None
    score: float | None = None
    note: str = ""


class Unreadable(Exception):
    """
    This conversation gave no usable answer; the selector itself is well. Messages hold no content.
    """


@runtime_checkable
class Selector(Protocol):
    """Chooses among routes. Instances are shared between requests."""

    @property
    def name(self) -> str:
        """For decisions and spans: ``model``, ``embedding``, ..."""
        ...

    @property
    def is_cacheable(self) -> bool:
        """The choice depends on nothing but the conversation and the routes."""
        ...

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """
        Refuse routes that this selector cannot tell apart.

        Raises:
            ConfigurationError: Says which and why.
        """
        ...

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """
        The route that the conversation's last user turn asks for.

        Raises:
            Unreadable: No usable answer for this conversation.
            Exception: Anything else counts as an outage.
        """
        ...
