"""
How much a text looks like an attack: rules and model, over every view and window of it.

A score is a log-odds: 0 is even odds under the training mix, and each rule that a view meets adds
its weight to what the model says of the view's most suspicious window. A text's score is that of
its most suspicious view.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from plano_asgi.guards.injection.ngrams import NgramModel, default_model, token_spans, tokens
from plano_asgi.guards.injection.rules import RuleBook, default_rules
from plano_asgi.guards.injection.views import View, views
from plano_asgi.guards.injection.windows import LONG_SIZE, LONG_STEP, windows

RULES_FACTOR = 1.5
"""How much a rule's weight counts beside the model's log-odds."""
MAX_RULES_WEIGHT = 8.0
"""All rules together add no more than this."""
NOTHING = -9.0
"""The score of a text without words."""


class Judgement(NamedTuple):
    """What was found out about one text; holds no content of it but ``view``."""

    score: float
    rules: tuple[str, ...]
    """Ids of the rules met, heaviest first."""
    model: float
    """The model's part of the score."""
    view: View
    """The most suspicious view, and how it was written."""


class Scorer:
    """Rules and model together. Stateless but for the words it knows; threads may share it."""

    def __init__(self, model: NgramModel | None = None, rules: RuleBook | None = None) -> None:
        self._model = model or default_model()
        self._rules = rules or default_rules()

    def judge(self, text: str, *, is_data: bool = False) -> Judgement:
        """Judge *text*: a user's words or, with *is_data*, what a tool or document brought in."""
        found = [self._judge_view(view, is_data=is_data) for view in views(text)]
        return max(found, key=lambda judgement: judgement.score)

    def suspicious_windows(self, text: str, count: int) -> list[str]:
        """Up to *count* stretches of a folded text that do not overlap, the worst first."""
        spans = token_spans(text)
        running = self._model.sums([word for word, _, _ in spans])
        ranked = sorted(
            windows(len(spans), LONG_SIZE, LONG_STEP),
            key=lambda window: self._model.log_odds(running, *window),
            reverse=True,
        )
        chosen: list[tuple[int, int]] = []
        for start, end in ranked:
            if len(chosen) < count and all(end <= s or start >= e for s, e in chosen):
                chosen.append((start, end))
        return [text[spans[s][1] : spans[e - 1][2]] for s, e in chosen if e > s]

    def _judge_view(self, view: View, *, is_data: bool) -> Judgement:
        words = tokens(view.text)
        if not words:
            return Judgement(NOTHING, (), NOTHING, view)
        hits = self._rules.hits(view.text, words, is_data=is_data)
        model = self._worst_window(_readable(view.text, words))
        weight = min(RULES_FACTOR * sum(rule.weight for rule in hits), MAX_RULES_WEIGHT)
        return Judgement(model + weight, tuple(rule.id for rule in hits), model, view)

    def _worst_window(self, words: Sequence[str]) -> float:
        if not words:
            return NOTHING
        running = self._model.sums(words)
        log_odds = self._model.log_odds
        return max(log_odds(running, start, end) for start, end in windows(len(words)))


_BLOB = re.compile(r"(?<![0-9a-z+/=_-])[0-9a-z+/=_-]{24,}")
_DIGIT = re.compile("[0-9]")
_BLOB_DIGITS = 4
_DIGIT_IN_WORD = re.compile("[a-z][0-9]|[0-9][a-z]")


def _readable(folded: str, words: Sequence[str]) -> Sequence[str]:
    """
    *words* without what only a decoder reads: what it says is another view's to tell, and the
    model never learned what harmless hashes, leetspeak and letters set apart look like.
    """
    if any(len(_DIGIT.findall(blob)) >= _BLOB_DIGITS for blob in _BLOB.findall(folded)):
        folded = _BLOB.sub("0", folded)
        words = tokens(folded)
    parts = folded.split(" ")
    clean = [part for part in parts if part.isalpha() or not _DIGIT_IN_WORD.search(part)]
    if 4 * len(clean) < 3 * len(parts):
        words = tokens(" ".join(clean))
    singles = sum(len(word) == 1 and word.isascii() and word.isalpha() for word in words)
    if 2 * singles > len(words):
        return [word for word in words if len(word) > 1 or not word.isascii()]
    return words
