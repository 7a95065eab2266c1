"""
How the clients read a stream: strict where they are, so that what passes here passes there.

Each reader returns what the client puts into its history and sends back in the next turn.
"""

from __future__ import annotations

import json
from typing import Any

from clients.stage import Answer

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "input",
}


def read_messages(answer: Answer) -> dict[str, Any]:
    """
    An Anthropic stream, as the message it makes. Every block has one start and one stop, in
    order, and nothing comes between; unknown events and ``ping`` are passed over.
    """
    assert answer.status == 200, answer.body
    events = [event for event in answer.events() if event["type"] != "ping"]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    message: dict[str, Any] = events[0]["message"]
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in events[1:-1]:
        kind = event["type"]
        if kind == "content_block_start":
            assert not is_open
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
            is_open = True
        elif kind == "content_block_delta":
            assert is_open
            assert event["index"] == len(blocks) - 1
            _add_delta(blocks[-1], event["delta"])
        elif kind == "content_block_stop":
            assert is_open
            is_open = False
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] |= event["usage"]
    assert not is_open
    for block in blocks:
        if isinstance(block.get("input"), str):
            block["input"] = json.loads(block["input"])
    return {**message, "content": blocks}


def _add_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if (key := _DELTAS.get(delta["type"])) is not None:
        text = next(value for name, value in delta.items() if name != "type")
        before = block.get(key)
        block[key] = (before if isinstance(before, str) else "") + text


def read_responses(answer: Answer) -> dict[str, Any]:
    """
    A Responses stream, as the response it ends with. The items are those of ``output_item.done``,
    which is what clients keep; the final object has to agree with them.
    """
    assert answer.status == 200, answer.body
    events = [event for event in answer.events() if event != "[DONE]"]
    assert events[0]["type"] == "response.created"
    last = events[-1]
    assert last["type"] in ("response.completed", "response.incomplete", "response.failed"), last
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(len(events)))
    done = [event for event in events if event["type"] == "response.output_item.done"]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == list(range(len(added)))
    response: dict[str, Any] = last["response"]
    if last["type"] == "response.completed":
        assert response["output"] == [event["item"] for event in done]
        assert response["usage"]["total_tokens"] >= 0
        assert response["id"]
    return response


def read_chat(answer: Answer) -> dict[str, Any]:
    """
    A chat stream, as ``{"message", "finish_reason", "usage"}``. The role comes first, a tool call's
    id and name come once and with its first delta, and ``[DONE]`` is the end.
    """
    assert answer.status == 200, answer.body
    *chunks, done = answer.events()
    assert done == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: list[dict[str, Any]] = []
    finish, usage = None, None
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            _add_chat_delta(message, calls, choice["delta"])
            finish = choice["finish_reason"] or finish
    message["content"] = message["content"] or None
    if calls:
        message["tool_calls"] = calls
    return {"message": message, "finish_reason": finish, "usage": usage}


def _add_chat_delta(
    message: dict[str, Any], calls: list[dict[str, Any]], delta: dict[str, Any]
) -> None:
    message["content"] += delta.get("content") or ""
    if thought := delta.get("reasoning_content"):
        message["reasoning_content"] = message.get("reasoning_content", "") + thought
    if details := delta.get("reasoning_details"):
        message.setdefault("reasoning_details", []).extend(details)
    for piece in delta.get("tool_calls") or ():
        index = piece["index"]
        if index == len(calls):
            kind = piece["type"]
            calls.append({"id": piece["id"], "type": kind, kind: dict(piece[kind])})
            continue
        assert "id" not in piece or piece["id"] is None
        call = calls[index]
        inner = piece[call["type"]]
        assert not inner.get("name")
        key = "arguments" if call["type"] == "function" else "input"
        call[call["type"]][key] = call[call["type"]].get(key, "") + inner[key]
