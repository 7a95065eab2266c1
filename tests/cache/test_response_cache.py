"""The exact response cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from starlette.types import Message

from exchanges import exchange_of
from plano_asgi._json import dumps
from plano_asgi.cache import ReplayAnswer, ResponseCache
from plano_asgi.cache.base import RECORDERS
from plano_asgi.errors import StoreUnavailable, UpstreamReset
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

GPT = Candidate(provider="openai", model="gpt-4o")
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One event of a chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: " + dumps(event) + b"\n\n"


STREAM = [
    chunk({"role": "assistant", "content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, "stop"),
    b"data: [DONE]\n\n",
]


class Clock:
    """Unix seconds that only a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(
    body: dict[str, Any] | None = None,
    *,
    identity: Any = "ann",
    dialect: str = "openai.chat",
    **headers: str,
) -> Exchange:
    """A request of *identity*."""
    exchange = exchange_of(dialect, dict(BODY) if body is None else body)
    exchange.identity = identity
    exchange.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return exchange


async def answered(
    cache: ResponseCache,
    exchange: Exchange,
    chunks: Sequence[bytes] = (),
    *,
    status: int = 200,
    content_type: str = "application/json",
    is_ended: bool = True,
) -> ReplayAnswer | None:
    """What the cache has for *exchange*; where it has nothing, let *chunks* be its answer."""
    try:
        await cache(exchange)
    except ReplayAnswer as replay:
        return replay
    sent: list[Message] = []

    async def client(message: Message) -> None:
        sent.append(message)

    send = client
    for recorder in exchange.state.get(RECORDERS, ()):
        send = recorder(send)
    headers = [(b"content-type", content_type.encode())]
    messages: list[Message] = [
        {"type": "http.response.start", "status": status, "headers": headers},
        *({"type": "http.response.body", "body": part, "more_body": True} for part in chunks),
    ]
    if is_ended:
        messages.append({"type": "http.response.body", "body": b""})
    for message in messages:
        await send(message)
    assert sent == messages
    exchange.served_by, exchange.status = GPT, status
    await cache.keep(exchange)
    return None


async def hits(cache: ResponseCache, exchange: Exchange) -> bool:
    """Whether *exchange* is answered from the cache."""
    try:
        await cache(exchange)
    except ReplayAnswer:
        return True
    return False


async def test_an_answer_is_given_again() -> None:
    """As it went out, and with its age."""
    clock = Clock()
    cache = ResponseCache(LocalStore(timer=clock), timer=clock)
    first = ask()
    content = dumps(ANSWER)
    assert await answered(cache, first, [content[:20], content[20:]]) is None
    assert first.response_headers == {"x-plano-cache": "miss"}
    clock.now += 90
    replay = await answered(cache, ask())
    assert replay is not None
    assert (replay.status, replay.body, replay.chunks) == (200, content, [content])
    assert replay.headers == {
        "content-type": "application/json",
        "x-plano-cache": "hit",
        "age": "90",
    }
    clock.now += 3600
    assert not await hits(cache, ask())


async def test_a_stream_is_given_again_as_a_stream() -> None:
    """Event by event, to whoever asks for one; other requests have answers of their own."""
    cache = ResponseCache(LocalStore())
    body = {**BODY, "stream": True}
    pieces = [b"".join(STREAM)[:50], b"".join(STREAM)[50:]]
    kind = "text/event-stream; charset=utf-8"
    await answered(cache, ask(body), pieces, content_type=kind)
    replay = await answered(cache, ask(body))
    assert replay is not None
    assert replay.is_stream
    assert replay.chunks == STREAM
    assert replay.headers["content-type"] == kind
    assert not await hits(cache, ask())


