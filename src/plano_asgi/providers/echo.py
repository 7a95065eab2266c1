"""
The model ``plano/echo``: answers in process, needs no key and no network.

It speaks OpenAI chat, streamed or not, and answers by fixed rules, so that a quickstart, a test or
a client under development has something true to talk to:

1. After tool results it answers with text that quotes them.
2. It calls a tool if ``tool_choice`` forces one ("required": the first tool that the last user
   text names, else the first of all), or if the last user text says ``call <tool name>`` (every
   tool so named, only the first under ``parallel_tool_calls: false``). Arguments are the smallest
   that fit the tool's schema.
3. For a ``response_format`` it answers with JSON: the smallest of the schema, or
   ``{"echo": <text>}``.
4. Else it says what it is and repeats the last user text.

With a ``reasoning_effort`` other than "none" it "thinks" first. ``stop`` and a token limit cut the
text; a token is one word, so that usage numbers are exact.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from anyio.lowlevel import checkpoint

from plano_asgi._json import JSONObject, dumps, dumps_str, loads
from plano_asgi.errors import NotFound, RequestError, UpstreamProtocolError
from plano_asgi.providers.base import UpstreamCall
from plano_asgi.providers.client import HTTPRequest, Timeouts, Transport, UpstreamReply
from plano_asgi.providers.quirks import CHAT
from plano_asgi.providers.specimen import specimen
from plano_asgi.wire import sse
from plano_asgi.wire.base import WriteOptions

MODEL = "echo"
MAX_CHOICES = 16
_TOKEN = re.compile(r"\s*\S+|\s+$")
_PIECE_TOKENS = 3
_URL = "inprocess://plano/echo"


class Echo:
    """
    Implements ``UpstreamProvider`` without a transport.

    Args:
        clock: Unix seconds, for ``created``.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    @property
    def name(self) -> str:
        """Shown to clients."""
        return "plano"

    @property
    def family(self) -> str:
        """A family of its own."""
        return "plano"

    @property
    def timeouts(self) -> Timeouts:
        """It never waits."""
        return Timeouts()

    def dialect_for(self, client_dialect: str, model: str, /) -> str:
        """OpenAI chat for everyone."""
        return CHAT

    def write_options(self, model: str, /) -> WriteOptions:
        """It ignores what it does not know."""
        return WriteOptions(on_unsupported="drop")

    @property
    def missing(self) -> str | None:
        """Nothing, ever."""
        return None

    def streams(self, call: UpstreamCall, /) -> bool:
        """As asked."""
        return call.stream

    def request(self, call: UpstreamCall, /) -> HTTPRequest:
        """
        Raises:
            NotFound: Anything but a chat.
            RequestError: ``messages`` is not a list of objects, or ``n`` is out of range.
        """
        if call.dialect != CHAT:
            raise NotFound(f"Provider 'plano' does not serve {call.path}")
        body = {**call.body, "model": call.model, "stream": call.stream}
        messages = body.get("messages")
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            raise RequestError("'messages' must be a list of objects", param="messages")
        n = body.get("n")
        if n is not None and (not isinstance(n, int) or not 1 <= n <= MAX_CHOICES):
            raise RequestError(f"'n' must be 1 to {MAX_CHOICES}", param="n")
        return HTTPRequest(method="POST", url=_URL, headers={}, content=dumps(body))

    async def open(self, request: HTTPRequest, transport: Transport, /) -> UpstreamReply:
        """Answer; *transport* stays unused."""
        await checkpoint()
        body: JSONObject = loads(request.content)
        answer = _answer(body, request.content, int(self._clock()))
        if body["stream"]:
            chunks = [sse.encode(dumps(chunk)) for chunk in _chunks(answer, _wants_usage(body))]
            return EchoReply("text/event-stream", [*chunks, sse.encode(sse.DONE.encode())])
        return EchoReply("application/json", [dumps(_whole(answer))])


