"""Where spans and metrics go, as a configuration says: exporters, and the providers before them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_operations import TraceExporter, Tracing
from plano_asgi.config.schema_telemetry import SpanExport, TelemetryOptions
from plano_asgi.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from plano_asgi.telemetry.batching import OnDrop

ENDPOINT_VARIABLE = "OTEL_TRACING_GRPC_ENDPOINT"
STORE_VARIABLE = "PLANO_TRACE_STORE"
_SERVICE_VARIABLE = "OTEL_SERVICE_NAME"
_SERVICE = "plano"
OnDropped: TypeAlias = Callable[[int, str], None]
"""Hears how many spans were lost, and by which exporter: ``Metrics.dropped``."""
_DEFAULT_ENDPOINTS = {"grpc": "http://localhost:4317", "http": "http://localhost:4318/v1/traces"}


@contextmanager
def placed(place: str) -> Generator[None]:
    """
    Around the making of something: say where in the file it is that cannot work.

    Raises:
        ConfigurationError: What was raised, with *place*; also of a file that cannot be read.
        MissingExtra: As it was raised.
    """
    try:
        yield
    except MissingExtra:
        raise
    except ConfigurationError as exc:
        raise ConfigurationError(f"{place}: {exc}") from exc
    except OSError as exc:
        raise ConfigurationError(f"{place}: cannot be read: {exc.strerror}") from exc


def span_exporters(
    config: PlanoConfig, options: TelemetryOptions, environ: Mapping[str, str]
) -> list[SpanExporter]:
    """
    Everywhere spans go to: of Plano's destinations none without sampling.

    Raises:
        MissingExtra: A destination whose package is not installed.
        ConfigurationError: One that cannot work; says where it stands.
    """
    tracing = config.tracing
    found: list[SpanExporter] = []
    for index, entry in enumerate(options.exporters):
        with placed(f"telemetry.exporters.{index}"):
            found.append(span_exporter(entry, environ))
    if not tracing.random_sampling:
        return found
    if (plain := _plain_endpoint(tracing, environ)) is not None:
        found.insert(0, span_exporter(SpanExport(type="otlp", endpoint=plain), environ))
    for index, posthog in enumerate(tracing.exporters):
        with placed(f"tracing.exporters.{index}"):
            found += [_posthog(posthog)] if posthog.enabled else []
    return found or [span_exporter(SpanExport(type="sqlite"), environ)]


def _plain_endpoint(tracing: Tracing, environ: Mapping[str, str]) -> str | None:
    """As Plano: plain gRPC, and no path. TLS and paths are for ``telemetry.exporters``."""
    where, endpoint = "tracing.opentracing_grpc_endpoint", tracing.opentracing_grpc_endpoint
    if endpoint is None:
        where, endpoint = ENDPOINT_VARIABLE, environ.get(ENDPOINT_VARIABLE, "").strip()
    if not endpoint:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise ConfigurationError(
            f"{where}: must be http://host:port without a path; for TLS or OTLP over HTTP write an"
            " exporter under telemetry.exporters"
        )
    return endpoint


def span_exporter(entry: SpanExport, environ: Mapping[str, str]) -> SpanExporter:
    """The destination that *entry* describes."""
    _needs_sdk()
    from plano_asgi.telemetry import exporters
    from plano_asgi.telemetry.span_rows import DEFAULT_STORE
    from plano_asgi.telemetry.span_store import SpanStore

    if entry.type == "console":
        return exporters.ConsoleExporter()
    if entry.type == "otlp":
        headers = {name: value.get_secret_value() for name, value in entry.headers.items()}
        endpoint = entry.endpoint or _DEFAULT_ENDPOINTS[entry.protocol]
        return exporters.otlp_exporter(endpoint, protocol=entry.protocol, headers=headers)
    path = entry.path or environ.get(STORE_VARIABLE) or DEFAULT_STORE
    return (
        SpanStore(path) if entry.max_spans is None else SpanStore(path, max_spans=entry.max_spans)
    )


def _posthog(entry: TraceExporter) -> SpanExporter:
    _needs_sdk()
    from plano_asgi.telemetry import exporters

    return exporters.PostHogExporter(
        entry.url, entry.api_key, capture_messages=entry.capture_messages
    )


def _needs_sdk() -> None:
    if find_spec("opentelemetry.sdk") is None:
        raise MissingExtra("exporting spans", "tracing")


def resource_of(options: TelemetryOptions, environ: Mapping[str, str]) -> Resource:
    """Who tells: the service's name, and what OpenTelemetry's own variables add."""
    _needs_sdk()
    from opentelemetry.sdk.resources import Resource

    name = options.service_name or environ.get(_SERVICE_VARIABLE) or _SERVICE
    return Resource.create({"service.name": name})


def sampled_provider(
    config: PlanoConfig,
    exporters: list[SpanExporter],
    resource: Resource,
    has_triage: bool,
    on_drop: OnDropped | None = None,
) -> TracerProvider:
    """A provider for *exporters* with the share of traces that ``tracing.random_sampling`` says."""
    is_told = "random_sampling" in config.tracing.model_fields_set
    share = config.tracing.random_sampling / 100 if is_told else 1.0
    return tracer_provider(share, exporters, resource, has_triage, on_drop)


def tracer_provider(
    share: float,
    exporters: list[SpanExporter],
    resource: Resource,
    has_triage: bool,
    on_drop: OnDropped | None = None,
) -> TracerProvider:
    """
    A provider that keeps *share* of the traces that begin here, and those a caller has sampled;
    *on_drop* hears of spans that an exporter did not take.
    """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from plano_asgi.telemetry.batching import batching
    from plano_asgi.telemetry.tail import TriageProcessor

    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource)
    for exporter in exporters:
        processor: SpanProcessor = batching(exporter, on_drop=_named(on_drop, exporter))
        provider.add_span_processor(TriageProcessor(processor) if has_triage else processor)
    return provider


def _named(on_drop: OnDropped | None, exporter: SpanExporter) -> OnDrop | None:
    if on_drop is None:
        return None
    name = type(exporter).__name__

    def told(count: int) -> None:
        if count:
            on_drop(count, name)

    return told


def meter_provider(endpoint: str, interval_s: float, resource: Resource | None) -> MeterProvider:
    """Metrics over OTLP (gRPC), every *interval_s*."""
    try:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError as exc:
        raise MissingExtra("OTLP export of metrics", "otlp") from exc
    exporter = OTLPMetricExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=interval_s * 1000)
    return MeterProvider([reader], resource=resource)
