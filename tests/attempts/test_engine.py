"""The attempt engine over an in-memory upstream: retry, failover, circuit, commit point."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from memory_transport import MemoryReply, MemoryTransport, Outcome, answer, events
from plano_asgi.attempts import Answer, BreakerPolicy, Breakers, Engine, RetryPolicy
from plano_asgi.attempts.engine import Admit
from plano_asgi.errors import (
    ConfigurationError,
    Forbidden,
    PlanoError,
    RateLimited,
    RequestError,
    UpstreamError,
    UpstreamReset,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.providers import Provider
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.client import Timeouts
from plano_asgi.wire import DIALECTS

pytestmark = pytest.mark.anyio

CHAT = "openai.chat"
A = Candidate(provider="a", model="m1")
B = Candidate(provider="b", model="m2")
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
}
BODY = {"model": "x", "messages": [{"role": "user", "content": "hello"}]}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One chat chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


ROLE, TEXT, END = chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"}), "[DONE]"
ERROR = {"error": {"message": "overloaded", "type": "server_error"}}


_KEPT: list[Run] = []  # trio warns of a stream that goes, unread, before its loop does


class Run:
    """One engine, one exchange, one scripted upstream."""

    def __init__(
        self,
        *outcomes: Outcome,
        candidates: Sequence[Candidate] = (A,),
        stream: bool = False,
        timeouts: Timeouts | None = None,
        policy: RetryPolicy | None = None,
        breakers: Breakers | None = None,
        api_key: str | None = "key-of-the-gateway",
    ) -> None:
        _KEPT.append(self)
        self.transport = MemoryTransport(*outcomes)
        self.slept: list[float] = []
        providers: dict[str, UpstreamProvider] = {
            name: Provider("openai", name=name, api_key=api_key, timeouts=timeouts)
            for name in ("a", "b")
        }
        self.engine = Engine(
            providers,
            lambda: self.transport,
            policy=policy,
            breakers=breakers,
            sleep=self._sleep,
            rng=lambda: 1.0,
        )
        self.exchange = Exchange(
            id="r",
            operation="chat",
            dialect=CHAT,
            headers={},
            body=dict(BODY),
            read_request=DIALECTS[CHAT].read_request,
            stream=stream,
            route=Route(candidates=tuple(candidates)),
        )

    async def _sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)

    def prepare(self, candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
        """A verbatim chat call."""
        return UpstreamCall(
            path="/chat/completions",
            dialect=CHAT,
            model=candidate.model,
            stream=self.exchange.stream,
            body=self.exchange.body,
        )

    async def open(
        self,
        prepare: Callable[[Candidate, UpstreamProvider], UpstreamCall] | None = None,
        admit: Admit | None = None,
    ) -> Answer:
        """Run the attempts."""
        with anyio.fail_after(5):
            return await self.engine.open(self.exchange, prepare or self.prepare, admit)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Provider and outcome of every attempt."""
        return [(a.candidate.provider, a.outcome) for a in self.exchange.attempts]


async def test_a_good_answer_takes_one_attempt() -> None:
    """The body as received, parsed once."""
    run = Run(answer(WHOLE))
    found = await run.open()
    assert found.json == WHOLE
    assert run.outcomes == [("a", "ok")]
    assert run.exchange.served_by == A


@pytest.mark.parametrize(
    "failure",
    [
        *[pytest.param(answer(ERROR, code), id=str(code)) for code in (408, 409, 429, 500, 503)],
        pytest.param(UpstreamUnreachable("refused"), id="refused"),
        pytest.param(UpstreamReset("reset"), id="reset"),
        pytest.param(UpstreamTimeout("slow", phase="connect"), id="connect-timeout"),
        pytest.param(answer(ERROR), id="error-in-200"),
        pytest.param(answer(b"<html>oops</html>"), id="html"),
        pytest.param(answer(b"{"), id="not-json"),
        pytest.param(answer(b"[]"), id="not-an-object"),
    ],
)
async def test_what_may_pass_is_tried_again_at_the_same_place(failure: Outcome) -> None:
    """Invisibly: the second answer is the client's."""
    run = Run(failure, answer(WHOLE))
    assert (await run.open()).json == WHOLE
    assert [provider for provider, _ in run.outcomes] == ["a", "a"]
    assert len(run.slept) == 1
    assert all(reply.closed for reply in run.transport.replies[:-1]), "failed answers are closed"


