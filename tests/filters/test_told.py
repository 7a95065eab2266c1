"""Filters on answers and their watcher: nobody, or one who hears of one activity an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from exchanges import chat_exchange
from plano_asgi.activities import Activity
from plano_asgi.exchange import LISTENS, Exchange, ResponseFilter
from plano_asgi.filters import Filter, FilterChain
from plano_asgi.filters.told import ToldFilter, trace_headers
from plano_asgi.passages import StreamEditor, WireEvent


class Hears:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def begin(self, activity: Activity) -> None:
        self.heard.append(("begin", activity.name))

    def leave(self, activity: Activity) -> None:
        self.heard.append(("leave", activity.name))

    def end(self, activity: Activity) -> None:
        self.heard.append(("end", str(activity.error or "")))

    def headers(self, activity: Activity | None) -> dict[str, str]:
        below = activity.name if activity else "exchange"
        return {"traceparent": below} if activity else {"traceparent": below, "baggage": "b"}


class Step(ResponseFilter):
    """Keeps the headers that it would send to a service."""

    rank = LISTENS

    def __init__(self) -> None:
        self.sent: list[Mapping[str, str]] = []

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        self.sent.append(trace_headers(exchange))
        return (event,)

    async def on_close(self, exchange: Exchange) -> None:
        self.sent.append(trace_headers(exchange))


class Listens(Filter):
    """Its answer side is always *step*."""

    def __init__(self, name: str) -> None:
        self.name, self.step = name, Step()

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter:
        return self.step


def editor_of(exchange: Exchange) -> StreamEditor:
    """For one stream of *exchange*."""
    assert exchange.layout is not None
    return exchange.layout.stream_editor()


@pytest.mark.anyio
async def test_without_a_watcher_nothing_is_between() -> None:
    """The step itself is registered, and no header is made up."""
    item, exchange = Listens("one"), chat_exchange()
    await FilterChain(output_filters=[item])(exchange)
    assert exchange.response_filters == [item.step]
    assert trace_headers(exchange) == {}


@pytest.mark.anyio
async def test_each_call_on_a_stream_belongs_to_its_own_filter() -> None:
    """Two filters take turns; each is left after its first event and ended once."""
    watcher, exchange = Hears(), chat_exchange()
    exchange.watcher = watcher
    items = [Listens("one"), Listens("two")]
    await FilterChain(output_filters=items)(exchange)
    steps = exchange.response_filters
    assert {step.rank for step in steps} == {LISTENS}
    editor = editor_of(exchange)
    for _ in range(3):
        for step in steps:
            await step.on_event(WireEvent({"choices": []}), editor, exchange)
    for step in steps:
        await step.on_close(exchange)
    for item in items:
        assert item.step.sent == [{"traceparent": item.name, "baggage": "b"}] * 4
    begun = [("begin", "one"), ("leave", "one"), ("begin", "two"), ("leave", "two")]
    assert watcher.heard == [*begun, ("end", ""), ("end", "")]


@pytest.mark.anyio
async def test_an_answer_that_never_comes_is_no_activity() -> None:
    """The response is over, and there was nothing to filter."""
    watcher, exchange = Hears(), chat_exchange()
    exchange.watcher = watcher
    item = Listens("one")
    await ToldFilter(item, item.step).on_close(exchange)
    assert watcher.heard == []
    assert item.step.sent == [{"traceparent": "exchange", "baggage": "b"}]
