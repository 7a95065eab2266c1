"""Two processes on one Redis keep one limit."""

from __future__ import annotations

import os
import sys
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from limiting import passes, serve, sized
from plano_asgi.limits import RateLimit, RateLimits
from plano_asgi.limits.account import Terms
from plano_asgi.limits.ledger import Hold, Ledger
from plano_asgi.limits.windows import CalendarWindow
from plano_asgi.stores.redis_store import RedisStore
from servers import RedisServer

pytestmark = pytest.mark.anyio

_TESTS = Path(__file__).resolve().parents[1]
_WORKER = """
import sys, anyio
from limiting import passes, serve, sized
from plano_asgi.limits import RateLimit, RateLimits
from plano_asgi.stores.redis_store import RedisStore

async def main(url, root):
    store = RedisStore(url, root=root)
    meter = RateLimits([RateLimit(model="gpt-4o", tokens=10_000, unit="day")], store)
    granted = []

    async def request():
        exchange = sized(60, output=90)
        if await passes(meter, exchange):
            granted.append(1)
            await meter.settle(serve(exchange, 100))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(request)
    print(len(granted))
    await store.aclose()

anyio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def anyio_backend() -> str:
    """redis-py is asyncio's."""
    return "asyncio"


async def test_processes_share_a_limit_exactly(redis_server: RedisServer) -> None:
    """Two hundred requests of two processes, each reserving 150 and using 100 of 10,000 tokens."""
    root = uuid.uuid4().hex
    command = [sys.executable, "-c", _WORKER, redis_server.url, root]
    paths = os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])
    run = partial(anyio.run_process, command, stderr=None, env={**os.environ, "PYTHONPATH": paths})
    told: list[int] = []

    async def worker() -> None:
        told.append(int((await run()).stdout))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker)
        tasks.start_soon(worker)
    store = RedisStore(redis_server.url, root=root)
    (key,) = await store.keys("limit:")
    counted = await store.get(key)
    assert counted is not None
    assert f",{sum(told) * 100}]".encode() in counted
    assert counted.endswith(b",[]]")
    # Those in flight hold 50 more each than they use: nobody passes who would exceed the limit,
    # and all pass who come while there is room.
    assert 66 <= sum(told) <= 100
    await store.aclose()


async def test_whoever_leaves_while_reserving_knows_what_it_holds(
    redis_server: RedisServer,
) -> None:
    """A cancelled request can be settled."""
    store = RedisStore(redis_server.url, root=uuid.uuid4().hex)
    ledger = Ledger(store, on_outage="refuse")
    hold = Hold("k", Terms(CalendarWindow("day"), 100, 900.0), 0, ledger.timer())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ledger.reserve(hold, 60, hold.began)
    assert hold.amount == 60
    await ledger.settle(hold, 0)
    assert await store.get("k") is None
    await store.aclose()


async def test_a_server_that_hangs_holds_nobody_up(redis_server: RedisServer, clock: Any) -> None:
    """Requests pass uncounted, and the limit holds again once it answers."""
    store = RedisStore(redis_server.url, root=uuid.uuid4().hex)
    limit = RateLimit(model="gpt-4o", tokens=1000, unit="day")
    meter = RateLimits([limit], store, store_timeout_s=0.1, timer=clock)
    first = sized(600)
    await meter(first)
    redis_server.freeze(True)
    try:
        with anyio.fail_after(4):  # the store's own patience is 5 s for each
            for _ in range(20):
                assert await passes(meter, sized(600))
            await meter.settle(serve(first, 600))
    finally:
        redis_server.freeze(False)
    clock.now += 6
    assert not await passes(meter, sized(600))
    assert await passes(meter, sized(300))
    await store.aclose()
