"""Guards in a chain, as one step of an exchange."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from guard_subjects import Endless, Scripted, texts_exchange
from plano_asgi.errors import ConfigurationError, ContentBlocked, GuardUnavailable
from plano_asgi.exchange import AnswerInstead, AnswerStopped, Audit, Exchange, ResponseFilter
from plano_asgi.guards.answer import AnswerFilter
from plano_asgi.guards.base import (
    ALLOW,
    Guard,
    GuardOptions,
    Side,
    Span,
    Subject,
    Verdict,
    block,
    redact,
)
from plano_asgi.guards.chain import GuardChain

BOTH: frozenset[Side] = frozenset(("request", "answer"))
ANSWER: frozenset[Side] = frozenset(("answer",))


class Replaces(Guard):
    """Puts one word in the place of another."""

    name = "replaces"
    changes = True

    def __init__(self, old: str, new: str, **options: Any) -> None:
        super().__init__(**options)
        self.old, self.new = old, new

    async def check(self, subject: Subject, /) -> Verdict:
        """Its first place in each passage."""
        return redact(
            [
                Span(passage=p, start=at, end=at + len(self.old), replacement=self.new)
                for p in subject.passages
                if (at := p.text.find(self.old)) >= 0
            ],
            "replaced",
        )


class Unmasks(Guard):
    """Has a response-side step of its own."""

    async def check(self, subject: Subject, /) -> Verdict:
        """Nothing to say."""
        return ALLOW

    def answer_filter(self, exchange: Exchange, /) -> ResponseFilter:
        """One for each exchange."""
        return ResponseFilter()


def _statuses(exchange: Exchange) -> list[tuple[str, str]]:
    return [(audit.guard, audit.status) for audit in exchange.audits]


@pytest.mark.anyio
async def test_those_that_change_run_first_and_in_order() -> None:
    """Those that judge see what is left; the body is changed in place."""
    judge = Scripted(ALLOW)
    exchange = texts_exchange("my cat", "a dog")
    await GuardChain([judge, Replaces("cat", "dog"), Replaces("dog", "cow")])(exchange)
    assert [item["text"] for item in exchange.body["texts"]] == ["my cow", "a cow"]
    assert judge.seen == [["my cow", "a cow"]]
    assert exchange.is_changed


@pytest.mark.anyio
async def test_nothing_found_leaves_the_body_alone() -> None:
    """The client's bytes are relayed; nothing waits on the answer."""
    exchange = texts_exchange("hello")
    await GuardChain([Replaces("cat", "dog"), Scripted(ALLOW)])(exchange)
    assert not exchange.is_changed
    assert exchange.response_filters == []
    assert exchange.beside == []
    assert _statuses(exchange) == [("replaces", "passed"), ("scripted", "passed")]


@pytest.mark.anyio
async def test_judges_that_redact_do_so_together() -> None:
    """What several of them cover goes once."""

    class Covers(Scripted):
        async def check(self, subject: Subject, /) -> Verdict:
            span = Span(passage=subject.passages[0], start=0, end=len(self.name), replacement="*")
            return redact([span], "covered")

    exchange = texts_exchange("abcdef")
    await GuardChain([Covers(ALLOW, name="abc"), Covers(ALLOW, name="abcd")])(exchange)
    assert exchange.body["texts"][0]["text"] == "*ef"


@pytest.mark.anyio
async def test_judges_run_at_once_and_the_first_block_cancels_the_rest() -> None:
    """A slow one does not delay the block; it is on record as not asked to the end."""
    slow = Endless()

    class AfterBegun(Scripted):
        async def check(self, subject: Subject, /) -> Verdict:
            await slow.begun.wait()
            return block("no")

    exchange = texts_exchange("hello")
    with anyio.fail_after(5), pytest.raises(ContentBlocked) as caught:
        await GuardChain([slow, AfterBegun(ALLOW, name="quick")])(exchange)
    assert (caught.value.guard, caught.value.rule) == ("quick", "no")
    assert slow.was_cancelled
    assert sorted(_statuses(exchange)) == [("endless", "skipped"), ("quick", "blocked")]


@pytest.mark.anyio
async def test_a_guard_in_trouble_ends_the_exchange_and_the_rest() -> None:
    """Nothing passes unjudged."""
    slow = Endless()
    exchange = texts_exchange("hello")
    with anyio.fail_after(5), pytest.raises(GuardUnavailable):
        await GuardChain([slow, Scripted(ValueError("boom"))])(exchange)
    assert {("scripted", "error"), ("scripted", "blocked")} <= set(_statuses(exchange))


