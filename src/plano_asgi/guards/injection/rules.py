"""Which rules of the table a text meets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from plano_asgi.guards.injection.ngrams import tokens
from plano_asgi.guards.injection.normalise import without_marks
from plano_asgi.guards.injection.rule_table import RULES

SEGMENT, OVERLAP = 800, 400
"""Characters looked at together: only the rules whose words are near are run. No rule spans more
than the overlap."""


class Rule(NamedTuple):
    """A rule, ready to run on folded text."""

    id: str
    weight: float
    search: re.Pattern[str]
    data_only: bool
    also: frozenset[str]


class RuleBook:
    """The rules, found by the words without which they cannot match."""

    def __init__(self) -> None:
        self._by_word: dict[str, list[Rule]] = {}
        for row in RULES:
            search = re.compile(without_marks(row.pattern))
            also = frozenset(row.also.split())
            rule = Rule(row.id, row.weight, search, row.data_only, also)
            for word in dict.fromkeys(without_marks(row.anchors).split()):
                self._by_word.setdefault(word, []).append(rule)
        self._words = frozenset(self._by_word)

    def hits(self, folded: str, words: Iterable[str], *, is_data: bool) -> list[Rule]:
        """The rules that *folded* meets, heaviest first. *words* are its ``ngrams.tokens``."""
        if len(folded) <= SEGMENT + OVERLAP:
            found = self._hits(folded, words, is_data=is_data)
        else:
            found = set[Rule]()
            for start in range(0, len(folded), SEGMENT):
                part = folded[start : start + SEGMENT + OVERLAP]
                found |= self._hits(part, tokens(part), is_data=is_data)
        return sorted(found, key=lambda rule: (-rule.weight, rule.id))

    def _hits(self, folded: str, words: Iterable[str], *, is_data: bool) -> set[Rule]:
        candidates = {
            rule for word in self._words.intersection(words) for rule in self._by_word[word]
        }
        present = frozenset(words)
        return {
            rule
            for rule in candidates
            if (is_data or not rule.data_only)
            and not (rule.also and rule.also.isdisjoint(present))
            and rule.search.search(folded)
        }


@cache
def default_rules() -> RuleBook:
    """The shipped rules, compiled once, on first use."""
    return RuleBook()
