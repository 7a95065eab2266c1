"""Streamed answers of each client dialect, event by event, and what a client makes of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plano_asgi.conversation import ChatRequest
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.passages import WireEvent
from plano_asgi.wire import LAYOUTS

DIALECTS = ("openai.chat", "anthropic.messages", "openai.responses")


def exchange_of(dialect: str, **changes: Any) -> Exchange:
    """A streamed exchange of *dialect*."""

    def read(_body: Any) -> ChatRequest:
        raise AssertionError("nobody asked for the neutral form")

    values: dict[str, Any] = {
        "id": "req_1",
        "operation": "chat",
        "dialect": dialect,
        "headers": {},
        "body": {},
        "read_request": read,
        "stream": True,
        "layout": LAYOUTS[dialect],
    }
    return Exchange(**{**values, **changes})


def answer_events(
    dialect: str, content: Sequence[str], arguments: Sequence[str] = ()
) -> list[WireEvent]:
    """An answer that says *content*, then calls a tool with *arguments*, each in these pieces."""
    return [WireEvent(data, name) for name, data in _WRITERS[dialect](content, arguments)]


def answer_body(dialect: str, content: str) -> dict[str, Any]:
    """The same as a whole body, content only."""
    if dialect == "openai.chat":
        message = {"role": "assistant", "content": content}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    if dialect == "anthropic.messages":
        text = [{"type": "text", "text": content}]
        return {"type": "message", "role": "assistant", "content": text, "stop_reason": "end_turn"}
    part = {"type": "output_text", "text": content, "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    return {"object": "response", "status": "completed", "output": [item]}


@dataclass
class Client:
    """What a client has read so far. ``repeated``: texts told again, whole, after the deltas."""

    content: str = ""
    arguments: str = ""
    repeated: list[str] = field(default_factory=list)
    is_finished: bool = False

    def read(self, events: Iterable[WireEvent]) -> None:
        """Take in *events*; no text may come after the finish."""
        for event in events:
            before = self.content, self.arguments
            self._read(event.data)
            assert not self.is_finished or before == (self.content, self.arguments)
            self.is_finished = self.is_finished or _is_finish(event.data)

    def _read(self, data: Any) -> None:
        if not isinstance(data, dict):
            return
        for choice in data.get("choices", ()):
            self.content += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls", ()):
                self.arguments += call["function"].get("arguments", "")
        kind: Any = data.get("type")
        delta: Any = data.get("delta")
        if kind == "content_block_delta":
            self.content += delta.get("text", "")
            self.arguments += delta.get("partial_json", "")
        elif kind == "response.output_text.delta":
            self.content += delta
        elif kind == "response.function_call_arguments.delta":
            self.arguments += delta
        elif kind == "response.output_text.done":
            self.repeated.append(data["text"])
        elif kind == "response.completed":
            self.repeated.append(data["response"]["output"][0]["content"][0]["text"])


async def stream_through(
    filters: Sequence[ResponseFilter], events: Iterable[WireEvent], exchange: Exchange
) -> Client:
    """Run *events* through *filters* as the tap does; what the client has read in the end."""
    client = Client()
    async for _ in steps_through(filters, events, exchange, client):
        pass
    return client


async def steps_through(
    filters: Sequence[ResponseFilter],
    events: Iterable[WireEvent],
    exchange: Exchange,
    client: Client,
) -> Any:
    """The same, yielding after each event that came in."""
    assert exchange.layout is not None
    editor = exchange.layout.stream_editor()
    for event in events:
        for part in editor.split(event):
            out: Sequence[WireEvent] = [part]
            for step in filters:
                out = [e for one in out for e in await step.on_event(one, editor, exchange)]
            client.read([editor.seal(one) for one in out])
        yield
    for step in filters:
        await step.on_close(exchange)


def _is_finish(data: Any) -> bool:
    return isinstance(data, dict) and (
        any(choice.get("finish_reason") for choice in data.get("choices", ()))
        or data.get("type") in ("message_delta", "response.completed")
    )


def _chat(content: Sequence[str], arguments: Sequence[str]) -> list[tuple[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": piece}) for piece in content]
    if arguments:
        call: dict[str, Any] = {"index": 0, "id": "t", "type": "function"}
        function = {"name": "f", "arguments": ""}
        events.append(chunk({"tool_calls": [{**call, "function": function}]}))
        events += [
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            for piece in arguments
        ]
    events.append(chunk({}, "tool_calls" if arguments else "stop"))
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    events.append({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return [*(("", event) for event in events), ("", "[DONE]")]


def _messages(content: Sequence[str], arguments: Sequence[str]) -> list[tuple[str, Any]]:
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]

    def block(index: int, start: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": start})
        events.extend({"type": "content_block_delta", **at, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", **at})

    texts = [{"type": "text_delta", "text": piece} for piece in content]
    block(0, {"type": "text", "text": ""}, texts)
    if arguments:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in arguments]
        block(1, {"type": "tool_use", "id": "t", "name": "f", "input": {}}, deltas)
    ending = {"stop_reason": "tool_use" if arguments else "end_turn"}
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 1}})
    events.append({"type": "message_stop"})
    return [(event["type"], event) for event in events]


def _responses(content: Sequence[str], arguments: Sequence[str]) -> list[tuple[str, Any]]:
    whole = "".join(content)
    part = {"type": "output_text", "text": whole, "annotations": []}
    item: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "content": []}
    said = {**item, "content": [part]}
    response = {"id": "r", "object": "response", "status": "in_progress", "output": []}
    at = {"item_id": "m", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": piece} for piece in content),
        {"type": "response.output_text.done", **at, "text": whole},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": said},
    ]
    output = [said]
    if arguments:
        raw = "".join(arguments)
        call = {"id": "f", "type": "function_call", "call_id": "t", "name": "f", "arguments": ""}
        at = {"item_id": "f", "output_index": 1}
        kind = "response.function_call_arguments"
        events += [
            {"type": "response.output_item.added", "output_index": 1, "item": call},
            *({"type": f"{kind}.delta", **at, "delta": piece} for piece in arguments),
            {"type": f"{kind}.done", **at, "arguments": raw},
            {
                "type": "response.output_item.done",
                "output_index": 1,
                "item": {**call, "arguments": raw},
            },
        ]
        output.append({**call, "arguments": raw})
    completed = {**response, "status": "completed", "output": output}
    events.append({"type": "response.completed", "response": completed})
    numbered = [{**event, "sequence_number": n} for n, event in enumerate(events)]
    return [(event["type"], copy.deepcopy(event)) for event in numbered]


_WRITERS = {
    "openai.chat": _chat,
    "anthropic.messages": _messages,
    "openai.responses": _responses,
}
