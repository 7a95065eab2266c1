"""
The conversation of an upstream request: ``system`` and alternating turns.

Rules of the API that other dialects do not have, and what is done about them:

* System text stands before the conversation. Leading system and developer messages become
  ``system`` blocks in their order; one in the middle becomes text of a user turn inside
  ``<system-reminder>`` (what Claude Code does: its models know it), because only few models take
  ``role: system`` there. A request of this dialect keeps its own.
* Turns of one role are merged; all tool results of a user turn come first in it.
* Empty text is refused: such blocks, and turns left empty, are left out. Of other dialects' text
  also what is nothing but white space, and the white space at the end of a prefill.
* Thinking is only written where its signature comes from Claude (``NATIVE_REASONING``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.anthropic_messages.blocks import (
    NAME,
    NATIVE_REASONING,
    call_block,
    clean_id,
    native_thinking,
    text_block,
)
from plano_asgi.wire.anthropic_messages.media import media_block
from plano_asgi.wire.base import WriteOptions

_INSTRUCTING = ("system", "developer")
_SAFE_ITEMS = frozenset({"web_search_call", "cachePoint"})
"""
What other dialects' histories may lose: a search, told by the text after it (Responses), and a
cache point that follows nothing which could carry its mark (Bedrock).
"""


@dataclass(slots=True)
class Turn:
    """One message on the wire. *role* is the neutral role it came from last."""

    role: str
    blocks: list[JSONObject]
    extras: JSONObject = field(default_factory=dict)

    def written(self) -> JSONObject:
        """The message object; a lone plain text is written as the string it stands for."""
        role = "user" if self.role == "tool" else self.role
        return {"role": role, "content": short_content(self.blocks), **self.extras}


def short_content(blocks: list[JSONObject]) -> list[JSONObject] | str:
    """*blocks*, or the string the API takes as shorthand for one plain text block."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} and blocks[0]["type"] == "text":
        return str(blocks[0]["text"])
    return blocks


