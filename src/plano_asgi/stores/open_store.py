"""A store by URL."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from plano_asgi.errors import ConfigurationError
from plano_asgi.stores.base import Store

_FORMS = (
    "memory://, sqlite:///relative/path.db, sqlite:////absolute/path.db, sqlite:///:memory:, "
    "redis://host:6379/0, rediss://, postgresql://host/database"
)


def open_store(url: str) -> Store:
    """
    The store that *url* names. Nothing is opened before its first use.

    Args:
        url: ``memory://``; ``sqlite:///relative/path.db``, ``sqlite:////absolute/path.db`` or
            ``sqlite:///:memory:``; ``redis://`` or ``rediss://`` as redis-py reads it;
            ``postgresql://`` as libpq reads it (``?sslmode=verify-full`` for TLS).

    Raises:
        ConfigurationError: No such scheme, or a URL that names no store. Never shows the URL.
        MissingExtra: The store's driver is not installed (extras ``redis``, ``postgres``).
    """
    scheme, colon, rest = url.partition("://")
    match scheme:
        case "memory" if colon and not rest:
            from plano_asgi.stores.local_store import LocalStore

            return LocalStore()
        case "sqlite":
            from plano_asgi.stores.sqlite_store import SQLiteStore

            return SQLiteStore(_sqlite_path(rest))
        case "redis" | "rediss":
            from plano_asgi.stores.redis_store import RedisStore

            return RedisStore(url)
        case "postgresql" | "postgres":
            from plano_asgi.stores.postgres_store import PostgresStore

            return PostgresStore(url)
    raise ConfigurationError(f"a store's URL is one of {_FORMS}")


def _sqlite_path(rest: str) -> str:
    """What follows ``sqlite://``: one slash, then the path."""
    path = unquote(urlsplit(f"sqlite://{rest}").path.removeprefix("/"))
    if not rest.startswith("/") or not path:
        raise ConfigurationError("sqlite:///store.db needs three slashes and a path")
    return path
