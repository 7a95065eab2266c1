"""
Measure what the gateway costs: ``python bench/run.py [--smoke] [--only NAME] [--json FILE]``.

A mock upstream, a load generator and one server process after the other, all on loopback. CPU time
is the server process's own, from the kernel, so that a busy machine blurs it little; the ratio to
the floor, taken in the same run, blurs it least. Linux only.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.measures import MEASURES, Bench, Measure
from bench.processes import GATEWAY_CORE, LOAD_CORE, Process, allow_many_files, started
from bench.subjects import SUBJECTS, Subject

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much work a run is."""

    divisor: int
    repeats: int


FULL, SMOKE = Scale(divisor=1, repeats=3), Scale(divisor=50, repeats=1)


def main(argv: list[str] | None = None) -> int:
    """Run what *argv* asks for and print the table; missed targets are no failure."""
    arguments = _arguments(argv)
    allow_many_files()
    measures = [m for m in MEASURES if arguments.only in m.name]
    names = arguments.subject or [subject.name for subject in SUBJECTS if not subject.if_named]
    subjects = [s for s in SUBJECTS if s.available and s.name in names]
    if not measures or not subjects:
        print("nothing to measure by that name", file=sys.stderr)
        return 2
    figures = _measured(subjects, measures, SMOKE if arguments.smoke else FULL)
    print(_table(measures, figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(_report(measures, figures), indent=2) + "\n")
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small counts: does it all run?")
    parser.add_argument("--only", default="", help="measures whose names contain this")
    parser.add_argument("--subject", action="append", help="only this subject; repeatable")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args(argv)


def _measured(subjects: list[Subject], measures: list[Measure], scale: Scale) -> Figures:
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        started("bench.upstream", core=LOAD_CORE) as mock,
        started("bench.load", core=LOAD_CORE) as load,
    ):
        mock.read_port()
        for subject in subjects:
            env = subject.environment(f"http://127.0.0.1:{mock.port}", Path(directory))
            with started("bench.serve", subject.app, core=GATEWAY_CORE, env=env) as gateway:
                gateway.read_port()
                bench = _bench(gateway, mock, load, scale)
                figures[subject.name] = _figures(subject, measures, bench)
    return figures


def _bench(gateway: Process, mock: Process, load: Process, scale: Scale) -> Bench:
    return Bench(gateway=gateway, mock=mock, load=load, scale=scale.divisor, repeats=scale.repeats)


def _figures(subject: Subject, measures: list[Measure], bench: Bench) -> dict[str, float]:
    found = {}
    for measure in measures:
        if measure.translates and not subject.translates:
            continue
        print(f"{subject.name}: {measure.name}", file=sys.stderr)
        found[measure.name] = measure.run(bench)
    return found


def _table(measures: list[Measure], figures: Figures) -> str:
    names = list(figures)
    ratios = [name for name in names if name != "floor" and "floor" in figures]
    heads = ["measure", "unit", "target", *names, *(f"{name} / floor" for name in ratios)]
    rows = [heads, ["---"] * 3 + ["---:"] * (len(heads) - 3)]
    for measure in measures:
        values = [figures[name].get(measure.name) for name in names]
        floor = figures.get("floor", {}).get(measure.name)
        cells = [measure.name, measure.unit, _target(measure)]
        cells += ["-" if value is None else _figure(measure, value) for value in values]
        for name in ratios:
            value = figures[name].get(measure.name)
            cells.append(f"{value / floor:.2f}" if value is not None and floor else "-")
        rows.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _target(measure: Measure) -> str:
    if measure.target is None:
        return "-"
    return f"{measure.target:g}" if measure.exactly else f"<= {measure.target:g}"


def _figure(measure: Measure, value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return text if _met(measure, value) is not False else f"**{text}**"


def _met(measure: Measure, value: float) -> bool | None:
    if measure.target is None:
        return None
    return value == measure.target if measure.exactly else value <= measure.target


def _report(measures: list[Measure], figures: Figures) -> dict[str, object]:
    targets = {measure.name: measure.target for measure in measures if measure.target is not None}
    units = {measure.name: measure.unit for measure in measures}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "units": units,
        "targets": targets,
        "figures": figures,
    }
