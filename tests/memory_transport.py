"""An upstream in memory, behind the transport seam: for tests that need no socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel

from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply

Chunk = bytes | Exception | anyio.Event


@dataclass
class MemoryReply:
    """A reply of *chunks*: bytes are yielded, exceptions raised, events waited for."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Sequence[Chunk] = ()
    closed: bool = False
    _iterator: AsyncGenerator[bytes] | None = None

    async def _iterate(self) -> AsyncGenerator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if isinstance(chunk, anyio.Event):
                await chunk.wait()
            else:
                await anyio.lowlevel.checkpoint()
                yield chunk

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._iterator = self._iterate()
        return self._iterator

    async def read(self, *, max_bytes: int) -> bytes:
        body = b"".join([chunk async for chunk in self])
        if len(body) > max_bytes:
            raise UpstreamProtocolError("too large")
        return body

    async def aclose(self) -> None:
        self.closed = True
        if self._iterator is not None:
            await self._iterator.aclose()


Outcome = MemoryReply | Exception
Handler = Callable[[HTTPRequest], Outcome]


class MemoryTransport:
    """Answers each request with the next of *outcomes*, the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[HTTPRequest] = []
        self.replies: list[MemoryReply] = []
        self.closed = False

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Record and answer."""
        await anyio.lowlevel.checkpoint()
        self.requests.append(request)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        reply = MemoryReply(outcome.status, outcome.headers, outcome.chunks)
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        """Record it."""
        self.closed = True

    def body(self, index: int = -1) -> Any:
        """The JSON body of request *index*."""
        return json.loads(self.requests[index].content)


def answer(value: object, status: int = 200, **headers: str) -> MemoryReply:
    """A whole JSON reply."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return MemoryReply(status, {"content-type": "application/json", **names}, [content])


def events(*data: object, cut: Exception | None = None) -> MemoryReply:
    """An SSE reply, one chunk an event; strings are sent as they are."""
    chunks: list[Chunk] = [
        item if isinstance(item, Exception | anyio.Event) else _event(item) for item in data
    ]
    if cut is not None:
        chunks.append(cut)
    return MemoryReply(200, {"content-type": "text/event-stream"}, chunks)


def _event(item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    text = item if isinstance(item, str) else json.dumps(item)
    name = f"event: {item['type']}\n" if isinstance(item, dict) and "type" in item else ""
    return f"{name}data: {text}\n\n".encode()
