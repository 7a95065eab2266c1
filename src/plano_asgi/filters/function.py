"""A plain coroutine function as a filter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest
from plano_asgi.exchange import Exchange
from plano_asgi.filters.base import Filter
from plano_asgi.wire import DIALECTS, WriteOptions

Change: TypeAlias = JSONObject | ChatRequest | None
RequestFunction: TypeAlias = Callable[[Exchange], Awaitable[Change]]
"""
A filter as a function: the typed exchange in, the changes out.

It returns a new body in the client's dialect, a changed ``ChatRequest`` (``exchange.request`` is
one to start from), or ``None`` for no change; or it raises, as ``Filter.on_request`` may.
"""


class FunctionFilter(Filter):
    """Runs a ``RequestFunction`` on the request side."""

    def __init__(self, function: RequestFunction) -> None:
        self.name = getattr(function, "__name__", "filter")
        self._function = function

    async def on_request(self, exchange: Exchange, /) -> None:
        """Put what the function returns in the place of the body."""
        change = await self._function(exchange)
        if isinstance(change, ChatRequest):
            change = DIALECTS[exchange.dialect].write_request(change, WriteOptions())
        if change is not None:
            exchange.replace_body(change)
