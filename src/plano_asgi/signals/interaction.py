"""The interaction layer in one pass: each text is read once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plano_asgi.signals.base import Detector, Row, Signal
from plano_asgi.signals.disengagement import disengaged
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader
from plano_asgi.signals.misalignment import misaligned
from plano_asgi.signals.satisfaction import satisfied
from plano_asgi.signals.stagnation import stagnant


def interaction(
    lexicon: Lexicon, *, max_chars: int = 2000, memo_texts: int = 256, baseline_turns: int = 5
) -> Detector:
    """
    What ``misalignment``, ``stagnation``, ``disengagement`` and ``satisfaction`` find together.

    Args:
        lexicon: What people say: ``Lexicon.load()``, or yours.
        max_chars: Of a longer text, the first fifth and the last four are read.
        memo_texts: Readings kept from one look to the next; 0 keeps none.
        baseline_turns: A person's messages before a conversation begins to drag.

    Raises:
        ConfigurationError: A phrase of *lexicon* cannot be understood.
    """
    reader = Reader(lexicon, max_chars=max_chars, memo_texts=memo_texts)

    def detect(rows: Sequence[Row]) -> Iterable[Signal]:
        heard = reader.hear(rows)
        yield from misaligned(lexicon, heard)
        yield from stagnant(lexicon, heard, rows, baseline_turns=baseline_turns)
        yield from disengaged(lexicon, heard)
        yield from satisfied(lexicon, heard)

    return detect
