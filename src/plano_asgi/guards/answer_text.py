"""What guards do to one running text of an answer: redact it, watch it, or judge it in windows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from plano_asgi.errors import GuardUnavailable
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards.audit import record
from plano_asgi.guards.base import Guard, Span, block
from plano_asgi.guards.holdback import Holdback, MatchFound
from plano_asgi.guards.json_text import JSONHoldback
from plano_asgi.guards.judging import judge_answer
from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.redaction import spanned
from plano_asgi.guards.run import blocked
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.guards.told import ToldGuards
from plano_asgi.passages import Channel, Passage

_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True, eq=False)
class Finder:
    """A ``TextGuard`` on one streamed answer: its matcher, and what it found so far."""

    guard: TextGuard
    exchange: Exchange
    message: str | None
    told: ToldGuards | None = None
    """Who hears of what it finds."""
    matcher: Matcher | None = None
    has_text: bool = False
    is_over: bool = False
    """It has blocked, or is in trouble: that is on record already."""
    rules: dict[str, float] = field(default_factory=dict)
    latency_s: float = 0.0

    def begin(self) -> None:
        """
        Get the matcher for this answer.

        Raises:
            GuardUnavailable: There is none to be had, and the guard is closed.
        """
        try:
            self.matcher = self.guard.matcher(self.exchange, "answer")
        except Exception as exc:  # the guard's own code: on_error says what follows
            self.fail(exc)

    def block(self, match: Match) -> Exception:
        """The error that ends the answer."""
        verdict = block(match.rule, score=match.score)
        self.note("blocked", rule=match.rule, score=match.score)
        self._end(None)
        return blocked(self.guard, verdict, "answer", self.message)

    def fail(self, exc: Exception) -> None:
        """
        It could not go on.

        Raises:
            GuardUnavailable: It is closed.
        """
        policy = self.guard.policy
        self.note("error")
        _log.warning(
            "guard_in_trouble",
            request_id=self.exchange.id,
            guard=self.guard.name,
            error=type(exc).__name__,
        )
        if policy.on_error == "closed" and not policy.report_only:
            self.note("blocked", rule="error")
            unavailable = GuardUnavailable(
                "The content could not be checked, and nothing passes unchecked."
            )
            self._end(unavailable)
            raise unavailable from exc

    def found(self, rules: Mapping[str, float]) -> None:
        """It has redacted by *rules*, or says that it would have blocked."""
        if self.told is not None and not self.rules:
            self.told.begin(self.guard)
        self.rules |= rules

    def conclude(self) -> None:
        """The answer is over: put on record what came of it."""
        if self.is_over:
            return
        if self.rules:
            status: Literal["blocked", "redacted"]
            status = "redacted" if self.guard.mode == "redact" else "blocked"
            self.note(status, rule=",".join(self.rules), score=max(self.rules.values()))
        elif self.has_text:
            self.note("passed")

    def note(
        self,
        status: Literal["passed", "blocked", "redacted", "error"],
        *,
        rule: str = "",
        score: float | None = None,
    ) -> None:
        """Put *status* on record."""
        self.is_over = True
        if self.told is not None:
            self.told.note(self.guard, status, rule, score)
        record(
            self.exchange,
            Audit(
                guard=self.guard.name,
                side="answer",
                status=status,
                rule=rule,
                score=score,
                latency_s=self.latency_s,
                report_only=self.guard.policy.report_only,
            ),
        )

    def _end(self, error: Exception | None) -> None:
        if self.told is not None:
            self.told.end(self.guard, error)


class FoundText:
    """One channel under one ``TextGuard``; with ``report_only`` looked at, and not changed."""

    def __init__(self, finder: Finder, matcher: Matcher, channel: Channel) -> None:
        self._finder = finder
        only_watches = finder.guard.policy.report_only
        held = JSONHoldback if channel.is_json else Holdback
        self._held: Holdback | JSONHoldback | None = held(
            matcher, mode="redact" if only_watches else finder.guard.mode
        )
        self._only_watches = only_watches

    async def feed(self, text: str, /) -> str:
        """What is decided now."""
        return self._step(text)

    async def flush(self) -> str:
        """The rest."""
        return self._step(None)

    def _step(self, text: str | None) -> str:
        held, finder = self._held, self._finder
        if held is None:
            return text or ""
        started = time.perf_counter()
        try:
            out = held.flush() if text is None else held.feed(text)
        except MatchFound as exc:
            if not self._only_watches:
                raise finder.block(exc.match) from None
            finder.found({exc.match.rule: exc.match.score})
            out, self._held = "", None
        except Exception as exc:  # unable to go on, whatever the reason: on_error says what follows
            out, self._held = held.abandon(), None
            finder.fail(exc)
        finder.latency_s += time.perf_counter() - started
        finder.has_text = True
        if held.rules:
            finder.found(held.rules)
        return (text or "") if self._only_watches else out


class JudgedText:
    """
    One channel under guards that judge it in windows: text goes out once its window is judged.

    Args:
        told: Who hears of what they find.
        window_chars: Characters that are judged at once; the end of the text closes a window, too.
        overlap_chars: Of what went before, shown with each window; of that nothing is changed.
    """

    def __init__(
        self,
        guards: Sequence[Guard],
        channel: Channel,
        exchange: Exchange,
        message: str | None,
        told: ToldGuards | None,
        *,
        window_chars: int,
        overlap_chars: int,
    ) -> None:
        self._guards = guards
        self._channel = channel
        self._exchange = exchange
        self._message = message
        self._told = told
        self._window_chars = window_chars
        self._overlap_chars = overlap_chars
        self._before = ""
        self._text = ""

    async def feed(self, text: str, /) -> str:
        """A window, once it is full and judged."""
        self._text += text
        return await self.flush() if len(self._text) >= self._window_chars else ""

    async def flush(self) -> str:
        """The last window, judged."""
        text, self._text = self._text, ""
        if not text:
            return ""
        passage = passage_of(self._channel, self._before + text)
        found = await judge_answer(
            self._guards, [passage], self._exchange, self._message, self._told
        )
        seen = len(self._before)
        spans = [
            Span(
                passage=passage,
                start=max(0, span.start - seen),
                end=span.end - seen,
                replacement=span.replacement,
            )
            for span in found
            if span.end > seen
        ]
        self._before = passage.text[-self._overlap_chars :] if self._overlap_chars else ""
        return spanned(text, spans)


def passage_of(channel: Channel, text: str) -> Passage:
    """*text* of a stream's channel, as guards are shown it."""
    path = ".".join(filter(None, ("stream", str(channel.choice), channel.origin, channel.part)))
    holder = {"text": text}
    return Passage(
        text,
        channel.origin,
        path,
        holder,
        "text",
        is_json=channel.is_json,
        choice=channel.choice,
    )
