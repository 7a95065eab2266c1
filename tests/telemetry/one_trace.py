"""A traced FastAPI app with a mounted gateway, a scripted upstream behind, and its spans."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from starlette.middleware import Middleware

from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.middleware import PlanoTracing
from plano_asgi.routing import Alias, Target
from plano_asgi.telemetry import Telemetry
from serving import serving
from upstream import (
    Reply,
    ScriptedUpstream,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
    scripted_upstream,
)

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
KEY = "sk-test-0123456789"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
TRACED = {"traceparent": TRACEPARENT, "tracestate": "v=1", "baggage": "tenant=acme"}
"""Headers of a client with a trace of its own."""
MODELS = {CHAT: "openai/m", MESSAGES: "anthropic/m", RESPONSES: "openai/m"}
WHOLE: dict[str, Callable[..., Reply]] = {
    CHAT: chat_reply,
    MESSAGES: anthropic_reply,
    RESPONSES: responses_reply,
}
STREAMED: dict[str, Callable[..., Reply]] = {
    CHAT: chat_stream,
    MESSAGES: anthropic_stream,
    RESPONSES: responses_stream,
}
_UPSTREAM_PARENT = re.compile(rf"00-{TRACE}-([0-9a-f]{{16}})-01")


def question(path: str, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """One question, in the words of the API at *path*."""
    body: dict[str, Any] = {"model": MODELS[path], "stream": stream, **fields}
    if path == RESPONSES:
        return {"input": "Hello there", **body}
    if path == MESSAGES:
        body.setdefault("max_tokens", 100)
    return {"messages": [{"role": "user", "content": "Hello there"}], **body}


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

    def ask(self, path: str, *, stream: bool = False, **fields: Any) -> httpx.Response:
        """One question, as a client with a trace of its own asks it."""
        body = question(path, stream=stream, **fields)
        return httpx.post(self.url + path, json=body, headers=TRACED)

    def forget(self) -> None:
        """Begin anew."""
        self.spans.ended.clear()
        self.upstream.requests.clear()
        self.outcomes.clear()


@dataclass(slots=True)
class Family:
    """The spans of one exchange."""

    server: ReadableSpan
    chat: ReadableSpan
    attempts: list[ReadableSpan]


def family(stage: Stage, attempts: int = 1) -> Family:
    """
    The only exchange there was, once all its spans have ended: they are one trace, the client's,
    each hangs where it belongs, and each upstream was told of its own attempt, not of baggage.
    """
    (chat,) = stage.spans.of_kind("chat")
    tries = stage.spans.of_kind("attempt", attempts)
    spans = stage.spans.wait(lambda all: any(span.kind is SpanKind.SERVER for span in all))
    (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
    assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE}
    assert parent_id(server) == int(PARENT, 16)
    assert parent_id(chat) == span_id(server)
    assert [parent_id(span) for span in tries] == [span_id(chat)] * attempts
    known = {span_id(span) for span in spans}
    assert all(parent_id(span) in known for span in spans if span is not server), names(spans)
    asked = stage.upstream.requests
    told = [_UPSTREAM_PARENT.fullmatch(request.headers["traceparent"]) for request in asked]
    assert [int(found[1], 16) for found in told if found] == [span_id(span) for span in tries]
    assert all(request.headers["tracestate"] == "v=1" for request in asked)
    assert not any("baggage" in request.headers for request in asked)
    return Family(server, chat, tries)


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
            breaker=BreakerPolicy(failures=1_000),
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


def told_by(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes."""
    return dict(span.attributes or {})
