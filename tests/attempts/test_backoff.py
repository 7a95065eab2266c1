"""When to try again, where, and after how long."""

from __future__ import annotations

import pytest

from plano_asgi.attempts.backoff import RetryPolicy, counts_against, may_fail_over, may_retry_here
from plano_asgi.errors import (
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamUnreachable,
)


def status(code: int) -> UpstreamStatus:
    """An error answer."""
    return UpstreamStatus("no", status=code)


@pytest.mark.parametrize(
    ("error", "here", "elsewhere", "unwell"),
    [
        *[(status(code), True, True, False) for code in (408, 409, 429)],
        *[(status(code), True, True, True) for code in (500, 502, 503, 504, 529)],
        *[(status(code), False, True, False) for code in (401, 402, 403, 404)],
        *[(status(code), False, False, False) for code in (400, 405, 413, 422)],
        (UpstreamUnreachable("x"), True, True, True),
        (UpstreamReset("x"), True, True, True),
        (UpstreamProtocolError("x"), True, True, True),
        (UpstreamTimeout("x", phase="connect"), True, True, True),
        (UpstreamTimeout("x", phase="read"), False, True, True),
        (UpstreamTimeout("x", phase="first_token"), False, True, True),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_what_may_be_tried_again(
    error: UpstreamError, here: bool, elsewhere: bool, unwell: bool
) -> None:
    """One table of all failures."""
    assert may_retry_here(error) is here
    assert may_fail_over(error) is elsewhere
    assert counts_against(error) is unwell


def test_delays_are_full_jitter_and_bounded() -> None:
    """Between nothing and a doubling ceiling."""
    policy = RetryPolicy(base_delay_s=1, max_delay_s=5)
    ceilings = [policy.delay_s(n, UpstreamReset("x"), lambda: 1.0) for n in (1, 2, 3, 4, 9)]
    assert ceilings == [1, 2, 4, 5, 5]
    assert policy.delay_s(3, UpstreamReset("x"), lambda: 0.0) == 0


def test_retry_after_is_honoured() -> None:
    """Never earlier than the upstream asked, a little later so that not all come at once."""
    error = status(429)
    error.retry_after_s = 3
    policy = RetryPolicy(base_delay_s=1)
    assert policy.delay_s(1, error, lambda: 0.0) == 3
    assert 3 < policy.delay_s(1, error, lambda: 1.0) <= 3.2
