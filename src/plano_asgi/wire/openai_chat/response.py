"""
Whole answers, both ways.

Unknown fields are kept for a client of the same dialect: those of the answer in
``ChatResponse.extras``, of a choice in ``Choice.extras``, of its message in
``Choice.extras["message"]``. Server-tool blocks of another dialect are left out, the text they led
to is there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject, dumps_str
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    Citation,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.errors import RequestError, UpstreamProtocolError
from plano_asgi.wire.openai_chat.fields import NAME, new_id, present, rest, text_of, unix_time
from plano_asgi.wire.openai_chat.finish import read_finish, write_finish
from plano_asgi.wire.openai_chat.media import read_content
from plano_asgi.wire.openai_chat.reasoning import REASONING_KEYS, read_reasoning, write_reasoning
from plano_asgi.wire.openai_chat.tools import (
    is_legacy,
    read_answered_call,
    write_tool_call,
)
from plano_asgi.wire.openai_chat.usage import read_usage, write_usage
from plano_asgi.wire.tools import Declared, as_declared, declared_tools

_RESPONSE_KEYS = frozenset({"id", "object", "created", "model", "choices", "usage", "service_tier"})
_CHOICE_KEYS = frozenset({"index", "message", "finish_reason"})
_MESSAGE_KEYS = frozenset(
    {"role", "content", "refusal", "annotations", "audio", "tool_calls", "function_call"}
)


# --------------------------------------------------------------------------- reading


def read_response(body: JSONObject) -> ChatResponse:
    """
    Read an answer.

    Raises:
        UpstreamProtocolError: There are no choices in it.
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(item, dict) for item in choices):
        raise UpstreamProtocolError("the upstream's answer has no choices")
    return ChatResponse(
        id=text_of(body.get("id")),
        model=text_of(body.get("model")),
        created=unix_time(body.get("created")),
        choices=[_read_choice(choice, i) for i, choice in enumerate(choices)],
        usage=read_usage(body.get("usage")),
        service_tier=text_of(body.get("service_tier")) or None,
        dialect=NAME,
        extras=rest(body, _RESPONSE_KEYS),
    )


def _read_choice(choice: JSONObject, position: int) -> Choice:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    index = choice.get("index")
    parts = _read_parts(message)
    extras = rest(choice, _CHOICE_KEYS)
    unknown = rest(message, _MESSAGE_KEYS)
    unknown = {key: value for key, value in unknown.items() if value or key not in REASONING_KEYS}
    if left := _cite(parts, message.get("annotations")):
        unknown["annotations"] = left
    if unknown:
        extras["message"] = unknown
    called = any(isinstance(part, ToolCallPart) for part in parts)
    return Choice(
        index=index if isinstance(index, int) else position,
        parts=parts,
        finish_reason=read_finish(choice, called=called),
        stop_sequence=text_of(choice.get("stop_reason")) or None,  # vLLM
        logprobs=_take_logprobs(extras),
        extras=extras,
    )


def _read_parts(message: JSONObject) -> list[Part]:
    parts: list[Part] = [*read_reasoning(message), *read_answer_content(message.get("content"))]
    if refusal := text_of(message.get("refusal")):
        parts.append(RefusalPart(text=refusal))
    if isinstance(audio := message.get("audio"), dict):
        parts.append(OpaquePart(dialect=NAME, raw={"audio": audio}))
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else ()
    parts += [read_answered_call(call) for call in calls if isinstance(call, dict)]
    if isinstance(call := message.get("function_call"), dict):
        parts.append(read_answered_call({"function": call}))
    return parts


def read_answer_content(content: Any) -> list[Part]:
    """
    An answer's content: text, parts (Mistral), or the decoded object of a JSON answer.

    Raises:
        UpstreamProtocolError: It is none of these.
    """
    if isinstance(content, dict):
        return [TextPart(text=dumps_str(content))]
    try:
        return read_content(content, "content")
    except RequestError as exc:
        raise UpstreamProtocolError(f"the upstream's answer is malformed: {exc}") from exc


def _cite(parts: list[Part], annotations: Any) -> list[JSONObject]:
    """Put URL citations on the text; return the annotations that are none."""
    text = next((part for part in parts if isinstance(part, TextPart)), None)
    left = []
    for annotation in annotations if isinstance(annotations, list) else ():
        citation = read_citation(annotation)
        if text is not None and citation is not None:
            text.citations.append(citation)
        else:
            left.append(annotation)
    return left


