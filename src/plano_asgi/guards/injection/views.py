"""
What is written in a text for the model to decode: every hidden form as a view of its own.

Bounded: a view is about as long as the text it was found in, or shorter; there are at most
``MAX_VIEWS`` of them, and what is decoded is looked through again at most ``MAX_DEPTH`` times.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

from plano_asgi.guards.injection.normalise import fold

MAX_VIEWS = 16
"""Views of one text, the plain one included."""
MAX_DEPTH = 3
"""How often something decoded is decoded again."""
_SHORTEST = 6
_STRETCH = 400
_LONGEST_LEET = 24  # longer words are keys, hashes and addresses
_READABLE_SHARE = 0.95
_KNOWN_SHARE = 0.7


class View(NamedTuple):
    """A text in folded form, and how it was written: "plain", or the name of a disguise."""

    text: str
    kind: str


def views(text: str) -> list[View]:
    """The folded *text* first, then everything hidden in it, without repetitions."""
    source = _Source(text)
    found = [View(source.folded, "plain")]
    seen = {source.folded}
    queue = [(source, 0)]
    while queue:
        source, depth = queue.pop(0)
        for kind, read in _READERS:
            hidden = read(source)
            if not hidden or (folded := fold(hidden)) in seen or len(folded) < _SHORTEST:
                continue
            seen.add(folded)
            found.append(View(folded, kind))
            if len(found) >= MAX_VIEWS:
                return found
            if depth + 1 < MAX_DEPTH and kind in _NESTING:
                queue.append((_Source(hidden), depth + 1))
    return found


class _Source:
    """A text, and what tells cheaply which of the readers need not look at it."""

    __slots__ = ("digits", "folded", "leet", "longest", "odd", "raw", "singles", "words")

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.folded = fold(raw)
        words = self.folded.split(" ")
        self.words = set(words)
        lengths = [*map(len, words)]
        self.longest = max(lengths)
        self.singles = lengths.count(1)
        self.odd = [word for word in words if not word.isalpha()]
        """Words that hold something else than letters."""
        self.digits = len(_DIGIT.findall(self.folded))
        self.leet = _leet_stretches(self.folded, self.odd)


_DIGIT = re.compile("[0-9]")


# -- decoders of the text as it was sent ------------------------------------------------------

_TAGS = re.compile("[\U000e0020-\U000e007e]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?<![0-9a-fA-F])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s:,]?){10,}")
_BITS = re.compile(r"(?<![01])(?:[01]{8}[\s,]?){8,}")
_WRITTEN = frozenset(" \n\t.,:;!?'\"=+/-_")
_HEX_NOISE = re.compile(r"0x|\\x|[^0-9a-fA-F]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_SPACED = re.compile(r"(?<!\w)(?:\w[ \t.\-_*|/]{1,3}){5,}\w(?!\w)")
_GAP = re.compile(r"[ \t]{2,}|[ \t]*[|/][ \t]*")


def _tags(source: _Source) -> str:
    if source.raw.isascii():
        return ""
    return "".join(chr(ord(c) - 0xE0000) for c in _TAGS.findall(source.raw))


def _selectors(source: _Source) -> str:
    """Bytes written as variation selectors behind a visible character."""
    if source.raw.isascii():
        return ""
    codes = map(_selector_bytes, _SELECTORS.findall(source.raw))
    return " ".join(text for code in codes if (text := _readable(code)))


def _selector_bytes(run: str) -> bytes:
    return bytes(ord(c) - 0xFE00 if ord(c) < 0xFE10 else ord(c) - 0xE0100 + 16 for c in run)


def _readable(data: bytes) -> str:
    """*data* as text if it is one that somebody could have written, else empty."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    good = sum(1 for c in text if c.isalnum() or c in _WRITTEN)
    return text if len(text) >= 8 and good >= _READABLE_SHARE * len(text) else ""


def _base64(source: _Source) -> str:
    if source.longest < 16:
        return ""
    parts = []
    for blob in _BASE64.findall(source.raw):
        core = blob.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            data = base64.b64decode(core + "=" * (-len(core) % 4))
        except (binascii.Error, ValueError):
            continue
        parts.append(_readable(data))
    return " ".join(filter(None, parts))


