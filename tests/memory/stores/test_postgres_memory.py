"""The PostgreSQL store: its tables, and a server that fails."""

from __future__ import annotations

import anyio
import psycopg
import pytest

from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.memory.postgres_memory import PostgresMemory
from remembering import ME, found, item, listed
from servers import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """psycopg is asyncio's."""
    return "asyncio"


async def test_tables_are_made_once(postgres_server: PostgresServer) -> None:
    """By however many processes start at once."""
    url = postgres_server.schema()
    stores = [PostgresMemory(url) for _ in range(6)]
    async with anyio.create_task_group() as tasks:
        for number, store in enumerate(stores):
            tasks.start_soon(store.add, ME, [item(str(number), "tea")])
    assert len(await listed(stores[0])) == 6
    with psycopg.connect(url) as connection:
        rooms = connection.execute("SELECT room, version FROM plano_rooms").fetchall()
    assert rooms == [("memory", 1)]
    for store in stores:
        await store.aclose()


async def test_tables_of_a_later_version_are_left_alone(postgres_server: PostgresServer) -> None:
    """An older program does not write into what it does not know."""
    url = postgres_server.schema()
    store = PostgresMemory(url)
    await store.add(ME, [item("1", "tea")])
    await store.aclose()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE plano_rooms SET version = 99")
    with pytest.raises(MemoryUnavailable, match="later version"):
        await store.list(ME)
    await store.aclose()


async def test_a_killed_server_is_an_outage_and_loses_nothing(
    postgres_server: PostgresServer,
) -> None:
    """Errors while it is down; afterwards every item whose ``add`` returned is there."""
    url = postgres_server.schema()
    store, acknowledged, failures = PostgresMemory(url), list[str](), list[MemoryUnavailable]()
    running = anyio.Event()

    async def write(writer: int) -> None:
        for n in range(10_000):
            try:
                await store.add(ME, [item(f"{writer}-{n}", "tea")])
            except MemoryUnavailable as exc:
                failures.append(exc)
                return
            acknowledged.append(f"{writer}-{n}")
            if len(acknowledged) >= 20:
                running.set()

    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for writer in range(4):
                    tasks.start_soon(write, writer)
                await running.wait()
                await anyio.to_thread.run_sync(postgres_server.kill)
            with pytest.raises(MemoryUnavailable, match="PostgreSQL") as caught:
                await store.search(ME, "tea")
    finally:
        postgres_server.start()
    assert len(failures) == 4
    assert caught.value.retry_after_s == 1.0
    assert set(acknowledged) <= set(await listed(store, limit=100_000))
    await store.add(ME, [item("after", "milk")])
    assert await found(store, "milk") == ["after"]
    await store.aclose()


async def test_a_silent_server_is_an_outage_in_time(postgres_server: PostgresServer) -> None:
    """Open connections and new ones, both."""
    store = PostgresMemory(postgres_server.schema(), command_timeout_s=0.2, connect_timeout_s=0.2)
    await store.add(ME, [item("1", "tea")])
    postgres_server.freeze(True)
    try:
        with anyio.fail_after(10):
            for _ in range(2):
                with pytest.raises(MemoryUnavailable):
                    await store.search(ME, "tea")
    finally:
        postgres_server.freeze(False)
    assert await found(store, "tea") == ["1"]
    await store.aclose()


async def test_connections_the_server_ended_are_replaced(postgres_server: PostgresServer) -> None:
    """Without the caller noticing."""
    store = PostgresMemory(postgres_server.schema())
    await store.add(ME, [item("1", "tea")])
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    assert await listed(store) == ["1"]
    await store.aclose()


async def test_connections_are_bounded_and_returned(postgres_server: PostgresServer) -> None:
    """More calls than connections wait for one; cancelled ones give theirs back."""
    store = PostgresMemory(postgres_server.schema(), max_connections=2)
    await store.add(ME, [item("1", "tea")])
    for _ in range(5):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.search(ME, "tea")
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(store.add, ME, [item(str(number), "tea")])
    assert len(await listed(store)) == 20
    await store.aclose()


async def test_writers_of_the_same_items_do_not_deadlock(postgres_server: PostgresServer) -> None:
    """In whichever order they name them."""
    store = PostgresMemory(postgres_server.schema())
    items = [item(f"{n:03}", f"tea cup{n}") for n in range(100)]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(store.add, ME, items)
                tasks.start_soon(store.add, ME, items[::-1])
    assert len(await listed(store, limit=200)) == 100
    await store.aclose()


async def test_a_refused_login_shows_no_password(postgres_server: PostgresServer) -> None:
    """In the error and the store's name."""
    store = PostgresMemory("postgresql://ann:s3cr3t@127.0.0.1:1/db?sslpassword=t0psecret")
    with pytest.raises(MemoryUnavailable) as caught:
        await store.add(ME, [item("1", "tea")])
    assert repr(store) == "PostgresMemory('postgresql://127.0.0.1:1/db')"
    for text in (str(caught.value), repr(caught.value.__cause__)):
        assert "s3cr3t" not in text
        assert "t0psecret" not in text
    await store.aclose()


def test_a_loop_that_ends_closes_its_connections(postgres_server: PostgresServer) -> None:
    """Though nobody called ``aclose``; the next loop has its own."""
    store = PostgresMemory(postgres_server.schema())

    async def visit() -> list[str]:
        await store.add(ME, [item("1", "tea")])
        return await listed(store)

    for _ in range(2):
        assert anyio.run(visit) == ["1"]


def test_trio_is_refused(postgres_server: PostgresServer) -> None:
    """By name, at the first use."""
    store = PostgresMemory(postgres_server.url)
    with pytest.raises(ConfigurationError, match="asyncio"):
        anyio.run(store.list, ME, backend="trio")
