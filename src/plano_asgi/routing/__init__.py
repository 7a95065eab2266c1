"""Where a request goes: names, and the contract of every other rule."""

from __future__ import annotations

from plano_asgi.routing.base import Candidate, Route, RouteRule
from plano_asgi.routing.names import Alias, ModelEntry, ModelInfo, Names, Target

__all__ = ["Alias", "Candidate", "ModelEntry", "ModelInfo", "Names", "Route", "RouteRule", "Target"]
