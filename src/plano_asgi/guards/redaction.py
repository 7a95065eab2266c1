"""Redaction of whole texts: a matcher's replacements, a verdict's spans."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Literal

from plano_asgi.guards.base import Span, Verdict, block, redact
from plano_asgi.guards.json_text import finding_json
from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.patterns import Overflow
from plano_asgi.guards.scan import Scannable
from plano_asgi.guards.steps import PIECE_CHARS, done
from plano_asgi.passages import Passage


def redact_text(text: str, matcher: Matcher) -> tuple[str, list[Match]]:
    """*text* with every match replaced, and the matches."""
    matches = matcher.find(text)
    return (replace_matches(text, matches), matches) if matches else (text, matches)


def replace_matches(text: str, matches: Iterable[Match]) -> str:
    """*text* with *matches*, in order and apart from each other, replaced."""
    pieces: list[str] = []
    done = 0
    for match in matches:
        pieces += text[done : match.start], match.replacement
        done = match.end
    pieces.append(text[done:])
    return "".join(pieces)


def judge_passages(
    passages: Iterable[Passage], matcher: Matcher, *, mode: Literal["redact", "block"]
) -> Verdict:
    """
    What a matcher says of *passages*, as a verdict: its rule is the rule matched (all of them,
    joined by commas, for a redaction), its score that of the surest match.
    """
    return done(judging_passages(passages, matcher, mode=mode))


def judging_passages(
    passages: Iterable[Passage],
    matcher: Matcher,
    *,
    mode: Literal["redact", "block"],
    piece_chars: int = PIECE_CHARS,
) -> Generator[None, None, Verdict]:
    """``judge_passages`` in steps, one about every *piece_chars* characters."""
    spans: list[Span] = []
    found: list[Match] = []
    seen = 0
    for passage in passages:
        seen += len(passage.text) + _PASSAGE_CHARS
        if seen >= piece_chars:
            seen = 0
            yield
        matches, changes = yield from _finding(passage, matcher, piece_chars)
        spans += changes
        for match in matches:
            if mode == "block" or isinstance(match, Overflow):
                return block(match.rule, score=match.score)
        found += matches
    return redact(spans, rule_names(found), score=max((m.score for m in found), default=None))


_PASSAGE_CHARS = 64
"""What one more passage costs, in characters looked through."""


def _finding(
    passage: Passage, matcher: Matcher, piece_chars: int
) -> Generator[None, None, tuple[list[Match], list[Span]]]:
    text = passage.text
    if passage.is_json:
        new, matches = yield from finding_json(text, matcher, piece_chars)
        whole = Span(passage=passage, start=0, end=len(text), replacement=new)
        return matches, [whole] if matches else []
    if len(text) > piece_chars and isinstance(matcher, Scannable):
        scan, matches = matcher.scan(), []
        for start in range(0, len(text), piece_chars):
            matches += scan.feed(text[start : start + piece_chars])
            yield
        matches += scan.finish()
    else:
        matches = matcher.find(text)
    changes = [
        Span(passage=passage, start=m.start, end=m.end, replacement=m.replacement) for m in matches
    ]
    return matches, changes


def rule_names(matches: Iterable[Match]) -> str:
    """The rules of *matches*, each once, in order."""
    return ",".join(dict.fromkeys(match.rule for match in matches))


def apply_spans(spans: Sequence[Span]) -> None:
    """
    Make the replacements of one or several verdicts, in their passages. Spans that overlap become
    one: the text that any of them covers goes, and the first one's replacement stands for all.
    """
    of: dict[int, list[Span]] = {}
    for span in spans:
        of.setdefault(id(span.passage), []).append(span)
    for group in of.values():
        passage = group[0].passage
        passage.replace(spanned(passage.text, group))


def spanned(text: str, spans: Iterable[Span]) -> str:
    """*text* with *spans* replaced; see ``apply_spans``. Offsets past its ends are cut off."""
    size = len(text)
    merged: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end > span.start)):
        start, end = min(span.start, size), min(span.end, size)
        if merged and start < merged[-1][1]:
            first = merged[-1]
            merged[-1] = (first[0], max(first[1], end), first[2])
        else:
            merged.append((start, end, span.replacement))
    pieces: list[str] = []
    done = 0
    for start, end, replacement in merged:
        pieces += text[done:start], replacement
        done = end
    pieces.append(text[done:])
    return "".join(pieces)
