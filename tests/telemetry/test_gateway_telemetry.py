"""A gateway's own telemetry: refusals, services it asks, and what is left when all is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.server.mcpserver import MCPServer
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_drive import Exchanged, drive
from gateway_build import KEY, gateway
from memory_transport import Chunk, MemoryReply, answer
from plano_asgi import ApiKeys
from plano_asgi.attempts import RetryPolicy
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Exchange
from plano_asgi.filters import HTTPFilter, MCPFilter
from plano_asgi.gateway.gateway import Limits
from plano_asgi.signals import Analyzer
from plano_asgi.signals.base import Row, Signal
from plano_asgi.state import ResponsesState
from plano_asgi.telemetry import ContentCapture
from replies import anthropic_reply, chat_stream
from serving import serving
from tapped import PATHS, QUESTIONS, WHOLE
from telemetry.one_trace import TRACE, TRACEPARENT, parent_id, span_id
from telemetry.watching import Watching, is_one_trace
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio

ASK = {**HI, "model": "openai/gpt-4o"}
MESSAGE = anthropic_reply("Which one do you mean?").body
USED = {**WHOLE, "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}


def stream_parts() -> list[Chunk]:
    """A whole streamed answer in pieces."""
    body = chat_stream().body
    assert not isinstance(body, bytes)
    return [part for part in body if isinstance(part, bytes)]


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (ASK, {}, 401, "invalid_api_key"),
        ({**ASK, "model": "nobody/knows"}, {"x-api-key": "client-key"}, 404, "model_not_found"),
        ({**ASK, "x": "y" * 2000}, {"x-api-key": "client-key"}, 413, "request_too_large"),
        (b"{not json", {"x-api-key": "client-key"}, 400, "invalid_request_error"),
        (b"[]", {"x-api-key": "client-key"}, 400, "invalid_request_error"),
        ({"model": "openai/gpt-4o"}, {"x-api-key": "client-key"}, 400, "invalid_request_error"),
    ],
)
async def test_a_refusal_is_told_and_nothing_stays_in_flight(
    body: Any, headers: dict[str, str], status: int, error: str
) -> None:
    """One exchange, with the error the client was told, and no attempt."""
    watching = Watching()
    plano, _ = gateway(
        answer(WHOLE),
        auth=ApiKeys({"me": "client-key"}),
        limits=Limits(max_body_bytes=1000),
        telemetry=watching.telemetry,
    )
    found = await drive(plano, CHAT, body, headers={**headers, "traceparent": TRACEPARENT})
    assert found.status == status
    told = watching.told()
    assert told["http.response.status_code"] == status
    assert told["error.type"] == error
    assert is_one_trace(watching.spans.ended)
    assert watching.outcome.exchange.attempts == []
    assert watching.counted("plano_requests_total", plano_status_class="4xx") == 1
    assert watching.in_flight == 0


@pytest.mark.parametrize("is_sampled", [False, True], ids=["unsampled", "sampled"])
@pytest.mark.parametrize("is_heard", [False, True], ids=["nobody", "a listener"])
async def test_what_nobody_hears_of_is_not_found_out(is_sampled: bool, is_heard: bool) -> None:
    """An exchange that is not sampled, and no metrics, log or listener: no text is read."""
    looked: list[Sequence[Row]] = []

    def spy(rows: Sequence[Row]) -> Sequence[Signal]:
        looked.append(rows)
        return ()

    watching = Watching(
        sampler=ALWAYS_ON if is_sampled else ALWAYS_OFF,
        metrics=None,
        on_outcome=[lambda _: None] if is_heard else [],
        signals=Analyzer(detectors=[spy]),
    )
    plano, _ = gateway(answer(WHOLE), telemetry=watching.telemetry)
    assert (await drive(plano, CHAT, ASK)).status == 200
    assert bool(looked) is (is_sampled or is_heard)
    assert len(watching.spans.ended) == (3 if is_sampled else 0)


async def test_paths_that_are_no_exchange_are_not_told_as_one() -> None:
    """Lists of models, unknown paths, wrong methods."""
    watching = Watching()
    plano, _ = gateway(answer(WHOLE), telemetry=watching.telemetry)
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/nothing"), ("GET", CHAT)):
        await drive(plano, path, method=method)
    assert watching.outcomes == []
    assert [span.name.split()[0] for span in watching.spans.ended] == ["GET", "POST", "GET"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_upstream_that_breaks_off_leaves_nothing_in_flight(stream: bool) -> None:
    """Neither the exchange nor the try."""
    watching = Watching()
    parts = [*(stream_parts()[:2] if stream else [b"{"]), UpstreamReset("gone")]
    kind = "text/event-stream" if stream else "application/json"
    plano, _ = gateway(
        MemoryReply(200, {"content-type": kind}, parts), telemetry=watching.telemetry
    )
    await drive(plano, CHAT, {**ASK, "stream": stream})
    assert watching.told()["error.type"] == "upstream_reset"
    assert watching.told("attempt")["error.type"] == "upstream_reset"
    assert watching.counted("plano_upstream_errors_total") == 1
    assert watching.in_flight == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_leaves_nothing_in_flight(stream: bool) -> None:
    """Before the first byte, or amid them."""
    watching, left, into = Watching(), anyio.Event(), Exchanged()
    never = anyio.Event()
    parts: list[Chunk] = [*(stream_parts()[:2] if stream else []), never]
    kind = "text/event-stream" if stream else "application/json"
    plano, transport = gateway(
        MemoryReply(200, {"content-type": kind}, parts), telemetry=watching.telemetry
    )

    async def leave() -> None:
        while not transport.replies or (stream and len(into.messages) < 2):
            await anyio.lowlevel.checkpoint()
        assert watching.in_flight == 2
        left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        await drive(plano, CHAT, {**ASK, "stream": stream}, leave=left, into=into)
    assert watching.told()["error.type"] == "client_disconnect"
    assert watching.told()["plano.disconnected"] is True
    assert watching.outcome.exchange.disconnected
    assert transport.replies[0].closed
    assert watching.in_flight == 0


async def test_a_cancelled_task_leaves_nothing_in_flight() -> None:
    """As of a server that gives up at its shutdown."""
    watching, never = Watching(), anyio.Event()
    plano, transport = gateway(
        MemoryReply(200, {"content-type": "application/json"}, [never]),
        telemetry=watching.telemetry,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive, plano, CHAT, ASK)
        while not transport.replies:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert len(watching.outcomes) == 1
    assert watching.chat.end_time is not None
    assert watching.only("attempt").end_time is not None
    assert watching.in_flight == 0


async def test_interleaved_exchanges_are_counted_one_by_one() -> None:
    """While they last there are as many as there are; then none, and each has its own span."""
    watching, gate = Watching(), anyio.Event()
    parts: list[Chunk] = [gate, json.dumps(USED).encode()]
    plano, transport = gateway(
        MemoryReply(200, {"content-type": "application/json"}, parts),
        telemetry=watching.telemetry,
    )
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            body = {**ASK, "max_tokens": number + 1}
            headers = {"x-request-id": f"r-{number}"}
            tasks.start_soon(lambda b=body, h=headers: drive(plano, CHAT, b, headers=h))  # type: ignore[misc]
        while len(transport.replies) < 20:
            await anyio.lowlevel.checkpoint()
        assert watching.counted("plano_requests_in_flight") == 20
        assert watching.counted("plano_upstream_in_flight") == 20
        gate.set()
    assert watching.in_flight == 0
    for span in watching.spans.of_kind("chat", 20):
        told = dict(span.attributes or {})
        assert told["plano.request.id"] == f"r-{int(str(told['gen_ai.request.max_tokens'])) - 1}"
        below = [s for s in watching.spans.ended if parent_id(s) == span_id(span)]
        assert [each.name.split()[0] for each in below] == ["attempt"]


async def test_a_breaker_that_opens_is_told() -> None:
    """As a gauge; retries and failures are counted by their model."""
    watching = Watching()
    plano, _ = gateway(
        answer({}, status=500),
        telemetry=watching.telemetry,
        retry=RetryPolicy(attempts_per_candidate=3, base_delay_s=0.0, max_delay_s=0.0),
    )
    for _ in range(4):
        await drive(plano, CHAT, ASK)
    labels = {"plano_provider": "openai", "plano_model": "gpt-4o"}
    assert watching.counted("plano_upstream_retries_total", **labels) > 0
    assert watching.counted("plano_upstream_breaker_state", **labels) == 2
    assert watching.in_flight == 0


async def test_the_request_span_is_told_the_model_and_the_request() -> None:
    """Whoever made it; and it says nothing of a query."""
    watching = Watching()
    plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
    await drive(plano, CHAT, ASK, headers={"x-request-id": "r-1"})
    told = watching.told("POST")
    assert told["plano.model"] == "openai/gpt-4o"
    assert told["plano.request.id"] == "r-1"


async def test_a_key_is_never_told() -> None:
    """Neither the client's nor the gateway's, with content asked for or not."""
    watching = Watching(content=ContentCapture.SPAN_AND_EVENT)
    plano, _ = gateway(
        answer({"error": {"message": f"bad key {KEY}"}}, status=401),
        auth=ApiKeys({"me": "client-key"}),
        telemetry=watching.telemetry,
    )
    headers = {"authorization": "Bearer client-key", "cookie": "sid=client-key"}
    await drive(plano, CHAT, ASK, headers=headers)
    assert "client-key" not in watching.all_told()
    assert KEY not in watching.all_told()


# ------------------------------------------------------------------ services of one's own


class Services:
    """A filter over HTTP and one over MCP, and the trace headers that each got."""

    def __init__(self) -> None:
        self.over_http: list[dict[str, str]] = []
        self.over_mcp: list[dict[str, Any]] = []
        self.url = ""

    def app(self) -> ASGIApp:
        """Both, in one server."""
        server = MCPServer("filters")

        @server.tool()
        def rewrite(body: dict[str, Any], path: str) -> dict[str, Any]:
            """Change nothing."""
            return body

        async def http(request: Request) -> Response:
            self.over_http.append(dict(request.headers))
            return JSONResponse(await request.json())

        over_http = Starlette(routes=[Route(CHAT, http, methods=["POST"])])
        over_mcp = server.streamable_http_app()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == CHAT:
                await over_http(scope, receive, send)
            else:
                await over_mcp(scope, self._heard(receive), send)

        return app

    def _heard(self, receive: Receive) -> Receive:
        async def heard() -> Any:
            message = await receive()
            if (body := message.get("body")) and b'"tools/call"' in body:
                self.over_mcp.append(json.loads(body)["params"].get("_meta") or {})
            return message

        return heard


@pytest.fixture(scope="module", name="services")
def _running() -> Iterator[Services]:
    services = Services()
    with serving(services.app, factory=True) as url:
        services.url = url
        yield services


@pytest.mark.parametrize("protocol", ["http", "mcp"])
async def test_filters_are_told_the_trace_and_the_baggage(
    services: Services, protocol: str
) -> None:
    """Below the filter's own span, which says how it was asked: they are services of one's own."""
    watching = Watching()
    heard = services.over_http if protocol == "http" else services.over_mcp
    heard.clear()
    service = (
        HTTPFilter("policy", services.url)
        if protocol == "http"
        else MCPFilter("policy", services.url, tool="rewrite")
    )
    plano, _ = gateway(answer(USED), filters=[service], telemetry=watching.telemetry)
    headers = {"traceparent": TRACEPARENT, "tracestate": "v=1", "baggage": "tenant=acme"}
    assert (await drive(plano, CHAT, ASK, headers=headers)).status == 200
    await plano.aclose()
    spans = [span for span in watching.spans.ended if span.name == "filter policy"]
    told = [dict(span.attributes or {}) for span in spans]
    # The service over HTTP sees the answer as well.
    sides = ["request", "answer"] if protocol == "http" else ["request"]
    assert [attributes["plano.filter.side"] for attributes in told] == sides
    assert {attributes["plano.filter.protocol"] for attributes in told} == {protocol}
    assert {parent_id(span) for span in spans} == {span_id(watching.chat)}
    assert {(got["tracestate"], got["baggage"]) for got in heard} == {("v=1", "tenant=acme")}
    asked = [f"00-{TRACE}-{span_id(span):016x}-01" for span in spans]
    assert [got["traceparent"] for got in heard] == asked


async def test_without_telemetry_filters_hear_what_the_client_said(services: Services) -> None:
    """Its own headers, as ever: nobody makes a trace up."""
    service = HTTPFilter("policy", services.url)
    plano, _ = gateway(answer(USED), filters=[service])
    await drive(plano, CHAT, ASK, headers={"traceparent": TRACEPARENT})
    await plano.aclose()
    assert services.over_http[-1]["traceparent"] == TRACEPARENT


# ------------------------------------------------------------------------ lifespan, hosts


async def test_the_gateways_lifespan_flushes_what_telemetry_owns_once() -> None:
    """After everything else has been closed."""
    order: list[str] = []

    class Owned:
        def shutdown(self) -> None:
            order.append("telemetry")

    class Resource:
        def lifespan(self, _app: object = None) -> Any:
            return _noting(order)

    watching = Watching(owned=[Owned()])
    plano, _ = gateway(answer(USED), telemetry=watching.telemetry, resources=[Resource()])
    async with plano.lifespan():
        await drive(plano, CHAT, ASK)
    assert order == ["resource", "telemetry"]


class _noting:
    """A lifespan that notes its end."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    async def __aenter__(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def __aexit__(self, *exc: object) -> None:
        self._order.append("resource")


