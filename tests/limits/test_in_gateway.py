"""Limits inside a gateway: every API, streamed or not, failures and clients that leave."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from asgi_drive import Exchanged, drive
from gateway_build import KEY, gateway
from memory_transport import MemoryReply, MemoryTransport, Outcome, answer, events
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.errors import ConfigurationError, UpstreamReset
from plano_asgi.exchange import Candidate
from plano_asgi.limits import RateLimit, RateLimits, SpendBudget, SpendBudgets
from plano_asgi.limits.meter import Meter
from plano_asgi.pricing import Prices, Rates
from plano_asgi.routing.names import Alias, Target
from plano_asgi.state.responses_state import ResponsesState
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

LIMIT = 1000
LARGE = Candidate(provider="mistral", model="large")
TURNS = [{"role": "user", "content": "hi"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": TURNS, "max_tokens": 800},
    "/v1/messages": {"messages": TURNS, "max_tokens": 800},
    "/v1/responses": {"input": "hi", "max_output_tokens": 800},
}


def _chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return {**chunk, "choices": [choice], **fields}


USAGE = {"prompt_tokens": 50, "completion_tokens": 250, "total_tokens": 300}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
WHOLE = answer({"id": "c", "object": "chat.completion", "choices": [CHOICE], "usage": USAGE})
TEXT = _chunk({"role": "assistant", "content": "hi"})
END = {**_chunk({}), "choices": [], "usage": USAGE}
STREAM = events(TEXT, _chunk({}, "stop"), END, "[DONE]")


def limited(*outcomes: Outcome) -> tuple[Plano, RateLimits]:
    """A gateway of a thousand tokens a minute."""
    rules = [RateLimit(model="mistral/large", tokens=LIMIT, unit="minute")]
    meter = RateLimits(rules, LocalStore(), model_of=lambda _: LARGE, default_output_tokens=100)
    plano, _ = gateway(*outcomes, steps=[meter], finalizers=[meter.settle])
    return plano, meter


def left(exchanged: Exchanged) -> int:
    """The tokens that the client was told of."""
    return int(exchanged.headers["x-ratelimit-remaining-tokens"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", REQUESTS)
async def test_true_usage_counts_on_every_api(path: str, stream: bool) -> None:
    """Two of 800 at most do not fit at once; two of 300 used do, one after the other."""
    plano, _ = limited(STREAM if stream else WHOLE)
    body = {"model": "mistral/large", "stream": stream, **REQUESTS[path]}
    first = await drive(plano, path, body)
    assert first.status == 200
    assert 0 < left(first) < 200
    smaller = {**body, next(name for name in body if name.endswith("tokens")): 400}
    second = await drive(plano, path, smaller)
    assert second.status == 200
    assert left(second) == left(first) + 400 - 300
    third = await drive(plano, path, smaller)
    assert third.status == 429
    assert 1 <= int(third.headers["retry-after"]) <= 62
    assert left(third) == 1000 - 600
    error = third.json()["error"]
    assert "1000 tokens per minute" in error["message"]
    is_anthropic = path == "/v1/messages"
    assert (third.json().get("type") == "error") is is_anthropic
    assert (error["type"] == "rate_limit_error") or not is_anthropic


async def _free(plano: Plano) -> int:
    """What is left, as a request is told that is too large for the limit by itself."""
    turns = [{"role": "user", "content": "x" * 4 * LIMIT}]
    body = {"model": "mistral/large", "messages": turns, "max_tokens": 1}
    refused = await drive(plano, "/v1/chat/completions", body)
    assert refused.status == 429
    return left(refused)


@pytest.mark.parametrize(
    ("outcome", "stream"),
    [
        (answer({"error": {"message": "no"}}, status=500), False),
        (answer({"error": {"message": "no"}}, status=400), False),
        (UpstreamReset("x"), True),
    ],
)
async def test_a_failure_uses_nothing(outcome: Outcome, stream: bool) -> None:
    """Whatever the upstream's trouble was."""
    plano, _ = limited(outcome)
    body = {"model": "mistral/large", "messages": TURNS, "max_tokens": 800, "stream": stream}
    failed = await drive(plano, "/v1/chat/completions", body)
    assert failed.status >= 400
    assert await _free(plano) == LIMIT


WORDS = [TEXT, *[_chunk({"content": "wordy "})] * 400]
WRITTEN = (400 * 6 + 2) // 4
"""Tokens."""


@pytest.mark.parametrize("path", REQUESTS)
async def test_a_cut_stream_counts_what_was_written(path: str) -> None:
    """Far more than the 100 tokens of a usual answer; to a few words, where bytes are relayed."""
    plano, _ = limited(events(*WORDS, cut=UpstreamReset("cut")))
    cut = await drive(plano, path, {"model": "mistral/large", "stream": True, **REQUESTS[path]})
    assert cut.status == 200
    estimate = LIMIT - left(cut) - 800
    assert await _free(plano) == pytest.approx(LIMIT - estimate - WRITTEN, abs=10)


