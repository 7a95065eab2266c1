"""Filter chains: order, stops, what a function may return."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchanges import chat_exchange
from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, TextPart
from plano_asgi.errors import ConfigurationError, FilterRefused
from plano_asgi.exchange import AnswerInstead, Exchange, ResponseFilter
from plano_asgi.filters import Filter, FilterChain


async def _louder(exchange: Exchange) -> JSONObject:
    text = exchange.body["messages"][0]["content"]
    return {**exchange.body, "messages": [{"role": "user", "content": f"{text}!"}]}


@pytest.mark.anyio
async def test_each_filter_sees_what_the_one_before_left() -> None:
    """Two filters that append, append twice."""
    exchange = chat_exchange("hi")
    await FilterChain([_louder], input_filters=[_louder])(exchange)
    assert exchange.body["messages"][0]["content"] == "hi!!"
    assert exchange.request.messages[0].text == "hi!!"


@pytest.mark.anyio
async def test_a_filter_may_answer_with_a_typed_request() -> None:
    """It is written back in the client's dialect."""

    async def translate(exchange: Exchange) -> ChatRequest:
        request = exchange.request
        message = replace(request.messages[0], parts=[TextPart(text="Bonjour")])
        return replace(request, messages=[message])

    exchange = chat_exchange("Hello", temperature=0.5)
    await FilterChain([translate])(exchange)
    assert exchange.body["messages"] == [{"role": "user", "content": "Bonjour"}]
    assert exchange.body["temperature"] == 0.5


@pytest.mark.anyio
async def test_a_filter_may_change_the_model_and_not_the_streaming() -> None:
    """The answer goes to the client, who said whether it streams."""

    async def cheaper(exchange: Exchange) -> JSONObject:
        return {**exchange.body, "model": "gpt-4o-mini", "stream": True}

    exchange = chat_exchange()
    await FilterChain([cheaper])(exchange)
    assert exchange.model == "gpt-4o-mini"
    assert exchange.body["stream"] is False


@pytest.mark.anyio
async def test_the_first_that_stops_stops_all() -> None:
    """Neither a later filter nor an answer side runs."""
    ran: list[str] = []

    async def refuse(exchange: Exchange) -> None:
        raise AnswerInstead("Closed on Sundays.")

    class Later(Filter):
        async def on_request(self, exchange: Exchange, /) -> None:
            ran.append("later")

        def on_answer(self, exchange: Exchange, /) -> ResponseFilter:
            ran.append("answer")
            return ResponseFilter()

    exchange = chat_exchange()
    with pytest.raises(AnswerInstead, match="Closed on Sundays"):
        await FilterChain([refuse, Later()])(exchange)
    assert ran == []
    assert exchange.response_filters == []


@pytest.mark.anyio
async def test_a_model_that_is_no_text_is_refused() -> None:
    """A filter's mistake does not travel on."""

    async def broken(exchange: Exchange) -> JSONObject:
        return {**exchange.body, "model": 7}

    with pytest.raises(FilterRefused):
        await FilterChain([broken])(chat_exchange())


def test_what_is_no_filter_is_refused_when_built() -> None:
    """The mistake is told at start-up, not with the first request."""
    with pytest.raises(ConfigurationError, match="is no filter"):
        FilterChain(["anonymize"])  # type: ignore[list-item]


def test_a_filter_without_an_answer_side_is_no_output_filter() -> None:
    """An MCP tool, say: it would silently let every answer pass."""
    with pytest.raises(ConfigurationError, match="output filter"):
        FilterChain(output_filters=[Filter()])
