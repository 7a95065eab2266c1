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
_RAISED = re.compile(r"[\w.]+(?::|$)")
"""The line of a traceback that names the exception; its message may go on in more lines."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a result says went wrong; *is_terse*: in a line as machines write them."""

    text: str
    is_sure: bool
    status: int | None = None
    is_terse: bool = False


def said_in(text: str, *, is_sure: bool = False, only_heads: bool = False) -> Said | None:
    """
    What a plain *text* says went wrong; ``None`` where it is no error.

    Args:
        is_sure: Somebody who knows says that it is an error.
        only_heads: Only a text that begins as an error is one.
    """
    if wrapped := patterns.WRAPPED.match(text):
        text, is_sure = wrapped[2].strip(), True
    if is_sure:
        return _message(text)
    head = text[:MAX_MESSAGE]
    if page := patterns.ERROR_PAGE.match(head):
        return Said(page[1], True, _status(page[1]))
    if (crash := text.find("Traceback (most recent", 0, MAX_MESSAGE)) >= 0:
        return None if patterns.IS_CODE.match(text) else _message(text[crash:])
    if (ended := _exit_code(text)) is not None:
        return _message(text) if ended else None
    first = head.lstrip().split("\n", 1)[0]
    if patterns.IS_CODE.match(first):
        return None
    if _begins_as_error(text, first) and patterns.IS_TITLE.search(first) is None:
        return _message(text)
    if only_heads or len(text) > MAX_LOOSE or _speaks_of(text):
        return None
    is_terse = len(text) <= MAX_TERSE and bool(patterns.IS_TERSE.match(text))
    return Said(patterns.QUOTED.sub(" ", text), False, _status(head), is_terse)


def _begins_as_error(text: str, first: str) -> bool:
    if patterns.BEGINS_AS_ERROR.match(first):
        return not (patterns.NOTHING_WRONG.search(first) or _is_listing(text, first))
    return (
        len(text) <= MAX_MESSAGE
        and patterns.BEGINS_AS_SHORT_ERROR.match(first) is not None
        and not patterns.SPEAKS_OF_ERRORS.search(text)
        and not patterns.NOTHING_WRONG.search(text)
        and not _is_listing(text, first)
    )


def _is_listing(text: str, first: str) -> bool:
    """Lines that look alike are a log or a list that was read."""
    alike = 1 if patterns.IS_CONTENT.match(first) else LISTING_LINES
    return len(patterns.IS_CONTENT.findall(text[: 4 * MAX_MESSAGE])) > alike


def _speaks_of(text: str) -> bool:
    return bool(
        patterns.SPEAKS_OF_ERRORS.search(text)
        or patterns.NOTHING_WRONG.search(text)
        or patterns.IS_CONTENT.search(text)
    )


def _message(text: str) -> Said:
    """The lines that say it: of a Python traceback the last, else the first and the last."""
    if "Traceback (most recent" in text[:MAX_MESSAGE]:
        told = next(
            (line for line in reversed(text.split("\n")) if _RAISED.match(line)),
            text.rstrip()[-MAX_MESSAGE:],
        )[:MAX_MESSAGE]
    elif len(text) <= MAX_MESSAGE + _TAIL:
        told = text
    else:
        told = f"{text[:MAX_MESSAGE]}\n{text[-_TAIL:].partition(' ')[2]}"
    return Said(told, True, _status(told))


def _status(text: str) -> int | None:
    found = patterns.STATUS.search(text)
    return int(found[1]) if found else None


def _exit_code(text: str) -> int | None:
    """What a command's output says at its head or its end of how it went."""
    for part in (text[:EXIT_WITHIN], text[-EXIT_WITHIN:]) if len(text) > EXIT_WITHIN else (text,):
        if found := patterns.EXIT_CODE.search(part):
            return int(found[1])
    return None
