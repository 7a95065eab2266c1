"""Live traffic in a terminal: what was asked of which model, how fast it came, what it cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from plano_asgi.server.trace_view import status_text
from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.span_rows import StoredSpan
from plano_asgi.telemetry.span_tree import (
    Figures,
    cost_text,
    duration_text,
    figures,
    is_exchange,
    printable,
    tokens_per_s,
    tokens_text,
)

_NAME_WIDTH = 32
_MODELS = 8
_ROUTES = 6
_FAST_S, _SLOW_S = 0.5, 2.0
_FIRST_FAST_S, _FIRST_SLOW_S = 0.3, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answered request, out of its span."""

    id: int
    end_ns: int
    duration_s: float
    session: str
    request_id: str
    figures: Figures

    @property
    def speed(self) -> float | None:
        """Output tokens a second, once a stream had begun."""
        return tokens_per_s(self.figures, self.duration_s)

    @property
    def is_error(self) -> bool:
        """It failed, or was answered 400 or more."""
        return bool(self.figures.error) or (self.figures.status or 0) >= 400


@dataclass(slots=True)
class Traffic:
    """The last *capacity* calls, the oldest first."""

    capacity: int = 1000
    calls: deque[Call] = field(init=False)

    def __post_init__(self) -> None:
        self.calls = deque(maxlen=self.capacity)

    def add(self, spans: Iterable[StoredSpan]) -> None:
        """Take the calls among *spans*."""
        for span in spans:
            if is_exchange(span):
                has = span.attributes
                self.calls.append(
                    Call(
                        id=span.id,
                        end_ns=span.end_ns,
                        duration_s=span.duration_s,
                        session=printable(str(has.get(semconv.SESSION_ID) or "")),
                        request_id=printable(str(has.get(semconv.REQUEST_ID) or span.span_id)),
                        figures=figures(span),
                    )
                )


