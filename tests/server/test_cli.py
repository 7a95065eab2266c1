"""``plano-asgi``: what its commands print, and with which exit code they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plano_asgi._json import dumps_str, loads
from plano_asgi.server import cli
from plano_asgi.server.commands import STORE_VARIABLE, app
from plano_asgi.telemetry.span_store import SpanStore
from telemetry.ended_spans import NOON_NS, SECOND, Made, ended

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "fast",
    "http.response.status_code": 200,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "plano.cost.total_usd": 0.5,
}
MODELS = ("gpt-4o", "o3", "gpt-4o")


def run(*words: str, environ: dict[str, str] | None = None) -> Result:
    """The command that *words* are, in a pipe."""
    return CliRunner().invoke(app, list(words), env={"TZ": "UTC", **(environ or {})})


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with three traces, the newest last."""
    path = tmp_path / "t.db"
    spans = SpanStore(path)
    for number, model in enumerate(MODELS, start=1):
        chat = Made(name="chat fast", end_s=2.0, attributes={**CHAT, "plano.model": model})
        guard = Made(name="guard pii", parent="chat fast", end_s=0.5)
        spans.export(ended(chat, guard, trace=number, at_ns=NOON_NS + number * SECOND))
    spans.shutdown()
    return str(path)


def ids(found: Result) -> list[str]:
    """The beginnings of the ids that a command printed as JSON."""
    return [trace["trace_id"][:8] for trace in loads(found.stdout)["traces"]]


def test_the_last_trace_is_shown(store: str) -> None:
    """Without colours, since nobody looks."""
    found = run("trace", "--store", store)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].startswith("trace 00000003")
    assert "2.00 s  2 spans  100 in  50 out  $0.5000" in lines[1]
    assert lines[4].startswith("chat fast")
    assert lines[5].startswith("└─ guard pii")
    assert "\x1b" not in found.stdout
    assert run("trace", "last", "--store", store).stdout == found.stdout


def test_a_trace_is_shown_by_its_id(store: str) -> None:
    """Whole, or its beginning."""
    found = run("trace", "00000002", "--store", store)
    assert found.stdout.startswith("trace 00000002")
    whole = found.stdout.split()[1]
    assert run("trace", whole.upper(), "--store", store).stdout == found.stdout


def test_the_store_is_told_by_the_environment(store: str) -> None:
    """An option says it again."""
    environ = {STORE_VARIABLE: store}
    assert run("trace", environ=environ).stdout.startswith("trace 00000003")
    assert run("trace", "--store", "missing.db", environ=environ).exit_code == 1


def test_traces_are_listed(store: str) -> None:
    """The newest first."""
    found = run("trace", "--list", "--store", store)
    rows = [line.split() for line in found.stdout.splitlines()]
    assert rows[0] == ["trace", "began", "name", "model", "status", "spans", "time"]
    assert [row[0] for row in rows[1:]] == ["00000003", "00000002", "00000001"]
    assert rows[1][-5:] == ["gpt-4o", "200", "2", "2.00", "s"]
    assert len(run("trace", "--list", "-n", "2", "--store", store).stdout.splitlines()) == 3
    assert run("trace", "--list", "-n", "0", "--store", store).stdout.strip() == "no traces"


def test_filters_choose_traces(store: str) -> None:
    """All of them must hold; a filter alone shows the newest that it fits."""
    listed = run("trace", "-l", "-w", "model=gpt-4o", "--json", "--store", store)
    assert ids(listed) == ["00000003", "00000001"]
    shown = run("trace", "--where", "model=o3", "--where", "status=200", "--store", store)
    assert shown.stdout.startswith("trace 00000002")
    assert ids(run("trace", "-n", "2", "--json", "--store", store)) == ["00000003", "00000002"]
    none = run("trace", "-w", "model=o9", "--store", store)
    assert (none.exit_code, none.stderr) == (1, "no traces\n")


def test_since_looks_back_from_now(store: str) -> None:
    """The traces of the store are older than a minute, and younger than a century."""
    assert run("trace", "-l", "--since", "36500d", "--json", "--store", store).exit_code == 0
    future = ended(Made(name="new"), trace=9, at_ns=NOON_NS + 10**9 * SECOND)
    spans = SpanStore(store)
    spans.export(future)
    spans.shutdown()
    recent = run("trace", "-l", "--since", "1m", "--json", "--store", store)
    assert "00000009" in ids(recent)


