"""``LightTracer`` for an instrumentation that wants a tracer provider: the request's own span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from plano_asgi.telemetry.current import span_of
from plano_asgi.telemetry.light_spans import LightTracer, are_plain, light_tracer


class LightProvider(TracerProvider):
    """*provider*, with tracers that make lighter spans where they can."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        """As the provider's."""
        name, version = instrumenting_module_name, instrumenting_library_version
        tracer = self._provider.get_tracer(name, version, schema_url, attributes)
        if attributes:
            return tracer
        light = light_tracer(tracer, name, schema_url or "", version or "")
        return tracer if light is None else _Light(tracer, light)


class _Light(Tracer):
    """*light*, as a tracer of the API; *tracer* does what it does not."""

    def __init__(self, tracer: Tracer, light: LightTracer) -> None:
        self._tracer, self._light = tracer, light

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """As the API's."""
        told = dict(attributes or ())
        if links or start_time is not None or not are_plain(told):
            return self._tracer.start_span(
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
            )
        around = context_api.get_current() if context is None else context
        return self._light.start(name, span_of(around), around, kind, told)  # type: ignore[arg-type]

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """As the API's."""
        return self._tracer.start_as_current_span(*args, **kwargs)
