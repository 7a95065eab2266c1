"""Whoever leaves first ends both sides."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message

from plano_asgi.asgi.disconnect import run_until_disconnect

pytestmark = pytest.mark.anyio


async def stays() -> Message:
    """The ``receive`` of a client that never leaves."""
    await anyio.sleep_forever()
    return {"type": "http.disconnect"}


async def test_work_that_ends_first_is_not_a_disconnect() -> None:
    """The watcher goes with the work."""
    done: list[bool] = []

    async def work() -> None:
        done.append(True)

    with anyio.fail_after(5):
        assert await run_until_disconnect(stays, work) is False
    assert done == [True]


async def test_a_disconnect_cancels_the_work_and_its_cleanup_runs() -> None:
    """Cancelled where it waits; what it holds is let go."""
    left, cleaned = anyio.Event(), anyio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        try:
            left.set()
            await anyio.sleep_forever()
        finally:
            cleaned.set()

    with anyio.fail_after(5):
        assert await run_until_disconnect(receive, work) is True
    assert cleaned.is_set()


async def test_a_failure_surfaces_as_itself() -> None:
    """Callers catch errors, not groups of them."""

    async def work() -> None:
        raise KeyError("itself")

    with anyio.fail_after(5), pytest.raises(KeyError, match="itself"):
        await run_until_disconnect(stays, work)


async def test_a_cancellation_from_outside_passes_through() -> None:
    """Shutdown and time limits cancel, too; that is no disconnect."""

    async def work() -> None:
        await anyio.sleep_forever()

    with anyio.move_on_after(0.01) as scope:
        await run_until_disconnect(stays, work)
    assert scope.cancelled_caught
