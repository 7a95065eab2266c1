"""Servers that die, come back, and fall silent, under stores that are being written to."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

import anyio
import pytest

from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import BriefStore
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore
from servers import DatabaseServer, PostgresServer, RedisServer

pytestmark = pytest.mark.anyio

Make = Callable[..., Store]


@pytest.fixture
def anyio_backend() -> str:
    """The drivers are asyncio's."""
    return "asyncio"


@pytest.fixture(params=["redis", "postgres"])
def served(request: pytest.FixtureRequest) -> tuple[DatabaseServer, Make]:
    """A server, and what makes a store on it."""
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        root = uuid.uuid4().hex
        return redis, lambda **options: RedisStore(redis.url, root=root, **options)
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    url = postgres.schema()
    return postgres, lambda **options: PostgresStore(url, **options)


async def test_a_killed_server_loses_nothing_acknowledged(
    served: tuple[DatabaseServer, Make],
) -> None:
    """Killed under eight writers, it is an outage to each; started again, it has what it said."""
    server, make = served
    store = make()
    told: list[str] = []
    running, failures = anyio.Event(), list[StoreUnavailable]()

    async def write(writer: int) -> None:
        for n in range(100_000):
            key = f"{writer}-{n}"
            try:
                await store.update(key, lambda _: (b"1", None))
                await store.add(f"count-{writer}", 1)
            except StoreUnavailable as exc:
                failures.append(exc)
                return
            told.append(key)
            if len(told) >= 40:
                running.set()

    def kill() -> None:
        server.freeze(True)  # a PostgreSQL that still forks would leave a process behind
        server.kill()

    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for writer in range(8):
                    tasks.start_soon(write, writer)
                await running.wait()
                await anyio.to_thread.run_sync(kill)
            with pytest.raises(StoreUnavailable) as caught:
                await store.get("0-0")
    finally:
        server.start()
    assert len(failures) == 8
    assert caught.value.retry_after_s == 1.0
    assert caught.value.status == 503
    assert set(told) <= set(await store.keys("", limit=1_000_000))
    for writer in range(8):
        kept = [key for key in told if key.startswith(f"{writer}-")]
        # The call that failed may have been done: then nobody was told.
        assert len(kept) <= await store.add(f"count-{writer}", 0) <= len(kept) + 1
    await store.aclose()


async def test_a_silent_server_is_an_outage_in_time(served: tuple[DatabaseServer, Make]) -> None:
    """To every method, and gone as soon as it answers again."""
    server, make = served
    store = make(command_timeout_s=0.2, connect_timeout_s=0.2)
    await store.put("key", b"1")
    server.freeze(True)
    try:
        with anyio.fail_after(20):
            for call in (
                lambda: store.get("key"),
                lambda: store.put("key", b"2"),
                lambda: store.add("count", 1),
                lambda: store.update("key", lambda value: (value, None)),
                lambda: store.keys(""),
            ):
                with pytest.raises(StoreUnavailable) as caught:
                    await call()
                assert caught.type is StoreUnavailable
    finally:
        server.freeze(False)
    assert await store.get("key") in (b"1", b"2")
    await store.aclose()


async def test_whoever_has_no_time_does_not_wait_for_a_silent_server(
    served: tuple[DatabaseServer, Make],
) -> None:
    """Nor until it has stopped: the connection is given up, and the next one is new."""
    server, make = served
    store = make(command_timeout_s=60.0)
    brief = BriefStore(store, timeout_s=0.05, pause_s=0.0, timer=time.monotonic)
    await store.put("key", b"1")
    server.freeze(True)
    try:
        with anyio.fail_after(4):
            with pytest.raises(StoreUnavailable):
                await brief.get("key")
            with pytest.raises(StoreUnavailable):
                await brief.put("key", b"2")
    finally:
        server.freeze(False)
    assert await store.get("key") in (b"1", b"2")
    await store.aclose()


_CHANGER = """
import sys, anyio
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore

async def main(kind, url, root):
    store = RedisStore(url, root=root) if kind == "redis" else PostgresStore(url)

    async def write():
        for _ in range(10):
            await store.update("text", lambda value: ((value or b"") + b"x", None))
            await store.add("count", 1)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(write)
    await store.aclose()

anyio.run(main, *sys.argv[1:])
"""


@pytest.mark.parametrize("kind", ["redis", "postgres"])
async def test_processes_lose_nothing_of_each_other(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Two with four writers each, all of the same keys, from the making of the table on."""
    server = request.getfixturevalue(f"{kind}_server")
    url, root = server.url if kind == "redis" else server.schema(), uuid.uuid4().hex
    command = [sys.executable, "-c", _CHANGER, kind, url, root]
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(partial(anyio.run_process, command, stderr=None))
    store: Store = RedisStore(url, root=root) if kind == "redis" else PostgresStore(url)
    assert await store.get("text") == b"x" * 80
    assert await store.get("count") == b"80"
    await store.aclose()
