"""
Texts as a model would read them: one plain form, and the forms that are hidden in it.

``fold`` undoes what does not change a text's meaning (letter case, full-width letters, accents,
look-alike letters, invisible characters). What must be *decoded* to be read (base64, rot13, tag
characters, letters set apart, ...) becomes a further ``View``, judged by itself.
"""

from __future__ import annotations

import re
import unicodedata

from plano_asgi.guards.injection.confusables import LOOK_ALIKES

_INVISIBLE = (
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xE0000, 0xE0200),
    0x00AD,
    0x034F,
    0x061C,
    0x115F,
    0x1160,
    0x180E,
    0x3164,
    0xFEFF,
    0xFFA0,
)
_LONG_LIGATURES = (0xFDFA, 0xFDFB)  # one character each, whole sentences after NFKD
_CLEAN = dict.fromkeys(_INVISIBLE) | dict.fromkeys(_LONG_LIGATURES, " ")
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]+"
)
_FOREIGN_RUN = re.compile(r"[^\x00-\x7f]+")
_MIXED_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[a-z]")
_CYRILLIC_GREEK = re.compile("[\u0370-\u03ff\u0400-\u04ff]")


def fold(text: str) -> str:
    """
    *text* in lower case, compatibility forms, accents, look-alikes and invisible characters undone,
    every run of white space one space. Linear; at most a small multiple of *text* long.
    """
    if not text.isascii():
        text = _fold_unicode(text)
    return " ".join(text.lower().split())


def without_marks(text: str) -> str:
    """*text* with compatibility forms undone and accents taken off; letter case as it was."""
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))


def _fold_unicode(text: str) -> str:
    text = _FOREIGN_RUN.sub(_plain_run, text).lower()
    if text.isascii():
        return text
    foreign = len(_CYRILLIC_GREEK.findall(text))
    if foreign and foreign > len(_LATIN.findall(text)):
        # Russian or Greek text: only words that mix alphabets are disguised.
        return _MIXED_WORD.sub(_unmix, text)
    return _FOREIGN_RUN.sub(lambda run: run[0].translate(LOOK_ALIKES), text)


def _plain_run(run: re.Match[str]) -> str:
    return without_marks(run[0].translate(_CLEAN))


def _unmix(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii() or not _LATIN.search(word):
        return word
    return word.translate(LOOK_ALIKES)
