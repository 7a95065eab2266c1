"""
Log lines written by a thread, a batch at a time: a pipe that nobody empties blocks a write, and a
blocked event loop serves nobody.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import weakref
from collections import deque
from typing import Any


class LineWriter:
    """
    Writes lines to a stream; also a logger as structlog wraps one. Any thread may give it lines.

    Args:
        stream: Text or binary; standard output, as it is by then, if ``None``.
        max_lines: Waiting to be written; those that come while so many are, are dropped.
        delay_s: For which lines wait for others, seconds.
    """

    def __init__(
        self, stream: Any = None, *, max_lines: int = 10_000, delay_s: float = 0.2
    ) -> None:
        self._lines = _Lines(stream, max_lines, delay_s)
        # Runs when nobody logs here any more, and before the interpreter exits.
        self._closing = weakref.finalize(self, _Lines.close, self._lines, 2.0)

    @property
    def dropped(self) -> int:
        """Lines that were not written, because too many waited or the stream is broken."""
        return self._lines.dropped

    def write(self, line: bytes | str) -> None:
        """Have *line* written, without its line end; returns at once."""
        self._lines.put(line.encode("utf-8", "replace") if isinstance(line, str) else line)

    debug = info = warning = error = critical = msg = write

    def shutdown(self, timeout_s: float = 2.0) -> None:
        """Write what waits, within *timeout_s*. Lines that come later are written as well."""
        self._lines.close(timeout_s)


class _Lines:
    """What the thread holds on to: it does not keep the writer alive."""

    def __init__(self, stream: Any, max_lines: int, delay_s: float) -> None:
        self._stream = stream
        self._max = max_lines
        self._delay_s = delay_s
        self._waiting: deque[bytes] = deque()
        self._starting = threading.Lock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self.dropped = 0

    def put(self, line: bytes) -> None:
        if self._thread is None or self._pid != os.getpid():
            self._start()
        if len(self._waiting) >= self._max:
            self.dropped += 1
            return
        self._waiting.append(line)
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self, timeout_s: float) -> None:
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():
            return  # nothing waits; or it waits in the process that this one was forked from
        self._closing.set()
        self._wanted.set()
        thread.join(timeout_s)

    def _start(self) -> None:
        """The thread is made with the first line, once in each process: none survives a fork."""
        with self._starting:
            if self._thread is not None and self._pid == os.getpid():
                return  # pragma: no cover - another thread was first
            if self._pid not in (0, os.getpid()):  # pragma: no cover - in a process of its own
                self._waiting.clear()  # the process that this one was forked from writes them
            self._pid = os.getpid()
            self._wanted, self._closing = threading.Event(), threading.Event()
            self._thread = threading.Thread(
                target=self._run,
                args=(self._wanted, self._closing),
                name="plano-access-log",
                daemon=True,
            )
            self._thread.start()

    def _run(self, wanted: threading.Event, closing: threading.Event) -> None:
        while not closing.is_set():
            wanted.wait()
            closing.wait(self._delay_s)
            wanted.clear()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        lines: list[bytes] = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        if not lines:
            return
        stream = sys.stdout if self._stream is None else self._stream
        try:
            _write(stream, b"\n".join((*lines, b"")))
        except (OSError, ValueError, TypeError, AttributeError):
            # Closed, full, nobody reads it, or it is no stream: the thread lives on.
            self.dropped += len(lines)


def _write(stream: Any, text: bytes) -> None:
    target = getattr(stream, "buffer", stream)
    if isinstance(target, io.TextIOBase):
        target.write(text.decode())
    else:
        target.write(text)
    target.flush()
