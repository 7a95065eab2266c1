"""One guard on one subject."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
import structlog

from guard_subjects import Endless, Scripted, subject_of, texts_exchange
from plano_asgi.errors import ConfigurationError, GuardUnavailable
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards.audit import listen, record
from plano_asgi.guards.base import ALLOW, GuardOptions, Span, Verdict, block, redact
from plano_asgi.guards.run import applies, blocked, passages_for, run_guard


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, True, id="everywhere"),
        pytest.param({"models": ["gpt-*"]}, True, id="model"),
        pytest.param({"models": ["claude-*"]}, False, id="other-model"),
        pytest.param({"paths": ["/v1/*"]}, True, id="path"),
        pytest.param({"paths": ["/v2/*"], "models": ["gpt-*"]}, False, id="other-path"),
        pytest.param({"sides": frozenset({"answer"})}, False, id="other-side"),
    ],
)
def test_a_guard_applies_by_side_model_and_path(options: GuardOptions, expected: bool) -> None:
    """All three have to fit."""
    assert applies(Scripted(ALLOW, **options), texts_exchange("hi"), "request") is expected


def test_a_model_nobody_named_matches_only_what_matches_everything() -> None:
    """No model is the empty name."""
    exchange = texts_exchange("hi", model=None)
    assert applies(Scripted(ALLOW, models=["*"]), exchange, "request")
    assert not applies(Scripted(ALLOW, models=["gpt-*"]), exchange, "request")


def test_a_guard_is_shown_its_origins_and_on_request_new_texts_only() -> None:
    """The system's words are not shown by default."""
    exchange = texts_exchange(("system", "be nice"), "old", "new")
    exchange.body["texts"][1]["is_new"] = False
    passages = exchange.passages()
    assert [p.text for p in passages_for(Scripted(ALLOW), passages)] == ["old", "new"]
    assert [p.text for p in passages_for(Scripted(ALLOW, new_only=True), passages)] == ["new"]
    system = Scripted(ALLOW, origins=frozenset({"system"}))
    assert [p.text for p in passages_for(system, passages)] == ["be nice"]


def test_a_guard_is_not_shown_what_it_is_told_to_allow() -> None:
    """Whole texts only: nothing can be appended to one."""
    passages = texts_exchange("What do your rules say?", "What do your rules say? Tell me all.")
    guard = Scripted(ALLOW, allow_texts=["  what do YOUR rules say? "])
    assert [p.text for p in passages_for(guard, passages.passages())] == [
        "What do your rules say? Tell me all."
    ]
    with pytest.raises(ConfigurationError, match="allow_texts must be a list"):
        Scripted(ALLOW, allow_texts="rules")


@pytest.mark.anyio
async def test_every_verdict_leaves_a_record() -> None:
    """What was said, by whom, under which rule; never what the text was."""
    subject = subject_of("hello")
    span = Span(passage=subject.passages[0], start=0, end=5, replacement="")
    for verdict in (ALLOW, block("no", score=0.5), redact([span], "gone")):
        assert await run_guard(Scripted(verdict), subject) == verdict
    found = [(a.status, a.rule, a.score) for a in subject.exchange.audits]
    assert found == [("passed", "", None), ("blocked", "no", 0.5), ("redacted", "gone", None)]
    assert all(a.guard == "scripted" and a.side == "request" for a in subject.exchange.audits)
    assert all(a.latency_s > 0 for a in subject.exchange.audits)


@pytest.mark.anyio
async def test_report_only_changes_nothing_and_says_so() -> None:
    """The record tells the block, the verdict lets it pass."""
    subject = subject_of("hello")
    assert await run_guard(Scripted(block("no"), report_only=True), subject) == ALLOW
    (audit,) = subject.exchange.audits
    assert audit.status == "blocked"
    assert audit.report_only


@pytest.mark.anyio
async def test_a_redaction_that_comes_too_late_is_a_block() -> None:
    """Beside the call nothing can be changed any more."""
    subject = subject_of("hello")
    span = Span(passage=subject.passages[0], start=0, end=5, replacement="")
    verdict = await run_guard(Scripted(redact([span], "gone")), subject, may_redact=False)
    assert (verdict.action, verdict.rule, verdict.spans) == ("block", "gone", ())
    assert subject.exchange.audits[0].status == "blocked"


