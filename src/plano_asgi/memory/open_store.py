"""A memory store by URL."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from urllib.parse import unquote, urlsplit

from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.base import MemoryStore

_FORMS = (
    "memory://, sqlite:///relative/path.db, sqlite:////absolute/path.db, sqlite:///:memory:, "
    "redis://host:6379/0, rediss://, postgresql://host/database"
)
_REMOTE = {
    "redis": ("redis_memory", "RedisMemory"),
    "rediss": ("redis_memory", "RedisMemory"),
    "postgresql": ("postgres_memory", "PostgresMemory"),
    "postgres": ("postgres_memory", "PostgresMemory"),
}


def open_store(url: str, *, timer: Callable[[], float] = time.time) -> MemoryStore:
    """
    The store that *url* names. Nothing is opened before its first use.

    Args:
        url: ``memory://``; ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db`` or
            ``sqlite:///:memory:``; ``redis://`` or ``rediss://`` as redis-py reads it;
            ``postgresql://`` as libpq reads it (``?sslmode=verify-full`` for TLS).
        timer: The clock, Unix seconds.

    Raises:
        ConfigurationError: No such scheme, or a URL that names no store. Never shows the URL.
        MissingExtra: The store's driver is not installed (extras ``redis``, ``postgres``).
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory" and not rest:
        from plano_asgi.memory.local_memory import LocalMemory

        return LocalMemory(timer=timer)
    if scheme == "sqlite":
        from plano_asgi.memory.sqlite_memory import SQLiteMemory

        return SQLiteMemory(_sqlite_path(rest), timer=timer)
    if scheme in _REMOTE:
        module, name = _REMOTE[scheme]
        store: MemoryStore = getattr(import_module(f"plano_asgi.memory.{module}"), name)(
            url, timer=timer
        )
        return store
    raise ConfigurationError(f"a memory store's URL is one of {_FORMS}")


def _sqlite_path(rest: str) -> str:
    """What follows ``sqlite://``: one slash, then the path."""
    path = unquote(urlsplit(f"sqlite://{rest}").path.removeprefix("/"))
    if not rest.startswith("/") or not path:
        raise ConfigurationError("sqlite:///memory.db needs three slashes and a path")
    return path
