"""Whether a provider still has a conversation's prompt in its cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate
from plano_asgi.pricing import prefix_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmth:
    """
    How long a provider keeps a prompt, in seconds.

    Args:
        idle_s: Since its last use.
        hard_s: At most, however often it is used.
        extended_s: Instead of both, where the provider keeps prompts longer on request.
    """

    idle_s: float = 300.0
    hard_s: float = 3600.0
    extended_s: float | None = None

    def __post_init__(self) -> None:
        if not all(s > 0 for s in (self.idle_s, self.hard_s, self.window_s)):
            raise ConfigurationError("Warmth: its times are above 0 seconds")

    @property
    def window_s(self) -> float:
        """Idle for no longer than this, a prompt is warm."""
        return min(self.idle_s, self.hard_s) if self.extended_s is None else self.extended_s


class Warmths:
    """
    Windows by provider.

    Args:
        default: Of providers that are not listed.
        providers: Key of a provider -> its own.
    """

    def __init__(
        self,
        default: Warmth | None = None,
        providers: Mapping[str, Warmth] = MappingProxyType({}),
    ) -> None:
        self._default_s = (default or Warmth()).window_s
        self._windows = {name: warmth.window_s for name, warmth in providers.items()}

    def is_warm(self, candidate: Candidate, last_used: float, now: float) -> bool:
        """Whether *candidate*, last used then, has the prompt now. Times in Unix seconds."""
        return now - last_used <= self._windows.get(prefix_of(candidate.provider), self._default_s)


def has_drifted(stored: int | None, current: int | None) -> bool:
    """Whether the prompt begins in another way than it did; not known of a missing hash."""
    return stored is not None and current is not None and stored != current