@pytest.mark.parametrize("code", [400, 413, 422])
async def test_the_clients_own_mistake_is_tried_once(code: int) -> None:
    """Neither again, nor elsewhere."""
    run = Run(answer(ERROR, code), candidates=(A, B))
    with pytest.raises(UpstreamStatus) as caught:
        await run.open()
    assert caught.value.status == code
    assert (caught.value.provider, caught.value.model) == ("a", "m1")
    assert len(run.exchange.attempts) == 1


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_key_or_model_missing_is_tried_elsewhere_only(code: int) -> None:
    """Asking the same place again would change nothing."""
    run = Run(answer(ERROR, code), answer(WHOLE), candidates=(A, B))
    assert (await run.open()).candidate == B
    assert run.slept == []


async def test_failover_after_the_tries_of_one_candidate() -> None:
    """And every try is on record."""
    run = Run(
        answer(ERROR, 500),
        answer(ERROR, 500),
        answer(WHOLE),
        candidates=(A, B),
        policy=RetryPolicy(attempts_per_candidate=2),
    )
    assert (await run.open()).candidate == B
    assert [p for p, _ in run.outcomes] == ["a", "a", "b"]
    assert run.transport.body()["model"] == "m2"


async def test_the_number_of_attempts_is_bounded() -> None:
    """Over all candidates; the last error is the client's."""
    policy = RetryPolicy(attempts_per_candidate=5, max_attempts=4)
    run = Run(answer(ERROR, 503), candidates=(A, B), policy=policy)
    with pytest.raises(UpstreamStatus):
        await run.open()
    assert len(run.exchange.attempts) == 4


async def test_a_short_retry_after_is_waited_for() -> None:
    """In whole, plus a little."""
    run = Run(answer(ERROR, 429, retry_after_ms="1500"), answer(WHOLE))
    await run.open()
    assert 1.5 <= run.slept[0] <= 2


async def test_a_long_retry_after_goes_elsewhere_or_to_the_client() -> None:
    """Nobody sleeps a minute inside a request."""
    run = Run(answer(ERROR, 429, retry_after="60"), answer(WHOLE), candidates=(A, B))
    assert (await run.open()).candidate == B
    run = Run(answer(ERROR, 429, retry_after="60"))
    with pytest.raises(UpstreamStatus) as caught:
        await run.open()
    assert caught.value.retry_after_s == 60
    assert run.slept == []


async def test_nothing_new_is_tried_past_the_deadline() -> None:
    """However many candidates there are."""
    run = Run(answer(ERROR, 500), candidates=(A, B))
    run.exchange.deadline = time.monotonic() - 1
    with pytest.raises(UpstreamStatus):
        await run.open()
    assert len(run.exchange.attempts) == 1


async def test_an_open_circuit_is_passed_over_and_all_open_is_503() -> None:
    """With the time after which it makes sense to come back."""
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=30))
    breakers.failed(A)
    run = Run(answer(WHOLE), candidates=(A, B), breakers=breakers)
    assert (await run.open()).candidate == B
    run = Run(answer(WHOLE), candidates=(A,), breakers=breakers)
    with pytest.raises(UpstreamUnavailable) as caught:
        await run.open()
    assert 0 < (caught.value.retry_after_s or 0) <= 30
    assert run.transport.requests == []


async def test_failures_open_the_circuit_and_client_errors_do_not() -> None:
    """A bad request says nothing about the upstream."""
    breakers = Breakers(BreakerPolicy(failures=2))
    for code in (400, 400, 429, 401):
        with pytest.raises(UpstreamStatus):
            await Run(
                answer(ERROR, code),
                breakers=breakers,
                policy=RetryPolicy(attempts_per_candidate=1),
            ).open()
    assert not breakers.is_open(A)
    with pytest.raises(UpstreamStatus):
        await Run(answer(ERROR, 500), breakers=breakers).open()
    assert breakers.is_open(A)


async def test_a_stream_commits_at_its_first_content() -> None:
    """Not at its role chunk: a failure between the two is retried."""
    run = Run(events(ROLE, ERROR), events(ROLE, TEXT, END), stream=True)
    found = await run.open()
    assert found.is_verbatim_stream
    assert b"hi" in b"".join(found.head)
    assert [outcome for _, outcome in run.outcomes][-1] == "ok"
    assert len(run.exchange.attempts) == 2


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(events(ROLE, cut=UpstreamReset("cut")), id="reset-after-role"),
        pytest.param(events(ROLE), id="closed-after-role"),
        pytest.param(events(), id="empty"),
        pytest.param(events("{not json"), id="garbage"),
        pytest.param(answer(ERROR), id="json-error"),
        pytest.param(answer(b"<!doctype html>"), id="html"),
        pytest.param(
            events(b"event: error\n" + b'data: {"error":{"message":"x"}}\n\n'), id="event"
        ),
    ],
)
async def test_a_stream_that_fails_before_content_is_retried(failure: MemoryReply) -> None:
    """The client sees the second one only."""
    run = Run(failure, events(ROLE, TEXT, END), stream=True)
    assert b"hi" in b"".join((await run.open()).head)
    assert len(run.exchange.attempts) == 2


