"""The circuit breaker, by its clock."""

from __future__ import annotations

from plano_asgi.attempts.breaker import BreakerPolicy, Breakers
from plano_asgi.exchange import Candidate

A = Candidate(provider="a", model="m")
B = Candidate(provider="b", model="m")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_failures_in_a_row_open_and_a_probe_closes() -> None:
    """Closed, open, half-open with one probe, closed."""
    clock = Clock()
    breakers = Breakers(BreakerPolicy(failures=2, cool_down_s=10), timer=clock)
    breakers.failed(A)
    assert breakers.wait_s(A) == 0
    breakers.failed(A)
    assert breakers.wait_s(A) == 10
    assert breakers.is_open(A)
    assert breakers.wait_s(B) == 0, "circuits are separate"
    clock.now += 10
    assert breakers.wait_s(A) == 0, "the probe"
    assert breakers.wait_s(A) > 0, "only one"
    breakers.succeeded(A)
    assert breakers.wait_s(A) == breakers.wait_s(A) == 0


def test_a_failed_probe_opens_again_at_once() -> None:
    """One failure is enough in the half-open state."""
    clock = Clock()
    breakers = Breakers(BreakerPolicy(failures=3, cool_down_s=10), timer=clock)
    for _ in range(3):
        breakers.failed(A)
    clock.now += 10
    assert breakers.wait_s(A) == 0
    breakers.failed(A)
    assert breakers.wait_s(A) == 10


def test_a_probe_that_says_nothing_is_handed_out_again() -> None:
    """A client that leaves during the probe does not keep the circuit shut for ever."""
    clock = Clock()
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=10), timer=clock)
    breakers.failed(A)
    clock.now += 10
    assert breakers.wait_s(A) == 0
    breakers.released(A)
    assert breakers.wait_s(A) == 0


def test_a_success_between_failures_resets_the_count() -> None:
    """In a row means in a row."""
    breakers = Breakers(BreakerPolicy(failures=2), timer=Clock())
    breakers.failed(A)
    breakers.succeeded(A)
    breakers.failed(A)
    assert breakers.wait_s(A) == 0


def test_the_number_of_circuits_is_bounded() -> None:
    """Wildcard models are the client's words: they cannot fill the memory."""
    breakers = Breakers(BreakerPolicy(failures=1, max_tracked=10), timer=Clock())
    for n in range(50):
        breakers.failed(Candidate(provider="a", model=str(n)))
    assert sum(breakers.is_open(Candidate(provider="a", model=str(n))) for n in range(50)) == 10
