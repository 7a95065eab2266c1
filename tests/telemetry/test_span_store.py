"""Spans in a local file: what was exported is found again, within bounds, whoever writes."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from plano_asgi.errors import ConfigurationError, NotFound, RequestError, StoreUnavailable
from plano_asgi.telemetry.batching import batching
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_rows import StoredEvent
from plano_asgi.telemetry.span_store import SpanStore
from telemetry.ended_spans import NOON_NS, SECOND, Made, ended

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "fast",
    "plano.model": "gpt-4o",
    "plano.provider": "openai",
    "plano.route.name": "code",
    "http.response.status_code": 200,
    "gen_ai.response.finish_reasons": ("stop",),
    "plano.cost.total_usd": 0.25,
    "plano.session.pinned": True,
}


def chat_trace(trace: int = 1, **more: Any) -> list[ReadableSpan]:
    """A chat with one attempt; *more* is added to its attributes, dots as ``__``."""
    added = {name.replace("__", "."): value for name, value in more.items()}
    return ended(
        Made(
            name="chat fast",
            end_s=2.0,
            kind=SpanKind.SERVER,
            attributes={**CHAT, **added},
            events=[("signal.execution.loops.retry", {"signal.confidence": 0.95})],
        ),
        Made(name="attempt", parent="chat fast", start_s=0.5, end_s=1.5, error="timeout"),
        trace=trace,
        at_ns=NOON_NS + trace * SECOND,
    )


def store_with(path: Path, *traces: Sequence[ReadableSpan], **bounds: Any) -> SpanStore:
    """A closed store that got *traces*."""
    store = SpanStore(path, **bounds)
    for trace in traces:
        assert store.export(trace) is SpanExportResult.SUCCESS
    store.shutdown()
    return store


def test_a_span_is_found_as_it_was(tmp_path: Path) -> None:
    """With its times, status, attributes, events and resource."""
    path = tmp_path / "t.db"
    store_with(path, chat_trace())
    with SpanReader(path) as reader:
        chat, attempt = reader.last()
    assert (chat.name, chat.kind, chat.parent_id, chat.service) == (
        "chat fast",
        "server",
        "",
        "shop",
    )
    assert (chat.status, attempt.status, attempt.status_message) == ("unset", "error", "timeout")
    assert attempt.parent_id == chat.span_id
    assert (chat.start_ns, chat.duration_s) == (NOON_NS + SECOND, 2.0)
    assert chat.attributes == {**CHAT, "gen_ai.response.finish_reasons": ["stop"]}
    assert chat.events == (
        StoredEvent(
            name="signal.execution.loops.retry",
            time_ns=NOON_NS + 3 * SECOND,
            attributes={"signal.confidence": 0.95},
        ),
    )


def test_real_spans_arrive_through_the_sdk(tmp_path: Path) -> None:
    """Behind the batching processor, from another thread."""
    path = tmp_path / "t.db"
    processor = batching(SpanStore(path))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner") as inner:
        inner.set_attribute("n", 1)
    provider.shutdown()
    assert processor.dropped == 0
    with SpanReader(path) as reader:
        assert [span.name for span in reader.last()] == ["outer", "inner"]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """And so is its log."""
    path = tmp_path / "t.db"
    store = SpanStore(path)
    store.export(chat_trace())
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    store.shutdown()


def test_traces_are_listed_newest_first(tmp_path: Path) -> None:
    """As many as asked for, since a moment."""
    path = tmp_path / "t.db"
    store_with(path, *(chat_trace(number) for number in (2, 3, 1)))
    with SpanReader(path) as reader:
        found = reader.traces()
        assert [t.start_ns // SECOND - NOON_NS // SECOND for t in found] == [3, 2, 1]
        assert reader.traces(2) == found[:2]
        assert reader.traces(since_ns=found[1].start_ns) == found[:2]
    newest = found[0]
    assert (newest.name, newest.service, newest.model) == ("chat fast", "shop", "gpt-4o")
    assert (newest.spans, newest.status, newest.duration_s) == (2, 200, 2.0)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ([("model", "gpt-4o")], 2),
        ([("gen_ai.request.model", "fast")], 3),
        ([("status", "429")], 1),
        ([("status", "429"), ("model", "gpt-4o")], 0),
        ([("model", "o3"), ("route", "code")], 1),
        ([("kind", "server"), ("name", "attempt")], 3),
        ([("plano.session.pinned", "true")], 3),
        ([("plano.cost.total_usd", "0.25")], 3),
        ([("model", "' OR 1=1 --")], 0),
        ([("nothing.of.the.kind", "1")], 0),
    ],
)
def test_filters_hold_for_some_span_of_a_trace(
    tmp_path: Path, where: list[tuple[str, str]], count: int
) -> None:
    """By short keys and by attributes; all of them."""
    path = tmp_path / "t.db"
    throttled = {"http__response__status_code": 429, "plano__model": "o3"}
    store_with(path, chat_trace(1), chat_trace(2), chat_trace(3, **throttled))
    with SpanReader(path) as reader:
        assert len(reader.traces(where=where)) == count
        known = [reader.has_key(key) for key, _ in where]
    assert all(known) == ("nothing.of.the.kind" not in dict(where))


def test_a_trace_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """If no other begins so."""
    path = tmp_path / "t.db"
    store_with(path, chat_trace(0x1234_5678), chat_trace(0x1234_9999))
    with SpanReader(path) as reader:
        assert reader.trace("12349999") == reader.trace("1234 9999 0000".replace(" ", ""))
        assert len(reader.trace("12345678")) == 2
        with pytest.raises(RequestError, match=r"several traces begin with '1234': 12345678"):
            reader.trace("1234")
        with pytest.raises(NotFound, match="no trace begins with 'ffff'"):
            reader.trace("ffff")
        for bad in ("123", "12_4", "x" * 8, "1" * 33, "1234%"):
            with pytest.raises(RequestError, match="is no trace id"):
                reader.trace(bad)


def test_a_reader_follows_a_writer(tmp_path: Path) -> None:
    """What came since, in the order it was written."""
    path = tmp_path / "t.db"
    store = SpanStore(path)
    store.export(chat_trace(1))
    with SpanReader(path) as reader:
        seen = reader.newest_id()
        assert reader.follow(seen) == []
        store.export(chat_trace(2))
        fresh = reader.follow(seen)
        assert [span.id for span in fresh] == [seen + 1, seen + 2]
        assert reader.follow(seen, limit=1) == fresh[:1]
    store.shutdown()


def test_the_same_span_is_kept_once(tmp_path: Path) -> None:
    """A batch exported again changes nothing."""
    path = tmp_path / "t.db"
    store_with(path, chat_trace(), chat_trace())
    with SpanReader(path) as reader:
        assert len(reader.last()) == reader.traces()[0].spans == 2


def test_a_trace_may_come_in_parts(tmp_path: Path) -> None:
    """Children first, from several batches."""
    path = tmp_path / "t.db"
    root, child = chat_trace()
    store_with(path, [child], [root])
    with SpanReader(path) as reader:
        (found,) = reader.traces()
        assert (found.name, found.spans, found.duration_s) == ("chat fast", 2, 2.0)


def test_the_oldest_traces_go_first(tmp_path: Path) -> None:
    """Whole ones, so that no trace is left in part."""
    path = tmp_path / "t.db"
    store_with(path, *(chat_trace(number) for number in range(1, 11)), max_spans=7)
    with SpanReader(path) as reader:
        kept = reader.traces(99)
        assert [t.trace_id[:8] for t in kept] == ["0000000a", "00000009", "00000008"]
        assert len(reader.follow()) == 6


def test_the_file_is_bounded_in_bytes(tmp_path: Path) -> None:
    """Space of what has gone is used again."""
    path = tmp_path / "t.db"
    bound = 600_000
    large = [chat_trace(n, gen_ai__input__messages="x" * 20_000) for n in range(1, 101)]
    store_with(path, *large, max_bytes=bound)
    assert path.stat().st_size < bound * 1.2
    with SpanReader(path) as reader:
        kept = reader.traces(99)
    assert 10 < len(kept) < 30
    assert kept[0].trace_id.startswith("00000064")


def test_values_are_kept_as_json(tmp_path: Path) -> None:
    """Long texts are cut, numbers and texts that JSON or UTF-8 lack do no harm."""
    path = tmp_path / "t.db"
    odd = {"a": "x" * 100, "b": float("nan"), "c": "\ud83d", "d": b"\xff", "e": 2**70, "f": None}
    spans = ended(Made(name="odd \ud83d", attributes={**odd, "g": [1.5, "y" * 100]}))
    store_with(path, spans, max_value_chars=10)
    with SpanReader(path) as reader:
        (span,) = reader.last()
    assert span.name == "odd ?"
    assert span.attributes == {
        "a": "x" * 10 + "\N{HORIZONTAL ELLIPSIS}",
        "b": None,
        "c": "?",
        "d": "b'\\xff'",
        "e": 2.0**70,
        "f": None,
        "g": [1.5, "y" * 10 + "\N{HORIZONTAL ELLIPSIS}"],
    }


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """From the first export on, which makes the file."""
    path = tmp_path / "t.db"
    code = """
