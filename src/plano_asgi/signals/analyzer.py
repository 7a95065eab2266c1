"""Everything together: a conversation in, a report out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain

from plano_asgi.conversation import Message, Part
from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.base import Detector, Row, SignalReport
from plano_asgi.signals.interaction import interaction_detectors
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.loops import count_calls, loops
from plano_asgi.signals.report import SCORING, Scoring, report_of
from plano_asgi.signals.rows import MAX_ROWS, MAX_TEXT, bounded, rows_of
from plano_asgi.signals.stagnation import turn_metrics
from plano_asgi.signals.tool_trouble import tool_trouble
from plano_asgi.signals.trouble_reader import TroubleReader


class Analyzer:
    """
    Finds the signals of conversations. Keeps nothing of them; one serves all threads.

    Args:
        lexicon: What people say; by default English.
        trouble: What tools say when something is wrong; by default what comes with the package.
        detectors: Instead of all of ours.
        extra: Besides; their signals come last.
        max_rows: How many of the last rows of a conversation are looked at.
        max_text: Characters of a row, see ``rows_of``.
        baseline_turns: Turns of the person after which a conversation begins to drag.
        scoring: How the score comes about.

    Raises:
        ConfigurationError: A lexicon that means nothing, or no room for a row.
    """

    def __init__(
        self,
        *,
        lexicon: Lexicon | None = None,
        trouble: TroubleReader | None = None,
        detectors: Sequence[Detector] | None = None,
        extra: Sequence[Detector] = (),
        max_rows: int = MAX_ROWS,
        max_text: int = MAX_TEXT,
        baseline_turns: int = 5,
        scoring: Scoring = SCORING,
    ) -> None:
        if max_rows < 1 or max_text < 1:
            raise ConfigurationError("max_rows and max_text are 1 or more")
        if detectors is None:
            words = lexicon or Lexicon.load("en")
            detectors = (
                *interaction_detectors(words, baseline_turns=baseline_turns),
                tool_trouble(trouble or TroubleReader()),
                loops,
            )
        self._detectors = (*detectors, *extra)
        self._max_rows = max_rows
        self._max_text = max_text
        self._baseline_turns = baseline_turns
        self._scoring = scoring

    def analyze(
        self,
        messages: Sequence[Message],
        answer: Sequence[Part] | None = None,
        *,
        dialect: str = "",
        start: int = 0,
    ) -> SignalReport:
        """
        The report on a conversation in the neutral form and what the model just answered.

        *dialect* and *start* say what the indexes of the signals are, see ``rows_of``.

        Raises:
            ValueError: A detector of your own gave a signal whose type is not
                ``layer.category.leaf``.
        """
        rows = rows_of(
            messages,
            answer,
            dialect=dialect,
            max_rows=self._max_rows,
            max_text=self._max_text,
            start=start,
        )
        return self._report(rows)

    def analyze_rows(self, rows: Sequence[Row]) -> SignalReport:
        """The report on the last of *rows*; raises what ``analyze`` does."""
        return self._report([bounded(row, self._max_text) for row in rows[-self._max_rows :]])

    def _report(self, rows: Sequence[Row]) -> SignalReport:
        return report_of(
            chain.from_iterable(detect(rows) for detect in self._detectors),
            turn_metrics(rows, baseline_turns=self._baseline_turns),
            calls=count_calls(rows),
            scoring=self._scoring,
        )


def analyze(
    messages: Sequence[Message], answer: Sequence[Part] | None = None, *, dialect: str = ""
) -> SignalReport:
    """What ``Analyzer().analyze`` says."""
    return _default().analyze(messages, answer, dialect=dialect)


@cache
def _default() -> Analyzer:
    return Analyzer()
