"""The memory step: whose, what is injected where, what is recorded, what is forgotten."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi._json import dumps
from plano_asgi.conversation import ChatRequest, ChatResponse, Choice, TextPart
from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.memory import (
    Facts,
    Injection,
    LocalMemory,
    Memory,
    MemoryHook,
    MemoryItem,
    Namespace,
    Recall,
    Record,
    Summaries,
    Window,
    open_store,
)
from plano_asgi.memory.namespace import namespace_for

ADA = ("ada",)


def _of(exchange: Exchange, user: str | None = "ada") -> Exchange:
    exchange.scope = {"user": user} if user else {}
    return exchange


def _memory(**options: Any) -> Memory:
    return Memory(namespace=lambda scope: scope["user"], **options)


async def _answered(exchange: Exchange, text: str = "The answer is yes, Ada.") -> None:
    """Play a whole answer through what the step registered."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    exchange.status = exchange.status or 200
    for step in exchange.response_filters:
        await step.on_body(body, exchange)
    for step in exchange.response_filters:
        await step.on_close(exchange)


@pytest.mark.anyio
async def test_what_was_said_is_recalled_in_the_next_conversation() -> None:
    """Into the last user turn, delimited and called untrusted."""
    memory = _memory()
    first = _of(chat_exchange("My cat is called Lovelace and hates fish."))
    await memory(first)
    assert not first.is_changed
    await _answered(first)
    await memory.queue.drain()
    second = _of(chat_exchange("What may my cat eat?"))
    await memory(second)
    said = second.body["messages"][-1]["content"]
    assert said.startswith("What may my cat eat?\n\n<reference_data")
    assert 'trust="untrusted"' in said
    assert "Lovelace" in said
    assert said.endswith("</reference_data>")
    await memory.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("user", [None, ""])
async def test_without_an_identity_there_is_no_memory(user: str | None) -> None:
    """Nothing recalled, nothing recorded."""
    memory = _memory()
    exchange = _of(chat_exchange("My cat is called Lovelace."), user)
    await memory(exchange)
    assert exchange.response_filters == []
    assert not exchange.is_changed
    await memory.aclose()


@pytest.mark.anyio
async def test_nobody_sees_anothers_memory() -> None:
    """Not even by saying their words."""
    memory = _memory()
    first = _of(chat_exchange("My cat is called Lovelace and hates fish."))
    await memory(first)
    await _answered(first)
    await memory.queue.drain()
    other = _of(chat_exchange("My cat is called Lovelace and hates fish!"), "bob")
    await memory(other)
    assert not other.is_changed
    await memory.aclose()


@pytest.mark.anyio
async def test_everything_before_the_last_user_turn_stays_byte_identical() -> None:
    """The provider's prompt cache stays warm."""
    memory = _memory()
    await memory.store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    before: list[Any] = [
        {"role": "system", "content": "Be kind.", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
    ]
    exchange = _of(chat_exchange(messages=[*before, {"role": "user", "content": "tea or milk?"}]))
    await memory(exchange)
    assert "likes tea" in exchange.body["messages"][-1]["content"]
    assert dumps(exchange.body["messages"][:-1]) == dumps(before)
    assert list(exchange.body) == ["model", "messages"]
    await memory.aclose()


@pytest.mark.anyio
async def test_every_step_of_a_tool_loop_gets_the_same_injection() -> None:
    """Although the store has grown since."""
    memory = _memory()
    await memory.store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    asked = {"role": "user", "content": "tea or milk?"}
    call = {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}],
    }
    result = {"role": "tool", "tool_call_id": "c", "content": "none left"}
    first = _of(chat_exchange(messages=[asked]))
    await memory(first)
    await memory.store.add(ADA, [MemoryItem(id="2", text="Ada hates tea and milk by now.")])
    second = _of(chat_exchange(messages=[asked, call, result]))
    await memory(second)
    assert second.body["messages"][0] == first.body["messages"][0]
    assert second.body["messages"][1:] == [call, result]
    await memory.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("dialect", "body", "where"),
    [
        pytest.param(
            "anthropic.messages",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "tea?"}]}]},
            lambda body: body["messages"][0]["content"][-1]["text"],
            id="messages",
        ),
        pytest.param("openai.responses", {"input": "tea?"}, lambda body: body["input"], id="input"),
        pytest.param(
            "openai.responses",
            {
                "previous_response_id": "resp_1",
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "tea?"}]},
                ],
            },
            lambda body: body["input"][0]["content"][-1]["text"],
            id="items",
        ),
    ],
)
async def test_every_api_has_its_place_for_it(dialect: str, body: Any, where: Any) -> None:
    """Messages, Responses with text and with items, with state at the server."""
    memory = _memory()
    await memory.store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    exchange = _of(exchange_of(dialect, {"model": "m", **body}))
    await memory(exchange)
    assert "likes tea" in where(exchange.body)
    await memory.aclose()


