"""
The neutral forms every dialect is read into and written from.

Shapes follow OpenTelemetry GenAI messages (roles with parts). Nothing here knows a wire format;
a part that only one dialect can express travels as an ``OpaquePart`` of that dialect. Slotted and
unvalidated: reading a payload must stay cheap.

Provenance: ``dialect`` on a part names the wire dialect whose signature, ciphertext or raw object
it carries (``"anthropic.messages"``, ``"openai.responses"``, ...), so that a writer of another
dialect can tell what means nothing to its upstream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from plano_asgi._json import JSONObject

Role = Literal["system", "developer", "user", "assistant", "tool"]

FinishReason = Literal[
    "stop",  # natural end, or a stop sequence (then ``stop_sequence`` is set if known)
    "length",  # output token limit
    "tool_calls",
    "content_filter",  # cut by a filter
    "refusal",  # the model declined
    "pause",  # a server-tool turn that the client should continue (Anthropic pause_turn)
    "context_window",  # the context is full
    "error",
]

# --------------------------------------------------------------------------- parts


@dataclass(slots=True, kw_only=True)
class Citation:
    """One source of a passage. *raw* is the object as *dialect* spells it, written back as is."""

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    """The cited passage of the source."""
    start: int | None = None
    end: int | None = None
    """Character range of the answer text that the citation backs, where the dialect has one."""
    raw: JSONObject = field(default_factory=dict)
    dialect: str = ""


@dataclass(slots=True, kw_only=True)
class TextPart:
    """Text; in an answer with its citations. *extras* keeps unknown fields (cache_control, ...)."""

    text: str
    citations: list[Citation] = field(default_factory=list)
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RefusalPart:
    """The model's own refusal text (OpenAI ``refusal``); other dialects carry it as text."""

    text: str


@dataclass(slots=True, kw_only=True)
class ReasoningPart:
    """
    What the model thought, and the proof that it was this model.

    ``signature`` (Anthropic, Bedrock) signs ``text``; ``encrypted`` (Responses
    ``encrypted_content``, Anthropic ``redacted_thinking`` data) replaces it. Both only mean
    something to the family that made them, see ``dialect``. ``summary``: *text* is a summary
    made for people. ``id``: the item's id where the dialect has one.
    """

    text: str = ""
    summary: bool = False
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None
    dialect: str = ""
    raw: JSONObject | None = None


@dataclass(slots=True, kw_only=True)
class MediaPart:
    """
    An image, audio clip, video or document.

    Exactly one of ``data`` (base64 text, no ``data:`` prefix), ``url``, ``file_id`` or, for
    documents given inline, ``text``.
    """

    modality: Literal["image", "audio", "video", "document"]
    mime_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    text: str | None = None
    name: str | None = None
    detail: str | None = None
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ToolCallPart:
    """A call the model made. ``arguments`` is the raw JSON text (for a custom tool: its input)."""

    id: str
    name: str
    arguments: str = ""
    kind: Literal["function", "custom"] = "function"
    item_id: str | None = None
    """The output item's own id where the dialect has one beside the call id (Responses)."""
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ToolResultPart:
    """What a tool answered. ``content`` parts are text, media or opaque ones."""

    call_id: str
    content: list[Part] = field(default_factory=list)
    is_error: bool = False
    kind: Literal["function", "custom"] = "function"
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class OpaquePart:
    """A block or item that only *dialect* knows (server tools, search results, unknown types)."""

    dialect: str
    raw: JSONObject


Part: TypeAlias = (
    TextPart | RefusalPart | ReasoningPart | MediaPart | ToolCallPart | ToolResultPart | OpaquePart
)


@dataclass(slots=True, kw_only=True)
class Message:
    """
    One turn. Tool results are ``ToolResultPart`` in a message of role ``tool`` (a reader never
    leaves them in a user message; a writer of Anthropic or Bedrock merges adjacent ones).
    """

    role: Role
    parts: list[Part] = field(default_factory=list)
    name: str | None = None
    extras: JSONObject = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All text parts joined, without separators."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


# --------------------------------------------------------------------------- request


