"""Stores of every kind, each on its real database, and time that only a test moves on."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from plano_asgi.stores.base import Store
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore
from plano_asgi.stores.sqlite_store import SQLiteStore
from servers import RedisServer, postgres_server, redis_server

__all__ = ["postgres_server", "redis_server"]


@dataclass(slots=True)
class Clock:
    """Unix seconds that only a test moves on; a Redis is told to live faster instead."""

    now: float = field(default_factory=time.time)
    server: RedisServer | None = None

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds
        if self.server is None:
            return
        with Redis.from_url(self.server.url) as redis:
            for key in redis.keys("*"):
                left = int(redis.pttl(key))
                if left >= 0:
                    redis.pexpire(key, left - round(seconds * 1000))


@pytest.fixture
def clock() -> Clock:
    """The stores' clock."""
    return Clock()


@pytest.fixture(
    params=["local", "sqlite", "sqlite-memory", "redis", "postgres", "local-trio", "sqlite-trio"]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Which store; the names of those on trio say so."""
    return str(request.param)


@pytest.fixture
def anyio_backend(kind: str) -> str:
    """The drivers of servers are asyncio's."""
    return "trio" if kind.endswith("-trio") else "asyncio"


def _redis(request: pytest.FixtureRequest, clock: Clock) -> Store:
    clock.server = request.getfixturevalue("redis_server")
    return RedisStore(clock.server.url, root=uuid.uuid4().hex)


def _postgres(request: pytest.FixtureRequest, clock: Clock) -> Store:
    return PostgresStore(request.getfixturevalue("postgres_server").schema(), timer=clock)


def _sqlite(request: pytest.FixtureRequest, clock: Clock) -> Store:
    directory: Path = request.getfixturevalue("tmp_path")
    return SQLiteStore(str(directory / "store.db"), timer=clock)


KINDS: dict[str, Callable[[pytest.FixtureRequest, Clock], Store]] = {
    "local": lambda _, clock: LocalStore(timer=clock),
    "sqlite": _sqlite,
    "sqlite-memory": lambda _, clock: SQLiteStore(":memory:", timer=clock),
    "redis": _redis,
    "postgres": _postgres,
}


@pytest.fixture
async def store(
    anyio_backend: str, kind: str, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[Store]:
    """An empty store, closed after the test."""
    made = KINDS[kind.removesuffix("-trio")](request, clock)
    yield made
    await made.aclose()
