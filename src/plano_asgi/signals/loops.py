"""Agents that go in circles: the same call again and again, in variations, or in turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plano_asgi.signals.arguments import canonical, is_variation, read_arguments
from plano_asgi.signals.base import Row, Signal
from plano_asgi.signals.results import answered_calls, is_fruitless

RETRY_CALLS = 3
DRIFT_CALLS = 3
CYCLES = 3
LEAST_CALLS = min(RETRY_CALLS, DRIFT_CALLS, CYCLES)
_ARROW = " \u2192 "
LONGEST_CYCLE = 5
TELLING_RESULT = 80
"""Characters; shorter results (done, created) are alike although they are of different things."""
REPEATED_SHARE = 0.5
"""Of a cycle's calls: so many have to be the ones of the cycle before, or to bring nothing."""


@dataclass(frozen=True)
class _Call:
    """A call and its result; read only as far as somebody asks."""

    row: Row
    answer: Row | None

    @cached_property
    def arguments(self) -> Any:
        return read_arguments(self.row.text)

    @cached_property
    def key(self) -> tuple[str, Hashable]:
        return self.row.name, canonical(self.arguments)

    @cached_property
    def is_fruitless(self) -> bool:
        return self.answer is not None and is_fruitless(self.answer)

    @property
    def result(self) -> str:
        return "" if self.answer is None else self.answer.text.strip()


@dataclass(frozen=True)
class _Step:
    """The calls of one turn of the model: several were made side by side."""

    calls: tuple[_Call, ...]

    @cached_property
    def name(self) -> str:
        return "+".join(sorted({call.row.name for call in self.calls}))

    @property
    def only(self) -> _Call | None:
        return self.calls[0] if len(self.calls) == 1 else None


def loops(rows: Sequence[Row]) -> Iterator[Signal]:
    """
    ``execution.loops.*`` between one message of a person and the next.

    * retry: three or more turns in a row make the same call with equal arguments.
    * parameter_drift: three or more calls of one tool, each after the first either a variation of
      the one before or made because that one brought nothing. Reading five files is none.
    * oscillation: three or more cycles of two to five tools that repeat their calls or bring
      nothing. Working through a list with two tools is none.

    The index is the first call's. Metadata: ``loop_type``, ``start_index``, ``end_index``, and
    ``tool_name`` with ``call_count`` (and ``variation_count``), or ``pattern`` with
    ``cycle_count``.
    """
    results: Mapping[int, Row] | None = None
    for blocks in _segments(rows):
        names = Counter(rows[at].name for block in blocks for at in block)
        if max(names.values(), default=0) < LEAST_CALLS:
            continue
        if results is None:
            results = {call: rows[at] for at, call in answered_calls(rows).items()}
        steps = [step for block in blocks for step in _steps(rows, block, results)]
        retries = list(_retries(steps))
        yield from (signal for _, signal in retries)
        retried = {step for positions, _ in retries for step in positions}
        yield from _drifts(steps, retried)
        yield from _oscillations(steps)


# --------------------------------------------------------------------------- steps


def _segments(rows: Sequence[Row]) -> Iterator[list[list[int]]]:
    """Between two messages of a person: the positions of calls, adjacent ones together."""
    blocks: list[list[int]] = []
    for at, row in enumerate(rows):
        if row.kind == "human":
            yield blocks
            blocks = []
        elif row.kind == "function_call":
            if at and blocks and rows[at - 1].kind == "function_call":
                blocks[-1].append(at)
            else:
                blocks.append([at])
    yield blocks


def _steps(rows: Sequence[Row], block: list[int], results: Mapping[int, Row]) -> Iterator[_Step]:
    """
    Calls with nothing between them are side by side where they are of one message, or where
    several of their results come together after them.
    """
    after = rows[block[-1] + 1 : block[-1] + 3]
    together = len(block) > 1 and len(after) == 2 and all(r.kind == "observation" for r in after)
    batch: list[int] = []
    for at in block:
        if batch and not together and rows[at].index != rows[batch[-1]].index:
            yield _Step(tuple(_Call(rows[i], results.get(i)) for i in batch))
            batch = []
        batch.append(at)
    yield _Step(tuple(_Call(rows[i], results.get(i)) for i in batch))


# --------------------------------------------------------------------------- retry


