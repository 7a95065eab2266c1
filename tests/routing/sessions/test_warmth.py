"""How long a provider keeps a prompt."""

from __future__ import annotations

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.warmth import Warmth, Warmths, has_drifted

MODEL = Candidate(provider="a", model="m")


@pytest.mark.parametrize(
    ("warmth", "idle_s", "warm"),
    [
        pytest.param(Warmth(), 60, True, id="60s idle"),
        pytest.param(Warmth(), 300, True, id="the last moment"),
        pytest.param(Warmth(), 600, False, id="600s idle"),
        pytest.param(Warmth(extended_s=3600), 600, True, id="600s idle, kept longer"),
        pytest.param(Warmth(), -60, True, id="a clock that went back"),
        pytest.param(Warmth(idle_s=900, hard_s=300), 600, False, id="hard bound"),
    ],
)
def test_warm_or_cold(warmth: Warmth, idle_s: float, warm: bool) -> None:
    """Up to and with the end of its window."""
    assert Warmths(warmth).is_warm(MODEL, 1000.0, 1000.0 + idle_s) is warm


def test_providers_have_their_own() -> None:
    """A listed provider's window, the default's for the others."""
    warmths = Warmths(providers={"a": Warmth(idle_s=10)})
    assert not warmths.is_warm(MODEL, 0, 60)
    assert warmths.is_warm(Candidate(provider="b", model="m"), 0, 60)


def test_times_are_above_zero() -> None:
    """Anything else cannot work."""
    with pytest.raises(ConfigurationError, match="above 0"):
        Warmth(idle_s=0)


@pytest.mark.parametrize(
    ("stored", "current", "drifted"),
    [(1, 1, False), (1, 2, True), (None, 2, False), (1, None, False), (None, None, False)],
)
def test_drift_needs_two_hashes(stored: int | None, current: int | None, drifted: bool) -> None:
    """What is not known is not taken for a change."""
    assert has_drifted(stored, current) is drifted