@pytest.mark.anyio
async def test_quick_judges_come_before_those_that_wait() -> None:
    """In turn: a block by one spares the others the question."""
    slow = Scripted(ALLOW, name="slow")
    quick = [Scripted(verdict, name=f"quick{i}") for i, verdict in enumerate((ALLOW, block("no")))]
    for guard in quick:
        guard.is_quick = True
    exchange = texts_exchange("hi")
    with pytest.raises(ContentBlocked):
        await GuardChain([slow, *quick])(exchange)
    assert slow.seen == []
    assert _statuses(exchange) == [
        ("quick0", "passed"),
        ("quick1", "blocked"),
        ("slow", "skipped"),
    ]


@pytest.mark.parametrize(
    ("options", "chain", "expected"),
    [
        ({}, {}, "This request was blocked by a content policy."),
        ({}, {"message": "chain's"}, "chain's"),
        ({"message": "guard's"}, {"message": "chain's"}, "guard's"),
    ],
    ids=["ours", "chain", "guard"],
)
@pytest.mark.anyio
async def test_a_block_is_an_error_or_an_answer(
    options: GuardOptions, chain: dict[str, Any], expected: str
) -> None:
    """As the chain says; the words are the nearest ones."""
    with pytest.raises(ContentBlocked) as error:
        await GuardChain([Scripted(block("no"), **options)], **chain)(texts_exchange("hi"))
    assert error.value.message == expected
    with pytest.raises(AnswerInstead) as answer:
        await GuardChain([Scripted(block("no"), **options)], on_block="answer", **chain)(
            texts_exchange("hi")
        )
    assert (answer.value.text, answer.value.reason) == (expected, "content_filter")


@pytest.mark.anyio
async def test_a_guard_that_could_not_judge_is_an_error_in_any_case() -> None:
    """A refusal answer would be a verdict."""
    with pytest.raises(GuardUnavailable):
        await GuardChain([Scripted(ValueError("boom"))], on_block="answer")(texts_exchange("hi"))


@pytest.mark.anyio
async def test_after_a_block_nobody_else_is_asked_and_everybody_is_on_record() -> None:
    """Every guard leaves a record."""
    beside, judge = Scripted(ALLOW, name="beside", stage="beside"), Scripted(ALLOW, name="judge")
    first = Scripted(block("no"), name="first")
    first.changes = True
    exchange = texts_exchange("hi")
    with pytest.raises(ContentBlocked):
        await GuardChain([beside, judge, first])(exchange)
    assert judge.seen == beside.seen == []
    assert _statuses(exchange) == [
        ("first", "blocked"),
        ("judge", "skipped"),
        ("beside", "skipped"),
    ]


@pytest.mark.anyio
async def test_beside_guards_wait_until_they_are_run() -> None:
    """One call for all of them; they see the request as it was changed."""
    guards = [Scripted(ALLOW, name=name, stage="beside") for name in ("one", "two")]
    exchange = texts_exchange("my cat")
    await GuardChain([*guards, Replaces("cat", "dog")])(exchange)
    assert guards[0].seen == []
    (check,) = exchange.beside
    await check()
    assert [guard.seen for guard in guards] == [[["my dog"]], [["my dog"]]]


@pytest.mark.parametrize("on_block", ["error", "answer"])
@pytest.mark.anyio
async def test_a_block_beside_the_call_stops_the_answer(on_block: Any) -> None:
    """In the form that the chain blocks in."""
    exchange = texts_exchange("hi")
    guard = Scripted(block("no"), stage="beside")
    await GuardChain([guard], on_block=on_block, message="No.")(exchange)
    with pytest.raises(AnswerStopped) as caught:
        await exchange.beside[0]()
    assert isinstance(caught.value.error, ContentBlocked)
    assert caught.value.as_answer is (on_block == "answer")
    assert caught.value.text == "No."


@pytest.mark.anyio
async def test_what_cannot_be_redacted_or_judged_beside_the_call_stops_it() -> None:
    """The request is on its way already."""
    exchange = texts_exchange("hi")
    span = Span(passage=exchange.passages()[0], start=0, end=1, replacement="")
    chain = GuardChain(
        [
            Scripted(redact([span], "late"), stage="beside", paths=["/v1/*"]),
            Scripted(ALLOW, stage="beside"),
        ]
    )
    await chain(exchange)
    with pytest.raises(AnswerStopped) as caught:
        await exchange.beside[0]()
    assert isinstance(caught.value.error, ContentBlocked)

    exchange = texts_exchange("hi")
    await GuardChain([Scripted(ValueError("boom"), stage="beside")])(exchange)
    with pytest.raises(AnswerStopped) as caught:
        await exchange.beside[0]()
    assert isinstance(caught.value.error, GuardUnavailable)
    assert caught.value.reason == "error"


