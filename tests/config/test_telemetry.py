"""``telemetry`` of a file, each key by what a gateway then does; and what a file gets wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has no types
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from structlog.testing import capture_logs

from asgi_drive import drive
from memory_transport import MemoryReply, answer
from plano_asgi.config import ConfigError
from plano_asgi.errors import ConfigurationError, MissingExtra
from replies import chat_stream
from tapped import QUESTIONS
from telemetry.kept_spans import (
    ANGRY,
    STORE,
    USED,
    ask,
    kept_after,
    only,
    plano_of,
    say,
    stored,
    taken,
    with_store,
)
from telemetry.one_trace import TRACE, TRACEPARENT
from telemetry.test_otlp import grpc_receiver
from wrapping import CHAT

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files without a directory are made where nobody minds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.toml").write_text(
        '[interaction.disengagement.escalation]\nphrases = ["ring the big bell"]\n', "utf-8"
    )
    (tmp_path / "broken.toml").write_text("[disengagement", "utf-8")


async def test_an_exporter_of_our_own_has_headers_and_a_name() -> None:
    """Under ``telemetry``; sampling needs no word then."""
    with grpc_receiver() as (endpoint, received):
        text = (
            "telemetry:\n  service_name: assistant\n  exporters:\n"
            f"    - {{type: otlp, endpoint: '{endpoint}', headers: {{x-key: $COLLECTOR_KEY}}}}\n"
        )
        plano, _ = plano_of(text, COLLECTOR_KEY="collector-key")
        async with plano.lifespan():
            await ask(plano)
        request, headers = received.get(timeout=10)
    assert headers["x-key"] == "collector-key"
    told = request.resource_spans[0].resource.attributes
    assert "assistant" in {each.value.string_value for each in told}


@pytest.mark.parametrize(
    ("keys", "environ", "is_captured"),
    [
        ("", {}, False),
        ("", {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only"}, True),
        (", content: span_only", {}, True),
        (
            ", content: no_content",
            {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"},
            False,
        ),
    ],
)
async def test_content_is_asked_for(keys: str, environ: dict[str, str], is_captured: bool) -> None:
    """By the file's key, else by the variable; never by itself."""
    text = f"telemetry: {{exporters: [{{type: sqlite, path: spans.db}}]{keys}}}\n"
    spans = await kept_after(text, **environ)
    assert ("gen_ai.input.messages" in only(spans).attributes) is is_captured


async def test_an_unknown_word_for_content_captures_nothing() -> None:
    """And is told of: the variable is the whole process's."""
    with capture_logs() as logs:
        plano_of(STORE, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="everything")
    assert "must be one of" in logs[0]["detail"]


async def test_names_of_the_next_release_are_opted_into() -> None:
    """By OpenTelemetry's own variable."""
    body = {**QUESTIONS["openai.chat"], "model": "openai/gpt-4o", "reasoning_effort": "low"}
    found = []
    for value in ("", "gen_ai_latest_experimental"):
        plano, _ = plano_of(STORE, OTEL_SEMCONV_STABILITY_OPT_IN=value)
        async with plano.lifespan():
            await drive(plano, CHAT, body)
        found.append({name for name, told in only(taken()).attributes.items() if told == "low"})
    assert found == [{"plano.request.reasoning_level"}, {"gen_ai.request.reasoning.level"}]


async def test_prices_of_the_file_win_and_may_be_told() -> None:
    """In a header of whole answers; a stream's headers are gone before its price is known."""
    text = (
        "telemetry:\n  cost_header: true\n  exporters: [{type: sqlite, path: spans.db}]\n"
        "  prices: {openai/gpt-4o: {input: 1000, output: 2000}}\n"
    )
    stream = chat_stream(usage=(1000, 100))
    assert not isinstance(stream.body, bytes)
    parts = [part for part in stream.body if isinstance(part, bytes)]
    streamed = MemoryReply(200, {"content-type": "text/event-stream"}, parts)
    plano, _ = plano_of(text, answer(USED), streamed)
    async with plano.lifespan():
        assert (await ask(plano)).headers["x-plano-cost"] == "1.2"
        body = {**QUESTIONS["openai.chat"], "model": "openai/gpt-4o", "stream": True}
        found = await drive(plano, CHAT, body)
        assert "x-plano-cost" not in found.headers
    costs = [s.attributes["plano.cost.total_usd"] for s in stored() if s.name[:4] == "chat"]
    assert costs == [pytest.approx(1.2), pytest.approx(1.2)]


