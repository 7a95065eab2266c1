"""What the span of an exchange says of the request, and of who was asked; and where words go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import MemoryReply, answer
from plano_asgi import ApiKeys, Model
from plano_asgi.attempts import RetryPolicy
from plano_asgi.exchange import Exchange
from plano_asgi.filters import HTTPFilter
from plano_asgi.memory import Memory
from plano_asgi.signals import Triage
from plano_asgi.telemetry import ContentCapture
from tapped import WHOLE
from telemetry.watching import Watching
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio

ASK = {**HI, "model": "openai/gpt-4o", "temperature": 0.9}
USED = {**WHOLE, "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
KEYS = ApiKeys({"me": "a-client-key"})
BROKEN = answer({"error": {"message": "busy", "type": "server_error", "code": "weird"}}, status=500)


class Asked(Sampler):
    """Records all, and what it was asked about."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Yes."""
        self.heard.append((name, dict(attributes or {})))
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        """For people."""
        return "Asked"


async def colder(exchange: Exchange) -> Any:
    """A filter that wants another temperature."""
    return {**exchange.body, "temperature": 0.1}


async def test_what_the_client_asked_for_is_told_whatever_was_made_of_it() -> None:
    """A filter's change goes upstream; the span says what was asked."""
    watching = Watching()
    plano, upstream = gateway(answer(USED), filters=[colder], telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    assert upstream.body(0)["temperature"] == 0.1
    assert watching.told()["gen_ai.request.temperature"] == 0.9


async def test_the_upstream_is_named_on_the_span_of_the_exchange() -> None:
    """As the conventions have it, and on that of the attempt."""
    watching = Watching()
    models = [Model("openai/gpt-4o", api_key="sk-12345678", base_url="http://llm.test:8080/v1")]
    plano, _ = gateway(answer(USED), models=models, telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    for mark in ("chat", "attempt"):
        told = watching.told(mark)
        assert (told["server.address"], told["server.port"]) == ("llm.test", 8080)


async def test_a_retry_says_that_it_is_one() -> None:
    """The same model again; the first try says nothing."""
    watching = Watching()
    plano, _ = gateway(
        BROKEN,
        answer(USED),
        retry=RetryPolicy(attempts_per_candidate=2, base_delay_s=0.0),
        telemetry=watching.telemetry,
    )
    await drive(plano, CHAT, ASK)
    tries = [span for span in watching.spans.ended if span.name.startswith("attempt")]
    told = [(span.attributes or {}).get("plano.attempt.retry") for span in tries]
    assert told == [None, True]


async def test_a_failed_try_has_one_word_everywhere() -> None:
    """On its span, on the exchange's, and in the metrics: not the upstream's own code."""
    watching = Watching()
    plano, _ = gateway(BROKEN, telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    assert watching.told("attempt")["error.type"] == watching.told()["error.type"] == "api_error"
    assert watching.counted("plano_upstream_errors_total", error_type="api_error") == 1


async def test_a_sampler_is_told_the_operation() -> None:
    """Before the body is read there is no more to be known."""
    sampler = Asked()
    watching = Watching(sampler=sampler)
    plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    assert ("chat", {"gen_ai.operation.name": "chat"}) in sampler.heard
    assert watching.chat.name == "chat openai/gpt-4o"


@pytest.mark.parametrize(
    ("mode", "on_span"),
    [(ContentCapture.EVENT_ONLY, False), (ContentCapture.SPAN_AND_EVENT, True)],
)
async def test_content_for_events_is_a_log_record(mode: ContentCapture, on_span: bool) -> None:
    """Which a trace's readers never see: it says what it is about, in the trace's context."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    watching = Watching(content=mode, logger_provider=logs)
    plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    (event,) = [found.log_record for found in exporter.get_finished_logs()]
    logs.shutdown()
    told = dict(event.attributes or {})
    assert event.event_name == "gen_ai.client.inference.operation.details"
    assert "hi" in str(told["gen_ai.input.messages"])
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.usage.input_tokens"] == 10
    context = watching.chat.context
    assert context is not None
    assert (event.trace_id, event.span_id) == (context.trace_id, context.span_id)
    assert watching.chat.events == ()
    assert ("gen_ai.input.messages" in watching.told()) is on_span


async def test_a_recall_says_how_much_it_found() -> None:
    """On its span, and for the metrics whether there was anything."""
    watching = Watching()
    plano, _ = gateway(answer(USED), memory=Memory(), auth=KEYS, telemetry=watching.telemetry)
    async with plano.lifespan():
        await drive(plano, CHAT, ASK, headers={"authorization": "Bearer a-client-key"})
    assert watching.told("search_memory")["plano.memory.hits"] == 0
    assert watching.told()["plano.memory.store"] == "miss"
    assert watching.counted("plano_memory_recalls_total", plano_memory_store="miss") == 1


async def test_a_service_is_named_on_its_filters_span() -> None:
    """Though it cannot be reached, and without the password in its URL."""
    watching = Watching()
    service = HTTPFilter("policy", "http://me:secret@127.0.0.1:9", on_error="open")
    plano, _ = gateway(answer(USED), filters=[service], telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    await plano.aclose()
    told = [dict(s.attributes or {}) for s in watching.spans.ended if s.name == "filter policy"]
    assert {(each["server.address"], each["server.port"]) for each in told} == {("127.0.0.1", 9)}
    assert "secret" not in watching.all_told()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(BROKEN, "failed"), (answer(USED), "clean"), (answer({"error": {}}, status=400), "clean")],
)
async def test_the_trace_of_a_failure_is_worth_keeping(reply: MemoryReply, reason: str) -> None:
    """Not that of a request which could not be."""
    watching = Watching(signals=True, triage=Triage(keep_share=0.0))
    plano, _ = gateway(reply, telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK)
    told = watching.told()
    assert (told["plano.triage.reason"], told["plano.triage.keep"]) == (reason, reason == "failed")
