"""What watches an exchange may fail; the exchange does not, and the log says so once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.exchange import Exchange
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Prices, Rates
from plano_asgi.signals import Analyzer
from plano_asgi.signals.base import Row, Signal
from plano_asgi.telemetry import AccessLog, ContentCapture, Outcome, Telemetry
from plano_asgi.telemetry.batching import batching
from tapped import WHOLE
from telemetry.watching import Watching
from wrapping import CHAT, HI, Echo

pytestmark = pytest.mark.anyio

ASK = {**HI, "model": "openai/gpt-4o"}
USED = {**WHOLE, "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
WORDS = "what a customer said"
PRICES = Prices({"*": Rates(input=1.0, output=1.0)}, bundled=False)


class BrokenPrices(Prices):
    """A table that cannot be read."""

    def price(self, provider: str, model: str, called: tuple[str, ...] = ()) -> Any:
        raise LookupError(WORDS)


def broken_detector(rows: Sequence[Row]) -> Sequence[Signal]:
    """Finds nothing but trouble."""
    raise RuntimeError(WORDS)


def wrong_detector(rows: Sequence[Row]) -> Sequence[Signal]:
    """Finds something whose type is none."""
    return [Signal(type="oops", message_index=0, confidence=1.0)]


def broken_listener(outcome: Outcome) -> None:
    """Cannot hear."""
    raise OSError(WORDS)


async def served(watching: Watching) -> list[str]:
    """Ask once, get a whole answer; the events that were logged."""
    plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
    with capture_logs() as logs:
        found = await drive(plano, CHAT, ASK)
    assert found.status == 200
    assert found.json()["choices"] == WHOLE["choices"]
    assert WORDS not in str(logs)
    assert watching.in_flight == 0
    return [line["event"] for line in logs]


async def test_a_listener_that_raises_keeps_no_other_from_hearing() -> None:
    """Metrics, the log and the listeners after it."""
    heard: list[Outcome] = []
    stream = io.StringIO()
    log = AccessLog(stream=stream, delay_s=0.001)
    watching = Watching(on_outcome=[broken_listener, heard.append], access_log=log)
    assert await served(watching) == ["telemetry_listener_failed"]
    log.shutdown()
    assert len(heard) == 1
    assert '"status":200' in stream.getvalue()
    assert watching.counted("plano_requests_total") == 1
    assert watching.told()["gen_ai.usage.input_tokens"] == 10


async def test_listeners_see_the_span_as_it_is_and_have_the_last_word() -> None:
    """Who puts names out of sight does so there; an iterator of them is heard, too."""
    seen: list[Any] = []

    def redact(outcome: Outcome) -> None:
        span: Any = outcome.span
        seen.append(dict(span.attributes))
        span.set_attribute("gen_ai.request.model", "put out")

    watching = Watching(on_outcome=iter([redact]))
    assert await served(watching) == []
    assert seen[0]["gen_ai.usage.input_tokens"] == 10
    assert watching.told() == {**seen[0], "gen_ai.request.model": "put out"}


class DeafProcessor(LogRecordProcessor):
    """Takes no log record."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        raise RuntimeError(WORDS)

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


async def test_a_log_processor_that_raises_leaves_the_span_whole() -> None:
    """It is the last to hear."""
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(DeafProcessor())
    watching = Watching(content=ContentCapture.EVENT_ONLY, logger_provider=logs)
    assert await served(watching) == ["telemetry_failed"]
    assert watching.told()["gen_ai.usage.input_tokens"] == 10
    assert watching.told()["gen_ai.response.id"] == WHOLE["id"]


async def test_prices_that_fail_leave_the_rest_told() -> None:
    """Tokens, signals and the span."""
    watching = Watching(prices=BrokenPrices({}, bundled=False))
    assert await served(watching) == ["pricing_failed"]
    assert watching.told()["gen_ai.usage.input_tokens"] == 10
    assert "plano.cost.total_usd" not in watching.told()
    assert watching.outcome.signals is not None


