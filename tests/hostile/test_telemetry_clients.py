"""Counts, names and headers of clients and upstreams: what is told of them, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from asgi_drive import drive
from gateway_build import gateway
from hostile.stage import CHAT, CLIENTS, PATHS, RESPONSES, question
from hostile.test_telemetry_laws import reply
from memory_transport import answer
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Prices
from plano_asgi.telemetry import Metrics, PrometheusMeters, SpanHeaders
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: no time passes here."""
    return "asyncio"


def app_of(response: Response) -> Any:
    """An app that reads its request and answers *response*."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await response(scope, receive, send)

    return app


async def watched(response: Response, dialect: str = CHAT, **fields: Any) -> Watching:
    """What is told of an app that answers so."""
    watching = Watching(prices=Prices())
    app = PlanoTracing(app_of(response), telemetry=watching.telemetry)
    fields.setdefault("model", "gpt-4o")
    await drive(app, PATHS[dialect], question(dialect, **fields))
    assert watching.in_flight == 0
    return watching


def whole(dialect: str, usage: object) -> Response:
    """An answer that says to have used *usage*."""
    (body,) = reply(dialect).chunks
    assert isinstance(body, bytes)
    return Response(json.dumps({**json.loads(body), "usage": usage}), media_type="application/json")


# --------------------------------------------------------------------------- counts

LIES = (10**30, 2**64 - 1, 2**63, 10**15, -5, 1e300, 2.5, True, "5", [1], None, {"a": 1})


@pytest.mark.parametrize("lie", LIES, ids=str)
@pytest.mark.parametrize("dialect", CLIENTS)
async def test_a_count_that_cannot_be_is_not_told(dialect: str, lie: object) -> None:
    """Every number on spans fits OTLP, none is negative or a truth; no cost is below 0."""
    keys = ("prompt_tokens", "completion_tokens") if dialect == CHAT else _COUNTS
    watching = await watched(whole(dialect, dict.fromkeys(keys, lie)), dialect)
    encode_spans(watching.spans.ended)
    for name, value in watching.told().items():
        if "usage" in name and name.endswith("tokens"):
            assert type(value) is int, name
            assert 0 <= value <= 10**12, name
    cost = watching.outcome.cost
    assert cost is None or 0 <= cost.total_usd < 10**9
    assert 0 <= watching.counted("plano_upstream_tokens_total") <= 2 * 10**12


_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens")


@pytest.mark.parametrize("usage", [[1, 2], "many", 7, True, [], {"input_tokens": {}}], ids=str)
@pytest.mark.parametrize("dialect", CLIENTS)
async def test_a_usage_that_is_none_is_none(dialect: str, usage: object) -> None:
    """Of whatever type."""
    watching = await watched(whole(dialect, usage), dialect)
    assert watching.outcome.status == 200
    found = watching.outcome.usage
    assert found is None or found.input_tokens == found.output_tokens == 0


async def test_one_lie_does_not_spoil_the_counters() -> None:
    """What is counted after it still shows."""
    watching = Watching(prices=Prices())
    lie = whole(RESPONSES, {"input_tokens": 1e30, "output_tokens": 1e30})
    true = whole(RESPONSES, {"input_tokens": 7, "output_tokens": 3})
    before = 0.0
    for response in (lie, true):
        before = watching.counted("gen_ai_client_token_usage_sum")
        assert before <= 2 * 10**12
        app = PlanoTracing(app_of(response), telemetry=watching.telemetry)
        await drive(app, PATHS[RESPONSES], question(RESPONSES, model="gpt-4o"))
    assert watching.counted("gen_ai_client_token_usage_sum") == before + 10


# --------------------------------------------------------------------------- names

EVIL = 'gpt\x1b[31m\n"quoted\\", evil="1\u2028\x00\ud83d{}'
NAMES = (
    EVIL,
    "m" * 1_000_000,
    "\ud800" * 300,
    "é" * 300,
    " ",
    "a/b/c/d",
    "{model}",
    "%s%n",
    "../..",
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]))
async def test_a_models_name_is_cut_and_encodable(name: str) -> None:
    """On every span, at every exporter, on the page and in its label."""
    watching = Watching()
    plano, _ = gateway(reply(CHAT))
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    for model in (name, f"mistral/{name}"):
        await drive(app, PATHS[CHAT], question(CHAT, model=model))
    encode_spans(watching.spans.ended)
    for span in watching.spans.ended:
        span.name.encode()
        assert len(span.name) < 400
        for value in (span.attributes or {}).values():
            assert len(str(value)) < 400
            str(value).encode()
    page = watching._meters.render().decode()
    assert len(page) < 500_000
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    assert samples
    assert all(label.isprintable() for s in samples for label in s.labels.values())
    opened = watching._meters.render(openmetrics=True).decode()
    assert list(openmetrics_families(opened))  # type: ignore[no-untyped-call]


async def test_names_that_clients_make_up_take_no_series() -> None:
    """Refused by the gateway or by the upstream, they are all one; a real model is told after."""
    watching = Watching()
    unknown = answer({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    plano, transport = gateway(unknown)
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    for number in range(600):
        prefix = "mistral/" if number % 2 else ""
        await drive(app, PATHS[CHAT], question(CHAT, model=f"{prefix}made-up-{number}"))
    transport.outcomes = [reply(CHAT)]
    await drive(app, PATHS[CHAT], question(CHAT, model="mistral/real"))
    page = watching._meters.render().decode()
    assert watching.counted("plano_requests_total") == 601
    assert watching.counted("plano_requests_total", plano_model="real") == 1
    told = [line for line in page.splitlines() if "made-up" in line]
    assert all(line.startswith("plano_upstream_in_flight{") for line in told)
    assert len(told) <= 200
    assert watching.in_flight == 0


async def test_errors_and_paths_of_clients_are_few() -> None:
    """Whatever an upstream calls its errors, ``error.type`` is one of a few words."""
    watching = Watching()
    plano, transport = gateway(reply(CHAT))
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    for number in range(100):
        error = {"message": "x", "type": f"type-{number}", "code": f"code-{number}"}
        transport.outcomes = [answer({"error": error}, 400 + number % 60)]
        await drive(app, PATHS[CHAT], question(CHAT, model="openai/gpt-4o"))
    words = {outcome.error_type for outcome in watching.outcomes}
    assert not [word for word in words if "-" in word]
    assert len(words) < 16


# --------------------------------------------------------------------------- headers


async def test_headers_cannot_pass_for_attributes_of_ours() -> None:
    """However they are spelled, and however many there are."""
    watching = Watching(headers=SpanHeaders(["x-", "y"]))
    app = PlanoTracing(app_of(whole(CHAT, None)), telemetry=watching.telemetry)
    spoofed = {
        "x-gen_ai-request-model": "spoof",
        "x-gen_ai.request.model": "spoof",
        "x--gen_ai-usage-input_tokens": "spoof",
        "x-plano-cost-total_usd": "spoof",
        "x-signals-quality": "spoof",
        "x-error-type": "spoof",
        "x-http-response-status_code": "spoof",
        "x-server-address": "spoof",
        "x-llm-model": "spoof",
        "x-openai-api-type": "spoof",
        "ygen_ai.request.model": "spoof",
        "x-service-name": "spoof",
        "x-session-id": "spoof",
        "x-otel-status_code": "spoof",
        "x-exception-message": "spoof",
        "x-url-full": "spoof",
        "x-": "empty",
        "x---": "empty",
        "x-big": "b" * 60_000,
        "x-\x7f": "name",
        **{f"x-n{number}": "v" for number in range(100)},
    }
    await drive(app, PATHS[CHAT], question(CHAT, model="gpt-4o"), headers=spoofed)
    told = watching.told()
    ours = [name for name, value in told.items() if value == "spoof" and name.startswith(_OURS)]
    assert ours == []
    assert "" not in told
    assert sum(value == "v" for value in told.values()) <= 32
    assert max(len(str(value)) for value in told.values()) <= 256


_OURS = ("gen_ai", "plano", "signals", "error", "http", "server", "llm", "openai", "exception")

LISTS = ["", ",,,", "a=" + "b" * 60_000, ",".join(f"k{n}=v" for n in range(999))]
IDS = {
    "x-request-id": ["", "a b", "a\r\nb", "x" * 5000, "é", "../../etc", "a\x00"],
    "traceparent": ["", "00", "ff-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 60_000, "00-" * 900],
    "tracestate": [*LISTS, "=" * 500],
    "baggage": [*LISTS, "%%%=%%"],
}


@pytest.mark.parametrize("name", IDS)
async def test_broken_trace_headers_begin_a_trace(name: str) -> None:
    """And each request is served, and told of."""
    watching = Watching()
    plano, transport = gateway(reply(CHAT))
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    for value in IDS[name]:
        body = question(CHAT, model="openai/gpt-4o")
        assert (await drive(app, PATHS[CHAT], body, headers={name: value})).status == 200
    encode_spans(watching.spans.ended)
    assert len(watching.outcomes) == len(IDS[name])
    for sent in transport.requests:
        assert sum(len(value) for value in sent.headers.values()) < 20_000


def test_a_label_does_not_show_a_key_or_a_line() -> None:
    """Neither of which a page is a place for."""
    meters = PrometheusMeters()
    metrics = Metrics([meters])
    metrics.upstream_began("openai", "sk-0123456789abcdef\nx")
    page = meters.render().decode()
    assert "0123456789abcdef" not in page
    assert list(text_string_to_metric_families(page))
