"""How it is measured: one function per figure, one row per line of the table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.processes import GATEWAY_CORE, LOAD_CORE, Process

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
_STREAM_END = {CHAT: "[DONE]", MESSAGES: "message_stop"}
_HELD = "n30-i1000"  # outlasts the measures, and ends though a subject forgets to close it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """
    One subject under measurement, and what surrounds it.

    Args:
        scale: Divides the number of requests; 1 is a full run.
        repeats: Of each figure; the median counts.
    """

    gateway: Process
    mock: Process
    load: Process
    scale: int
    repeats: int

    def times(self, count: int, least: int = 1) -> int:
        """*count* at this run's scale."""
        return max(count // self.scale, least)

    def cpu_each(self, units: int, **command: object) -> float:
        """Median CPU seconds of the gateway per unit of work, after one unmeasured round."""
        samples = []
        warm = {**command, "requests": max(int(str(command["requests"])) // 10, 1)}
        self.load.ask(do="drive", port=self.gateway.port, **warm)
        for _ in range(self.repeats):
            before = self.gateway.cpu_s()
            self.load.ask(do="drive", port=self.gateway.port, **command)
            samples.append((self.gateway.cpu_s() - before) / units)
        return statistics.median(samples)


def body(model: str, *, size: int = 2048, stream: bool = False) -> str:
    """A request of *size* bytes that is valid in chat completions and in Anthropic messages."""
    value = {"model": model, "max_tokens": 1000, "temperature": 0.5, "stream": stream}
    turn = "Please say which of the two rivers is longer, and why. "
    messages = [{"role": "user", "content": turn}]
    while len(json.dumps({**value, "messages": messages})) + 700 < size:
        messages.append({"role": ("user", "assistant")[len(messages) % 2], "content": turn * 10})
    rest = size - len(json.dumps({**value, "messages": messages}))
    messages[0]["content"] += "x" * max(rest, 0)
    return json.dumps({**value, "messages": messages})


def unary(bench: Bench, *, connections: int, size: int, requests: int) -> float:
    """CPU milliseconds per request."""
    count = bench.times(requests, 2 * connections)
    content = body("openai/gpt-bench", size=size)
    options = {"path": CHAT, "body": content, "end": "usage", "connections": connections}
    return bench.cpu_each(count, requests=count, **options) * 1e3


def streams(
    bench: Bench,
    *,
    chunks: int,
    interval_ms: int = 0,
    path: str = CHAT,
    provider: str = "openai",
    connections: int = 32,
) -> float:
    """CPU microseconds per chunk over *connections* streams at once."""
    count = bench.times(chunks, 20)
    content = body(f"{provider}/n{count}-i{interval_ms}", stream=True)
    options = {"path": path, "body": content, "end": _STREAM_END[path]}
    units = count * connections
    each: float = bench.cpu_each(units, requests=connections, connections=connections, **options)
    return each * 1e6


def translated(bench: Bench, *, path: str, provider: str, native: str) -> float:
    """CPU microseconds per chunk that *provider*'s dialect costs more than the client's own."""
    own = streams(bench, chunks=1000, path=path, provider=native)
    return streams(bench, chunks=1000, path=path, provider=provider) - own


def first_token(bench: Bench, *, requests: int) -> float:
    """
    Milliseconds that the gateway adds to the first content of a stream.

    On one core: with one connection only one process works at a time, and waking another core of
    a virtual machine takes longer than the gateway.
    """
    options = {
        "path": CHAT,
        "body": body("openai/n10-i0", stream=True),
        "end": "[DONE]",
        "connections": 1,
        "requests": bench.times(requests, 20),
    }
    bench.gateway.pin(LOAD_CORE)
    medians = list[float]()
    for port in (bench.mock.port, bench.gateway.port):
        samples = bench.load.ask(do="first_token", port=port, **options)
        medians.append(statistics.median(samples))
    bench.gateway.pin(GATEWAY_CORE)
    return (medians[1] - medians[0]) * 1e3


def idle_memory(bench: Bench) -> float:
    """MiB after the first few requests."""
    unary(bench, connections=1, size=2048, requests=10)
    return bench.gateway.rss_mib()


def stream_memory(bench: Bench, *, count: int) -> float:
    """MiB while streams are open. A smaller run opens fewer, and the figure means less."""
    count = bench.times(count, 50)
    _hold(bench, "hold", count)
    held = bench.gateway.rss_mib()
    bench.load.ask(do="release")
    return held


def memory_growth(bench: Bench, *, requests: int) -> float:
    """MiB gained over *requests*, after as many to settle."""
    one_round = partial(unary, bench, connections=32, size=2048, requests=requests)
    one_round()
    before = bench.gateway.rss_mib()
    one_round()
    return bench.gateway.rss_mib() - before


def cancelled(bench: Bench, *, count: int = 8) -> float:
    """Streams left by the client of which the upstream knew within 0.1 s."""
    return float(_hold(bench, "cancel", count))


def _hold(bench: Bench, command: str, count: int) -> int:
    content = body(f"openai/{_HELD}", stream=True)
    options = {"path": CHAT, "body": content, "connections": count, "mock": bench.mock.port}
    return int(bench.load.ask(do=command, port=bench.gateway.port, **options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """
    One row.

    Args:
        target: At most this; for *exactly*, just this.
        translates: Only for subjects that translate.
    """

    name: str
    unit: str
    run: Callable[[Bench], float]
    target: float | None = None
    exactly: bool = False
    translates: bool = False


def _unary(
    name: str, target: float | None, *, connections: int, size: int, requests: int
) -> Measure:
    run = partial(unary, connections=connections, size=size, requests=requests)
    return Measure(name=name, unit="ms CPU", run=run, target=target)


def _translated(name: str, path: str, provider: str, native: str) -> Measure:
    run = partial(translated, path=path, provider=provider, native=native)
    return Measure(name=name, unit="us CPU/chunk", run=run, target=15.0, translates=True)


MEASURES = (
    Measure(name="memory-idle", unit="MiB", run=idle_memory, target=60.0),
    _unary("unary-2k-1", None, connections=1, size=2048, requests=3000),
    _unary("unary-2k-32", 0.28, connections=32, size=2048, requests=10_000),
    _unary("unary-2k-256", 0.35, connections=256, size=2048, requests=10_000),
    _unary("unary-20k-32", 0.40, connections=32, size=20_480, requests=5000),
    Measure(
        name="stream-flat-out", unit="us CPU/chunk", run=partial(streams, chunks=2000), target=6.0
    ),
    Measure(
        name="stream-5ms",
        unit="us CPU/chunk",
        run=partial(streams, chunks=400, interval_ms=5),
        target=60.0,
    ),
    _translated("chat-from-anthropic", CHAT, "anthropic", "openai"),
    _translated("anthropic-from-chat", MESSAGES, "openai", "anthropic"),
    Measure(
        name="first-token-added", unit="ms", run=partial(first_token, requests=500), target=0.5
    ),
    Measure(name="memory-growth", unit="MiB", run=partial(memory_growth, requests=12_500)),
    Measure(
        name="memory-1000-streams", unit="MiB", run=partial(stream_memory, count=1000), target=150.0
    ),
    Measure(name="cancelled-in-time", unit="of 8", run=cancelled, target=8.0, exactly=True),
)