def read_citation(annotation: Any) -> Citation | None:
    """The citation in a ``url_citation`` annotation."""
    cited = annotation.get("url_citation") if isinstance(annotation, dict) else None
    if not isinstance(cited, dict):
        return None
    start, end = cited.get("start_index"), cited.get("end_index")
    return Citation(
        url=text_of(cited.get("url")) or None,
        title=text_of(cited.get("title")) or None,
        quote=text_of(cited.get("content")) or None,
        start=start if isinstance(start, int) else None,
        end=end if isinstance(end, int) else None,
        raw=annotation,
        dialect=NAME,
    )


def _take_logprobs(extras: JSONObject) -> list[JSONObject] | None:
    """Take the answer's token probabilities out of a choice's *extras*; others stay."""
    found = extras.pop("logprobs", None)
    if not isinstance(found, dict):
        return None
    others = {key: value for key, value in found.items() if key != "content" and value is not None}
    if others:
        extras["logprobs"] = others
    content = found.get("content")
    return content if isinstance(content, list) else None


# --------------------------------------------------------------------------- writing


def write_response(response: ChatResponse, request: ChatRequest) -> JSONObject:
    """Write an answer for the client of *request*; a missing id or time is made."""
    own = response.dialect == NAME
    writer = _AnswerWriter(own, is_legacy(request), declared_tools(request))
    body: JSONObject = {
        "id": response.id or new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()) if response.created is None else response.created,
        "model": response.model or request.model,
        "choices": [writer.choice(choice) for choice in response.choices],
    }
    usage = None if response.usage is None else write_usage(response.usage)
    body |= present(usage=usage, service_tier=response.service_tier)
    return body | (response.extras if own else {})


@dataclass(frozen=True, slots=True)
class _AnswerWriter:
    """*own*: extras are this dialect's and go back; *legacy*: the client speaks ``functions``."""

    own: bool
    legacy: bool
    declared: Mapping[str, Declared]

    def choice(self, choice: Choice) -> JSONObject:
        extras = dict(choice.extras) if self.own else {}
        unknown = extras.pop("message", {})
        others = extras.pop("logprobs", {})
        logprobs = {"content": choice.logprobs, "refusal": None, **others}
        return {
            "index": choice.index,
            "message": self._message(choice.parts, unknown),
            "logprobs": None if choice.logprobs is None and not others else logprobs,
            "finish_reason": write_finish(choice.finish_reason, legacy=self.legacy),
        } | extras

    def _message(self, parts: Sequence[Part], unknown: JSONObject) -> JSONObject:
        texts = [part for part in parts if isinstance(part, TextPart)]
        refusal = "".join(part.text for part in parts if isinstance(part, RefusalPart))
        audio = next(
            (p.raw["audio"] for p in parts if isinstance(p, OpaquePart) and is_audio(p)), None
        )
        content = "".join(part.text for part in texts)
        annotations = [*_annotations(texts), *unknown.get("annotations", ())]
        reasoning = write_reasoning(
            [part for part in parts if isinstance(part, ReasoningPart)],
            {key: unknown[key] for key in REASONING_KEYS if unknown.get(key)},
        )
        calls = self._calls(parts)
        silent = not content and (calls or refusal or audio)
        message: JSONObject = {
            "role": "assistant",
            "content": None if silent else content,
            "refusal": refusal or None,
        } | present(annotations=annotations or None, audio=audio)
        return message | calls | reasoning | rest(unknown, (*REASONING_KEYS, "annotations"))

    def _calls(self, parts: Sequence[Part]) -> JSONObject:
        calls = [
            write_tool_call(as_declared(part, self.declared), own=self.own)
            for part in parts
            if isinstance(part, ToolCallPart)
        ]
        function = calls[0].get("function") if calls and self.legacy else None
        if function:
            return {"function_call": function}
        return {"tool_calls": calls} if calls else {}


def is_audio(part: OpaquePart) -> bool:
    """Whether *part* is a chat answer's ``audio``."""
    return part.dialect == NAME and "audio" in part.raw and "type" not in part.raw


def _annotations(texts: Sequence[TextPart]) -> list[JSONObject]:
    written, start = [], 0
    for text in texts:
        end = start + len(text.text)
        written += [write_citation(citation, start, end) for citation in text.citations]
        start = end
    return [annotation for annotation in written if annotation]


def write_citation(citation: Citation, start: int, end: int) -> JSONObject | None:
    """
    An annotation; ``None`` where there is no URL to point to.

    *start* and *end* are the cited text part's range in the whole content.
    """
    if citation.dialect == NAME and citation.raw:
        return citation.raw
    if not citation.url:
        return None
    cited = {
        "url": citation.url,
        "title": citation.title or citation.url,
        "start_index": start if citation.start is None else start + citation.start,
        "end_index": end if citation.end is None else start + citation.end,
    }
    return {"type": "url_citation", "url_citation": cited}
