"""
The contract of routing: a rule looks at an exchange and answers or passes.

Rules are asked in order; the first that answers wins. ``Names`` is the last one: it always answers
or raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from plano_asgi.exchange import Candidate, Exchange, Route

__all__ = ["RULES_KEY", "Candidate", "Route", "RouteRule"]

RULES_KEY = "routing.rules"
"""Where ``Exchange.state`` holds rules that the request itself brings, asked after all others."""

RouteRule: TypeAlias = Callable[[Exchange], Awaitable[Route | None]]
"""``None`` passes the exchange on to the next rule."""
