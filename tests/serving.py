"""Run an ASGI app under a real uvicorn on loopback, for what only a socket shows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

_MAX_WAIT_S = 15.0


class _Server(uvicorn.Server):
    """Says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """
    Serve *app* in a thread, with uvloop and httptools where installed; yields the base URL.

    Args:
        app: An ASGI app, or its import string.
        options: For ``uvicorn.Config``; they win over the quiet defaults used here.

    Raises:
        RuntimeError: The app's start-up failed.
    """
    quiet = {"log_config": None, "access_log": False, "ws": "none", "timeout_graceful_shutdown": 1}
    server = _Server(uvicorn.Config(app, **(quiet | options)))
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as sock:
        thread = threading.Thread(target=_run, args=(server, sock), name="serving")
        thread.start()
        try:
            assert server.up.wait(_MAX_WAIT_S)
            if not server.started:
                raise RuntimeError("the served app did not start")
            scheme = "https" if server.config.is_ssl else "http"
            yield f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_MAX_WAIT_S)


def _run(server: _Server, sock: socket.socket) -> None:
    try:
        server.run(sockets=[sock])
    finally:
        server.up.set()  # also where the start-up failed: nobody waits in vain
