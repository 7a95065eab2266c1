"""``tracing`` of a file, each key by what a gateway then does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from asgi_drive import drive
from memory_transport import answer
from plano_asgi.config import Plano
from tapped import PATHS, QUESTIONS
from telemetry.kept_spans import STORE, USED, ask, kept_after, only, plano_of, stored
from telemetry.one_trace import TRACE, TRACEPARENT
from telemetry.test_otlp import grpc_receiver
from telemetry.test_posthog import posthog
from wrapping import CHAT

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files without a directory are made where nobody minds."""
    monkeypatch.chdir(tmp_path)


UNSAMPLED = TRACEPARENT.removesuffix("1") + "0"


@pytest.mark.parametrize(
    ("percent", "least", "most"), [("0", 0, 0), ("50", 1, 39), ("100", 40, 40), ("", 40, 40)]
)
async def test_sampling_is_of_the_traces_that_begin_here(
    percent: str, least: int, most: int
) -> None:
    """So many of a hundred; written nowhere, all."""
    sampling = f"tracing: {{random_sampling: {percent}}}\n" if percent else ""
    spans = await kept_after(sampling + STORE, *[{}] * 40)
    traces = Counter(span.trace_id for span in spans)
    assert least <= len(traces) <= most
    assert len(set(traces.values())) <= 1  # all spans of a request, or none


@pytest.mark.parametrize("percent", [0, 50, 100])
async def test_a_caller_that_has_sampled_decides(percent: int) -> None:
    """For and against, on every API."""
    text = f"tracing: {{random_sampling: {percent}}}\n{STORE}"
    headers = [{"traceparent": TRACEPARENT}] * 3 + [{"traceparent": UNSAMPLED}] * 3
    spans = await kept_after(text, *headers)
    assert {span.trace_id for span in spans} == {TRACE}
    chats = [span for span in spans if span.name.startswith("chat")]
    assert sorted(span.attributes["plano.dialect"] for span in chats) == sorted(PATHS)


async def test_planos_sampling_alone_keeps_spans_at_hand() -> None:
    """In the local store: its default, or where the environment says."""
    text = "tracing: {random_sampling: 100}\n"
    plano, _ = plano_of(text)
    async with plano.lifespan():
        await ask(plano)
    assert only(stored("plano-traces.db")).name == "chat openai/gpt-4o"
    plano, _ = plano_of(text, PLANO_TRACE_STORE="elsewhere.db")
    async with plano.lifespan():
        await ask(plano)
    assert only(stored("elsewhere.db")).name == "chat openai/gpt-4o"


@pytest.mark.parametrize("text", ["", "tracing: {random_sampling: 0}\n", "tracing: {}\n"])
async def test_asked_for_nothing_nothing_is_watched(text: str) -> None:
    """As Plano: off, destinations or not."""
    plano, transport = plano_of(text, OTEL_TRACING_GRPC_ENDPOINT="http://localhost:4317")
    async with plano.lifespan():
        await ask(plano, traceparent=TRACEPARENT)
    assert stored("plano-traces.db") == []
    assert "traceparent" not in transport.requests[0].headers
    assert plano.metrics_app is None


async def test_without_a_file_the_environment_may_name_the_store() -> None:
    """For ``plano-asgi trace`` beside a gateway that has no file at all."""
    plano = Plano.from_env({"PLANO_TRACE_STORE": "spans.db"})
    async with plano.lifespan():
        await drive(plano, CHAT, {**QUESTIONS["openai.chat"], "model": "plano/echo"})
    assert only(stored()).attributes["gen_ai.request.model"] == "plano/echo"


@pytest.mark.parametrize("where", ["file", "environment"])
async def test_spans_go_to_planos_endpoint(where: str) -> None:
    """OTLP over gRPC, with the service's name."""
    with grpc_receiver() as (endpoint, received):
        text = "tracing:\n  random_sampling: 100\n"
        environ = {"OTEL_SERVICE_NAME": "shop"}
        if where == "file":
            text += f"  opentracing_grpc_endpoint: {endpoint}\n"
        else:
            environ["OTEL_TRACING_GRPC_ENDPOINT"] = endpoint
        plano, _ = plano_of(text, **environ)
        async with plano.lifespan():
            await ask(plano)
        request, _ = received.get(timeout=10)
    (resource,) = request.resource_spans
    assert "shop" in {each.value.string_value for each in resource.resource.attributes}
    spans = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert "chat openai/gpt-4o" in spans


