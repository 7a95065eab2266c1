"""Time limits: a TimeoutError of one's own, and nobody else's cancellation."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from plano_asgi.asgi.deadline import time_limit

pytestmark = pytest.mark.anyio


async def test_a_block_in_time_is_left_alone() -> None:
    """The timer goes with the block."""
    with time_limit(5):
        await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()


async def test_a_late_block_is_cancelled() -> None:
    """And the task is not cancelled afterwards."""
    with pytest.raises(TimeoutError), time_limit(0.01):
        await anyio.sleep_forever()
    await anyio.lowlevel.checkpoint()


async def test_an_error_of_the_block_stays_itself() -> None:
    """Also past the limit."""
    with pytest.raises(KeyError), time_limit(5):
        raise KeyError


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    """Shutdown cancels, too."""
    with anyio.move_on_after(0.01) as scope, time_limit(5):
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_limits_nest() -> None:
    """The inner one is over first, the outer one goes on."""
    with time_limit(5):
        with pytest.raises(TimeoutError), time_limit(0.01):
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()
    with pytest.raises(TimeoutError), time_limit(0.01), time_limit(5):
        await anyio.sleep_forever()
