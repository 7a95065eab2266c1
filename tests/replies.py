"""
Small canonical answers of every dialect, for the scripted upstream.

A stream is scripted by its pieces: text, a ``Tool`` call, and between them any step (a gate to
wait for, ``HANG``, ``CUT``, ``RESET``), so that a test reads as the story it tells:
``chat_stream(["Hel", gate, "lo", RESET])``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from script import Reply, Step

Blob: TypeAlias = dict[str, Any]


class Tool(NamedTuple):
    """A tool call of an answer; *arguments* is JSON text."""

    id: str = "call_1"
    name: str = "get_weather"
    arguments: str = '{"city":"Paris"}'


Piece: TypeAlias = str | Tool | Step
Usage: TypeAlias = tuple[int, int]
"""Input tokens, output tokens."""

SSE = {"content-type": "text/event-stream"}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sse(data: object, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return head.encode() + b"data: " + _json(data) + b"\n\n"


def _typed(data: Blob) -> bytes:
    return _sse(data, data["type"])


def _halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def _tools(pieces: Sequence[Piece]) -> list[Tool]:
    return [piece for piece in pieces if isinstance(piece, Tool)]


def error_reply(
    status: int = 429,
    message: str = "slow down",
    *,
    dialect: str = "openai.chat",
    type: str = "rate_limit_error",
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error as *dialect*'s upstream words it."""
    bodies: dict[str, Blob] = {
        "anthropic.messages": {"type": "error", "error": {"type": type, "message": message}},
        "bedrock.converse": {"message": message},
    }
    openai = {"error": {"message": message, "type": type, "param": None, "code": code}}
    return Reply(status=status, headers=headers or {}, body=_json(bodies.get(dialect, openai)))


# --------------------------------------------------------------------------- openai.chat


def chat_reply(
    text: str | None = "Hello!",
    *tools: Tool,
    model: str = "gpt-4o-mini",
    finish_reason: str | None = None,
    usage: Usage = (10, 5),
) -> Reply:
    """A whole chat completion."""
    message: Blob = {"role": "assistant", "content": text, "refusal": None}
    if tools:
        message["tool_calls"] = [_chat_tool(tool) for tool in tools]
    finish_reason = finish_reason or ("tool_calls" if tools else "stop")
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": model}
    return Reply(body=_json({**head, "choices": [choice], "usage": _chat_usage(usage)}))