def test_attributes_are_shown_on_demand(store: str) -> None:
    """By pattern, several with commas, or all."""
    plain = run("trace", "--store", store).stdout
    assert "plano.model" not in plain
    some = run("trace", "-f", "plano.*,gen_ai.op*", "--store", store).stdout
    assert "plano.model gpt-4o" in some
    assert "gen_ai.operation.name chat" in some
    assert "gen_ai.usage" not in some
    assert "gen_ai.usage.input_tokens 100" in run("trace", "-v", "--store", store).stdout


def test_json_is_whole(store: str) -> None:
    """Nothing is cut or coloured."""
    (trace,) = loads(run("trace", "--json", "--store", store).stdout)["traces"]
    assert [span["name"] for span in trace["spans"]] == ["chat fast", "guard pii"]
    assert trace["spans"][0]["attributes"]["plano.model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ffff"], "no trace begins with 'ffff'"),
        (["0000"], "several traces begin with '0000'"),
        (["xyz"], "'xyz' is no trace id"),
        (["00000002", "--list"], "an ID names one trace"),
        (["00000002", "-w", "model=o3"], "an ID names one trace"),
        (["-w", "model"], "'model' is no filter: write KEY=VALUE"),
        (["-w", "=x"], "is no filter"),
        (["-l", "-w", "no.such.key=1"], "no span has 'no.such.key'; short keys are: conversation"),
        (["--since", "soon"], "'soon' is no time: write 30s, 10m, 1h or 2d"),
    ],
)
def test_what_cannot_be_done_is_said(store: str, words: list[str], said: str) -> None:
    """In a sentence on standard error, with exit code 1."""
    found = run("trace", *words, "--store", store)
    assert (found.exit_code, found.stdout) == (1, "")
    assert said in found.stderr


@pytest.mark.parametrize("words", [["trace"], ["trace", "--list"], ["obs", "--once"]])
def test_a_store_that_cannot_be_read_is_said(tmp_path: Path, words: list[str]) -> None:
    """Whether there is none, or it is none."""
    path = tmp_path / "t.db"
    missing = run(*words, "--store", str(path))
    assert (missing.exit_code, missing.stderr) == (1, f"there is no trace store at '{path}'\n")
    path.write_text("no database " * 100)
    broken = run(*words, "--store", str(path))
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "is not a SQLite file" in broken.stderr


def test_an_empty_store_has_no_traces(tmp_path: Path) -> None:
    """Which is no error for whoever reads JSON, or looks on."""
    path = str(tmp_path / "t.db")
    spans = SpanStore(path)
    spans.export([])
    spans.shutdown()
    assert run("trace", "--store", path).stderr == "no traces\n"
    assert loads(run("trace", "--json", "--store", path).stdout) == {"traces": []}
    assert run("obs", "--once", "--store", path).stdout == "no requests yet\n"


def test_obs_prints_one_picture(store: str) -> None:
    """For a pipe, or a test."""
    found = run("obs", "--once", "--store", store)
    assert found.exit_code == 0
    assert "requests  3" in found.stdout
    assert "$1.50" in found.stdout
    assert found.stdout.count("fast → gpt-4o") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_obs_follows_the_store_until_it_is_interrupted(tmp_path: Path) -> None:
    """It may begin before the store is there; Ctrl-C ends it without a word."""
    path = tmp_path / "t.db"
    command = [sys.executable, "-u", "-m", "plano_asgi.server.cli", "obs", "--interval", "0.05"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "no requests yet\n"
        spans = SpanStore(path)
        spans.export(ended(Made(name="chat fast", attributes=CHAT)))
        spans.shutdown()
        while "requests  1" not in (line := process.stdout.readline()):
            assert line, "it ended"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
        assert (process.returncode, told) == (0, "")


CONVERSATIONS = (
    {"id": "kind", "messages": [{"role": "user", "content": "Thanks so much, that worked!"}]},
    {"id": "plain", "conversations": [{"from": "human", "value": "What is the capital of Peru?"}]},
)


def recording(tmp_path: Path, *lines: object) -> str:
    """A file of conversations."""
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(f"{x if isinstance(x, str) else dumps_str(x)}\n" for x in lines))
    return str(path)


