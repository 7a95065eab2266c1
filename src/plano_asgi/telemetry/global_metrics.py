"""Metrics for OpenTelemetry's global meter provider, from when there is one."""

from __future__ import annotations

import threading
from functools import lru_cache

from opentelemetry.metrics import MeterProvider, get_meter_provider

from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.otel_metrics import OTelMeters

_STAND_INS = "opentelemetry.metrics."
"""Where the API's own providers are from, which record nothing."""
_lock = threading.Lock()


def global_metrics() -> Metrics | None:
    """
    The metrics of the global meter provider; ``None`` while nobody has set one that records. They
    are the same for all who ask: what two would observe is not added up.
    """
    provider = get_meter_provider()
    if type(provider).__module__.startswith(_STAND_INS):
        return None
    with _lock:
        return _metrics_of(provider)


@lru_cache(maxsize=1)
def _metrics_of(provider: MeterProvider) -> Metrics:
    return Metrics([OTelMeters(provider)])
