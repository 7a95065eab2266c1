"""An app's own agents and tools, as spans of the request they work for."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi import doing
from plano_asgi.errors import RateLimited
from tapped import WHOLE
from telemetry.agent_apps import SERVER_SPAN, asked, failures, lineage
from telemetry.one_trace import PARENT, TRACE, TRACED, parent_id, span_id
from telemetry.watching import Watching, is_one_trace
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio


async def test_a_tool_is_below_its_agent_below_the_exchange() -> None:
    """With the conventions' names for what they name, and ours for the rest."""

    async def work(request: Request) -> None:
        with doing(request, "agent", "travel", agent_id="a1") as agent:
            with doing(request, "tool", "weather", call_id="c1", cached=False) as tool:
                await anyio.lowlevel.checkpoint()
                tool.note(hits=3, found=None, place="")
            agent.note(steps=2)

    watching = Watching()
    assert (await asked(watching, work, **TRACED)).json() == WHOLE
    assert lineage(watching, "execute_tool") == [
        "execute_tool weather",
        "invoke_agent travel",
        "chat m",
        SERVER_SPAN,
    ]
    assert parent_id(watching.only("POST")) == int(PARENT, 16)
    assert is_one_trace(watching.spans.ended, TRACE)
    assert watching.told("invoke_agent") == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "travel",
        "gen_ai.agent.id": "a1",
        "plano.agent.steps": 2,
    }
    assert watching.only("execute_tool").kind is SpanKind.INTERNAL
    assert watching.told("execute_tool") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c1",
        "plano.tool.cached": False,
        "plano.tool.hits": 3,
    }
    assert failures(watching) == {}


async def test_an_agent_elsewhere_is_a_client_span() -> None:
    """With its host and what it answered."""

    async def work(request: Request) -> None:
        with doing(request, "agent", "hotels", address="hotels.internal") as agent:
            agent.note(status=200)

    watching = Watching()
    await asked(watching, work)
    told = watching.told("invoke_agent")
    assert watching.only("invoke_agent").kind is SpanKind.CLIENT
    assert told["server.address"] == "hotels.internal"
    assert told["http.response.status_code"] == 200


async def test_facts_may_have_any_name() -> None:
    """Also those of the parameters."""

    async def work(request: Request) -> None:
        with doing(request, "tool", "t", name="n", kind="k", request="r"):
            pass

    watching = Watching()
    await asked(watching, work)
    told = watching.told("execute_tool")
    assert told["gen_ai.tool.name"] == "t"
    assert [told[f"plano.tool.{fact}"] for fact in ("name", "kind", "request")] == ["n", "k", "r"]


async def test_a_name_that_a_model_made_up_does_no_harm() -> None:
    """It is a client's word: cut, and fit to be exported."""

    async def work(request: Request) -> None:
        with doing(request, "tool", "\ud83d{0}" + "x" * 5000, call_id="\udc00"):
            pass

    watching = Watching()
    assert (await asked(watching, work)).status == 200
    told = watching.told("execute_tool")
    assert told["gen_ai.tool.name"].startswith("?{0}xxx")
    assert told["gen_ai.tool.call.id"] == "?"
    assert len(watching.only("execute_tool").name) < 300


# ---- who is asked within one


@pytest.mark.parametrize("is_told", [True, False], ids=["with its headers", "by the task alone"])
async def test_a_gateway_asked_within_is_below_it(is_told: bool) -> None:
    """Its exchange and its attempts, in process, whether or not the question carries the trace."""
    watching = Watching()
    plano, transport = gateway(answer(WHOLE), telemetry=watching.telemetry)

    async def work(request: Request) -> Response:
        question = {**HI, "model": "openai/gpt-4o"}
        with doing(request, "agent", "travel") as agent:
            headers = dict(agent.headers) if is_told else {}
            inner = await drive(plano, CHAT, question, headers=headers)
        return JSONResponse(inner.json())

    assert (await asked(watching, work, **TRACED)).json()["choices"] == WHOLE["choices"]
    assert lineage(watching, "attempt") == [
        "attempt openai/gpt-4o",
        "chat openai/gpt-4o",
        "invoke_agent travel",
        "chat m",
        SERVER_SPAN,
    ]
    assert is_one_trace(watching.spans.ended)
    attempt = span_id(watching.only("attempt"))
    assert transport.requests[0].headers["traceparent"] == f"00-{TRACE}-{attempt:016x}-01"


