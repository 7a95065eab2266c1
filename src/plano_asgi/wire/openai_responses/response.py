"""Whole answers: output items become the parts of one choice, and parts become output items."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    FinishReason,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
)
from plano_asgi.errors import RequestError, UpstreamProtocolError
from plano_asgi.wire.openai_responses.check import typed
from plano_asgi.wire.openai_responses.echo import (
    CLIENT_STATE,
    asked,
    echo,
    outcome,
    read_usage,
    write_tier,
    write_usage,
)
from plano_asgi.wire.openai_responses.items import read_call
from plano_asgi.wire.openai_responses.names import NAME, new_id
from plano_asgi.wire.openai_responses.parts import read_content, write_citation
from plano_asgi.wire.openai_responses.reasoning import read_reasoning, write_output
from plano_asgi.wire.tools import Declared, custom_input, declared_tools

_MODELLED = frozenset({"id", "object", "model", "created_at", "output", "usage", "service_tier"})

_INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "steered": "stop",
}
_FINISHES: dict[str, FinishReason] = {
    "completed": "stop",
    "failed": "error",
    "cancelled": "error",
}


# --------------------------------------------------------------------------- read


def read_response(body: JSONObject) -> ChatResponse:
    """See ``Dialect.read_response``."""
    output = body.get("output")
    if not isinstance(output, list):
        raise UpstreamProtocolError("the upstream's answer is no response: it has no output")
    try:
        parts = [part for i, item in enumerate(output) for part in read_output(item, f"output.{i}")]
    except RequestError as exc:
        raise UpstreamProtocolError(f"the upstream's answer is malformed: {exc}") from exc
    tier = body.get("service_tier")
    logprobs = [entry for part in parts for entry in _logprobs(part)]
    choice = Choice(
        parts=parts,
        finish_reason=finish_reason(body, calls=any(isinstance(p, ToolCallPart) for p in parts)),
        logprobs=logprobs or None,
    )
    return ChatResponse(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        created=unix_seconds(body.get("created_at")),
        choices=[choice],
        usage=read_usage(body.get("usage")),
        service_tier=tier if isinstance(tier, str) else None,
        dialect=NAME,
        extras={key: value for key, value in body.items() if key not in _MODELLED},
    )


def read_output(item: object, param: str) -> list[Part]:
    """The parts of one output item."""
    raw = typed(item, dict, param)
    reader = _READERS.get(str(raw.get("type")))
    return reader(raw, param) if reader else [OpaquePart(dialect=NAME, raw=raw)]


def _read_message(item: JSONObject, param: str) -> list[Part]:
    parts = read_content(item.get("content") or [], f"{param}.content", "output_text")
    if parts and isinstance(parts[0], TextPart):
        mark = {key: value for key, value in item.items() if key not in ("content", "role")}
        parts[0].extras[NAME] = mark
    return parts


_READERS: dict[str, Callable[[JSONObject, str], list[Part]]] = {
    "message": _read_message,
    "reasoning": lambda item, _: [read_reasoning(item)],
    "function_call": lambda item, param: [read_call(item, param)],
    "custom_tool_call": lambda item, param: [read_call(item, param)],
}


def finish_reason(response: JSONObject, *, calls: bool) -> FinishReason | None:
    """Why a *response* object ended; ``None`` while it is queued or in progress."""
    status = str(response.get("status", "completed"))
    if status == "incomplete":
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _INCOMPLETE.get(str(reason), "length")
    if status == "completed" and calls:
        return "tool_calls"
    return _FINISHES.get(status)


def unix_seconds(value: object) -> int | None:
    """A ``created_at``, which some upstreams send with a fraction."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _logprobs(part: Part) -> list[JSONObject]:
    entries = part.extras.get("logprobs") if isinstance(part, TextPart) else None
    return entries if isinstance(entries, list) else []


# --------------------------------------------------------------------------- write


def write_response(response: ChatResponse, request: ChatRequest) -> JSONObject:
    """See ``Dialect.write_response``."""
    own = response.dialect == NAME
    choice = response.choices[0] if response.choices else Choice()
    now = int(time.time())
    created = now if response.created is None else response.created
    # An upstream of this API is asked for its answers by its own ids, whatever they look like.
    id = response.id if own else response_id(response.id)
    body = response_head(request, id, response.model, created)
    end = outcome(choice.finish_reason)
    body |= {"completed_at": max(now, created) if end.status == "completed" else None}
    said = asked(request)
    if own:
        body |= response.extras | {key: said[key] for key in CLIENT_STATE & said.keys()}
    body |= write_tier(response.service_tier)
    has_calls = any(isinstance(part, ToolCallPart) for part in choice.parts)
    if not own or finish_reason(response.extras, calls=has_calls) != choice.finish_reason:
        body |= end.fields()
    body["output"] = write_output_items(choice, declared_tools(request), own=own)
    body["usage"] = write_usage(response.usage)
    return body


