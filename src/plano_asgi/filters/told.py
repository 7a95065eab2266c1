"""
What a filter does with an answer, told to whoever watches the exchange.

One activity for a whole body. Of a stream one as well, from its first event to its end: no event
costs more than a call. What a filter asks in between still belongs to that activity, though the
task does other things meanwhile: ``trace_headers`` says so to a service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from plano_asgi.activities import Activity
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.filters.base import Filter
from plano_asgi.passages import StreamEditor, WireEvent

T = TypeVar("T")

_DOING = "filters.doing"


def trace_headers(exchange: Exchange) -> Mapping[str, str]:
    """
    Headers that carry the trace to a filter's service: below what that filter is doing, also in
    the middle of a stream; none without a watcher.
    """
    doing: Activity | None = exchange.state.get(_DOING)
    headers = exchange.trace_headers()
    return headers if doing is None else {**headers, **doing.headers}


class ToldFilter(ResponseFilter):
    """
    *step*, which *item* made for one exchange, and a watcher who hears of it.

    The activity fails with what *step* raises. It is "cancelled" where a stream goes no further
    for another reason: the client has left, another step has stopped it.
    """

    def __init__(self, item: Filter, step: ResponseFilter) -> None:
        self.rank = step.rank
        self._item, self._step = item, step
        self._activity: Activity | None = None
        self._seen: tuple[WireEvent, StreamEditor] | None = None
        self._is_over = False

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """As *step* does."""
        with self._doing(exchange) as activity:
            try:
                return await self._step.on_body(body, exchange)
            except AnswerStopped as exc:
                activity.error = exc.error
                raise

    def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Coroutine[Any, Any, Sequence[WireEvent]]:
        """As *step* does."""
        self._seen = event, editor
        return self._within(exchange, self._step.on_event(event, editor, exchange))

    def on_end(
        self, editor: StreamEditor, exchange: Exchange
    ) -> Coroutine[Any, Any, Sequence[WireEvent]]:
        """As *step* does."""
        self._is_over = True
        return self._within(exchange, self._step.on_end(editor, exchange))

    async def on_close(self, exchange: Exchange) -> None:
        """As *step* does; then a stream's activity is over."""
        if self._activity is None:
            await self._step.on_close(exchange)
            return
        await self._within(exchange, self._step.on_close(exchange))
        is_cut = exchange.disconnected or exchange.error is not None
        self._activity.end("cancelled" if is_cut and not self._saw_the_end() else None)

    def _doing(self, exchange: Exchange) -> Activity:
        return exchange.doing("filter", self._item.name, side="answer", **self._item.facts)

    async def _within(self, exchange: Exchange, work: Awaitable[T]) -> T:
        """*work* on a stream, the activity begun if this is the first."""
        activity = self._activity
        if activity is None:
            activity = self._activity = self._doing(exchange)
            activity.__enter__()
            activity.leave()
        exchange.state[_DOING] = activity
        try:
            return await work
        except AnswerStopped as exc:
            activity.end(exc.error)
            raise
        except BaseException as exc:
            activity.end(exc)
            raise

    def _saw_the_end(self) -> bool:
        """Many clients hang up at the end mark, without waiting for the end."""
        if self._is_over or self._seen is None:
            return self._is_over
        event, editor = self._seen
        return (event.parts or editor.read(event)).is_last