@pytest.mark.anyio
async def test_a_step_with_only_tool_results_is_left_alone() -> None:
    """With state at the server, the injection went with the turn before."""
    memory = _memory()
    await memory.store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    item = {"type": "function_call_output", "call_id": "c", "output": "tea"}
    body = {"model": "m", "previous_response_id": "resp_1", "input": [item]}
    exchange = _of(exchange_of("openai.responses", body))
    await memory(exchange)
    assert exchange.body == body
    await memory.aclose()


class _Slow(MemoryHook):
    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        await anyio.sleep_forever()
        return None


class _Broken(MemoryHook):
    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        raise MemoryUnavailable("down")


@pytest.mark.anyio
@pytest.mark.parametrize("hook", [_Slow(), _Broken()], ids=["slow", "down"])
async def test_recalling_fails_open(hook: MemoryHook) -> None:
    """A store that is slow or down is never why an exchange fails."""
    memory = _memory(hooks=[hook], recall_timeout_s=0.02)
    exchange = _of(chat_exchange("tea?"))
    await memory(exchange)
    assert not exchange.is_changed
    await memory.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("what", ["blocked", "error", "disconnected", "status"])
async def test_what_went_wrong_is_not_recorded(what: str) -> None:
    """Blocked, failed, abandoned."""
    memory = _memory()
    exchange = _of(chat_exchange("My cat is called Lovelace."))
    await memory(exchange)
    if what == "blocked":
        exchange.audits.append(Audit(guard="words", side="answer", status="blocked"))
    elif what == "error":
        exchange.error = RuntimeError("cut")
    elif what == "disconnected":
        exchange.disconnected = True
    else:
        exchange.status = 500
    await _answered(exchange)
    await memory.queue.drain()
    assert list(await memory.store.list(ADA)) == []
    await memory.aclose()


@pytest.mark.anyio
async def test_injections_are_never_recorded() -> None:
    """Or memory would grow on itself."""
    memory = _memory()
    await memory.store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    exchange = _of(chat_exchange("Do I like tea or milk more?"))
    await memory(exchange)
    assert exchange.is_changed
    await _answered(exchange, "You like tea more, with milk.")
    await memory.queue.drain()
    texts = {item.text for item in await memory.store.list(ADA)}
    assert texts == {
        "Ada likes tea with milk.",
        "Do I like tea or milk more?",
        "You like tea more, with milk.",
    }
    await memory.aclose()


@pytest.mark.anyio
async def test_texts_are_scrubbed_before_they_are_kept() -> None:
    """Placeholders mean something in their own exchange only."""
    memory = _memory()
    exchange = _of(chat_exchange("Write to <EMAIL_1> about the tea."))
    exchange.scrubbers.append(lambda text: text.replace("<EMAIL_1>", "[EMAIL]"))
    await memory(exchange)
    await _answered(exchange, "I wrote to <EMAIL_1> about it.")
    await memory.queue.drain()
    texts = {item.text for item in await memory.store.list(ADA)}
    assert texts == {"Write to [EMAIL] about the tea.", "I wrote to [EMAIL] about it."}
    await memory.aclose()


@pytest.mark.anyio
async def test_items_know_where_they_came_from() -> None:
    """The request, the role, the program; and when they expire."""
    memory = _memory(hooks=None)
    exchange = _of(chat_exchange("My cat is called Lovelace."))
    await memory(exchange)
    await _answered(exchange)
    await memory.queue.drain()
    items = {item.provenance.role: item for item in await memory.store.list(ADA)}
    assert set(items) == {"user", "assistant"}
    assert items["user"].provenance.request_id == exchange.id
    assert items["user"].expires_at is not None
    await memory.aclose()


@pytest.mark.anyio
async def test_what_does_not_fit_the_queue_is_dropped_and_counted() -> None:
    """Bounded, whatever the store does."""
    gate = anyio.Event()

    class Gated(MemoryHook):
        async def record(
            self, turn: Any, exchange: Exchange, namespace: Namespace, /
        ) -> Sequence[MemoryItem]:
            await gate.wait()
            return ()

    memory = _memory(hooks=[Gated()], queue_size=2)
    for n in range(6):
        exchange = _of(chat_exchange(f"My cat number {n} is called Lovelace."))
        await memory(exchange)
        await _answered(exchange)
        await anyio.lowlevel.checkpoint()
    assert memory.queue.dropped >= 3
    gate.set()
    await memory.aclose()


