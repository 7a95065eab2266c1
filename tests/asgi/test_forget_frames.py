"""Errors that are kept let go of the frames they passed; those of others keep theirs."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi._json import dumps
from plano_asgi.asgi.request import forget_frames, json_object
from plano_asgi.errors import ContentBlocked, RequestError
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.guards import PII
from plano_asgi.middleware import ExchangeMiddleware, PlanoGuard, Recogniser

pytestmark = pytest.mark.anyio


async def test_an_error_of_the_hosts_keeps_its_frames() -> None:
    """It asks the gateway while it handles one: that one is still to be logged."""
    plano, _ = gateway(answer({}))
    kept: list[BaseException] = []
    try:
        raise ValueError("the host's own")
    except ValueError as exc:
        kept.append(exc)
        found = await drive(plano, "/v1/chat/completions", b"{not json")
    assert found.status == 400
    assert kept.pop().__traceback__ is not None


def test_what_raised_an_error_is_let_go_where_it_was_caught_here() -> None:
    """What was caught elsewhere ends the chain."""
    with pytest.raises(RequestError) as caught:
        json_object(b"{")
    error, cause = caught.value, caught.value.__cause__
    assert cause is not None
    forget_frames(error)
    assert error.__traceback__ is not None, "a test caught it"
    assert cause.__traceback__ is not None
    forget_frames(cause)
    assert cause.__traceback__ is None


def _bug(said: str) -> None:
    raise ValueError(said)


async def test_an_error_that_passes_a_middleware_by_keeps_its_frames() -> None:
    """A guard stops what it had held back when the app breaks: the app's own error goes on."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for text in ("How are you all today? Write to me: ", "zoe.zebra@example.co"):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            event = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
            chunk = b"data: %b\n\n" % dumps(event)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        _bug("the app's own")

    guarded = PlanoGuard(app, guards=[PII(mode="block")])
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(ValueError, match="the app's own") as caught:
        await drive(guarded, "/v1/chat/completions", body)
    assert caught.traceback[-1].name == "_bug"


async def test_what_a_filter_asks_in_passing_leaves_an_error_alone() -> None:
    """A gateway in this process refuses while the app's error is on its way out."""
    plano, _ = gateway(answer({}))

    class Asks(ResponseFilter):
        async def on_close(self, exchange: Exchange) -> None:
            assert (await drive(plano, "/v1/chat/completions", b"{not json")).status == 400

    async def step(exchange: Exchange) -> None:
        exchange.response_filters.append(Asks())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _bug("the app's own")

    around = ExchangeMiddleware(app, [step], recogniser=Recogniser())
    with pytest.raises(ValueError, match="the app's own") as caught:
        await drive(around, "/v1/chat/completions", {"model": "m", "messages": []})
    assert caught.traceback[-1].name == "_bug"


async def test_a_finalizer_sees_where_a_check_failed() -> None:
    """One that ran beside the call; once all are through, its frames are let go."""
    seen: list[tuple[Exception, bool]] = []

    async def check() -> None:
        raise ContentBlocked("no")

    async def step(exchange: Exchange) -> None:
        exchange.beside.append(check)

    async def finalizer(exchange: Exchange) -> None:
        assert exchange.error is not None
        seen.append((exchange.error, exchange.error.__traceback__ is not None))

    plano, _ = gateway(answer({}), steps=[step], finalizers=[finalizer])
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    assert (await drive(plano, "/v1/chat/completions", body)).status == 400
    ((error, was_there),) = seen
    assert was_there
    assert error.__traceback__ is None
