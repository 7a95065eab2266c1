"""
What telemetry costs: ``python -m bench.telemetry``.

CPU of the whole process per request and per streamed chunk, exporting threads included, through a
gateway whose upstream answers from memory: with each part on, less the same gateway without
telemetry, in turns. The best of many short runs counts, for others on the machine only add. A chunk
is what a long stream costs more than a short one. Spans go through the batching processor to an
exporter that throws them away, and are exported at the end of each run; the request's own span is
there already, as in a FastAPI app, but for the line that says otherwise. The last line is what two
spans of the SDK's cost in a loop of their own: it tells this machine from others.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler

from plano_asgi import Metrics, Model, Plano, Prices, PrometheusMeters, Telemetry
from plano_asgi._json import dumps, loads
from plano_asgi.conversation import Message, TextPart
from plano_asgi.exchange import Exchange
from plano_asgi.providers.transports import TransportPool
from plano_asgi.signals import analyze
from plano_asgi.telemetry import AccessLog, OTelMeters
from plano_asgi.telemetry.batching import batching

SHORT, LONG = 200, 2_000
"""Chunks of a stream."""
_QUESTION = "Which of the two rivers is longer, and why? " * 20
_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
_USAGE = {"prompt_tokens": 210, "completion_tokens": 400, "total_tokens": 610}


class _Nowhere(SpanExporter):
    """Takes spans and throws them away."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is open."""


class _Reply:
    """One canned answer."""

    status = 200

    def __init__(self, chunks: Sequence[bytes], stream: bool) -> None:
        kind = "text/event-stream" if stream else "application/json"
        self.headers: Mapping[str, str] = {"content-type": kind}
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk

    async def read(self, *, max_bytes: int) -> bytes:
        return b"".join(self._chunks)

    async def aclose(self) -> None:
        """Nothing is open."""


class _Memory:
    """An upstream that is there at once; who waits for it lets others run, as with a real one."""

    def __init__(self) -> None:
        message = {"role": "assistant", "content": "The longer one. " * 20}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._whole = [dumps({**_HEAD, "choices": [choice], "usage": _USAGE})]
        texts = [{"index": 0, "delta": {"content": "a few more words"}, "finish_reason": None}]
        end = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        text = b"data: %b\n\n" % dumps({**_HEAD, "choices": texts})
        last = [{**_HEAD, "choices": end}, {**_HEAD, "choices": [], "usage": _USAGE}]
        ending = [*(b"data: %b\n\n" % dumps(frame) for frame in last), b"data: [DONE]\n\n"]
        self._streams = {chunks: [text] * chunks + ending for chunks in (SHORT, LONG)}

    async def open(self, request: Any, timeouts: Any, /) -> Any:
        await checkpoint()
        for chunks, stream in self._streams.items():
            if b'"max_tokens":%d,' % chunks in request.content:
                return _Reply(stream, stream=True)
        return _Reply(self._whole, stream=False)

    async def aclose(self) -> None:
        """Nothing is open."""


def _gateway(telemetry: Telemetry | None) -> Plano:
    memory = _Memory()
    models = [Model("openai/gpt-4o", api_key="sk-0123456789")]
    return Plano(models, environ={}, telemetry=telemetry, transports=TransportPool(lambda: memory))


def _spans(sampler: Sampler | None = None) -> TracerProvider:
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(batching(_Nowhere()))
    return provider


SUBJECTS: Mapping[str, Callable[[], Telemetry]] = {
    "spans": lambda: Telemetry(tracer_provider=_spans(), signals=False),
    "spans, and the request's own": lambda: Telemetry(tracer_provider=_spans(), signals=False),
    "spans, none of them sampled": lambda: Telemetry(
        tracer_provider=_spans(ALWAYS_OFF), signals=False
    ),
    "Prometheus metrics": lambda: Telemetry(metrics=Metrics([PrometheusMeters()]), signals=False),
    "OpenTelemetry metrics": lambda: Telemetry(metrics=_otel_metrics(), signals=False),
    "access log": lambda: Telemetry(access_log=AccessLog("json", stream=_Sink()), signals=False),
    "signals": lambda: Telemetry(on_outcome=[lambda _: None]),
    "spans, Prometheus, cost": lambda: Telemetry(
        tracer_provider=_spans(),
        metrics=Metrics([PrometheusMeters()]),
        prices=Prices(),
        signals=False,
    ),
}


class _Sink:
    """A terminal that nobody reads."""

    def write(self, text: Any) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""


def _otel_metrics() -> Metrics:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    return Metrics([OTelMeters(MeterProvider([InMemoryMetricReader()]))])


def _body(chunks: int = 0) -> bytes:
    """Asks for a stream of so many *chunks*, or for a whole answer."""
    messages = [{"role": "user", "content": _QUESTION}]
    wish = {"max_tokens": chunks, "stream": True} if chunks else {}
    return dumps({**wish, "model": "openai/gpt-4o", "messages": messages})


async def _drive(
    app: Plano, body: bytes, requests: int, flush: Callable[[], object] = bool
) -> float:
    """CPU microseconds per request, with what *flush* takes at the end."""
    headers = [(b"content-type", b"application/json"), (b"host", b"gateway")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50000),
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }
    leave = anyio.Event()

    async def send(_message: Any) -> None:
        return None

    async def once() -> None:
        told = False

        async def receive() -> Any:
            nonlocal told
            if not told:
                told = True
                return {"type": "http.request", "body": body, "more_body": False}
            await leave.wait()
            return {"type": "http.disconnect"}

        await app(dict(scope), receive, send)
        await checkpoint()

    started = time.process_time()
    for _ in range(requests):
        await once()
    flush()
    return (time.process_time() - started) / requests * 1e6


