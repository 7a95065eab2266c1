"""
Running guards: what one applies to, its time limit, its troubles, its record; several at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Literal, TypeAlias

import anyio
import structlog

from plano_asgi.asgi.deadline import time_limit
from plano_asgi.errors import ContentBlocked, GuardUnavailable, PlanoError
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards.audit import Status, record
from plano_asgi.guards.base import ALLOW, Guard, Side, Subject, Verdict, plain
from plano_asgi.guards.told import ToldGuards, told
from plano_asgi.passages import Passage

_Note: TypeAlias = Callable[[Status, str, float | None], None]
"""Hears the status, the rule and the score, as they go on record."""
_log = structlog.get_logger("plano_asgi")

BLOCKED_MESSAGE = {
    "request": "This request was blocked by a content policy.",
    "answer": "This answer was blocked by a content policy.",
}
"""What the client reads where neither verdict, guard nor chain says something else."""

_STATUS: dict[str, Literal["passed", "blocked", "redacted"]] = {
    "allow": "passed",
    "block": "blocked",
    "redact": "redacted",
}


def applies(guard: Guard, exchange: Exchange, side: Side) -> bool:
    """
    Whether *guard* judges *side* of *exchange*: its sides, models and paths. However a client
    spells a model that a gateway serves, or a known API's path, it is that model and that path.
    """
    policy = guard.policy
    return (
        side in policy.sides
        and (not policy.models or _any_match(policy.models, _models(exchange)))
        and (not policy.paths or _any_match(policy.paths, _paths(exchange)))
    )


def passages_for(guard: Guard, passages: Iterable[Passage]) -> list[Passage]:
    """
    Those of *passages* that *guard* is shown: of its origins, new ones only if it says so, and none
    that it is told to allow.
    """
    policy = guard.policy
    origins, all_turns, allowed = policy.origins, not policy.new_only, policy.allow_texts
    return [
        passage
        for passage in passages
        if passage.origin in origins
        and (all_turns or passage.is_new)
        and not (allowed and plain(passage.text) in allowed)
    ]


async def run_guard(
    guard: Guard,
    subject: Subject,
    *,
    may_redact: bool = True,
    stream: ToldGuards | None = None,
) -> Verdict:
    """
    Ask *guard*, within its time limit, and record what came of it.

    Args:
        guard: Whatever it raises counts as "error"; its text is not logged, it may hold content.
        subject: What it judges.
        may_redact: Whether a redaction can still be made. Where it cannot, it is a block.
        stream: Who tells of the stream that *subject* is a window of. Without one, this is an
            activity of its own.

    Returns:
        What is to be done. ``ALLOW`` for ``report_only`` guards, and for a guard in trouble whose
        ``on_error`` or ``on_timeout`` is "open".

    Raises:
        GuardUnavailable: It could not judge, and is "closed".
    """
    exchange = subject.exchange
    if exchange.watcher is None:
        return await _judged(guard, subject, may_redact, _untold)
    if stream is not None:
        return await _judged_in(stream, guard, subject, may_redact)
    with exchange.doing("guard", guard.name, side=subject.side) as activity:

        def note(status: Status, rule: str, score: float | None) -> None:
            activity.note(**told(guard, status, rule, score))

        return await _judged(guard, subject, may_redact, note)


async def _judged_in(
    stream: ToldGuards, guard: Guard, subject: Subject, may_redact: bool
) -> Verdict:
    try:
        verdict = await _judged(guard, subject, may_redact, partial(stream.note, guard))
    except PlanoError as exc:
        stream.end(guard, exc)
        raise
    if verdict.action == "block":
        stream.end(guard)
    return verdict


def _untold(status: Status, rule: str, score: float | None) -> None:
    """Nobody watches."""


async def _judged(guard: Guard, subject: Subject, may_redact: bool, note: _Note) -> Verdict:
    started = time.perf_counter()
    try:
        with time_limit(guard.policy.timeout_s):
            verdict = await guard.check(subject)
    except TimeoutError as exc:
        return _trouble(guard, subject, "timeout", started, exc, note)
    except Exception as exc:  # unable to judge, whatever the reason: on_error says what follows
        return _trouble(guard, subject, "error", started, exc, note)
    except anyio.get_cancelled_exc_class():
        _record(guard, subject, "skipped", started, note, rule="cancelled")
        raise
    if verdict.action == "redact" and not may_redact:
        verdict = replace(verdict, action="block", spans=())
    status = _STATUS[verdict.action]
    _record(guard, subject, status, started, note, rule=verdict.rule, score=verdict.score)
    return ALLOW if guard.policy.report_only else verdict


async def ask_all(
    subjects: Sequence[tuple[Guard, Subject]],
    message: str | None,
    *,
    may_redact: bool = True,
    stream: ToldGuards | None = None,
) -> list[Verdict]:
    """
    Ask several guards at once; their verdicts ("allow" or "redact"), in the order of the guards.

    Args:
        subjects: Each guard and what it judges.
        message: See ``blocked``.
        may_redact, stream: See ``run_guard``.

    Raises:
        ContentBlocked: At the first block; the others are cancelled.
        GuardUnavailable: At the first that cannot judge and is closed; the others are cancelled.
    """
    if len(subjects) == 1 and (stream is None or subjects[0][0].is_quick):
        return [await _passed(*subjects[0], message, may_redact, stream)]
    verdicts: dict[int, Verdict] = {}
    failures: list[PlanoError] = []
    # A scope each: what is cancelled with its task group is left to the garbage collector.
    scopes = [anyio.CancelScope() for _ in subjects]

    async def ask(index: int) -> None:
        with scopes[index]:
            try:
                verdicts[index] = await _passed(*subjects[index], message, may_redact, stream)
            except PlanoError as exc:  # kept out of the task group, which would wrap it in a group
                failures.append(exc)
                for scope in scopes:
                    scope.cancel()

    if subjects:
        async with anyio.create_task_group() as tasks:
            for index, (guard, _) in enumerate(subjects):
                if stream is None or guard.is_quick:
                    tasks.start_soon(ask, index)
                else:
                    stream.begin(guard).run(tasks.start_soon, ask, index)
    if failures:
        try:
            raise failures[0]
        finally:
            failures.clear()  # its traceback leads here: it would hold itself
    return [verdicts[index] for index in range(len(subjects))]


def blocked(
    guard: Guard, verdict: Verdict, side: Side, message: str | None = None
) -> ContentBlocked:
    """The error for a "block" of *guard*; its words: the verdict's, the guard's, else *message*."""
    words = verdict.message or guard.policy.message or message or BLOCKED_MESSAGE[side]
    return ContentBlocked(words, guard=guard.name, rule=verdict.rule)


async def _passed(
    guard: Guard,
    subject: Subject,
    message: str | None,
    may_redact: bool,
    stream: ToldGuards | None,
) -> Verdict:
    verdict = await run_guard(guard, subject, may_redact=may_redact, stream=stream)
    if verdict.action == "block":
        raise blocked(guard, verdict, subject.side, message)
    return verdict


def unable(guard: Guard, exchange: Exchange, side: Side, *, rule: str) -> None:
    """
    Put on record that *guard* could not judge one side of *exchange*, for the reason *rule*.

    Raises:
        GuardUnavailable: It is "closed".
    """

    with exchange.doing("guard", guard.name, side=side) as activity:

        def note(status: Literal["error", "blocked"]) -> None:
            activity.note(**told(guard, status, rule, None))
            audit = Audit(
                guard=guard.name,
                side=side,
                status=status,
                rule=rule,
                report_only=guard.policy.report_only,
            )
            record(exchange, audit)

        note("error")
        if guard.policy.on_error == "closed" and not guard.policy.report_only:
            note("blocked")
            raise GuardUnavailable(
                "The content could not be checked, and nothing passes unchecked."
            )


def _trouble(
    guard: Guard,
    subject: Subject,
    status: Literal["error", "timeout"],
    started: float,
    exc: Exception,
    note: _Note,
) -> Verdict:
    policy = guard.policy
    _record(guard, subject, status, started, note)
    _log.warning(
        "guard_in_trouble",
        request_id=subject.exchange.id,
        guard=guard.name,
        error=type(exc).__name__,
    )
    on_trouble = policy.on_timeout if status == "timeout" else policy.on_error
    if on_trouble == "open" or policy.report_only:
        return ALLOW
    _record(guard, subject, "blocked", started, note, rule=status)
    raise GuardUnavailable("The content could not be checked, and nothing passes unchecked.")


def _record(
    guard: Guard,
    subject: Subject,
    status: Status,
    started: float,
    note: _Note,
    *,
    rule: str = "",
    score: float | None = None,
) -> None:
    note(status, rule, score)
    record(
        subject.exchange,
        Audit(
            guard=guard.name,
            side=subject.side,
            status=status,
            rule=rule,
            score=score,
            latency_s=time.perf_counter() - started,
            report_only=guard.policy.report_only,
        ),
    )


_CHAT_PATHS = {
    "openai.chat": "/chat/completions",
    "anthropic.messages": "/messages",
    "openai.responses": "/responses",
}


def _models(exchange: Exchange) -> tuple[str, ...]:
    return (exchange.model or "", *exchange.meant_models)


def _paths(exchange: Exchange) -> tuple[str, ...]:
    api = exchange.operation
    if api == "chat":
        api = _CHAT_PATHS.get(exchange.dialect, "")
    known = (api, f"/v1{api}") if api.startswith("/") else ()
    return (exchange.path, exchange.path.rstrip("/"), *known)


def _any_match(patterns: Sequence[str], values: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns for value in values)
