"""Attempts: retry, failover, circuit breaking, and the commit point, under every endpoint."""

from plano_asgi.attempts.answer import Answer
from plano_asgi.attempts.backoff import RetryPolicy
from plano_asgi.attempts.breaker import BreakerPolicy, Breakers
from plano_asgi.attempts.engine import Engine

__all__ = ["Answer", "BreakerPolicy", "Breakers", "Engine", "RetryPolicy"]
