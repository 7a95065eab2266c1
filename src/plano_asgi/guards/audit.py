"""The audit trail: one record for everything a guard found out, and for what it did not look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import structlog

from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards.base import Guard, Side

Status: TypeAlias = Literal["passed", "blocked", "redacted", "skipped", "error", "timeout"]
"""What ``Audit.status`` may be."""
OnAudit: TypeAlias = Callable[[Audit, Exchange], None]
"""Hears of every record, when it is made; must not block. What it raises is logged, no more."""

_LISTENERS = "guards.listeners"
_log = structlog.get_logger("plano_asgi")


def listen(exchange: Exchange, listener: OnAudit) -> None:
    """Have *listener* hear of every record made for *exchange* from now on."""
    listeners: list[OnAudit] = exchange.state.setdefault(_LISTENERS, [])
    if listener not in listeners:
        listeners.append(listener)


def record(exchange: Exchange, audit: Audit) -> None:
    """
    Append *audit* to the exchange, log it as the event ``guard`` and tell the listeners.

    A streamed answer is judged in many windows: equal findings about an answer are one record,
    which sums their latency and is told once.
    """
    if audit.side == "answer" and _merged(exchange.audits, audit):
        return
    exchange.audits.append(audit)
    # An unconfigured structlog prints whatever it is given: no library should make it chatter.
    if audit.status not in ("passed", "skipped") or structlog.is_configured():
        _write(audit, exchange.id)
    for listener in exchange.state.get(_LISTENERS, ()):
        try:
            listener(audit, exchange)
        except Exception as exc:  # an audit sink that is down does not decide over the exchange
            _log.error("audit_failed", request_id=exchange.id, error=type(exc).__name__)


def skipped(exchange: Exchange, guard: Guard, side: Side, rule: str = "") -> None:
    """Record that *guard* was not asked: it does not apply, or had nothing to judge."""
    record(
        exchange,
        Audit(
            guard=guard.name,
            side=side,
            status="skipped",
            rule=rule,
            report_only=guard.policy.report_only,
        ),
    )


_LEVELS = {
    "passed": "debug",
    "skipped": "debug",
    "redacted": "info",
    "blocked": "info",
    "error": "warning",
    "timeout": "warning",
}


def _write(audit: Audit, request_id: str) -> None:
    getattr(_log, _LEVELS[audit.status])(
        "guard",
        request_id=request_id,
        guard=audit.guard,
        side=audit.side,
        status=audit.status,
        rule=audit.rule,
        score=audit.score,
        latency_s=round(audit.latency_s, 6),
        report_only=audit.report_only,
    )


def _merged(audits: list[Audit], audit: Audit) -> bool:
    for index, known in enumerate(audits):
        if _finding(known) == _finding(audit):
            scores = [score for score in (known.score, audit.score) if score is not None]
            audits[index] = replace(
                known,
                latency_s=known.latency_s + audit.latency_s,
                score=max(scores, default=None),
            )
            return True
    return False


def _finding(audit: Audit) -> tuple[object, ...]:
    return audit.guard, audit.side, audit.status, audit.rule, audit.report_only
