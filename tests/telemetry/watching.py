"""Apps in this process that are watched, and what was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from prometheus_client.parser import text_string_to_metric_families

from plano_asgi.telemetry import Metrics, Outcome, PrometheusMeters, Telemetry
from telemetry.one_trace import TRACE, Spans, names


class Watching:
    """A ``Telemetry`` of *options* with all it told. *sampler*: ``None`` for no spans at all."""

    def __init__(self, *, sampler: Sampler | None = ALWAYS_ON, **options: Any) -> None:
        self.spans = Spans()
        self.outcomes: list[Outcome] = []
        self._meters = PrometheusMeters()
        provider = None
        if sampler is not None:
            provider = TracerProvider(sampler=sampler)
            provider.add_span_processor(self.spans)
        options.setdefault("on_outcome", [self.outcomes.append])
        options.setdefault("metrics", Metrics([self._meters]))
        self.telemetry = Telemetry(tracer_provider=provider, **options)

    @property
    def outcome(self) -> Outcome:
        """The only one."""
        (outcome,) = self.outcomes
        return outcome

    @property
    def chat(self) -> ReadableSpan:
        """The only span of an exchange."""
        return self.only("chat")

    def only(self, mark: str) -> ReadableSpan:
        """The only span whose name begins with *mark*."""
        found = [span for span in self.spans.ended if span.name.startswith(mark)]
        assert len(found) == 1, names(self.spans.ended)
        return found[0]

    def told(self, mark: str = "chat") -> dict[str, Any]:
        """The attributes of ``only(mark)``."""
        return dict(self.only(mark).attributes or {})

    def all_told(self) -> str:
        """Every span, and all the metrics, as text."""
        spans = "".join(span.to_json() for span in self.spans.ended)
        return spans + self._meters.render().decode()

    def counted(self, name: str, **labels: str) -> float:
        """The sum of all samples of *name* with *labels*."""
        families = text_string_to_metric_families(self._meters.render().decode())
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def in_flight(self) -> float:
        """Exchanges and upstream tries that are told to be under way."""
        return self.counted("plano_requests_in_flight") + self.counted("plano_upstream_in_flight")


def is_one_trace(spans: Sequence[ReadableSpan], trace: str = TRACE) -> bool:
    """Whether all of *spans* are of *trace*."""
    return {f"{span.context.trace_id:032x}" for span in spans if span.context} == {trace}
