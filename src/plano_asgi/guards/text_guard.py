"""Guards that find passages in text, and block or redact them, whole and streamed alike."""

from __future__ import annotations

from typing import Literal, Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.guards.base import ALLOW, Guard, GuardOptions, Side, Subject, Verdict
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.redaction import judging_passages
from plano_asgi.guards.steps import done_in_turn

Mode = Literal["redact", "block"]


class TextGuard(Guard):
    """
    Find passages with a ``Matcher``. Subclass and write ``matcher``.

    Args:
        mode: "redact" replaces each match, "block" ends the exchange at the first.
    """

    changes = True
    is_quick = True
    sides = frozenset(("request", "answer"))

    def __init__(self, *, mode: Mode = "redact", **options: Unpack[GuardOptions]) -> None:
        if mode not in ("redact", "block"):
            raise ConfigurationError(f"mode must be 'redact' or 'block', not {mode!r}")
        if options.get("allow_texts"):
            # A stream has no whole texts: it would say otherwise than the same text in one piece.
            raise ConfigurationError(f"{self.name} finds passages: say with allow which are none")
        super().__init__(**options)
        self.mode: Mode = mode
        self.changes = mode == "redact"

    def matcher(self, exchange: Exchange, side: Side, /) -> Matcher | None:
        """The matcher for one side of *exchange*; ``None`` if there is nothing to look for."""
        raise NotImplementedError

    async def check(self, subject: Subject, /) -> Verdict:
        """Look through every passage; in long ones others get their turn, and ``timeout_s``."""
        matcher = self.matcher(subject.exchange, subject.side)
        if matcher is None:
            return ALLOW
        return await done_in_turn(judging_passages(subject.passages, matcher, mode=self.mode))
