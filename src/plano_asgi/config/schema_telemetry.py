"""Ours: where traces, metrics and logs go, and what is in them; ``tracing`` is Plano's own key."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plano_asgi.config.schema_base import (
    HTTPURL,
    ConfigModel,
    HeaderName,
    Name,
    Number,
    Seconds,
    Secret,
    Whole,
)
from plano_asgi.config.schema_routing import ModelPrice

_EXPORT_KEYS = {
    "otlp": ("endpoint", "protocol", "headers"),
    "sqlite": ("path", "max_spans"),
    "console": (),
}


class SpanExport(ConfigModel):
    """A destination of spans. ``sqlite`` is the local store that ``plano-asgi trace`` reads."""

    type: Literal["otlp", "sqlite", "console"]
    endpoint: HTTPURL | None = None
    """Of ``otlp``; ``http://localhost:4317`` (gRPC) or ``:4318`` (HTTP) by default."""
    protocol: Literal["grpc", "http"] = "grpc"
    headers: dict[HeaderName, Secret] = Field(default_factory=dict)
    path: Name | None = None
    """Of ``sqlite``."""
    max_spans: Whole | None = Field(default=None, ge=1)
    """Of ``sqlite``: the oldest traces go."""

    @model_validator(mode="after")
    def _has_only_its_own_keys(self) -> Self:
        for key in sorted(self.model_fields_set - {"type", *_EXPORT_KEYS[self.type]}):
            raise ValueError(f"an exporter of type {self.type} takes no {key!r}")
        return self


class MetricsExport(ConfigModel):
    """Where metrics go. ``prometheus``: served at ``path`` by the standalone server."""

    prometheus: bool = False
    path: str = Field(default="/metrics", pattern=r"^/[\w./-]+$")
    otlp_endpoint: HTTPURL | None = None
    otlp_interval_s: Seconds | None = Field(default=None, alias="otlp_interval", gt=0)
    max_models: Whole | None = Field(default=None, ge=1)
    """Models with series of their own; the others are told as ``other``."""


class AccessLogs(ConfigModel):
    """A line for each request, on standard output."""

    renderer: Literal["json", "console"] = "json"
    sample: Number = Field(default=1.0, ge=0, le=1)


class SignalOptions(ConfigModel):
    """What the signals look for besides."""

    enabled: bool = True
    language: Name = "en"
    lexicons: tuple[Name, ...] = ()
    """TOML files of phrases of your own."""


class TriageOptions(ConfigModel):
    """Which traces are kept, by how the conversation went."""

    budget_per_minute: Whole = Field(ge=1)
    clean_share: Number = Field(default=0.01, ge=0, le=1)
    """Of the conversations that nothing is wrong with."""
    weights: dict[Name, Annotated[Number, Field(ge=0)]] = Field(default_factory=dict)
    """By leaf, category or layer of the signals."""


class TelemetryOptions(ConfigModel):
    """Ours: everything ``tracing`` has no word for."""

    service_name: Name | None = None
    """``OTEL_SERVICE_NAME``, else ``plano``."""
    exporters: tuple[SpanExport, ...] = ()
    metrics: MetricsExport = Field(default_factory=MetricsExport)
    access_log: AccessLogs | None = None
    signals: SignalOptions = Field(default_factory=SignalOptions)
    triage: TriageOptions | None = None
    prices: dict[Name, ModelPrice] = Field(default_factory=dict)
    """Over the bundled list."""
    cost_header: bool = False
    content: Literal["no_content", "span_only", "event_only", "span_and_event"] | None = None
    """``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` by default."""
    tell_providers_baggage: bool = False
    plano_names: bool = False
    """Plano's own attributes (``llm.*``) besides, for dashboards made for it."""
