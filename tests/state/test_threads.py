"""What telemetry hears of state: whose thread a turn is of, and the work of the store."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plano_asgi._json import dumps
from plano_asgi.exchange import Exchange
from plano_asgi.state import ResponsesState
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.telemetry import Telemetry
from state.talk import CHAT, NATIVE, Talk, is_native, kept_reply, reply, talk
from telemetry.one_trace import told_by

pytestmark = pytest.mark.anyio


def heard(*outcomes: Any, **options: Any) -> tuple[Talk, list[Any]]:
    """A gateway, and the threads of its exchanges."""
    threads: list[Any] = []

    async def note(exchange: Exchange) -> None:
        threads.append(exchange.facts.get("state_thread"))

    return talk(*outcomes, finalizers=[note], **options), threads


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chain_is_one_thread_by_its_first_response(stream: bool) -> None:
    """Also of turns that are not kept; without a past these have none."""
    found, threads = heard(*[reply(CHAT, "Hi", stream=stream)] * 5)
    first = await found.said(CHAT, "One.", stream=stream)
    second = await found.said(CHAT, "Two.", first["id"], stream=stream)
    await found.said(CHAT, "Three.", second["id"], stream=stream)
    await found.said(CHAT, "Aside.", second["id"], stream=stream, store=False)
    await found.said(CHAT, "Alone.", stream=stream, store=False)
    assert threads == [first["id"]] * 4 + [None]


async def test_a_conversation_is_a_thread() -> None:
    """Also for who goes on from one of its responses."""
    found, threads = heard(*[reply(CHAT, "Hi")] * 2)
    id = (await found.state.conversations.create(None, {}))["id"]
    turn = await found.said(CHAT, "One.", conversation=id)
    await found.said(CHAT, "Two.", turn["id"])
    assert threads == [id, id]


async def test_a_thread_goes_on_at_the_upstream_that_keeps_it() -> None:
    """By its first response, wherever that is kept."""
    found, threads = heard(
        kept_reply("resp_1"),
        kept_reply("resp_2"),
        kept_reply("resp_3"),
        state=ResponsesState(native=is_native),
    )
    for previous in (None, "resp_1", "resp_2"):
        await found.said(NATIVE, "Go on.", previous)
    assert threads == ["resp_1"] * 3


async def test_what_an_older_version_kept_is_a_thread_from_there_on() -> None:
    """Its records name none."""
    store = LocalStore()
    found, threads = heard(reply(CHAT, "Hi"), state=ResponsesState(store))
    old = {"kept_at": 0, "head": {"id": "resp_old"}, "input": [], "response": {"output": []}}
    await store.put("state/-/r/resp_old", dumps(old))
    await found.said(CHAT, "Go on.", "resp_old")
    assert threads == ["resp_old"]


async def test_nothing_is_a_thread_that_nobody_can_go_on_from() -> None:
    """Its id is of a response that does not exist."""
    found, threads = heard(reply(CHAT, "Hi"))
    await found.ask({"model": CHAT, "input": "?", "previous_response_id": "resp_none"})
    assert threads == [None]


@pytest.mark.parametrize("stream", [True, False])
async def test_work_of_the_store_is_told_below_the_exchange(stream: bool) -> None:
    """Loading before the model is asked, saving beside the call that answers; each ends once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(tracer_provider=provider)
    found = talk(*[reply(CHAT, "Hi", stream=stream)] * 3, telemetry=telemetry)
    first = await found.said(CHAT, "One.", stream=stream)
    id = (await found.state.conversations.create(None, {}))["id"]
    await found.said(CHAT, "Two.", first["id"], stream=stream)
    await found.said(CHAT, "Three.", conversation=id, stream=stream)
    spans = exporter.get_finished_spans()
    chats = {span.context.span_id for span in spans if span.name[:4] == "chat" and span.context}
    told = [span for span in spans if span.name.startswith("state ")]
    assert [(span.name, told_by(span)["plano.state.operation"]) for span in told] == [
        ("state response", "save"),
        ("state response", "load"),
        ("state response", "save"),
        ("state conversation", "load"),
        ("state response", "save"),
    ]
    assert {span.parent.span_id for span in told if span.parent} == chats
    late = await found.ask({"model": CHAT, "input": "?", "previous_response_id": "resp_none"})
    assert late.status == 404
    failed = [s for s in exporter.get_finished_spans() if s.name == "state response"][-1]
    assert told_by(failed)["error.type"] == "previous_response_not_found"