async def test_no_header_tells_the_cost_unasked() -> None:
    """The bundled list prices it all the same."""
    plano, _ = plano_of(STORE)
    async with plano.lifespan():
        assert "x-plano-cost" not in (await ask(plano)).headers
    assert only(stored()).attributes["plano.cost.total_usd"] > 0


async def test_the_access_log_is_on_standard_output(capfdbinary: Any) -> None:
    """A line of JSON for each request, with the ids of its span."""
    plano, _ = plano_of(with_store("access_log: {renderer: json}"))
    async with plano.lifespan():
        await ask(plano, x_request_id="r-1")
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert b'"request_id":"r-1"' in line
    assert only(stored()).trace_id.encode() in line


async def test_signals_of_ones_own_words() -> None:
    """A lexicon of the user's; ``signals.enabled`` is the other switch."""
    found = []
    for keys in ("lexicons: [words.toml]", "enabled: true", "enabled: false"):
        plano, _ = plano_of(with_store(f"signals: {{{keys}}}"))
        async with plano.lifespan():
            await say(plano, "Please ring the big bell.")
        found.append(only(taken()).attributes.get("signals.interaction.disengagement.count"))
    assert found == [1, None, None]


async def test_triage_keeps_the_bad_ones() -> None:
    """All spans of a conversation, or none."""
    plano, _ = plano_of(with_store("triage: {budget_per_minute: 60, clean_share: 0}"))
    async with plano.lifespan():
        await ask(plano)
        await say(plano, ANGRY)
    spans = stored()
    assert len({span.trace_id for span in spans}) == 1
    assert only(spans, "attempt")
    assert only(spans).attributes["plano.triage.keep"] is True


async def test_planos_names_stand_beside_the_conventions() -> None:
    """For dashboards made for it."""
    (with_them,) = [only(await kept_after(STORE.replace("]}", "], plano_names: true}"))).attributes]
    assert with_them["llm.usage.prompt_tokens"] == with_them["gen_ai.usage.input_tokens"] == 1000


@pytest.mark.parametrize("is_told", [False, True])
async def test_providers_hear_of_baggage_only_if_told(is_told: bool) -> None:
    """It often names people."""
    plano, transport = plano_of(with_store(f"tell_providers_baggage: {str(is_told).lower()}"))
    async with plano.lifespan():
        await ask(plano, traceparent=TRACEPARENT, baggage="tenant=acme")
    assert transport.requests[0].headers["traceparent"].startswith(f"00-{TRACE}-")
    assert transport.requests[0].headers.get("baggage") == ("tenant=acme" if is_told else None)


async def test_the_metrics_page_is_the_gateways() -> None:
    """For the host to mount; it counts, and shows no content."""
    plano, _ = plano_of("telemetry: {metrics: {prometheus: true, path: /internal/metrics}}\n")
    async with plano.lifespan():
        await ask(plano)
    assert plano.metrics_app is not None
    assert plano.metrics_path == "/internal/metrics"
    page = (await drive(plano.metrics_app, "/", method="GET")).body.decode()
    assert 'plano_model="gpt-4o"' in page
    assert "hi" not in [word for line in page.splitlines() for word in line.split('"')]


