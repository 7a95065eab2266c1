"""
The variables of OpenTelemetry's GenAI instrumentations, and what they ask for. They are read by
whoever composes (``config``, ``PlanoTracing``); here they are only understood.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.content import ContentCapture

CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OPT_IN_VARIABLE = "OTEL_SEMCONV_STABILITY_OPT_IN"
_log = structlog.get_logger("plano_asgi")


def asked_content(environ: Mapping[str, str]) -> ContentCapture:
    """Where content goes by *environ*: nowhere by a word that is not known, which is logged."""
    try:
        return ContentCapture.parse(environ.get(CONTENT_VARIABLE))
    except ConfigurationError as exc:
        _log.warning("configuration", detail=f"{CONTENT_VARIABLE}: {exc}")
        return ContentCapture.NO_CONTENT