@pytest.mark.parametrize("captures", [False, True])
async def test_posthog_hears_whose_it_was(captures: bool) -> None:
    """The header of the first exporter that names one; messages only where spans have them."""
    with posthog() as (url, got):
        text = (
            "tracing:\n  random_sampling: 100\n  exporters:\n"
            f"    - {{type: posthog, url: '{url}', api_key: phc_key, enabled: false,"
            " distinct_id_header: x-no}\n"
            f"    - {{type: posthog, url: '{url}', api_key: phc_key,"
            f" distinct_id_header: X-User-Id, capture_messages: {str(captures).lower()}}}\n"
            "telemetry: {content: span_only}\n"
        )
        plano, _ = plano_of(text)
        async with plano.lifespan():
            await ask(plano, x_user_id="user-7", x_no="user-8")
    ((_, _, sent),) = got
    (event,) = sent["batch"]
    assert event["properties"]["distinct_id"] == "user-7"
    assert ("$ai_input" in event["properties"]) is captures


async def test_messages_asked_for_and_kept_off_spans_are_warned_of() -> None:
    """``capture_messages`` alone captures nothing: content would go to all destinations."""
    text = (
        "tracing:\n  random_sampling: 100\n  exporters:\n"
        "    - {type: posthog, url: 'http://posthog.example', api_key: k, capture_messages: true}\n"
    )
    with capture_logs() as logs:
        plano_of(text)
    (line,) = logs
    assert line["detail"].startswith("tracing.exporters.0.capture_messages: ")


async def test_span_attributes_are_taken_from_headers() -> None:
    """And fixed ones; on the request's own span, too. A credential never is one."""
    text = (
        "tracing:\n  random_sampling: 100\n  span_attributes:\n"
        f"    header_prefixes: [x-acme-]\n    static: {{team: search}}\n{STORE}"
    )
    headers = {"x_acme_tenant_id": "ten-1", "x_acme_api_key": "sk-1", "x_other": "no"}
    spans = await kept_after(text, headers)
    for span in (only(spans), only(spans, "POST")):
        assert span.attributes["team"] == "search"
        assert span.attributes["tenant.id"] == "ten-1"
    assert not [span for span in spans if "sk-1" in str(span.attributes)]


@pytest.mark.parametrize(
    ("more", "is_found"),
    [
        ("", True),
        ("overrides: {disable_signals: true}\n", False),
        ("overrides: {disable_signals: false}\n", True),
    ],
)
async def test_planos_switch_turns_signals_off(more: str, is_found: bool) -> None:
    """``overrides.disable_signals``."""
    spans = await kept_after(STORE + more)
    assert ("signals.quality" in only(spans).attributes) is is_found


async def test_questions_of_a_guard_are_told_as_well() -> None:
    """A judge of the file asks under its own span; what it used is counted once."""
    verdict = {"role": "assistant", "content": '{"violation": 0, "category": ""}'}
    judged = {**USED, "choices": [{"index": 0, "message": verdict, "finish_reason": "stop"}]}
    text = (
        "guards: {use: [{type: judge, model: openai/gpt-4o, policy: no swearing,"
        f" on_error: open}}]}}\n{STORE}"
    )
    plano, transport = plano_of(text, answer(judged), answer(USED))
    async with plano.lifespan():
        await ask(plano)
    assert len(transport.requests) == 2
    spans = stored()
    judge = only(spans, "apply_guardrail")
    (asked,) = [s for s in spans if s.parent_id == judge.span_id]
    assert asked.name == "chat openai/gpt-4o"
    assert asked.attributes["gen_ai.usage.input_tokens"] == 1000
