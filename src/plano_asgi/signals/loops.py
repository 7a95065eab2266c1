"""Agents that go in circles: the same call again and again, in variations, or in turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from typing import Any

from plano_asgi.signals.arguments import canonical, is_variation, read_arguments
from plano_asgi.signals.base import Row, Signal
from plano_asgi.signals.results import answered_calls, is_fruitless, positions_of_trouble

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


class _Call:
    """A call and its result; *in_trouble*: which was an error."""

    __slots__ = ("answer", "arguments", "is_lost", "key", "row")

    def __init__(self, row: Row, answer: Row | None, *, in_trouble: bool) -> None:
        self.row = row
        self.answer = answer
        self.arguments = read_arguments(row.text)
        self.key: tuple[str, Hashable] = (row.name, canonical(self.arguments))
        self.is_lost = True if in_trouble else None

    @property
    def is_fruitless(self) -> bool:
        """Whether it has to be made again; read when first asked."""
        if self.is_lost is None:
            self.is_lost = self.answer is not None and is_fruitless(self.answer)
        return self.is_lost

    @property
    def result(self) -> str:
        return "" if self.answer is None else self.answer.text.strip()


class _Step:
    """The calls of one turn of the model: several were made side by side."""

    __slots__ = ("calls", "name", "only")

    def __init__(self, calls: Sequence[_Call]) -> None:
        self.calls = calls
        self.only = calls[0] if len(calls) == 1 else None
        names = {call.row.name for call in calls}
        self.name = "+".join(sorted(names)) if len(names) > 1 else calls[0].row.name


def loops(rows: Sequence[Row], *, in_trouble: Container[int] | None = None) -> Iterator[Signal]:
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

    Args:
        in_trouble: The positions of results that are errors for sure, where somebody has read
            them already.
    """
    calls: _Calls | None = None
    for blocks in _segments(rows):
        names = Counter(rows[at].name for block in blocks for at in block)
        if max(names.values(), default=0) < LEAST_CALLS:
            continue
        calls = calls or _Calls(rows, in_trouble)
        steps = [step for block in blocks for step in _steps(rows, block, calls)]
        retries = list(_retries(steps))
        yield from (signal for _, signal in retries)
        retried = {step for positions, _ in retries for step in positions}
        yield from _drifts(steps, retried)
        yield from _oscillations(steps)


# --------------------------------------------------------------------------- steps


class _Calls:
    """The calls of a window by their positions, each with its result."""

    def __init__(self, rows: Sequence[Row], in_trouble: Container[int] | None) -> None:
        self._rows = rows
        self._answers = {call: at for at, call in answered_calls(rows).items()}
        self._in_trouble = positions_of_trouble(rows) if in_trouble is None else in_trouble

    def at(self, positions: Iterable[int]) -> _Step:
        """Those at *positions*, as one step."""
        return _Step([self._call(at) for at in positions])

    def _call(self, at: int) -> _Call:
        answer = self._answers.get(at, -1)
        result = self._rows[answer] if answer >= 0 else None
        return _Call(self._rows[at], result, in_trouble=answer in self._in_trouble)


def _segments(rows: Sequence[Row]) -> Iterator[list[list[int]]]:
    """Between two messages of a person: the positions of calls, adjacent ones together."""
    blocks: list[list[int]] = []
    last = -1
    for at, row in enumerate(rows):
        if row.kind == "human":
            if blocks:
                yield blocks
                blocks = []
        elif row.kind == "function_call":
            if blocks and last == at - 1:
                blocks[-1].append(at)
            else:
                blocks.append([at])
            last = at
    if blocks:
        yield blocks


def _steps(rows: Sequence[Row], block: list[int], calls: _Calls) -> Iterator[_Step]:
    """
    Calls with nothing between them are side by side where they are of one message, or where
    several of their results come together after them.
    """
    after = rows[block[-1] + 1 : block[-1] + 3]
    together = len(block) > 1 and len(after) == 2 and all(r.kind == "observation" for r in after)
    batch: list[int] = []
    for at in block:
        if batch and not together and rows[at].index != rows[batch[-1]].index:
            yield calls.at(batch)
            batch = []
        batch.append(at)
    yield calls.at(batch)


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
