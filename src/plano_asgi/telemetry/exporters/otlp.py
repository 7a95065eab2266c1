"""OTLP, over gRPC or HTTP: OpenTelemetry's own exporters, their arguments checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from opentelemetry.sdk.trace.export import SpanExporter
from pydantic import SecretStr

from plano_asgi.errors import ConfigurationError, MissingExtra

Protocol: TypeAlias = Literal["grpc", "http"]

_HTTP_PATH = "/v1/traces"


def otlp_exporter(
    endpoint: str,
    protocol: Protocol = "grpc",
    *,
    headers: Mapping[str, str | SecretStr] | None = None,
    insecure: bool | None = None,
    timeout_s: float = 10.0,
) -> SpanExporter:
    """
    An exporter to the collector at *endpoint*, which retries what may pass for *timeout_s*.

    TLS certificates, compression, and headers where none are given, are read from OpenTelemetry's
    own variables (``OTEL_EXPORTER_OTLP_*``).

    Args:
        endpoint: ``http://`` or ``https://`` and a host; for gRPC also ``host:port`` alone. For
            HTTP the path ``/v1/traces`` is added where there is none.
        headers: Sent with every export; secrets. Names are sent in lower case.
        insecure: gRPC to a bare ``host:port``: without TLS. Else the scheme says.
        timeout_s: For one export with its retries.

    Raises:
        ConfigurationError: An endpoint that is none, or that has credentials in it.
        MissingExtra: The extra ``otlp`` is not installed.
    """
    if timeout_s <= 0:
        raise ConfigurationError("timeout_s must be above 0")
    plain = {name.lower(): _revealed(value) for name, value in (headers or {}).items()}
    if protocol == "grpc":
        return _grpc(endpoint, plain, insecure, timeout_s)
    if protocol == "http":
        return _http(endpoint, plain, timeout_s)
    raise ConfigurationError(f"OTLP is spoken over 'grpc' or 'http', not '{protocol}'")


def _grpc(
    endpoint: str, headers: dict[str, str], insecure: bool | None, timeout_s: float
) -> SpanExporter:
    has_scheme = "://" in endpoint
    parts = _parts(endpoint if has_scheme else f"grpc://{endpoint}")
    if parts.path not in ("", "/") or parts.query:
        raise ConfigurationError(f"an OTLP endpoint over gRPC has no path: '{parts.path}'")
    if has_scheme and insecure is not None and insecure != (parts.scheme == "http"):
        raise ConfigurationError(f"insecure={insecure} contradicts '{parts.scheme}://'")
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    except ImportError as exc:
        raise MissingExtra("OTLP export over gRPC", "otlp") from exc
    return OTLPSpanExporter(
        endpoint=endpoint,
        insecure=parts.scheme == "http" if has_scheme else bool(insecure),
        headers=headers or None,
        timeout=timeout_s,
    )


def _http(endpoint: str, headers: dict[str, str], timeout_s: float) -> SpanExporter:
    parts = _parts(endpoint)
    if parts.path in ("", "/"):
        parts = parts._replace(path=_HTTP_PATH)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as exc:
        raise MissingExtra("OTLP export over HTTP", "otlp") from exc
    return OTLPSpanExporter(endpoint=parts.geturl(), headers=headers or None, timeout=timeout_s)


def _parts(endpoint: str) -> SplitResult:
    """What *endpoint* consists of; it may end up in logs, so it must not hold credentials."""
    try:
        parts = urlsplit(endpoint)
        is_endpoint = parts.scheme in ("http", "https", "grpc") and bool(parts.hostname)
        is_endpoint = is_endpoint and (parts.port is None or parts.port > 0)
    except ValueError as exc:
        raise ConfigurationError("an OTLP endpoint is an http:// or https:// URL") from exc
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("an OTLP endpoint holds no credentials: give them as headers")
    if not is_endpoint:
        raise ConfigurationError(
            f"an OTLP endpoint is an http:// or https:// URL, not '{endpoint}'"
        )
    return parts


def _revealed(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
