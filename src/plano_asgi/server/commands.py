"""The commands of ``plano-asgi``: what they take, and what they print."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from plano_asgi._json import dumps_str
from plano_asgi.errors import NotFound, PlanoError, RequestError
from plano_asgi.server.obs_view import Traffic, obs_view
from plano_asgi.server.trace_view import list_view, summary_json, trace_json, trace_view
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_rows import DEFAULT_STORE, FILTERS, StoredSpan, clean

STORE_VARIABLE = "PLANO_TRACE_STORE"
"""The environment variable that names the store, for the commands."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPANS_READ = 10_000
_PIPE_WIDTH = 160
_INTERRUPTED = 130
_MOST = 1_000_000
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON leaves as it is, and a terminal may obey."""

app = typer.Typer(
    help="What went through plano-asgi: traces, live traffic, signals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Store = Annotated[
    Path,
    typer.Option(
        "--store", envvar=STORE_VARIABLE, help="The file that spans are kept in.", dir_okay=False
    ),
]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"plano-asgi {version('plano-asgi')}")
        raise typer.Exit


@app.callback()
def options(
    is_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """What went through plano-asgi: traces, live traffic, signals."""


@app.command()
def trace(
    target: Annotated[
        str, typer.Argument(metavar="[ID]", help="A trace's id or its beginning; or 'last'.")
    ] = "last",
    is_list: Annotated[bool, typer.Option("--list", "-l", help="List traces.")] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="KEY=VALUE",
            help="Only traces with such a span; may be given again. Keys: "
            f"{', '.join(FILTERS)}, or an attribute's name.",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Only those since: 30s, 10m, 1h, 2d.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=0, max=_MOST, help="How many. [default: 20 listed, 1 shown]"
        ),
    ] = None,
    patterns: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            "-f",
            metavar="PATTERN",
            help="Show attributes with such names, as in 'gen_ai.*'; may be given again.",
        ),
    ] = None,
    is_verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show all attributes and events.")
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: Store = Path(DEFAULT_STORE),
) -> None:
    """Show the last trace, or the one named, as a tree; or list them."""
    with _telling(), SpanReader(store) as reader:
        is_found = bool(where or since) or limit is not None
        if target != "last" and (is_list or is_found):
            raise RequestError("an ID names one trace: it goes with no --list or filter")
        pairs = [_pair(text) for text in where or ()]
        since_ns = _since(since, time.time_ns())
        if is_list:
            traces = reader.traces(20 if limit is None else limit, since_ns=since_ns, where=pairs)
            _known(reader, pairs, has_found=bool(traces))
            if is_json:
                _print_json({"traces": [summary_json(found) for found in traces]})
            else:
                _console().print(list_view(traces) if traces else Text("no traces", style="dim"))
            return
        if is_found:
            found = reader.traces(1 if limit is None else limit, since_ns=since_ns, where=pairs)
            _known(reader, pairs, has_found=bool(found))
            shown = [reader.trace(summary.trace_id) for summary in found]
        else:
            shown = [reader.last() if target == "last" else reader.trace(target)]
        _print_traces(shown, patterns or (), is_verbose=is_verbose, is_json=is_json)


@app.command()
def obs(
    is_once: Annotated[bool, typer.Option("--once", help="Print one picture and end.")] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.05, max=86_400, help="Seconds between two pictures."),
    ] = 0.5,
    capacity: Annotated[
        int, typer.Option("--capacity", min=1, max=_MOST, help="How many requests are looked at.")
    ] = 1000,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Recent requests shown.")] = 15,
    store: Store = Path(DEFAULT_STORE),
) -> None:
    """Watch requests as they come: models, times, tokens, cost, errors."""
    with _telling(ends_by_interrupt=True), SpanReader(store) as reader:
        traffic, console = Traffic(capacity), _console()
        if is_once:
            _follow(reader, traffic, 0)
            console.print(obs_view(traffic, rows=rows, now_ns=time.time_ns()))
            return
        if console.is_terminal:
            with Live(console=console, auto_refresh=False, screen=True) as live:
                for picture in _pictures(reader, traffic, rows, interval):
                    live.update(picture, refresh=True)
        shown = -1
        for picture in _pictures(reader, traffic, rows, interval):
            newest = traffic.calls[-1].id if traffic.calls else 0
            if newest != shown:  # a pipe gets those that are new
                console.print(picture)
            shown = newest


@app.command()
def signals(
    file: Annotated[
        str, typer.Argument(metavar="FILE.jsonl", help="Conversations, one a line; '-': stdin.")
    ],
    lexicon: Annotated[
        Path | None,
        typer.Option("--lexicon", help="A TOML file with more phrases.", dir_okay=False),
    ] = None,
    has_snippets: Annotated[
        bool, typer.Option("--snippets", help="With the words that told each signal.")
    ] = False,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON for each conversation.")
    ] = False,
) -> None:
    """Score recorded conversations: OpenAI, Anthropic or Responses messages, or ShareGPT."""
    with _telling():
        from plano_asgi.server.signals_command import replay  # the others start without lexicons

        are_read = replay(
            file,
            lexicon=lexicon,
            has_snippets=has_snippets,
            write=_print_line if is_json else None,
            console=_console(),
        )
    if not are_read:
        raise typer.Exit(1)


@contextmanager
def _telling(*, ends_by_interrupt: bool = False) -> Iterator[None]:
    """An error becomes a sentence and exit code 1; Ctrl-C ends without a word."""
    try:
        yield
    except (PlanoError, OSError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0 if ends_by_interrupt else _INTERRUPTED) from None


def _pictures(
    reader: SpanReader, traffic: Traffic, rows: int, interval: float
) -> Iterator[RenderableType]:
    """One every *interval* seconds, for ever; the store may come later."""
    last = 0
    while True:
        if reader.path.exists():
            last = _follow(reader, traffic, last)
        yield obs_view(traffic, rows=rows, now_ns=time.time_ns())
        time.sleep(interval)


def _follow(reader: SpanReader, traffic: Traffic, last: int) -> int:
    """Read what came after the span *last*; in a large store, the newest of it."""
    last = max(last, reader.newest_id() - _SPANS_READ * 10)
    while spans := reader.follow(last, limit=_SPANS_READ):
        traffic.add(spans)
        last = spans[-1].id
    return last


def _print_traces(
    traces: Sequence[list[StoredSpan]], patterns: Sequence[str], *, is_verbose: bool, is_json: bool
) -> None:
    shown = [spans for spans in traces if spans]
    if is_json:
        _print_json({"traces": [trace_json(spans) for spans in shown]})
        return
    if not shown:
        raise NotFound("no traces")
    console = _console()
    asked = [part for pattern in patterns for part in pattern.split(",")]
    for number, spans in enumerate(shown):
        if number:
            console.print()
        console.print(trace_view(spans, patterns=asked, with_attributes=is_verbose))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RequestError(f"'{text}' is no filter: write KEY=VALUE")
    return clean(key.strip()), clean(value.strip())


def _known(reader: SpanReader, pairs: Sequence[tuple[str, str]], *, has_found: bool) -> None:
    """A filter that finds nothing may be misspelt: then say so."""
    unknown = [key for key, _ in pairs if not has_found and not reader.has_key(key)]
    if unknown:
        keys = ", ".join(FILTERS)
        raise RequestError(f"no span has '{unknown[0]}'; short keys are: {keys}")


def _since(text: str, now_ns: int) -> int | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if match is None:
        raise RequestError(f"'{text}' is no time: write 30s, 10m, 1h or 2d")
    return max(0, now_ns - int(match[1]) * _UNITS_S[match[2]] * 1_000_000_000)


def _console() -> Console:
    """As wide as the terminal; in a pipe, wide enough that nothing is cut."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else _PIPE_WIDTH)


def _print_json(value: object) -> None:
    _print_line(dumps_str(value))


def _print_line(text: str) -> None:
    """A line of JSON, which says the same with what a terminal would obey spelled out."""
    typer.echo(_UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
