"""A body once more, then the live connection."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message

from plano_asgi.asgi.replay import replay, with_length

pytestmark = pytest.mark.anyio


async def test_one_body_then_what_the_server_says() -> None:
    """Messages of the body below are read already; a disconnect stays one."""
    below: list[Message] = [
        {"type": "http.request", "body": b"old"},
        {"type": "http.extension"},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return below.pop(0)

    again = replay(b"new", receive)
    assert await again() == {"type": "http.request", "body": b"new", "more_body": False}
    assert await again() == {"type": "http.extension"}
    assert not again.has_left
    for _ in range(3):
        assert await again() == {"type": "http.disconnect"}
    assert again.has_left


async def test_a_disconnect_is_told_to_everybody_who_waits() -> None:
    """The app, and whoever watches beside it; one that gives up leaves the other waiting."""
    leave = anyio.Event()

    async def receive() -> Message:
        await leave.wait()
        return {"type": "http.disconnect"}

    again = replay(b"", receive)
    await again()
    told: list[str] = []

    async def wait() -> None:
        told.append((await again.live())["type"])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(0):
                await again.live()
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            leave.set()
    assert told == ["http.disconnect"] * 2


def test_headers_of_the_old_body_go() -> None:
    """In a copy: the scope is the server's."""
    names = ["content-length", "transfer-encoding", "content-encoding", "digest", "x-own"]
    scope = {"type": "http", "headers": [(name.encode(), b"1") for name in names]}
    new = with_length(scope, 7)
    assert new["headers"] == [(b"x-own", b"1"), (b"content-length", b"7")]
    assert len(scope["headers"]) == 5
