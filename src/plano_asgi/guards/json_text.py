r"""
Redaction of JSON as raw text, cut anywhere: the arguments of tool calls.

Matched is what a reader of the JSON would see: strings (keys, too) without their escapes, each for
itself, and whatever stands between strings. What is not redacted keeps its spelling, ``\u00e9`` and
``\/`` and spaces alike. A number that matches becomes a string. Nothing here asks whether the JSON
is valid: text that does not begin as an object, a list or a string is matched as plain text, and
what stands astray between strings is matched as well.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Literal

from plano_asgi._json import dumps_str
from plano_asgi.guards.holdback import MatchFound
from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.patterns import Overflow
from plano_asgi.guards.scan import Scan, scan_of
from plano_asgi.guards.steps import done

_BLANK = re.compile(r"\s*")
_STRUCTURE = re.compile(r"[\s{}\[\]:,]*")
_PLAIN = re.compile(r'[^"\\]+')
_OUTSIDE = re.compile(r'[^"]+')
_ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r'|u(?P<unit>[0-9a-fA-F]{4})|(?P<short>["\\/bfnrt]))'
)
_UNFINISHED = re.compile(
    r"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?"
    r"|[0-9a-fA-F]{0,3})?)?\Z"
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"[-+.0-9eE]+")
_LONGEST_NUMBER = 64

_OnMatch = Callable[[Match], None]


class JSONHoldback:
    """
    A ``Holdback`` for the raw text of JSON; the end of a string lets its text go.

    Args:
        mode: "redact" replaces; "block" raises ``MatchFound`` at the first match.
    """

    def __init__(self, matcher: Matcher, *, mode: Literal["redact", "block"] = "redact") -> None:
        self.rules: dict[str, float] = {}
        """The rules that matched so far, with the best score of each."""
        self._text = _JSONText(matcher, partial(_heed, self.rules, blocks=mode == "block"))

    def feed(self, text: str, /) -> str:
        """What is decided now, *text* added."""
        return self._read(text, is_last=False)

    def flush(self) -> str:
        """The rest: the text ends here, whole or not."""
        return self._read("", is_last=True)

    def abandon(self) -> str:
        """What was not let go yet, as it came: nobody looks at this text any more."""
        return self._text.abandon()

    def _read(self, text: str, *, is_last: bool) -> str:
        try:
            self._text.read(text, is_last=is_last)
        except MatchFound as exc:
            exc.before = self._text.take()
            raise
        return self._text.take()


def _heed(rules: dict[str, float], match: Match, *, blocks: bool) -> None:
    if blocks or isinstance(match, Overflow):
        raise MatchFound(match, "")
    rules[match.rule] = max(match.score, rules.get(match.rule, match.score))


def find_json(raw: str, matcher: Matcher) -> tuple[str, list[Match]]:
    """*raw* redacted, and the matches; these count from the start of their own string."""
    return done(finding_json(raw, matcher, len(raw) + 1))


def finding_json(
    raw: str, matcher: Matcher, piece_chars: int
) -> Generator[None, None, tuple[str, list[Match]]]:
    """``find_json`` in steps: *piece_chars* of *raw* are read between two of them."""
    matches: list[Match] = []
    text = _JSONText(matcher, matches.append)
    for start in range(0, len(raw), piece_chars):
        text.read(raw[start : start + piece_chars], is_last=False)
        yield
    text.read("", is_last=True)
    return text.take(), matches


def redact_json(raw: str, matcher: Matcher) -> str:
    """*raw*, the text of a JSON value, redacted."""
    return find_json(raw, matcher)[0]


def _escaped(value: str) -> str:
    return dumps_str(value)[1:-1]


class _JSONText:
    """Reads pieces of JSON and writes them redacted; ``take`` hands over what is written."""

    def __init__(self, matcher: Matcher, on_match: _OnMatch) -> None:
        self._matcher = matcher
        self._on_match = on_match
        self._out: list[str] = []
        self._rest = ""
        """An escape that is not whole yet."""
        self._state = _JSONText._at_start
        self._run = _Run(scan_of(matcher))
        self._bare = _Bare(self._out)
        self._is_last = False

    def take(self) -> str:
        written = "".join(self._out)
        self._out.clear()
        return written

    def read(self, text: str, *, is_last: bool) -> None:
        self._is_last = is_last
        text, self._rest = self._rest + text, ""
        place = 0
        try:
            while place < len(text):
                place = self._state(self, text, place)
        except Exception:
            self._rest = text[place:]
            raise
        if is_last:
            self._end_run()

    def abandon(self) -> str:
        self._bare.close()
        return self.take() + self._run.abandon() + self._rest

    def _at_start(self, text: str, place: int) -> int:
        end = self._pass_on(_BLANK, text, place)
        if end < len(text):
            is_json = text[end] in '{["'
            self._state = _JSONText._in_structure if is_json else _JSONText._in_plain_text
        return end

    def _in_plain_text(self, text: str, place: int) -> int:
        self._write(self._run.feed([(text[place:], text[place:])]))
        return len(text)

    def _in_structure(self, text: str, place: int) -> int:
        """Brackets, colons and commas after a string: what nearly all JSON has outside of them."""
        end = self._pass_on(_STRUCTURE, text, place)
        if end < len(text):
            self._state = _JSONText._between_strings
        return end

    def _between_strings(self, text: str, place: int) -> int:
        if text[place] == '"':
            self._end_run()
            self._out.append('"')
            self._state = _JSONText._in_string
            return place + 1
        found = _OUTSIDE.match(text, place)
        end = found.end() if found else place
        self._write(self._run.feed([(text[place:end], text[place:end])]))
        return end

    def _in_string(self, text: str, place: int) -> int:
        pieces: list[tuple[str, str]] = []
        while place < len(text) and text[place] != '"':
            piece = self._string_piece(text, place)
            if piece is None:
                self._rest, place = text[place:], len(text)
                break
            pieces.append(piece)
            place += len(piece[1])
        self._write(self._run.feed(pieces))
        if place == len(text):
            return place
        self._end_run()
        self._out.append('"')
        self._state = _JSONText._in_structure
        return place + 1

    def _string_piece(self, text: str, place: int) -> tuple[str, str] | None:
        """What stands at *place* and how it is spelled; ``None`` if more has to be seen."""
        if plain := _PLAIN.match(text, place):
            return plain[0], plain[0]
        if not self._is_last and _UNFINISHED.match(text, place):
            return None
        escape = _ESCAPE.match(text, place)
        if escape is None:
            return "\\", "\\"
        if high := escape["high"]:
            code = 0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(escape["low"], 16) & 0x3FF)
            return chr(code), escape[0]
        if unit := escape["unit"]:
            return chr(int(unit, 16)), escape[0]
        return _SHORT.get(escape["short"], escape["short"]), escape[0]

    def _pass_on(self, what: re.Pattern[str], text: str, place: int) -> int:
        found = what.match(text, place)
        end = found.end() if found else place
        self._out.append(text[place:end])
        return end

    def _end_run(self) -> None:
        self._write(self._run.finish())
        self._bare.close()
        self._run = _Run(scan_of(self._matcher))

    def _write(self, pieces: Iterator[tuple[str, Match | None]]) -> None:
        state, out = self._state, self._out
        for text, match in pieces:
            if match is not None:
                self._on_match(match)
            if state is _JSONText._between_strings:
                self._bare.write(text, is_new=match is not None)
            elif match is not None and state is _JSONText._in_string:
                out.append(_escaped(text))
            else:
                out.append(text)


class _Run:
    """One text that is matched for itself: characters, and how each of them is spelled."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._held: deque[tuple[str, str]] = deque()
        self._place = 0

    def feed(self, pieces: list[tuple[str, str]]) -> Iterator[tuple[str, Match | None]]:
        """*pieces*: characters and their spelling, the same, or else of one character."""
        if not pieces:
            return iter(())
        matches = self._scan.feed("".join(text for text, _ in pieces))
        self._held.extend(pieces)
        return self._settle(matches)

    def finish(self) -> Iterator[tuple[str, Match | None]]:
        return self._settle(self._scan.finish())

    def abandon(self) -> str:
        return "".join(raw for _, raw in self._held)

    def _settle(self, matches: list[Match]) -> Iterator[tuple[str, Match | None]]:
        """What is decided: kept, as it was spelled, or the replacement of a match."""
        for match in matches:
            if match.start > self._place:
                yield self._take(match.start), None
            self._take(match.end)
            yield match.replacement, match
        if self._scan.settled > self._place:
            yield self._take(self._scan.settled), None

    def _take(self, end: int) -> str:
        spelled = []
        while self._place < end:
            text, raw = self._held.popleft()
            size = end - self._place
            if len(text) > size:
                self._held.appendleft((text[size:], raw[size:]))
                text, raw = text[:size], raw[:size]
            spelled.append(raw)
            self._place += len(text)
        return "".join(spelled)


