"""A model as a judge: any chat model on a policy of one's own, or a safety classifier."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from typing import Literal, Unpack

from plano_asgi.ask import Ask, ask_text
from plano_asgi.conversation import Role
from plano_asgi.errors import ConfigurationError, GuardUnavailable
from plano_asgi.guards.base import ALLOW, SPOKEN, Guard, GuardOptions, Subject, Verdict, block
from plano_asgi.guards.judge_contracts import CONTRACTS, Finding
from plano_asgi.passages import Origin, Passage

OnLong = Literal["error", "cut"]

_ASSISTANT: frozenset[Origin] = frozenset(
    ("assistant", "tool_call", "content", "refusal", "reasoning", "citation")
)


class Judge(Guard):
    """
    Ask a model whether the last turn breaks a policy.

    An answer that makes no sense is no verdict: the guard is then unable to judge. The rule is
    the judge's own word for it (``S2``, ``Violent``), the score its certainty from 0 to 1.

    Args:
        ask: Asks the model; see ``Ask``.
        model: Its name, as *ask* knows it.
        policy: What is not allowed, in plain words. Needed by "json" and "safeguard"; for Granite
            Guardian a risk's name or a definition, for ShieldGemma a guideline, both through the
            chat template; not used by the others.
        contract: How the model is asked and read, a name of ``CONTRACTS``: "json" for any chat
            model, "safeguard" (gpt-oss-safeguard), "llama-guard", "shieldgemma",
            "granite-guardian" (3.0 to 3.2), "granite-guardian-3.3", "qwen3guard".
        categories: Only these rules count (``["S1", "S9"]``); all if ``None``.
        threshold: Blocks from this score on. Qwen3Guard's "controversial" is 0.5.
        max_chars: How much text one question holds, context included.
        on_long: What happens to longer text: "error": it cannot be judged; "cut": its first and
            last halves are judged and **what is between them is not**.
    """

    name = "judge"
    origins = SPOKEN - {"reasoning"}
    needs_whole = True

    def __init__(
        self,
        ask: Ask,
        *,
        model: str,
        policy: str = "",
        contract: str = "json",
        categories: Collection[str] | None = None,
        threshold: float = 0.5,
        max_chars: int = 32_000,
        on_long: OnLong = "error",
        **options: Unpack[GuardOptions],
    ) -> None:
        if contract not in CONTRACTS:
            raise ConfigurationError(
                f"unknown judge contract {contract!r}: known are {', '.join(CONTRACTS)}"
            )
        self._contract = CONTRACTS[contract]
        if self._contract.needs_policy and not policy.strip():
            raise ConfigurationError(f"a judge with the contract {contract!r} needs a policy")
        if not 0 < threshold <= 1:
            raise ConfigurationError("a judge's threshold is more than 0 and at most 1")
        if max_chars < 2 or on_long not in ("error", "cut"):
            raise ConfigurationError("max_chars must be 2 or more, on_long 'error' or 'cut'")
        options.setdefault("timeout_s", 15.0)
        options.setdefault("new_only", True)
        super().__init__(**options)
        self._ask = ask
        self._model = model
        self._policy = policy.strip()
        self._categories = None if categories is None else frozenset(categories)
        self._threshold = threshold
        self._max_chars = max_chars
        self._on_long = on_long

    async def check(self, subject: Subject, /) -> Verdict:
        """
        Ask about the subject's last turn.

        Raises:
            GuardUnavailable: The text is too long, or the answer makes no sense.
        """
        contract = self._contract
        turns = self._bounded(_turns(subject))
        answer = await ask_text(
            self._ask,
            contract.render(self._policy, turns, f"data-{secrets.token_hex(8)}"),
            model=self._model,
            max_output_tokens=contract.max_output_tokens,
            temperature=contract.temperature,
            extras=contract.extras(self._policy),
        )
        if (finding := contract.read(answer)) is None:
            raise GuardUnavailable("The judge gave no verdict.")
        return self._verdict(finding)

    def _verdict(self, finding: Finding) -> Verdict:
        rules = finding.rules
        if self._categories is not None and rules:
            rules = tuple(rule for rule in rules if rule in self._categories)
            if not rules:
                return ALLOW
        if finding.score < self._threshold:
            return ALLOW
        return block(rules[0] if rules else "policy", score=finding.score)

    def _bounded(self, turns: list[tuple[Role, str]]) -> list[tuple[Role, str]]:
        if sum(len(text) for _, text in turns) <= self._max_chars:
            return turns
        if self._on_long == "error":
            raise GuardUnavailable("The text is too long for the judge.")
        role, text = turns[-1]
        half = self._max_chars // 2
        if len(text) > self._max_chars:
            text = f"{text[:half]}\n[...]\n{text[-half:]}"
        return [(role, text)]


def _turns(subject: Subject) -> list[tuple[Role, str]]:
    """The passages as turns, those of one speaker joined; an answer follows what it answers."""
    passages: Iterable[Passage] = subject.passages
    if subject.side == "answer":
        asked = [p for p in subject.exchange.passages() if p.origin == "user" and p.is_new]
        passages = (*asked, *passages)
    turns: list[tuple[Role, str]] = []
    for passage in passages:
        role: Role = "assistant" if passage.origin in _ASSISTANT else "user"
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n\n{passage.text}")
        else:
            turns.append((role, passage.text))
    return turns
