"""OTLP: real receivers, over gRPC and HTTP, read what we export."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has no types
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.sdk.trace.export import SpanExportResult
from pydantic import SecretStr

from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.telemetry.batching import batching
from plano_asgi.telemetry.exporters.otlp import Protocol, otlp_exporter
from telemetry.ended_spans import Made, ended

KEY = "key-of-the-collector"
SPANS = ended(
    Made(name="chat fast", end_s=2.0, attributes={"gen_ai.operation.name": "chat", "n": 3}),
    Made(name="attempt", parent="chat fast", error="timeout"),
)

Received = SimpleQueue[tuple[ExportTraceServiceRequest, dict[str, str]]]


@contextmanager
def grpc_receiver() -> Iterator[tuple[str, Received]]:
    """An OTLP collector over gRPC: its endpoint, and what it got."""
    received: Received = SimpleQueue()

    class Servicer(TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:
            metadata = {name: str(value) for name, value in context.invocation_metadata()}
            received.put((request, metadata))
            return ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", received
    finally:
        server.stop(0).wait(10)


@contextmanager
def http_receiver() -> Iterator[tuple[str, Received]]:
    """The same over HTTP; it answers 404 to any other path than the specification's."""
    received: Received = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = ExportTraceServiceRequest.FromString(body)
            is_known = self.path == "/v1/traces"
            if is_known:
                headers = {name.lower(): value for name, value in self.headers.items()}
                received.put((request, headers))
            self.send_response(200 if is_known else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


RECEIVERS = {"grpc": grpc_receiver, "http": http_receiver}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_real_receiver_reads_our_spans(protocol: Protocol) -> None:
    """Names, parents, times, attributes, statuses, the resource; and the headers."""
    with RECEIVERS[protocol]() as (endpoint, received):
        headers: dict[str, str | SecretStr] = {
            "Authorization": SecretStr(f"Bearer {KEY}"),
            "X-Tenant": "t",
        }
        exporter = otlp_exporter(endpoint, protocol, headers=headers)
        processor = batching(exporter)
        for span in SPANS:
            processor.on_end(span)
        processor.shutdown()
        assert processor.dropped == 0
        request, got = received.get(timeout=10)
    assert (got["authorization"], got["x-tenant"]) == (f"Bearer {KEY}", "t")
    (resource,) = request.resource_spans
    assert {a.key: a.value.string_value for a in resource.resource.attributes} == {
        "service.name": "shop"
    }
    chat, attempt = resource.scope_spans[0].spans
    assert (chat.name, attempt.name) == ("chat fast", "attempt")
    assert attempt.parent_span_id == chat.span_id
    assert chat.end_time_unix_nano - chat.start_time_unix_nano == 2_000_000_000
    assert {a.key: a.value.string_value or a.value.int_value for a in chat.attributes} == {
        "gen_ai.operation.name": "chat",
        "n": 3,
    }
    assert (attempt.status.code, attempt.status.message) == (2, "timeout")


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_that_is_down_is_a_failed_export(
    protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    """Not an error; and no log line has a header's value."""
    endpoint = "http://127.0.0.1:9"
    exporter = otlp_exporter(endpoint, protocol, headers={"x-key": KEY}, timeout_s=0.2)
    assert exporter.export(SPANS) is SpanExportResult.FAILURE
    exporter.shutdown()
    assert KEY not in caplog.text
    assert KEY not in repr(exporter)


def test_a_shutdown_does_not_wait_for_a_collector_that_is_down() -> None:
    """The bound is the processor's, and the spans are counted as lost."""
    processor = batching(otlp_exporter("http://127.0.0.1:9", timeout_s=30), timeout_s=0.05)
    for span in SPANS:
        processor.on_end(span)
    processor.shutdown()
    assert not processor.force_flush(1)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "more"),
    [
        ("", "grpc", {}),
        ("collector", "http", {}),
        ("ftp://collector", "http", {}),
        ("http://", "http", {}),
        ("http://collector:port", "grpc", {}),
        ("http://collector:4317/v1/traces", "grpc", {}),
        ("https://collector:4317", "grpc", {"insecure": True}),
        (f"http://me:{KEY}@collector", "http", {}),
        (f"me:{KEY}@collector", "grpc", {}),
        ("http://collector", "udp", {}),
        ("http://collector", "http", {"timeout_s": 0}),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(
    endpoint: str, protocol: Any, more: dict[str, Any]
) -> None:
    """When it is built; without a word of the credentials in it."""
    with pytest.raises(ConfigurationError) as caught:
        otlp_exporter(endpoint, protocol, **more)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [("collector:4317", {}), ("collector:4317", {"insecure": True}), ("https://collector", {})],
)
def test_an_endpoint_may_be_a_host_and_port(endpoint: str, more: dict[str, Any]) -> None:
    """Over gRPC; with TLS unless told otherwise."""
    otlp_exporter(endpoint, **more).shutdown()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_missing_extra_is_named(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the exporter is made."""
    module = f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"plano-asgi\[otlp\]"):
        otlp_exporter("http://collector", protocol)
