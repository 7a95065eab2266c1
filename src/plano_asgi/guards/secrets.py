"""Keys, tokens, passwords: found, and redacted, blocked, or masked so that they can come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from plano_asgi.guards import secret_rules
from plano_asgi.guards.base import GuardOptions
from plano_asgi.guards.masking import Allowed, Answers, MaskMode, ValueGuard, chosen_kinds


class Secrets(ValueGuard):
    """
    Secrets in requests and answers. What users write counts, too: no key of theirs reaches a model.

    Kinds: ``api_key`` (some hundred prefixes of known issuers), ``jwt``, ``private_key`` (PEM,
    whole or cut off), ``password`` (behind such a word, or in a URL: ``scheme://user:password@``)
    and ``secret`` (random values behind a word: ``api_key=``, ``token``, ``Bearer``). UUIDs,
    hashes, placeholders and names of variables are no secrets; nor is a password of letters only,
    which cannot be told from a word.

    Streamed answers are held back by a word; a key by its length, up to 16,384 characters.

    Args:
        kinds: What to look for; ``None`` for all.
        mode: "redact" (``[API_KEY]``), "block", or "mask": placeholders that become values again in
            the answer.
        allow: Values left alone: literals (any case) or regexes that match a value as a whole.
        answers: With "mask": "pass" leaves secrets alone that the model itself brings, "redact"
            redacts them.
        options: See ``GuardOptions``.
    """

    name = "secrets"

    def __init__(
        self,
        *,
        kinds: Iterable[str] | None = None,
        mode: MaskMode = "redact",
        allow: Iterable[Allowed] = (),
        answers: Answers = "pass",
        **options: Unpack[GuardOptions],
    ) -> None:
        wanted = chosen_kinds(kinds, secret_rules.KINDS, secret_rules.KINDS)
        super().__init__(
            secret_rules.leads(wanted),
            gate=secret_rules.GATE,
            undecided=secret_rules.undecided,
            mode=mode,
            allow=allow,
            answers=answers,
            **options,
        )
