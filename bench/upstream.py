"""
The mock upstream: answers chat completions and Anthropic messages as fast as it can.

What to answer is in the model's name: ``n2000-i0`` is a stream of 2000 chunks written flat out,
``n200-i5`` one of 200 chunks, one every 5 ms; a request that does not stream gets a fixed answer
of about 1 KB. ``GET /cancelled`` lists when clients left a stream early.

Run as a program: prints its port, ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, cast

import httptools
import uvloop

_MODEL = re.compile(rb'"model"\s*:\s*"[^"]*?n(\d+)-i(\d+)"')
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_WORD = "tokens "
_YIELD_EVERY = 8  # chunks written flat out before other streams get a turn

MARK = b"tokens"
"""Is in each content chunk of any dialect, and in nothing else."""


def _dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sse(data: dict[str, Any], event: str = "") -> bytes:
    head = b"event: %b\n" % event.encode() if event else b""
    return _chunk(head + b"data: " + _dumps(data) + b"\n\n")


def _typed(data: dict[str, Any]) -> bytes:
    return _sse(data, data["type"])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(value: object) -> bytes:
    body = _dumps(value)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _chat(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _sse({**_CHAT, "object": "chat.completion.chunk", "choices": [choice]})


_CHAT = {
    "id": "chatcmpl-0123456789abcdef0123456789abc",
    "created": 1700000000,
    "model": "bench",
    "system_fingerprint": "fp_0123456789",
}
_USAGE = {"prompt_tokens": 500, "completion_tokens": 130, "total_tokens": 630}
_TEXT = _WORD * 100
_CHAT_WHOLE = _whole(
    {
        **_CHAT,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _TEXT, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
)
_ANTHROPIC: dict[str, Any] = {
    "id": "msg_0123456789abcdefghijklmn",
    "type": "message",
    "role": "assistant",
    "model": "bench",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 500, "output_tokens": 130},
}
_ANTHROPIC_WHOLE = _whole(
    {**_ANTHROPIC, "content": [{"type": "text", "text": _TEXT}], "stop_reason": "end_turn"}
)
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_TEXT_START = {"type": "text", "text": ""}
_TEXT_DELTA = {"type": "text_delta", "text": _WORD}
_STOPPED = {"stop_reason": "end_turn", "stop_sequence": None}

# Whole answer; a stream's beginning, content chunk and end.
_ANSWERS = {
    b"/v1/chat/completions": (
        _CHAT_WHOLE,
        _HEAD + _chat({"role": "assistant", "content": ""}),
        _chat({"content": _WORD}),
        _chat({}, "stop")
        + _sse({**_CHAT, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
        + _chunk(b"data: [DONE]\n\n")
        + b"0\r\n\r\n",
    ),
    b"/v1/messages": (
        _ANTHROPIC_WHOLE,
        _HEAD
        + _typed({"type": "message_start", "message": _ANTHROPIC})
        + _typed({"type": "content_block_start", "index": 0, "content_block": _TEXT_START}),
        _typed({"type": "content_block_delta", "index": 0, "delta": _TEXT_DELTA}),
        _typed({"type": "content_block_stop", "index": 0})
        + _typed({"type": "message_delta", "delta": _STOPPED, "usage": {"output_tokens": 130}})
        + _typed({"type": "message_stop"})
        + b"0\r\n\r\n",
    ),
}


class _Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, cancelled: list[float]) -> None:
        self.cancelled = cancelled
        self.parser = httptools.HttpRequestParser(self)
        self.stream: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream is not None and not self.stream.done():
            self.stream.cancel()
            self.cancelled.append(time.monotonic())

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.path, self.parts = b"", list[bytes]()

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        if self.path == b"/cancelled":
            self.transport.write(_whole(self.cancelled))
            return
        body = b"".join(self.parts)
        if (answer := _ANSWERS.get(self.path)) is None:
            self.transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        model = _MODEL.search(body)
        if model and _STREAM.search(body):
            count, interval_ms = map(int, model.groups())
            self.stream = asyncio.ensure_future(self.send_stream(answer, count, interval_ms / 1000))
        else:
            self.transport.write(answer[0])

    async def send_stream(
        self, answer: tuple[bytes, bytes, bytes, bytes], count: int, interval_s: float
    ) -> None:
        _, start, chunk, end = answer
        write = self.transport.write
        write(start)
        for number in range(1, count + 1):
            write(chunk)
            if interval_s or number % _YIELD_EVERY == 0:
                await asyncio.sleep(interval_s)
            if not self.writable.is_set():
                await self.writable.wait()
        write(end)


async def main() -> None:
    """Serve until standard input ends."""
    loop, cancelled = asyncio.get_running_loop(), list[float]()
    server = await loop.create_server(lambda: _Connection(cancelled), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
