"""What an exchange says of the steps around its call: pure functions of one ``Reading``."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi.telemetry.points import Labels
from plano_asgi.telemetry.reading import NOTHING, Observations, Reading

FACTS = frozenset(
    {
        *("memory_hits", "memory_store", "cache", "limit"),
        *("route_outcome", "route_latency_s", "switch_decision"),
        *("session_store", "session_pinned", "session_switched", "session_skipped"),
    }
)
"""Those of ``Exchange.facts`` that something below reads; most exchanges have none of them."""


def guard_verdicts(reading: Reading) -> Observations:
    """One for each guard and side; what a report-only guard found is ``reported``."""
    return [
        (
            (
                reading.book.guard(audit.guard),
                audit.side,
                "reported"
                if audit.report_only and audit.status in ("blocked", "redacted")
                else audit.status,
            ),
            1,
        )
        for audit in reading.exchange.audits
    ]


def guard_duration(reading: Reading) -> Observations:
    """One for each guard and side that judged."""
    return [
        ((reading.book.guard(audit.guard), audit.side), audit.latency_s)
        for audit in reading.exchange.audits
        if audit.status != "skipped"
    ]


def _fact(reading: Reading, name: str) -> str:
    return str(reading.exchange.facts.get(name, ""))


def memories(reading: Reading) -> Observations:
    """How many were recalled."""
    hits = reading.exchange.facts.get("memory_hits")
    return (((), float(hits)),) if isinstance(hits, int | float) else NOTHING


def recalls(reading: Reading) -> Observations:
    """Whether anything was."""
    hits = reading.exchange.facts.get("memory_hits")
    store = _fact(reading, "memory_store")
    outcome = store if hits is None or store == "error" else "hit" if hits else "miss"
    return (((outcome,), 1),) if outcome else NOTHING


def cache_lookups(reading: Reading) -> Observations:
    """Where the response cache was asked."""
    outcome = _fact(reading, "cache")
    return (((outcome,), 1),) if outcome else NOTHING


def route_decisions(reading: Reading) -> Observations:
    """Where a router was asked; an earlier decision that was kept is none."""
    if not (outcome := _fact(reading, "route_outcome")):
        return NOTHING
    book = reading.book
    name, selector = _fact(reading, "route_name"), _fact(reading, "route_selector")
    return (((book.route(name), outcome, book.selector(selector)), 1),)


def route_duration(reading: Reading) -> Observations:
    """Where a router was asked."""
    seconds = reading.exchange.facts.get("route_latency_s")
    if not isinstance(seconds, int | float):
        return NOTHING
    return (((reading.book.selector(_fact(reading, "route_selector")),), float(seconds)),)


_SESSION_EVENTS: Sequence[tuple[str, str]] = (
    ("session_pinned", "pinned"),
    ("session_switched", "switched"),
    ("session_skipped", "routing_skipped"),
)


def session_events(reading: Reading) -> Observations:
    """What the session's store said, and what was made of it."""
    facts = reading.exchange.facts
    found: list[tuple[Labels, float]] = []
    if store := facts.get("session_store"):
        found.append(((f"store_{store}",), 1))
    found += [((event,), 1) for fact, event in _SESSION_EVENTS if facts.get(fact)]
    return found


def switch_decisions(reading: Reading) -> Observations:
    """Of warm sessions."""
    decision = _fact(reading, "switch_decision")
    return (((decision,), 1),) if decision else NOTHING


def limit_rejections(reading: Reading) -> Observations:
    """By the limit or budget that refused."""
    limit = _fact(reading, "limit")
    return (((reading.book.limit(limit),), 1),) if limit else NOTHING


def conversations(reading: Reading) -> Observations:
    """By quality, as it was after this answer."""
    report = reading.outcome.signals
    return (((report.quality,), 1),) if report is not None else NOTHING


def signals(reading: Reading) -> Observations:
    """By category, as they were after this answer; a client's next turn counts them again."""
    report = reading.outcome.signals
    if report is None:
        return NOTHING
    book = reading.book
    return [
        ((book.category(group.category),), group.count)
        for group in report.groups.values()
        if group.count
    ]
