"""
A linear model over hashed n-grams: words, the 3 to 5 characters inside them, pairs and triples.

A word's own part (itself and its character n-grams) is one sum, kept for the next time; pairs and
triples cost one multiplication each. So a text's running sums are made in one pass over its words,
and the score of any window of it is a difference of two of them.

File format (little-endian), made by ``bench/accuracy/train_injection.py``: ``HEADER``, then the
int8 weights of the character table and of the pair table.
"""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from zlib import crc32

HEADER = struct.Struct("<8sBBxxfffI")
"""Magic, log2 of both table sizes, their scales, the bias, and the CRC-32 of the weights."""
MAGIC = b"PLNGRAM1"
SHORTEST = 8
"""Windows of fewer words count as this long."""
MAX_WORD = 20
"""Longer words are cut into pieces of this many characters."""
MAX_KNOWN_WORDS = 50_000
PAIR, TRIPLE, GAP = 0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35
"""Odd factors that tell apart a pair's first word, a triple's first, and a pair with a gap."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f"
_ASCII_TOKEN = re.compile(rf"[a-z]{{1,{MAX_WORD}}}(?:'[a-z]{{1,3}})?|[0-9]+|[^\w\s]{{1,3}}|_")
_TOKEN = re.compile(
    rf"[{_CJK}]|[^\W\d_{_CJK}]{{1,{MAX_WORD}}}(?:'[^\W\d_]{{1,3}})?|\d{{1,{MAX_WORD}}}|[^\w\s]{{1,3}}|_"
)
_DIGITS = str.maketrans("123456789", "000000000")


def tokens(folded: str) -> list[str]:
    """Words, single CJK characters, numbers (digits as zeros) and punctuation of a folded text."""
    pattern = _ASCII_TOKEN if folded.isascii() else _TOKEN
    return [t if t[0] != "0" else "0" for t in pattern.findall(folded.translate(_DIGITS))]


def token_spans(folded: str) -> list[tuple[str, int, int]]:
    """``tokens`` with the offsets of each."""
    pattern = _ASCII_TOKEN if folded.isascii() else _TOKEN
    found = pattern.finditer(folded.translate(_DIGITS))
    return [("0" if m[0][0] == "0" else m[0], m.start(), m.end()) for m in found]


def grams(token: str) -> list[bytes]:
    """What the character table knows of a word: itself and its parts of 3 to 5 characters."""
    marked = f"^{token}$"
    if marked.isascii():
        data = marked.encode()
        size = len(data)
        return [data] + [
            data[i : i + width]
            for width in (3, 4, 5)
            if width < size
            for i in range(size - width + 1)
        ]
    size = len(marked)
    parts = [marked] + [
        marked[i : i + width]
        for width in (3, 4, 5)
        if width < size
        for i in range(size - width + 1)
    ]
    return [part.encode("utf-8", "replace") for part in parts]


class NgramModel:
    """
    The trained weights.

    Raises:
        ValueError: *data* is not a whole model file.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER.size:
            raise ValueError("not an n-gram model: too short")
        magic, gram_bits, pair_bits, gram_scale, pair_scale, bias, checksum = HEADER.unpack(
            data[: HEADER.size]
        )
        self.bias: float = bias
        weights = data[HEADER.size :]
        if magic != MAGIC or len(weights) != (1 << gram_bits) + (1 << pair_bits):
            raise ValueError("not an n-gram model: wrong magic or size")
        if crc32(weights) != checksum:
            raise ValueError("not an n-gram model: wrong checksum")
        self._grams = array("b", weights[: 1 << gram_bits])
        self._pairs = array("b", weights[1 << gram_bits :])
        self._gram_mask = (1 << gram_bits) - 1
        self._pair_mask = (1 << pair_bits) - 1
        self._pair_scale: float = pair_scale
        self._ratio = gram_scale / pair_scale
        self._known: dict[str, tuple[float, int]] = {}

    def sums(self, words: Sequence[str]) -> list[float]:
        """Running sums over *words*, one more than there are words, starting with 0."""
        known, pairs, mask = self._known, self._pairs, self._pair_mask
        total = 0.0
        running = [total]
        before = first = 0
        for word in words:
            own, code = known.get(word) or self._learn(word)
            near = before * PAIR + code
            total += (
                own
                + pairs[near & mask]
                + pairs[(near + first * TRIPLE) & mask]
                + pairs[(first * GAP + code) & mask]
            )
            running.append(total)
            first, before = before, code
        return running

    def log_odds(self, running: Sequence[float], start: int, end: int) -> float:
        """Log-odds that the words from *start* to *end* are an attack, given their ``sums``."""
        weight: float = (running[end] - running[start]) * self._pair_scale
        return self.bias + weight / math.sqrt(max(end - start, SHORTEST))

    def _learn(self, word: str) -> tuple[float, int]:
        table, mask = self._grams, self._gram_mask
        own = sum([table[crc32(gram) & mask] for gram in grams(word)]) * self._ratio
        if len(self._known) >= MAX_KNOWN_WORDS:
            self._known.clear()
        entry = self._known[word] = (own, crc32(word.encode("utf-8", "replace")))
        return entry


@cache
def default_model() -> NgramModel:
    """The model that ships with the package, read once."""
    return NgramModel(files(__package__).joinpath("injection.bin").read_bytes())
