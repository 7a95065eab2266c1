"""Streams with reasoning in them: each dialect's own thoughts, with the proof that goes along."""

from __future__ import annotations

import json
from typing import Any

from upstream import Reply, Tool

SIGNATURE = "EqoBCkgIARABGAIiQL8"
CIPHERTEXT = "gAAAAABo-Z3J5cHRlZA"
THOUGHT = "The user wants the weather."
THINKING = {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": THOUGHT}],
    "encrypted_content": CIPHERTEXT,
}


def sse(*events: dict[str, Any]) -> Reply:
    """A stream of typed events."""
    body = [
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()
        for event in events
    ]
    return Reply(headers={"content-type": "text/event-stream"}, body=body)


def thinking_stream(*tools: Tool, text: str = "") -> Reply:
    """An Anthropic answer that thinks first; pings in between, as they come in life."""
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": THOUGHT},
                {"type": "signature_delta", "signature": SIGNATURE},
            ],
        )
    ]
    if text:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]))
    for tool in tools:
        start = {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}
        blocks.append((start, [{"type": "input_json_delta", "partial_json": tool.arguments}]))
    events: list[dict[str, Any]] = []
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events.append({"type": "ping"})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    return sse(*_message(events, "tool_use" if tools else "end_turn"))


def _message(events: list[dict[str, Any]], stop_reason: str) -> list[dict[str, Any]]:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1},
    }
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        {"type": "message_start", "message": message},
        *events,
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def reasoning_chat_stream(*tools: Tool, text: str = "") -> Reply:
    """A chat answer of a model that shows its thoughts in ``reasoning_content``."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas.append({"reasoning_content": THOUGHT})
    if text:
        deltas.append({"content": text})
    for index, tool in enumerate(tools):
        function = {"name": tool.name, "arguments": tool.arguments}
        call = {"index": index, "id": tool.id, "type": "function", "function": function}
        deltas.append({"tool_calls": [call]})
    return chat_deltas(*deltas, finish="tool_calls" if tools else "stop")


def chat_deltas(*deltas: dict[str, Any], finish: str) -> Reply:
    """A chat stream of *deltas*, with usage at its end."""
    head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    chunks: list[dict[str, Any]] = [{**head, "choices": [choice]} for choice in choices]
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    chunks.append({**head, "choices": [], "usage": usage})
    body = [f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n".encode() for chunk in chunks]
    body.append(b"data: [DONE]\n\n")
    return Reply(headers={"content-type": "text/event-stream"}, body=body)


def reasoning_responses_stream(*items: dict[str, Any]) -> Reply:
    """A Responses answer of an encrypted reasoning item and *items*, each added and done."""
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "in_progress",
        "model": "gpt-5",
        "output": [],
        "usage": None,
    }
    output = [REASONING, *items]
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 90},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 105,
    }
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
    for index, item in enumerate(output):
        for word in ("added", "done"):
            kind = f"response.output_item.{word}"
            events.append({"type": kind, "output_index": index, "item": item})
    whole = {**response, "status": "completed", "output": output, "usage": usage}
    events.append({"type": "response.completed", "response": whole})
    return sse(*({**event, "sequence_number": n} for n, event in enumerate(events)))


def function_call(tool: Tool) -> dict[str, Any]:
    """*tool* as an output item of the Responses API."""
    return {
        "type": "function_call",
        "id": "fc_1",
        "call_id": tool.id,
        "name": tool.name,
        "arguments": tool.arguments,
        "status": "completed",
    }
