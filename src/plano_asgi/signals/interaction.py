"""The detectors of the interaction layer, over one reading of each text."""

from __future__ import annotations

from plano_asgi.signals.base import Detector
from plano_asgi.signals.disengagement import disengagement
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Reader
from plano_asgi.signals.misalignment import misalignment
from plano_asgi.signals.satisfaction import satisfaction
from plano_asgi.signals.stagnation import stagnation


def interaction_detectors(
    lexicon: Lexicon, *, max_chars: int = 2000, memo_texts: int = 256, baseline_turns: int = 5
) -> tuple[Detector, ...]:
    """
    Misalignment, stagnation, disengagement and satisfaction, in this order.

    Args:
        lexicon: What people say: ``Lexicon.load()``, or yours.
        max_chars: Of a longer text, the first fifth and the last four are read.
        memo_texts: Readings kept from one look to the next; 0 keeps none.
        baseline_turns: A person's messages before a conversation begins to drag.

    Raises:
        ConfigurationError: A phrase of *lexicon* cannot be understood.
    """
    reader = Reader(lexicon, max_chars=max_chars, memo_texts=memo_texts)
    return (
        misalignment(reader),
        stagnation(reader, baseline_turns=baseline_turns),
        disengagement(reader),
        satisfaction(reader),
    )
