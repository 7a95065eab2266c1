"""Collectors that hang, refuse, fail and come too late: requests never notice, and losses count."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from asgi_drive import drive
from gateway_build import gateway
from hostile.stage import CHAT, PATHS, question
from hostile.test_telemetry_laws import reply
from plano_asgi.middleware import PlanoTracing
from plano_asgi.telemetry import AccessLog, Telemetry
from plano_asgi.telemetry.batching import BatchingProcessor
from plano_asgi.telemetry.exporters import PostHogExporter, otlp_exporter
from plano_asgi.telemetry.exporters.otlp import Protocol
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_store import SpanStore
from telemetry.ended_spans import Made, ended

KEY = "sk-canary-of-the-collector"
TESTS = Path(__file__).parent.parent


class Exporter(SpanExporter):
    """Does what it is told to with every batch; takes spans for ever until it is let go."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.gate = threading.Event()
        self.is_asked = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_asked.set()
        if self.way == "hangs":
            self.gate.wait()
        if self.way == "raises":
            raise RuntimeError(f"cannot connect with {KEY}: {spans[0].attributes}")
        if self.way == "exits":
            raise KeyError(KEY)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """As badly."""
        if self.way == "hangs":
            self.gate.wait()
        raise RuntimeError(KEY)


@pytest.fixture(name="exporter", params=["hangs", "raises", "exits", "fails"])
def _exporter(request: pytest.FixtureRequest) -> Iterator[Exporter]:
    """One of the bad ones."""
    exporter = Exporter(request.param)
    yield exporter
    exporter.gate.set()


@pytest.mark.anyio
async def test_requests_go_on_and_every_span_is_accounted_for(exporter: Exporter) -> None:
    """Dropped and counted, in bounded memory; told of without a word of what was in it."""
    processor = BatchingProcessor(
        exporter, max_queue=16, max_batch=8, delay_s=0.001, timeout_s=0.05, report_s=0.001
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    telemetry = Telemetry(tracer_provider=provider, owned=[provider], shutdown_timeout_s=1.0)
    plano, _ = gateway(reply(CHAT))
    app = PlanoTracing(plano, telemetry=telemetry)
    with capture_logs() as logged:
        for _ in range(40):
            found = await drive(app, PATHS[CHAT], question(CHAT, model="openai/gpt-4o"))
            assert found.status == 200
        exporter.is_asked.wait(5)
        provider.force_flush(20)
        await telemetry.aclose()
    assert len(processor._queue) == 0
    in_hand = 8 if exporter.way == "hangs" else 0
    assert processor.dropped >= 40 * 3 - in_hand
    assert [entry for entry in logged if entry["event"] == "spans_dropped"]
    assert KEY not in repr(logged)


@pytest.mark.parametrize("kind", ["otlp-http", "otlp-grpc", "posthog"])
def test_nobody_there_is_a_loss_and_no_more(kind: str) -> None:
    """Of no port, quickly, and neither address nor key is logged with it."""
    spans = ended(Made(name="chat", attributes={"gen_ai.operation.name": "chat"}))
    url = "http://127.0.0.1:9"
    exporters: dict[str, SpanExporter] = {
        "posthog": PostHogExporter(url, KEY, timeout_s=0.2, max_tries=1)
    }
    if kind != "posthog":
        protocol: Protocol = "http" if kind == "otlp-http" else "grpc"
        exporters[kind] = otlp_exporter(
            url, protocol=protocol, headers={"authorization": KEY}, timeout_s=0.2
        )
    with capture_logs() as logged:
        processor = BatchingProcessor(exporters[kind], delay_s=0.001, timeout_s=10)
        processor.on_end(spans[0])
        assert processor.force_flush()
        processor.shutdown()
    assert processor.drops["export_failed"] == 1
    assert KEY not in repr(logged)


AT_EXIT = """
import os, sys, threading
from opentelemetry.sdk.trace import TracerProvider
from plano_asgi.telemetry.batching import BatchingProcessor
from plano_asgi.telemetry.span_store import SpanStore

way, path = sys.argv[1:]


class Hanging(SpanStore):
    def export(self, spans):
        threading.Event().wait()


exporter = (Hanging if way == "hangs" else SpanStore)(path)
provider = TracerProvider()
provider.add_span_processor(BatchingProcessor(exporter, delay_s=60, timeout_s=0.3, max_batch=1))
tracer = provider.get_tracer("x")
tracer.start_span("parents").end()
if way == "forks":
    provider.force_flush()
    if os.fork() == 0:
        tracer.start_span("childs").end()
        provider.shutdown()
        os._exit(0)
    os.wait()
    tracer.start_span("after").end()
"""


@pytest.mark.parametrize("way", ["ends", "hangs", "forks"])
def test_a_process_ends_with_its_spans_kept(way: str, tmp_path: Path) -> None:
    """Without a farewell of its own; a hung exporter keeps nobody, a child writes its own once."""
    path = tmp_path / "spans.db"
    code = textwrap.dedent(AT_EXIT)
    found = subprocess.run(
        [sys.executable, "-c", code, way, str(path)],
        check=False,
        capture_output=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    assert found.returncode == 0, found.stderr.decode()
    assert b"Traceback" not in found.stderr
    if way != "hangs":
        with SpanReader(path) as reader:
            names = sorted(span.name for span in reader.follow())
        assert names == (["parents"] if way == "ends" else ["after", "childs", "parents"])


def test_a_locked_store_loses_a_batch_and_takes_the_next(tmp_path: Path) -> None:
    """And one that became unreadable says so once."""
    import sqlite3

    store = SpanStore(tmp_path / "spans.db", busy_timeout_s=0.01, pause=lambda _: None)
    one = ended(Made(name="one"), trace=1)
    assert store.export(one) is SpanExportResult.SUCCESS
    locking = sqlite3.connect(tmp_path / "spans.db", isolation_level=None)
    locking.execute("BEGIN EXCLUSIVE")
    with capture_logs() as logged:
        assert store.export(ended(Made(name="two"), trace=2)) is SpanExportResult.FAILURE
        assert store.export(ended(Made(name="three"), trace=3)) is SpanExportResult.FAILURE
    assert len(logged) == 1
    locking.execute("ROLLBACK")
    locking.close()
    assert store.export(ended(Made(name="four"), trace=4)) is SpanExportResult.SUCCESS
    store.shutdown()


class NoStream:
    """Says to be a stream, and is none."""


class BrokenStream:
    """Takes text alone, or nothing any more."""

    def write(self, text: str) -> int:
        return len(text + "")

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [NoStream(), BrokenStream()], ids=["none", "text"])
async def test_a_log_that_nobody_takes_is_counted(stream: object) -> None:
    """For as long as it goes on: its thread does not die of it."""
    log = AccessLog(stream=stream, delay_s=0.001)
    plano, _ = gateway(reply(CHAT))
    app = PlanoTracing(plano, telemetry=Telemetry(access_log=log, signals=False))
    for number in range(1, 4):
        await drive(app, PATHS[CHAT], question(CHAT, model="openai/gpt-4o"))
        log.shutdown()
        assert log.dropped == number
