"""Messages, written: one neutral message may become several of chat, and several one."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
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
from plano_asgi.wire.foreign import OPENAI_DIALECTS, Refuse, tell_opaque
from plano_asgi.wire.openai_chat.fields import NAME, present, rest
from plano_asgi.wire.openai_chat.media import write_media
from plano_asgi.wire.openai_chat.reasoning import (
    REASONING_KEYS,
    write_reasoning,
    write_thinking_part,
)
from plano_asgi.wire.openai_chat.tools import write_tool_call

_LIFTED = "[The tool's answer is in the next user message.]"


class MessageWriter:
    """
    Write the messages of one request.

    Args:
        dialect: Of the request: a chat request's messages are written back as they came.
        refuse: Called with the path of what chat cannot express.
    """

    __slots__ = ("_lifted", "_out", "_own", "_refuse", "_shares_files")

    def __init__(self, dialect: str, refuse: Refuse) -> None:
        self._own = dialect == NAME
        self._shares_files = dialect in OPENAI_DIALECTS
        self._refuse = refuse
        self._out: list[JSONObject] = []
        self._lifted: list[JSONObject] = []

    def write(self, messages: Sequence[Message]) -> list[JSONObject]:
        """All of them, in order."""
        messages = messages if self._own else _joined(messages)
        for i, message in enumerate(messages):
            path = f"messages.{i}."
            if message.role == "tool":
                self._write_tool(message, path)
                continue
            self._flush_lifted()
            write = self._write_assistant if message.role == "assistant" else self._write_plain
            self._out.append(write(message, path))
        self._flush_lifted()
        return self._out

    def _write_plain(self, message: Message, path: str) -> JSONObject:
        content = self._content(message.parts, path, media=message.role == "user")
        written = {"role": message.role, "content": _content(content, own=self._own)}
        return written | self._common(message)

    def _common(self, message: Message) -> JSONObject:
        return present(name=message.name) | (message.extras if self._own else {})

    def _write_assistant(self, message: Message, path: str) -> JSONObject:
        written: JSONObject = {"role": "assistant"}
        content = self._content(message.parts, path, media=False)
        calls = [
            write_tool_call(part, own=self._own)
            for part in message.parts
            if isinstance(part, ToolCallPart)
        ]
        refusals = [part.text for part in message.parts if isinstance(part, RefusalPart)]
        audio = next((_audio(part) for part in message.parts if _audio(part)), None)
        others = present(refusal="".join(refusals) or None, audio=audio, tool_calls=calls or None)
        if content or not others:
            written["content"] = _content(content, own=self._own, joiner="")
        else:
            written["content"] = None
        written |= others | present(name=message.name)
        return written | (self._own_fields(message) if self._own else _thoughts(message))

    def _own_fields(self, message: Message) -> JSONObject:
        parts = [p for p in message.parts if isinstance(p, ReasoningPart) and p.raw is None]
        kept = {key: message.extras[key] for key in REASONING_KEYS if key in message.extras}
        return rest(message.extras, REASONING_KEYS) | write_reasoning(parts, kept)

    def _write_tool(self, message: Message, path: str) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        for i, result in enumerate(results):
            content = self._content(result.content, f"{path}parts.{i}.")
            if not self._own:
                content = self._without_media(content, result)
            written = {
                "role": "tool",
                "tool_call_id": result.call_id,
                "content": _content(content, own=self._own),
            }
            self._out.append(written | self._common(message))

    def _without_media(self, content: list[JSONObject], result: ToolResultPart) -> list[JSONObject]:
        media = [part for part in content if part["type"] != "text"]
        texts = [part["text"] for part in content if part["type"] == "text"]
        if media:
            self._lifted.append(_text(f"[Answer of tool call {result.call_id}]"))
            self._lifted += media
            texts = texts or [_LIFTED]
        text = "\n".join(texts)
        if result.is_error and not text.lower().startswith("error"):
            text = f"Error: {text}"
        return [_text(text)]

    def _flush_lifted(self) -> None:
        if self._lifted:
            self._out.append({"role": "user", "content": self._lifted})
            self._lifted = []

    # ------------------------------------------------------------------- content

    def _content(self, parts: Sequence[Part], path: str, *, media: bool = True) -> list[JSONObject]:
        """Content parts; *media* says whether chat takes other than text in this role."""
        content = []
        for i, part in enumerate(parts):
            where = f"{path}content.{i}"
            written = self._part(part, where)
            if written and not (self._own or media) and written["type"] != "text":
                self._refuse(where, "only text here")
                written = None
            if written is not None:
                content.append(written)
        return content

    def _part(self, part: Part, path: str) -> JSONObject | None:
        """A content part; ``None`` for what has a place elsewhere, or none."""
        match part:
            case TextPart():
                return _text(part.text) | (part.extras if self._own else {})
            case MediaPart():
                written = write_media(part, own=self._own, shares_files=self._shares_files)
                if written is None:
                    self._refuse(path, f"chat takes no {part.modality} given this way")
                return written
            case ReasoningPart() if self._own and part.raw is not None:
                return write_thinking_part(part)
            case OpaquePart() if part.dialect == NAME:
                return None if _audio(part) else part.raw
            case OpaquePart():
                text = tell_opaque(part, path, self._refuse)
                return _text(text) if text else None
        return None


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Neighbouring assistant messages as one where either calls tools."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is None or not (last.role == message.role == "assistant"):
            joined.append(message)
        elif _calls(last) or _calls(message):
            gap = [TextPart(text="\n\n")] if last.text and message.text else []
            joined[-1] = Message(role="assistant", parts=[*last.parts, *gap, *message.parts])
        else:
            joined.append(message)
    return joined


def _thoughts(message: Message) -> JSONObject:
    """What a chat upstream thought, which a client of another API kept for it."""
    parts = [p for p in message.parts if isinstance(p, ReasoningPart) and p.dialect == NAME]
    return write_reasoning(parts, {})


def _calls(message: Message) -> bool:
    return any(isinstance(part, ToolCallPart) for part in message.parts)


def _audio(part: Part) -> JSONObject | None:
    if isinstance(part, OpaquePart) and part.dialect == NAME and "type" not in part.raw:
        return part.raw.get("audio")
    return None


def _text(text: str) -> JSONObject:
    return {"type": "text", "text": text}


def _content(content: list[JSONObject], *, own: bool, joiner: str = "\n") -> str | list[JSONObject]:
    """Text alone is a string: not every upstream takes an array, least of all for each role."""
    if not content:
        return ""
    plain = all(part.keys() == {"type", "text"} and part["type"] == "text" for part in content)
    if plain and (len(content) == 1 or not own):
        return joiner.join(part["text"] for part in content)
    return content