import sys
from telemetry.ended_spans import Made, ended
from plano_asgi.telemetry.span_store import SpanStore
from opentelemetry.sdk.trace.export import SpanExportResult
store = SpanStore(sys.argv[1])
for n in range(20):
    spans = ended(Made(name="s"), trace=int(sys.argv[2]) * 100 + n)
    assert store.export(spans) is SpanExportResult.SUCCESS
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(n)], env=environ)
        for n in range(1, 4)
    ]
    assert [worker.wait(50) for worker in workers] == [0, 0, 0]
    with SpanReader(path) as reader:
        assert len(reader.traces(999)) == 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_uses_a_connection_of_its_own(tmp_path: Path) -> None:
    """The parent's stays whole."""
    path = tmp_path / "t.db"
    store = SpanStore(path)
    store.export(chat_trace(1))
    child = os.fork()
    if child == 0:
        os._exit(0 if store.export(chat_trace(2)) is SpanExportResult.SUCCESS else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.export(chat_trace(3)) is SpanExportResult.SUCCESS
    store.shutdown()
    with SpanReader(path) as reader:
        assert len(reader.traces()) == 3


def _text_file(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to look like one " * 20)


def _other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


def _later_version(path: Path) -> None:
    store_with(path, chat_trace())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason", "said"),
    [
        pytest.param(_text_file, "SQLITE_NOTADB", "is not a SQLite file", id="text"),
        pytest.param(_other_database, "NotASpanStore", "is not a trace store", id="other"),
        pytest.param(_later_version, "NotASpanStore", "later version", id="later"),
    ],
)
def test_a_file_that_is_no_span_store_is_told_of_and_left_alone(
    tmp_path: Path, make: Any, reason: str, said: str
) -> None:
    """The export fails, and is told of once; a reader says what it is."""
    path = tmp_path / "t.db"
    make(path)
    before = path.read_bytes()
    store = SpanStore(path)
    with capture_logs() as logs:
        assert store.export(chat_trace()) is SpanExportResult.FAILURE
        assert store.export(chat_trace()) is SpanExportResult.FAILURE
    assert [(log["event"], log["reason"]) for log in logs] == [("spans_not_stored", reason)]
    assert path.read_bytes() == before
    with SpanReader(path) as reader, pytest.raises(StoreUnavailable, match=said):
        reader.last()


def test_a_locked_file_costs_a_batch_and_no_more(tmp_path: Path) -> None:
    """The next export works again."""
    path = tmp_path / "t.db"
    store = SpanStore(path, busy_timeout_s=0.01)
    store.export(chat_trace(1))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with capture_logs() as logs:
        assert store.export(chat_trace(2)) is SpanExportResult.FAILURE
    assert logs[0]["reason"] == "SQLITE_BUSY"
    holder.close()
    assert store.export(chat_trace(3)) is SpanExportResult.SUCCESS
    store.shutdown()


def test_a_store_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """And none is made by looking for it."""
    path = tmp_path / "t.db"
    with (
        SpanReader(path) as reader,
        pytest.raises(StoreUnavailable, match="there is no trace store"),
    ):
        reader.traces()
    assert not path.exists()
    store_with(path, [])
    with SpanReader(path) as reader:
        assert (reader.last(), reader.traces(), reader.newest_id()) == ([], [], 0)


@pytest.mark.parametrize(
    "arguments",
    [{"max_spans": 0}, {"max_bytes": -1}, {"busy_timeout_s": 0}, {"path": "."}],
)
def test_a_store_that_cannot_be_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    """When it is built; nothing is written then."""
    with pytest.raises(ConfigurationError):
        SpanStore(**{"path": tmp_path / "t.db", **arguments})
    with pytest.raises(ConfigurationError, match="no such directory"):
        SpanStore(tmp_path / "missing" / "t.db")
    assert list(tmp_path.iterdir()) == []
