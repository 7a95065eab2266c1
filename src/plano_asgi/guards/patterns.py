r"""
Regular expressions over running text: whole and streamed, they find the same.

A regex alone cannot be streamed: how much of the text it has to see before it knows is unbounded.
So what a set of patterns finds is defined as one pass from left to right with a bounded look
ahead, and a whole text is read in the same way:

* At each place, each pattern sees a window: what its look-behinds reach back, then at most
  ``max_match`` characters, then what its look-aheads reach on. The window ends early where the text
  leaves the pattern's *alphabet*, the characters that its regex can consume: no match goes on
  there. Alphabet, reaches and longest match are read off the regex.
* The match that starts earliest is taken, of several that start together the longest, of these the
  one whose pattern stands first in the list. The pass goes on behind it.
* A match that fills the window, and whose last repetition (``\w+``) the text goes on with, is
  *over-long*. So is a place at which ``opening`` matches, while the regex finds no end in a window
  full of its alphabet. ``on_overflow`` says what then happens to the whole run, as far as it goes:
  "redact" replaces it all (once; the replacement sees its first ``max_match`` characters),
  "release" leaves it alone, this pattern that is, while others still look at it, and "block" ends
  the exchange whatever the guard's mode.

Streamed, a text is held back from the first place at which a match can begin, if only characters
of the alphabet follow: at most ``max_match`` of them. An over-long run is never held whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.matching import Match
from plano_asgi.guards.pattern_rule import OnOverflow, Rule, compile_rule
from plano_asgi.guards.pattern_scan import Overflow, PatternScan, Plan
from plano_asgi.guards.regex_shape import shape_of

__all__ = ["OnOverflow", "Overflow", "Pattern", "PatternMatcher", "keyword_pattern"]


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    r"""
    One thing to look for.

    Args:
        name: The rule's name in matches and audits.
        regex: What it looks like; a string is compiled without flags. Look-aheads need a longest
            match too. Repetitions inside repetitions take exponential time on hostile text.
        replacement: What stands there instead, or a pure function of the text replaced.
        group: The group of *regex* that is replaced and validated; all of it by default. What
            stands around it (``password=``) stays.
        validate: A pure check of the text found (a checksum). Where it says no, the pattern is
            tried again from the next character on.
        max_match: Most characters of a match. Needed if the regex has no longest match.
        prefixes: Literals, one of which every match begins with. Then only text that begins so is
            held back. Read off the regex where it begins with literals.
        trigger: Regex of something short that every match holds (``@``, ``\d``); without it the
            pattern is not tried, which is what makes text without candidates cheap. By default
            *prefixes*, or what a match can begin with.
        opening: Regex of how an over-long match begins that ends out of sight; with *prefixes*, it
            begins with one of them, too.
        on_overflow: What happens to an over-long match; see the module.
        score: Of its matches.

    Raises:
        ConfigurationError: A regex that cannot be streamed so, or arguments that do not fit it.
    """

    name: str
    regex: str | re.Pattern[str]
    replacement: str | Callable[[str], str]
    _: KW_ONLY
    group: int | str = 0
    validate: Callable[[str], bool] | None = None
    max_match: int | None = None
    prefixes: Sequence[str] = ()
    trigger: str = ""
    opening: str = ""
    on_overflow: OnOverflow = "redact"
    score: float = 1.0
    rule: Rule = field(init=False, repr=False)
    """The pattern, compiled."""

    def __post_init__(self) -> None:
        try:
            regex = re.compile(self.regex)
            rule = compile_rule(
                name=self.name,
                regex=regex,
                shape=shape_of(regex),
                replacement=self.replacement,
                group=self.group,
                validate=self.validate,
                prefixes=tuple(self.prefixes),
                trigger=self.trigger,
                opening=self.opening,
                max_match=self.max_match,
                on_overflow=self.on_overflow,
                score=self.score,
            )
        except re.error as exc:
            raise ConfigurationError(f"{self.name}: not a regex: {exc}") from exc
        object.__setattr__(self, "rule", rule)


class PatternMatcher:
    """
    A ``Matcher`` of patterns, all looked for in one pass. Immutable; share it.

    Args:
        patterns: In order of precedence between equal matches.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        if not self.patterns:
            raise ConfigurationError("a pattern matcher needs at least one pattern")
        self._plan = Plan([pattern.rule for pattern in self.patterns])

    def scan(self) -> PatternScan:
        """Begin a running text; over-long runs take no memory this way."""
        return PatternScan(self._plan)

    def find(self, text: str, /) -> list[Match]:
        """Every match in *text*, as a whole."""
        if self._plan.trigger.search(text) is None:
            return []
        return PatternScan(self._plan).whole(text)

    def settled(self, text: str, /) -> int:
        """Up to where no more text changes what ``find`` says."""
        scan = self.scan()
        matches = scan.feed(text)
        return matches[-1].start if scan.is_swallowing else scan.settled


def keyword_pattern(
    name: str,
    words: Iterable[str],
    replacement: str | Callable[[str], str],
    *,
    whole_words: bool = True,
    ignore_case: bool = True,
) -> Pattern:
    """
    A pattern of many literal words or phrases, the longest first.

    Args:
        whole_words: Only where no word character stands right before or after.
        ignore_case: Capitals do not matter.
    """
    tree: _Letters = {}
    for word in {*words} - {""}:
        node = tree
        for letter in word.lower() if ignore_case else word:
            node = node.setdefault(letter, {})
        node[""] = {}
    if not tree:
        raise ConfigurationError(f"{name}: no words")
    source = _alternatives(tree)
    if whole_words:
        source = rf"(?<!\w)(?:{source})(?!\w)"
    return Pattern(name, re.compile(source, re.IGNORECASE if ignore_case else 0), replacement)


_Letters: TypeAlias = dict[str, "_Letters"]
"""Words by their letters; an empty key where a word ends."""


def _alternatives(node: _Letters) -> str:
    """One regex for all words from *node* on; what several begin with is tried once."""
    branches = []
    for letter in sorted(node, reverse=True):  # the end of a word last: the longest word wins
        source, inner = "", node
        while letter:
            source, inner = source + re.escape(letter), inner[letter]
            if len(inner) > 1:
                break
            letter = next(iter(inner))
        branches.append(f"{source}(?:{_alternatives(inner)})" if letter else source)
    return "|".join(branches)
