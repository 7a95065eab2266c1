"""The request's own span by OpenTelemetry's instrumentation, light and by the SDK: the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind
from starlette.types import Receive, Scope, Send

from asgi_drive import drive
from plano_asgi.telemetry.light_provider import LightProvider
from plano_asgi.telemetry.light_spans import LightSpan, are_plain
from telemetry.one_trace import TRACEPARENT, Spans

pytestmark = pytest.mark.anyio
_OWN = ("context", "parent_id", "start_time", "end_time")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says something on its span, and answers, or fails."""
    trace.get_current_span().set_attribute("app.says", ["a", "b"])
    if scope["path"] == "/fails":
        raise ValueError("no")
    status = 500 if scope["path"] == "/bad" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


def providers() -> tuple[TracerProvider, Spans]:
    """The SDK's, and what ends there."""
    ended, provider = Spans(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(ended)
    return provider, ended


async def told(path: str, *, light: bool) -> dict[str, Any]:
    """The span of one request, without its ids and times."""
    provider, ended = providers()
    served = OpenTelemetryMiddleware(
        app,
        tracer_provider=LightProvider(provider) if light else provider,
        meter_provider=NoOpMeterProvider(),
        exclude_spans=["receive", "send"],
    )
    headers = {"traceparent": TRACEPARENT, "user-agent": "té"}
    if path == "/fails":
        with pytest.raises(ValueError, match="no"):
            await drive(served, path, b"", headers=headers)
    else:
        await drive(served, path, b"", headers=headers)
    (only,) = ended.ended
    assert isinstance(only, LightSpan) is light
    assert only.parent is not None
    assert only.parent.is_remote
    shown: dict[str, Any] = json.loads(only.to_json())
    for event in shown["events"]:
        event.pop("timestamp")
        event["attributes"].pop("exception.stacktrace", None)
    assert only.instrumentation_scope is not None
    shown["scope"] = only.instrumentation_scope.to_json()
    return {key: value for key, value in shown.items() if key not in _OWN}


@pytest.mark.parametrize("path", ["/", "/bad", "/fails"])
async def test_a_request_is_told_the_same(path: str) -> None:
    """Names, attributes, status, events, and who made it."""
    light, own = await told(path, light=True), await told(path, light=False)
    assert light == own


def test_what_it_does_not_do_the_sdk_does() -> None:
    """Links, a start in the past, values that are to be looked at; and current ones."""
    provider, _ = providers()
    tracer = LightProvider(provider).get_tracer("t", "1")
    plain = tracer.start_span("x", kind=SpanKind.SERVER, attributes={"a": 1})
    assert isinstance(plain, LightSpan)
    link = Link(SpanContext(1, 2, False))
    for odd in ({"links": [link]}, {"start_time": 5}, {"attributes": {"a": b"raw"}}):
        span = tracer.start_span("x", **odd)
        assert not isinstance(span, LightSpan)
        assert span.is_recording()
    with tracer.start_as_current_span("y") as current:
        assert trace.get_current_span() is current


def test_a_tracer_with_attributes_of_its_own_is_the_sdks() -> None:
    """Its scope has more than a name."""
    provider, _ = providers()
    tracer = LightProvider(provider).get_tracer("t", "1", None, {"a": 1})
    assert not isinstance(tracer.start_span("x"), LightSpan)


@pytest.mark.parametrize(
    ("attributes", "plain"),
    [({"a": 1, "b": "x", "c": True, "d": 0.5}, True), ({"": 1}, False), ({"a": [1]}, False)],
)
def test_what_is_plain(attributes: dict[str, Any], plain: bool) -> None:
    """Scalars by names."""
    assert are_plain(attributes) is plain