async def test_a_whole_document_in_the_place_of_a_stream_is_an_answer() -> None:
    """Whatever its content type says."""
    run = Run(answer(WHOLE), stream=True)
    found = await run.open()
    assert found.is_stream
    assert not found.is_verbatim_stream
    assert found.events


async def test_a_stream_in_the_place_of_a_document_is_an_answer() -> None:
    """And one that broke off is not."""
    run = Run(events(ROLE, TEXT, chunk({}, "stop"), END))
    found = await run.open()
    assert found.body is None
    assert found.events
    run = Run(events(ROLE, TEXT), policy=RetryPolicy(attempts_per_candidate=1))
    with pytest.raises(UpstreamReset):
        await run.open()


async def test_the_first_token_has_a_time_limit_and_fails_over() -> None:
    """Headers alone do not count as an answer."""
    hang = events(ROLE, anyio.Event(), TEXT)
    run = Run(
        hang,
        events(ROLE, TEXT, END),
        candidates=(A, B),
        stream=True,
        timeouts=Timeouts(first_token_s=0.05),
    )
    assert (await run.open()).candidate == B
    assert run.outcomes[0] == ("a", "upstream_timeout")
    assert run.transport.replies[0].closed


async def test_the_total_time_limit_holds_for_a_whole_answer() -> None:
    """All attempts included."""
    hang = MemoryReply(200, {}, [anyio.Event()])
    run = Run(hang, timeouts=Timeouts(total_s=0.05))
    with pytest.raises(UpstreamTimeout) as caught:
        await run.open()
    assert caught.value.phase == "total"
    assert caught.value.status == 504


async def test_a_request_that_cannot_be_written_is_tried_elsewhere() -> None:
    """And is the client's error if nobody can take it."""

    def prepare(candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
        if candidate == A:
            raise RequestError("'n' cannot be expressed", param="n")
        return run.prepare(candidate, provider)

    run = Run(answer(WHOLE), candidates=(A, B))
    assert (await run.open(prepare)).candidate == B
    run = Run(answer(WHOLE), candidates=(A,))
    with pytest.raises(RequestError, match="'n'"):
        await run.open(prepare)


async def test_a_missing_key_is_our_error_and_sends_nothing() -> None:
    """Named, and 500: it is not the client who can mend it."""
    run = Run(answer(WHOLE), api_key=None)
    with pytest.raises(ConfigurationError) as caught:
        await run.open()
    assert caught.value.status == 500
    assert run.transport.requests == []


async def test_a_key_repeated_by_the_upstream_is_blotted_out() -> None:
    """An error text goes to the client, to logs and to spans."""
    told = {"error": {"message": "Incorrect API key provided: key-of-the-gateway."}}
    run = Run(answer(told, 401))
    with pytest.raises(UpstreamStatus) as caught:
        await run.open()
    assert "key-of-the-gateway" not in caught.value.message
    assert b"key-of-the-gateway" not in (caught.value.body or b"")


async def test_a_cancelled_attempt_closes_and_releases() -> None:
    """The client left: the upstream goes, the probe is free again."""
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=0))
    breakers.failed(A)
    run = Run(events(ROLE, anyio.Event()), stream=True, breakers=breakers)
    with anyio.move_on_after(0.05):
        await run.engine.open(run.exchange, run.prepare)
    assert run.transport.replies[0].closed
    assert run.outcomes == [("a", "abandoned")]
    assert breakers.wait_s(A) == 0


async def test_a_redirect_is_not_followed() -> None:
    """A key is not carried to wherever an answer points."""
    run = Run(answer(b"", 307, location="http://elsewhere"))
    with pytest.raises(UpstreamError):
        await run.open()


async def test_every_candidate_keeps_a_try() -> None:
    """Two that are down do not use up what the third was configured for."""
    c = Candidate(provider="a", model="m3")
    run = Run(*[answer(ERROR, 500)] * 5, answer(WHOLE), candidates=(A, B, c))
    assert (await run.open()).candidate == c
    assert run.outcomes[-1] == ("a", "ok")
    assert len(run.exchange.attempts) == 6


async def test_waiting_is_for_the_last_candidate() -> None:
    """A rate limit that says when to come back is a reason to go elsewhere now."""
    run = Run(answer(ERROR, 429, retry_after="2"), answer(WHOLE), candidates=(A, B))
    assert (await run.open()).candidate == B
    assert run.slept == []


