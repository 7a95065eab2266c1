"""What filters and guards do with answers, as spans: whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, get_current_span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from plano_asgi.conversation import ChatResponse
from plano_asgi.errors import FilterRefused
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.filters import Filter, HTTPFilter
from plano_asgi.guards import Judge, Length, Secrets, Words
from plano_asgi.guards.base import GuardOptions
from plano_asgi.guards.chain import GuardChain
from serving import serving
from telemetry.answer_side import (
    BOTH,
    EACH,
    Ear,
    Windows,
    answered,
    ask,
    error_of,
    on_answers,
    only,
    told,
)
from telemetry.one_trace import TRACE, span_id
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio

KEY = "sk-proj-Zr4pQ8vN2mXc7KdL9wTbY3fHs6JgVu1eRaPoWiQz"


# ------------------------------------------------------------------------------- filters


@EACH
@BOTH
async def test_a_filter_is_one_span_an_answer(dialect: str, stream: bool) -> None:
    """However many events it is shown; with the facts of the request side."""
    watching, ear = Watching(), Ear()
    plano = answered(watching, *"abcdef", dialect=dialect, stream=stream, filters=[ear])
    assert (await ask(plano, dialect, stream=stream)).status == 200
    span = only(watching, "filter")
    assert (span.name, span.kind) == ("filter ear", SpanKind.INTERNAL)
    assert told(span)["plano.filter.protocol"] == "function"
    assert error_of(span) == ""
    assert len(ear.seen) == (6 if stream else 1)


@EACH
@BOTH
async def test_a_service_is_asked_below_its_filters_span(
    service: str, heard: list[dict[str, str]], dialect: str, stream: bool
) -> None:
    """Every event of a stream, with the baggage as well: it is a service of one's own."""
    watching, step = Watching(), HTTPFilter("policy", service)
    plano = answered(watching, *"ab", dialect=dialect, stream=stream, filters=[step])
    assert (await ask(plano, dialect, stream=stream)).status == 200
    await plano.aclose()
    span = only(watching, "filter")
    assert (span.kind, told(span)["plano.filter.protocol"]) == (SpanKind.CLIENT, "http")
    assert len(heard) > 3 if stream else len(heard) == 2
    assert {got["baggage"] for got in heard} == {"tenant=acme"}
    parents = {got["traceparent"] for got in heard[1:]}  # the first was about the request
    assert parents == {f"00-{TRACE}-{span_id(span):016x}-01"}


@BOTH
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ValueError("yo"), "ValueError"),
        (AnswerStopped(FilterRefused("No.", filter="ear")), FilterRefused("").word),
    ],
)
async def test_a_filter_that_fails_says_why(stream: bool, fault: Exception, error: str) -> None:
    """Its error's kind, never its words; and it hears of no more."""
    watching, ear = Watching(), Ear(fault)
    plano = answered(watching, "yo", "yo", stream=stream, filters=[ear])
    await ask(plano, stream=stream)
    assert error_of(only(watching, "filter")) == error
    assert len(ear.seen) == 1


async def test_a_service_that_refuses_in_mid_stream(service: str) -> None:
    """As where it refuses a request."""
    watching, step = Watching(), HTTPFilter("policy", f"{service}/refuse")
    plano = answered(watching, "a", "b", filters=[_AnswersOnly(step)])
    await ask(plano)
    await step.aclose()
    assert error_of(only(watching, "filter")) == FilterRefused("").word


# -------------------------------------------------------------------------------- guards


@EACH
@BOTH
async def test_a_guard_is_one_span_an_answer(dialect: str, stream: bool) -> None:
    """However many windows it judges; what it asks of others belongs to it each time."""
    watching, guard = Watching(), Windows()
    plano = answered(watching, *["x" * 900] * 3, dialect=dialect, stream=stream, guards=[guard])
    assert (await ask(plano, dialect, stream=stream)).status == 200
    span = only(watching, "apply_guardrail")
    assert span.name == "apply_guardrail windows"
    assert told(span)["plano.guard.status"] == "passed"
    assert error_of(span) == ""
    assert len(guard.seen) >= 3 if stream else len(guard.seen) == 1
    assert set(guard.seen) == {span_id(span)}


@BOTH
async def test_a_guard_that_blocks(stream: bool) -> None:
    """A verdict is no error; whoever else was looking at the stream is cancelled."""
    watching, ear, other = Watching(), Ear(), Windows("never", name="other")
    plano = answered(
        watching,
        *["x" * 900, "FORBIDDEN" * 100, "y" * 900],
        stream=stream,
        guards=[Windows(), other],
        filters=[ear],
    )
    await ask(plano, stream=stream)
    span = only(watching, "apply_guardrail windows")
    found = {name: told(span)[f"plano.guard.{name}"] for name in ("status", "rule", "score")}
    assert found == {"status": "blocked", "rule": "word", "score": 1.0}
    assert error_of(span) == ""
    if stream:
        assert error_of(only(watching, "apply_guardrail other")) == "cancelled"
        assert error_of(only(watching, "filter")) == "cancelled"
    assert told(watching.chat)["error.type"] == "content_policy_violation"