def obs_view(traffic: Traffic, *, rows: int = 15, now_ns: int = 0) -> RenderableType:
    """
    The whole picture.

    Args:
        rows: Of the list of recent calls.
        now_ns: Since the epoch; the age of the last error is told by it.
    """
    calls = list(traffic.calls)
    if not calls:
        return Text("no requests yet", style="dim")
    top = Table.grid(expand=True, padding=(0, 1))
    top.add_column(ratio=1)
    top.add_column(ratio=1)
    top.add_row(_panel("totals", _totals(calls)), _panel("by model", _models(calls)))
    parts: list[RenderableType] = [top]
    if any(call.figures.route for call in calls):
        parts.append(_panel("by route", _routes(calls)))
    errors = [call for call in calls if call.is_error]
    if errors:
        parts.append(_last_error(errors[-1], now_ns))
    parts.append(_panel("recent", _recent(calls[-rows:][::-1])))
    return Group(*parts)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The value at *percent* of *values*, the nearest one there is; ``None`` of none."""
    if not values:
        return None
    return sorted(values)[round(percent / 100 * (len(values) - 1))]


def _totals(calls: Sequence[Call]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    clients = sum(1 for c in calls if 400 <= (c.figures.status or 0) < 500)
    failed = sum(1 for c in calls if c.is_error)
    latest = calls[-1].session
    sessions = {c.session for c in calls if c.session}
    firsts = [c.figures.first_chunk_s for c in calls if c.figures.first_chunk_s is not None]
    rows = {
        "requests": f"{len(calls)}",
        "errors": f"{failed}  ({clients} of the client, {failed - clients} others)",
        "cost": _cost(calls),
        "tokens": f"{_sum(calls, _input):,} in  {_sum(calls, _output):,} out"
        f"  {_sum(calls, _cached):,} cached",
        "time": _percentiles([c.duration_s for c in calls]),
        "TTFT": _percentiles(firsts),
        "sessions": f"{len(sessions)}" + (f"  now {_short(latest, 16)}" if latest else ""),
    }
    for name, value in rows.items():
        grid.add_row(Text(name, style="dim"), Text(value))
    return grid


def _percentiles(values: Sequence[float]) -> str:
    if not values:
        return "-"
    found = ((p, duration_text(percentile(values, p))) for p in (50, 95, 99))
    return "  ".join(f"p{percent} {text}" for percent, text in found)


def _models(calls: Sequence[Call]) -> RenderableType:
    groups = _grouped(calls, lambda call: call.figures.model or "-")
    groups.sort(key=lambda item: (-_money(item[1]), -len(item[1]), item[0]))
    table = _table(("model", ""), *((t, "right") for t in ("req", "in", "out", "tok/s", "cost")))
    for name, members in groups[:_MODELS]:
        speeds = [speed for call in members if (speed := call.speed) is not None]
        table.add_row(
            Text(_short(name)),
            str(len(members)),
            tokens_text(_sum(members, _input)),
            tokens_text(_sum(members, _output)),
            f"{sum(speeds) / len(speeds):.0f}" if speeds else "",
            _cost(members),
        )
    return table


def _routes(calls: Sequence[Call]) -> RenderableType:
    routed = [call for call in calls if call.figures.route]
    groups = _grouped(routed, lambda call: call.figures.route)
    groups.sort(key=lambda item: (-len(item[1]), item[0]))
    table = _table(("route", ""), *((t, "right") for t in ("hits", "share", "p95", "errors")))
    for name, members in groups[:_ROUTES]:
        table.add_row(
            Text(_short(name)),
            str(len(members)),
            f"{len(members) / len(routed):.0%}",
            duration_text(percentile([c.duration_s for c in members], 95)),
            str(sum(1 for c in members if c.is_error)),
        )
    return table


def _recent(calls: Sequence[Call]) -> RenderableType:
    numbers = ("in", "cached", "out", "TTFT", "time", "tok/s", "cost")
    table = _table(("at", ""), ("model", ""), ("route", ""), *((t, "right") for t in numbers))
    table.add_column("status", no_wrap=True)
    for call in calls:
        found = call.figures
        table.add_row(
            _clock(call.end_ns),
            _asked(found),
            Text(_short(found.route, 16)),
            tokens_text(found.input_tokens),
            tokens_text(found.cached_tokens),
            tokens_text(found.output_tokens),
            _timed(found.first_chunk_s, _FIRST_FAST_S, _FIRST_SLOW_S),
            _timed(call.duration_s, _FAST_S, _SLOW_S),
            f"{speed:.0f}" if (speed := call.speed) is not None else "",
            cost_text(found.cost_usd, is_estimated=found.is_estimated),
            status_text(found),
        )
    return table


def _last_error(call: Call, now_ns: int) -> RenderableType:
    found = call.figures
    age = f"{duration_text(max(0.0, (now_ns - call.end_ns) / 1e9))} ago" if now_ns else ""
    facts = (found.model, found.route, age, f"request {call.request_id}")
    text = Text.assemble("last error  ", status_text(found), "  ", "  ".join(filter(None, facts)))
    is_clients = 400 <= (found.status or 0) < 500
    return Panel(text, border_style="yellow" if is_clients else "red")


def _asked(found: Figures) -> Text:
    mark = " ≋" if found.is_stream else ""
    is_other = found.asked and found.asked != found.model
    asked = f"{_short(found.asked)} → " if is_other else ""
    return Text.assemble((asked, "dim"), _short(found.model), (mark, "dim"))


def _timed(seconds: float | None, fast_s: float, slow_s: float) -> Text:
    style = "" if seconds is None else "green" if seconds < fast_s else "yellow"
    style = "red" if seconds is not None and seconds >= slow_s else style
    return Text(duration_text(seconds), style=style)


def _grouped(calls: Iterable[Call], key: Callable[[Call], str]) -> list[tuple[str, list[Call]]]:
    groups: dict[str, list[Call]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return list(groups.items())


def _money(calls: Iterable[Call]) -> float:
    return sum(call.figures.cost_usd or 0.0 for call in calls)


def _cost(calls: Sequence[Call]) -> str:
    if all(call.figures.cost_usd is None for call in calls):
        return "-"
    return cost_text(_money(calls), is_estimated=any(c.figures.is_estimated for c in calls))


def _input(found: Figures) -> int | None:
    return found.input_tokens


def _output(found: Figures) -> int | None:
    return found.output_tokens


def _cached(found: Figures) -> int | None:
    return found.cached_tokens


def _sum(calls: Iterable[Call], of: Callable[[Figures], int | None]) -> int:
    return sum(of(call.figures) or 0 for call in calls)


def _short(text: str, width: int = _NAME_WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9).strftime("%H:%M:%S")


def _panel(title: str, inside: RenderableType) -> Panel:
    return Panel(inside, title=title, title_align="left", border_style="dim")


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", expand=True)
    for title, side in columns:
        table.add_column(
            title, justify="right" if side else "left", no_wrap=True, overflow="ellipsis"
        )
    return table
