"""
A scripted upstream: a real HTTP/1.1 server on loopback that answers exactly as a test says.

    with scripted_upstream() as upstream:
        upstream.reply(chat_stream(["Hel", gate, "lo"]))   # one reply per request, in order
        ...                                                 # talk to upstream.base_url
        assert upstream.requests[0].json()["model"] == "gpt-4o"

It runs in a thread of its own, so that it works under any event loop, and under none. Bytes are
written as scripted: gates between chunks, cuts, resets, silence. Ready-made answers of every
dialect are in ``replies``, re-exported here.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import anyio.to_thread

from replies import (
    Tool,
    anthropic_reply,
    anthropic_stream,
    bedrock_reply,
    bedrock_stream,
    chat_reply,
    chat_stream,
    error_reply,
    eventstream_frame,
    responses_reply,
    responses_stream,
)
from script import CUT, HANG, RESET, End, Reply, Step

__all__ = [
    "CUT",
    "HANG",
    "RESET",
    "End",
    "Recorded",
    "Reply",
    "ScriptedUpstream",
    "Step",
    "Tool",
    "anthropic_reply",
    "anthropic_stream",
    "bedrock_reply",
    "bedrock_stream",
    "chat_reply",
    "chat_stream",
    "error_reply",
    "eventstream_frame",
    "refused",
    "responses_reply",
    "responses_stream",
    "scripted_upstream",
]

_GATE_POLL_S = 0.001
_MAX_WAIT_S = 10.0

Handler = Callable[["Recorded"], Reply]


@dataclass(slots=True, eq=False)
class Recorded:
    """
    One request as it came in. *connection* numbers the TCP connections from 0.

    ``closed`` is set when the client closes the connection before the reply was through, and
    ``closed_at`` (``time.monotonic``) says when.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    connection: int
    closed: threading.Event = field(default_factory=threading.Event, repr=False)
    closed_at: float | None = None

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class ScriptedUpstream:
    """The test's side of the server. Made by ``scripted_upstream``."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Recorded] = []
        self.connections = 0  # accepted so far
        self.open_connections = 0
        self.closed = threading.Event()  # a client left before some reply was through
        self.closed_at: float | None = None
        self.failures: list[Exception] = []
        self._replies: deque[Reply] = deque()
        self._handler: Handler | None = None
        self._changed = threading.Condition()

    def reply(self, *replies: Reply) -> None:
        """Queue *replies*: each answers one request, in order of arrival."""
        self._replies.extend(replies)

    def on(self, handler: Handler) -> None:
        """Answer with *handler* whenever the queue is empty. What it raises fails the test."""
        self._handler = handler

    def always(self, reply: Reply) -> None:
        """Answer every request with *reply* once the queue is empty."""
        self.on(lambda _: reply)

    def wait(self, condition: Callable[[ScriptedUpstream], bool], timeout_s: float = 5.0) -> None:
        """Block until *condition* holds; it is looked at after each thing that happens here."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout_s):
                raise TimeoutError("the scripted upstream never saw what the test waits for")

    async def until(
        self, condition: Callable[[ScriptedUpstream], bool], timeout_s: float = 5.0
    ) -> None:
        """``wait`` for an async test, on any event loop."""
        await anyio.to_thread.run_sync(self.wait, condition, timeout_s, abandon_on_cancel=True)

    async def requested(self, count: int = 1) -> Recorded:
        """Wait until *count* requests have come in; return the last of them."""
        await self.until(lambda upstream: len(upstream.requests) >= count)
        return self.requests[count - 1]

    async def client_left(self) -> float:
        """Wait until a client closed before its reply was through; return ``time.monotonic``."""
        await self.until(lambda upstream: upstream.closed.is_set())
        assert self.closed_at is not None
        return self.closed_at

    # ------------------------------------------------------------ the server thread's side

    def _answer(self, request: Recorded) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if self._replies:
            return self._replies.popleft()
        try:
            if self._handler is None:
                raise LookupError(f"nothing is scripted for {request.method} {request.path}")
            return self._handler(request)
        except Exception as exc:  # re-raised in the test's thread when the server stops
            self.failures.append(exc)
            return Reply(status=500, body=b"{}")

    def _count(self, change: int) -> int:
        with self._changed:
            self.connections += change > 0
            self.open_connections += change
            self._changed.notify_all()
        return self.connections - 1

    def _left(self, request: Recorded) -> None:
        with self._changed:
            request.closed_at = time.monotonic()
            request.closed.set()
            if self.closed_at is None:
                self.closed_at = request.closed_at
                self.closed.set()
            self._changed.notify_all()


