"""The SQLite store: its file, and several processes on it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.sqlite_store import SQLiteStore

pytestmark = pytest.mark.anyio

_WRITER = """
import sys, anyio
from plano_asgi.stores.sqlite_store import SQLiteStore

async def main(path, name, count):
    store = SQLiteStore(path, busy_timeout_s=30.0)
    for n in range(count):
        await store.add("count", 1)
        await store.update("text", lambda value: ((value or b"") + b"x", None))
        await store.put(f"{name}-{n}", b"1")
        print(f"{name}-{n}", flush=True)
    await store.aclose()

anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops."""
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where no file is yet."""
    return str(tmp_path / "store.db")


def _writer(path: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, path, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_file_is_its_owners(path: str, anyio_backend: str) -> None:
    """Made on first use, with mode 0600."""
    store = SQLiteStore(path)
    assert not Path(path).exists()
    anyio.run(store.put, "key", b"1", backend=anyio_backend)
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    anyio.run(store.aclose, backend=anyio_backend)


async def test_processes_lose_nothing_of_each_other(path: str) -> None:
    """Two at once, from the making of the file on."""
    writers = [_writer(path, name, 60) for name in "ab"]
    for writer in writers:
        await anyio.to_thread.run_sync(writer.communicate)
        assert writer.returncode == 0
    store = SQLiteStore(path)
    assert await store.get("count") == b"120"
    assert len(await store.get("text") or b"") == 120
    assert len(await store.keys("a-")) == len(await store.keys("b-")) == 60
    await store.aclose()


async def test_a_killed_process_loses_nothing_acknowledged(path: str) -> None:
    """What it said was kept is there, and others go on."""
    writer = _writer(path, "a", 100_000)
    assert writer.stdout is not None
    with writer.stdout:
        told = [writer.stdout.readline().strip() for _ in range(30)]
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.read().split()
    writer.wait()
    store = SQLiteStore(path)
    kept = {key for key in told if await store.get(key) is not None}
    assert kept == set(told)
    assert await store.add("count", 0) >= len(told)
    await store.aclose()


async def test_a_busy_file_is_an_outage_in_time(path: str) -> None:
    """Another process's endless transaction."""
    first, second = SQLiteStore(path), SQLiteStore(path, busy_timeout_s=0.05)
    await first.put("key", b"1")
    await second.get("key")
    blocked = anyio.Event()
    done = anyio.Event()

    def hold(value: bytes | None) -> tuple[bytes | None, None]:
        anyio.from_thread.run_sync(blocked.set)
        anyio.from_thread.run(done.wait)
        return value, None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.update, "key", hold)
        await blocked.wait()
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY") as caught:
            await second.put("key", b"2")
        assert caught.value.retry_after_s == 1.0
        assert await second.get("key") == b"1"
        done.set()
    await first.aclose()
    await second.aclose()
