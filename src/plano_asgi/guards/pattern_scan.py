"""A running text looked through for many patterns at once, with one decision per place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from plano_asgi.guards.matching import Match
from plano_asgi.guards.pattern_rule import Found, Rule, TailParts, wrap


class Overflow(Match):
    """A candidate too long to be judged, of a rule whose ``on_overflow`` is "block"."""


class Tail:
    """
    How much of a text's end may still begin a match, or belong to one.

    Read backwards, that is one run of a rule's characters up to the farthest that a match can
    begin with. All rules are groups of one regex over the reversed end, and those that begin with
    known literals are only asked when one of these is there.
    """

    def __init__(self, parts: Sequence[TailParts]) -> None:
        plain = [part for part in parts if not part.prefixes]
        literal = [part for part in parts if part.prefixes]
        self._reach = max(part.reach for part in parts)
        self._groups = _lookaheads([*_runs(plain), *_partials(literal)])
        self._literals = _one_of(literal) if literal else None
        self._literal_groups = _lookaheads(_runs(literal))

    def settled(self, text: str, start: int) -> int:
        """Up to where *text* is decided; from *start* on nothing was before."""
        size = min(len(text) - start, self._reach)
        reverse = text[: -size - 1 : -1]
        found = self._groups.match(reverse)
        held = max(found.regs)[1] if found else 0
        if self._literals is not None and self._literals.search(text, start):
            found = self._literal_groups.match(reverse)
            held = max(held, max(found.regs)[1] if found else 0)
        return len(text) - held


def _lookaheads(groups: Iterable[str]) -> re.Pattern[str]:
    return re.compile("".join(f"(?=({group})?)" for group in dict.fromkeys(groups)))


def _runs(parts: Iterable[TailParts]) -> list[str]:
    """For each kind of run a pattern over the reversed end: the run, and where it may begin."""
    heads: dict[tuple[str, str, int], dict[str, None]] = {}
    reach: dict[tuple[str, str, int], int] = {}
    for part in parts:
        kind = (part.alphabet, part.flags, part.after)
        begins = [re.escape(one[::-1]) for one in part.prefixes] or [part.head]
        heads.setdefault(kind, {}).update(dict.fromkeys(begins))
        reach[kind] = max(reach.get(kind, 0), part.reach)
    runs = []
    for kind, begin in heads.items():
        alphabet, flags, after = kind
        ahead = rf"[\s\S]{{0,{after - 1}}}" if after > 1 else ""
        begins_with = "|".join(begin)
        runs.append(wrap(f"{ahead}{alphabet}{{0,{reach[kind] - 1}}}(?:{begins_with})", flags))
    return runs


def _partials(parts: Iterable[TailParts]) -> list[str]:
    """One pattern for the beginnings of all literals; the longest first."""
    cut = {
        (one[:size], part.flags)
        for part in parts
        for one in part.prefixes
        for size in range(1, len(one))
    }
    ordered = sorted(cut, key=lambda item: (-len(item[0]), item))
    return (
        ["|".join(wrap(re.escape(one[::-1]), flags) for one, flags in ordered)] if ordered else []
    )


def _one_of(parts: Iterable[TailParts]) -> re.Pattern[str]:
    found = {wrap(re.escape(one), part.flags): None for part in parts for one in part.prefixes}
    return re.compile("|".join(found))


class Plan:
    """What the scans of one set of rules share."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.tail = Tail([rule.tail for rule in rules])
        self.before = max(rule.before for rule in rules)
        shared: dict[str, list[int]] = {}
        literal: list[int] = []
        for rank, rule in enumerate(rules):
            is_literal = rule.tail.prefixes and rule.trigger == rule.first
            ranks = literal if is_literal else shared.setdefault(rule.trigger.pattern, [])
            ranks.append(rank)
        self._triggers = [(re.compile(pattern), ranks) for pattern, ranks in shared.items()]
        if literal:
            sources = dict.fromkeys(rules[rank].trigger.pattern for rank in literal)
            self._triggers.append((re.compile("|".join(sources)), literal))
        self.trigger = re.compile("|".join(wrap(one.pattern, "") for one, _ in self._triggers))

    def triggered(self, text: str, start: int) -> list[int]:
        """The ranks of the rules that something from *start* on may be a match of."""
        return [
            rank
            for trigger, ranks in self._triggers
            if trigger.search(text, start) is not None
            for rank in ranks
        ]