@pytest.mark.anyio
async def test_a_guard_runs_once_on_an_exchange() -> None:
    """In front of the app and in the gateway: the same objects, one run."""
    shared, own = Scripted(ALLOW, sides=BOTH), Scripted(ALLOW, name="own")
    exchange = texts_exchange("hi")
    for guards in ([shared], [shared, own], [shared]):
        await GuardChain(guards)(exchange)
    assert shared.seen == own.seen == [["hi"]]
    assert len(exchange.response_filters) == 1
    other = texts_exchange("hi")
    await GuardChain([shared])(other)
    assert len(shared.seen) == 2


@pytest.mark.anyio
async def test_answer_guards_share_one_filter_and_own_filters_come_after() -> None:
    """A guard of the other side is nothing to the answer."""
    exchange = texts_exchange("hi")
    guards = [Unmasks(), Scripted(ALLOW, sides=BOTH), Scripted(ALLOW, sides=ANSWER)]
    await GuardChain(guards)(exchange)
    first, second = exchange.response_filters
    assert isinstance(first, AnswerFilter)
    assert type(second) is ResponseFilter


@pytest.mark.anyio
async def test_a_guard_that_does_not_apply_is_on_record_as_skipped() -> None:
    """On each of its sides; and one that has nothing to judge."""
    exchange = texts_exchange(("system", "be nice"))
    guards = [Scripted(block("no"), models=["claude-*"], sides=BOTH), Scripted(block("no"))]
    await GuardChain(guards)(exchange)
    assert [(a.side, a.status, a.rule) for a in exchange.audits] == [
        ("request", "skipped", ""),
        ("request", "skipped", "no_text"),
        ("answer", "skipped", ""),
    ]
    assert exchange.response_filters == []


@pytest.mark.anyio
async def test_every_record_is_told_to_the_listener() -> None:
    """As it is made, with the exchange it belongs to."""
    heard: list[tuple[str, str]] = []

    def hear(audit: Audit, exchange: Exchange) -> None:
        heard.append((exchange.id, audit.status))

    chain = GuardChain([Scripted(ALLOW), Scripted(ALLOW, report_only=True)], on_audit=hear)
    await chain(texts_exchange("hi"))
    assert heard == [("req_1", "passed"), ("req_1", "passed")]


@pytest.mark.anyio
async def test_a_chain_of_nothing_does_nothing() -> None:
    """And a request without texts asks nobody."""
    exchange = texts_exchange("hi")
    await GuardChain([])(exchange)
    assert exchange.audits == []
    exchange = texts_exchange("hi", layout=None)
    await GuardChain([Scripted(block("no"))])(exchange)
    assert _statuses(exchange) == [("scripted", "skipped")]


@pytest.mark.anyio
async def test_exchanges_at_once_do_not_mix() -> None:
    """One chain, many exchanges in flight: each is blocked for its own text."""
    arrived: list[str] = []
    all_there = anyio.Event()

    class BlocksOdd(Guard):
        async def check(self, subject: Subject, /) -> Verdict:
            arrived.append(subject.text)
            if len(arrived) == 50:
                all_there.set()
            await all_there.wait()
            return block(subject.text) if int(subject.text) % 2 else ALLOW

    chain = GuardChain([BlocksOdd(timeout_s=60)])
    outcome: dict[int, str] = {}

    async def run(number: int) -> None:
        try:
            await chain(texts_exchange(str(number)))
        except ContentBlocked as exc:
            outcome[number] = exc.rule
        else:
            outcome[number] = "passed"

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(run, number)
    assert outcome == {n: str(n) if n % 2 else "passed" for n in range(50)}


def test_a_chain_that_cannot_work_is_not_built() -> None:
    """Said at construction."""
    with pytest.raises(ConfigurationError, match="beside"):
        GuardChain([Replaces("a", "b", stage="beside")])
    with pytest.raises(ConfigurationError, match="takes guards"):
        GuardChain([print])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="on_block"):
        GuardChain([], on_block="shout")  # type: ignore[arg-type]
