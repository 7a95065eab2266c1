"""Guards that find values: redact them, block on them, or mask them so that they can come back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias, Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.guards.base import GuardOptions, Side
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.guards.value_scan import Lead, Row, ValueMatcher
from plano_asgi.guards.vault import Unmask, vault_of

MaskMode: TypeAlias = Literal["mask", "redact", "block"]
Answers: TypeAlias = Literal["pass", "redact"]
Allowed: TypeAlias = str | re.Pattern[str]


class ValueGuard(TextGuard):
    """
    Base of ``PII`` and ``Secrets``.

    Modes: "redact" replaces a value by its kind, ``[EMAIL]``. "block" ends the exchange. "mask"
    replaces it on the request side by a placeholder, ``<EMAIL_1>``, that the client never sees: in
    the answer, texts and tool arguments alike, it becomes the value again (see ``vault``).

    Args:
        leads: Where to look for the values wanted.
        gate, undecided: As for ``ValueMatcher``.
        allow: Values left alone: literals (any case), or regexes that match them as a whole.
        answers: With "mask": what becomes of *new* values, which the model itself brings.
    """

    def __init__(
        self,
        leads: Sequence[Lead],
        *,
        gate: re.Pattern[str],
        undecided: Callable[[str, int], int],
        mode: MaskMode,
        allow: Iterable[Allowed],
        answers: Answers,
        **options: Unpack[GuardOptions],
    ) -> None:
        if mode not in ("mask", "redact", "block"):
            raise ConfigurationError(f"mode must be 'mask', 'redact' or 'block', not {mode!r}")
        if answers not in ("pass", "redact"):
            raise ConfigurationError(f"answers must be 'pass' or 'redact', not {answers!r}")
        self.masks = mode == "mask"
        if self.masks:
            if options.get("new_only"):
                raise ConfigurationError("mode 'mask' has to see all turns: no new_only with it")
            if answers == "pass":
                options.setdefault("sides", frozenset(("request",)))
        super().__init__(mode="block" if mode == "block" else "redact", **options)
        allowed = _checked(allow)
        self._words = {one.casefold() for one in allowed if isinstance(one, str)}
        self._regexes = [one for one in allowed if isinstance(one, re.Pattern)]
        self._matcher = ValueMatcher(
            leads,
            gate=gate,
            undecided=undecided,
            replace=_redacted,
            is_allowed=self.is_allowed if self._words or self._regexes else None,
        )

    def is_allowed(self, value: str, /) -> bool:
        """*value* is on the list of those left alone."""
        return value.casefold() in self._words or any(
            regex.fullmatch(value) for regex in self._regexes
        )

    def matcher(self, exchange: Exchange, side: Side, /) -> ValueMatcher:
        """For a request that is masked the exchange's own; else the one matcher of this guard."""
        if not self.masks or side == "answer":
            return self._matcher
        vault = vault_of(exchange)
        return self._matcher.replacing(lambda row, value: vault.mask(row.kind.upper(), value))

    def answer_filter(self, exchange: Exchange, /) -> ResponseFilter | None:
        """
        What puts the values back, if any were masked and nobody else does so already. Whoever
        keeps texts of *exchange* finds in its ``scrubbers`` what takes the values out of them.
        """
        if self.policy.report_only:
            return None
        exchange.scrubbers.append(self._redact)
        if not self.masks or any(isinstance(step, Unmask) for step in exchange.response_filters):
            return None
        vault = vault_of(exchange)
        exchange.scrubbers.append(vault.scrub)
        return Unmask(vault) if len(vault) else None

    def _redact(self, text: str) -> str:
        return redact_text(text, self._matcher)[0]


def _redacted(row: Row, value: str) -> str:
    return f"[{row.kind.upper()}]"


def chosen_kinds(
    kinds: Iterable[str] | None, known: Sequence[str], default: Sequence[str]
) -> frozenset[str]:
    """
    The kinds wanted, *default* for ``None``.

    Raises:
        ConfigurationError: One that is not *known*, or none at all.
    """
    if isinstance(kinds, str):
        raise ConfigurationError(f"kinds is a list of kinds, not {kinds!r}")
    wanted = frozenset(default if kinds is None else kinds)
    if unknown := sorted(wanted - frozenset(known)):
        raise ConfigurationError(f"unknown kinds {unknown}: known are {', '.join(known)}")
    if not wanted:
        raise ConfigurationError("kinds is empty: the guard would look for nothing")
    return wanted


def _checked(allow: Iterable[Allowed]) -> list[Allowed]:
    allowed: list[Allowed] = [allow] if isinstance(allow, str) else list(allow)
    if isinstance(allow, str) or not all(isinstance(one, str | re.Pattern) for one in allowed):
        raise ConfigurationError(f"allow is a list of literals and regexes, not {allow!r}")
    return allowed
