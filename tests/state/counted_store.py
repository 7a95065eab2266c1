"""Stores of every kind for state, and one that tells which keys were asked for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from plano_asgi.stores.base import Store
from plano_asgi.stores.bulk import get_all
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore
from plano_asgi.stores.sqlite_store import SQLiteStore

T = TypeVar("T")

KINDS = ("memory", "sqlite", "redis", "postgres")


def made(kind: str, request: pytest.FixtureRequest, directory: Path) -> Store:
    """An empty store of *kind*, on its real database."""
    if kind == "memory":
        return LocalStore()
    if kind == "sqlite":
        return SQLiteStore(str(directory / "state.db"))
    if kind == "redis":
        return RedisStore(request.getfixturevalue("redis_server").url, root=uuid.uuid4().hex)
    return PostgresStore(request.getfixturevalue("postgres_server").schema())


class CountedStore:
    """
    *inner*, the keys that were ``asked`` for, reading or writing, in their order, and of how many
    keys each of its ``reads`` was.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.asked: list[str] = []
        self.reads: list[int] = []

    @property
    def is_shared(self) -> bool:
        return self.inner.is_shared

    async def get(self, key: str, /) -> bytes | None:
        self.asked.append(key)
        self.reads.append(1)
        return await self.inner.get(key)

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        self.asked += keys
        self.reads.append(len(keys))
        return await get_all(self.inner, keys)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        self.asked.append(key)
        await self.inner.put(key, value, ttl_s=ttl_s)

    async def delete(self, key: str, /) -> bool:
        self.asked.append(key)
        return await self.inner.delete(key)

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        raise AssertionError("state counts nothing")

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        self.asked.append(key)
        return await self.inner.update(key, change, ttl_s=ttl_s)

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        return await self.inner.keys(prefix, limit=limit)

    async def delete_prefix(self, prefix: str, /) -> int:
        return await self.inner.delete_prefix(prefix)

    async def purge(self) -> int:
        return await self.inner.purge()

    async def aclose(self) -> None:
        await self.inner.aclose()
