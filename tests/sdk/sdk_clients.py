"""The official SDKs as one function: a question in, what the client understood out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import openai

SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}}
ERRORS = {"openai.chat": openai, "openai.responses": openai, "anthropic.messages": anthropic}
"""The module that has the exceptions of an API's SDK."""

Body = dict[str, Any]


@dataclass
class Seen:
    """What a client understood of an answer; *raw* is all that its SDK was given."""

    text: str
    calls: list[tuple[str, Any]]
    finish: str
    raw: str


@dataclass
class Clients:
    """The SDKs, as they are by default: they try again where they are not told otherwise."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic

    def ask(
        self,
        api: str,
        base: str,
        model: str,
        question: str | Body,
        *,
        stream: bool,
        on_event: Callable[[], None] = lambda: None,
    ) -> Seen:
        """
        Ask at *base*.

        Args:
            question: A text, or the dialect's own fields for it.
            on_event: Called for each event of a stream.
        """
        body = {"model": model, **_ASKING[api]}
        body |= question_of(api, question) if isinstance(question, str) else question
        return _ASK[api](self, base, body, stream, on_event)


@contextmanager
def sdk_clients() -> Iterator[Clients]:
    """Both SDKs, with their own connections."""
    with (
        openai.OpenAI(base_url="http://unused", api_key="x", timeout=20) as ai,
        anthropic.Anthropic(base_url="http://unused", api_key="x", timeout=20) as claude,
    ):
        yield Clients(ai, claude)


def question_of(api: str, text: str) -> Body:
    """*text* as a user's turn."""
    if api == "openai.responses":
        return {"input": text}
    return {"messages": [{"role": "user", "content": text}]}


def tool_step(api: str, text: str, arguments: str, result: str) -> Body:
    """The second step of a tool loop: *text* was asked, a tool was called and has answered."""
    if api == "openai.responses":
        called = {"type": "function_call", "call_id": "call_1", "name": "write"}
        answered = {"type": "function_call_output", "call_id": "call_1", "output": result}
        asked = {"role": "user", "content": text}
        return {"input": [asked, {**called, "arguments": arguments}, answered]}
    asked = {"role": "user", "content": text}
    if api == "openai.chat":
        function = {"name": "write", "arguments": arguments}
        call = {"id": "call_1", "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {
            "messages": [asked, said, {"role": "tool", "tool_call_id": "call_1", "content": result}]
        }
    use = {"type": "tool_use", "id": "call_1", "name": "write", "input": json.loads(arguments)}
    answer = {"type": "tool_result", "tool_use_id": "call_1", "content": result}
    return {
        "messages": [
            asked,
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [answer]},
        ]
    }


_ASKING: Mapping[str, Body] = {
    "openai.chat": {
        "tools": [{"type": "function", "function": {"name": "write", "parameters": SCHEMA}}]
    },
    "openai.responses": {
        "tools": [{"type": "function", "name": "write", "parameters": SCHEMA, "strict": False}]
    },
    "anthropic.messages": {
        "max_tokens": 100,
        "tools": [{"name": "write", "input_schema": SCHEMA}],
    },
}


def _chat(
    clients: Clients, base: str, body: Body, stream: bool, on_event: Callable[[], None]
) -> Seen:
    client = clients.openai.with_options(base_url=f"{base}/v1")
    raw = ""
    if stream:
        with client.chat.completions.stream(**body) as events:
            for event in events:
                on_event()
                raw += repr(event)
            # the final completion is an exception where the answer was filtered
            completion: Any = events.current_completion_snapshot
    else:
        completion = client.chat.completions.create(**body)
    choice = completion.choices[0]
    calls = [
        (call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls or []
    ]
    text = (choice.message.content or "") + (choice.message.refusal or "")
    return Seen(text, calls, choice.finish_reason, raw + repr(completion))


def _responses(
    clients: Clients, base: str, body: Body, stream: bool, on_event: Callable[[], None]
) -> Seen:
    client = clients.openai.with_options(base_url=f"{base}/v1")
    raw = ""
    if stream:
        last: Any = None
        with client.responses.stream(**body) as events:
            for event in events:
                on_event()
                raw += repr(event)
                last = event
        response = last.response
    else:
        response = client.responses.create(**body)
    calls = [
        (item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    ]
    texts = [
        part.text if part.type == "output_text" else part.refusal
        for item in response.output
        if item.type == "message"
        for part in item.content
    ]
    details = response.incomplete_details
    finish = details.reason if details else response.status
    return Seen("".join(texts), calls, finish, raw + repr(response))


def _messages(
    clients: Clients, base: str, body: Body, stream: bool, on_event: Callable[[], None]
) -> Seen:
    client = clients.anthropic.with_options(base_url=base)
    raw = ""
    if stream:
        with client.messages.stream(**body) as events:
            for event in events:
                on_event()
                raw += repr(event)
            message: Any = events.get_final_message()
    else:
        message = client.messages.create(**body)
    calls = [(b.name, b.input) for b in message.content if b.type == "tool_use"]
    text = "".join(block.text for block in message.content if block.type == "text")
    return Seen(text, calls, message.stop_reason, raw + repr(message))


_ASK: Mapping[str, Callable[..., Seen]] = {
    "openai.chat": _chat,
    "openai.responses": _responses,
    "anthropic.messages": _messages,
}