async def test_streams_that_break_off_open_the_circuit() -> None:
    """A good beginning is no success."""
    breakers = Breakers(BreakerPolicy(failures=2))
    for _ in range(2):
        run = Run(events(ROLE, TEXT, END), stream=True, breakers=breakers)
        found = await run.open()
        run.engine.settle(found, UpstreamReset("cut"))
        await found.aclose()
    assert breakers.is_open(A)


def _admit(asked: list[Candidate], refused: dict[Candidate, PlanoError]) -> Admit:
    async def admit(candidate: Candidate) -> None:
        asked.append(candidate)
        if candidate in refused:
            raise refused[candidate]

    return admit


async def test_each_candidate_is_admitted_once_before_it_is_tried() -> None:
    """Not again for another try of the same."""
    asked: list[Candidate] = []
    twice = RetryPolicy(attempts_per_candidate=2)
    down = answer(ERROR, 500)
    run = Run(down, down, answer(WHOLE), candidates=(A, B), policy=twice)
    await run.open(admit=_admit(asked, {}))
    assert [provider for provider, _ in run.outcomes] == ["a", "a", "b"]
    assert asked == [A, B]


async def test_a_candidate_that_is_not_admitted_is_passed_over() -> None:
    """It is not tried, and its circuit keeps its probe."""
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=0))
    breakers.failed(A)
    run = Run(answer(WHOLE), candidates=(A, B), breakers=breakers)
    found = await run.open(admit=_admit([], {A: RateLimited("full")}))
    assert (found.candidate, run.outcomes) == (B, [("b", "ok")])
    assert breakers.wait_s(A) == 0


async def test_a_failure_is_told_where_nobody_else_is_admitted() -> None:
    """As where every other circuit is open."""
    run = Run(answer(ERROR, 500), candidates=(A, B))
    with pytest.raises(UpstreamStatus):
        await run.open(admit=_admit([], {B: RateLimited("full", retry_after_s=9.0)}))
    assert {provider for provider, _ in run.outcomes} == {"a"}


@pytest.mark.parametrize(
    ("first", "second", "told", "wait_s"),
    [
        (RateLimited("1", retry_after_s=60.0), RateLimited("2", retry_after_s=9.0), "2", 9.0),
        (RateLimited("1"), RateLimited("2", retry_after_s=9.0), "2", 9.0),
        (Forbidden("1"), RateLimited("2"), "1", None),
        (Forbidden("1"), RateLimited("2", retry_after_s=9.0), "2", 9.0),
    ],
)
async def test_of_refusals_the_one_that_ends_first_is_told(
    first: PlanoError, second: PlanoError, told: str, wait_s: float | None
) -> None:
    """What no waiting helps against comes last."""
    run = Run(answer(WHOLE), candidates=(A, B))
    with pytest.raises(PlanoError) as caught:
        await run.open(admit=_admit([], {A: first, B: second}))
    assert (str(caught.value), caught.value.retry_after_s) == (told, wait_s)
    assert run.transport.requests == []


@pytest.mark.parametrize(
    ("refused", "kind", "wait_s"),
    [
        (RateLimited("full", retry_after_s=3600.0), RateLimited, 30.0),
        (RateLimited("full", retry_after_s=3.0), RateLimited, 3.0),
        (Forbidden("never"), UpstreamUnavailable, 30.0),
    ],
)
async def test_an_open_circuit_may_be_the_sooner_one(
    refused: PlanoError, kind: type[PlanoError], wait_s: float
) -> None:
    """The client comes back when the first candidate may be tried."""
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=30.0), timer=lambda: 0.0)
    breakers.failed(A)
    run = Run(answer(WHOLE), candidates=(A, B), breakers=breakers)
    with pytest.raises(kind) as caught:
        await run.open(admit=_admit([], {B: refused}))
    assert caught.value.retry_after_s == wait_s


async def test_who_leaves_while_being_admitted_frees_the_probe() -> None:
    """Whatever the admission waits for."""
    now = [0.0]
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=30.0), timer=lambda: now[0])
    breakers.failed(A)
    now[0] = 31.0
    run = Run(answer(WHOLE), breakers=breakers)

    async def admit(candidate: Candidate) -> None:
        await anyio.Event().wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.engine.open, run.exchange, run.prepare, admit)
        await anyio.wait_all_tasks_blocked()
        assert breakers.wait_s(A) == 30.0
        tasks.cancel_scope.cancel()
    assert breakers.wait_s(A) == 0.0
    assert run.exchange.attempts == []
