"""Stores by URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.open_store import open_store
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore
from plano_asgi.stores.sqlite_store import SQLiteStore


@pytest.mark.parametrize(
    ("url", "kind", "is_shared"),
    [
        ("memory://", LocalStore, False),
        ("sqlite:///:memory:", SQLiteStore, False),
        ("sqlite:///state.db", SQLiteStore, True),
        ("redis://localhost/0", RedisStore, True),
        ("rediss://localhost/0", RedisStore, True),
        ("postgres://localhost/db", PostgresStore, True),
        ("postgresql://localhost/db", PostgresStore, True),
    ],
)
def test_the_scheme_names_the_store(url: str, kind: type, is_shared: bool) -> None:
    """Nothing is opened yet."""
    store = open_store(url)
    assert isinstance(store, kind)
    assert store.is_shared is is_shared


@pytest.mark.parametrize(
    "url", ["", "memory", "memory://x", "sqlite://", "sqlite://s3cr3t", "mysql://u:s3cr3t@h/d"]
)
def test_other_urls_are_refused(url: str) -> None:
    """And not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.anyio
async def test_a_path_may_be_absolute(tmp_path: Path) -> None:
    """With four slashes, percent signs decoded."""
    store = open_store(f"sqlite:///{tmp_path}/a%20b.db")
    await store.put("key", b"1")
    await store.aclose()
    assert (tmp_path / "a b.db").exists()
