"""How a store says that it cannot be reached."""

from __future__ import annotations

from plano_asgi.errors import MemoryUnavailable

_RETRY_AFTER_S = 1.0


def unavailable(store: str, reason: str) -> MemoryUnavailable:
    """The error for *store*; *reason* is ours or a code, never a driver's text or a URL."""
    error = MemoryUnavailable(f"the memory in {store} cannot be used: {reason}")
    error.retry_after_s = _RETRY_AFTER_S
    return error
