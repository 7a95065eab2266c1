"""``tracing``, ``telemetry`` and the variables of OpenTelemetry, made into a ``Telemetry``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog

from plano_asgi.config.exports import (
    STORE_VARIABLE,
    meter_provider,
    placed,
    resource_of,
    sampled_provider,
    span_exporter,
    span_exporters,
    tracer_provider,
)
from plano_asgi.config.prices import rates_of
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_models import ModelProvider
from plano_asgi.config.schema_telemetry import SpanExport, TelemetryOptions
from plano_asgi.pricing import Prices
from plano_asgi.providers.catalogue import KNOWN_MODELS
from plano_asgi.signals import Analyzer
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.triage import WEIGHTS, Triage
from plano_asgi.telemetry.access_log import AccessLog
from plano_asgi.telemetry.content import ContentCapture
from plano_asgi.telemetry.headers import SpanHeaders
from plano_asgi.telemetry.metrics import Meters, Metrics
from plano_asgi.telemetry.metrics_app import MetricsApp
from plano_asgi.telemetry.otel_metrics import OTelMeters
from plano_asgi.telemetry.prometheus import PrometheusMeters
from plano_asgi.telemetry.telemetry import Telemetry
from plano_asgi.telemetry.variables import OPT_IN_VARIABLE, asked_content

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

MAX_MODELS = 200
_log = structlog.get_logger("plano_asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTelemetry:
    """What a gateway is watched by, and the page that shows its metrics, where one is wanted."""

    telemetry: Telemetry
    metrics_app: MetricsApp | None = None
    metrics_path: str = "/metrics"


def build_telemetry(config: PlanoConfig, environ: Mapping[str, str]) -> BuiltTelemetry | None:
    """
    What *config* asks to be told; ``None`` if nothing.

    As Plano: no spans without ``tracing.random_sampling``, unless exporters stand under
    ``telemetry``, where 100 is the default (and 0 leaves the traces that callers have sampled).
    With sampling and nowhere to send to, spans are kept in the local store.

    Raises:
        MissingExtra: A destination whose package is not installed.
        ConfigurationError: One that cannot work.
    """
    asked = config.telemetry
    options = asked or TelemetryOptions()
    exporters = span_exporters(config, options, environ)
    if asked is None and not exporters:
        return None
    owned: list[Any] = []
    triage = _triage(options)
    resource = resource_of(options, environ) if exporters or options.metrics.otlp_endpoint else None
    backends, page = _meters(options, resource, owned)
    metrics = provider = None
    if backends:
        most = options.metrics.max_models or MAX_MODELS
        metrics = Metrics(backends, known_models=_known(config), max_models=most)
    if resource is not None and exporters:
        on_drop = metrics.dropped if metrics is not None else None
        provider = sampled_provider(config, exporters, resource, triage is not None, on_drop)
        owned.insert(0, provider)
    content = _content(options.content, environ)
    _warn_of_no_messages(config, content)
    telemetry = Telemetry(
        tracer_provider=provider,
        metrics=metrics,
        access_log=_access_log(options),
        signals=_analyzer(config, options),
        prices=_prices(options, config.model_providers),
        content=content,
        plano_names=options.plano_names,
        headers=_headers(config),
        cost_header=options.cost_header,
        triage=triage,
        opt_in=environ.get(OPT_IN_VARIABLE),
        distinct_id_header=_distinct_id_header(config),
        tell_providers_baggage=options.tell_providers_baggage,
        owned=owned,
    )
    return BuiltTelemetry(
        telemetry=telemetry,
        metrics_app=MetricsApp(page) if page is not None else None,
        metrics_path=options.metrics.path,
    )


def local_telemetry(environ: Mapping[str, str]) -> Telemetry | None:
    """Where no file says anything: the local store, if ``PLANO_TRACE_STORE`` names one."""
    path = environ.get(STORE_VARIABLE, "").strip()
    if not path:
        return None
    export = SpanExport(type="sqlite", path=path)
    options = TelemetryOptions()
    provider = tracer_provider(
        1.0, [span_exporter(export, environ)], resource_of(options, environ), False
    )
    return Telemetry(
        tracer_provider=provider,
        prices=_prices(options),
        content=_content(None, environ),
        opt_in=environ.get(OPT_IN_VARIABLE),
        owned=[provider],
    )


def _content(asked: str | None, environ: Mapping[str, str]) -> ContentCapture:
    """The file's word, else the environment's; of one that it does not know, nothing comes."""
    if asked is not None:
        return ContentCapture.parse(asked)
    return asked_content(environ)


def _warn_of_no_messages(config: PlanoConfig, content: ContentCapture) -> None:
    """Of ``capture_messages`` where no span has any: content goes to all destinations or none."""
    if content.on_spans:
        return
    for index, entry in enumerate(config.tracing.exporters):
        if entry.enabled and entry.capture_messages:
            detail = (
                f"tracing.exporters.{index}.capture_messages: there are no messages on spans"
                " without telemetry.content: span_only"
            )
            _log.warning("configuration", detail=detail)


def _meters(
    options: TelemetryOptions, resource: Resource | None, owned: list[Any]
) -> tuple[list[Meters], PrometheusMeters | None]:
    asked, backends = options.metrics, list[Meters]()
    page = PrometheusMeters() if asked.prometheus else None
    if page is not None:
        backends.append(page)
    if asked.otlp_endpoint is not None:
        provider = meter_provider(asked.otlp_endpoint, asked.otlp_interval_s or 60.0, resource)
        owned.append(provider)
        backends.append(OTelMeters(provider))
    return backends, page


def _known(config: PlanoConfig) -> frozenset[str]:
    """Models that are written down: the file's own, and those the providers are known for."""
    named = {entry.model.partition("/")[2] for entry in config.model_providers}
    listed = {model for models in KNOWN_MODELS.values() for model in models}
    return frozenset(named | listed)


