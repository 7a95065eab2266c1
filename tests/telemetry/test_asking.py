"""Questions of a gateway's own (``Gateway.ask``): told where they are asked, and counted."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import MemoryReply, answer
from plano_asgi.conversation import ChatRequest, Message, TextPart
from plano_asgi.errors import UpstreamError
from plano_asgi.exchange import Exchange
from plano_asgi.guards import Judge
from plano_asgi.pricing import Prices, Rates
from plano_asgi.routing.preferences import Preferences, RoutePreference
from plano_asgi.routing.selectors.model_backed import ModelSelector
from tapped import WHOLE
from telemetry.one_trace import parent_id, span_id
from telemetry.watching import Watching
from wrapping import CHAT

pytestmark = pytest.mark.anyio

SECRET = "sk-secret"
PRICES = Prices({"openai/gpt-4o": Rates(input=1000.0, output=2000.0)}, bundled=False)
BODY = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def question(model: str = "openai/gpt-4o") -> ChatRequest:
    """A question with nothing special to it."""
    return ChatRequest(model=model, messages=[Message(role="user", parts=[TextPart(text="Hi")])])


def saying(text: str, used: tuple[int, int] = (100, 10)) -> MemoryReply:
    """A model that says *text*."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return answer({**WHOLE, "choices": choices, "usage": usage})


async def test_a_question_from_nowhere_is_a_trace_of_its_own() -> None:
    """Its attempt below it, its tokens and its cost as any client's."""
    watching = Watching(prices=PRICES)
    plano, transport = gateway(saying("Hello"), telemetry=watching.telemetry)
    await plano.ask(question())
    chat, attempt = watching.chat, watching.only("attempt")
    assert parent_id(chat) == 0
    assert parent_id(attempt) == span_id(chat)
    assert f"{span_id(attempt):016x}" in transport.requests[0].headers["traceparent"]
    told = watching.told()
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (100, 10)
    assert told["plano.cost.total_usd"] == pytest.approx(0.12)
    assert watching.counted("plano_cost_total") == pytest.approx(0.12)
    assert watching.counted("plano_requests_total") == 1
    assert watching.in_flight == 0
    assert chat.context is not None
    assert watching.outcome.trace_id == f"{chat.context.trace_id:032x}"


async def test_a_guards_question_is_below_the_guard() -> None:
    """And its use beside the client's: each once."""
    watching = Watching(prices=PRICES)
    asking, _ = gateway(
        saying('{"violation": 0, "category": ""}', (50, 5)), telemetry=watching.telemetry
    )
    judge = Judge(asking.ask, model="openai/gpt-4o", policy="no swearing", on_error="open")
    plano, _ = gateway(saying("Hello"), guards=[judge], telemetry=watching.telemetry)
    assert (await drive(plano, CHAT, BODY)).status == 200
    guard = watching.only("apply_guardrail")
    chats = watching.spans.of_kind("chat", 2)
    asked = next(span for span in chats if parent_id(span) == span_id(guard))
    client = next(span for span in chats if span_id(span) == parent_id(guard))
    assert dict(asked.attributes or {})["gen_ai.usage.input_tokens"] == 50
    assert dict(client.attributes or {})["gen_ai.usage.input_tokens"] == 100
    tried = {parent_id(span) for span in watching.spans.of_kind("attempt", 2)}
    assert tried == {span_id(asked), span_id(client)}
    assert watching.counted("plano_upstream_tokens_total", plano_token_kind="input") == 150
    assert watching.counted("plano_cost_total") == pytest.approx(0.06 + 0.12)
    assert watching.in_flight == 0


async def test_a_routers_question_is_below_the_routing() -> None:
    """The decision is on the exchange."""
    watching = Watching()
    asking, _ = gateway(saying('{"route": "code"}'), telemetry=watching.telemetry)
    preferences = Preferences(
        [RoutePreference(name="code", description="writing code", models=("mistral/small",))],
        ModelSelector(asking.ask, "openai/gpt-4o"),
        names=asking.names,
    )
    plano, _ = gateway(saying("Hello"), rules=[preferences], telemetry=watching.telemetry)
    assert (await drive(plano, CHAT, BODY)).status == 200
    routed = watching.only("route")
    asked = [s for s in watching.spans.of_kind("chat", 2) if parent_id(s) == span_id(routed)]
    assert len(asked) == 1
    client = next(s for s in watching.spans.of_kind("chat", 2) if span_id(s) == parent_id(routed))
    assert dict(client.attributes or {})["plano.route.name"] == "code"


async def test_a_question_that_fails_is_told_and_raised() -> None:
    """With the error's word, and nothing used."""
    watching = Watching(prices=PRICES)
    plano, _ = gateway(answer({}, status=500), telemetry=watching.telemetry)
    with pytest.raises(UpstreamError):
        await plano.ask(question())
    assert watching.chat.status.status_code is StatusCode.ERROR
    assert watching.told()["error.type"] == watching.outcome.error_type != ""
    assert watching.outcome.cost is None
    assert watching.in_flight == 0


async def test_a_question_that_is_cancelled_ends() -> None:
    """Its span, and its count of those under way."""
    watching, never = Watching(), anyio.Event()
    hanging = MemoryReply(200, {"content-type": "application/json"}, [never])
    plano, transport = gateway(hanging, telemetry=watching.telemetry)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(plano.ask, question())
        while not transport.replies:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert watching.told()["error.type"] == "cancelled"
    assert watching.in_flight == 0


async def test_without_spans_questions_are_counted() -> None:
    """And leave no trace upstream."""
    watching = Watching(sampler=None)
    plano, transport = gateway(saying("Hello"), telemetry=watching.telemetry)
    await plano.ask(question())
    assert watching.spans.ended == []
    assert "traceparent" not in transport.requests[0].headers
    assert watching.counted("plano_requests_total", plano_model="gpt-4o") == 1
    assert watching.in_flight == 0


async def test_without_telemetry_questions_are_not_watched() -> None:
    """The exchange that a rule sees has no watcher."""
    seen: list[Any] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange.watcher)

    plano, _ = gateway(saying("Hello"), rules=[note])
    await plano.ask(question())
    assert seen == [None]


async def test_prices_that_fail_do_not_fail_the_question() -> None:
    """They are logged, and the question has no cost."""

    class Broken(Prices):
        def price(self, provider: str, model: str, called: tuple[str, ...] = ()) -> Any:
            raise RuntimeError(SECRET)

    watching = Watching(prices=Broken({}, bundled=False))
    plano, _ = gateway(saying("Hello"), telemetry=watching.telemetry)
    with capture_logs() as logs:
        await plano.ask(question())
    assert [line["event"] for line in logs] == ["pricing_failed"]
    assert SECRET not in str(logs)
    assert watching.outcome.usage is not None
    assert watching.in_flight == 0
