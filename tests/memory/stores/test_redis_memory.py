"""The Redis store: its keys, its own expiry, and a server that fails."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import anyio
import pytest
from redis import Redis

from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.memory.redis_memory import RedisMemory
from remembering import ME, found, item, listed
from servers import RedisServer, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """redis-py is asyncio's."""
    return "asyncio"


@pytest.fixture
def root() -> str:
    """What this test's keys begin with."""
    return uuid.uuid4().hex


@pytest.fixture
def keys(redis_server: RedisServer) -> Iterator[Redis]:
    """A look at the server from outside."""
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


async def test_forgetting_leaves_no_key(redis_server: RedisServer, root: str, keys: Redis) -> None:
    """Whichever way: one by one, all, by expiry, by being replaced."""
    clock = [time.time()]
    store = RedisMemory(redis_server.url, root=root, timer=lambda: clock[0])
    near = {"embedding": (1.0, 0.0), "embedder": "m"}
    await store.add(ME, [item(str(n), f"tea cup{n}", **near) for n in range(30)])
    await store.add(ME, [item("0", "milk"), item("x", "soon", expires_at=clock[0] + 60, **near)])
    assert keys.exists(f"{root}:acme/ann:word:cup1", f"{root}:acme/ann:vector:m") == 2
    assert not keys.exists(f"{root}:acme/ann:word:cup0")
    await store.delete(ME, "1")
    clock[0] += 60
    assert await store.purge() == 1
    assert await store.delete_all(ME) == 29
    assert keys.keys(f"{root}:*") == []
    await store.aclose()


async def test_redis_itself_deletes_what_is_due(
    redis_server: RedisServer, root: str, keys: Redis
) -> None:
    """The text at its second, the indexes with their last item; those of others stay."""
    store = RedisMemory(redis_server.url, root=root)
    end = time.time() + 1000
    await store.add(
        ME, [item("a", "tea", expires_at=end), item("b", "milk"), item("c", "milk tea")]
    )
    await store.add(ME, [item("d", "cocoa", expires_at=end)])
    await store.add(ME, [item("e", "cocoa", expires_at=end + 500)])
    space = f"{root}:acme/ann"
    assert 990 < keys.ttl(f"{space}:item:a") <= 1000
    assert 4590 < keys.ttl(f"{space}:trace:a") <= 4600
    assert 5090 < keys.ttl(f"{space}:word:cocoa") <= 5100
    assert keys.ttl(f"{space}:word:tea") == keys.ttl(f"{space}:item:b") == -1
    assert keys.ttl(f"{space}:newest") == -1
    await store.delete_all(ME)
    await store.aclose()


async def test_indexes_are_cleaned_though_redis_was_first(
    redis_server: RedisServer, root: str, keys: Redis
) -> None:
    """An item that Redis has expired is not found, and its traces can still be removed."""
    store = RedisMemory(redis_server.url, root=root)
    await store.add(ME, [item("a", "tea", expires_at=time.time() + 100), item("b", "tea")])
    keys.delete(f"{root}:acme/ann:item:a")
    assert await found(store, "tea") == await listed(store) == ["b"]
    keys.delete(f"{root}:acme/ann:trace:a")
    await store.add(ME, [item("a", "milk")])
    assert keys.zrange(f"{root}:acme/ann:word:tea", 0, -1) == ["b"]
    assert await store.delete_all(ME) == 2
    assert keys.keys(f"{root}:*") == []
    await store.aclose()


async def test_a_killed_server_is_an_outage_then_is_back(
    redis_server: RedisServer, root: str
) -> None:
    """Errors while it is down, in time; afterwards everything that its log had."""
    store = RedisMemory(redis_server.url, root=root)
    await store.add(ME, [item("1", "tea")])
    redis_server.kill()
    try:
        with anyio.fail_after(10):
            for _ in range(2):
                with pytest.raises(MemoryUnavailable, match="Redis") as caught:
                    await store.add(ME, [item("2", "tea")])
    finally:
        redis_server.start()
    assert caught.value.retry_after_s == 1.0
    await store.add(ME, [item("3", "tea")])
    assert await listed(store) == ["3", "1"]
    await store.aclose()


async def test_a_silent_server_is_an_outage_in_time(redis_server: RedisServer, root: str) -> None:
    """Open connections and new ones, both."""
    store = RedisMemory(redis_server.url, root=root, command_timeout_s=0.2)
    await store.add(ME, [item("1", "tea")])
    redis_server.freeze(True)
    try:
        with anyio.fail_after(5):
            for _ in range(2):
                with pytest.raises(MemoryUnavailable, match="in time"):
                    await store.search(ME, "tea")
    finally:
        redis_server.freeze(False)
    assert await found(store, "tea") == ["1"]
    await store.aclose()


async def test_a_refused_login_shows_no_password(redis_server: RedisServer) -> None:
    """In the error, its cause and the store's name."""
    host = redis_server.url.removeprefix("redis://")
    store = RedisMemory(f"redis://annabel:s3cr3t@{host}?socket_read_size=7777")
    with pytest.raises(MemoryUnavailable) as caught:
        await store.add(ME, [item("1", "tea")])
    texts = [repr(store), str(caught.value), repr(caught.value.__cause__)]
    assert not [text for text in texts if "s3cr3t" in text or "annabel" in text or "7777" in text]
    await store.aclose()


def test_a_loop_that_ends_closes_its_connections(
    redis_server: RedisServer, root: str, keys: Redis
) -> None:
    """Though nobody called ``aclose``; the next loop has its own."""
    store = RedisMemory(redis_server.url, root=root)

    async def visit() -> list[str]:
        await store.add(ME, [item("1", "tea")])
        return await listed(store)

    before = len(keys.client_list())
    for _ in range(2):
        assert anyio.run(visit) == ["1"]
    wait_until(lambda: len(keys.client_list()) <= before)  # it sees them end a moment later


def test_trio_is_refused(redis_server: RedisServer) -> None:
    """By name, at the first use."""
    store = RedisMemory(redis_server.url)
    with pytest.raises(ConfigurationError, match="asyncio"):
        anyio.run(store.list, ME, backend="trio")