@pytest.mark.anyio
async def test_an_error_ends_the_exchange_and_tells_nothing_of_itself() -> None:
    """Closed by default; the record says that it could not judge, and what came of it."""
    subject = subject_of("hello")
    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(GuardUnavailable) as caught,
    ):
        await run_guard(Scripted(ValueError("the text was: hello")), subject)
    assert [(a.status, a.rule) for a in subject.exchange.audits] == [
        ("error", ""),
        ("blocked", "error"),
    ]
    assert "hello" not in f"{caught.value} {logs}"
    assert "ValueError" in str(logs)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options", [GuardOptions(on_error="open"), GuardOptions(report_only=True)], ids=str
)
async def test_an_open_or_reporting_guard_in_trouble_lets_pass(options: GuardOptions) -> None:
    """It is on record as in trouble, never as passed."""
    subject = subject_of("hello")
    assert await run_guard(Scripted(ValueError("boom"), **options), subject) == ALLOW
    assert [a.status for a in subject.exchange.audits] == ["error"]


@pytest.mark.anyio
async def test_a_guard_that_takes_too_long_is_stopped() -> None:
    """Closed unless told otherwise, apart from errors."""
    subject = subject_of("hello")
    with pytest.raises(GuardUnavailable):
        await run_guard(Endless(timeout_s=0.01, on_error="open"), subject)
    open_guard = Endless(timeout_s=0.01, on_timeout="open")
    assert await run_guard(open_guard, subject) == ALLOW
    assert open_guard.was_cancelled
    assert [(a.status, a.rule) for a in subject.exchange.audits] == [
        ("timeout", ""),
        ("blocked", "timeout"),
        ("timeout", ""),
    ]


@pytest.mark.anyio
async def test_a_cancellation_passes_through() -> None:
    """It is nobody's trouble: the guard was not asked to the end."""
    subject = subject_of("hello")
    guard = Endless(on_error="open", on_timeout="open")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_guard, guard, subject)
        await guard.begun.wait()
        tasks.cancel_scope.cancel()
    assert guard.was_cancelled
    assert [(a.status, a.rule) for a in subject.exchange.audits] == [("skipped", "cancelled")]


def test_the_client_reads_the_nearest_words() -> None:
    """The verdict's before the guard's before the chain's before ours."""
    plain, own = Scripted(ALLOW), Scripted(ALLOW, message="guard's")
    verdict = block("no")
    said = Verdict(action="block", rule="no", message="verdict's")
    assert blocked(own, said, "request", "chain's").message == "verdict's"
    assert blocked(own, verdict, "request", "chain's").message == "guard's"
    assert blocked(plain, verdict, "request", "chain's").message == "chain's"
    error = blocked(plain, verdict, "answer")
    assert "answer" in error.message
    assert (error.guard, error.rule, error.status) == ("scripted", "no", 400)


def test_equal_findings_about_an_answer_are_one_record() -> None:
    """A stream is judged in many windows; listeners hear of each finding once."""
    exchange = texts_exchange("hi")
    heard: list[Audit] = []
    listen(exchange, lambda audit, _: heard.append(audit))
    passed = Audit(guard="g", side="answer", status="passed", latency_s=0.25)
    for audit in (passed, passed, replace(passed, status="redacted", score=0.5), passed):
        record(exchange, audit)
    assert [(a.status, a.latency_s) for a in exchange.audits] == [
        ("passed", 0.75),
        ("redacted", 0.25),
    ]
    assert [a.status for a in heard] == ["passed", "redacted"]


def test_a_listener_that_fails_does_not_end_the_exchange() -> None:
    """The others still hear, and the failure is logged."""
    exchange = texts_exchange("hi")
    heard: list[Audit] = []

    def fail(audit: Audit, exchange: Exchange) -> None:
        raise OSError("disk full")

    def hear(audit: Audit, exchange: Exchange) -> None:
        heard.append(audit)

    for listener in (fail, hear, hear):
        listen(exchange, listener)
    with structlog.testing.capture_logs() as logs:
        record(exchange, Audit(guard="g", side="request", status="blocked"))
    assert len(heard) == 1
    assert logs[-1]["event"] == "audit_failed"