@dataclass(slots=True, kw_only=True)
class Tool:
    """
    A tool offered to the model.

    ``kind`` "function": ``parameters`` is a JSON schema. "custom": free-text input, ``raw`` has
    its format. "opaque": a server tool of ``dialect``, only ``raw`` counts.
    """

    name: str
    description: str | None = None
    parameters: JSONObject | None = None
    strict: bool | None = None
    kind: Literal["function", "custom", "opaque"] = "function"
    raw: JSONObject = field(default_factory=dict)
    dialect: str = ""
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ToolChoice:
    """
    ``mode`` "named" forces ``name``; "required" forces any tool; ``allowed`` narrows the set.

    ``mode`` "opaque": a choice only ``dialect`` knows, in ``raw``.
    """

    mode: Literal["auto", "none", "required", "named", "opaque"]
    name: str | None = None
    allowed: list[str] | None = None
    raw: JSONObject = field(default_factory=dict)
    dialect: str = ""


@dataclass(slots=True, kw_only=True)
class OutputFormat:
    """Structured output: free JSON, or JSON of a schema."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: JSONObject | None = None
    strict: bool | None = None
    description: str | None = None


@dataclass(slots=True, kw_only=True)
class Reasoning:
    """
    How much to think. ``effort`` is an open scale (none, minimal, low, medium, high, xhigh, max);
    ``budget_tokens`` Anthropic's; ``summary`` asks for a readable summary (auto, concise,
    detailed); ``enabled`` False switches thinking off where the dialect can say so;
    ``adaptive`` lets the model decide (Anthropic ``thinking.type: adaptive``);
    ``encrypted`` asks for replayable ciphertext (Responses ``include``).
    """

    effort: str | None = None
    budget_tokens: int | None = None
    summary: str | None = None
    enabled: bool | None = None
    adaptive: bool = False
    encrypted: bool = False
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ChatRequest:
    """
    One request for a chat answer, whatever API it came by.

    ``extras`` holds the fields that the reading dialect (``dialect``) does not model, verbatim. A
    writer of the *same* dialect puts them back; a writer of another one passes over those it
    knows to be safe to drop and raises ``UnsupportedField`` for the rest.
    """

    model: str
    messages: list[Message]
    dialect: str = ""
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    output_format: OutputFormat | None = None
    reasoning: Reasoning | None = None
    stream: bool = False
    include_usage: bool = False
    """The client asked for usage on its stream (chat ``stream_options.include_usage``)."""
    user: str | None = None
    metadata: JSONObject | None = None
    service_tier: str | None = None
    extras: JSONObject = field(default_factory=dict)


# --------------------------------------------------------------------------- response


@dataclass(slots=True, kw_only=True)
class Usage:
    """
    Tokens of one exchange. ``input_tokens`` *includes* cached and cache-creating ones,
    ``output_tokens`` includes reasoning. ``raw`` is the upstream's object, ``estimated`` says we
    counted because the upstream did not.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    estimated: bool = False
    raw: JSONObject = field(default_factory=dict)
    dialect: str = ""


class AnswerFacts(NamedTuple):
    """What an answer says of itself, beside what it says: "" and empty where it does not."""

    id: str = ""
    model: str = ""
    finish_reasons: tuple[FinishReason, ...] = ()
    """Of each choice, in their order."""
    usage: Usage | None = None


@dataclass(slots=True, kw_only=True)
class Choice:
    """One answer. ``logprobs`` are OpenAI chat ``logprobs.content`` entries."""

    index: int = 0
    parts: list[Part] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    stop_sequence: str | None = None
    logprobs: list[JSONObject] | None = None
    extras: JSONObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ChatResponse:
    """
    A whole answer. ``created`` is Unix seconds. ``extras`` keeps what the reader did not model,
    for a writer of the same dialect.
    """

    id: str = ""
    model: str = ""
    created: int | None = None
    choices: list[Choice] = field(default_factory=list)
    usage: Usage | None = None
    service_tier: str | None = None
    dialect: str = ""
    extras: JSONObject = field(default_factory=dict)