@pytest.mark.parametrize("path", REQUESTS)
async def test_a_client_that_leaves_just_before_the_end_has_used_it(path: str) -> None:
    """Or anybody would stay below every limit who hangs up in time."""
    leave = anyio.Event()
    plano, _ = limited(events(*WORDS, anyio.Event()))
    body = {"model": "mistral/large", "stream": True, **REQUESTS[path]}
    into = Exchanged()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: drive(plano, path, body, leave=leave, into=into))
        await anyio.wait_all_tasks_blocked()
        leave.set()
    estimate = LIMIT - left(into) - 800
    assert await _free(plano) == pytest.approx(LIMIT - estimate - WRITTEN, abs=10)


async def test_a_client_that_leaves_before_the_answer_uses_nothing() -> None:
    """Its reservation is released at once."""
    gate, leave = anyio.Event(), anyio.Event()
    hanging = MemoryReply(200, {"content-type": "text/event-stream"}, [gate])
    plano, _ = limited(hanging)
    body = {"model": "mistral/large", "messages": TURNS, "max_tokens": 800, "stream": True}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: drive(plano, "/v1/chat/completions", body, leave=leave))
        await anyio.wait_all_tasks_blocked()
        assert await _free(plano) < 200
        leave.set()
    assert await _free(plano) == LIMIT


@pytest.mark.parametrize("lingers", [False, True])
@pytest.mark.parametrize("path", REQUESTS)
async def test_a_client_that_leaves_after_the_end_has_used_what_the_upstream_says(
    path: str, lingers: bool
) -> None:
    """Servers tell of everybody that they have left, once the last byte is out."""
    leave, linger = anyio.Event(), [anyio.Event()] if lingers else []
    plano, _ = limited(events(TEXT, _chunk({}, "stop"), END, "[DONE]", *linger))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            await send(message)
            body, is_last = message.get("body", b""), not message.get("more_body")
            if message["type"] == "http.response.body" and (is_last or b"[DONE]" in body):
                leave.set()

        await plano(scope, receive, sent)

    body = {"model": "mistral/large", "stream": True, **REQUESTS[path]}
    with anyio.fail_after(5):
        whole = await drive(app, path, body, leave=leave)
    assert whole.status == 200
    assert await _free(plano) == LIMIT - 300


