"""Request bodies: read whole, bounded in size and time."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message, Receive, Scope

from plano_asgi.asgi.body import ClientDisconnected, read_body
from plano_asgi.errors import BodyTooLarge, RequestError, RequestTimeout

pytestmark = pytest.mark.anyio


def receiver(*messages: Message) -> Receive:
    """A ``receive`` that yields *messages* and then waits for ever."""
    queue = list(messages)

    async def receive() -> Message:
        if not queue:
            await anyio.sleep_forever()
        return queue.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    """One body message."""
    return {"type": "http.request", "body": body, "more_body": more}


SCOPE: Scope = {"type": "http", "headers": []}


async def test_parts_are_joined() -> None:
    """A body arrives in as many messages as the server likes."""
    receive = receiver(part(b"ab", more=True), part(b"", more=True), part(b"c"))
    assert await read_body(SCOPE, receive) == b"abc"


async def test_a_body_over_the_limit_is_refused() -> None:
    """Counted as it comes, whatever content-length said."""
    with pytest.raises(BodyTooLarge):
        await read_body(SCOPE, receiver(part(b"abc", more=True), part(b"d")), max_bytes=3)


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    """Nobody has to send 30 MB to learn that it is too much."""
    scope = {"type": "http", "headers": [(b"content-length", b"4")]}
    with pytest.raises(BodyTooLarge):
        await read_body(scope, receiver(), max_bytes=3)


async def test_a_body_that_never_ends_times_out() -> None:
    """A client that stalls holds nothing for ever."""
    with pytest.raises(RequestTimeout):
        await read_body(SCOPE, receiver(part(b"a", more=True)), timeout_s=0.01)


async def test_a_client_that_leaves_while_sending() -> None:
    """There is nobody to answer."""
    with pytest.raises(ClientDisconnected):
        await read_body(SCOPE, receiver(part(b"a", more=True), {"type": "http.disconnect"}))


async def test_a_compressed_body_is_refused_by_name() -> None:
    """Rather than parsed as garbage."""
    scope = {"type": "http", "headers": [(b"content-encoding", b"gzip")]}
    with pytest.raises(RequestError, match="Compressed"):
        await read_body(scope, receiver(part(b"x")))