@BOTH
@pytest.mark.parametrize(
    ("options", "status", "error"),
    [({}, "blocked", "guard_unavailable"), ({"on_error": "open"}, "error", "")],
)
async def test_a_guard_in_trouble(
    stream: bool, options: GuardOptions, status: str, error: str
) -> None:
    """Closed, it ends the answer and says that it failed; open, it goes on."""
    watching = Watching()
    plano = answered(watching, "BOOM" * 300, "x" * 900, stream=stream, guards=[Windows(**options)])
    await ask(plano, stream=stream)
    span = only(watching, "apply_guardrail")
    assert told(span)["plano.guard.status"] == status
    assert error_of(span) == error
    assert "BOOM" not in span.to_json()


@BOTH
async def test_what_only_reports_says_so(stream: bool) -> None:
    """Blocked, it says, and nothing was."""
    watching = Watching()
    guards = [Windows(report_only=True), Words(deny=["forbidden"], report_only=True, name="words")]
    plano = answered(watching, "FORBIDDEN", stream=stream, guards=guards)
    assert "FORBIDDEN" in (await ask(plano, stream=stream)).body.decode()
    for name in ("windows", "words"):
        found = told(only(watching, f"apply_guardrail {name}"))
        assert (found["plano.guard.status"], found["plano.guard.report_only"]) == ("blocked", True)


async def test_a_guard_of_whole_answers_is_told_where_it_judges() -> None:
    """A held stream is judged once, at its end; the judge's own question is its child."""
    watching = Watching()

    async def verdict(request: Any) -> ChatResponse:
        asked.append(get_current_span().get_span_context().span_id)
        raise ValueError("no verdict")

    asked: list[int] = []
    judge = Judge(
        verdict, model="m", policy="Be nice.", sides=frozenset(("answer",)), on_error="open"
    )
    plano = answered(
        watching, *"abc", guards=[judge, Length(max_chars=9, sides=frozenset(("answer",)))]
    )
    assert (await ask(plano)).status == 200
    assert asked == [span_id(only(watching, "apply_guardrail judge"))]
    assert told(only(watching, "apply_guardrail length"))["plano.guard.status"] == "passed"


async def test_a_stream_too_long_to_be_held() -> None:
    """The guard could not judge, and says so."""
    watching = Watching()
    whole = Length(max_chars=10_000, sides=frozenset(("answer",)))
    plano = answered(watching, *["x" * 50] * 5, guards=GuardChain([whole], max_held_chars=100))
    await ask(plano)
    span = only(watching, "apply_guardrail length")
    assert told(span)["plano.guard.rule"] == "too-long"
    assert error_of(span) == "guard_unavailable"


@EACH
async def test_what_looks_through_a_stream_in_passing_is_told_if_it_finds_something(
    dialect: str,
) -> None:
    """Patterns: microseconds here and there."""
    for text, count in (("nothing at all", 0), (f"the key is {KEY} and", 1)):
        watching = Watching()
        plano = answered(watching, *text, *"so it goes", dialect=dialect, guards=[Secrets()])
        assert KEY not in (await ask(plano, dialect)).body.decode()
        spans = on_answers(watching, "apply_guardrail secrets")
        assert len(spans) == count
        if spans:
            span = only(watching, "apply_guardrail secrets")
            assert told(span)["plano.guard.status"] == "redacted"
            assert told(span)["plano.guard.rule"]
            assert error_of(span) == ""


async def test_patterns_that_block_in_mid_stream() -> None:
    """One span, where it happens."""
    watching = Watching()
    plano = answered(
        watching, "this is ", "forbidden ", "and more", guards=[Words(deny=["forbidden"])]
    )
    await ask(plano)
    span = only(watching, "apply_guardrail words")
    assert told(span)["plano.guard.status"] == "blocked"
    assert error_of(span) == ""


class _AnswersOnly(Filter):
    """The answer side of another filter."""

    def __init__(self, item: Filter) -> None:
        self.name, self.protocol, self._item = item.name, item.protocol, item

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter | None:
        """The other's."""
        return self._item.on_answer(exchange)


@pytest.fixture(name="heard")
def _heard() -> list[dict[str, str]]:
    return []


@pytest.fixture(name="service")
def _running(heard: list[dict[str, str]]) -> Iterator[str]:
    async def answer(request: Request) -> Response:
        heard.append(dict(request.headers))
        status = 403 if request.url.path.startswith("/refuse") else 200
        return Response(await request.body(), status)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    with serving(app) as url:
        yield url
