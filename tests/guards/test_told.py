"""Guards on a stream and their watcher: of all that one finds, the heaviest, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from guard_subjects import Scripted, texts_exchange
from plano_asgi.activities import Activity
from plano_asgi.guards.audit import Status
from plano_asgi.guards.base import ALLOW
from plano_asgi.guards.told import ToldGuards


class Hears:
    """A watcher that keeps what has ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[tuple[dict[str, Any], str]] = []

    def begin(self, activity: Activity) -> None:
        self.begun += 1

    def leave(self, activity: Activity) -> None: ...

    def end(self, activity: Activity) -> None:
        facts = {key: value for key, value in activity.facts.items() if value is not None}
        self.ended.append((facts, str(activity.error or "")))

    def headers(self, activity: Activity | None) -> Mapping[str, str]:
        return {}


def watched() -> tuple[Hears, ToldGuards]:
    """Somebody, and the guards that he watches."""
    hears = Hears()
    return hears, ToldGuards(texts_exchange("hi", watcher=hears))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (["passed", "passed"], "passed"),
        (["redacted", "passed"], "redacted"),
        (["passed", "skipped"], "skipped"),
        (["error", "redacted"], "error"),
        (["error", "blocked"], "blocked"),
        (["redacted", "timeout", "passed"], "timeout"),
    ],
)
def test_the_heaviest_finding_is_told(found: list[Status], told: Status) -> None:
    """With its rule and its score; all windows are one activity."""
    hears, guards = watched()
    guard = Scripted(ALLOW)
    guards.begin(guard)
    for number, status in enumerate(found):
        guards.note(guard, status, f"{status}-rule", number / 10)
    guards.close(is_cut=False)
    ((facts, error),) = hears.ended
    assert (facts["status"], facts["rule"], error) == (told, f"{told}-rule", "")
    assert (facts["side"], hears.begun) == ("answer", 1)


def test_what_finds_nothing_is_told_only_once_it_has_begun() -> None:
    """A guard that looked on in passing is not."""
    hears, guards = watched()
    guards.note(Scripted(ALLOW), "passed")
    guards.end(Scripted(ALLOW))
    guards.close(is_cut=True)
    assert (hears.begun, hears.ended) == (0, [])


def test_who_ended_the_answer_was_not_cancelled() -> None:
    """The others were."""
    hears, guards = watched()
    first, second = Scripted(ALLOW, name="first"), Scripted(ALLOW, name="second")
    guards.begin(second)
    guards.note(first, "blocked", "no")
    guards.end(first)
    guards.close(is_cut=True)
    assert [(facts.get("status"), error) for facts, error in hears.ended] == [
        ("blocked", ""),
        (None, "cancelled"),
    ]
