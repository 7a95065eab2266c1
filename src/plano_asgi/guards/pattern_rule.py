"""One pattern, compiled: where it matches, decided position by position through a window."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.regex_shape import ANY, Shape

OnOverflow: TypeAlias = Literal["redact", "release", "block"]

_LEAST_BLOCK = 256


class Found(NamedTuple):
    """
    A candidate: ``[start, end)`` is what the regex takes, ``[left, right)`` what is replaced.
    ``rest``: it is over-long, and goes on as long as this matches.
    """

    start: int
    end: int
    left: int
    right: int
    rest: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """How one pattern is looked for; made by ``compile_rule``. Offsets are into the text given."""

    name: str
    regex: re.Pattern[str]
    group: int | str
    replacement: str | Callable[[str], str]
    validate: Callable[[str], bool] | None
    on_overflow: OnOverflow
    score: float
    span: int
    """Most characters of a match."""
    after: int
    before: int
    is_bounded: bool
    """The regex itself takes no more than ``span``: there is no overflow."""
    alphabet: re.Pattern[str]
    """A run of the characters a match is made of; possibly empty."""
    stretch: re.Pattern[str]
    """Such a run, as far as ``span`` and one more."""
    rest: re.Pattern[str]
    first: re.Pattern[str]
    """What a match begins with."""
    trigger: re.Pattern[str]
    """What every match holds somewhere."""
    opening: re.Pattern[str] | None
    tail: TailParts

    def next_match(self, text: str, start: int, stop: int) -> Found | None:
        """The first candidate that starts in ``[start, stop)``."""
        while 0 <= (place := self._next_start(text, start)) < stop:
            if (found := self._judge(text, place)) is not None:
                return found
            start = place + 1
        return None

    def write(self, matched: str) -> str:
        """What stands in the place of *matched*."""
        return self.replacement if isinstance(self.replacement, str) else self.replacement(matched)

    def _next_start(self, text: str, start: int) -> int:
        """Where something may match from *start* on, -1 for nowhere; ``_judge`` has the say."""
        trigger = self.trigger.search(text, start)
        if trigger is None:
            return -1
        start = max(start, trigger.start() - self.span + 1)
        if self.tail.prefixes:
            found = self.first.search(text, start)
            return found.start() if found else -1
        if self.is_bounded:
            found = self.regex.search(text, start)
            return found.start() if found else -1
        # In blocks: what a repetition takes past the window is of no interest, and looking at it
        # again from every place would take quadratic time.
        window, end = self.span + self.after, len(text)
        block = max(_LEAST_BLOCK, 4 * window)
        while start < end:
            limit = start + block
            run = self._long_run(text, start, limit - window + 1)
            if run == start:
                return run
            found = self.regex.search(text, start, limit)
            if found is not None and (run < 0 or found.start() < run):
                return found.start()
            if run >= 0 or limit >= end:
                return run
            start = limit - window + 1
        return -1

    def _long_run(self, text: str, start: int, stop: int) -> int:
        """
        The first run longer than a match that begins in ``[start, stop)``, or -1. Whether what is
        over-long matches is up to its window alone, so a search may well pass it over.
        """
        for run in self.stretch.finditer(text, start):
            if run.start() >= stop:
                break
            if run.end() - run.start() > self.span:
                return run.start()
        return -1

    def _judge(self, text: str, start: int) -> Found | None:
        """What there is at *start*, seen through the window that a stream would have, too."""
        over = start + self.span
        run_end = self._run_end(self.alphabet, text, start, over + 1)
        limit = min(run_end, over)
        match = self.regex.match(text, start, limit + self.after)
        end = over if match is None else min(match.end(), limit)
        if end <= start or not self._is_proper(text, start, end):
            return None
        if match is None:
            is_open = self.opening is not None and self.opening.match(text, start, over)
            return (
                Found(start, over, start, over, self.alphabet)
                if is_open and run_end > over
                else None
            )
        left, right = match.span(self.group)
        if left == right:
            left, right = match.span()
        if (
            end == over
            and not self.is_bounded
            and self._run_end(self.rest, text, over, over + 1) > over
        ):
            return Found(start, over, left, over, self.rest)
        if match.end() > limit:
            return None
        if self.validate is not None and not self.validate(text[left:right]):
            return None
        return Found(start, end, left, right)

    @staticmethod
    def _run_end(run: re.Pattern[str], text: str, start: int, limit: int) -> int:
        found = run.match(text, start, limit)
        return found.end() if found else start

    def _is_proper(self, text: str, start: int, end: int) -> bool:
        """It is what ``first`` and ``trigger`` promise: text without them is not even looked at."""
        return (
            self.first.match(text, start, end) is not None
            and self.trigger.search(text, start, end) is not None
        )


class TailParts(NamedTuple):
    """How the end of a text is told that may begin a match; sources of patterns, see ``Tail``."""

    alphabet: str
    head: str
    prefixes: tuple[str, ...]
    flags: str
    reach: int
    """Most characters that are undecided."""
    after: int


def wrap(source: str, flags: str) -> str:
    """*source* under *flags*, fit to be part of another pattern."""
    return f"(?{flags}:{source})"


def compile_rule(
    *,
    name: str,
    regex: re.Pattern[str],
    shape: Shape,
    replacement: str | Callable[[str], str],
    group: int | str,
    validate: Callable[[str], bool] | None,
    prefixes: tuple[str, ...],
    trigger: str,
    opening: str,
    max_match: int | None,
    on_overflow: OnOverflow,
    score: float,
) -> Rule:
    """
    Put a rule together; see ``patterns.Pattern`` for the arguments.

    Raises:
        ConfigurationError: The regex is endless and *max_match* says nothing; and more of the kind.
    """
    span = max_match or shape.width
    if span is None:
        raise ConfigurationError(f"{name}: a regex without a longest match needs max_match")
    if span < 1:
        raise ConfigurationError(f"{name}: max_match must be at least 1")
    if on_overflow not in ("redact", "release", "block"):
        raise ConfigurationError(f"{name}: on_overflow is 'redact', 'release' or 'block'")
    if not prefixes and all(len(one) > 1 for one in shape.prefixes):
        prefixes = shape.prefixes
    flags = shape.flags
    first = "|".join(re.escape(one) for one in prefixes) if prefixes else shape.head or ANY
    return Rule(
        name=name,
        regex=regex,
        group=group,
        replacement=replacement,
        validate=validate,
        on_overflow=on_overflow,
        score=score,
        span=span,
        after=shape.after,
        before=shape.before,
        is_bounded=shape.width is not None and shape.width <= span,
        alphabet=re.compile(wrap(f"{shape.alphabet}*", flags)),
        stretch=re.compile(wrap(f"{shape.alphabet}{{1,{span + 1}}}+", flags)),
        rest=re.compile(wrap(f"{shape.rest}*", flags)),
        first=re.compile(wrap(first, flags)),
        trigger=re.compile(wrap(trigger or first, flags)),
        opening=re.compile(wrap(opening, flags)) if opening else None,
        tail=TailParts(
            alphabet=shape.alphabet,
            head=shape.head or ANY,
            prefixes=prefixes,
            flags=flags,
            reach=span + shape.after - 1,
            after=shape.after,
        ),
    )
