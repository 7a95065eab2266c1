"""
Text as the signals read it: bounded, folded, without what is quoted, as words and marks.

Every step keeps character positions, so that a finding points into the text as it was written.
"""

from __future__ import annotations

import re

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u2032\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2013\u2014\u2012\u2015", "-"),
        "\u2026": ".",
        "\u00a0": " ",
        "\u202f": " ",
    }
)
TOKEN = re.compile(
    r"\w[\w'*]*|\?|[.!](?![.!]*\?)|[\n,;:()\x00]|(?<!\w)-|-(?!\w)|[\u2600-\u27bf\U0001f300-\U0001faff]"
)
STOP, ASKED, LINE, PAUSE, COLON, QUOTED = ".", "?", "¶", ",", ":", "\x00"
ENDS = frozenset((STOP, ASKED, LINE))
"""What ends a sentence."""
MARKS = ENDS | {PAUSE, COLON, QUOTED}
"""Everything in a list of words that is not one."""
MARK_OF = {"!": STOP, ";": STOP, "\n": LINE, "(": PAUSE, ")": PAUSE, "-": PAUSE}
"""Punctuation to the mark it counts as."""

SNIPPET_CHARS = 80

_THRICE = re.compile(r"([aeiouyhrst])\1\1")
_ELONGATED = re.compile(r"([^\W\d_])\1{2,}")

_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_LINKED = re.compile(r"\bhttps?://\S+")
_QUOTES = re.compile(
    r'"[^"]{1,800}"'
    r"|(?<![\w'])'(?=\S)(?:[^'\n]|(?<=\w)'(?=\w)){1,400}(?<=\S)'(?!\w)"  # 'it doesn't work'
)
_OPENING = (" '", "('", "\n'", ":'", ">'")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]+)(?<=\S)\1(?![\w*])")
_PASTED = re.compile(
    r"^[ \t]*(?:>|(?:from|to|cc|subject|date|sent):[ \t]|on .{4,80} wrote:|traceback \(|file \"|"
    r"at [\w.$<>]+\(|\d{4}-\d\d-\d\d[t ]|\[?\d\d:\d\d:\d\d|"
    r"\[?(?:error|warn|warning|info|debug|fatal|critical|trace)\]?[ \t]*[:\]|\-]|"
    r"[\w.]*(?:error|exception):|(?:\w+ )?(?:customer|agent|user|assistant|bot|client)[ \t]*:).*$",
    re.MULTILINE,
)


def truncate(text: str, limit: int = 2000) -> str:
    """
    The head and the tail of *text*, with one space between them; as it is when short enough.

    Args:
        limit: Characters in all. A fifth is the head: the end of a message says more.
    """
    if len(text) <= limit:
        return text
    head = limit // 5
    return f"{text[:head]} {text[-(limit - head - 1) :]}"


def fold(text: str) -> str:
    """Lower case, plain quotes and dashes; every character stays where it was."""
    if text.isascii():
        return text.replace("`", "'").lower()
    text = text.translate(_FOLDED)
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _blank(match: re.Match[str]) -> str:
    return QUOTED.ljust(len(match[0]))


def without_quoted(text: str, folded: str) -> str:
    """
    *folded* with quotations, code, links and pasted lines blanked out, position by position.

    A text that is a quotation as a whole speaks for itself and stays.

    Args:
        text: The text before ``fold``: code is told by its backquotes.
    """
    kept = folded
    if "`" in text or "~~~" in text:
        # Folding turned backquotes into apostrophes: fences are found where they stood.
        for match in _FENCED.finditer(text):
            kept = kept[: match.start()] + _blank(match) + kept[match.end() :]
    if "://" in kept:
        kept = _LINKED.sub(_blank, kept)
    if ":" in kept or ">" in kept or "\n" in kept:
        kept = _PASTED.sub(_blank, kept)
    if '"' in kept or ("'" in kept and any(map(kept.__contains__, _OPENING))):
        kept = _QUOTES.sub(_blank, kept)
    if "*" in kept:
        kept = _EMPHASIS.sub(lambda m: m[0].replace("*", " "), kept)
    return kept if kept is folded or any(map(str.isalnum, kept)) else folded


def tokens(folded: str) -> list[str]:
    """The words and punctuation of a folded text, as ``TOKEN`` cuts them."""
    return TOKEN.findall(folded)


def shortened(word: str, letters: int = 1) -> str:
    """*word* with three or more of a letter in a row cut to *letters*: ``sooooo`` is ``so``."""
    return _ELONGATED.sub(r"\1" * letters, word)


def has_elongated(folded: str) -> bool:
    """Whether a letter that people draw out stands three times in a row."""
    return _THRICE.search(folded) is not None


def snippet_around(text: str, start: int, end: int, *, limit: int = SNIPPET_CHARS) -> str:
    """
    The words of *text* from *start* to *end*, with what stands around them, on one line.

    Args:
        start: First character of what was found.
        end: One past its last.
        limit: Characters at most, ellipses included.
    """
    if len(text) <= limit:
        return " ".join(text.split())
    start, end = max(0, start), min(len(text), end)
    room = max(0, limit - 2 - (end - start))
    left = _word_edge(text, max(0, start - room // 2), start)
    right = min(len(text), left + limit - 2, end + room - room // 2)
    if right < len(text) and right > end and (space := text.rfind(" ", end, right)) > 0:
        right = space
    body = " ".join(text[left:right].split())
    return f"{'…' if left else ''}{body}{'…' if right < len(text) else ''}"


def _word_edge(text: str, left: int, start: int) -> int:
    """The first place from *left* on where a word begins, *start* at the latest."""
    if left == 0 or text[left - 1].isspace():
        return left
    space = text.find(" ", left, start)
    return start if space < 0 else space + 1