def response_head(request: ChatRequest, id: str, model: str, created: int) -> JSONObject:
    """A response object without output: identity and echo. An empty *id* is made up."""
    return {
        "id": id or new_id("resp"),
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "model": model or request.model,
        "output": [],
    } | echo(request)


def response_id(id: str) -> str:
    """*id* if it is one of this API, else "" (to have one made)."""
    return id if id.startswith("resp_") else ""


def write_output_items(
    choice: Choice, declared: dict[str, Declared], *, own: bool
) -> list[JSONObject]:
    """The ``output`` of one choice; *own*: its parts were read from this dialect."""
    items: list[JSONObject] = []
    incomplete = outcome(choice.finish_reason).status == "incomplete"
    runs = groupby(_message_runs(choice.parts), key=lambda pair: pair[0])
    for run, pairs in runs:
        parts = [part for _, part in pairs]
        if run >= 0:
            items.append(_message_item(parts, choice, own=own))
            continue
        items += [item for part in parts if (item := _output_item(part, declared, own=own))]
    if incomplete and items and not own and items[-1]["type"] in ("message", "function_call"):
        items[-1]["status"] = "incomplete"
    return items


def _message_runs(parts: Sequence[Part]) -> list[tuple[int, Part]]:
    """Parts with the number of their message item; -1 for parts that are items of their own."""
    numbered: list[tuple[int, Part]] = []
    run, inside = -1, False
    for part in parts:
        content = isinstance(part, TextPart | RefusalPart)
        if content and (not inside or (isinstance(part, TextPart) and NAME in part.extras)):
            run += 1
        inside = content
        numbered.append((run if content else -1, part))
    return numbered


def _message_item(parts: Sequence[Part], choice: Choice, *, own: bool) -> JSONObject:
    item: JSONObject = {"id": new_id("msg"), "type": "message", "status": "completed"}
    first = parts[0]
    if own and isinstance(first, TextPart):
        item |= first.extras.get(NAME, {})
    item |= {"role": "assistant", "content": [_content(part, own=own) for part in parts]}
    texts = [each for each in item["content"] if each["type"] == "output_text"]
    if choice.logprobs and texts and not any(each["logprobs"] for each in texts):
        texts[0]["logprobs"] = [full_logprob(entry) for entry in choice.logprobs]
    return item


def _content(part: Part, *, own: bool) -> JSONObject:
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, TextPart)
    extras = {k: v for k, v in part.extras.items() if k != NAME} if own else {}
    return (
        {"logprobs": []}
        | extras
        | {
            "type": "output_text",
            "text": part.text,
            "annotations": [write_citation(each, part.text) for each in part.citations],
        }
    )


def full_logprob(entry: JSONObject) -> JSONObject:
    """A chat ``logprobs`` entry with every field that this API's has."""
    top: list[JSONObject] = [
        {"bytes": []} | _without_null(each) for each in entry.get("top_logprobs") or ()
    ]
    return {"bytes": []} | _without_null(entry) | {"top_logprobs": top}


def _without_null(entry: JSONObject) -> JSONObject:
    return {key: value for key, value in entry.items() if value is not None}


def _output_item(part: Part, declared: dict[str, Declared], *, own: bool) -> JSONObject | None:
    match part:
        case ReasoningPart():
            return write_output(part)
        case ToolCallPart():
            return call_item(part, declared.get(part.name, Declared()), own=own)
        case OpaquePart(dialect=dialect, raw=raw) if dialect == NAME:
            return raw
        case MediaPart(modality="image", data=str(data)):
            return {
                "id": new_id("ig"),
                "type": "image_generation_call",
                "status": "completed",
                "result": data,
            }
    return None  # other dialects' server-tool blocks: no client of this one can have asked for them


def call_item(part: ToolCallPart, declared: Declared, *, own: bool) -> JSONObject:
    """The output item of a call, in the shape in which the client *declared* the tool."""
    custom = part.kind == "custom" or declared.custom
    item: JSONObject = {
        "id": (own and part.item_id) or new_id("ctc" if custom else "fc"),
        "type": "custom_tool_call" if custom else "function_call",
        "status": "completed",
        "call_id": part.id,
        "name": part.name,
    }
    if declared.namespace is not None:
        item["namespace"] = declared.namespace
    if not custom:
        item["arguments"] = part.arguments or "{}"
    else:
        item["input"] = part.arguments if part.kind == "custom" else custom_input(part.arguments)
    return item | part.extras if own else item