async def test_a_service_asked_within_is_told_of_it_by_headers() -> None:
    """Of the innermost one, and of no baggage: it may be a stranger."""
    told: list[dict[str, str]] = []

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        told.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await Response()(scope, receive, send)

    async def work(request: Request) -> None:
        transport = httpx.ASGITransport(app=service)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            with doing(request, "agent", "travel") as agent:
                with doing(request, "tool", "weather") as tool:
                    await client.get("/", headers=tool.headers)
                await client.get("/", headers=agent.headers)

    watching = Watching()
    await asked(watching, work, **TRACED)
    spans = [watching.only("execute_tool"), watching.only("invoke_agent")]
    expected = [f"00-{TRACE}-{span_id(span):016x}-01" for span in spans]
    assert [headers["traceparent"] for headers in told] == expected
    assert all(headers["tracestate"] == "v=1" for headers in told)
    assert not any("baggage" in headers for headers in told)


async def test_what_others_instrument_is_below_it_too() -> None:
    """It is the current span of the task; past it, the exchange's is again."""
    watching = Watching()
    provider = watching.telemetry.provider
    assert provider is not None
    tracer = provider.get_tracer("an instrumented client")

    async def work(request: Request) -> None:
        with doing(request, "tool", "weather"), tracer.start_as_current_span("GET"):
            await anyio.lowlevel.checkpoint()
        with tracer.start_as_current_span("SELECT"), doing(request, "tool", "hotels"):
            await anyio.lowlevel.checkpoint()

    await asked(watching, work)
    assert lineage(watching, "GET")[1:] == ["execute_tool weather", "chat m", SERVER_SPAN]
    assert lineage(watching, "execute_tool hotels")[1:] == ["SELECT", "chat m", SERVER_SPAN]


async def test_a_trace_that_is_not_sampled_goes_on_unsampled() -> None:
    """No spans; whoever is asked within hears that nobody records."""
    headers: list[dict[str, str]] = []

    async def work(request: Request) -> None:
        with doing(request, "tool", "weather") as tool:
            headers.append(dict(tool.headers))

    watching = Watching(sampler=ParentBased(ALWAYS_ON))
    await asked(watching, work, traceparent=f"00-{TRACE}-{PARENT}-00")
    assert watching.spans.ended == []
    (told,) = headers
    assert told["traceparent"].startswith(f"00-{TRACE}-")
    assert told["traceparent"].endswith("-00")


# ---- failures


@pytest.mark.parametrize(
    ("error", "word"),
    [(KeyError("a secret"), "KeyError"), (RateLimited("a secret"), "rate_limit_exceeded")],
)
async def test_what_is_raised_passes_and_is_the_error_of_all(error: Exception, word: str) -> None:
    """By its class or our word, never by its text."""

    async def work(request: Request) -> None:
        with doing(request, "agent", "travel"), doing(request, "tool", "weather"):
            raise error

    watching = Watching()
    with pytest.raises(type(error)) as caught:
        await asked(watching, work)
    assert caught.value is error
    found = failures(watching)
    assert found["execute_tool weather"] == found["invoke_agent travel"] == word
    assert "a secret" not in watching.all_told()


async def test_a_tool_may_fail_and_its_agent_go_on() -> None:
    """Handled by the agent; or told as a word, with nothing raised."""

    async def work(request: Request) -> None:
        with doing(request, "agent", "travel"):
            try:
                with doing(request, "tool", "weather"):
                    raise TimeoutError
            except TimeoutError:
                pass
            with doing(request, "tool", "hotels") as tool:
                tool.error = "not_found"

    watching = Watching()
    assert (await asked(watching, work)).status == 200
    assert failures(watching) == {
        "execute_tool weather": "TimeoutError",
        "execute_tool hotels": "not_found",
    }


async def test_a_cancelled_tool_says_so() -> None:
    """Under a time limit, say."""

    async def work(request: Request) -> None:
        with anyio.CancelScope() as scope, doing(request, "tool", "slow"):
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    watching = Watching()
    await asked(watching, work)
    assert failures(watching) == {"execute_tool slow": "cancelled"}
