"""What is behind a tool's trouble: a call that was wrong, a world that gave out, or both."""

from __future__ import annotations

from dataclasses import dataclass

from plano_asgi.signals.base import Row
from plano_asgi.signals.results import Trouble, trouble_of
from plano_asgi.signals.trouble_words import Finding, TroubleWords


@dataclass(frozen=True, slots=True)
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
    """

    def __init__(
        self, *, failure: TroubleWords | None = None, exhaustion: TroubleWords | None = None
    ) -> None:
        self._failure = failure or TroubleWords.load("failure")
        self._exhaustion = exhaustion or TroubleWords.load("exhaustion")

    def read(self, row: Row) -> TroubleReading | None:
        """
        What went wrong by the result *row*; ``None``: nothing.

        A bare status or a hint of one layer says nothing beside what the other is told in words:
        "403: rate limit exceeded" is no misuse of rights.
        """
        trouble = trouble_of(row)
        if trouble is None:
            return None
        failure, exhaustion = (
            words.find(
                trouble.words,
                is_sure=trouble.is_sure,
                is_terse=trouble.is_terse,
                status=trouble.status,
            )
            for words in (self._failure, self._exhaustion)
        )
        if failure is not None and exhaustion is not None and failure != exhaustion:
            if failure.is_weak:
                failure = None
            elif exhaustion.is_weak:
                exhaustion = None
        return TroubleReading(trouble, failure, exhaustion)
