"""
The load generator: raw asyncio connections, no client library in the way.

Run as a program: one command per line of standard input, one result per line of output, both JSON.
Every command is bounded in number and time; a wrong or cut answer is an error, never a sample.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools
import uvloop

from bench.upstream import MARK

_TIMEOUT_S = 120.0
_CANCELLED_WITHIN_S = 0.1
_LEAVE_WAIT_S = 0.5

Options = dict[str, Any]


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to *port* on loopback."""
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[bytes] = self.loop.create_future()
        self.first: asyncio.Future[float] = self.loop.create_future()

    async def request(self, payload: bytes, end: bytes) -> bytes:
        """Send *payload*; return the end of the body, which has to hold *end*."""
        self.send(payload)
        tail = await self.done
        if self.status != 200 or end not in tail:
            raise RuntimeError(f"status {self.status}, the body ends with {tail!r}")
        return tail

    def send(self, payload: bytes) -> None:
        """Start a request: ``first`` resolves with the first content, ``done`` with the end."""
        self.parser = httptools.HttpResponseParser(self)
        self.tail = b""
        self.done, self.first = self.loop.create_future(), self.loop.create_future()
        self.transport.write(payload)

    def data_received(self, data: bytes) -> None:
        if not self.first.done() and MARK in data:
            self.first.set_result(time.perf_counter())
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.tail = body if len(body) > 256 else (self.tail + body)[-512:]

    def on_message_complete(self) -> None:
        self.status = self.parser.get_status_code()
        if not self.done.done():
            self.done.set_result(self.tail)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.done, self.first):
            if not future.done():
                future.set_exception(ConnectionError("the connection was closed"))
                future.exception()  # retrieved: not every command waits for both


async def drive(options: Options) -> float:
    """*requests* over *connections* at once; the seconds they took."""
    payload, end = _payload(options), options["end"].encode()
    connections = await _connect(options)
    left = options["requests"]

    async def one(connection: Connection) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await connection.request(payload, end)

    started = time.perf_counter()
    await asyncio.gather(*map(one, connections))
    took = time.perf_counter() - started
    _close(connections)
    return took


async def first_token(options: Options) -> list[float]:
    """Seconds from sending to the first content, request by request."""
    payload, end = _payload(options), options["end"].encode()
    (connection,) = await _connect(options)
    samples = []
    for _ in range(options["requests"]):
        started = time.perf_counter()
        connection.send(payload)
        samples.append(await connection.first - started)
        assert end in await connection.done
    _close([connection])
    return samples


_held: list[Connection] = []


async def hold(options: Options) -> int:
    """Open streams and leave them open, each after its first content."""
    payload = _payload(options)
    _held.extend(await _connect(options))
    for connection in _held:
        connection.send(payload)
    await asyncio.gather(*(connection.first for connection in _held))
    return len(_held)


async def release(options: Options) -> None:
    """Leave the streams that ``hold`` opened."""
    _close(_held)
    _held.clear()


async def cancel(options: Options) -> int:
    """Open streams, leave them all, and count those the mock saw closed in time."""
    await hold(options)
    left = time.monotonic()
    await release(options)
    await asyncio.sleep(_LEAVE_WAIT_S)
    return sum(
        0 <= when - left <= _CANCELLED_WITHIN_S for when in await _cancelled(options["mock"])
    )


async def _cancelled(port: int) -> list[float]:
    connection = await Connection.open(port)
    connection.send(b"GET /cancelled HTTP/1.1\r\nhost: mock\r\n\r\n")
    times: list[float] = json.loads(await connection.done)
    _close([connection])
    return times


async def _connect(options: Options) -> list[Connection]:
    return [await Connection.open(options["port"]) for _ in range(options["connections"])]


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.transport.abort()


def _payload(options: Options) -> bytes:
    body = options["body"].encode()
    head = (
        f"POST {options['path']} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer bench\r\nanthropic-version: 2023-06-01\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    payload: bytes = head.encode() + body
    return payload


_COMMANDS: dict[str, Callable[[Options], Awaitable[object]]] = {
    "drive": drive,
    "first_token": first_token,
    "hold": hold,
    "release": release,
    "cancel": cancel,
}


async def main() -> None:
    """Obey until standard input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        options = json.loads(line)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                result = {"result": await _COMMANDS[options["do"]](options)}
        except (OSError, RuntimeError, AssertionError) as exc:
            result = {"error": f"{type(exc).__name__}: {exc}"}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
