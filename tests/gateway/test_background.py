"""Answers made in the background are read past every filter: they are not begun where one is."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from listeners import Hear, Shout
from memory_transport import answer
from plano_asgi.exchange import LISTENS, UNMASKS, Exchange, ResponseFilter
from plano_asgi.guards.base import ALLOW, Subject, Verdict, guard
from plano_asgi.middleware import PlanoGuard
from plano_asgi.state import ResponsesState

pytestmark = pytest.mark.anyio

QUEUED = {"id": "resp_bg", "object": "response", "status": "queued", "background": True}
BODY: dict[str, Any] = {"model": "openai/gpt-4o", "input": "Work.", "background": True}


class Quiet(Hear):
    """Changes nothing, and says so."""

    rank = LISTENS


class Unmask(Hear):
    """Puts real values back."""

    rank = UNMASKS


@guard(sides=frozenset(("answer",)))
async def watchful(subject: Subject) -> Verdict:
    """Judges answers."""
    return ALLOW


def _registers(each: ResponseFilter) -> Any:
    async def step(exchange: Exchange) -> None:
        exchange.response_filters.append(each)

    return step


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("each", [Shout(), Unmask()])
async def test_it_is_refused_where_answers_are_filtered(each: ResponseFilter, stream: bool) -> None:
    """And no model is asked."""
    plano, transport = gateway(state=ResponsesState(), steps=[_registers(each)])
    refused = await drive(plano, "/v1/responses", {**BODY, "stream": stream})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "background")
    assert not transport.requests


@pytest.mark.parametrize("steps", [[], [_registers(Quiet())]])
async def test_it_is_refused_where_a_guard_around_the_gateway_judges_answers(steps: Any) -> None:
    """That one does not see the later question either."""
    plano, transport = gateway(answer(QUEUED), state=ResponsesState(), steps=steps)
    app = PlanoGuard(plano, guards=[watchful])
    assert (await drive(app, "/v1/responses", BODY)).status == 400
    assert not transport.requests


async def test_an_images_background_is_another_thing() -> None:
    """It is its colour, and no concern of a guard's."""
    plano, transport = gateway(answer({"data": []}), steps=[_registers(Shout())])
    body = {"model": BODY["model"], "prompt": "a cat", "background": "transparent"}
    assert (await drive(plano, "/v1/images/generations", body)).status == 200
    assert transport.body()["background"] == "transparent"


@pytest.mark.parametrize("steps", [[], [_registers(Quiet())]])
async def test_it_is_served_where_nobody_changes_answers(steps: Any) -> None:
    """Also where somebody listens."""
    plano, _ = gateway(answer(QUEUED), state=ResponsesState(), steps=steps)
    assert (await drive(plano, "/v1/responses", BODY)).json()["status"] == "queued"