def test_conversations_are_scored(tmp_path: Path) -> None:
    """As a table, then how many are of which quality."""
    found = run("signals", recording(tmp_path, *CONVERSATIONS))
    assert found.exit_code == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["conversation", "quality", "score", "turns", "signals"]
    assert lines[1].startswith("kind")
    assert "gratitude" in lines[1]
    assert lines[2].split()[0] == "plain"
    assert lines[-1].startswith("2 conversations")


def test_conversations_are_scored_as_json(tmp_path: Path) -> None:
    """A line for each, from standard input too; words only where asked for."""
    path = recording(tmp_path, *CONVERSATIONS)
    found = run("signals", path, "--json")
    told = [loads(line) for line in found.stdout.splitlines()]
    assert [one["id"] for one in told] == ["kind", "plain"]
    assert all("overall_quality" in one["report"] for one in told)
    piped = CliRunner().invoke(app, ["signals", "-", "--json"], input=Path(path).read_bytes())
    assert piped.stdout == found.stdout


def test_a_bad_line_is_told_of_and_the_rest_is_read(tmp_path: Path) -> None:
    """On standard error, by its number; a pipe gets reports only. The exit code says so."""
    path = recording(tmp_path, CONVERSATIONS[0], "no json", CONVERSATIONS[1], '{"id": 7}')
    found = run("signals", path, "--json")
    told = [loads(line) for line in found.stdout.splitlines()]
    assert [one["id"] for one in told] == ["kind", "plain"]
    lines = found.stderr.splitlines()
    assert lines[0] == "line 2: not JSON"
    assert lines[1].startswith("line 4: ")
    assert found.exit_code == 1
    table = run("signals", path)
    assert table.exit_code == 1
    assert "not JSON" not in table.stdout
    assert table.stdout.splitlines()[-1].startswith("2 conversations")
    assert table.stdout.splitlines()[-1].endswith("2 unreadable")
    assert table.stderr == found.stderr


def test_phrases_of_ones_own_count(tmp_path: Path) -> None:
    """Beside those that come with the package."""
    lexicon = tmp_path / "mine.toml"
    lexicon.write_text('[interaction.satisfaction.gratitude]\nphrases = ["chuffed to bits"]\n')
    talk = {"id": "a", "messages": [{"role": "user", "content": "I am chuffed to bits"}]}
    path = recording(tmp_path, talk)
    assert "gratitude" not in run("signals", path).stdout
    assert "gratitude" in run("signals", path, "--lexicon", str(lexicon)).stdout
    lexicon.write_text("phrases = [")
    broken = run("signals", path, "--lexicon", str(lexicon))
    assert (broken.exit_code, broken.stdout) == (1, "")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """No trace of a traceback."""
    found = run("signals", str(tmp_path / "none.jsonl"))
    assert found.exit_code == 1
    assert "No such file" in found.stderr
    assert "Traceback" not in found.stderr
    lexicon = run("signals", recording(tmp_path), "--lexicon", str(tmp_path / "none.toml"))
    assert (lexicon.exit_code, "the lexicon" in lexicon.stderr) == (1, True)


def test_the_version_is_the_packages() -> None:
    """As pip shows it."""
    assert run("--version").stdout == f"plano-asgi {version('plano-asgi')}\n"


@pytest.mark.parametrize("name", ["trace", "obs", "signals"])
def test_every_command_explains_itself(name: str) -> None:
    """And the program lists them all."""
    assert run(name, "--help").exit_code == 0
    assert name in run("--help").stdout


@pytest.mark.parametrize("missing", ["typer", "rich.console"])
def test_without_typer_or_rich_the_extra_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead of an import error."""
    for name in [n for n in sys.modules if n.startswith("plano_asgi.server.commands")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert "plano-asgi[cli]" in capsys.readouterr().err


def test_the_program_ends_with_its_commands_code(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a shell sees it."""
    monkeypatch.setattr(sys, "argv", ["plano-asgi", "trace", "ffff", "--store", store])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert "no trace begins" in capsys.readouterr().err