@contextmanager
def metrics_receiver() -> Iterator[tuple[str, SimpleQueue[Any]]]:
    """A collector of metrics over gRPC: its endpoint, and what it got."""
    received: SimpleQueue[Any] = SimpleQueue()

    class Servicer(MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> ExportMetricsServiceResponse:
            received.put(request)
            return ExportMetricsServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    add_MetricsServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", received
    finally:
        server.stop(0).wait(10)


async def test_metrics_go_to_a_collector_and_what_waits_is_sent_at_the_end() -> None:
    """Over OTLP, with the service's name; the interval is longer than the gateway lives."""
    with metrics_receiver() as (endpoint, received):
        text = (
            "telemetry: {service_name: assistant,"
            f" metrics: {{otlp_endpoint: '{endpoint}', otlp_interval: 1h}}}}\n"
        )
        plano, _ = plano_of(text)
        async with plano.lifespan():
            await ask(plano)
        request = received.get(timeout=10)
    (resource,) = request.resource_metrics
    assert "assistant" in {each.value.string_value for each in resource.resource.attributes}
    metrics = {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
    assert {"plano.requests", "gen_ai.client.token.usage", "plano.cost"} <= metrics


def test_everything_wrong_is_told_at_once() -> None:
    """Each with its path."""
    text = """
tracing:
  random_sampling: 101
  opentracing_grpc_endpoint: collector
  exporters: [{type: zipkin, url: 'http://z.example', api_key: k}]
telemetry:
  exporters:
    - {type: sqlite, endpoint: 'http://localhost:4317'}
    - {type: console, path: spans.db}
    - {type: otlp, protocol: smoke}
  metrics: {path: metrics, otlp_interval: 0s, max_models: 0}
  access_log: {renderer: xml, sample: 2}
  signals: {language: ''}
  triage: {budget_per_minute: 0, clean_share: 1.5, weights: {loops: -1}}
  prices: {m: {input: -1}}
  content: everything
  colour: red
"""
    with pytest.raises(ConfigError) as caught:
        plano_of(text)
    paths = {issue.path for issue in caught.value.issues}
    assert paths >= {
        "tracing.random_sampling",
        "tracing.opentracing_grpc_endpoint",
        "tracing.exporters.0.type",
        "telemetry.exporters.0",
        "telemetry.exporters.1",
        "telemetry.exporters.2.protocol",
        "telemetry.metrics.path",
        "telemetry.metrics.otlp_interval",
        "telemetry.metrics.max_models",
        "telemetry.access_log.renderer",
        "telemetry.access_log.sample",
        "telemetry.signals.language",
        "telemetry.triage.budget_per_minute",
        "telemetry.triage.clean_share",
        "telemetry.triage.weights.loops",
        "telemetry.prices.m.input",
        "telemetry.prices.m.output",
        "telemetry.content",
        "telemetry.colour",
    }


PLAIN = r"must be http://host:port without a path"


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        (
            "tracing: {random_sampling: 1, opentracing_grpc_endpoint: 'https://c:4317'}",
            {},
            rf"tracing\.opentracing_grpc_endpoint: {PLAIN}",
        ),
        (
            "tracing: {random_sampling: 1}",
            {"OTEL_TRACING_GRPC_ENDPOINT": "http://c:4317/v1/traces"},
            rf"OTEL_TRACING_GRPC_ENDPOINT: {PLAIN}",
        ),
        (
            "telemetry: {exporters: [{type: console}, {type: otlp, endpoint: 'http://c/path'}]}",
            {},
            r"telemetry\.exporters\.1: .*has no path",
        ),
        (
            "telemetry: {signals: {language: klingon}}",
            {},
            r"telemetry\.signals\.language: no lexicon 'klingon'; there are: en",
        ),
        (
            "telemetry: {signals: {lexicons: [words.toml, gone.toml]}}",
            {},
            r"telemetry\.signals\.lexicons\.1: cannot be read: No such file",
        ),
        (
            "telemetry: {signals: {lexicons: [broken.toml]}}",
            {},
            r"telemetry\.signals\.lexicons\.0: broken\.toml: ",
        ),
    ],
)
def test_what_only_building_finds_says_where(
    text: str, environ: dict[str, str], words: str
) -> None:
    """A path, or a variable."""
    with pytest.raises(ConfigurationError, match=words):
        plano_of(text, **environ)


@pytest.mark.parametrize(
    ("text", "module", "extra"),
    [
        (STORE, "opentelemetry.sdk", "tracing"),
        ("tracing: {random_sampling: 1}", "opentelemetry.sdk", "tracing"),
        (
            "telemetry: {exporters: [{type: otlp}]}",
            "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
            "otlp",
        ),
        (
            "telemetry: {metrics: {otlp_endpoint: 'http://c:4317'}}",
            "opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
            "otlp",
        ),
        ("telemetry: {metrics: {prometheus: true}}", "prometheus_client", "prometheus"),
    ],
)
def test_a_missing_extra_is_named(
    text: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the gateway is built, not when it serves."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"plano-asgi\[{extra}\]"):
        plano_of(text)


async def test_without_the_price_list_only_ones_own_prices_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prices are an extra; no price is no error."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert "plano.cost.total_usd" not in only(await kept_after(STORE)).attributes
    taken()
    prices = with_store("prices: {openai/gpt-4o: {input: 1000, output: 2000}}")
    told = only(await kept_after(prices)).attributes
    assert told["plano.cost.total_usd"] == pytest.approx(1.2)