@pytest.mark.parametrize(
    ("frames", "written"),
    [
        ([_chunk({"content": "wordy " * 400}), TEXT, TEXT], 2404),
        ([*[_chunk({"content": "wordy "})] * 300, *[b": ping\n\n"] * 20], 1800),
        ([_chunk({"content": "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 10})] * 60, 1800),
    ],
    ids=["one long event", "comments at the end", "no ASCII"],
)
@pytest.mark.parametrize("path", REQUESTS)
async def test_what_was_written_is_found_in_any_events(
    path: str, frames: list[Any], written: int
) -> None:
    """In bytes, four for a token."""
    reply = events(TEXT, *frames, cut=UpstreamReset("cut"))
    plano, _ = limited(reply)
    cut = await drive(plano, path, {"model": "mistral/large", "stream": True, **REQUESTS[path]})
    estimate = LIMIT - left(cut) - 800
    used = LIMIT - estimate - await _free(plano)
    assert used == pytest.approx(written / 4, rel=0.15)


async def test_a_cut_stream_of_completions_counts_by_its_bytes() -> None:
    """Nobody reads them; one byte in sixteen is text."""
    chunk = {"choices": [{"text": "wordy ", "index": 0}], "object": "text_completion"}
    plano, _ = limited(events(*[chunk] * 400, cut=UpstreamReset("cut")))
    body = {"model": "mistral/large", "prompt": "hi", "stream": True, "max_tokens": 800}
    cut = await drive(plano, "/v1/completions", body)
    assert cut.status == 200
    assert await _free(plano) < LIMIT - 400


# --------------------------------------------------------------------------- failover

DOWN = answer({"error": {"message": "down"}}, status=503)
ONE, TWO = "mistral/one", "groq/two"
CIRCUITS = {"breaker": BreakerPolicy(failures=10**6)}


def two_models(meter: Meter, *outcomes: Outcome, **options: Any) -> tuple[Plano, MemoryTransport]:
    """A gateway of two models, and ``either`` of them."""
    either = Alias(targets=(Target(model=ONE),), fallbacks=(TWO,))
    return gateway(
        *outcomes,
        models=[Model(ONE, api_key=KEY), Model(TWO, api_key=KEY)],
        aliases={"either": either},
        meters=[meter],
        **CIRCUITS | options,
    )


async def ask(plano: Plano, model: str, *, stream: bool = False, **fields: Any) -> Exchanged:
    """A request of 800 tokens at most."""
    body = {"model": model, "messages": TURNS, "max_tokens": 780, "stream": stream, **fields}
    return await drive(plano, "/v1/chat/completions", body)


def token_limit(model: str, tokens: int = LIMIT) -> RateLimits:
    """A limit of one model."""
    return RateLimits([RateLimit(model=model, tokens=tokens, unit="hour")], LocalStore())


@pytest.mark.parametrize("stream", [False, True])
async def test_failover_does_not_go_round_a_limit(stream: bool) -> None:
    """What is refused directly is not served by way of another model that is down."""
    served = STREAM if stream else WHOLE
    plano, transport = two_models(token_limit(TWO), served)
    assert (await ask(plano, TWO, stream=stream)).status == 200
    assert (await ask(plano, TWO, stream=stream)).status == 429
    transport.outcomes = [DOWN, served]
    refused = await ask(plano, "either", stream=stream)
    assert (refused.status, refused.headers["x-plano-attempts"]) == (503, "1")
    assert "x-ratelimit-remaining-tokens" not in refused.headers
    assert [request.url.split("/")[2] for request in transport.requests].count("api.groq.com") == 1


async def test_failover_is_limited_where_it_goes() -> None:
    """The fallback's own tokens are used, and told; the first one's are free."""
    meter = token_limit("*/*")
    plano, transport = two_models(meter, DOWN, WHOLE)
    for rest in (LIMIT - 300, LIMIT - 600):
        transport.outcomes = [DOWN, WHOLE]
        found = await ask(plano, "either", max_tokens=100)
        assert (found.status, found.headers["x-plano-model"]) == (200, TWO)
        assert left(found) > rest
    assert (await ask(plano, TWO)).status == 429


async def test_a_model_without_room_gives_way_to_its_fallback() -> None:
    """As one whose circuit is open; the client hears of no limit that it did not meet."""
    plano, transport = two_models(token_limit(ONE), WHOLE)
    assert (await ask(plano, ONE)).headers["x-plano-model"] == ONE
    found = await ask(plano, "either")
    assert (found.status, found.headers["x-plano-model"]) == (200, TWO)
    assert found.headers["x-plano-attempts"] == "1"
    assert "x-ratelimit-limit-tokens" not in found.headers
    assert len(transport.requests) == 2


async def test_the_soonest_limit_is_told_where_no_model_has_room() -> None:
    """With its headers and its time."""
    rules = [
        RateLimit(model=ONE, tokens=LIMIT, unit="hour"),
        RateLimit(model=TWO, tokens=LIMIT + 1, unit="minute"),
    ]
    plano, transport = two_models(RateLimits(rules, LocalStore()), WHOLE)
    for model in (ONE, TWO):
        assert (await ask(plano, model)).status == 200
    for dialect, wanted in (
        ("/v1/chat/completions", "rate_limit_exceeded"),
        ("/v1/messages", None),
    ):
        body = {"model": "either", "messages": TURNS, "max_tokens": 780}
        refused = await drive(plano, dialect, body)
        assert refused.status == 429
        assert refused.headers["x-ratelimit-limit-tokens"] == str(LIMIT + 1)
        assert 1 <= int(refused.headers["retry-after"]) <= 62
        assert refused.json()["error"].get("code") == wanted
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    ("prices", "status"),
    [
        ({ONE: Rates(input=1.0, output=1.0)}, 403),
        ({ONE: Rates(input=1.0, output=1.0), TWO: Rates(input=1e3, output=1e3)}, 429),
    ],
    ids=["unknown price", "spent"],
)
async def test_failover_does_not_go_round_a_budget(prices: dict[str, Rates], status: int) -> None:
    """Nor round the refusal of models without a price."""
    budgets = [SpendBudget(usd=1.0, period="day")]
    meter = SpendBudgets(budgets, LocalStore(), Prices(prices, bundled=False))
    plano, transport = two_models(meter, WHOLE)
    assert (await ask(plano, TWO)).status == (200 if status == 429 else 403)
    assert (await ask(plano, TWO)).status == status
    for _ in range(3):
        transport.outcomes = [DOWN, WHOLE]
        assert (await ask(plano, "either")).status == 503
    transport.outcomes = [WHOLE]
    assert (await ask(plano, "either")).headers["x-plano-model"] == ONE


async def test_other_tries_of_a_model_reserve_nothing_more() -> None:
    """A limit of one request is enough for two attempts."""
    retry = RetryPolicy(attempts_per_candidate=2, base_delay_s=0.0)
    plano, _ = two_models(token_limit(ONE), DOWN, WHOLE, retry=retry)
    found = await ask(plano, ONE)
    assert (found.status, found.headers["x-plano-attempts"]) == (200, "2")


@pytest.mark.parametrize("model", [ONE, TWO])
async def test_whoever_leaves_during_a_failover_leaves_nothing_reserved(model: str) -> None:
    """Neither at the model that failed nor at the one that was being asked."""
    gate, leave = anyio.Event(), anyio.Event()
    hanging = MemoryReply(200, {"content-type": "text/event-stream"}, [gate])
    plano, transport = two_models(token_limit(model), DOWN, hanging)
    body = {"model": "either", "messages": TURNS, "max_tokens": 780, "stream": True}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: drive(plano, "/v1/chat/completions", body, leave=leave))
        await anyio.wait_all_tasks_blocked()
        leave.set()
    transport.outcomes = [WHOLE]
    found = await ask(plano, model, max_tokens=900)
    assert (found.status, len(transport.requests)) == (200, 3)


async def test_many_failovers_at_once_never_exceed_the_limit() -> None:
    """Twenty requests of 800 tokens at most, where two fit at a time."""
    plano, transport = two_models(token_limit(TWO, 2 * LIMIT), WHOLE)
    transport.outcomes = [*[DOWN] * 20, WHOLE]
    found: list[int] = []

    async def request() -> None:
        found.append((await ask(plano, "either")).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(request)
    assert sorted(found) == [200] * 2 + [503] * 18


async def test_a_model_is_limited_by_the_name_it_is_configured_under() -> None:
    """And by that alone, where there are two accounts of it."""
    models = [
        Model("mistral/large", name="eu", api_key=KEY),
        Model("mistral/large", name="us", api_key=f"{KEY}-2"),
    ]
    plano, _ = gateway(WHOLE, models=models, meters=[token_limit("us")])
    assert [(await ask(plano, "us")).status for _ in range(2)] == [200, 429]
    assert [(await ask(plano, "eu")).status for _ in range(2)] == [200, 200]


async def test_relayed_and_compacted_requests_are_limited() -> None:
    """Whatever asks a model for a client."""
    plano, _ = two_models(token_limit(ONE), WHOLE, state=ResponsesState())
    body = {"model": ONE, "input": [{"role": "user", "content": "hi " * 1200}]}
    compacted = [(await drive(plano, "/v1/responses/compact", body)).status for _ in range(2)]
    assert compacted == [200, 429]
    refused = await drive(plano, "/v1/embeddings", {"model": ONE, "input": "x" * 4000})
    assert refused.status == 429


@pytest.mark.parametrize("limited", ["fast", "smart"])
async def test_a_limit_on_any_name_of_a_model_counts_the_model(limited: str) -> None:
    """Under whichever of its names it is asked for."""
    models = [Model("mistral/large", name=name, api_key=KEY) for name in ("fast", "smart")]
    for asked in ("fast", "smart"):
        budget = SpendBudget(usd=0.000001, period="day", model=limited)
        prices = Prices({limited: Rates(input=1.0, output=1.0)}, bundled=False)
        spent = SpendBudgets([budget], LocalStore(), prices)
        for meter, expected in ((token_limit(limited), [200, 429]), (spent, [429, 429])):
            plano, _ = gateway(WHOLE, models=models, meters=[meter])
            assert [(await ask(plano, asked)).status for _ in range(2)] == expected


def test_a_meter_is_one_gateways() -> None:
    """Another one has names of its own; the first goes on by its names."""
    meter = token_limit("fast")
    gateway(WHOLE, meters=[meter])
    with pytest.raises(ConfigurationError, match="on the same store"):
        gateway(WHOLE, meters=[meter])


async def test_a_gateway_that_is_refused_takes_no_meter() -> None:
    """What is wrong with it can be put right, and the meter given again."""
    meter = token_limit(ONE)
    with pytest.raises(ConfigurationError):
        gateway(WHOLE, aliases={"nowhere": "gone/model"}, meters=[meter])
    plano, _ = gateway(WHOLE, models=[Model(ONE, api_key=KEY)], meters=[meter])
    assert [(await ask(plano, ONE)).status for _ in range(2)] == [200, 429]


async def test_relayed_requests_count_as_the_upstream_did() -> None:
    """Not as they were estimated before."""
    counted = answer({"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}})
    plano, _ = two_models(token_limit(ONE), counted)
    body = {"model": ONE, "input": "x" * 3000}
    found = [await drive(plano, "/v1/embeddings", body) for _ in range(3)]
    assert [one.status for one in found] == [200] * 3
    assert left(found[0]) - left(found[2]) == 2 * 7
