"""How texts spell words: short forms, drawn out letters, slips of the hand; made out once each."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import chain, pairwise
from sys import intern

from plano_asgi.signals import text as texts
from plano_asgi.signals.lexicon import Lexicon

SHORTEST_SLIP = 4
"""Of a shorter word, a letter wrong makes any word."""
SHORTEST_DRAWN_OUT = 3
MAX_PIECE_CHARS = 32
"""Of longer pieces of text, none is like another."""
_VOWELS = "aeiou"
_SOUNDS_LIKE = {"c": "ks", "k": "c", "s": "cz", "z": "s", "f": "v", "v": "f", "y": "i"}


def misspellings(word: str) -> set[str]:
    """
    What a hurried hand makes of *word*: a letter left out, doubled, swapped with the next, or
    (from six letters on) a vowel or a sound-alike in the place of another. The first letter stays.
    """
    wrong = {word[:i] + word[i + 1 :] for i in range(1, len(word))}
    wrong |= {word[: i + 1] + word[i:] for i in range(1, len(word))}
    for i, (one, two) in enumerate(pairwise(word[1:]), start=1):
        wrong.add(word[:i] + two + one + word[i + 2 :])
    if len(word) >= 6:
        for i, letter in enumerate(word[1:], start=1):
            others = _VOWELS if letter in _VOWELS else _SOUNDS_LIKE.get(letter, "")
            wrong |= {word[:i] + other + word[i + 1 :] for other in others}
    return {text for text in wrong if len(text) >= 4} - {word}


class Slip(tuple[str, ...]):
    """The words of a piece of text that has one misspelt."""

    __slots__ = ()


class Spelling(dict[str, tuple[str, ...]]):
    """
    What stands between two spaces of a folded text, to the words it is (a ``Slip``, where one is
    misspelt); filled in as texts come.

    Args:
        lexicon: Its ``spelling``, ``fillers`` and words that are no slips.
        max_pieces: How many are kept, of 32 characters at most; then all are forgotten.
    """

    def __init__(self, lexicon: Lexicon, *, max_pieces: int = 10_000) -> None:
        super().__init__()
        self._max_pieces = max_pieces
        usual = {**texts.MARK_OF, **lexicon.spelling, **dict.fromkeys(lexicon.fillers, "")}
        self._usual = {token: tuple(words.split()) for token, words in usual.items()}
        self._known = lexicon.real_words.union(lexicon.stopwords, self._usual)
        self._vocabulary: Set[str] = frozenset()
        self._slips: dict[str, str] = {}

    def teach(self, phrases: Set[str], context: Set[str]) -> None:
        """
        Make out slips from now on.

        Args:
            phrases: The words that may be meant.
            context: Others that are no slips.
        """
        self._vocabulary = phrases
        self._known = self._known.union(phrases, context)
        meant = (word for word in phrases if len(word) >= SHORTEST_SLIP and word.isalpha())
        self._slips = _slips(meant, self._known)
        self.clear()

    def spell(self, word: str) -> Iterable[str]:
        """The words that a word of a phrase is in texts."""
        return chain.from_iterable(map(self._usually, texts.tokens(texts.fold(word))))

    def __missing__(self, piece: str) -> tuple[str, ...]:
        words: list[str] = []
        is_slipped = False
        for token in (piece,) if piece.isalpha() else texts.tokens(piece):
            usual = self._usual.get(token)
            if usual is not None:
                words += usual
            elif (meant := self._correct(token)) is not None:
                words.append(meant)
                is_slipped = True
            else:
                words += self._usually(self._short(token))
        found = (Slip if is_slipped else tuple)(map(intern, words))
        if len(piece) <= MAX_PIECE_CHARS:
            if len(self) >= self._max_pieces:
                self.clear()
            self[piece] = found
        return found

    def _usually(self, token: str) -> tuple[str, ...]:
        usual = self._usual.get(token)
        return (token,) if usual is None else usual

    def _correct(self, token: str) -> str | None:
        """The word that *token* is a slip of, if it is one of exactly one."""
        return None if token in self._known else self._slips.get(self._short(token))

    def _short(self, token: str) -> str:
        """A drawn out word as it is usually spelt."""
        if len(token) < SHORTEST_DRAWN_OUT or not texts.has_elongated(token):
            return token
        for letters in (1, 2):
            short = texts.shortened(token, letters)
            if short in self._vocabulary or short in self._usual or short in self._slips:
                return short
        return short


def _slips(words: Iterable[str], known: Set[str]) -> dict[str, str]:
    """Wrong spelling to right; where two of *words* claim one, neither has it."""
    found: dict[str, str] = {}
    for word in words:
        for wrong in misspellings(word) - known:
            found[wrong] = "" if found.get(wrong, word) != word else word
    return {wrong: word for wrong, word in found.items() if word}
