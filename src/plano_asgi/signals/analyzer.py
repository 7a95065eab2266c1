"""Everything together: a conversation in, a report out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from threading import Lock

from plano_asgi.conversation import Message, Part
from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.base import Detector, Row, SignalReport
from plano_asgi.signals.interaction import interaction
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.loops import count_calls
from plano_asgi.signals.report import SCORING, Scoring, report_of
from plano_asgi.signals.rows import MAX_ROWS, MAX_TEXT, bounded, rows_of
from plano_asgi.signals.stagnation import turn_metrics
from plano_asgi.signals.tool_trouble import tool_trouble
from plano_asgi.signals.trouble_reader import TroubleReader


class Analyzer:
    """
    Finds the signals of conversations. One serves all threads; of what it saw it keeps how the
    last few texts were read, since a conversation comes back whole with every turn.

    Making one is cheap unless it has words of your own, which are read at once; those of the
    package are read with the first conversation, or by ``prepare``.

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
        self._lexicon = lexicon
        self._trouble = trouble
        self._extra = tuple(extra)
        self._max_rows = max_rows
        self._max_text = max_text
        self._baseline_turns = baseline_turns
        self._scoring = scoring
        self._detectors = None if detectors is None else (*detectors, *extra)
        self._making = Lock()
        if lexicon is not None:
            self.prepare()

    def prepare(self) -> None:
        """
        Read the words now and not with the first conversation: that takes a fifth of a second of
        CPU, so better in a worker thread while the application starts. A second time costs nothing.
        """
        self._ready()

    @property
    def is_prepared(self) -> bool:
        """The words have been read: the next conversation takes no longer than others."""
        return self._detectors is not None

    def _ready(self) -> tuple[Detector, ...]:
        """All detectors; of several threads that come here together, one makes them."""
        if self._detectors is None:
            with self._making:
                self._detectors = self._detectors or self._made()
        return self._detectors

    def _made(self) -> tuple[Detector, ...]:
        words = self._lexicon or Lexicon.load("en")
        return (
            interaction(words, baseline_turns=self._baseline_turns),
            tool_trouble(self._trouble or TroubleReader()),
            *self._extra,
        )

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
            chain.from_iterable(detect(rows) for detect in self._ready()),
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