async def test_prices_that_fail_leave_out_the_header() -> None:
    """The answer is paid for and good."""
    watching = Watching(prices=BrokenPrices({}, bundled=False), cost_header=True)
    assert await served(watching) == ["pricing_failed", "pricing_failed"]


@pytest.mark.parametrize("detector", [broken_detector, wrong_detector])
async def test_a_detector_that_fails_leaves_the_rest_told(detector: Callable[..., Any]) -> None:
    """Tokens and cost; there are no signals then."""
    watching = Watching(prices=PRICES, signals=Analyzer(extra=[detector]))
    assert await served(watching) == ["signals_failed"]
    assert watching.told()["plano.cost.total_usd"] > 0
    assert watching.outcome.signals is None
    assert "signals.quality" not in watching.told()


async def test_a_detector_that_hangs_is_not_waited_for() -> None:
    """Past ``finish_timeout_s`` the exchange is told without what a look into it would say."""
    gate = threading.Event()

    def hanging(rows: Sequence[Row]) -> Sequence[Signal]:
        gate.wait(10)
        return ()

    watching = Watching(
        signals=Analyzer(extra=[hanging]), long_bytes=1, finish_timeout_s=0.01, prices=PRICES
    )
    try:
        assert await served(watching) == ["telemetry_timeout"]
    finally:
        gate.set()
    outcome = watching.outcome
    assert (outcome.status, outcome.model, outcome.usage) == (200, "gpt-4o", None)
    assert watching.told()["http.response.status_code"] == 200
    assert watching.counted("plano_requests_total") == 1


async def test_what_cannot_be_looked_into_is_told_by_its_outside() -> None:
    """Status, sizes and times are known without a reader of the API."""

    def broken(body: Any) -> Any:
        raise RuntimeError(WORDS)

    async def step(exchange: Exchange) -> None:
        _ = exchange.request  # the gateway's own use of it is over
        exchange.read_request = broken

    watching = Watching(prices=PRICES)
    plano, _ = gateway(answer(USED), steps=[step], telemetry=watching.telemetry)
    with capture_logs() as logs:
        assert (await drive(plano, CHAT, ASK)).status == 200
    assert [line["event"] for line in logs] == ["telemetry_failed"]
    assert WORDS not in str(logs)
    outcome = watching.outcome
    assert (outcome.status, outcome.provider, outcome.model) == (200, "openai", "gpt-4o")
    assert outcome.response_bytes > 0
    assert watching.told()["plano.response.bytes"] == outcome.response_bytes
    assert watching.in_flight == 0


class Exporter(SpanExporter):
    """Raises, or hangs until *gate* is open."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self._gate = gate
        self.asked = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        if self._gate is None:
            raise OSError(WORDS)
        self._gate.wait(10)
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
async def test_an_exporter_in_trouble_slows_and_fails_nothing(hangs: bool) -> None:
    """Answers go on; the end waits for as long as it was told."""
    gate = threading.Event() if hangs else None
    exporter = Exporter(gate)
    processor = batching(exporter, delay_s=0.001, timeout_s=0.01, max_queue=8, max_batch=4)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    telemetry = Telemetry(tracer_provider=provider, owned=[provider], shutdown_timeout_s=2.0)
    app = PlanoTracing(Echo(), telemetry=telemetry)
    try:
        for _ in range(20):
            assert (await drive(app, CHAT, HI)).json() == HI
        assert exporter.asked.wait(5)
        await telemetry.aclose()
    finally:
        if gate is not None:
            gate.set()
    assert processor.dropped > 0


async def test_what_does_not_shut_down_is_left_behind() -> None:
    """Within ``shutdown_timeout_s``, and told."""
    gate = threading.Event()

    class Hanging:
        def shutdown(self) -> None:
            gate.wait(10)

    telemetry = Telemetry(owned=[Hanging()], shutdown_timeout_s=0.01)
    try:
        with capture_logs() as logs:
            await telemetry.aclose()
    finally:
        gate.set()
    assert [line["event"] for line in logs] == ["telemetry_not_flushed"]
