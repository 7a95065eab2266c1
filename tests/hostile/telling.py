"""A gateway that tells everything to everybody at once, and all that it told, as bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from gateway_build import gateway
from memory_transport import MemoryTransport, Outcome
from plano_asgi.config import Model, Plano
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Prices
from plano_asgi.telemetry import (
    AccessLog,
    ContentCapture,
    Metrics,
    PrometheusMeters,
    SpanHeaders,
    Telemetry,
)
from plano_asgi.telemetry.batching import batching
from plano_asgi.telemetry.exporters import ConsoleExporter, PostHogExporter, otlp_exporter
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_rows import StoredSpan
from plano_asgi.telemetry.span_store import SpanStore

COLLECTORS_KEY = "sk-canary-of-the-collector"
PROJECT_KEY = "phc-of-the-project"
PREFIXES = ("x-", "auth", "cookie", "api", "proxy-", "traceparent", "baggage")


class Terminal(io.StringIO):
    """Takes colours."""

    def isatty(self) -> bool:
        return True


@dataclass
class Telling:
    """Everything that is told of exchanges, at every place there is for it."""

    telemetry: Telemetry
    store: Path
    posted: dict[str, bytes]
    console: io.StringIO = field(default_factory=Terminal)
    lines: list[io.StringIO] = field(default_factory=list)
    meters: PrometheusMeters = field(default_factory=PrometheusMeters)

    def spans(self) -> list[StoredSpan]:
        """Those that were kept."""
        self._flush()
        with SpanReader(self.store) as reader:
            return reader.follow(limit=100_000)

    def places(self) -> Mapping[str, bytes]:
        """What each place was told, as it is there."""
        self._flush()
        files = sorted(self.store.parent.glob(f"{self.store.name}*"))
        return {
            "store": b"".join(file.read_bytes() for file in files),
            **self.posted,
            "console": self.console.getvalue().encode(),
            "lines": "".join(stream.getvalue() for stream in self.lines).encode(),
            "page": self.meters.render() + self.meters.render(openmetrics=True),
            "repr": repr((self.telemetry, vars(self.telemetry))).encode(),
        }

    def _flush(self) -> None:
        assert self.telemetry.provider is not None
        self.telemetry.provider.force_flush(5000)  # type: ignore[attr-defined]
        for listener in self.telemetry.on_outcome:
            if isinstance(listener, AccessLog):
                listener.shutdown()


@contextmanager
def telling(path: Path, **options: Any) -> Iterator[Telling]:
    """With *options* of ``Telemetry``; the span store is at *path*."""
    with _receiver() as (url, posted):
        provider = TracerProvider()
        console, lines = Terminal(), [io.StringIO(), io.StringIO()]
        store = path / "spans.db"
        content = options.get("content", ContentCapture.NO_CONTENT)
        for exporter in (
            SpanStore(store),
            otlp_exporter(url, protocol="http", headers={"x-api-key": COLLECTORS_KEY}),
            PostHogExporter(url, PROJECT_KEY, capture_messages=content.on_spans),
            ConsoleExporter(console),
        ):
            provider.add_span_processor(batching(exporter, delay_s=0.01))
        meters = PrometheusMeters()
        logs = [
            AccessLog("json", stream=lines[0], delay_s=0.001),
            AccessLog("console", stream=lines[1], delay_s=0.001),
        ]
        options.setdefault("headers", SpanHeaders(PREFIXES))
        options.setdefault("prices", Prices())
        telemetry = Telemetry(
            tracer_provider=provider,
            metrics=Metrics([meters]),
            on_outcome=logs,
            plano_names=True,
            **options,
        )
        told = Telling(telemetry, store, posted, console, lines, meters)
        try:
            yield told
        finally:
            provider.shutdown()


def told_gateway(
    told: Telling, *outcomes: Outcome, key: str, **options: Any
) -> tuple[PlanoTracing, Plano, MemoryTransport]:
    """A traced gateway whose own key is *key*; the gateway; and its upstream."""
    models = [
        Model("openai/gpt-4o", api_key=key),
        Model("anthropic/claude-sonnet-4-5", api_key=key),
        Model("mistral/*", api_key=key),
    ]
    plano, transport = gateway(*outcomes, models=models, **options)
    return PlanoTracing(plano, telemetry=told.telemetry), plano, transport


@contextmanager
def _receiver() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Takes whatever is posted; bodies by their path."""
    posted: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            posted[self.path] = posted.get(self.path, b"") + body
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