@pytest.mark.parametrize("dialect", list(PATHS))
async def test_facts_of_a_step_are_told(dialect: str) -> None:
    """An extension's under ``plano.``, next to those that have names."""
    watching = Watching()

    async def note(exchange: Exchange) -> None:
        exchange.facts["cache"] = "miss"
        exchange.facts["colour"] = "red"

    plano, _ = gateway(answer(USED), steps=[note], telemetry=watching.telemetry)
    body = {**QUESTIONS[dialect], "model": "openai/gpt-4o"}
    await drive(plano, PATHS[dialect], body)
    assert watching.told()["plano.cache.outcome"] == "miss"
    assert watching.told()["plano.colour"] == "red"
    assert watching.counted("plano_cache_lookups_total", plano_cache_outcome="miss") == 1


async def test_what_is_kept_here_is_analysed_with_the_new_turn() -> None:
    """A Responses client sends only what is new; indexes are those of its own list."""
    watching = Watching()
    plano, _ = gateway(
        answer(MESSAGE), answer(MESSAGE), state=ResponsesState(), telemetry=watching.telemetry
    )
    asked = "Please cancel the order of the blue lamp from yesterday"
    body: dict[str, Any] = {"model": "anthropic/claude-sonnet-4-5", "input": asked}
    first = (await drive(plano, "/v1/responses", body)).json()
    found = await drive(plano, "/v1/responses", {**body, "previous_response_id": first["id"]})
    assert found.status == 200
    report = watching.outcomes[1].signals
    assert report is not None
    assert report.turns.user_turns == 2
    repeated = [s.message_index for s in report.signals if s.type.endswith("repetition")]
    assert repeated == [0, 1]  # the person's turn, and the model's answer to it


async def test_a_decision_is_no_inference() -> None:
    """Nothing was asked of a model: no tokens, no signals, an operation of its own."""
    watching = Watching()
    plano, transport = gateway(telemetry=watching.telemetry)
    found = await drive(plano, f"/routing{CHAT}", ASK, headers={"traceparent": TRACEPARENT})
    assert found.status == 200
    assert transport.requests == []
    told = watching.told("routing_decision")
    assert told["gen_ai.operation.name"] == "routing_decision"
    assert "gen_ai.usage.input_tokens" not in told
    assert "signals.quality" not in told
