"""How texts spell words: short forms, drawn out letters, slips of the hand; made out once each."""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import chain, pairwise

from plano_asgi.signals import text as texts
from plano_asgi.signals.lexicon import Lexicon

SHORTEST_SLIP = 4
"""Of a shorter word, a letter wrong makes any word."""
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


class Spelling(dict[str, tuple[str, ...]]):
    """
    What stands between two spaces of a folded text, to the words it is; filled in as texts come.

    Args:
        lexicon: Its ``spelling``, ``fillers`` and words that are no slips.
        max_pieces: How many are kept, of 32 characters at most; then all are forgotten.
    """

    def __init__(self, lexicon: Lexicon, *, max_pieces: int = 10_000) -> None:
        super().__init__()
        self._max_pieces = max_pieces
        usual = {**texts.MARK_OF, **lexicon.spelling, **dict.fromkeys(lexicon.fillers, "")}
        self._usual = {token: tuple(words.split()) for token, words in usual.items()}
        self._known: Set[str] = lexicon.real_words | lexicon.stopwords | self._usual.keys()
        self._vocabulary: Set[str] = frozenset()
        self._meant: dict[str, list[str]] = {}
        self._slips: dict[str, dict[str, str]] = {}

    def teach(self, phrases: Set[str], context: Set[str]) -> None:
        """
        Make out slips from now on.

        Args:
            phrases: The words that may be meant.
            context: Others that are no slips.
        """
        self._vocabulary = phrases
        self._known = self._known | phrases | context
        for word in phrases:
            if len(word) >= SHORTEST_SLIP and word.isalpha():
                self._meant.setdefault(word[0], []).append(word)
        self.clear()

    def spell(self, word: str) -> Iterable[str]:
        """The words that a word of a phrase is in texts."""
        return chain.from_iterable(map(self._usually, texts.tokens(texts.fold(word))))

    def is_slip(self, token: str) -> bool:
        """Whether a word of a text is read as another."""
        return token not in self._known and self._meant_by(self._short(token)) is not None

    def __missing__(self, piece: str) -> tuple[str, ...]:
        tokens = (piece,) if piece.isalpha() else texts.tokens(piece)
        found = tuple(chain.from_iterable(map(self._read, tokens)))
        if len(piece) <= MAX_PIECE_CHARS:
            if len(self) >= self._max_pieces:
                self.clear()
            self[piece] = found
        return found

    def _read(self, token: str) -> tuple[str, ...]:
        if token in self._known:
            return self._usually(token)
        token = self._short(token)
        meant = self._meant_by(token)
        return self._usually(token) if meant is None else (meant,)

    def _usually(self, token: str) -> tuple[str, ...]:
        usual = self._usual.get(token)
        return (token,) if usual is None else usual

    def _short(self, token: str) -> str:
        """A drawn out word as it is usually spelt."""
        if not texts.has_elongated(token):
            return token
        for letters in (1, 2):
            short = texts.shortened(token, letters)
            if short in self._vocabulary or short in self._usual or self._meant_by(short):
                return short
        return short

    def _meant_by(self, token: str) -> str | None:
        """The word that *token* is a slip of, if it is one of exactly one."""
        if len(token) < SHORTEST_SLIP or token in self._known:
            return None
        letter = token[0]
        slips = self._slips.get(letter)
        if slips is None:
            if letter not in self._meant:
                return None
            slips = self._slips[letter] = _slips(self._meant[letter], self._known)
        return slips.get(token)


def _slips(words: Iterable[str], known: Set[str]) -> dict[str, str]:
    """Wrong spelling to right; where two of *words* claim one, neither has it."""
    found: dict[str, str] = {}
    for word in words:
        for wrong in misspellings(word) - known:
            found[wrong] = "" if found.get(wrong, word) != word else word
    return {wrong: word for wrong, word in found.items() if word}
