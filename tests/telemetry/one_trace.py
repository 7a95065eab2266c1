"""A traced FastAPI app with a mounted gateway, a scripted upstream behind, and its spans."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from starlette.middleware import Middleware

from plano_asgi.attempts import RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.middleware import PlanoTracing
from plano_asgi.routing import Alias, Target
from plano_asgi.telemetry import Telemetry
from serving import serving
from upstream import ScriptedUpstream, scripted_upstream

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
KEY = "sk-test-0123456789"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Spans(SpanProcessor):
    """Every span that ended, and a way to wait for them."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []
        self._changed = threading.Condition()

    def on_end(self, span: ReadableSpan) -> None:
        with self._changed:
            self.ended.append(span)
            self._changed.notify_all()

    def wait(self, condition: Callable[[Sequence[ReadableSpan]], bool]) -> list[ReadableSpan]:
        """All of them, once *condition* holds."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.ended), 5), names(self.ended)
            return list(self.ended)

    def of_kind(self, mark: str, count: int = 1) -> list[ReadableSpan]:
        """Those whose name begins with *mark*, once there are *count*."""
        spans = self.wait(lambda all: sum(s.name.startswith(mark) for s in all) >= count)
        return [span for span in spans if span.name.startswith(mark)]


@dataclass(slots=True)
class Stage:
    """The app at *url*, and what it told."""

    url: str
    upstream: ScriptedUpstream
    spans: Spans
    outcomes: list[Any]


@contextmanager
def traced(
    *,
    where: str = "middleware",
    models: Sequence[str] = ("openai/m", "anthropic/m"),
    **options: Any,
) -> Iterator[Stage]:
    """
    Serve it. *where*: traced by a "middleware" around the app, or by the mounted "gateway"; or
    "alone", the gateway being the app. *options* are the telemetry's.
    """
    spans, outcomes = Spans(), list[Any]()
    provider = TracerProvider()
    provider.add_span_processor(spans)
    telemetry = Telemetry(tracer_provider=provider, on_outcome=[outcomes.append], **options)
    with scripted_upstream() as upstream:
        plano = Plano(
            [Model(name, api_key=KEY, base_url=upstream.base_url) for name in models],
            aliases={
                "either": Alias(targets=(Target(model="openai/m"),), fallbacks=("anthropic/m",))
            },
            environ={},
            retry=RetryPolicy(base_delay_s=0.001, max_delay_s=0.002),
            telemetry=None if where == "middleware" else telemetry,
        )
        if where == "alone":
            app: Any = plano
        else:
            around = [Middleware(PlanoTracing, telemetry=telemetry)]
            around = around if where == "middleware" else []
            app = FastAPI(
                middleware=around, telemetry={"tracer_provider": provider}, lifespan=plano.lifespan
            )
            app.mount("/v1", plano)
        with serving(app) as url:
            yield Stage(url, upstream, spans, outcomes)


def names(spans: Sequence[ReadableSpan]) -> list[str]:
    """For a test that fails."""
    return [span.name for span in spans]


def parent_id(span: ReadableSpan) -> int:
    """Of its parent; 0 for a root."""
    return span.parent.span_id if span.parent else 0


def span_id(span: ReadableSpan) -> int:
    """Its own."""
    assert span.context is not None
    found: int = span.context.span_id
    return found
