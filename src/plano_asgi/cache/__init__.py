"""Answers that were given before, to exactly the same request of the same caller."""

from plano_asgi.cache.base import ReplayAnswer
from plano_asgi.cache.response_cache import ResponseCache

__all__ = ["ReplayAnswer", "ResponseCache"]
