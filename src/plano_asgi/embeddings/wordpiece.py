"""
WordPiece, as BERT's uncased models were trained with it.

Lower-case, accents stripped, Chinese characters single, punctuation single; a word is cut greedily
into the longest pieces of the vocabulary, pieces after the first marked ``##``.

Source: https://github.com/google-research/bert/blob/master/tokenization.py (the rules)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from plano_asgi._json import loads
from plano_asgi.errors import ConfigurationError

_MAX_WORD_CHARS = 100
_CHARS_PER_TOKEN = 20
# Words of letters and digits, or single signs; CJK characters stand alone.
_CJK = "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+|[^\w\s]|_")


class WordPiece:
    """
    A tokenizer.

    Args:
        vocabulary: Piece -> id; must hold ``[CLS]``, ``[SEP]`` and ``[UNK]``.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        try:
            self._start, self._end, self._unknown = (
                vocabulary[name] for name in ("[CLS]", "[SEP]", "[UNK]")
            )
        except KeyError as exc:
            raise ConfigurationError(f"the vocabulary lacks {exc}") from None
        self._pieces = lru_cache(maxsize=20_000)(self._split)

    @classmethod
    def from_tokenizer_json(cls, path: Path) -> WordPiece:
        """Read the vocabulary of a ``tokenizer.json``."""
        return cls(loads(path.read_bytes())["model"]["vocab"])

    def encode(self, text: str, *, max_tokens: int = 256) -> list[int]:
        """The ids of *text*, start and end mark included; cut to *max_tokens*."""
        room = max_tokens - 2
        ids = [self._start]
        for word in _WORD.findall(_plain(text[: room * _CHARS_PER_TOKEN])):
            ids += self._pieces(word)
            if len(ids) > room:
                del ids[room + 1 :]
                break
        ids.append(self._end)
        return ids

    def _split(self, word: str) -> tuple[int, ...]:
        if len(word) > _MAX_WORD_CHARS:
            return (self._unknown,)
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if (piece := self._vocabulary.get(prefix + word[start:end])) is not None:
                    ids.append(piece)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(ids)


def _plain(text: str) -> str:
    """*text* in lower case without accents and control characters."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cc", "Cf"))
