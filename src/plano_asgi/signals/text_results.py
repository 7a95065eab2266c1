"""How a plain text result begins when it is an error, and how when it only speaks of one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plano_asgi.signals import text_patterns as patterns

MAX_LOOSE = 240
"""Characters; a longer text that does not begin as an error is not taken for one."""
MAX_TERSE = 100
MAX_MESSAGE = 400
EXIT_WITHIN = 120
_TAIL = 200
LISTING_LINES = 3
_TRACEBACK = "Traceback (most recent"
_STATUS_DIGITS = re.compile(r"[45]\d\d|-32")
_ERROR_NAMES = ("error", "exception", "errno", "fault")
_QUOTES = frozenset("\"'\u201c")
"""What each pattern of these names cannot be without: asked first, since most texts have none."""
_RAISED = re.compile(r"[\w.]+(?::|$)")
"""The line of a traceback that names the exception; its message may go on in more lines."""


@dataclass(slots=True)
class Said:
    """
    What a result says went wrong.

    Args:
        text: The words that tell it.
        is_sure: An error for sure.
        status: Its HTTP status or JSON-RPC code, where it tells one.
        is_terse: In a line as machines write them.
        is_marked: The tool itself says so, in a mark or a field for it. What a command ended with
            is none: tests that fail end so, and a search that finds nothing.
        whole: Where it may be no error: the whole text. Costly to judge, and for nothing where
            no phrase fits: ``speaks_of_errors`` is asked last.
    """

    text: str
    is_sure: bool
    status: int | None = None
    is_terse: bool = False
    is_marked: bool = False
    whole: str = ""

    @property
    def speaks_of_errors(self) -> bool:
        """Whether it is a document, a list, or news of an error that is gone."""
        return not self.is_sure and bool(
            patterns.SPEAKS_OF_ERRORS.search(self.whole)
            or patterns.NOTHING_WRONG.search(self.whole)
            or patterns.IS_CONTENT.search(self.whole)
        )


def said_in(text: str, *, is_sure: bool = False, only_heads: bool = False) -> Said | None:
    """
    What a plain *text* says went wrong; ``None`` where it is no error.

    Args:
        is_sure: Somebody who knows says that it is an error.
        only_heads: Only a text that begins as an error is one.
    """
    if text.startswith("<") and (wrapped := patterns.WRAPPED.match(text)):
        text, is_sure = wrapped[2].strip(), True
    if is_sure:
        return _message(text, is_marked=not _exit_code(text))
    head = text[:MAX_MESSAGE]
    if text.startswith("<") and (page := patterns.ERROR_PAGE.match(head)):
        return Said(page[1], True, _status(page[1]))
    if (crash := text.find(_TRACEBACK, 0, MAX_MESSAGE)) >= 0:
        return None if patterns.IS_CODE.match(text) else _message(text[crash:])
    if (ended := _exit_code(text)) is not None:
        return _message(text) if ended else None
    first = head.lstrip().partition("\n")[0]
    if patterns.IS_CODE.match(first):
        return None
    if _begins_as_error(text, first) and patterns.IS_TITLE.search(first) is None:
        return _message(text)
    if only_heads or len(text) > MAX_LOOSE:
        return None
    is_terse = len(text) <= MAX_TERSE and bool(patterns.IS_TERSE.match(text))
    told = patterns.QUOTED.sub(" ", text) if _QUOTES & set(text) else text
    status = _status(head, patterns.NAMED_STATUS)
    return Said(told, False, status, is_terse, whole=text)


def _begins_as_error(text: str, first: str) -> bool:
    if patterns.BEGINS_AS_FAILURE.match(first) or _names_error(first):
        return not (patterns.NOTHING_WRONG.search(first) or _is_listing(text, first))
    return (
        len(text) <= MAX_MESSAGE
        and patterns.BEGINS_AS_SHORT_ERROR.match(first) is not None
        and not patterns.SPEAKS_OF_ERRORS.search(text)
        and not patterns.NOTHING_WRONG.search(text)
        and not _is_listing(text, first)
    )


def _names_error(first: str) -> bool:
    folded = first.lower()
    return any(map(folded.__contains__, _ERROR_NAMES)) and bool(
        patterns.BEGINS_WITH_ERROR_NAME.match(first)
    )


def _is_listing(text: str, first: str) -> bool:
    """Lines that look alike are a log or a list that was read."""
    alike = 1 if patterns.IS_CONTENT.match(first) else LISTING_LINES
    return len(patterns.IS_CONTENT.findall(text[: 4 * MAX_MESSAGE])) > alike


def _message(text: str, *, is_marked: bool = False) -> Said:
    """The lines that say it: of a Python traceback the last, else the first and the last."""
    if _TRACEBACK in text[:MAX_MESSAGE]:
        told = next(
            (line for line in reversed(text.split("\n")) if _RAISED.match(line)),
            text.rstrip()[-MAX_MESSAGE:],
        )[:MAX_MESSAGE]
    elif len(text) <= MAX_MESSAGE + _TAIL:
        told = text
    else:
        told = f"{text[:MAX_MESSAGE]}\n{text[-_TAIL:].partition(' ')[2]}"
    return Said(told, True, _status(told), is_marked=is_marked)


def _status(text: str, pattern: re.Pattern[str] = patterns.STATUS) -> int | None:
    if _STATUS_DIGITS.search(text) is None:
        return None
    found = pattern.search(text)
    return int(found[1]) if found else None


def _exit_code(text: str) -> int | None:
    """What a command's output says at its head or its end of how it went."""
    parts = (text[:EXIT_WITHIN], text[-EXIT_WITHIN:]) if len(text) > EXIT_WITHIN else (text,)
    for part in parts:
        folded = part.lower()
        if "code" not in folded and "status" not in folded:
            continue
        if found := patterns.EXIT_CODE.search(part):
            return int(found[1])
    return None
