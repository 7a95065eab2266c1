"""Real database servers for state that several processes share."""

from __future__ import annotations

from servers import postgres_server, redis_server

__all__ = ["postgres_server", "redis_server"]
