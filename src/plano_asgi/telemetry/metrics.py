"""Metrics: what exchanges did, counted once each, in as many backends as are wanted."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, Protocol

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.telemetry import metric_rows
from plano_asgi.telemetry.attributes import operation_name
from plano_asgi.telemetry.instruments import INSTRUMENTS, SOURCES, TOLD, Read
from plano_asgi.telemetry.labels import OTHER, LabelBook
from plano_asgi.telemetry.metric_rows import BUILD_INFO, IN_FLIGHT, Metric
from plano_asgi.telemetry.outcome import Outcome
from plano_asgi.telemetry.points import Labels, Record
from plano_asgi.telemetry.reading import Reading

BreakerState = Literal["closed", "half_open", "open"]
_BREAKER_VALUES: dict[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}
_DONE = "done"


class Meters(Protocol):
    """Somewhere to record to."""

    def recorder(self, metric: Metric) -> Record:
        """
        What records to *metric*, one of ``INSTRUMENTS``: adds to a counter (>= 0) or a gauge (also
        less), puts a value (>= 0, in the metric's unit) into a histogram. Called with the values
        of the metric's attributes in their order, "" where one is absent. It neither blocks nor
        raises, and may be called from any thread.
        """
        ...


class Metrics:
    """
    Counts exchanges. Share one between everything that serves one app.

    Args:
        backends: Where to: ``PrometheusMeters``, ``OTelMeters``, or your own.
        known_models: Model names that always have series of their own: a catalogue.
        max_models: Distinct other models with series of their own; the rest are ``other``.
        max_names: The same for providers, servers, routes, guards, limits, exporters, each.
        leave_out: Names of instruments that are not recorded.
        version: Told as ``plano.build.info``; the installed one if ``None``.

    Raises:
        ConfigurationError: *leave_out* names an instrument that there is not, or a bound is none.
    """

    def __init__(
        self,
        backends: Sequence[Meters],
        *,
        known_models: Container[str] = (),
        max_models: int = 200,
        max_names: int = 100,
        leave_out: Collection[str] = (),
        version: str | None = None,
    ) -> None:
        if unknown := [name for name in leave_out if name not in INSTRUMENTS]:
            raise ConfigurationError(f"there are no instruments {', '.join(map(repr, unknown))}")
        self._backends = tuple(backends)
        self._left_out = frozenset(leave_out)
        self._book = LabelBook(
            known_models=known_models, max_models=max_models, max_names=max_names
        )
        self._sources = [(source.has, self._kept(source.reads)) for source in SOURCES]
        self._told = {metric: self._recorder(metric) for metric in self._wanted(TOLD)}
        self._mark = f"metrics.{id(self)}"
        self._breakers: dict[Labels, int] = {}
        self._tell(BUILD_INFO, (version or _installed(),), 1)

    def _wanted(self, metrics: Iterable[Metric]) -> list[Metric]:
        return [metric for metric in metrics if metric.name not in self._left_out]

    def _kept(self, reads: Mapping[Metric, Read]) -> list[tuple[Read, Record]]:
        return [(reads[metric], self._recorder(metric)) for metric in self._wanted(reads)]

    def _recorder(self, metric: Metric) -> Record:
        """One for all backends; a single one is called itself."""
        recorders = [backend.recorder(metric) for backend in self._backends]
        if len(recorders) == 1:
            return recorders[0]

        def record(labels: Labels, value: float) -> None:
            for each in recorders:
                each(labels, value)

        return record

    def begin(self, exchange: Exchange) -> None:
        """*exchange* is in flight. A second call for it does nothing."""
        if self._mark in exchange.state:
            return
        labels = (self._book.operation(operation_name(exchange)), exchange.dialect)
        exchange.state[self._mark] = labels
        self._tell(IN_FLIGHT, labels, 1)

    def finish(self, outcome: Outcome) -> None:
        """It is over: record all there is to tell. A second call for it does nothing."""
        state = outcome.exchange.state
        begun = state.get(self._mark)
        if begun is _DONE:
            return
        state[self._mark] = _DONE
        if begun is not None:
            self._tell(IN_FLIGHT, begun, -1)
        reading = Reading(outcome, self._book)
        for has, reads in self._sources:
            if has(reading):
                for read, record in reads:
                    for labels, value in read(reading):
                        record(labels, value)

    def upstream_began(self, provider: str, model: str) -> None:
        """A try is under way; *provider* is the gateway's key, *model* the upstream's id."""
        self._tell(metric_rows.UPSTREAM_IN_FLIGHT, self._upstream(provider, model), 1)

    def upstream_ended(self, provider: str, model: str) -> None:
        """A try that ``upstream_began`` told of is over."""
        self._tell(metric_rows.UPSTREAM_IN_FLIGHT, self._upstream(provider, model), -1)

    def breaker(self, candidate_name: str, state: BreakerState) -> None:
        """The circuit of *candidate_name* (``provider/model``) has changed."""
        provider, _, model = candidate_name.partition("/")
        labels = self._upstream(provider, model)
        if OTHER in labels:
            return  # a state of many is the state of none
        value = _BREAKER_VALUES[state]
        change = value - self._breakers.get(labels, 0)
        self._breakers[labels] = value
        self._tell(metric_rows.UPSTREAM_BREAKER_STATE, labels, change)

    def dropped(self, n: int = 1, exporter: str = "") -> None:
        """*exporter* did not take *n* spans in time."""
        self._tell(metric_rows.SPANS_DROPPED, (self._book.exporter(exporter),), n)

    def _upstream(self, provider: str, model: str) -> Labels:
        # Counted apart: names are tried that no upstream knows, and must not use up the others.
        return self._book.provider(provider), self._book.tried_model(model)

    def _tell(self, metric: Metric, labels: Labels, n: float) -> None:
        if (record := self._told.get(metric)) is not None:
            record(labels, n)


def _installed() -> str:
    try:
        return version("plano-asgi")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"
