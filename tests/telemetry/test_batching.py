"""Spans leave in batches, in a thread of their own, and none is lost without being counted."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.batching import BatchingProcessor, batching

LONG_S = 3600.0


class Gathering(SpanExporter):
    """Keeps what it is given; *fails* says with what to answer, or what to raise."""

    def __init__(self, fails: SpanExportResult | Exception | None = None) -> None:
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.threads: set[str] = set()
        self.fails = fails
        self.has_ended = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep the names."""
        self.threads.add(threading.current_thread().name)
        if isinstance(self.fails, Exception):
            raise self.fails
        self.names += [span.name for span in spans]
        self.sizes.append(len(spans))
        return self.fails or SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Note it."""
        self.has_ended.set()


class Hanging(Gathering):
    """Does not come back before it is let go, not even when shut down."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let_go = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hang."""
        self.entered.set()
        self.let_go.wait()
        return super().export(spans)


def end_spans(processor: BatchingProcessor, count: int, *, sampled: bool = True) -> None:
    """Let *count* spans, ``0``, ``1``, ..., end before *processor*."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    for number in range(count):
        span = tracer.start_span(str(number))
        span.end()
        assert isinstance(span, ReadableSpan)
        if sampled:
            processor.on_end(span)


def test_spans_are_exported_in_order_by_another_thread() -> None:
    """A flush settles all that has ended."""
    exporter = Gathering()
    processor = batching(exporter, max_batch=4, delay_s=LONG_S)
    end_spans(processor, 10)
    assert processor.force_flush()
    assert exporter.names == [str(n) for n in range(10)]
    assert max(exporter.sizes) <= 4
    assert exporter.threads == {"plano-spans"}
    assert processor.dropped == 0
    processor.shutdown()


def test_a_full_batch_does_not_wait() -> None:
    """Its thread is woken by the last span of the batch."""
    exporter = Hanging()
    processor = batching(exporter, max_batch=3, delay_s=LONG_S)
    end_spans(processor, 3)
    assert exporter.entered.wait(10)
    exporter.let_go.set()
    processor.shutdown()
    assert exporter.sizes == [3]


def test_spans_wait_no_longer_than_the_delay() -> None:
    """A lone span goes out too."""
    exporter = Hanging()
    processor = batching(exporter, delay_s=0.01)
    end_spans(processor, 1)
    assert exporter.entered.wait(10)
    exporter.let_go.set()
    processor.shutdown()


def test_shutdown_exports_what_is_queued_and_closes_the_exporter() -> None:
    """Nothing of the last batch is lost; what ends later is, and is counted."""
    exporter = Gathering()
    processor = batching(exporter, delay_s=LONG_S)
    end_spans(processor, 7)
    processor.shutdown()
    assert exporter.has_ended.is_set()
    assert len(exporter.names) == 7
    end_spans(processor, 2)
    assert processor.drops == {"queue_full": 0, "export_failed": 0, "shutdown": 2}
    processor.shutdown()


def test_an_unused_processor_closes_its_exporter_without_a_thread() -> None:
    """The thread begins with the first span."""
    exporter = Gathering()
    before = threading.active_count()
    processor = batching(exporter)
    assert threading.active_count() == before
    processor.shutdown()
    assert exporter.has_ended.is_set()


def test_unsampled_spans_are_not_queued() -> None:
    """The sampler's word holds."""
    exporter = Gathering()
    processor = batching(exporter)
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("t").start_span("unsampled").end()
    processor.on_end(ReadableSpan("without a context"))
    processor.shutdown()
    assert exporter.names == []


def test_a_hanging_exporter_holds_up_nobody() -> None:
    """The queue stays bounded, the oldest go, a flush and the shutdown come back."""
    exporter = Hanging()
    processor = batching(exporter, max_queue=8, max_batch=2, delay_s=LONG_S, timeout_s=0.05)
    end_spans(processor, 2)
    assert exporter.entered.wait(10)
    end_spans(processor, 20)
    assert processor.drops["queue_full"] == 12
    assert not processor.force_flush(10)
    with capture_logs() as logs:
        processor.shutdown()
    assert processor.drops == {"queue_full": 12, "export_failed": 0, "shutdown": 8}
    assert logs == [
        {
            "event": "spans_dropped",
            "log_level": "warning",
            "exporter": "Hanging",
            "error": "",
            "queue_full": 12,
            "shutdown": 8,
        }
    ]
    exporter.let_go.set()
    assert exporter.has_ended.wait(10), "the thread that exports closes it once it can"


