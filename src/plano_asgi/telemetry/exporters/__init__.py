"""Where spans go: an OTLP collector, PostHog, a console. All of them stand behind ``batching``."""

from plano_asgi.telemetry.exporters.console import ConsoleExporter
from plano_asgi.telemetry.exporters.otlp import otlp_exporter
from plano_asgi.telemetry.exporters.posthog import PostHogExporter

__all__ = ["ConsoleExporter", "PostHogExporter", "otlp_exporter"]