@pytest.mark.anyio
async def test_forgetting_covers_items_queue_and_injections() -> None:
    """One call, with counts; what was queued before it is never written after it."""
    gate = anyio.Event()

    class Gated(MemoryHook):
        async def record(
            self, turn: Any, exchange: Exchange, namespace: Namespace, /
        ) -> Sequence[MemoryItem]:
            await gate.wait()
            return ()

    store = open_store("memory://")
    memory = _memory(store=store, hooks=[Gated(), Recall(store), Record()])
    await store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    await store.add(("bob",), [MemoryItem(id="1", text="Bob likes tea.")])
    exchanges = [_of(chat_exchange(f"tea or milk, number {n}?")) for n in range(3)]
    for exchange in exchanges:
        await memory(exchange)
        await _answered(exchange)
    await anyio.lowlevel.checkpoint()
    counts: dict[str, int] = {}

    async def forget() -> None:
        counts.update(await memory.delete_all(ADA))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forget)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    await memory.queue.drain()
    assert counts["injections"] == 3
    assert counts["queued"] in (2, 3)
    assert counts["items"] >= 1
    assert list(await store.list(ADA)) == []
    assert len(await store.list(("bob",))) == 1
    await memory.aclose()


@pytest.mark.anyio
async def test_another_process_forgets_for_this_one_too() -> None:
    """Two workers on one store: what one had queued before the other was told is not written."""
    store = open_store("memory://")
    clock = [time.time()]
    gate = anyio.Event()

    class Gated(MemoryHook):
        async def record(
            self, turn: Any, exchange: Exchange, namespace: Namespace, /
        ) -> Sequence[MemoryItem]:
            await gate.wait()
            return ()

    here = _memory(store=store, hooks=[Gated(), Record()], timer=lambda: clock[0])
    there = _memory(store=store, timer=lambda: clock[0])
    for n in range(2):
        exchange = _of(chat_exchange(f"My cat number {n} is called Lovelace."))
        await here(exchange)
        await _answered(exchange)
    await anyio.wait_all_tasks_blocked()
    clock[0] += 1
    await there.delete_all(ADA)
    gate.set()
    await here.queue.drain()
    texts = [item.text for item in await store.list(ADA)]
    assert texts == []
    await here.aclose()


def _model(answer: str) -> Any:
    asked: list[ChatRequest] = []

    async def ask(request: ChatRequest) -> ChatResponse:
        asked.append(request)
        return ChatResponse(choices=[Choice(parts=[TextPart(text=answer)])])

    ask.asked = asked  # type: ignore[attr-defined]
    return ask


@pytest.mark.anyio
async def test_facts_are_extracted_in_the_background() -> None:
    """Whatever the model writes around its list."""
    store = open_store("memory://")
    ask = _model('Sure! ["Ada has a cat called Lovelace.", 7, ""] Anything else?')
    memory = _memory(store=store, hooks=[Facts(ask, model="openai/gpt-4o-mini")])
    exchange = _of(chat_exchange("My cat is called Lovelace."))
    await memory(exchange)
    await _answered(exchange)
    await memory.queue.drain()
    (item,) = await store.list(ADA)
    assert (item.kind, item.text) == ("fact", "Ada has a cat called Lovelace.")
    assert item.provenance.by == "extract"
    await memory.aclose()


@pytest.mark.anyio
async def test_what_falls_out_of_the_window_comes_back_as_a_summary() -> None:
    """From the next request on, in front of what is left, and the same as long as the cut is."""
    store = open_store("memory://")
    ask = _model("They talked about cats.")
    window = Window(max_tokens=300, step_tokens=150, summaries=Summaries(store, ask, model="m"))
    memory = _memory(store=store, hooks=[window])
    turns: list[Any] = []
    for n in range(10):
        turns += [
            {"role": "user", "content": f"cat {n} " + "x" * 100},
            {"role": "assistant", "content": "y" * 100},
        ]
    turns.append({"role": "user", "content": "and now?"})
    first = _of(chat_exchange(messages=list(turns)))
    await memory(first)
    assert "conversation_summary" not in str(first.body)
    await memory.aclose()
    second = _of(chat_exchange(messages=list(turns)))
    await memory(second)
    assert "They talked about cats." in second.body["messages"][0]["content"]
    assert second.body["messages"][1:] == first.body["messages"][1:]
    (item,) = await store.list(ADA)
    assert item.kind == "summary"
    await memory.aclose()


