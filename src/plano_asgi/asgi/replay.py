"""Give an inner app a body that was read already, and after it the live connection."""

from __future__ import annotations

import anyio
from starlette.types import Message, Receive, Scope

_OF_THE_OLD_BODY = frozenset(
    (
        b"content-length",
        b"transfer-encoding",
        b"content-encoding",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
    )
)


class Replay:
    """
    A ``receive``: *body* as one message, then what *receive* says.

    Several tasks may wait on it at once (the app, and whoever watches for the client's leaving):
    one of them asks, and a disconnect is told to all. ``body`` may be replaced until it is read,
    and is let go then.
    """

    __slots__ = ("_asked", "_is_read", "_receive", "body", "has_left")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body = body
        self.has_left = False
        """A disconnect was seen. Servers tell of one, too, once the response is out."""
        self._is_read = False
        self._receive = receive
        # No lock: whoever is cancelled while it waits for one holds itself, and the body.
        self._asked: anyio.Event | None = None

    async def __call__(self) -> Message:
        """The next message."""
        if not self._is_read:
            self._is_read = True
            body, self.body = self.body, b""
            return {"type": "http.request", "body": body, "more_body": False}
        return await self.live()

    async def live(self) -> Message:
        """The next message that is not of the body: a disconnect, when it comes."""
        while not self.has_left:
            if self._asked is not None:
                await self._asked.wait()
                continue
            answered = self._asked = anyio.Event()
            try:
                message = await self._receive()
            finally:
                self._asked = None
                answered.set()
            if message["type"] == "http.disconnect":
                self.has_left = True
            elif message["type"] != "http.request":  # of that, everything was read before
                return message
        return {"type": "http.disconnect"}


def replay(body: bytes, receive: Receive) -> Replay:
    """*body* once more, then *receive*, from which the whole body was read."""
    return Replay(body, receive)


def with_length(scope: Scope, length: int) -> Scope:
    """A copy of *scope* for a new body of *length* bytes: nothing tells of the old one."""
    headers = [item for item in scope["headers"] if item[0] not in _OF_THE_OLD_BODY]
    return {**scope, "headers": [*headers, (b"content-length", b"%d" % length)]}
