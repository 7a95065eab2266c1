"""
Jailbreaks and prompt injection: attempts to change what the model was told to do.

A user's turn is judged for attempts to shake off the app's instructions. What a tool, a document
or a search brought in is *data*: there, any order to the model is out of place, so it is judged by
more rules and a stricter threshold. The app's own system messages are left alone.

What this does not find: attacks in words of their own (paraphrases), gradient-made suffixes,
attacks spread over several turns, and languages that neither rules nor training know. Recall and
false positives, measured: ``docs/guards-accuracy.md``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.base import ALLOW, Guard, GuardOptions, Subject, Verdict, block
from plano_asgi.guards.injection.detector import Detector, Finding
from plano_asgi.guards.injection.operating_points import (
    LEVELS,
    Level,
    OperatingPoint,
    operating_point,
)
from plano_asgi.guards.injection.second_stage import LocalClassifier, SecondStage
from plano_asgi.passages import Origin, Passage

SecondStageChoice: TypeAlias = SecondStage | Literal["auto", "local"] | None

_APP: frozenset[Origin] = frozenset(("system", "tool_definition"))
_DATA: frozenset[Origin] = _APP | {"tool_result", "media", "citation"}
_NAMED_RULES = 4


class Jailbreak(Guard):
    """
    Block attempts to override the app's instructions, in users' turns and in retrieved data.

    A verdict's ``rule`` is the heaviest rule met, or "model"; its ``score`` is a log-odds. A text
    that comes again in the next turn is not judged again: its score is kept, under its hash.

    Args:
        level: How much is let through: "strict", "balanced" or "lenient", each with a measured rate
            of false positives (``injection.operating_points``).
        indirect: The level for tool results, documents and media; "off" leaves them alone. As
            ``level`` if not given, which is stricter there than in users' turns.
        second_stage: Asked about what is near the threshold: "auto" (the local classifier where the
            extra ``guard`` is installed), "local" (the same, and required), a ``SecondStage`` of
            your own, or ``None``.
        app_system: Judge the app's own system messages and tool definitions too, as data. Only for
            apps that put foreign text there: ordinary system messages are full of orders.
        worker_chars: Texts that together are longer are judged in a worker thread.
        max_chars: A single text that is longer is blocked unread (rule "too-long").
        cache_size: How many texts' scores are kept.

    Raises:
        MissingExtra: ``second_stage="local"`` without the extra ``guard``.
    """

    name = "jailbreak"
    origins: frozenset[Origin] = frozenset(("user", "tool_result", "media"))

    def __init__(
        self,
        *,
        level: Level = "balanced",
        indirect: Level | Literal["off"] | None = None,
        second_stage: SecondStageChoice = "auto",
        app_system: bool = False,
        worker_chars: int = 8_000,
        max_chars: int = 1_000_000,
        cache_size: int = 4_096,
        **options: Unpack[GuardOptions],
    ) -> None:
        indirect = level if indirect is None else indirect
        if level not in LEVELS or indirect not in (*LEVELS, "off"):
            raise ConfigurationError(
                f"{self.name}: level must be one of {', '.join(LEVELS)}; indirect may be 'off' too"
            )
        if min(worker_chars, max_chars, cache_size) < 1:
            raise ConfigurationError(f"{self.name}: sizes must be at least 1")
        if app_system:
            options.setdefault("origins", self.origins | _APP)
        super().__init__(**options)
        second = _second_stage(second_stage)
        has_second = second is not None
        self.is_quick = not has_second
        self._for_users = operating_point("user", level, second_stage=has_second)
        self._for_data: OperatingPoint | None = None
        if indirect != "off":
            self._for_data = operating_point("data", indirect, second_stage=has_second)
        self._max_chars = max_chars
        self._detector = Detector(second, worker_chars=worker_chars, cache_size=cache_size)

    async def check(self, subject: Subject, /) -> Verdict:
        """Judge every passage; of those that are attacks, the highest score tells the rule."""
        judged = [(p, point) for p in subject.passages if (point := self._point(p)) is not None]
        if any(len(passage.text) > self._max_chars for passage, _ in judged):
            return block("too-long", reason=f"a text of more than {self._max_chars} characters")
        findings = await self._detector.find([(p.text, point) for p, point in judged])
        attacks = [
            (finding, passage)
            for finding, (passage, _) in zip(findings, judged, strict=True)
            if finding.is_attack
        ]
        if not attacks:
            return ALLOW
        return _verdict(*max(attacks, key=lambda attack: attack[0].score))

    def _point(self, passage: Passage) -> OperatingPoint | None:
        return self._for_data if passage.origin in _DATA else self._for_users


def _second_stage(choice: SecondStageChoice) -> SecondStage | None:
    if choice == "local":
        return LocalClassifier()
    if choice == "auto":
        return LocalClassifier() if LocalClassifier.is_installed() else None
    if isinstance(choice, str):
        raise ConfigurationError(
            f"jailbreak: second_stage must be 'auto', 'local', None or an object, not {choice!r}"
        )
    return choice


def _verdict(finding: Finding, passage: Passage) -> Verdict:
    judgement = finding.judgement
    named = ", ".join(judgement.rules[:_NAMED_RULES]) or "no rule"
    reason = (
        f"{passage.origin} text of turn {passage.turn}, read as {judgement.view.kind}: {named}; "
        f"model {judgement.model:.1f}"
    )
    rule = judgement.rules[0] if judgement.rules else "model"
    return block(rule, score=round(finding.score, 2), reason=reason)
