"""
A process of its own: an app with ``PlanoTracing`` and nothing else, asked before and after there
are global providers. Writes what they got as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_drive import drive
from plano_asgi import PlanoTracing

CHAT = "/v1/chat/completions"
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
ASKED = {
    "model": "gpt-4o",
    "reasoning_effort": "low",
    "messages": [{"role": "user", "content": "hi"}],
}


async def chat(request: Request) -> JSONResponse:
    """An app that asks its model by itself."""
    await request.json()
    return JSONResponse(ANSWER)


async def main() -> dict[str, Any]:
    """Ask, set providers, ask two apps."""
    routes = [Route(CHAT, chat, methods=["POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(PlanoTracing)])
    other = Starlette(routes=routes, middleware=[Middleware(PlanoTracing)])
    await drive(app, CHAT, ASKED)
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    await drive(app, CHAT, ASKED)
    await drive(other, CHAT, ASKED)
    data: Any = reader.get_metrics_data()
    found = [
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    return {
        "spans": [[span.name, dict(span.attributes or {})] for span in spans.get_finished_spans()],
        "metrics": [metric.name for metric in found],
        "requests": [
            point.value
            for metric in found
            if metric.name == "plano.requests"
            for point in metric.data.data_points
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(anyio.run(main)))