class _Two:
    """Two dimensions: about cats, and not."""

    name = "two"
    dimensions = 2

    async def embed(self, texts: Sequence[str], /) -> list[Sequence[float]]:
        return [(1.0, 0.0) if "cat" in text or "Lovelace" in text else (0.0, 1.0) for text in texts]


@pytest.mark.anyio
async def test_an_embedder_finds_what_no_word_of_the_question_says() -> None:
    """Hybrid recall: the vector ranks beside the words."""
    store = open_store("memory://")
    hooks = [Recall(store, embedder=_Two()), Record(embedder=_Two(), answers=False)]
    memory = _memory(store=store, hooks=hooks)
    for text in ("Lovelace hates fish, she told me.", "The weather is fine in Rome."):
        exchange = _of(chat_exchange(text))
        await memory(exchange)
        await _answered(exchange)
    await memory.queue.drain()
    asked = _of(chat_exchange("cat food?"))
    await memory(asked)
    assert "Lovelace hates fish" in asked.body["messages"][-1]["content"]
    await memory.aclose()


@pytest.mark.anyio
async def test_the_same_words_said_again_are_recalled_anew() -> None:
    """Only the steps of one tool loop share what was found, or was not."""
    memory = _memory()
    first = _of(chat_exchange("What may my cat eat?"))
    await memory(first)
    assert not first.is_changed
    await memory.store.add(ADA, [MemoryItem(id="1", text="The cat hates fish.")])
    again = _of(chat_exchange("What may my cat eat?"))
    await memory(again)
    assert "hates fish" in again.body["messages"][0]["content"]
    await memory.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("what", ["blocked", "error", "disconnected"])
async def test_what_went_wrong_is_recorded_if_asked_for(what: Any) -> None:
    """Each manner by name."""
    memory = _memory(record_also=[what])
    exchange = _of(chat_exchange("My cat is called Lovelace."))
    await memory(exchange)
    if what == "blocked":
        exchange.audits.append(Audit(guard="words", side="answer", status="blocked"))
    elif what == "error":
        exchange.error = RuntimeError("cut")
    else:
        exchange.disconnected = True
    await _answered(exchange)
    await memory.queue.drain()
    assert {item.provenance.role for item in await memory.store.list(ADA)} == {"user", "assistant"}
    await memory.aclose()


@pytest.mark.anyio
async def test_an_injection_at_hand_is_forgotten_too_when_another_process_is_told() -> None:
    """The next step of the tool loop does without."""
    store = open_store("memory://")
    here, there = _memory(store=store), _memory(store=store)
    await store.add(ADA, [MemoryItem(id="1", text="Ada likes tea with milk.")])
    asked = {"role": "user", "content": "tea or milk?"}
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    first = _of(chat_exchange(messages=[asked]))
    await here(first)
    assert first.is_changed
    await there.delete_all(ADA)
    result = {"role": "tool", "tool_call_id": "c", "content": "none left"}
    second = _of(chat_exchange(messages=[asked, call, result]))
    await here(second)
    assert second.body["messages"][0] == asked
    await here.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("found", "namespace"),
    [(7, ("7",)), (("acme", 7), ("acme", "7")), ("", None), (["acme", ""], None), ((), None)],
)
async def test_a_namespace_is_a_name_a_number_or_several(found: Any, namespace: Any) -> None:
    """Half a name is none; a coroutine function is awaited."""

    async def later(scope: Any) -> Any:
        return found

    assert await namespace_for({}, lambda scope: found) == namespace
    assert await namespace_for({}, later) == namespace
    with pytest.raises(ConfigurationError):
        await namespace_for({}, lambda scope: [1.5])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "options",
    [
        {"record_also": ["everything"]},
        {"recall_timeout_s": 0},
        {"queue_size": 0},
        {"max_injection_chars": 0},
        {"namespace": "ada"},
    ],
)
def test_bounds_that_are_none_are_refused(options: dict[str, Any]) -> None:
    """When built, by name."""
    with pytest.raises(ConfigurationError):
        Memory(**{"namespace": lambda scope: "a", **options})


@pytest.mark.anyio
async def test_what_has_expired_is_deleted_though_nobody_writes() -> None:
    """As long as the app runs: hiding it is not forgetting it."""
    now = [time.time()]
    store = LocalMemory(timer=lambda: now[0])
    memory = _memory(store=store)
    await store.add(ADA, [MemoryItem(id="1", text="Ada likes tea.", expires_at=now[0] + 10)])
    now[0] += 11
    async with memory.lifespan():
        await anyio.wait_all_tasks_blocked()
        assert await store.purge() == 0