def chat_stream(
    pieces: Sequence[Piece] = ("Hel", "lo!"),
    *,
    model: str = "gpt-4o-mini",
    finish_reason: str | None = None,
    usage: Usage | None = (10, 5),
    done: bool = True,
) -> Reply:
    """A streamed chat completion; *usage* None leaves the usage chunk out, *done* the end mark."""
    kind = "chat.completion.chunk"
    head = {"id": "chatcmpl-1", "object": kind, "created": 1700000000, "model": model}

    def chunk(delta: Blob, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _sse({**head, "choices": [choice]})

    def steps() -> Iterator[Step]:
        yield chunk({"role": "assistant", "content": ""})
        tools = 0
        for piece in pieces:
            if isinstance(piece, str):
                yield chunk({"content": piece})
            elif isinstance(piece, Tool):
                start = _chat_tool(piece._replace(arguments=""))
                yield chunk({"tool_calls": [{"index": tools, **start}]})
                for part in _halves(piece.arguments):
                    delta = {"index": tools, "function": {"arguments": part}}
                    yield chunk({"tool_calls": [delta]})
                tools += 1
            else:
                yield piece
        yield chunk({}, finish_reason or ("tool_calls" if tools else "stop"))
        if usage:
            yield _sse({**head, "choices": [], "usage": _chat_usage(usage)})
        if done:
            yield b"data: [DONE]\n\n"

    return Reply(headers=SSE, body=list(steps()))


def _chat_tool(tool: Tool) -> Blob:
    function = {"name": tool.name, "arguments": tool.arguments}
    return {"id": tool.id, "type": "function", "function": function}


def _chat_usage(usage: Usage) -> Blob:
    return {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "total_tokens": sum(usage),
        "prompt_tokens_details": {"cached_tokens": 0},
    }


# --------------------------------------------------------------------------- anthropic.messages


def anthropic_reply(
    text: str | None = "Hello!",
    *tools: Tool,
    model: str = "claude-sonnet-4-5",
    stop_reason: str | None = None,
    usage: Usage = (10, 5),
) -> Reply:
    """A whole Anthropic message."""
    content: list[Blob] = [{"type": "text", "text": text}] if text is not None else []
    content += [_anthropic_tool(tool, json.loads(tool.arguments)) for tool in tools]
    stop_reason = stop_reason or ("tool_use" if tools else "end_turn")
    message = _anthropic_message(model, usage)
    return Reply(body=_json({**message, "content": content, "stop_reason": stop_reason}))


def anthropic_stream(
    pieces: Sequence[Piece] = ("Hel", "lo!"),
    *,
    model: str = "claude-sonnet-4-5",
    stop_reason: str | None = None,
    usage: Usage = (10, 5),
) -> Reply:
    """A streamed Anthropic message; neighbouring texts share one content block."""

    def block(index: int, kind: str, **fields: object) -> bytes:
        return _typed({"type": f"content_block_{kind}", "index": index, **fields})

    def steps() -> Iterator[Step]:
        yield _typed({"type": "message_start", "message": _anthropic_message(model, (usage[0], 1))})
        yield _typed({"type": "ping"})
        for mark, index, value in _blocks(pieces):
            if mark == "step":
                yield value
            elif mark == "start":
                text = {"type": "text", "text": ""}
                empty = _anthropic_tool(value, {}) if value else text
                yield block(index, "start", content_block=empty)
            elif mark == "stop":
                yield block(index, "stop")
            else:
                kind, key = ("text_delta", "text") if mark == "text" else _INPUT_DELTA
                yield block(index, "delta", delta={"type": kind, key: value})
        reason = stop_reason or ("tool_use" if _tools(pieces) else "end_turn")
        delta = {"stop_reason": reason, "stop_sequence": None}
        total = {"output_tokens": usage[1]}
        yield _typed({"type": "message_delta", "delta": delta, "usage": total})
        yield _typed({"type": "message_stop"})

    return Reply(headers=SSE, body=list(steps()))


_INPUT_DELTA = ("input_json_delta", "partial_json")


def _blocks(pieces: Sequence[Piece]) -> Iterator[tuple[str, int, Any]]:
    """
    Cut *pieces* into content blocks, as Anthropic and Bedrock stream them.

    Yields ``start`` (with the tool, or None for text), ``text`` and ``arguments`` deltas, ``stop``,
    and ``step`` for what is not content; each with its block index.
    """
    index, in_text = 0, False
    for piece in pieces:
        if isinstance(piece, str):
            if not in_text:
                yield "start", index, None
                in_text = True
            yield "text", index, piece
        elif isinstance(piece, Tool):
            if in_text:
                yield "stop", index, None
                index, in_text = index + 1, False
            yield "start", index, piece
            for part in _halves(piece.arguments):
                yield "arguments", index, part
            yield "stop", index, None
            index += 1
        else:
            yield "step", index, piece
    if in_text:
        yield "stop", index, None


def _anthropic_message(model: str, usage: Usage) -> Blob:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }


def _anthropic_tool(tool: Tool, arguments: Blob) -> Blob:
    return {"type": "tool_use", "id": tool.id, "name": tool.name, "input": arguments}


# --------------------------------------------------------------------------- openai.responses


def responses_reply(
    text: str | None = "Hello!",
    *tools: Tool,
    model: str = "gpt-4o-mini",
    usage: Usage = (10, 5),
    id: str = "resp_1",
) -> Reply:
    """A whole answer of the Responses API."""
    output = [_responses_message(text)] if text is not None else []
    output += [_responses_call(tool, number) for number, tool in enumerate(tools)]
    return Reply(body=_json(_response(id, model, "completed", output, usage)))


def responses_stream(
    pieces: Sequence[Piece] = ("Hel", "lo!"),
    *,
    model: str = "gpt-4o-mini",
    usage: Usage = (10, 5),
    id: str = "resp_1",
) -> Reply:
    """A streamed answer of the Responses API: one message item, then the tool calls."""
    steps: list[Step] = []
    output: list[Blob] = []

    def say(type: str, **fields: object) -> None:
        number = sum(isinstance(step, bytes) for step in steps)
        steps.append(_typed({"type": f"response.{type}", "sequence_number": number, **fields}))

    for state in ("created", "in_progress"):
        say(state, response=_response(id, model, "in_progress", [], None))
    texts = [piece for piece in pieces if not isinstance(piece, Tool)]
    if any(isinstance(piece, str) for piece in texts):
        output.append(_say_message(texts, say, steps))
    else:
        steps += [piece for piece in texts if not isinstance(piece, str)]
    for number, tool in enumerate(_tools(pieces)):
        output.append(_say_call(tool, number, len(output), say))
    say("completed", response=_response(id, model, "completed", output, usage))
    return Reply(headers=SSE, body=steps)


