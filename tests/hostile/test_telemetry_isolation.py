"""Very many at once and one after the other, all watched: none is told with another's words."""

from __future__ import annotations

import gc
import io
import json
import logging
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from asgi_drive import drive
from hostile.stage import CHAT, CLIENTS, MESSAGES, PATHS, question
from hostile.test_telemetry_laws import MODELS, reply
from memory_transport import MemoryReply
from plano_asgi.config import Model, Plano
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Prices
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.transports import TransportPool
from plano_asgi.telemetry import (
    AccessLog,
    ContentCapture,
    Metrics,
    PrometheusMeters,
    SpanHeaders,
    Telemetry,
)
from telemetry.one_trace import Spans
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio

MANY = 198


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: no time passes here."""
    return "asyncio"


class Repeating:
    """A transport that puts the question's marker into its answer, all exchanges interleaved."""

    def __init__(self) -> None:
        self.open_replies = 0

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Answer in the API that is asked."""
        body = json.loads(request.content)
        text = request.content.decode()
        marker = text[text.index("marker-") :][:11]
        dialect = next(name for name in CLIENTS if request.url.endswith(_ENDS[name]))
        made = reply(dialect, streamed=body.get("stream") is True)
        for _ in range(int(marker[-2:]) % 5):
            await anyio.lowlevel.checkpoint()
        chunks = [
            chunk.replace(b"a walrus plays", marker.encode())
            for chunk in made.chunks
            if isinstance(chunk, bytes)
        ]
        return MemoryReply(made.status, made.headers, chunks)

    async def aclose(self) -> None:
        """Nothing is held."""


_ENDS: Mapping[str, str] = {
    CHAT: "/chat/completions",
    MESSAGES: "/messages",
    "openai.responses": "/responses",
}


class Open(SpanProcessor):
    """Counts the spans that have begun and not ended."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.count += 1

    def on_end(self, span: Any) -> None:
        self.count -= 1


def repeating_gateway() -> Plano:
    """One model for each API."""
    transport = Repeating()
    return Plano(
        [Model(name, api_key="sk-any") for name in set(MODELS.values())],
        environ={},
        transports=TransportPool(lambda: transport),
    )


async def test_two_hundred_at_once_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Of every API, streamed and not: each span and line has its own marker, and no other."""
    lines, still_open = io.StringIO(), Open()
    log = AccessLog(stream=lines, delay_s=0.001)
    watching = Watching(
        access_log=log,
        content=ContentCapture.SPAN_AND_EVENT,
        headers=SpanHeaders(["x-"]),
        prices=Prices(),
    )
    assert isinstance(watching.telemetry.provider, TracerProvider)
    watching.telemetry.provider.add_span_processor(still_open)
    app = PlanoTracing(repeating_gateway(), telemetry=watching.telemetry)

    async def one(number: int) -> None:
        dialect, marker = CLIENTS[number % 3], f"marker-{number:04}"
        body = question(dialect, model=MODELS[dialect], stream=number % 2 == 0)
        body = json.loads(json.dumps(body).replace('"hi"', f'"hi {marker}"'))
        ids = {"x-tenant": marker, "x-request-id": f"id-{marker}"}
        found = await drive(app, PATHS[dialect], body, headers=ids)
        assert found.status == 200
        assert marker in found.body.decode()

    with caplog.at_level(logging.DEBUG):
        async with anyio.create_task_group() as tasks:
            for number in range(MANY):
                tasks.start_soon(one, number)
    log.shutdown()
    chats = [span for span in watching.spans.ended if span.name.startswith("chat")]
    assert len(chats) == MANY
    for span in chats:
        told = dict(span.attributes or {})
        marker = str(told["tenant"])
        text = span.to_json()
        assert text.count("marker-") == text.count(marker)
        assert told["plano.request.id"] == f"id-{marker}"
        assert marker in str(told["gen_ai.input.messages"])
        assert marker in str(told["gen_ai.output.messages"])
    traces = {span.context.trace_id for span in chats if span.context}
    assert len(traces) == MANY
    rows = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert sorted(row["request_id"] for row in rows) == [f"id-marker-{n:04}" for n in range(MANY)]
    assert still_open.count == 0
    assert watching.in_flight == 0
    assert "detach" not in caplog.text
    assert get_current() == {}


async def test_thousands_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Each with names of its own, in words that were heard: memory does not grow with them."""
    spans, meters = Open(), PrometheusMeters()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans)
    telemetry = Telemetry(
        tracer_provider=provider,
        metrics=Metrics([meters], max_models=20),
        access_log=AccessLog(stream=io.StringIO(), logger=_Nobody()),
        headers=SpanHeaders(["x-"]),
    )
    app = PlanoTracing(repeating_gateway(), telemetry=telemetry)

    async def ask(number: int) -> None:
        dialect = CLIENTS[number % 3]
        model = MODELS[dialect] if number % 4 else f"made-up-{number}"
        body = question(dialect, model=model, stream=number % 2 == 0, user=f"user {number}")
        body = json.loads(json.dumps(body).replace('"hi"', f'"marker-{number % 50:04}"'))
        given = {"x-tenant": f"t{number}", "x-request-id": f"id-{number}"}
        await drive(app, PATHS[dialect], body, headers=given)

    for number in range(600):
        await ask(number)
    gc.collect()
    tracemalloc.start()
    for number in range(600, 1_200):
        await ask(number)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 600_000, "bytes in all: caches and timers; a span for each would be more"
    assert spans.count == 0
    assert "detach" not in caplog.text


class _Nobody:
    """A logger that keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: None


async def test_clients_that_leave_leave_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    """At every message of a stream, on every API."""
    still_open, spans = Open(), Spans()
    watching = Watching()
    assert isinstance(watching.telemetry.provider, TracerProvider)
    watching.telemetry.provider.add_span_processor(still_open)
    app = PlanoTracing(repeating_gateway(), telemetry=watching.telemetry)
    for dialect in CLIENTS:
        for last in range(6):
            body = question(dialect, model=MODELS[dialect], stream=True)
            body = json.loads(json.dumps(body).replace('"hi"', '"marker-0001"'))
            await _leave_after(app, PATHS[dialect], body, last)
    assert still_open.count == 0
    assert watching.in_flight == 0
    assert len(watching.outcomes) == 18
    assert "detach" not in caplog.text
    assert get_current() == {}
    assert not spans.ended


async def _leave_after(app: Any, path: str, body: object, last: int) -> None:
    """Take *last* messages, and refuse the next as a closed connection does."""
    left, sent = anyio.Event(), [0]

    async def send(message: Mapping[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        if sent[0] >= last:
            left.set()
            raise OSError("closed")
        sent[0] += 1

    given = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        if given:
            return given.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "root_path": ""}
    scope |= {"query_string": b"", "headers": []}
    with anyio.fail_after(10):
        with suppress(OSError):  # what the server is told is the app's business
            await app(scope, receive, send)
