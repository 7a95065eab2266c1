"""How a step says that the answer is already there, and hears what goes out where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from starlette.types import Send

from plano_asgi.wire.sse import split_frames

RECORDERS = "recorders"
"""
In ``Exchange.state``: a list of ``Recorder``. Whoever owns the response puts each around its
``send``, outermost, once the steps have run.
"""

Recorder: TypeAlias = Callable[[Send], Send]
"""Makes a ``send`` that passes on what it is given, and may keep a copy."""


class ReplayAnswer(Exception):
    """
    Raised by a request-side step: answer with this, as it is, and ask no upstream.

    Args:
        status: The HTTP status.
        headers: Content type and what tells of the replay; ids are added by the gateway.
        body: The bytes that went out the first time, after every filter.
        is_stream: They are server-sent events.
    """

    def __init__(
        self, *, status: int, headers: Mapping[str, str], body: bytes, is_stream: bool
    ) -> None:
        super().__init__(f"replay of {len(body)} bytes")
        self.status = status
        self.headers = dict(headers)
        self.body = body
        self.is_stream = is_stream

    @property
    def chunks(self) -> list[bytes]:
        """What to send, one piece after the other: a stream's events, or the whole body."""
        return [*split_frames(self.body)] if self.is_stream else [self.body]
