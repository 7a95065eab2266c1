"""Personal data: found, and redacted, blocked, or masked so that it can come back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias, Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards import pii_rules
from plano_asgi.guards.base import GuardOptions, Span, Subject, Verdict, block, redact
from plano_asgi.guards.masking import Allowed, Answers, MaskMode, ValueGuard, chosen_kinds
from plano_asgi.guards.placeholders import KIND
from plano_asgi.guards.value_scan import Check, Row
from plano_asgi.guards.vault import vault_of
from plano_asgi.passages import Passage

Recogniser: TypeAlias = Callable[[str], Awaitable[Sequence[tuple[int, int, str]]]]
"""Finds entities that have no shape: of a text ``(start, end, kind)``, offsets in characters."""


class PII(ValueGuard):
    """
    Personal data in requests and answers.

    Kinds: ``email phone card iban ssn national_id ip mac date_of_birth passport driver_licence``,
    and, only if named, ``crypto_wallet``. Numbers are checked: cards by Luhn and issuer, IBANs by
    mod 97, national numbers by their own check digits; those that are nothing but digits count only
    after a word that says what they are. Names and addresses have no shape: they need *recogniser*.

    Streamed answers are held back by at most one value (160 characters), mostly by a word.

    Args:
        kinds: What to look for; ``None`` for all but ``crypto_wallet``.
        mode: "redact" (``[EMAIL]``), "block", or "mask": placeholders that become values again in
            the answer.
        allow: Values left alone: literals (any case) or regexes that match a value as a whole.
        answers: With "mask": "pass" leaves values alone that the model itself brings, "redact"
            redacts them.
        private_ips: Also loopback, link-local and private IP addresses.
        recogniser: Your own model for names, addresses and the like. Asked for whole texts on the
            request side only, in pieces of at most *recogniser_chars*; streamed answers never wait
            for it. An error of it is this guard's, and ``on_error`` decides.
        recogniser_kinds: Of what it finds, only these count (2 to 24 letters or underscores).
        recogniser_chars: Characters it is given at once; cut at white space.
        options: See ``GuardOptions``.
    """

    name = "pii"

    def __init__(
        self,
        *,
        kinds: Iterable[str] | None = None,
        mode: MaskMode = "redact",
        allow: Iterable[Allowed] = (),
        answers: Answers = "pass",
        private_ips: bool = False,
        recogniser: Recogniser | None = None,
        recogniser_kinds: Iterable[str] = ("person", "address"),
        recogniser_chars: int = 20_000,
        **options: Unpack[GuardOptions],
    ) -> None:
        wanted = chosen_kinds(kinds, pii_rules.KINDS, pii_rules.DEFAULT_KINDS)
        super().__init__(
            pii_rules.leads(_rows(wanted, private_ips)),
            gate=pii_rules.GATE,
            undecided=pii_rules.undecided,
            mode=mode,
            allow=allow,
            answers=answers,
            **options,
        )
        self._recogniser = recogniser
        self._labels = {kind: kind.upper() for kind in recogniser_kinds}
        self._chars = recogniser_chars
        if bad := [kind for kind, label in self._labels.items() if not KIND.match(label)]:
            raise ConfigurationError(f"recogniser_kinds are letters and underscores, not {bad}")
        if recogniser_chars < 1:
            raise ConfigurationError("recogniser_chars must be at least 1")

    async def check(self, subject: Subject, /) -> Verdict:
        """Look through every passage; on the request side, ask the recogniser as well."""
        verdict = await super().check(subject)
        if self._recogniser is None or subject.side == "answer" or verdict.action == "block":
            return verdict
        taken = [(id(span.passage), span.start, span.end) for span in verdict.spans]
        spans, rules = list(verdict.spans), [verdict.rule] if verdict.rule else []
        for passage in subject.passages:
            if passage.is_json:
                continue
            for start, end, kind in await self._recognise(self._recogniser, passage.text):
                if any(i == id(passage) and s < end and start < e for i, s, e in taken):
                    continue
                if self.mode == "block":
                    return block(kind)
                spans.append(self._span(subject, passage, start, end, kind))
                rules.append(kind)
        spans.sort(key=lambda span: span.start)
        return redact(spans, ",".join(dict.fromkeys(rules)), score=verdict.score)

    async def _recognise(self, recogniser: Recogniser, text: str) -> list[tuple[int, int, str]]:
        """What counts of it, in order, not overlapping."""
        found: list[tuple[int, int, str]] = []
        done = 0
        for low, high in _cut(text, self._chars):
            for start, end, kind in sorted(await recogniser(text[low:high])):
                start, end = start + low, end + low
                if kind not in self._labels or not max(done, low) <= start < end <= high:
                    continue
                if not self.is_allowed(text[start:end]):
                    found.append((start, end, kind))
                    done = end
        return found

    def _span(self, subject: Subject, passage: Passage, start: int, end: int, kind: str) -> Span:
        label = self._labels[kind]
        replacement = f"[{label}]"
        if self.masks:
            replacement = vault_of(subject.exchange).mask(label, passage.text[start:end])
        return Span(passage=passage, start=start, end=end, replacement=replacement)


def _rows(kinds: frozenset[str], private_ips: bool) -> Iterator[Row]:
    for row in pii_rules.ROWS:
        if row.kind in kinds:
            yield row if private_ips or row.kind != "ip" else replace(row, judge=_is_public(row))


def _is_public(row: Row) -> Check:
    judge = row.judge or bool
    return lambda value: judge(value) and not pii_rules.is_private_ip(value)


_BREAKS = re.compile(r"\s")


def _cut(text: str, size: int) -> Iterable[tuple[int, int]]:
    """Pieces of at most *size* characters, cut behind white space where there is any."""
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            breaks = [found.end() for found in _BREAKS.finditer(text, start, end)]
            end = breaks[-1] if breaks else end
        yield start, min(end, len(text))
        start = end