class _Connection(asyncio.Protocol):
    """One client connection: requests one after the other, each answered by its script."""

    def __init__(self, upstream: ScriptedUpstream, live: set[_Connection]) -> None:
        self.upstream, self.live = upstream, live
        self.buffer = bytearray()
        self.arrived = asyncio.Event()
        self.lost = False
        self.replying: Recorded | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.number = self.upstream._count(+1)
        self.live.add(self)
        self.task = asyncio.ensure_future(self.serve())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.live.discard(self)
        self.task.cancel()
        if self.replying is not None:
            self.upstream._left(self.replying)
        self.upstream._count(-1)

    async def serve(self) -> None:
        while True:
            request = await self.read_request()
            reply = self.upstream._answer(request)
            self.replying = request
            ending = await self.play(request, reply)
            self.replying = None
            if ending is not None:
                self.end(ending)
                return

    async def read_request(self) -> Recorded:
        head = (await self.take_until(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict[str, str]()
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        path, _, query = target.partition("?")
        body = await self.take(int(headers.get("content-length", 0)))
        return Recorded(method, path, query, headers, body, self.number)

    async def take_until(self, mark: bytes) -> bytes:
        while (end := self.buffer.find(mark)) < 0:
            await self.more()
        return await self.take(end + len(mark))

    async def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            await self.more()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def more(self) -> None:
        self.arrived.clear()
        await self.arrived.wait()

    async def play(self, request: Recorded, reply: Reply) -> End | None:
        """Write *reply*; return how the connection is to end, or None to keep it."""
        for step in reply.before:
            if (ending := await self.step(step, b"%b")) is not None:
                return ending
        body, headers = reply.body, reply.framed()
        if reply.gzip:
            assert isinstance(body, bytes)
            body = gzip.compress(body)
            headers["content-length"] = str(len(body))
        self.transport.write(_head(reply, headers))
        steps = [body] if isinstance(body, bytes) else body
        chunked = headers.get("transfer-encoding") == "chunked"
        if request.method != "HEAD":
            for step in steps:
                if (ending := await self.step(step, b"" if chunked else b"%b")) is not None:
                    return ending
            if chunked:
                self.transport.write(b"0\r\n\r\n")
        return reply.after

    async def step(self, step: Step, form: bytes) -> End | None:
        if isinstance(step, End):
            if step is HANG:
                await asyncio.Event().wait()  # until the client leaves or the test ends
            return step
        if isinstance(step, threading.Event):
            await _opened(step)
        elif step:
            self.transport.write(form % step if form else b"%x\r\n%b\r\n" % (len(step), step))
        return None

    def end(self, ending: End) -> None:
        if ending is RESET:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()


async def _opened(gate: threading.Event) -> None:
    deadline = time.monotonic() + _MAX_WAIT_S
    while not gate.is_set():
        if time.monotonic() > deadline:
            raise TimeoutError("a gate of the scripted reply was never opened")
        await asyncio.sleep(_GATE_POLL_S)


def _head(reply: Reply, headers: dict[str, str]) -> bytes:
    try:
        reason = HTTPStatus(reply.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in (*headers.items(), *reply.repeated)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _turns() -> None:
    """Let the loop do all that is due, and what comes of that."""
    for _ in range(5):
        await asyncio.sleep(0)


@contextmanager
def scripted_upstream(*, ssl_context: ssl.SSLContext | None = None) -> Iterator[ScriptedUpstream]:
    """
    Run a scripted upstream on 127.0.0.1; *ssl_context* makes it speak TLS.

    Raises (on leaving):
        Exception: What a handler raised, or a request for which nothing was scripted.
    """
    upstream = ScriptedUpstream()
    started, loops = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def main() -> None:
        loop, stop, live = asyncio.get_running_loop(), asyncio.Event(), set[_Connection]()
        server = await loop.create_server(
            lambda: _Connection(upstream, live), "127.0.0.1", 0, ssl=ssl_context
        )
        port = server.sockets[0].getsockname()[1]
        upstream.base_url = f"http{'s' if ssl_context else ''}://127.0.0.1:{port}"
        loops.append((loop, stop))
        started.set()
        await stop.wait()
        server.close()
        await _turns()  # those just accepted are told of
        tasks = [connection.task for connection in live]
        for connection in list(live):
            connection.replying = None
            connection.task.cancel()
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _turns()  # the aborted transports close their sockets

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="scripted-upstream")
    thread.start()
    assert started.wait(_MAX_WAIT_S)
    try:
        yield upstream
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(_MAX_WAIT_S)
    if upstream.failures:
        raise upstream.failures[0]


@contextmanager
def refused() -> Iterator[str]:
    """The base URL of a port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
