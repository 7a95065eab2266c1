"""What is behind a tool's trouble: a call that was wrong, a world that gave out, or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from plano_asgi.signals.base import Row
from plano_asgi.signals.results import Trouble, trouble_of
from plano_asgi.signals.rows import MAX_TEXT, RESULT_FACTOR
from plano_asgi.signals.trouble_words import Finding, TroubleWords

MAX_KEPT = RESULT_FACTOR * MAX_TEXT
"""Characters; so many a result has at most as the rows of a conversation hold it."""


@dataclass(slots=True)
class TroubleReading:
    """One result that went wrong, and what each layer finds in it."""

    trouble: Trouble
    failure: Finding | None
    exhaustion: Finding | None


class TroubleReader:
    """
    Reads results with the words of both layers.

    Args:
        failure: What tells a wrong call; by default what comes with the package.
        exhaustion: What tells a world that gave out; likewise.
        memo_results: Readings kept from one look to the next, since a conversation comes back
            whole with every turn; of results up to ``MAX_KEPT`` characters. 0 keeps none.
    """

    def __init__(
        self,
        *,
        failure: TroubleWords | None = None,
        exhaustion: TroubleWords | None = None,
        memo_results: int = 256,
    ) -> None:
        self._failure = failure or TroubleWords.load("failure")
        self._exhaustion = exhaustion or TroubleWords.load("exhaustion")
        self._kept = lru_cache(maxsize=memo_results)(self._read)

    def read(self, row: Row) -> TroubleReading | None:
        """
        What went wrong by the result *row*; ``None``: nothing.

        A bare status or a hint of one layer says nothing beside what the other is told in words:
        "403: rate limit exceeded" is no misuse of rights.
        """
        read = self._kept if len(row.text) <= MAX_KEPT else self._read
        return read(row.text, row.is_error)

    def _read(self, text: str, is_error: bool | None) -> TroubleReading | None:
        trouble = trouble_of(text, is_error)
        if trouble is None:
            return None
        words, said = trouble.words, trouble.said
        failure, exhaustion = (
            each.find(words, is_sure=trouble.is_sure, is_terse=said.is_terse, status=said.status)
            for each in (self._failure, self._exhaustion)
        )
        if failure is None and exhaustion is None:
            return self._unexplained(trouble)
        if not trouble.is_sure and said.speaks_of_errors:
            return None
        if failure is not None and exhaustion is not None:
            if failure.is_weak:
                failure = None
            elif exhaustion.is_weak:
                exhaustion = None
        return TroubleReading(trouble, failure, exhaustion)

    def _unexplained(self, trouble: Trouble) -> TroubleReading | None:
        """What a tool marks as an error is one, though no words of ours fit."""
        if not trouble.is_sure:
            return None
        if not trouble.said.is_marked:
            return TroubleReading(trouble, None, None)
        return TroubleReading(trouble, self._failure.unexplained(), self._exhaustion.unexplained())
