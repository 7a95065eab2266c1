"""A clock, and servers for limits that several processes share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from servers import redis_server

__all__ = ["redis_server"]


@dataclass(slots=True)
class Clock:
    """Unix seconds that only a test moves on: noon of 15 June 2026, UTC."""

    now: float = 1_781_524_800.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The limits' clock."""
    return Clock()