def _access_log(options: TelemetryOptions) -> AccessLog | None:
    asked = options.access_log
    return AccessLog(asked.renderer, sample=asked.sample) if asked is not None else None


def _analyzer(config: PlanoConfig, options: TelemetryOptions) -> Analyzer | bool:
    asked = options.signals
    if config.overrides.disable_signals or not asked.enabled:
        return False
    if asked.language == "en" and not asked.lexicons:
        return True
    with placed("telemetry.signals.language"):
        lexicon = Lexicon.load(asked.language)
    for index, path in enumerate(asked.lexicons):
        with placed(f"telemetry.signals.lexicons.{index}"):
            lexicon |= Lexicon.from_toml(path)
    return Analyzer(lexicon=lexicon)


def _triage(options: TelemetryOptions) -> Triage | None:
    asked = options.triage
    if asked is None:
        return None
    with placed("telemetry.triage"):
        return Triage(
            asked.weights or WEIGHTS,
            budget_per_minute=asked.budget_per_minute,
            keep_share=asked.clean_share,
        )


def _prices(options: TelemetryOptions, models: Iterable[ModelProvider] = ()) -> Prices | None:
    overrides = rates_of(options.prices, models)
    bundled = find_spec("genai_prices") is not None
    return Prices(overrides, bundled=bundled) if overrides or bundled else None


def _headers(config: PlanoConfig) -> SpanHeaders | None:
    asked = config.tracing.span_attributes
    if not asked.header_prefixes and not asked.static:
        return None
    with placed("tracing.span_attributes"):
        return SpanHeaders(asked.header_prefixes, asked.static)


def _distinct_id_header(config: PlanoConfig) -> str | None:
    """Plano honours the first exporter's that has one, and so do we."""
    named = (entry.distinct_id_header for entry in config.tracing.exporters if entry.enabled)
    return next((name for name in named if name), None)
