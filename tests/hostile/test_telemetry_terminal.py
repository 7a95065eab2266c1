"""An operator's terminal: what clients and broken files can put on it, and what they cannot."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hostile.telling import Terminal
from plano_asgi.server.commands import app
from plano_asgi.signals.recordings import MAX_LINE
from plano_asgi.telemetry.exporters import ConsoleExporter
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_store import SpanStore
from plano_asgi.telemetry.span_tree import answered
from telemetry.ended_spans import Made, ended

EVIL = "\x1b]0;owned\x07 [red]r[/red] [link=http://x]y[/link] \x9b31m\x7f\u202e\u2066\ud83d\x00\r\n"
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
ATTRIBUTES: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": EVIL,
    "gen_ai.usage.input_tokens": 10**30,
    "gen_ai.usage.output_tokens": -5,
    "plano.cost.total_usd": float("nan"),
    "http.response.status_code": 2**70,
    "plano.session.id": EVIL,
    "plano.request.id": EVIL,
    "plano.route.name": EVIL,
    "error.type": EVIL,
    "signals.quality": EVIL,
    EVIL: EVIL,
}
SPANS = ended(
    Made(
        name=f"chat {EVIL}",
        error=EVIL,
        attributes=ATTRIBUTES,
        events=[(EVIL, {"signal.type": EVIL, "signal.snippet": EVIL, EVIL: EVIL})],
    ),
    service=EVIL,
)
SHOWN = (
    ["trace"],
    ["trace", "-v"],
    ["trace", "-f", "*"],
    ["trace", "--list"],
    ["trace", "--json"],
    ["trace", "--list", "--json"],
    ["obs", "--once"],
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files without a directory are made where nobody minds."""
    monkeypatch.chdir(tmp_path)


def run(*words: str, store: str = "spans.db") -> Result:
    """A command, which may fail, and must not break."""
    where = [] if words[0] == "signals" else ["--store", store]
    found = CliRunner().invoke(app, [*words, *where])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def _stored() -> None:
    store = SpanStore("spans.db")
    store.export(SPANS)
    store.shutdown()


@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_a_clients_text_moves_no_cursor(command: list[str]) -> None:
    """Neither escapes nor marks that turn lines around, nor markup of the library's."""
    _stored()
    found = run(*command)
    assert found.exit_code == 0
    assert not OBEYED.findall(found.output)
    assert "[red]" in found.output or "obs" in command


def test_nor_on_a_console_with_colours() -> None:
    """The console exporter's own escapes are its only ones."""
    stream = Terminal()
    ConsoleExporter(stream).export(SPANS)
    assert not OBEYED.findall(re.sub(r"\x1b\[\d*m", "", stream.getvalue()))


WORDS = (
    ["trace", "--since", "999999999d"],
    ["trace", "-n", str(10**30)],
    ["trace", "--list", "-n", str(10**30)],
    ["obs", "--once", "--capacity", str(10**30)],
    ["obs", "--once", "--rows", str(10**30)],
    ["obs", "--once", "--interval", "1e300"],
    ["trace", "-w", "status=" + "9" * 400],
    ["trace", "-w", f"{EVIL}={EVIL}"],
    ["trace", "-w", f"model={EVIL}"],
    ["trace", "-w", "model=' OR 1=1 --"],
    ["trace", "' OR 1=1"],
    ["trace", "%%%%"],
)


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_odd_options_get_a_sentence(words: list[str]) -> None:
    """And never a traceback."""
    _stored()
    run(*words)


DAMAGE = (
    "UPDATE spans SET events = '[1, 2]'",
    "UPDATE spans SET events = '[[1, 2, 3]]'",
    "UPDATE spans SET events = '{}'",
    "UPDATE spans SET attributes = '[1]'",
    "UPDATE spans SET attributes = 'x'",
    'UPDATE spans SET attributes = \'{"gen_ai.operation.name": ["chat"]}\'',
    'UPDATE spans SET attributes = \'{"http.response.status_code": {}, "signals.quality": []}\'',
    "UPDATE spans SET start_ns = 'abc'",
    "UPDATE spans SET start_ns = 9223372036854775807, end_ns = -9223372036854775808",
    "UPDATE spans SET name = x'ff'",
    "UPDATE spans SET parent_id = span_id",
    "UPDATE traces SET start_ns = 'abc'",
    "DELETE FROM spans",
    "DROP TABLE spans",
    "DROP TABLE traces",
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_store_with_odd_values_breaks_nothing(damage: str) -> None:
    """Each command shows what there is, or says that the file is damaged."""
    _stored()
    with sqlite3.connect("spans.db") as connection:
        connection.execute(damage)
    connection.close()
    for command in SHOWN:
        run(*command)


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_named(content: bytes) -> None:
    """Also one that says it is."""
    Path("spans.db").write_bytes(content)
    for command in SHOWN:
        found = run(*command)
        assert found.exit_code == 1
        assert "spans.db" in found.output


def test_a_store_behind_a_dangling_link_is_for_its_owner_alone() -> None:
    """Whoever laid the link chose where it is, not who may read it."""
    Path("linked").mkdir()
    Path("spans.db").symlink_to("linked/elsewhere.db")
    store = SpanStore("spans.db")
    store.export(SPANS)
    assert stat.S_IMODE(os.stat("linked/elsewhere.db").st_mode) == 0o600
    store.shutdown()


def test_a_trace_of_very_many_requests_adds_up() -> None:
    """A client may send all its requests in one trace: time grows with them, not with squares."""
    store = SpanStore("spans.db")
    chat = {"gen_ai.operation.name": "chat"}
    outer = [Made(name=f"outer {n}", attributes=chat) for n in range(3000)]
    inner = [Made(name=f"inner {n}", parent=f"outer {n}", attributes=chat) for n in range(3000)]
    store.export(ended(*outer, *inner, Made(name="last", parent="inner 7")))
    store.shutdown()
    with SpanReader("spans.db") as reader:
        found = answered(reader.last())
    assert {span.name for span in found} == {made.name for made in inner}


def test_a_recording_with_broken_lines_is_read_on() -> None:
    """Binary, too long (also the last, and without an end), too deep, odd: each is one line."""
    user = b'{"messages": [{"role": "user", "content": "hi"}]}'
    deep = b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    odd = b'{"id": {"a": [1]}, "messages": [{"role": {}, "content": [[{}], 5]}, 7]}'
    long = b'"' + b"x" * (MAX_LINE + 5)
    lines = [user, b"\xff\x00\x80", long + b'"', deep, odd, b"null", b"[]", user, long]
    Path("talk.jsonl").write_bytes(b"\n".join(lines))
    found = run("signals", "talk.jsonl", "--json")
    assert found.exit_code == 1
    assert len(found.stdout.splitlines()) == found.stdout.count('"report"') == 3
    assert len(found.stderr.splitlines()) == 6
    table = run("signals", "talk.jsonl")
    assert "3 conversations  3 neutral  6 unreadable" in table.stdout


@pytest.mark.parametrize("flag", ["--json", "--snippets"])
def test_a_recordings_text_moves_no_cursor(flag: str) -> None:
    """Neither its ids nor its words."""
    text = EVIL.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    said = f"This is useless {text}! Get me a human agent! {text}"
    talk = [{"role": "user", "content": said}] * 3
    Path("talk.jsonl").write_text(json.dumps({"id": text, "messages": talk}), "utf-8")
    assert not OBEYED.findall(run("signals", "talk.jsonl", flag).output)