def _say_message(texts: Sequence[str | Step], say: Callable[..., None], steps: list[Step]) -> Blob:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = _responses_message("".join(piece for piece in texts if isinstance(piece, str)))
    part = whole["content"][0]
    empty = {**whole, "status": "in_progress", "content": []}
    say("output_item.added", output_index=0, item=empty)
    say("content_part.added", **at, part={**part, "text": ""})
    for piece in texts:
        if isinstance(piece, str):
            say("output_text.delta", **at, delta=piece, logprobs=[])
        else:
            steps.append(piece)
    say("output_text.done", **at, text=part["text"], logprobs=[])
    say("content_part.done", **at, part=part)
    say("output_item.done", output_index=0, item=whole)
    return whole


def _say_call(tool: Tool, number: int, index: int, say: Callable[..., None]) -> Blob:
    item = _responses_call(tool, number)
    at = {"item_id": item["id"], "output_index": index}
    empty = {**item, "status": "in_progress", "arguments": ""}
    say("output_item.added", output_index=index, item=empty)
    for part in _halves(tool.arguments):
        say("function_call_arguments.delta", **at, delta=part)
    say("function_call_arguments.done", **at, arguments=tool.arguments)
    say("output_item.done", output_index=index, item=item)
    return item


def _response(id: str, model: str, status: str, output: list[Blob], usage: Usage | None) -> Blob:
    return {
        "id": id,
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage
        and {
            "input_tokens": usage[0],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage[1],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(usage),
        },
    }


def _responses_message(text: str) -> Blob:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    head = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {**head, "content": [part]}


def _responses_call(tool: Tool, number: int) -> Blob:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": tool.id,
        "name": tool.name,
        "arguments": tool.arguments,
        "status": "completed",
    }


# --------------------------------------------------------------------------- bedrock.converse


def bedrock_reply(
    text: str | None = "Hello!",
    *tools: Tool,
    stop_reason: str | None = None,
    usage: Usage = (10, 5),
) -> Reply:
    """A whole answer of Bedrock's Converse API."""
    content: list[Blob] = [{"text": text}] if text is not None else []
    for tool in tools:
        use = {"toolUseId": tool.id, "name": tool.name, "input": json.loads(tool.arguments)}
        content.append({"toolUse": use})
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason or ("tool_use" if tools else "end_turn"),
        **_bedrock_metadata(usage),
    }
    return Reply(body=_json(body))


def bedrock_stream(
    pieces: Sequence[Piece] = ("Hel", "lo!"),
    *,
    stop_reason: str | None = None,
    usage: Usage = (10, 5),
) -> Reply:
    """A ConverseStream answer: AWS event-stream frames."""

    def steps() -> Iterator[Step]:
        yield _event("messageStart", {"role": "assistant"})
        for mark, index, value in _blocks(pieces):
            at = {"contentBlockIndex": index}
            if mark == "step":
                yield value
            elif mark == "start":
                if value is not None:  # text blocks are not announced
                    use = {"toolUseId": value.id, "name": value.name}
                    yield _event("contentBlockStart", {**at, "start": {"toolUse": use}})
            elif mark == "stop":
                yield _event("contentBlockStop", at)
            else:
                delta = {"text": value} if mark == "text" else {"toolUse": {"input": value}}
                yield _event("contentBlockDelta", {**at, "delta": delta})
        reason = stop_reason or ("tool_use" if _tools(pieces) else "end_turn")
        yield _event("messageStop", {"stopReason": reason})
        yield _event("metadata", _bedrock_metadata(usage))

    headers = {"content-type": "application/vnd.amazon.eventstream"}
    return Reply(headers=headers, body=list(steps()))


def eventstream_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One AWS event-stream frame, checksums and all. Header values are strings (type 7)."""
    block = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    frame = prelude + struct.pack("!I", zlib.crc32(prelude)) + block + payload
    return frame + struct.pack("!I", zlib.crc32(frame))


def _event(type: str, data: Blob) -> bytes:
    headers = {
        ":event-type": type,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return eventstream_frame(headers, _json(data))


def _bedrock_metadata(usage: Usage) -> Blob:
    tokens = {"inputTokens": usage[0], "outputTokens": usage[1], "totalTokens": sum(usage)}
    return {"usage": tokens, "metrics": {"latencyMs": 100}}
