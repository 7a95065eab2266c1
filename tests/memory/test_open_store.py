"""A memory store by URL."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.memory.base import MemoryItem
from plano_asgi.memory.open_store import open_store


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "LocalMemory(namespaces=0)"),
        ("sqlite:///memory.db", "SQLiteMemory('memory.db')"),
        ("sqlite:///dir/a%20b.db", "SQLiteMemory('dir/a b.db')"),
        ("sqlite:////var/lib/memory.db", "SQLiteMemory('/var/lib/memory.db')"),
        ("sqlite:///:memory:", "SQLiteMemory(':memory:')"),
        ("redis://u:pw@host:6380/2?socket_timeout=1", "RedisMemory('redis://host:6380/2')"),
        ("rediss://:pw@host", "RedisMemory('rediss://host')"),
        ("postgresql://u:pw@host/db?sslmode=require", "PostgresMemory('postgresql://host/db')"),
        ("postgres://u:pw@host:5433/db", "PostgresMemory('postgres://host:5433/db')"),
    ],
)
def test_a_url_names_a_store(url: str, shown: str) -> None:
    """Nothing is opened, and nothing secret is shown."""
    assert repr(open_store(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory.db",
        "mysql://u:s3cr3t@host/db",
        "memory://s3cr3t",
        "sqlite://",
        "sqlite:///",
        "sqlite://s3cr3t.db",
        "redis://u:pw@host:s3cr3t/0",
        "redis://u:pw@host/0?socket_timeout=s3cr3t",
        "postgresql://u:pw@host:s3cr3t/db",
        "postgresql://u:pw@host/db?s3cr3t=1",
        "postgresql://[s3cr3t/db",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """At once, and without repeating them."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [("redis://host", "redis", "redis"), ("postgresql://host/db", "psycopg", "postgres")],
)
def test_a_missing_driver_is_named(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the store is built, not when it is first used."""
    for name in [module, *(n for n in sys.modules if n.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"plano-asgi\[{extra}\]"):
        open_store(url)


def test_the_clock_is_handed_on(tmp_path: Path) -> None:
    """To every store that can be opened here."""
    for url in ("memory://", f"sqlite:///{tmp_path}/memory.db"):
        store = open_store(url, timer=lambda: 500.0)
        old, new = (MemoryItem(id=str(n), text="tea", expires_at=n) for n in (499.0, 501.0))
        anyio.run(store.add, ("a",), [old, new])
        assert anyio.run(store.list, ("a",)) == [new]
        anyio.run(store.aclose)
