"""
What the signals room speaks in: rows in, instances out, and a report over them.

A conversation is a list of ``Row``; detectors are pure functions over it. Nothing here knows a
wire format or telemetry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

RowKind: TypeAlias = Literal["human", "gpt", "function_call", "observation"]
Quality: TypeAlias = Literal["excellent", "good", "neutral", "poor", "severe"]

CATEGORIES: Mapping[str, str] = {
    "misalignment": "interaction",
    "stagnation": "interaction",
    "disengagement": "interaction",
    "satisfaction": "interaction",
    "failure": "execution",
    "loops": "execution",
    "exhaustion": "environment",
}
"""Every category and its layer, in the order reports and events have."""

LEAVES: tuple[str, ...] = (
    "interaction.misalignment.correction",
    "interaction.misalignment.rephrase",
    "interaction.misalignment.clarification",
    "interaction.stagnation.dragging",
    "interaction.stagnation.repetition",
    "interaction.disengagement.escalation",
    "interaction.disengagement.quit",
    "interaction.disengagement.negative_stance",
    "interaction.satisfaction.gratitude",
    "interaction.satisfaction.confirmation",
    "interaction.satisfaction.success",
    "execution.failure.invalid_args",
    "execution.failure.tool_not_found",
    "execution.failure.auth_misuse",
    "execution.failure.state_error",
    "execution.failure.bad_query",
    "execution.loops.retry",
    "execution.loops.parameter_drift",
    "execution.loops.oscillation",
    "environment.exhaustion.rate_limit",
    "environment.exhaustion.api_error",
    "environment.exhaustion.timeout",
    "environment.exhaustion.network",
    "environment.exhaustion.malformed_response",
    "environment.exhaustion.context_overflow",
)
"""The 25 leaf types, as ``signal.type`` spells them."""


@dataclass(slots=True, kw_only=True)
class Row:
    """
    One thing said or done, in order.

    Args:
        kind: A person's words, the model's words, a tool call of the model, a tool's result.
        text: The words; of a call its arguments as JSON text; of a result its text.
        name: Of a call: the tool's name.
        call_id: Of a call and its result, where the wire has one.
        is_error: Of a result: what the tool itself said of it; ``None`` if it said nothing.
        index: The message of the *client's own list* it comes from (the new answer: one past the
            last). Every signal's ``message_index`` is one of these.
    """

    kind: RowKind
    text: str
    index: int
    name: str = ""
    call_id: str = ""
    is_error: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """
    One instance.

    Args:
        type: One of ``LEAVES``, or ``layer.category.leaf`` of a detector of your own.
        message_index: See ``Row.index``.
        confidence: 0 to 1.
        snippet: The words of the conversation that told it; short. Content: goes nowhere unless
            content was asked for.
        metadata: JSON values; never words of the conversation.
    """

    type: str
    message_index: int
    confidence: float
    snippet: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def category(self) -> str:
        """The second part of the type."""
        return self.type.split(".")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalGroup:
    """The instances of one category. Severity: 0 none, 1 (1-2), 2 (3-4), 3 (5 or more)."""

    category: str
    signals: tuple[Signal, ...] = ()

    @property
    def count(self) -> int:
        """How many instances."""
        return len(self.signals)

    @property
    def severity(self) -> int:
        """0 to 3, by count."""
        return (self.count > 0) + (self.count > 2) + (self.count > 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnMetrics:
    """How long it took so far. *efficiency_score* is 1 up to the baseline and falls after it."""

    user_turns: int = 0
    assistant_turns: int = 0
    efficiency_score: float = 1.0
    is_dragging: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReport:
    """
    How a conversation is going.

    Args:
        groups: One for each category, in the order of ``CATEGORIES``, then those of detectors
            of your own.
        quality: The bucket of *quality_score*.
        quality_score: 0 to 100.
        is_flagged: Somebody should look at it.
        summary: One line for people; never words of the conversation.
    """

    groups: Mapping[str, SignalGroup]
    quality: Quality = "neutral"
    quality_score: float = 50.0
    turns: TurnMetrics = field(default_factory=TurnMetrics)
    is_flagged: bool = False
    summary: str = ""

    @property
    def signals(self) -> Iterable[Signal]:
        """Every instance, in the order of the groups."""
        return (signal for group in self.groups.values() for signal in group.signals)


Detector: TypeAlias = Callable[[Sequence[Row]], Iterable[Signal]]
"""Looks at a whole window of rows; pure, and linear in their length."""