class PatternScan:
    """A ``Scan`` for rules; holds at most the longest match, its context and the last piece."""

    __slots__ = ("_base", "_plan", "_released", "_swallowing", "_text", "settled")

    def __init__(self, plan: Plan) -> None:
        self.settled = 0
        self._plan = plan
        self._text = ""
        self._base = 0
        self._released: dict[Rule, tuple[int, re.Pattern[str]]] = {}
        """Rules that leave an over-long run alone: up to where, and what it goes on with."""
        self._swallowing: tuple[Rule, re.Pattern[str]] | None = None

    def feed(self, text: str, /) -> list[Match]:
        """The next piece of the text."""
        self._text += text
        if self._swallowing is None and not self._released:
            return self._look()
        return [*self._resume(), *self._look()]

    def finish(self) -> list[Match]:
        """The text ends here."""
        return self._decide(self.settled - self._base, len(self._text))

    def whole(self, text: str, /) -> list[Match]:
        """Every match in *text*, begun and ended here."""
        self._text = text
        return self._decide(0, len(text))

    @property
    def is_swallowing(self) -> bool:
        """The end of the last match is not known yet."""
        return self._swallowing is not None

    def _look(self) -> list[Match]:
        plan, text, start = self._plan, self._text, self.settled - self._base
        stop = plan.tail.settled(text, start)
        if stop <= start:
            return []
        if plan.trigger.search(text, start) is None:
            self._settle(stop)
            return []
        return self._decide(start, stop)

    def _resume(self) -> list[Match]:
        """Go on with runs that were too long to be judged."""
        for rule, (until, rest) in list(self._released.items()):
            if until < self.settled:
                del self._released[rule]
                continue
            end = self._base + _run_end(rest, self._text, until - self._base)
            self._released[rule] = end, rest
        if self._swallowing is None:
            return []
        rule, rest = self._swallowing
        start = self.settled - self._base
        end = _run_end(rest, self._text, start)
        if end < len(self._text):
            self._swallowing = None
        piece = Match(self.settled, self._base + end, rule.name, "", rule.score)
        self._settle(end)
        return [piece] if end > start else []

    def _decide(self, start: int, stop: int) -> list[Match]:
        """Every match that begins in ``[start, stop)``: the earliest, then the longest first."""
        text, rules = self._text, self._plan.rules
        matches: list[Match] = []
        ahead: dict[int, Found] = {}
        stale = self._plan.triggered(text, start)
        while stale:
            for rank in stale:
                ahead.pop(rank, None)
                found = rules[rank].next_match(text, self._begin(rules[rank], start), stop)
                if found is not None:
                    ahead[rank] = found
            if not ahead:
                break
            best = min(ahead, key=lambda rank: (ahead[rank].start, -ahead[rank].end, rank))
            start = self._take(rules[best], ahead[best], start, matches)
            stale = [rank for rank, found in ahead.items() if rank == best or found.start < start]
        self._settle(max(start, stop))
        return matches

    def _begin(self, rule: Rule, start: int) -> int:
        """From where on *rule* looks: past what it leaves alone."""
        released = self._released.get(rule)
        return start if released is None else max(start, released[0] - self._base)

    def _take(self, rule: Rule, found: Found, start: int, matches: list[Match]) -> int:
        """Act on a candidate; from where on the next is looked for."""
        text, base, end, right = self._text, self._base, found.end, found.right
        if found.rest is not None:
            run_end = _run_end(found.rest, text, found.end)
            if rule.on_overflow == "release":
                self._released[rule] = base + run_end, found.rest
                return start
            if rule.on_overflow == "redact":
                end = right = run_end
                if end == len(text):
                    self._swallowing = rule, found.rest
        kind = Overflow if found.rest is not None and rule.on_overflow == "block" else Match
        replacement = rule.write(text[found.left : found.right])
        matches.append(kind(base + found.left, base + right, rule.name, replacement, rule.score))
        return end

    def _settle(self, stop: int) -> None:
        self.settled = self._base + stop
        if cut := max(0, stop - self._plan.before):
            self._text = self._text[cut:]
            self._base += cut


def _run_end(run: re.Pattern[str], text: str, start: int) -> int:
    found = run.match(text, start)
    return found.end() if found else start