@pytest.mark.parametrize(
    ("dialect", "request_body", "answer"),
    [
        (
            "anthropic.messages",
            {"model": "m", "max_tokens": 5, "messages": []},
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": "Hi"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        ),
        (
            "openai.responses",
            {"model": "m", "input": "x", "store": False},
            {
                "id": "resp_1",
                "object": "response",
                "status": "completed",
                "model": "m",
                "output": [
                    {
                        "type": "message",
                        "id": "msg_1",
                        "role": "assistant",
                        "status": "completed",
                        "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
                    }
                ],
            },
        ),
    ],
)
async def test_every_dialect_is_cached(
    dialect: str, request_body: dict[str, Any], answer: dict[str, Any]
) -> None:
    """By the same rules."""
    cache = ResponseCache(LocalStore())
    await answered(cache, ask(request_body, dialect=dialect), [dumps(answer)])
    assert await hits(cache, ask(request_body, dialect=dialect))


async def test_embeddings_are_cached_and_other_operations_are_not() -> None:
    """Unless they are asked for."""
    cache = ResponseCache(LocalStore())
    for operation, is_cached in (("/embeddings", True), ("/images/generations", False)):
        exchanges = [ask({"model": "m", "input": "x"}) for _ in range(2)]
        for exchange in exchanges:
            exchange.operation = operation
        await answered(cache, exchanges[0], [b'{"data": []}'])
        assert await hits(cache, exchanges[1]) is is_cached


async def test_the_order_of_keys_does_not_matter() -> None:
    """Anything else does: values, their types, headers that change the answer, the API."""
    cache = ResponseCache(LocalStore())
    body = {**BODY, "metadata": {"a": 1, "b": 2}}
    await answered(cache, ask(body), [dumps(ANSWER)])
    turned = {"metadata": {"b": 2, "a": 1}, **dict(reversed(BODY.items()))}
    assert await hits(cache, ask(turned))
    assert await hits(cache, ask(body, user_agent="other"))
    assert not await hits(cache, ask({**body, "seed": 2}))
    assert not await hits(cache, ask({**body, "seed": 1.0}))
    assert not await hits(cache, ask({**body, "extra": None}))
    assert not await hits(cache, ask(body, anthropic_beta="x"))
    assert not await hits(cache, ask(body, dialect="anthropic.messages"))


async def test_identities_share_nothing() -> None:
    """Nor do they with callers who have none, whatever these may call themselves."""
    cache = ResponseCache(LocalStore(), shared=True)
    await answered(cache, ask(), [dumps(ANSWER)])
    assert await hits(cache, ask())
    for identity in ("bob", None, object()):
        assert not await hits(cache, ask(identity=identity))
    await answered(cache, ask(identity=None), [dumps(ANSWER)])
    assert await hits(cache, ask(identity=None))
    assert not await hits(cache, ask(identity="shared"))
    assert not await hits(cache, ask(identity=object()))


async def test_without_identity_nothing_is_cached() -> None:
    """Unless sharing is asked for."""
    cache = ResponseCache(LocalStore())
    exchange = ask(identity=None)
    await answered(cache, exchange, [dumps(ANSWER)])
    assert exchange.response_headers == {}
    assert not await hits(cache, ask(identity=None))


async def test_cache_control_is_honoured() -> None:
    """``no-store`` touches nothing, ``no-cache`` asks anew and keeps, ``max-age`` bounds."""
    clock = Clock()
    cache = ResponseCache(LocalStore(timer=clock), timer=clock)
    old, new = dumps(ANSWER), dumps({**ANSWER, "id": "new"})
    await answered(cache, ask(cache_control="no-store"), [old])
    assert not await hits(cache, ask())
    await answered(cache, ask(), [old])
    assert not await hits(cache, ask(cache_control="max-stale, No-Store"))
    assert await answered(cache, ask(cache_control="no-cache"), [new]) is None
    replay = await answered(cache, ask())
    assert replay is not None
    assert replay.body == new
    clock.now += 60
    assert await hits(cache, ask(cache_control="max-age=60"))
    assert await hits(cache, ask(cache_control="max-age=soon"))
    assert not await hits(cache, ask(cache_control="max-age=59"))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"choices": [{**ANSWER["choices"][0], "finish_reason": "content_filter"}]}),  # type: ignore[index]
        pytest.param({"choices": [{**ANSWER["choices"][0], "finish_reason": None}]}),  # type: ignore[index]
        pytest.param(
            {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": None, "refusal": "No."},
                    }
                ]
            }
        ),
        pytest.param({"choices": []}),
        pytest.param({"error": {"message": "x", "type": "y"}}),
    ],
)
async def test_refusals_and_errors_are_not_kept(changed: dict[str, Any]) -> None:
    """Also those that come with status 200."""
    cache = ResponseCache(LocalStore())
    await answered(cache, ask(), [dumps({**ANSWER, **changed})])
    assert not await hits(cache, ask())


