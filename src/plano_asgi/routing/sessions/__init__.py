"""Sessions: conversations that stay with the model they began with, as long as that pays."""

from __future__ import annotations

from plano_asgi.routing.sessions.affinity import Sessions
from plano_asgi.routing.sessions.budget import BUDGET_HEADER, RoutingBudget, Weighed
from plano_asgi.routing.sessions.costs import Pricing
from plano_asgi.routing.sessions.identity import AFFINITY_HEADER, CACHE_HEADER, is_opted_out
from plano_asgi.routing.sessions.options import SessionOptions
from plano_asgi.routing.sessions.turn import SESSION_KEY, SessionDecision, open_session
from plano_asgi.routing.sessions.warmth import Warmth, Warmths

__all__ = [
    "AFFINITY_HEADER",
    "BUDGET_HEADER",
    "CACHE_HEADER",
    "SESSION_KEY",
    "Pricing",
    "RoutingBudget",
    "SessionDecision",
    "SessionOptions",
    "Sessions",
    "Warmth",
    "Warmths",
    "Weighed",
    "is_opted_out",
    "open_session",
]