def _hex(source: _Source) -> str:
    if source.digits < 10:
        return ""
    parts = []
    for blob in _HEX.findall(source.raw):
        digits = _HEX_NOISE.sub("", blob)
        parts.append(_readable(bytes.fromhex(digits[: len(digits) // 2 * 2])))
    return " ".join(filter(None, parts))


def _bits(source: _Source) -> str:
    if source.digits < 64:
        return ""
    parts = []
    for blob in _BITS.findall(source.raw):
        digits = "".join(c for c in blob if c in "01")
        octets = [int(digits[i : i + 8], 2) for i in range(0, len(digits), 8)]
        parts.append(_readable(bytes(octets)))
    return " ".join(filter(None, parts))


def _escapes(source: _Source) -> str:
    raw = source.raw
    if "\\u" in raw or "\\x" in raw:
        return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), raw)
    return unescape(raw) if "&#" in raw else ""


def _url(source: _Source) -> str:
    return unquote(source.raw, errors="ignore") if source.raw.count("%") >= 3 else ""


def _spaced(source: _Source) -> str:
    """Letters set apart, put together again; words are known by wider gaps or by themselves."""
    if source.singles < 6 and not any(len(word) >= 11 for word in source.odd):
        return ""
    text, runs = _SPACED.subn(lambda m: _unspaced(m[0]), source.raw)
    return text if runs else ""


def _unspaced(run: str) -> str:
    words = ("".join(filter(str.isalnum, word)) for word in _GAP.split(run))
    return " ".join(_segmented(word.lower()) for word in words)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- readings of the folded text --------------------------------------------------------------

_KNOWN_WORDS = re.compile(
    "instructions?|previous|disregard|developer|restrictions?|guidelines?|unrestricted|"
    "jailbroken|jailbreak|everything|messages?|configuration|programming|uncensored|"
    "password|ignoring|override|pretend|without|forget|ignore|reveal|repeat|prompts?|system|secret|"
    "hidden|safety|filters?|policies|policy|policies|output|follow|above|before|prior|print|rules|"
    "tell|show|from|mode|give|your|all|are|you|the|and|now|key|act|as|my|me|to|do|of"
)
_LONG_WORD = re.compile(r"[a-z]{18,}")
_LEET_HINT = re.compile(
    r"[a-z@$!|][0134578@$!|]+[a-z]|(?<![a-z0-9])[0134578@$!][a-z]{2}|[a-z]{2}[0134578@$](?![a-z0-9])"
)
_LEET_I = str.maketrans("0134578@$!|", "oieastbasil")
_LEET_L = str.maketrans("0134578@$!|", "oleastbasil")
_ROT13_WORDS = _words(
    "vtaber vtabevat cerivbhf vafgehpgvba vafgehpgvbaf cebzcg flfgrz erirny sbetrg qvfertneq "
    "ehyrf gur naq lbhe lbh sebz"
)
_BACKWARDS_WORDS = _words(
    "snoitcurtsni noitcurtsni tpmorp erongi suoiverp metsys laever selur drageregsid drowssap "
    "terces ruoy eht dna"
)


def _segmented(word: str) -> str:
    """*word* with spaces between the words it is run together from, if it is."""
    if len(word) < 12 or sum(map(len, _KNOWN_WORDS.findall(word))) < _KNOWN_SHARE * len(word):
        return word
    return _KNOWN_WORDS.sub(r" \g<0> ", word)


def _joined(source: _Source) -> str:
    if source.longest < 18:
        return ""
    text, words = _LONG_WORD.subn(lambda m: _segmented(m[0]), source.folded)
    return text if words else ""


def _leet(table: dict[int, int]) -> Callable[[_Source], str]:
    """Only the stretches that are dense with digits inside words: long texts always have some."""

    def read(source: _Source) -> str:
        return " ".join(source.leet).translate(table)

    return read


def _leet_stretches(folded: str, odd: list[str]) -> list[str]:
    words = [word for word in odd if len(word) <= _LONGEST_LEET]
    hints = len(_LEET_HINT.findall(" ".join(words))) if words else 0
    if hints < 2 and (not hints or len(folded) >= 40):
        return []
    if len(folded) <= _STRETCH:
        return [folded]
    stretches = (folded[i : i + _STRETCH] for i in range(0, len(folded), _STRETCH))
    return [part for part in stretches if len(_LEET_HINT.findall(part)) >= 3]


def _rot13(source: _Source) -> str:
    if len(source.words & _ROT13_WORDS) < 2:
        return ""
    return codecs.encode(source.folded, "rot13")


def _backwards(source: _Source) -> str:
    return source.folded[::-1] if len(source.words & _BACKWARDS_WORDS) >= 2 else ""


_READERS: tuple[tuple[str, Callable[[_Source], str]], ...] = (
    ("tags", _tags),
    ("selectors", _selectors),
    ("base64", _base64),
    ("hex", _hex),
    ("bits", _bits),
    ("escapes", _escapes),
    ("url", _url),
    ("spaced", _spaced),
    ("rot13", _rot13),
    ("backwards", _backwards),
    ("joined", _joined),
    ("leet", _leet(_LEET_I)),
    ("leet", _leet(_LEET_L)),
)
_NESTING = frozenset(("tags", "selectors", "base64", "hex", "bits", "escapes", "url"))
"""What may be hidden in one another."""
