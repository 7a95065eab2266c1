"""Lists of words, phrases and regexes that texts must not hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.guards.base import GuardOptions, Side, plain
from plano_asgi.guards.patterns import OnOverflow, Pattern, PatternMatcher, keyword_pattern
from plano_asgi.guards.text_guard import Mode, TextGuard


class Words(TextGuard):
    """
    Words and phrases that must not be there.

    Args:
        deny: The words. Looked for all at once: thousands cost little more than ten.
        allow: Phrases in which a denied word does not count (``kill the process``).
        mode: "block" (default) ends the exchange, "redact" writes *replacement* instead.
        whole_words: Only where no letter or digit stands right before or after.
        ignore_case: Capitals do not matter.
        replacement: What stands there instead.
        options: See ``GuardOptions``.
    """

    name = "words"

    def __init__(
        self,
        deny: Iterable[str],
        *,
        allow: Iterable[str] = (),
        mode: Mode = "block",
        whole_words: bool = True,
        ignore_case: bool = True,
        replacement: str = "[removed]",
        **options: Unpack[GuardOptions],
    ) -> None:
        for name, words in (("deny", deny), ("allow", allow)):
            if isinstance(words, str):
                raise ConfigurationError(f"{name} is a list of words, not {words!r}")
        super().__init__(mode=mode, **options)
        denied = [word for word in deny if word]
        listed = keyword_pattern(
            "words.denied", denied, replacement, whole_words=whole_words, ignore_case=ignore_case
        )
        regex = re.compile(listed.regex)
        spared = "".join(_spared(denied, allow, ignore_case=ignore_case, whole_words=whole_words))
        self._matcher = PatternMatcher(
            [Pattern(listed.name, re.compile(spared + regex.pattern, regex.flags), replacement)]
        )

    def matcher(self, exchange: Exchange, side: Side, /) -> PatternMatcher:
        """The one matcher of this guard."""
        return self._matcher


def _spared(
    deny: Iterable[str], allow: Iterable[str], *, ignore_case: bool, whole_words: bool
) -> Iterable[str]:
    """For each place of a denied word in an allowed phrase: not there."""
    fold = str.lower if ignore_case else str
    edge = r"(?!\w)" if whole_words else ""
    places = {
        (phrase, found.start())
        for phrase in allow
        for word in deny
        for found in re.finditer(re.escape(fold(word)), fold(phrase))
    }
    for phrase, place in sorted(places):
        before, rest = re.escape(phrase[:place]), re.escape(phrase[place:])
        yield f"(?!(?<={before}){rest}{edge})" if before else f"(?!{rest}{edge})"


class Regex(TextGuard):
    r"""
    Regexes of your own.

    Args:
        patterns: Name to regex (standard library). The name is what audits say.
        mode: "redact" (default) writes *replacement* instead, "block" ends the exchange.
        max_match: Most characters of one match; needed for regexes without a longest match
            (``\w+``). It is what a streamed answer may be held back by.
        replacement: What stands there instead; by default the name, ``[NAME]``.
        on_overflow: What becomes of a longer match; see ``patterns``.
        allow: Matches that are none, whole and ignoring case.
        options: See ``GuardOptions``.

    Raises:
        ConfigurationError: A regex that cannot be streamed so. Repetitions inside repetitions are
            not noticed: they take exponential time on hostile text, so do without.
    """

    name = "regex"

    def __init__(
        self,
        patterns: Mapping[str, str | re.Pattern[str]],
        *,
        mode: Mode = "redact",
        max_match: int = 64,
        replacement: str | None = None,
        on_overflow: OnOverflow = "redact",
        allow: Iterable[str] = (),
        **options: Unpack[GuardOptions],
    ) -> None:
        super().__init__(mode=mode, **options)
        if isinstance(allow, str):
            raise ConfigurationError(f"allow is a list of texts, not {allow!r}")
        allowed = frozenset(map(plain, allow))
        self._matcher = PatternMatcher(
            Pattern(
                name,
                regex,
                f"[{name.upper()}]" if replacement is None else replacement,
                validate=(lambda text: plain(text) not in allowed) if allowed else None,
                max_match=max_match,
                on_overflow=on_overflow,
            )
            for name, regex in patterns.items()
        )

    def matcher(self, exchange: Exchange, side: Side, /) -> PatternMatcher:
        """The one matcher of this guard."""
        return self._matcher
