"""Where prices and latencies come from: catalogues, bundled prices, Prometheus, own traffic."""

from plano_asgi.routing.metric_sources.base import CostSource, Fetch, LatencySource, Rates
from plano_asgi.routing.metric_sources.bundled import BundledPrices
from plano_asgi.routing.metric_sources.measured import MeasuredLatency
from plano_asgi.routing.metric_sources.refreshed import (
    Catalogue,
    PrometheusLatency,
    Refreshed,
    digitalocean,
    models_dev,
    prometheus,
)

__all__ = [
    "BundledPrices",
    "Catalogue",
    "CostSource",
    "Fetch",
    "LatencySource",
    "MeasuredLatency",
    "PrometheusLatency",
    "Rates",
    "Refreshed",
    "digitalocean",
    "models_dev",
    "prometheus",
]