def _retries(steps: Sequence[_Step]) -> Iterator[tuple[range, Signal]]:
    """Runs of steps that have one call in common, with the positions of the steps."""
    open_runs: dict[tuple[str, Hashable], tuple[int, _Call, _Call]] = {}
    for at in range(len(steps) + 1):
        now = {call.key: call for call in steps[at].calls} if at < len(steps) else {}
        for key, (start, first, last) in open_runs.items():
            if key not in now and at - start >= RETRY_CALLS:
                yield range(start, at), _retry(first, last, at - start)
        open_runs = {
            key: (*open_runs[key][:2], call) if key in open_runs else (at, call, call)
            for key, call in now.items()
        }


def _retry(first: _Call, last: _Call, count: int) -> Signal:
    return _signal(
        "retry",
        first.row,
        last.row,
        0.95,
        f"tool {first.row.name} called {count} times with identical arguments",
        tool_name=first.row.name,
        call_count=count,
    )


def _signal(
    kind: str, first: Row, last: Row, confidence: float, snippet: str, **metadata: Any
) -> Signal:
    return Signal(
        type=f"execution.loops.{kind}",
        message_index=first.index,
        confidence=confidence,
        snippet=snippet,
        metadata={
            "loop_type": kind,
            "start_index": first.index,
            "end_index": last.index,
            **metadata,
        },
    )


# --------------------------------------------------------------------------- drift


def _drifts(steps: Sequence[_Step], retried: set[int]) -> Iterator[Signal]:
    run: list[_Call] = []
    for at, step in enumerate(steps):
        call = None if at in retried else step.only
        if call is None or not run or not _follows(run[-1], call):
            yield from _drift(run)
            run = []
        if call is not None:
            run.append(call)
    yield from _drift(run)


def _follows(before: _Call, call: _Call) -> bool:
    """Whether *call* is another try at what *before* was to bring."""
    if before.row.name != call.row.name:
        return False
    if before.is_fruitless or before.key == call.key:
        return True
    if before.result == call.result and len(before.result) >= TELLING_RESULT:
        return True
    return is_variation(before.arguments, call.arguments)


def _drift(run: Sequence[_Call]) -> Iterator[Signal]:
    variations = len({call.key for call in run})
    if len(run) < DRIFT_CALLS or variations < 2:
        return
    name = run[0].row.name
    yield _signal(
        "parameter_drift",
        run[0].row,
        run[-1].row,
        0.85,
        f"tool {name} called {len(run)} times with {variations} different argument variations",
        tool_name=name,
        call_count=len(run),
        variation_count=variations,
    )


# --------------------------------------------------------------------------- oscillation


def _oscillations(steps: Sequence[_Step]) -> Iterator[Signal]:
    """Of cycles that overlap the one that starts first, then the longest in steps, counts."""
    if len(steps) < 2 * CYCLES:
        return
    names = [step.name for step in steps]
    spans = [
        (start, -(end - start), length)
        for length in range(2, LONGEST_CYCLE + 1)
        for start, end in _cycles(names, length)
        if len(set(names[start : start + length])) > 1 and _circles(steps, start, end, length)
    ]
    behind = 0
    for start, size, length in sorted(spans):
        if start < behind:
            continue
        behind = start - size
        pattern, cycles = names[start : start + length], -size // length
        yield _signal(
            "oscillation",
            steps[start].calls[0].row,
            steps[behind - 1].calls[-1].row,
            0.9,
            f"{_ARROW.join(pattern)}, repeated {cycles} times",
            pattern=pattern,
            cycle_count=cycles,
        )


def _cycles(names: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """Where names come again after *length* for at least ``CYCLES`` whole cycles."""
    start = 0
    for at in range(length, len(names) + 1):
        if at < len(names) and names[at] == names[at - length]:
            continue
        whole = (at - start) // length
        if whole >= CYCLES:
            yield start, start + whole * length
        start = at - length + 1


def _circles(steps: Sequence[_Step], start: int, end: int, length: int) -> bool:
    """Whether the cycles of *steps* get nowhere."""
    again = sum(
        {call.key for call in steps[at].calls} == {c.key for c in steps[at - length].calls}
        or any(call.is_fruitless for call in steps[at - length].calls)
        for at in range(start + length, end)
    )
    return again >= REPEATED_SHARE * (end - start - length)


def count_calls(rows: Iterable[Row]) -> int:
    """How many calls *rows* hold."""
    return sum(row.kind == "function_call" for row in rows)
