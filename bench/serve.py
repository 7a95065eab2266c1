"""
Serve one ASGI app as the benchmark wants it: one uvicorn worker, uvloop, httptools.

Run as a program with the app's import string: prints its port once it serves.
"""

from __future__ import annotations

import socket
import sys

import uvicorn


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and self.started:
            print(sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    config = uvicorn.Config(
        sys.argv[1],
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        backlog=2048,
        timeout_graceful_shutdown=2,
    )
    _Server(config).run(sockets=[socket.create_server(("127.0.0.1", 0), backlog=2048)])
