"""Stores of every kind, each on its real database, and a clock for them to go by."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plano_asgi.memory.base import MemoryStore
from plano_asgi.memory.local_memory import LocalMemory
from plano_asgi.memory.postgres_memory import PostgresMemory
from plano_asgi.memory.redis_memory import RedisMemory
from plano_asgi.memory.sqlite_memory import SQLiteMemory
from servers import postgres_server, redis_server

__all__ = ["postgres_server", "redis_server"]


@dataclass(slots=True)
class Clock:
    """Unix seconds that only a test moves on. Starts now: Redis has a clock of its own."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


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


def _redis(request: pytest.FixtureRequest, clock: Clock) -> MemoryStore:
    server = request.getfixturevalue("redis_server")
    return RedisMemory(server.url, root=uuid.uuid4().hex, timer=clock)


def _postgres(request: pytest.FixtureRequest, clock: Clock) -> MemoryStore:
    return PostgresMemory(request.getfixturevalue("postgres_server").schema(), timer=clock)


def _sqlite(request: pytest.FixtureRequest, clock: Clock) -> MemoryStore:
    directory: Path = request.getfixturevalue("tmp_path")
    return SQLiteMemory(str(directory / "memory.db"), timer=clock)


KINDS: dict[str, Callable[[pytest.FixtureRequest, Clock], MemoryStore]] = {
    "local": lambda _, clock: LocalMemory(timer=clock),
    "sqlite": _sqlite,
    "sqlite-memory": lambda _, clock: SQLiteMemory(":memory:", timer=clock),
    "redis": _redis,
    "postgres": _postgres,
}


@pytest.fixture
async def store(
    anyio_backend: str, kind: str, clock: Clock, request: pytest.FixtureRequest
) -> AsyncIterator[MemoryStore]:
    """An empty store, closed after the test."""
    made = KINDS[kind.removesuffix("-trio")](request, clock)
    yield made
    await made.aclose()
