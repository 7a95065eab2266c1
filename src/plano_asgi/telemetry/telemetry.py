"""
``Telemetry``: what is watched, and where it goes. One of them is shared by all exchanges of an app;
what belongs to one exchange is in a ``Watch``.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeAlias

import anyio.to_thread
import structlog
from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, TracerProvider

from plano_asgi.activities import Watcher
from plano_asgi.asgi.request import trace_of
from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.pricing import Prices
from plano_asgi.signals import Analyzer
from plano_asgi.signals.base import Row, SignalReport
from plano_asgi.signals.triage import Triage
from plano_asgi.telemetry.access_log import AccessLog
from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.content import ContentCapture
from plano_asgi.telemetry.cost import CostBook, format_cost
from plano_asgi.telemetry.counted import Counted
from plano_asgi.telemetry.headers import SpanHeaders
from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.semconv import DISTINCT_ID, SCHEMA_URL, Names, semconv
from plano_asgi.telemetry.spans import APITracer, SpanStarter

OnOutcome: TypeAlias = Callable[[Outcome], None]
"""Hears of every exchange that is over. Must not block; what it raises is logged, no more."""

_SCOPE_NAME = "plano_asgi"
_MAX_DISTINCT_ID = 200  # characters
_log = structlog.get_logger("plano_asgi")


class Telemetry:
    """
    Traces, metrics, cost, signals and the access log of an app's exchanges.

    Args:
        tracer_provider: Whose spans; the global one if ``None``. Without any, no spans are made,
            and all the rest works.
        logger_provider: Who takes the events that *content* asks for; the global one if ``None``.
        metrics: See ``Metrics``.
        access_log: See ``AccessLog``.
        signals: ``True`` for the shipped detectors, an ``Analyzer`` of your own, or ``False``.
        prices: What tokens cost; ``None``: no cost is told.
        content: Whether prompts and answers go onto spans, after masking.
        headers: Span attributes taken from request headers, and fixed ones.
        cost_header: Say ``x-plano-cost`` on whole answers of a gateway.
        triage: Judges which conversations are worth keeping; see ``TriageProcessor``.
        on_outcome: Called with every ``Outcome``.
        plano_names: Write Plano's own attributes (``llm.*``) besides, for dashboards made for it.
        opt_in: The value of ``OTEL_SEMCONV_STABILITY_OPT_IN``.
        distinct_id_header: The request header that says whose it is (``plano.distinct_id``).
        tell_providers_baggage: Send W3C baggage to model providers, too.
        max_recorded_bytes: Of a request and of an answer that are looked at after the last byte;
            of a larger answer only the end is.
        long_bytes: Bodies over it are looked at in a worker thread.
        finish_timeout_s: For everything that happens after the last byte.
        owned: Tracer or meter providers to be flushed and shut down with the app.
        shutdown_timeout_s: For that.

    Raises:
        ConfigurationError: A bound that is none.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        metrics: Metrics | None = None,
        access_log: AccessLog | None = None,
        signals: Analyzer | bool = True,
        prices: Prices | None = None,
        content: ContentCapture = ContentCapture.NO_CONTENT,
        headers: SpanHeaders | None = None,
        cost_header: bool = False,
        triage: Triage | None = None,
        on_outcome: Sequence[OnOutcome] = (),
        plano_names: bool = False,
        opt_in: str | None = None,
        distinct_id_header: str | None = None,
        tell_providers_baggage: bool = False,
        max_recorded_bytes: int = 4 << 20,
        long_bytes: int = 64 << 10,
        finish_timeout_s: float = 5.0,
        owned: Sequence[Any] = (),
        shutdown_timeout_s: float = 10.0,
    ) -> None:
        if min(max_recorded_bytes, long_bytes, finish_timeout_s, shutdown_timeout_s) <= 0:
            raise ConfigurationError("telemetry's bounds must be more than 0")
        self.metrics, self.access_log = metrics, access_log
        self.analyzer = _shipped() if signals is True else signals or None
        self.costs = CostBook(prices)
        self.content, self.headers, self.triage = content, headers, triage
        self.captures = content is not ContentCapture.NO_CONTENT
        """Whether any of it is wanted."""
        self.adds_attributes = headers is not None or bool(distinct_id_header)
        """Whether ``own_attributes`` may have any."""
        self.cost_header = cost_header and prices is not None
        self.on_outcome = tuple(on_outcome)
        told = (None if metrics is None else metrics.finish, access_log, *self.on_outcome)
        self.listeners: Sequence[OnOutcome] = [each for each in told if each is not None]
        """Who hears of every outcome, recorded or not."""
        self.plano_names = plano_names
        self.names: Names = semconv(opt_in)
        self.distinct_id_header = (distinct_id_header or "").lower()
        self.tell_providers_baggage = tell_providers_baggage
        self.max_recorded_bytes = max_recorded_bytes
        self.long_bytes = long_bytes
        self.finish_timeout_s = finish_timeout_s
        self.provider, self.logger_provider = tracer_provider, logger_provider
        self._prices, self._has_prices = prices, False
        self._owned, self._shutdown_timeout_s = tuple(owned), shutdown_timeout_s
        self._tracer: tuple[TracerProvider, SpanStarter] | None = None

    def tracer(self) -> SpanStarter | None:
        """Who makes spans; ``None`` while nobody is there to take them."""
        provider = self.provider or trace.get_tracer_provider()
        if self._tracer is None or self._tracer[0] is not provider:
            if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider):
                return None
            self._tracer = provider, _starter(provider)
        return self._tracer[1]

    def light_provider(self) -> TracerProvider:
        """The provider, for an instrumentation that makes a span of every request."""
        provider = self.provider or trace.get_tracer_provider()
        if "opentelemetry.sdk.trace" not in sys.modules:  # as below
            return provider
        from plano_asgi.telemetry.light_provider import LightProvider

        return LightProvider(provider)

    @property
    def is_prepared(self) -> bool:
        """Nothing has to be read from files any more before an exchange can be looked at."""
        has_prices = self._prices is None or self._has_prices
        return has_prices and (self.analyzer is None or self.analyzer.is_prepared)

    def own_attributes(self, headers: Mapping[str, str]) -> Attributes:
        """Those the user asked for: from *headers* (``Exchange.headers``), and fixed ones."""
        found = {} if self.headers is None else self.headers.attributes(headers)
        name = self.distinct_id_header
        if name and (told := headers.get(name, "").strip()):
            found[DISTINCT_ID] = told[:_MAX_DISTINCT_ID]
        return found

    def cost(self, provider: str, model: str, usage: Usage, request_id: str) -> Cost | None:
        """
        What *usage* cost; ``None`` if it has no price, or a table of prices fails, which is logged.
        """
        if self._prices is None:
            return None
        try:
            return self.costs.cost(provider, model, usage)
        except Exception as exc:  # of a table of the user's
            _log.error("pricing_failed", request_id=request_id, trace=trace_of(exc))
            return None

    def told(self, candidate: Candidate, usage: Usage) -> str:
        """What ``x-plano-cost`` says; "" without a price, or where a table of prices fails."""
        cost = self.cost(candidate.provider, candidate.model, usage, "")
        return "" if cost is None else format_cost(cost.total_usd)

    def report(self, rows: Sequence[Row], request_id: str) -> SignalReport | None:
        """
        The signals of *rows*; ``None`` if there are none to look for, or a detector fails, which is
        logged.
        """
        if self.analyzer is None or not rows:
            return None
        try:
            return self.analyzer.analyze_rows(rows)
        except Exception as exc:  # of a detector of the user's
            _log.error("signals_failed", request_id=request_id, trace=trace_of(exc))
            return None

    def tell(self, outcome: Outcome) -> None:
        """Give *outcome* to everybody who wants to know; nobody keeps another from hearing it."""
        for listener in self.listeners:
            try:
                listener(outcome)
            except Exception as exc:  # of whoever listens: it decides over nothing
                _log.error(
                    "telemetry_listener_failed",
                    request_id=outcome.exchange.id,
                    error=type(exc).__name__,
                )

    def begin(self, exchange: Exchange, spans: Watcher | None) -> None:
        """*exchange* is in flight, and *spans* hears what is done for it."""
        exchange.watcher, exchange.is_watched = spans, True
        if self.metrics is not None:
            self.metrics.begin(exchange)
            exchange.watcher = Counted(self.metrics, spans)

    async def prepare(self) -> None:
        """Read, in a worker thread, the tables that are needed to look at an exchange."""
        if self._prices is not None and not self._has_prices:
            try:
                await self._prices.load()
            finally:
                self._has_prices = True  # or will be read where it is asked for
        if self.analyzer is not None and not self.analyzer.is_prepared:
            await anyio.to_thread.run_sync(self.analyzer.prepare, abandon_on_cancel=True)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        """Compose into the host's: tables are read at the start, batches flushed at the end."""
        await self.prepare()
        try:
            yield
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Flush and shut down what is ours, within ``shutdown_timeout_s``."""
        with anyio.move_on_after(self._shutdown_timeout_s, shield=True) as scope:
            log = [self.access_log] if self.access_log is not None else []
            for owned in (*self._owned, *log):
                await anyio.to_thread.run_sync(owned.shutdown, abandon_on_cancel=True)
        if scope.cancelled_caught:
            _log.warning("telemetry_not_flushed", timeout_s=self._shutdown_timeout_s)


def _starter(provider: TracerProvider) -> SpanStarter:
    tracer = provider.get_tracer(_SCOPE_NAME, schema_url=SCHEMA_URL)
    if "opentelemetry.sdk.trace" not in sys.modules:  # an extra; who uses it has imported it
        return APITracer(tracer)
    from plano_asgi.telemetry.light_spans import light_tracer

    return light_tracer(tracer, _SCOPE_NAME, SCHEMA_URL) or APITracer(tracer)


@cache
def _shipped() -> Analyzer:
    """One for all: its words take a fifth of a second to read."""
    return Analyzer()