@pytest.mark.parametrize(
    "fails",
    [
        pytest.param(SpanExportResult.FAILURE, id="fails"),
        pytest.param(RuntimeError("the words of a prompt"), id="raises"),
    ],
)
def test_a_failed_export_is_counted_and_the_next_is_tried(
    fails: SpanExportResult | Exception,
) -> None:
    """One line tells of it, with no word of the error's text; the thread lives on."""
    exporter = Gathering(fails)
    processor = batching(exporter, delay_s=LONG_S)
    with capture_logs() as logs:
        for _ in range(3):
            end_spans(processor, 5)
            assert processor.force_flush()
        assert processor.dropped == processor.drops["export_failed"] == 15
        exporter.fails = None
        end_spans(processor, 5)
        assert processor.force_flush()
        processor.shutdown()
    assert exporter.names[-5:] == ["0", "1", "2", "3", "4"]
    assert processor.dropped == 15
    assert [log["event"] for log in logs] == ["spans_dropped", "spans_dropped"]
    assert "prompt" not in repr(logs)


def test_losses_are_told_as_they_happen() -> None:
    """To a metric, say: each span once, whatever became of it."""
    lost: list[int] = []
    processor = batching(Gathering(OSError("down")), max_queue=4, max_batch=4, on_drop=lost.append)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    with capture_logs():
        for number in range(4):
            provider.get_tracer("t").start_span(str(number)).end()
        provider.force_flush()
        provider.shutdown()
    assert sum(lost) == processor.dropped == 4


def test_an_exporter_that_cannot_close_is_told_of() -> None:
    """It ends the thread all the same."""

    class Broken(Gathering):
        def shutdown(self) -> None:
            raise OSError("no")

    with capture_logs() as logs:
        batching(Broken()).shutdown()
    assert [log["event"] for log in logs] == ["exporter_not_closed"]


def _in_child(processor: BatchingProcessor, exporter: Gathering, found: str) -> None:
    end_spans(processor, 3)
    is_flushed = processor.force_flush()
    text = f"{is_flushed} {exporter.names} {processor.dropped}"
    with open(found, "w", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_exports_its_own_spans_only(tmp_path: os.PathLike[str]) -> None:
    """Also if another thread held the lock when it was forked."""
    exporter = Gathering()
    processor = batching(exporter, delay_s=LONG_S)
    end_spans(processor, 5)
    found = os.path.join(tmp_path, "found")
    with processor._lock:
        child = multiprocessing.get_context("fork").Process(
            target=_in_child, args=(processor, exporter, found)
        )
        child.start()
    child.join(20)
    with open(found, encoding="utf-8") as file:
        assert file.read() == "True ['0', '1', '2'] 0"
    assert processor.force_flush()
    assert len(exporter.names) == 5
    processor.shutdown()


def test_a_process_ends_though_its_exporter_hangs() -> None:
    """At exit the provider shuts it down; the hanging thread is left behind."""
    code = """
import threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from plano_asgi.telemetry.batching import batching
class Hanging(SpanExporter):
    def export(self, spans): threading.Event().wait()
provider = TracerProvider()
provider.add_span_processor(batching(Hanging(), max_batch=1, timeout_s=0.05))
provider.get_tracer("t").start_span("s").end()
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=50, check=False).returncode == 0


@pytest.mark.parametrize(
    "bounds",
    [
        {"max_batch": 0},
        {"max_queue": 10, "max_batch": 11},
        {"delay_s": 0},
        {"timeout_s": -1},
    ],
)
def test_bounds_that_cannot_work_are_refused(bounds: dict[str, float]) -> None:
    """When it is built."""
    with pytest.raises(ConfigurationError):
        BatchingProcessor(Gathering(), **bounds)  # type: ignore[arg-type]  # floats on purpose