class _Bare:
    """
    Text outside of strings. A replacement there, and the characters of numbers that touch it,
    become a string, so that what was JSON stays JSON; a number is held until it ends.
    """

    def __init__(self, out: list[str]) -> None:
        self._out = out
        self._held = ""
        self._state: Literal["held", "quoted", "too long"] = "held"

    def write(self, text: str, *, is_new: bool) -> None:
        """*text*: kept, or a replacement."""
        if is_new:
            self._replaced(text)
            return
        place = 0
        while place < len(text):
            number = _NUMBER.match(text, place)
            if number:
                self._kept(number[0])
                place = number.end()
                continue
            self.close()
            after = _NUMBER.search(text, place)
            end = after.start() if after else len(text)
            self._out.append(text[place:end])
            place = end

    def close(self) -> None:
        """The number, or what stands in its place, ends here."""
        self._out.append('"' if self._state == "quoted" else self._held)
        self._held, self._state = "", "held"

    def _replaced(self, text: str) -> None:
        if self._state == "held":
            self._out += '"', _escaped(self._held)
            self._held, self._state = "", "quoted"
        self._out.append(_escaped(text))

    def _kept(self, digits: str) -> None:
        if self._state != "held":
            self._out.append(digits)
            return
        self._held += digits
        if len(self._held) > _LONGEST_NUMBER:
            self._out.append(self._held)
            self._held, self._state = "", "too long"
