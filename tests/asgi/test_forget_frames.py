"""Errors that are kept let go of the frames they passed; those of others keep theirs."""

from __future__ import annotations

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.asgi.request import forget_frames, json_object
from plano_asgi.errors import RequestError

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
