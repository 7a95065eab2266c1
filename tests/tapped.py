"""Apps of a few lines behind a tap, and what their client gets."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import anyio.lowlevel
from starlette.types import Message, Receive, Scope, Send

from asgi_drive import Exchanged
from exchanges import chat_exchange
from plano_asgi.asgi.tap import TapLimits
from plano_asgi.asgi.tap_run import Listeners, run_tapped
from plano_asgi.asgi.tap_voice import DialectVoice, RouteVoice
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.wire import DIALECTS, LAYOUTS
from plano_asgi.wire.field_layout import FieldLayout

Work = Callable[[Send], Awaitable[None]]
JSON = "application/json"
SSE = "text/event-stream"
PATHS = {
    "openai.chat": "/v1/chat/completions",
    "anthropic.messages": "/v1/messages",
    "openai.responses": "/v1/responses",
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "openai.chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "anthropic.messages": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "openai.responses": {"model": "m", "input": "hi"},
}
WHOLE = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
}


def chunk(text: str | None, finish: str | None = None) -> bytes:
    """A chat chunk as a frame."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    kind = "chat.completion.chunk"
    return frame({"id": "c", "object": kind, "created": 1, "model": "m", "choices": [choice]})


def frame(data: object, name: str = "") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


DONE = frame("[DONE]")


def exchange_of(dialect: str, **body: Any) -> Exchange:
    """A chat exchange of any client dialect."""
    question = {**QUESTIONS[dialect], **body}
    return Exchange(
        id="req_1",
        operation="chat",
        dialect=dialect,
        path=PATHS[dialect],
        headers={},
        body=question,
        read_request=DIALECTS[dialect].read_request,
        layout=LAYOUTS[dialect],
        stream=question.get("stream", False),
    )


def route_exchange(*fields: str) -> Exchange:
    """An exchange of a foreign route whose texts are at *fields*."""
    exchange = chat_exchange()
    exchange.operation, exchange.dialect, exchange.layout = "route", "", FieldLayout(fields)
    return exchange


def saying(
    *parts: bytes | Exception | anyio.Event,
    content_type: str = JSON,
    status: int = 200,
    headers: Sequence[tuple[bytes, bytes]] = (),
    ends: bool = True,
) -> Work:
    """An app that sends *parts*, one message each; it raises exceptions and waits for events."""

    async def work(send: Send) -> None:
        named = [(b"content-type", content_type.encode())] if content_type else []
        start = {"type": "http.response.start", "status": status, "headers": [*named, *headers]}
        await send(start)
        for part in parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, anyio.Event):
                await part.wait()
            else:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        if ends:
            await send({"type": "http.response.body", "body": b""})

    return work


def as_app(work: Work) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """*work* as an ASGI app that does not look at its request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await work(send)

    return app


async def heard(
    work: Work,
    *filters: ResponseFilter,
    checks: Sequence[Callable[[], Awaitable[None]]] = (),
    exchange: Exchange | None = None,
    left: anyio.Event | None = None,
    limits: TapLimits | None = None,
    into: Exchanged | None = None,
) -> Exchanged:
    """What the client of *work* gets through a tap."""
    exchanged = into or Exchanged()
    exchange = exchange or chat_exchange()

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        exchanged.messages.append(dict(message))

    layout = exchange.layout
    voice = (
        RouteVoice(exchange, layout.refusal_body)
        if isinstance(layout, FieldLayout)
        else DialectVoice(exchange)
    )
    with anyio.fail_after(10):
        await run_tapped(
            exchange,
            Listeners(filters=filters, checks=checks),
            work,
            send,
            voice,
            limits=limits or TapLimits(),
            left=None if left is None else left.wait,
        )
    return exchanged


def text_of(found: Exchanged) -> str:
    """The content of a chat stream's first choice."""
    chunks = [data for data in found.data() if isinstance(data, dict) and data.get("choices")]
    return "".join(data["choices"][0]["delta"].get("content") or "" for data in chunks)