class EchoReply:
    """Implements ``UpstreamReply`` over chunks at hand."""

    def __init__(self, content_type: str, chunks: list[bytes]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._chunks:
            await checkpoint()
            yield self._chunks.pop(0)

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body."""
        await checkpoint()
        body, self._chunks = b"".join(self._chunks), []
        if len(body) > max_bytes:
            raise UpstreamProtocolError(f"the answer is over {max_bytes} bytes")
        return body

    async def aclose(self) -> None:
        """Nothing to close."""
        self._chunks = []


# --------------------------------------------------------------------------- what it says


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    id: str
    created: int
    model: str
    text: str
    reasoning: str
    calls: list[JSONObject] = field(default_factory=list)
    finish_reason: str
    choices: int
    usage: JSONObject

    @property
    def head(self) -> JSONObject:
        return {"id": self.id, "created": self.created, "model": self.model}


def _answer(body: JSONObject, raw: bytes, created: int) -> _Answer:
    messages: list[JSONObject] = body["messages"]
    digest = sha256(raw).hexdigest()
    said = _last_user_text(messages)
    results = _trailing_tool_results(messages)
    calls = [] if results else _calls(body, said, digest)
    effort = body.get("reasoning_effort")
    reasoning = f"Effort {effort}: repeat what was said." if effort not in (None, "none") else ""
    text, cut = ("", False) if calls else _limited(_text(body, said, results), body)
    choices = body.get("n") or 1
    return _Answer(
        id=f"chatcmpl-echo-{digest[:24]}",
        created=created,
        model=body["model"],
        text=text,
        reasoning=reasoning,
        calls=calls,
        finish_reason="tool_calls" if calls else "length" if cut else "stop",
        choices=choices,
        usage=_usage(messages, text, reasoning, calls, choices),
    )


def _text(body: JSONObject, said: str, results: list[str]) -> str:
    if results:
        return f"The tool answered: {' '.join(results)}"
    wanted = body.get("response_format")
    wanted = wanted if isinstance(wanted, dict) else {}
    kind = wanted.get("type")
    if kind == "json_schema":
        described = wanted.get("json_schema")
        schema = described.get("schema") if isinstance(described, dict) else None
        return dumps_str(specimen(schema))
    if kind == "json_object":
        return dumps_str({"echo": said})
    if not said:
        return "This is plano/echo; no model was asked. You said nothing."
    return f"This is plano/echo; no model was asked. You said: {said}"


def _calls(body: JSONObject, said: str, digest: str) -> list[JSONObject]:
    offered = [tool["function"] for tool in body.get("tools") or [] if _is_function(tool)]
    return [
        {
            "id": f"call_{digest[:20]}{index}",
            "type": "function",
            "function": {
                "name": function["name"],
                "arguments": dumps_str(specimen(function.get("parameters") or {"type": "object"})),
            },
        }
        for index, function in enumerate(_chosen(offered, body, said))
    ]


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _chosen(offered: list[JSONObject], body: JSONObject, said: str) -> list[JSONObject]:
    """Rule 2 of the module."""
    choice = body.get("tool_choice")
    if choice == "none":
        return []
    if isinstance(choice, dict):
        named = choice.get("function")
        name = named.get("name") if isinstance(named, dict) else None
        return [function for function in offered if function["name"] == name][:1]
    lower = said.lower()
    if choice == "required":
        mentioned = [function for function in offered if function["name"].lower() in lower]
        return (mentioned or offered)[:1]
    told = [
        function
        for function in offered
        if re.search(rf"\bcall {re.escape(function['name'].lower())}(?![\w-])", lower)
    ]
    return told[:1] if body.get("parallel_tool_calls") is False else told


def _limited(text: str, body: JSONObject) -> tuple[str, bool]:
    """*text* up to the first stop sequence and the token limit; whether the limit cut it."""
    stop = body.get("stop")
    for word in [stop] if isinstance(stop, str) else stop or []:
        if isinstance(word, str) and word:
            text = text.partition(word)[0]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    tokens = _TOKEN.findall(text)
    if isinstance(limit, int) and len(tokens) > limit:
        return "".join(tokens[: max(limit, 0)]), True
    return text, False


def _usage(
    messages: list[JSONObject], text: str, reasoning: str, calls: list[JSONObject], choices: int
) -> JSONObject:
    prompt = sum(_count(_content_text(message)) for message in messages)
    called = sum(_count(call["function"]["arguments"]) + 1 for call in calls)
    thought = _count(reasoning) * choices
    completion = (_count(text) + called) * choices + thought
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))


def _last_user_text(messages: list[JSONObject]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return _content_text(message)
    return ""


def _trailing_tool_results(messages: list[JSONObject]) -> list[str]:
    """The results at the end of the conversation, in order."""
    results: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        results.insert(0, _content_text(message))
    return results


def _content_text(message: JSONObject) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


# --------------------------------------------------------------------------- how it says it


def _whole(answer: _Answer) -> JSONObject:
    message: JSONObject = {"role": "assistant", "content": None if answer.calls else answer.text}
    message["refusal"] = None
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.calls:
        message["tool_calls"] = answer.calls
    return {
        **answer.head,
        "object": "chat.completion",
        "choices": [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": answer.finish_reason,
            }
            for index in range(answer.choices)
        ],
        "usage": answer.usage,
    }


def _chunks(answer: _Answer, usage: bool) -> Iterator[JSONObject]:
    head = {**answer.head, "object": "chat.completion.chunk"}
    for index in range(answer.choices):
        for delta in _deltas(answer):
            yield {
                **head,
                "choices": [{"index": index, "delta": delta, "finish_reason": None}],
            }
        yield {
            **head,
            "choices": [{"index": index, "delta": {}, "finish_reason": answer.finish_reason}],
        }
    if usage:
        yield {**head, "choices": [], "usage": answer.usage}


def _deltas(answer: _Answer) -> Iterator[JSONObject]:
    yield {"role": "assistant", "content": None if answer.calls else ""}
    for piece in _pieces(answer.reasoning):
        yield {"reasoning_content": piece}
    for piece in _pieces(answer.text):
        yield {"content": piece}
    for index, call in enumerate(answer.calls):
        function = call["function"]
        yield {
            "tool_calls": [
                {
                    "index": index,
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": function["name"], "arguments": ""},
                }
            ]
        }
        half = (len(function["arguments"]) + 1) // 2
        for part in (function["arguments"][:half], function["arguments"][half:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _pieces(text: str) -> Iterator[str]:
    tokens = _TOKEN.findall(text)
    for start in range(0, len(tokens), _PIECE_TOKENS):
        yield "".join(tokens[start : start + _PIECE_TOKENS])


def _wants_usage(body: JSONObject) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))
