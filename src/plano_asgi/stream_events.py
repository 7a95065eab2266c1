"""
What a stream says, event by event, in neutral form.

Every event may carry ``raw``: the decoded upstream event it came from. It is shared by all events
of that upstream event and set on the first of them only, so that a filter can patch in place.
Slotted and unvalidated, as in ``conversation``: a stream makes thousands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.conversation import Citation, FinishReason, OpaquePart, Usage


@dataclass(slots=True, kw_only=True)
class Started:
    """The upstream began its answer. Not content: a failure after it may still be retried."""

    id: str = ""
    model: str = ""
    created: int | None = None
    service_tier: str | None = None
    extras: JSONObject = field(default_factory=dict)
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class TextDelta:
    """
    More text. ``part`` numbers the parts of one choice in order of appearance, across all kinds
    (text, reasoning, tool call): a writer opens a new block whenever it changes.
    """

    text: str
    choice: int = 0
    part: int = 0
    channel: Literal["content", "refusal"] = "content"
    logprobs: list[JSONObject] | None = None
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class CitationAdded:
    """A citation of the text part ``part``."""

    citation: Citation
    choice: int = 0
    part: int = 0
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class ReasoningDelta:
    """
    More thinking. ``text`` may be empty where only ``signature`` / ``encrypted`` arrive, which
    come once, whole, at the end of their part (see ``ReasoningPart``).
    """

    text: str = ""
    choice: int = 0
    part: int = 0
    summary: bool = False
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None
    dialect: str = ""
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class ToolCallStarted:
    """A tool call begins. ``index`` counts the tool calls of one choice from 0, without gaps."""

    index: int
    id: str
    name: str
    choice: int = 0
    part: int = 0
    kind: Literal["function", "custom"] = "function"
    item_id: str | None = None
    extras: JSONObject = field(default_factory=dict)
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class ToolCallDelta:
    """More of the raw JSON arguments of tool call ``index``."""

    index: int
    arguments: str
    choice: int = 0
    part: int = 0
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class OpaqueAdded:
    """A whole block that only its dialect knows (a server tool's call or result, an image)."""

    block: OpaquePart
    choice: int = 0
    part: int = 0
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class Finished:
    """Choice ``choice`` is whole."""

    reason: FinishReason
    choice: int = 0
    stop_sequence: str | None = None
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class UsageReported:
    """Usage so far, cumulative: the last one counts."""

    usage: Usage
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class Failed:
    """The upstream reported an error inside its stream. Nothing comes after it."""

    error: Exception
    raw: Any = None


@dataclass(slots=True, kw_only=True)
class Ended:
    """
    The upstream's own end-of-answer mark (``[DONE]``, ``message_stop``, ``response.completed``).

    A stream that closes without it and without every choice ``Finished`` was cut.
    """

    raw: Any = None


StreamEvent: TypeAlias = (
    Started
    | TextDelta
    | CitationAdded
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallDelta
    | OpaqueAdded
    | Finished
    | UsageReported
    | Failed
    | Ended
)

CONTENT_EVENTS = (
    TextDelta,
    CitationAdded,
    ReasoningDelta,
    ToolCallStarted,
    ToolCallDelta,
    OpaqueAdded,
    Finished,
)
"""Events that commit an attempt: after the first of them nothing may be retried."""
