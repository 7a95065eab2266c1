"""A text and what comparing it with another needs, each worked out when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from plano_asgi.signals import text as texts

_WORD = re.compile(r"[^\W_][\w'*]*")
_DIGITS = re.compile(r"\d+")
_NUMBERED = re.compile(r"(?<!\S)\S*\d\S*")
_AROUND = ".,;:!?\"'()"
SAMPLE_CHARS = 60
"""Of the head of a text and of its tail."""


class Saying:
    """
    Something that was said; two of them are equal only if they are one.

    Args:
        raw: The text, bounded.
        sample: Some of its words, enough to tell most texts apart.
    """

    __slots__ = ("_digits", "_names", "_spoken", "raw", "sample", "size")

    def __init__(self, raw: str, sample: Set[str]) -> None:
        self.raw, self.sample, self.size = raw, sample, len(raw)
        self._spoken: Sequence[str] | None = None
        self._names: Set[str] | None = None
        self._digits: Set[str] | None = None

    def spoken(self) -> Sequence[str]:
        """The words without the marks, folded."""
        if self._spoken is None:
            self._spoken = self._speak()
        return self._spoken

    def digits(self) -> Set[str]:
        """Every run of digits."""
        if self._digits is None:
            self._digits = frozenset(_DIGITS.findall(self.raw))
        return self._digits

    def names(self) -> Set[str]:
        """Words with a digit, and words with a capital that do not begin the text."""
        if self._names is None:
            words = [word for word in self.raw.split()[1:] if not word.islower()]
            names = [bare for word in words if (bare := word.strip(_AROUND))[:1].isupper()]
            if self.digits():
                names += [word.strip(_AROUND) for word in _NUMBERED.findall(self.raw)]
            self._names = frozenset(map(str.lower, names))
        return self._names

    def _speak(self) -> Sequence[str]:
        return _WORD.findall(texts.fold(self.raw))


def skimmed(text: str, max_chars: int) -> Saying:
    """A text that is compared with others, but in which no phrase is looked for."""
    raw = text if len(text) <= max_chars else texts.truncate(text, max_chars)
    sample = raw if len(raw) <= 2 * SAMPLE_CHARS else f"{raw[:SAMPLE_CHARS]} {raw[-SAMPLE_CHARS:]}"
    return Saying(raw, frozenset(sample.split()))
