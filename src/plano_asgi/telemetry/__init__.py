"""Traces, metrics, cost, signals and the access log of exchanges."""

from plano_asgi.telemetry.access_log import AccessLog
from plano_asgi.telemetry.content import ContentCapture
from plano_asgi.telemetry.headers import SpanHeaders
from plano_asgi.telemetry.metrics import Meters, Metrics
from plano_asgi.telemetry.metrics_app import MetricsApp
from plano_asgi.telemetry.otel_metrics import OTelMeters
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.prometheus import PrometheusMeters
from plano_asgi.telemetry.telemetry import OnOutcome, Telemetry

__all__ = [
    "AccessLog",
    "ContentCapture",
    "Cost",
    "Meters",
    "Metrics",
    "MetricsApp",
    "OTelMeters",
    "OnOutcome",
    "Outcome",
    "PrometheusMeters",
    "SpanHeaders",
    "Telemetry",
]