async def measure(rounds: int, requests: int) -> dict[str, tuple[float, float]]:
    """Microseconds added per request and per chunk, by subject."""
    plain = _gateway(None)
    found: dict[str, tuple[float, float]] = {}
    server = TracerProvider().get_tracer("server").start_span("POST", context=context.Context())
    for name, make in SUBJECTS.items():
        telemetry = make()
        watched, flush = _gateway(telemetry), getattr(telemetry.provider, "force_flush", bool)
        alone = name.endswith("own")
        token = None if alone else context.attach(trace.set_span_in_context(server))
        added = {}
        for chunks in (0, SHORT, LONG):
            body, count = _body(chunks), max(requests // (1 + chunks // 40), 2)
            runs = [
                (await _drive(plain, body, count), await _drive(watched, body, count, flush))
                for _ in range(rounds)
            ]
            added[chunks] = min(run[1] for run in runs) - min(run[0] for run in runs)
        if token is not None:
            context.detach(token)
        found[name] = added[0], (added[LONG] - added[SHORT]) / (LONG - SHORT)
    return found


def bare(rounds: int, requests: int) -> float:
    """Microseconds of two spans of the SDK's with ten attributes each, and of nothing else."""
    provider = _spans()
    tracer = provider.get_tracer("bare")
    told = {f"attribute.{n}": n for n in range(10)}
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(requests):
            with (
                tracer.start_as_current_span("chat") as outer,
                tracer.start_as_current_span("attempt") as inner,
            ):
                for span in (outer, inner):
                    for name, value in told.items():
                        span.set_attribute(name, value)
        provider.force_flush()
        best = min(best, (time.process_time() - started) / requests * 1e6)
    return best


def off(calls: int = 100_000) -> float:
    """Microseconds of one ``exchange.doing`` that nobody watches."""
    exchange = Exchange(
        id="r",
        operation="chat",
        dialect="",
        headers={},
        body={},
        read_request=lambda _: None,  # type: ignore[arg-type, return-value]
    )
    started = time.process_time()
    for _ in range(calls):
        with exchange.doing("guard", "pii", side="request") as activity:
            activity.note(status="passed")
    return (time.process_time() - started) / calls * 1e6


SAID = Path(__file__).resolve().parents[1] / "tests" / "signals" / "conversations"
"""Labelled conversations: what people say in them tells something more often than elsewhere."""


def texts(role: str, least: int = 60, most: int = 80) -> list[str]:
    """
    Different texts of so many characters that a role says in ``SAID``: single ones, and two
    together where one is too short; in an order that is always the same.
    """
    said: dict[str, None] = {}
    for path in sorted(SAID.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            for message in loads(line)["messages"]:
                who = message.get("role") or _SHAREGPT.get(message.get("from"))
                text = message.get("content", message.get("value"))
                if who == role and isinstance(text, str) and text:
                    said[text] = None
    draw = random.Random(5)
    several = draw.choices(list(said), k=20 * len(said))
    pairs = (f"{one} {two}" for one, two in pairwise(several))
    found = [text for text in dict.fromkeys((*said, *pairs)) if least <= len(text) <= most]
    draw.shuffle(found)
    return found


_SHAREGPT = {"human": "user", "gpt": "assistant"}


def conversations(messages: int, count: int) -> list[list[Message]]:
    """*count* conversations of so many messages, no text twice in all of them."""
    people, models = texts("user"), texts("assistant")
    if min(len(people), len(models)) < count * (messages + 1) // 2:
        raise SystemExit(f"{SAID} has not texts enough")
    return [
        [
            Message(role="assistant", parts=[TextPart(text=models.pop())])
            if n % 2
            else Message(role="user", parts=[TextPart(text=people.pop())])
            for n in range(messages)
        ]
        for _ in range(count)
    ]


def analysis(messages: int, rounds: int = 20) -> tuple[float, float]:
    """
    Milliseconds of CPU to analyze a conversation of so many messages, medians: one none of whose
    texts was seen before, and the same once more, as a client sends it with the next turn.
    """
    new: list[float] = []
    again: list[float] = []
    talks = conversations(messages, 2 * rounds)
    for talk in talks[:rounds]:
        analyze(talk)  # words of the language are met again, the texts below are not
    for talk in talks[rounds:]:
        for samples in (new, again):
            started = time.process_time()
            analyze(talk)
            samples.append(time.process_time() - started)
    return statistics.median(new) * 1e3, statistics.median(again) * 1e3


def main() -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--smoke", action="store_true", help="as little as shows that it works")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.requests = 2, 20
    print(f"{'':32}{'ms, texts new':>14}{'again':>12}")
    for messages in (25, 50, 100):
        new, again = analysis(messages)
        print(f"{f'signals, {messages} messages':32}{new:14.2f}{again:12.2f}")
    print(f"{'':32}{'us a request':>14}{'us a chunk':>12}")
    for name, (each, chunk) in anyio.run(measure, options.rounds, options.requests).items():
        print(f"{name:32}{each:14.1f}{chunk:12.2f}")
    print(f"{'off: one activity':32}{off():14.2f}")
    each = bare(options.rounds, options.requests)
    print(f"{'two bare spans, for comparison':32}{each:14.1f}")


if __name__ == "__main__":
    main()
