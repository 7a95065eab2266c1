"""
What of a text can be searched for: its words, folded so that spellings of one word meet.

Every store indexes these and nothing else, so that a text is found alike in all of them.

- Case, width and accents are folded; English plurals lose their s.
- Scripts that set no spaces (Chinese, Japanese, Thai, ...) give pairs of neighbouring characters,
  and single Han characters; so does Korean, which glues its particles to words.
- A word is letters and digits only: nothing of a query can be an operator to a store.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MAX_WORD_CHARS = 64
"""Longer words (base64 and such) are cut, in texts and queries alike."""

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_UNSPACED = (
    _HAN
    + "\u0e00-\u0eff"  # Thai, Lao
    + "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    + "\u3040-\u309f\u30a0-\u30ff\u31f0-\u31ff"  # Kana
    + "\uac00-\ud7a3"  # Hangul
)
_IS_HAN = re.compile(rf"[{_HAN}]")
_VOICED = "\u3099\u309a"
"""Marks that tell Kana apart; other marks are accents and vowel signs, which people leave out."""
_RUN = re.compile(rf"((?:(?=[\w{_VOICED}])[{_UNSPACED}])+)|[^\W_{_UNSPACED}]+")


def words_of(text: str, *, max_chars: int = 20_000, max_words: int = 2_000) -> tuple[str, ...]:
    """
    The distinct words of *text*, in order of their first appearance.

    Args:
        max_chars: Only the start of a longer text is read.
        max_words: Words past this many are left out.
    """
    found: dict[str, None] = {}
    for word in _each_word(_folded(text[:max_chars])):
        found.setdefault(word)
        if len(found) >= max_words:
            break
    return tuple(found)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    kept = (c for c in parts if unicodedata.category(c)[0] != "M" or c in _VOICED)
    return unicodedata.normalize("NFC", "".join(kept))


def _each_word(text: str) -> Iterator[str]:
    for match in _RUN.finditer(text):
        if run := match[1]:
            yield from _pairs(run)
        else:
            yield _singular(match[0][:MAX_WORD_CHARS])


def _pairs(run: str) -> Iterator[str]:
    """Neighbours in a run without spaces, and the characters that are words by themselves."""
    for place, character in enumerate(run):
        if _IS_HAN.match(character) or len(run) == 1:
            yield character
        if place:
            yield run[place - 1 : place + 1]


def _singular(word: str) -> str:
    """Harman's S-stemmer (1991): three endings, and harmless in other languages."""
    if len(word) < 4 or word[-1] != "s":
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else f"{word[:-3]}y"
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


_FUNCTION_WORDS = """
a about all also am an and any are as at be been but by can could did do does for from had has have
he her here him his how i if in into is it its just like ll me more my no not of on or our out re s
she should so some t than that the their them then there these they this to up us ve was we were
what when where which who why will with would you your
aber als am an auch auf aus bei bin bist das dass dem den der des die du ein eine einen er es für
hat ich ihr im in ist ja kann mein mich mir mit nicht noch nur oder sich sie sind so und uns vom
von war was wie wir zu zum zur
au aux avec ce ces dans de des du elle en est et il je la le les leur ma mais me mes mon ne nous
on ou par pas pour qu que qui sa se ses son sur ta te tu un une vous
como con de del el ella en eres es esta este la las lo los más me mi muy no para pero por que se
si su sus te tu un una y yo
"""
FUNCTION_WORDS = frozenset(word for listed in _FUNCTION_WORDS.split() for word in words_of(listed))
"""Words that say little about what a text is about: English, German, French, Spanish."""
