"""What may be said about sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.sessions.budget import RoutingBudget
from plano_asgi.routing.sessions.warmth import Warmths


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """
    Args:
        ttl_s: A session ends so long after its last answered turn.
        implicit_ttl_s: The same for sessions that no header names; ``None``: as the others.
        session_affinity: Conversations without a header have sessions, too.
        route_on_user_only: Route when the user speaks; replay the decision for other turns.
        budget: What switching models may cost a session.
        tenant_header: Whose session it is, of requests that nobody authenticated.
        warmths: How long providers keep prompts.
        store_timeout_s: For how long a shared store may answer nobody; then it counts as down.
        store_pause_s: How long a store is left alone after it failed.

    Raises:
        ConfigurationError: A time that is not above 0.
    """

    ttl_s: float = 600.0
    implicit_ttl_s: float | None = None
    session_affinity: bool = False
    route_on_user_only: bool = False
    budget: RoutingBudget | None = None
    tenant_header: str | None = None
    warmths: Warmths = field(default_factory=Warmths)
    store_timeout_s: float = 1.0
    store_pause_s: float = 5.0

    def __post_init__(self) -> None:
        ttl_s = self.ttl_s if self.implicit_ttl_s is None else min(self.ttl_s, self.implicit_ttl_s)
        if min(ttl_s, self.store_timeout_s) <= 0 or self.store_pause_s < 0:
            raise ConfigurationError("Sessions: their times are above 0 seconds")
