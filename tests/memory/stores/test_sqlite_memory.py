"""The SQLite store: its file, other processes, and what can go wrong with both."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.memory.sqlite_memory import SQLiteMemory
from remembering import ME, found, item, listed

pytestmark = pytest.mark.anyio

_WRITER = """
import sys, anyio
from plano_asgi.memory.base import MemoryItem
from plano_asgi.memory.sqlite_memory import SQLiteMemory

async def main(path, name, count):
    store = SQLiteMemory(path, busy_timeout_s=30.0)
    for n in range(count):
        await store.add(("acme", "ann"), [MemoryItem(id=f"{name}-{n}", text="green tea")])
        print(f"{name}-{n}", flush=True)
    await store.aclose()

anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops; these tests make their own stores."""
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where no file is yet."""
    return str(tmp_path / "memory.db")


def _writer(path: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, path, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _contents(path: str) -> bytes:
    directory = Path(path).parent
    return b"".join(file.read_bytes() for file in directory.iterdir() if file.is_file())


def test_nothing_happens_before_use(path: str) -> None:
    """A store may be built at import time."""
    store = SQLiteMemory(path)
    assert repr(store) == f"SQLiteMemory({path!r})"
    assert not Path(path).exists()


async def test_only_the_owner_may_read_the_files(path: str) -> None:
    """The database, and what SQLite keeps beside it."""
    store = SQLiteMemory(path)
    await store.add(ME, [item("1", "tea")])
    modes = {stat.S_IMODE(file.stat().st_mode) for file in Path(path).parent.iterdir()}
    assert modes == {0o600}
    await store.aclose()


async def test_deleted_words_leave_the_files(path: str) -> None:
    """Not in the tables, nor in the index, nor in the log; by any way of deleting."""
    clock = [1000.0]
    store = SQLiteMemory(path, timer=lambda: clock[0])
    texts = ["xylophone alone", "zeppelin flight", "quicksilver thermometer"]
    await store.add(ME, [item("1", texts[0]), item("2", texts[1])])
    await store.add(("acme", "bob"), [item("3", texts[2], expires_at=1010.0), item("4", "stays")])
    before = _contents(path)
    assert all(text.split()[0].encode() in before for text in texts)
    await store.delete(ME, "1")
    assert b"xylophone" not in _contents(path)
    await store.delete_all(ME)
    assert b"zeppelin" not in _contents(path)
    clock[0] += 10
    await store.purge()
    after = _contents(path)
    assert b"quicksilver" not in after
    assert b"stays" in after
    await store.aclose()


async def test_processes_share_a_file(path: str) -> None:
    """Made by four at once; all that they add is there."""
    writers = [_writer(path, name, 25) for name in "abcd"]
    outputs = [await anyio.to_thread.run_sync(writer.communicate) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    store = SQLiteMemory(path)
    assert len(await listed(store, limit=200)) == 100
    assert len(await found(store, "tea", limit=200)) == 100
    assert sum(len(text.split()) for text, _ in outputs) == 100
    await store.aclose()


async def test_what_was_acknowledged_survives_a_kill(path: str) -> None:
    """A process ended between two writes, or in one, leaves a whole file behind."""
    writer = _writer(path, "w", 100_000)
    assert writer.stdout is not None
    said = [writer.stdout.readline().strip() for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    store = SQLiteMemory(path)
    kept = await listed(store, limit=200_000)
    assert set(said) | set(rest.split()) <= set(kept)
    assert await store.delete_all(ME) == len(kept)
    await store.aclose()


async def test_a_busy_file_is_an_outage_not_a_hang(path: str) -> None:
    """A writer that never ends costs a write its timeout, and a reader nothing."""
    store = SQLiteMemory(path, busy_timeout_s=0.05)
    await store.add(ME, [item("1", "tea")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with anyio.fail_after(5):
        with pytest.raises(MemoryUnavailable, match="SQLITE_BUSY") as caught:
            await store.add(ME, [item("2", "tea")])
        assert await found(store, "tea") == ["1"]
    assert caught.value.retry_after_s == 1.0
    other.execute("ROLLBACK")
    other.close()
    await store.add(ME, [item("2", "tea")])
    assert len(await listed(store)) == 2
    await store.aclose()


async def test_a_file_that_cannot_be_used_is_an_outage(tmp_path: Path) -> None:
    """No directory, a directory in its place, or something that is not a database."""
    (tmp_path / "text.db").write_text("this is not a database " * 100)
    for name in ("missing/memory.db", ".", "text.db"):
        store = SQLiteMemory(str(tmp_path / name))
        with pytest.raises(MemoryUnavailable, match="SQLite"):
            await store.add(ME, [item("1", "tea")])
        with pytest.raises(MemoryUnavailable, match="SQLite"):
            await store.list(ME)
        await store.aclose()


async def test_tables_of_a_later_version_are_left_alone(path: str) -> None:
    """An older program does not write into what it does not know."""
    store = SQLiteMemory(path)
    await store.add(ME, [item("1", "tea")])
    await store.aclose()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE plano_rooms SET version = 99")
    other.close()
    with pytest.raises(MemoryUnavailable, match="later version"):
        await store.list(ME)
    await store.aclose()


async def test_a_cancelled_read_does_not_wait(path: str) -> None:
    """The caller goes on; the store still works, and closes."""
    store = SQLiteMemory(path)
    await store.add(ME, [item(str(n), "tea and milk") for n in range(500)])
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.search(ME, "tea milk")
    assert scope.cancelled_caught
    assert len(await found(store, "tea")) == 8
    await store.aclose()


def test_several_event_loops_share_a_store(path: str) -> None:
    """One after the other, and each on its own."""
    store = SQLiteMemory(path)

    async def visit(id: str) -> list[str]:
        await store.add(ME, [item(id, "tea")])
        return await found(store, "tea")

    for backend in ("asyncio", "trio", "asyncio"):
        assert backend in anyio.run(visit, backend, backend=backend)
    anyio.run(store.aclose)


def test_bounds_are_checked_when_built(path: str) -> None:
    """Not at the first search."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        SQLiteMemory(path, scan_limit=0)
