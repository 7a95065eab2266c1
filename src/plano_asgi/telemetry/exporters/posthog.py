"""
PostHog: each answered request as an ``$ai_generation`` event.

Source: https://posthog.com/docs/llm-analytics/manual-capture and https://posthog.com/docs/api/capture
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pydantic import SecretStr

from plano_asgi._json import dumps, loads
from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.span_rows import StoredSpan
from plano_asgi.telemetry.span_store import stored

EVENTS: Mapping[str, str] = {
    "chat": "$ai_generation",
    "text_completion": "$ai_generation",
    "generate_content": "$ai_generation",
    "embeddings": "$ai_embedding",
}
"""Spans by their ``gen_ai.operation.name``, and the events they become; no others are sent."""

PROPERTIES: Mapping[str, str] = {
    semconv.PROVIDER_NAME: "$ai_provider",
    semconv.CONVERSATION_ID: "$ai_session_id",
    semconv.USAGE_INPUT_TOKENS: "$ai_input_tokens",
    semconv.USAGE_OUTPUT_TOKENS: "$ai_output_tokens",
    semconv.USAGE_CACHE_READ: "$ai_cache_read_input_tokens",
    semconv.USAGE_CACHE_CREATION: "$ai_cache_creation_input_tokens",
    semconv.USAGE_CACHE_WRITE: "$ai_cache_creation_input_tokens",
    semconv.USAGE_REASONING: "$ai_reasoning_tokens",
    semconv.COST_INPUT: "$ai_input_cost_usd",
    semconv.COST_OUTPUT: "$ai_output_cost_usd",
    semconv.COST_TOTAL: "$ai_total_cost_usd",
    semconv.RESPONSE_TIME_TO_FIRST_CHUNK: "$ai_time_to_first_token",
    semconv.HTTP_RESPONSE_STATUS_CODE: "$ai_http_status",
    semconv.REQUEST_TEMPERATURE: "$ai_temperature",
    semconv.REQUEST_MAX_TOKENS: "$ai_max_tokens",
    semconv.ERROR_TYPE: "$ai_error",
}
"""Attributes, and the properties that have their values. Others go under their own names."""

_MODELS = (semconv.RESPONSE_MODEL, semconv.MODEL, semconv.REQUEST_MODEL)
_CONTENT: Mapping[str, str] = {
    semconv.INPUT_MESSAGES: "$ai_input",
    semconv.OUTPUT_MESSAGES: "$ai_output_choices",
    semconv.TOOL_DEFINITIONS: "$ai_tools",
}
_APART = frozenset(
    {
        *PROPERTIES,
        *_CONTENT,
        semconv.SYSTEM_INSTRUCTIONS,
        semconv.REQUEST_STREAM,
        semconv.DISTINCT_ID,
    }
)
_PASSING = frozenset((408, 425, 429, *range(500, 600)))
_MAX_PAUSE_S = 5.0

_log = structlog.get_logger("plano_asgi")


class PostHogExporter(SpanExporter):
    """
    Posts events to ``<url>/batch/``; for the thread of a batching processor.

    What may pass (no connection, 429, 5xx) is tried again; events have ids, so that one which
    arrived is not counted twice. Events that are lost are counted, never raised, and told of.

    Args:
        url: Of the PostHog instance.
        api_key: The project's.
        capture_messages: Send prompts and answers, where the spans have them.
        timeout_s: For one try.
        max_tries: At least 1.
        max_body_bytes: Of one request; an event that is larger alone is lost.

    Raises:
        ConfigurationError: An address that is none, no key, or a bound that is not above 0.
    """

    def __init__(
        self,
        url: str,
        api_key: str | SecretStr,
        *,
        capture_messages: bool = False,
        timeout_s: float = 10.0,
        max_tries: int = 3,
        max_body_bytes: int = 4 << 20,
    ) -> None:
        self._url = _batch_url(url)
        self._key = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key)
        if not self._key.get_secret_value().strip():
            raise ConfigurationError("the PostHog exporter needs a project's api_key")
        if min(timeout_s, max_tries, max_body_bytes) <= 0:
            raise ConfigurationError("the bounds of the PostHog exporter must be above 0")
        self._captures = capture_messages
        self._timeout_s = timeout_s
        self._max_tries = max_tries
        self._max_body_bytes = max_body_bytes
        self._open = urllib.request.build_opener(_NoRedirects).open
        self._is_closing = threading.Event()
        self.dropped = 0
        """Events lost so far."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Post the events of *spans*; those that are no exchange are left out."""
        before = self.dropped
        kept = (stored(span, self._max_body_bytes) for span in spans if span.context is not None)
        events = (event_of(span, self._captures) for span in kept)
        for batch in self._batches(dumps(event) for event in events if event is not None):
            reason = self._post(batch)
            if reason:
                self.dropped += len(batch)
                _log.warning("posthog_events_lost", count=len(batch), reason=reason)
        return SpanExportResult.SUCCESS if self.dropped == before else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Try nothing again from now on."""
        self._is_closing.set()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True

    def _batches(self, events: Iterable[bytes]) -> Iterator[list[bytes]]:
        """*events* in as few requests as their size allows."""
        batch: list[bytes] = []
        size = 0
        for event in events:
            if len(event) > self._max_body_bytes:
                self.dropped += 1
                _log.warning("posthog_events_lost", count=1, reason="too large")
                continue
            if size + len(event) > self._max_body_bytes:
                yield batch
                batch, size = [], 0
            batch.append(event)
            size += len(event)
        if batch:
            yield batch

    def _post(self, events: Sequence[bytes]) -> str:
        """Send one request, more than once if need be; "" or why it could not be."""
        key = dumps(self._key.get_secret_value())
        body = b'{"api_key":%b,"batch":[%b]}' % (key, b",".join(events))
        reason = ""
        for number in range(self._max_tries):
            if number and self._is_closing.wait(min(_MAX_PAUSE_S, 0.5 * 2 ** (number - 1))):
                break
            reason, may_pass = self._try(body)
            if not may_pass:
                break
        return reason

    def _try(self, body: bytes) -> tuple[str, bool]:
        """Why it failed, or "", and whether another try may help."""
        request = urllib.request.Request(
            self._url, body, {"content-type": "application/json"}, method="POST"
        )
        try:
            with self._open(request, timeout=self._timeout_s):
                return "", False
        except urllib.error.HTTPError as exc:
            exc.close()
            return f"status {exc.code}", exc.code in _PASSING
        except (OSError, HTTPException) as exc:
            return type(exc).__name__, True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def event_of(span: StoredSpan, captures: bool = False) -> dict[str, Any] | None:
    """
    *span* as an event of PostHog's; ``None`` if it is not one of an answered request.

    Args:
        captures: Whether prompts and answers go with it.
    """
    has = span.attributes
    event = EVENTS.get(str(has.get(semconv.OPERATION_NAME)))
    if event is None:
        return None
    who = has.get(semconv.DISTINCT_ID)
    properties: dict[str, Any] = {n: v for n, v in has.items() if n not in _APART}
    properties |= {PROPERTIES[name]: value for name, value in has.items() if name in PROPERTIES}
    properties |= {
        "distinct_id": who or span.trace_id,
        "$ai_trace_id": span.trace_id,
        "$ai_span_id": span.span_id,
        "$ai_span_name": span.name,
        "$ai_model": next((has[name] for name in _MODELS if has.get(name)), ""),
        "$ai_latency": span.duration_s,
        "$ai_stream": has.get(semconv.REQUEST_STREAM) is True,
        "$ai_is_error": _is_error(span),
    }
    if span.parent_id:
        properties["$ai_parent_id"] = span.parent_id
    if not who:
        properties["$process_person_profile"] = False
    if captures:
        properties |= _content(has)
    return {
        "event": event,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{span.trace_id}:{span.span_id}")),
        "timestamp": _time(span.end_ns),
        "properties": properties,
    }


def _is_error(span: StoredSpan) -> bool:
    status = span.attributes.get(semconv.HTTP_RESPONSE_STATUS_CODE)
    return span.status == "error" or (isinstance(status, int) and status >= 400)


def _content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = {_CONTENT[name]: _read(value) for name, value in attributes.items() if name in _CONTENT}
    system = _read(attributes.get(semconv.SYSTEM_INSTRUCTIONS))
    if isinstance(system, list) and system:
        asked = found.get("$ai_input")
        rest = asked if isinstance(asked, list) else []
        found["$ai_input"] = [{"role": "system", "content": system}, *rest]
    return {name: value for name, value in found.items() if value is not None}


def _read(value: Any) -> Any:
    """The JSON that an attribute's text is; a text that was cut is none any more, and stays one."""
    if not isinstance(value, str):
        return value
    try:
        return _as_messages(loads(value))
    except ValueError:
        return value


def _as_messages(value: Any) -> Any:
    """The conventions' ``parts`` of a message are PostHog's ``content``."""
    if not isinstance(value, list):
        return value
    return [
        {"role": m["role"], "content": [_as_content(p) for p in m["parts"]]}
        if isinstance(m, dict) and isinstance(m.get("parts"), list) and "role" in m
        else _as_content(m)
        for m in value
    ]


def _as_content(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "text" and "content" in part:
        return {"type": "text", "text": part["content"]}
    return part


def _time(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest // 1000:06}Z"


def _batch_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_url = is_url and (parts.port is None or parts.port > 0)
    except ValueError as exc:
        raise ConfigurationError("PostHog's url is an http:// or https:// URL") from exc
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("PostHog's url holds no credentials")
    if not is_url:
        raise ConfigurationError(f"PostHog's url is an http:// or https:// URL, not '{url}'")
    path = parts.path.rstrip("/")
    return parts._replace(path=f"{path}/batch/", query="", fragment="").geturl()