async def test_what_failed_is_not_kept() -> None:
    """Error statuses, answers cut off, clients that left, answers that no model gave."""
    cache, content = ResponseCache(LocalStore()), [dumps(ANSWER)]
    await answered(cache, ask(), content, status=429)
    await answered(cache, ask(), content, is_ended=False)
    await answered(cache, ask(), [b"no json"])
    await answered(cache, ask(), [b"[]"])
    await answered(cache, ask(), [])
    for name, value in (("error", UpstreamReset("x")), ("disconnected", True)):
        exchange = ask()
        setattr(exchange, name, value)
        await answered(cache, exchange, content)
    exchange = ask()
    await cache(exchange)
    await cache.keep(exchange)
    assert not await hits(cache, ask())


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(STREAM[:-1], id="no-end-mark"),
        pytest.param([STREAM[0], b'data: {"error": {"message": "x"}}\n\n', STREAM[3]], id="error"),
        pytest.param([STREAM[0], chunk({}, "content_filter"), STREAM[3]], id="filtered"),
    ],
)
async def test_a_stream_that_is_not_whole_is_not_kept(events: list[bytes]) -> None:
    """However it ended."""
    cache, body = ResponseCache(LocalStore()), {**BODY, "stream": True}
    await answered(cache, ask(body), events, content_type="text/event-stream")
    assert not await hits(cache, ask(body))


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("openai.responses", {"input": "x"}),
        ("openai.responses", {"input": "x", "store": True}),
        ("openai.responses", {"input": "x", "store": False, "previous_response_id": "r"}),
        ("openai.responses", {"input": "x", "store": False, "conversation": "c"}),
        ("openai.chat", {"messages": [], "store": True}),
    ],
)
async def test_what_a_conversation_goes_on_from_is_not_cached(
    dialect: str, fields: dict[str, Any]
) -> None:
    """Its id would mean one thing to two clients."""
    cache = ResponseCache(LocalStore())
    exchange = ask({"model": "m", **fields}, dialect=dialect)
    await cache(exchange)
    assert exchange.state == {}


async def test_entries_are_bounded() -> None:
    """In bytes; what is larger goes out all the same."""
    size = len(dumps(ANSWER))
    for limit, is_kept in ((size, True), (size - 1, False)):
        cache = ResponseCache(LocalStore(), max_entry_bytes=limit)
        await answered(cache, ask(), [dumps(ANSWER)])
        assert await hits(cache, ask()) is is_kept


async def test_a_body_nested_without_end_is_not_compared() -> None:
    """It is passed on."""
    nested: Any = 1
    for _ in range(5000):
        nested = [nested]
    exchange = ask({**BODY, "metadata": nested})
    await ResponseCache(LocalStore())(exchange)
    assert exchange.state == {}


class DownStore(LocalStore):
    """A store on another machine that fails, or never answers."""

    is_shared = True
    calls = 0
    is_silent = False

    async def get(self, key: str, /) -> bytes | None:
        """As above."""
        self.calls += 1
        if self.is_silent:
            await anyio.sleep_forever()
        raise StoreUnavailable("down")

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """As above."""
        self.calls += 1
        raise StoreUnavailable("down")


@pytest.mark.parametrize("is_silent", [False, True])
async def test_without_its_store_every_request_is_asked_anew(is_silent: bool) -> None:
    """And the store is left alone for a while."""
    store, clock = DownStore(), Clock()
    store.is_silent = is_silent
    cache = ResponseCache(store, timeout_s=0.01, timer=clock)
    for _ in range(3):
        assert await answered(cache, ask(), [dumps(ANSWER)]) is None
    assert store.calls == 1
    clock.now += 6
    assert not await hits(cache, ask())
    assert store.calls == 2
