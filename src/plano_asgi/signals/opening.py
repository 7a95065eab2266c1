"""
The first words of a person, before any answer: what is said of an answer can hardly be meant.

"I do not understand this error" asks about the error, "that is useless" about a thing they have.
Still a conversation may come without its beginning, so what is about nothing else counts.
"""

from __future__ import annotations

from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import Hit, Reading
from plano_asgi.signals.text import MARKS, QUOTED


def is_all(lexicon: Lexicon, reading: Reading, hit: Hit) -> bool:
    """Whether the text has nothing to be about besides *hit*."""
    words = reading.words
    around = {*words[: hit.start], *words[hit.end :]} - lexicon.stopwords - lexicon.affirmations
    return QUOTED not in around and around <= MARKS


def tells_of_earlier(lexicon: Lexicon, reading: Reading, hit: Hit) -> bool:
    """The same, or *hit* speaks of what was said before: "I asked for two"."""
    told = reading.words[hit.start : hit.end]
    return not lexicon.telling.isdisjoint(told) or is_all(lexicon, reading, hit)


def speaks_of_self(lexicon: Lexicon, reading: Reading, hit: Hit) -> bool:
    """Whether somebody announces in *hit* what they are going to do: "let me put it so"."""
    return not lexicon.personal.isdisjoint(reading.words[hit.start : hit.end])


def praises(lexicon: Lexicon, reading: Reading, hit: Hit) -> bool:
    """Whether *hit* is all, and is more than a "do it": there is nothing yet to agree to."""
    told = reading.words[hit.start : hit.end]
    return not lexicon.stopwords.issuperset(told) and is_all(lexicon, reading, hit)
