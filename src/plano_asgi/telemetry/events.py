"""Events of the conventions, which are log records: content that is to stay off the spans."""

from __future__ import annotations

import time

from opentelemetry._logs import LoggerProvider, LogRecord, get_logger_provider
from opentelemetry.context import Context

from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.semconv import SCHEMA_URL

_SCOPE_NAME = "plano_asgi"


def emit_event(
    provider: LoggerProvider | None, name: str, attributes: Attributes, context: Context
) -> None:
    """
    Emit event *name*, about what *context* is the context of.

    Args:
        provider: Where to; the global one if ``None``. Without any it goes nowhere.
    """
    logger = (provider or get_logger_provider()).get_logger(_SCOPE_NAME, schema_url=SCHEMA_URL)
    logger.emit(
        LogRecord(event_name=name, attributes=attributes, context=context, timestamp=time.time_ns())
    )
