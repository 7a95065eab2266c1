"""When to try again, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plano_asgi.errors import (
    UpstreamError,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamUnavailable,
)

_RETRY_STATUSES = frozenset({408, 409, 425, 429})
_ELSEWHERE_STATUSES = frozenset({401, 402, 403, 404})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    Bounds of one exchange's attempts.

    Args:
        attempts_per_candidate: Tries at one model, the first included.
        max_attempts: Tries over all candidates.
        base_delay_s, max_delay_s: Full-jitter exponential back-off. A ``Retry-After`` longer
            than *max_delay_s* is not waited for: the next candidate is tried, or the error goes
            to the client with its ``Retry-After``.
        deadline_s: From the start of the exchange to its first content (or whole answer); past
            it nothing new is tried. A provider's ``total_s`` takes its place.
    """

    attempts_per_candidate: int = 3
    max_attempts: int = 6
    base_delay_s: float = 0.25
    max_delay_s: float = 8.0
    deadline_s: float = 600.0

    def delay_s(self, attempt: int, error: UpstreamError, rng: Callable[[], float]) -> float:
        """Seconds to wait before try number *attempt* + 1 at the same candidate (from 1)."""
        ceiling = min(self.max_delay_s, self.base_delay_s * 2.0 ** (attempt - 1))
        jittered = rng() * ceiling
        if error.retry_after_s is not None:
            return error.retry_after_s + jittered * 0.1
        return jittered


def may_retry_here(error: UpstreamError) -> bool:
    """
    Whether the same candidate may do better: 408, 409, 425, 429, 5xx, no connection, reset.

    A read or first-token timeout is not retried at the same place: it has cost its whole limit;
    nor is what would only happen again (a redirect, an answer over the limit).
    """
    if isinstance(error, UpstreamTimeout):
        return error.phase == "connect"
    if isinstance(error, UpstreamUnavailable) or not error.retryable:
        return False
    if isinstance(error, UpstreamStatus):
        return error.status in _RETRY_STATUSES or error.status >= 500
    return True


def may_fail_over(error: UpstreamError) -> bool:
    """Whether another candidate may do better: the above, timeouts, and keys or models missing."""
    if isinstance(error, UpstreamStatus):
        return may_retry_here(error) or error.status in _ELSEWHERE_STATUSES
    return True


def counts_against(error: UpstreamError) -> bool:
    """Whether it says that the upstream is unwell (and not the request, the key or the quota)."""
    if isinstance(error, UpstreamStatus):
        return error.status >= 500
    return not isinstance(error, UpstreamUnavailable)
