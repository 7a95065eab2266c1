"""The processes of a benchmark run: started here, pinned to a core, measured from outside."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GATEWAY_CORE, LOAD_CORE = 0, 1
_END_WAIT_S = 10.0


class Process:
    """A running Python program; a server prints its port on a line of its own."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.port = 0

    def read_port(self) -> None:
        """
        Wait until the program serves.

        Raises:
            RuntimeError: It ended instead.
        """
        while not (line := self._read()).strip().isdigit():  # some programs have more to say
            if not line:
                raise RuntimeError(f"{self.popen.args!r} did not start")
        self.port = int(line)

    def ask(self, **command: Any) -> Any:
        """
        Send the load generator a command.

        Raises:
            RuntimeError: It failed.
        """
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(command) + "\n")
        self.popen.stdin.flush()
        answer = json.loads(self._read() or '{"error": "the load generator ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def pin(self, core: int) -> None:
        """Run on *core* only (of those the benchmark may use; they are counted round)."""
        cores = sorted(os.sched_getaffinity(0))
        for task in Path(f"/proc/{self.popen.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[core % len(cores)]})

    def cpu_s(self) -> float:
        """CPU seconds used so far, by all threads."""
        tasks = Path(f"/proc/{self.popen.pid}/task").iterdir()
        nanoseconds = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
        return nanoseconds / 1e9

    def rss_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def _read(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline()


@contextmanager
def started(
    module: str, *args: str, core: int, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run *module* on *core*; see ``Process.pin``."""
    popen = subprocess.Popen(
        [sys.executable, "-m", module, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    process = Process(popen)
    try:
        process.pin(core)
        yield process
    finally:
        assert popen.stdin is not None
        assert popen.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended already
            popen.stdin.close()
        popen.terminate()
        try:
            popen.wait(_END_WAIT_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        popen.stdout.close()


def allow_many_files() -> None:
    """Thousands of sockets: as many as the system lets this process and its children have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