class ConversationWriter:
    """Writes the messages of one request."""

    def __init__(self, request: ChatRequest, options: WriteOptions) -> None:
        self._messages = request.messages
        self._native = request.dialect == NAME
        self._drop = options.on_unsupported == "drop"

    def write(self) -> tuple[list[JSONObject], list[Turn]]:
        """
        The ``system`` blocks and the turns.

        Raises:
            UnsupportedField: Content the API has no block for.
            RequestError: Tool call arguments that are not a JSON object.
        """
        system: list[JSONObject] = []
        turns: list[Turn] = []
        for index, message in enumerate(self._messages):
            blocks = self._blocks(message, f"messages.{index}.content")
            if message.role in _INSTRUCTING and not turns:
                system += blocks
            elif blocks:
                self._add(turns, self._turn(message, blocks))
        for turn in turns:
            if turn.role in ("user", "tool"):
                turn.blocks.sort(key=lambda block: block["type"] != "tool_result")
        if not self._native:
            _trim_prefill(turns)
        return system, turns

    def _turn(self, message: Message, blocks: list[JSONObject]) -> Turn:
        if message.role == "developer" or (message.role == "system" and not self._native):
            return Turn("user", [_reminder(blocks)])
        if self._native:
            return Turn(message.role, blocks, dict(message.extras))
        return Turn("user" if message.role == "tool" else message.role, blocks)

    def _add(self, turns: list[Turn], turn: Turn) -> None:
        last = turns[-1] if turns else None
        # A reader of this dialect splits tool results off their turn: that much is undone here.
        mates = ("tool", "user") if self._native else (turn.role, turn.role)
        if last is not None and (last.role, turn.role) == mates:
            last.role = turn.role
            last.blocks += turn.blocks
            last.extras |= turn.extras
        else:
            turns.append(turn)

    def _blocks(self, message: Message, path: str) -> list[JSONObject]:
        blocks: list[JSONObject] = []
        for index, part in enumerate(message.parts):
            block = self._block(part, f"{path}.{index}")
            if block is not None:
                blocks.append(block)
        if blocks and not self._native and (cached := message.extras.get("cache_control")):
            blocks[-1].setdefault("cache_control", cached)
        if message.role in _INSTRUCTING and not self._native:
            return self._only_text(blocks, path)
        return blocks

    def _only_text(self, blocks: list[JSONObject], path: str) -> list[JSONObject]:
        kept = [block for block in blocks if block["type"] == "text"]
        if len(kept) < len(blocks) and not self._drop:
            raise UnsupportedField(path, NAME, "instructions are text only")
        return kept

    def _block(self, part: Part, path: str) -> JSONObject | None:
        match part:
            case TextPart():
                if not (part.text if self._native else part.text.strip()):
                    return None
                citations = part.citations if self._native else []
                return text_block(part.text, citations, self._kept(part.extras))
            case RefusalPart():
                return text_block(part.text, [], {}) if part.text.strip() else None
            case ReasoningPart():
                return native_thinking(part) if part.dialect in NATIVE_REASONING else None
            case MediaPart():
                return self._media(part, path)
            case ToolCallPart():
                return self._call(part, path)
            case ToolResultPart():
                return self._result(part, path)
        return self._opaque(part, path)

    def _kept(self, extras: JSONObject) -> JSONObject:
        """Unknown fields of this dialect; of others only the cache mark, which is Anthropic's."""
        if self._native:
            return extras
        return {key: value for key, value in extras.items() if key == "cache_control"}

    def _media(self, part: MediaPart, path: str) -> JSONObject | None:
        try:
            kept = self._kept(part.extras)
            return media_block(part, path, native=self._native, extras=kept)
        except UnsupportedField:
            if self._drop:
                return None
            raise

    def _call(self, part: ToolCallPart, path: str) -> JSONObject:
        try:
            return call_block(part, clean_id(part.id), self._kept(part.extras))
        except ValueError as exc:
            param = f"{path}.arguments"
            reason = f"the arguments of tool call '{part.name}' are not a JSON object"
            raise RequestError(f"{param}: {reason}", param=param) from exc

    def _result(self, part: ToolResultPart, path: str) -> JSONObject:
        written: JSONObject = {"type": "tool_result", "tool_use_id": clean_id(part.call_id)}
        blocks = [self._block(inner, f"{path}.content.{i}") for i, inner in enumerate(part.content)]
        if content := short_content([block for block in blocks if block is not None]):
            written["content"] = content
        if part.is_error:
            written["is_error"] = True
        return written | self._kept(part.extras)

    def _opaque(self, part: OpaquePart, path: str) -> JSONObject | None:
        if part.dialect == NAME:
            return part.raw
        kind = part.raw.get("type") or next(iter(part.raw), "block")  # Bedrock's type is a key
        if self._drop or kind in _SAFE_ITEMS:
            return None
        raise UnsupportedField(path, NAME, f"a '{kind}' of another API")


def bare_loop(turns: list[Turn]) -> bool:
    """Whether the conversation waits on tool results whose calls have no thinking before them."""
    if len(turns) < 2 or turns[-1].role != "user":
        return False
    asked, answered = turns[-2].blocks, turns[-1].blocks
    loops = answered[0]["type"] == "tool_result"
    return loops and asked[0]["type"] not in ("thinking", "redacted_thinking")


def _reminder(blocks: list[JSONObject]) -> JSONObject:
    text = "\n".join(str(block["text"]) for block in blocks)
    wrapped = f"<system-reminder>\n{text}\n</system-reminder>"
    marks = [block["cache_control"] for block in blocks if "cache_control" in block]
    return text_block(wrapped, [], {"cache_control": marks[-1]} if marks else {})


def _trim_prefill(turns: list[Turn]) -> None:
    """The API refuses a conversation that ends with white space of the assistant's."""
    if turns and turns[-1].role == "assistant" and turns[-1].blocks[-1]["type"] == "text":
        last = turns[-1].blocks[-1]
        last["text"] = str(last["text"]).rstrip()
