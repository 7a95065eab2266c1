"""
Recorded conversations scored: a table of them, or a line of JSON for each. Whoever reads that in a
pipe gets reports only: lines that cannot be read are told of on standard error.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plano_asgi._json import dumps_str
from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.analyzer import Analyzer
from plano_asgi.signals.base import SignalReport
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.recordings import MAX_LINE, read_recording, report_dict
from plano_asgi.telemetry.span_tree import printable

_STYLES = {"excellent": "green", "good": "green", "poor": "yellow", "severe": "red"}
_STDIN = "-"


def _complain(sentence: str) -> None:
    typer.echo(sentence, err=True)


def replay(
    file: str,
    *,
    console: Console,
    lexicon: Path | None = None,
    has_snippets: bool = False,
    write: Callable[[str], object] | None = None,
    complain: Callable[[str], object] = _complain,
) -> bool:
    """
    Score the conversations of *file*, in order, one at a time.

    Args:
        file: JSON lines; ``-`` is standard input.
        console: For the table.
        lexicon: More phrases, joined with those that come with the package.
        has_snippets: Tell the words behind each signal.
        write: Takes a line of JSON for each conversation, and no table is printed.
        complain: Takes a sentence for each line that is no conversation: its number, and why,
            never what it says.

    Returns:
        Whether every line could be read.

    Raises:
        ConfigurationError: A lexicon that is none.
        OSError: A file that cannot be read.
    """
    analyzer = Analyzer(lexicon=_lexicon(lexicon))
    table = _Table(has_snippets)
    with _opened(file) as lines:
        for recording in read_recording(_bounded(lines)):
            if recording.error:
                table.unreadable += 1
                complain(printable(f"line {recording.line}: {recording.error}"))
                continue
            report = analyzer.analyze_rows(recording.rows)
            if write is None:
                table.add(recording.id, report)
            else:
                told = report_dict(report, with_snippets=has_snippets)
                write(dumps_str({"id": recording.id, "report": told}))
    if write is None:
        table.print(console)
    return not table.unreadable


def _lexicon(path: Path | None) -> Lexicon | None:
    """*path* joined with the shipped one; ``None`` for that alone."""
    if path is None:
        return None
    try:
        return Lexicon.load() | Lexicon.from_toml(path)
    except OSError as exc:
        raise ConfigurationError(f"the lexicon '{path}': {exc.strerror}") from exc


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    with open(file, "rb") as lines:
        yield lines


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """The lines of *file*; of one that is too long, only so much that this can be seen."""
    while line := file.readline(MAX_LINE + 2):
        rest = b"" if line.endswith(b"\n") or len(line) <= MAX_LINE else b"-"
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)
        yield line


class _Table:
    """Conversations as rows, and below them how many are of which quality."""

    def __init__(self, has_snippets: bool) -> None:
        self._has_snippets = has_snippets
        self.unreadable = 0
        self._rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for title in ("conversation", "quality"):
            self._rows.add_column(title, no_wrap=True, overflow="ellipsis")
        for title in ("score", "turns"):
            self._rows.add_column(title, justify="right")
        self._rows.add_column("signals")
        self._counts: Counter[str] = Counter()

    def add(self, name: object, report: SignalReport) -> None:
        """One conversation."""
        self._counts[report.quality] += 1
        self._rows.add_row(
            Text(printable(str(name))),
            Text(report.quality, style=_STYLES.get(report.quality, "")),
            f"{report.quality_score:g}",
            str(report.turns.user_turns),
            Text(_told(report, self._has_snippets)),
        )

    def print(self, console: Console) -> None:
        """The rows, then the sums."""
        if self._counts:
            console.print(self._rows)
            console.print()
        total = sum(self._counts.values())
        sums = [f"{count} {quality}" for quality, count in self._counts.most_common()]
        sums += [f"{self.unreadable} unreadable"] * bool(self.unreadable)
        head = f"{total} conversation{'s' * (total != 1)}"
        console.print(Text("  ".join((head, *sums)), style="dim"))


def _told(report: SignalReport, has_snippets: bool) -> str:
    if has_snippets:
        told = (
            f"{s.type.rpartition('.')[2]} at {s.message_index}: {printable(s.snippet)}"
            for s in report.signals
        )
        return "\n".join(told)
    counts = Counter(signal.type.rpartition(".")[2] for signal in report.signals)
    return ", ".join(f"{leaf} {n}" if n > 1 else leaf for leaf, n in counts.items())
