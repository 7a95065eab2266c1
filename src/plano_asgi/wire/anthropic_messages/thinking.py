"""
Thinking and effort: Anthropic's ``thinking`` and ``output_config.effort``, and how the effort
scale of other dialects is said with them.

Claude models up to the 4.5 generation take ``{"type": "enabled", "budget_tokens": N}`` only, the
later ones ``{"type": "adaptive"}`` with ``output_config.effort`` (a budget is answered with a
400 from Opus 4.7 on). Other models behind this API know budgets.

Source: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, Reasoning
from plano_asgi.wire.anthropic_messages.blocks import NAME
from plano_asgi.wire.anthropic_messages.fields import optional, require, rest
from plano_asgi.wire.base import WriteOptions

EFFORT_BUDGETS = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 49152,
}
"""``budget_tokens`` for an effort; with the default room for the answer all stay under 64k."""

MIN_BUDGET = 1024
_DEFAULT_EFFORT = "medium"
_EFFORT_NAMES = {"minimal": "low"}  # what the scale of ``output_config.effort`` lacks

_BUDGET_GENERATION = re.compile(
    r"claude-(?:instant|v?2|3)|claude-(?:opus|sonnet|haiku)-4(?:[-.@](?:[015](?!\d)|20\d{6})|:|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """What a request says about thinking, and the limit that has to hold it."""

    max_tokens: int
    thinking: JSONObject | None = None
    effort: str | None = None

    @property
    def on(self) -> bool:
        """Whether sampling fields have to give way."""
        return self.thinking is not None and self.thinking.get("type") in ("enabled", "adaptive")


def read_reasoning(thinking: JSONObject | None, effort: str | None) -> Reasoning | None:
    """
    ``thinking`` (enabled, adaptive, disabled; unknown types keep their object) with the effort.

    Raises:
        RequestError: A field of the wrong type.
    """
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    kind = require(thinking, "type", str, "thinking")
    known = {"enabled": "enabled", "adaptive": "enabled", "disabled": "disabled"}.get(kind)
    return Reasoning(
        effort=effort,
        enabled=known == "enabled",
        adaptive=kind == "adaptive",
        budget_tokens=optional(thinking, "budget_tokens", int, "thinking"),
        extras=rest(thinking, "budget_tokens", *(["type"] if known else [])),
    )


def plan_thinking(
    request: ChatRequest, options: WriteOptions, *, forced: bool, bare_loop: bool
) -> Thinking:
    """
    Decide ``max_tokens``, ``thinking`` and effort of an upstream request.

    A request of this dialect says them itself. For others, a forced tool choice wins over
    thinking (the API refuses both together), and so does a *bare_loop*: tool results whose
    calls stand without the thinking before them, which a budgeted request may not continue.

    Args:
        forced: ``tool_choice`` forces a call.
        bare_loop: The last assistant turn calls tools without starting with thinking.
    """
    reasoning, limit = request.reasoning, request.max_output_tokens
    if reasoning is None:
        return Thinking(max_tokens=limit or options.default_max_output_tokens)
    if request.dialect == NAME:
        written = _own(reasoning)
        room = options.default_max_output_tokens + (reasoning.budget_tokens or 0)
        return Thinking(max_tokens=limit or room, thinking=written, effort=reasoning.effort)
    fallback = limit or options.default_max_output_tokens
    if reasoning.enabled is False or reasoning.effort == "none":
        return Thinking(max_tokens=fallback, thinking={"type": "disabled"})
    if not (reasoning.enabled or reasoning.effort or reasoning.budget_tokens):
        return Thinking(max_tokens=fallback)
    if reasoning.adaptive or thinks_adaptively(request.model):
        # Newer models leave the thoughts out of the answer unless asked for.
        shown = None if forced else {"type": "adaptive", "display": "summarized"}
        return Thinking(max_tokens=fallback, thinking=shown, effort=_effort(reasoning))
    if forced or bare_loop:
        return Thinking(max_tokens=fallback)
    return _budgeted(reasoning, limit, options)


def thinks_adaptively(model: str) -> bool:
    """Whether *model* (any vendor's spelling) takes effort instead of a thinking budget."""
    return "claude" in model and _BUDGET_GENERATION.search(model) is None


def _own(reasoning: Reasoning) -> JSONObject | None:
    if reasoning.enabled is None:
        return None
    on = "adaptive" if reasoning.adaptive else "enabled"
    written: JSONObject = {"type": on if reasoning.enabled else "disabled"}
    if reasoning.budget_tokens is not None:
        written["budget_tokens"] = reasoning.budget_tokens
    return written | reasoning.extras


def _effort(reasoning: Reasoning) -> str | None:
    """The effort asked for; for a bare budget the one whose budget is nearest."""
    effort, budget = reasoning.effort, reasoning.budget_tokens
    if effort is None and budget is not None:
        effort = min(EFFORT_BUDGETS, key=lambda name: abs(EFFORT_BUDGETS[name] - budget))
    return _EFFORT_NAMES.get(effort, effort) if effort else None


def _budgeted(reasoning: Reasoning, limit: int | None, options: WriteOptions) -> Thinking:
    """Thinking counts against ``max_tokens``: at least a quarter of it is left for the answer."""
    effort = reasoning.effort or _DEFAULT_EFFORT
    wanted = reasoning.budget_tokens or EFFORT_BUDGETS.get(effort, EFFORT_BUDGETS[_DEFAULT_EFFORT])
    budget = max(wanted, MIN_BUDGET) if limit is None else min(wanted, limit * 3 // 4)
    max_tokens = limit or options.default_max_output_tokens + budget
    if budget < MIN_BUDGET:
        return Thinking(max_tokens=max_tokens)
    return Thinking(max_tokens=max_tokens, thinking={"type": "enabled", "budget_tokens": budget})
