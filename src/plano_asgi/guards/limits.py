"""Limits on how long a text is, in which language, and of what form."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal, Unpack

from plano_asgi._json import loads
from plano_asgi.conversation import ChatRequest, Message, TextPart
from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.base import (
    ALL_ORIGINS,
    ALLOW,
    Guard,
    GuardOptions,
    Subject,
    Verdict,
    block,
)
from plano_asgi.guards.language import LANGUAGES, detect
from plano_asgi.passages import Passage
from plano_asgi.wire.token_estimate import MESSAGE_TOKENS, estimate_input_tokens


class Length(Guard):
    """
    Block what is too long, all texts of a side together. Rules ``max_chars`` and ``max_tokens``,
    the score is the length found.

    Args:
        max_chars: Characters.
        max_tokens: Tokens, estimated without a vocabulary: some 20 % either way.
    """

    name = "length"
    origins = ALL_ORIGINS - {"error"}
    needs_whole = True
    is_quick = True

    def __init__(
        self,
        *,
        max_chars: int | None = None,
        max_tokens: int | None = None,
        **options: Unpack[GuardOptions],
    ) -> None:
        limits = [limit for limit in (max_chars, max_tokens) if limit is not None]
        if not limits or min(limits) < 1:
            raise ConfigurationError("length needs max_chars or max_tokens, of 1 or more")
        super().__init__(**options)
        self._max_chars = max_chars
        self._max_tokens = max_tokens

    async def check(self, subject: Subject, /) -> Verdict:
        """Add up the lengths."""
        texts = [passage.text for passage in subject.passages]
        chars = sum(map(len, texts))
        if self._max_chars is not None and chars > self._max_chars:
            return block("max_chars", score=chars)
        if self._max_tokens is not None and (tokens := _tokens(texts)) > self._max_tokens:
            return block("max_tokens", score=tokens)
        return ALLOW


class Language(Guard):
    """
    Let only some languages pass. Rule ``language:<code>``, or ``language:unsure``.

    Args:
        allow: Codes of ``language.LANGUAGES`` (ISO 639-1).
        on_unsure: "allow" or "block" texts that no language can be told of: short ones, names,
            code, languages that are not known.
        min_chars: Shorter texts are not judged.
    """

    name = "language"
    sides = frozenset(("request",))
    origins = frozenset(("user", "content"))
    needs_whole = True
    is_quick = True

    def __init__(
        self,
        *,
        allow: Collection[str],
        on_unsure: Literal["allow", "block"] = "allow",
        min_chars: int = 20,
        **options: Unpack[GuardOptions],
    ) -> None:
        if isinstance(allow, str) or not allow or (unknown := sorted({*allow} - LANGUAGES)):
            raise ConfigurationError(
                f"language allow must be some of {', '.join(sorted(LANGUAGES))}"
                + ("" if isinstance(allow, str) or not allow else f", not {unknown}")
            )
        if on_unsure not in ("allow", "block"):
            raise ConfigurationError(f"on_unsure must be 'allow' or 'block', not {on_unsure!r}")
        options.setdefault("new_only", True)
        super().__init__(**options)
        self._allow = frozenset(allow)
        self._blocks_unsure = on_unsure == "block"
        self._min_chars = min_chars

    async def check(self, subject: Subject, /) -> Verdict:
        """Look at every text by itself."""
        for passage in subject.passages:
            if len(passage.text) < self._min_chars:
                continue
            code = detect(passage.text)
            if code is None and self._blocks_unsure:
                return block("language:unsure")
            if code is not None and code not in self._allow:
                return block(f"language:{code}")
        return ALLOW


class Format(Guard):
    """
    Let only answers of one form pass. Rules ``json`` and ``regex``. An answer without any text (a
    tool call) has no form.

    Args:
        json: It must be one JSON document.
        regex: It must match this, as a whole. Yours to keep linear: it runs on the model's words.
        max_chars: The most characters that *regex* is tried on; longer answers are blocked.
    """

    name = "format"
    sides = frozenset(("answer",))
    origins = frozenset(("content",))
    needs_whole = True
    is_quick = True

    def __init__(
        self,
        *,
        json: bool = False,
        regex: str | None = None,
        max_chars: int = 200_000,
        **options: Unpack[GuardOptions],
    ) -> None:
        if not json and regex is None:
            raise ConfigurationError("format needs json=True or a regex")
        try:
            self._regex = None if regex is None else re.compile(regex)
        except re.error as exc:
            raise ConfigurationError(f"format's regex does not compile: {exc}") from exc
        super().__init__(**options)
        self._json = json
        self._max_chars = max_chars

    async def check(self, subject: Subject, /) -> Verdict:
        """Look at every choice by itself."""
        for passages in by_choice(subject.passages):
            text = "".join(passage.text for passage in passages)
            if self._json and not _is_json(text):
                return block("json")
            if self._regex is not None and (
                len(text) > self._max_chars or self._regex.fullmatch(text) is None
            ):
                return block("regex")
        return ALLOW


def by_choice(passages: Iterable[Passage]) -> list[list[Passage]]:
    """The passages of each choice that has any text, in order."""
    choices: dict[int, list[Passage]] = {}
    for passage in passages:
        choices.setdefault(passage.choice, []).append(passage)
    return [found for found in choices.values() if any(passage.text for passage in found)]


def _tokens(texts: Iterable[str]) -> int:
    message = Message(role="user", parts=[TextPart(text=text) for text in texts])
    return estimate_input_tokens(ChatRequest(model="", messages=[message])) - MESSAGE_TOKENS


def _is_json(text: str) -> bool:
    try:
        loads(text)
    except ValueError:
        return False
    return True
