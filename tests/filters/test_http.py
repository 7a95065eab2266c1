"""HTTP filters against a real service: Plano's contract, and what goes wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from exchanges import chat_exchange
from plano_asgi.errors import ConfigurationError, FilterRefused, FilterUnavailable
from plano_asgi.exchange import AnswerStopped
from plano_asgi.filters import HTTPFilter
from plano_asgi.passages import WireEvent
from plano_asgi.wire import LAYOUTS
from serving import serving

_seen: list[Request] = []


async def _anonymize(request: Request) -> Response:
    _seen.append(request)
    body = await request.json()
    for message in body["messages"]:
        message["content"] = message["content"].replace("Ada", "[NAME]")
    return JSONResponse(body)


async def _restore(request: Request) -> Response:
    raw = await request.body()
    return Response(raw.replace(b"[NAME]", b"Ada"))


async def _refuse(request: Request) -> Response:
    return JSONResponse({"error": {"message": "Not about that."}}, 403)


async def _fail(request: Request) -> Response:
    return PlainTextResponse("boom", 500)


async def _hang(request: Request) -> Response:
    await anyio.sleep(5)
    return PlainTextResponse("late")


async def _text(request: Request) -> Response:
    return PlainTextResponse("not JSON")


@contextmanager
def _service() -> Iterator[str]:
    handlers: dict[str, Any] = {
        "anonymize": _anonymize,
        "restore": _restore,
        "refuse": _refuse,
        "fail": _fail,
        "hang": _hang,
        "text": _text,
    }
    routes = [
        Route(f"/{name}/v1/chat/completions", handler, methods=["POST"])
        for name, handler in handlers.items()
    ]
    with serving(Starlette(routes=routes)) as url:
        yield url


@pytest.fixture(scope="module", name="service")
def _running() -> Iterator[str]:
    with _service() as url:
        yield url


@pytest.mark.anyio
async def test_the_body_that_comes_back_goes_on(service: str) -> None:
    """Path of the API appended, request id sent, the client's credentials kept here."""
    _seen.clear()
    exchange = chat_exchange("I am Ada")
    step = HTTPFilter("anonymize", f"{service}/anonymize")
    await step.on_request(exchange)
    await step.aclose()
    assert exchange.body["messages"][0]["content"] == "I am [NAME]"
    assert exchange.is_changed
    headers = _seen[0].headers
    assert headers["x-request-id"] == "req_1"
    assert headers["x-team"] == "blue"
    assert not {"authorization", "cookie"} & set(headers)


@pytest.mark.anyio
async def test_credentials_go_along_only_where_asked_for(service: str) -> None:
    """As Plano does it, by choice."""
    _seen.clear()
    step = HTTPFilter("anonymize", f"{service}/anonymize", forward_credentials=True)
    await step.on_request(chat_exchange())
    await step.aclose()
    assert _seen[0].headers["authorization"] == "Bearer client-key"


@pytest.mark.anyio
async def test_a_4xx_is_the_clients_answer(service: str) -> None:
    """Status and text are the filter's."""
    step = HTTPFilter("refuse", f"{service}/refuse")
    with pytest.raises(FilterRefused, match="Not about that") as refused:
        await step.on_request(chat_exchange())
    await step.aclose()
    assert refused.value.status == 403


@pytest.mark.anyio
@pytest.mark.parametrize("what", ["fail", "hang", "text"])
async def test_a_filter_that_cannot_judge_lets_nothing_pass(service: str, what: str) -> None:
    """5xx, silence, an answer that is no JSON; open only where asked for."""
    exchange = chat_exchange()
    before = exchange.body
    closed = HTTPFilter(what, f"{service}/{what}", timeout_s=0.3)
    with pytest.raises(FilterUnavailable, match=what):
        await closed.on_request(exchange)
    opened = HTTPFilter(what, f"{service}/{what}", timeout_s=0.3, on_error="open")
    await opened.on_request(exchange)
    await closed.aclose()
    await opened.aclose()
    assert exchange.body is before


@pytest.mark.anyio
async def test_a_filter_that_is_not_there_lets_nothing_pass() -> None:
    """Refused connections are failures like any other."""
    step = HTTPFilter("gone", "http://127.0.0.1:9")
    with pytest.raises(FilterUnavailable, match="could not be reached"):
        await step.on_request(chat_exchange())
    await step.aclose()


@pytest.mark.anyio
async def test_answers_are_sent_whole_or_event_by_event(service: str) -> None:
    """A JSON body is one call; every event of a stream is one, as it stands on the wire."""
    exchange = chat_exchange()
    step = HTTPFilter("restore", f"{service}/restore")
    answer = step.on_answer(exchange)
    assert answer is not None
    body = await answer.on_body({"choices": [{"message": {"content": "Dear [NAME]"}}]}, exchange)
    assert body["choices"][0]["message"]["content"] == "Dear Ada"
    event = WireEvent({"choices": [{"index": 0, "delta": {"content": "[NAME]"}}]})
    editor = LAYOUTS["openai.chat"].stream_editor()
    (out,) = await answer.on_event(event, editor, exchange)
    await step.aclose()
    assert out.data["choices"][0]["delta"]["content"] == "Ada"


@pytest.mark.anyio
async def test_a_filter_may_end_an_answer(service: str) -> None:
    """Its 4xx, and its failure, stop what would otherwise reach the client unfiltered."""
    exchange = chat_exchange()
    for what in ("refuse", "fail"):
        step = HTTPFilter(what, f"{service}/{what}")
        answer = step.on_answer(exchange)
        assert answer is not None
        with pytest.raises(AnswerStopped):
            await answer.on_body({"choices": []}, exchange)
        await step.aclose()


@pytest.mark.parametrize("url", ["", "ftp://x", "localhost:8000"])
def test_a_url_that_is_none_is_refused_when_built(url: str) -> None:
    """By name."""
    with pytest.raises(ConfigurationError, match="anonymize"):
        HTTPFilter("anonymize", url)
