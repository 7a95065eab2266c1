"""Conversations by response id with a gateway, over an upstream in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import replies
from asgi_drive import Exchanged, drive
from gateway_build import gateway
from memory_transport import MemoryReply, MemoryTransport, Outcome
from plano_asgi.config import Plano
from plano_asgi.exchange import Candidate
from plano_asgi.state import ResponsesState
from script import Reply

CHAT, CLAUDE, NATIVE = "mistral/small", "anthropic/claude-sonnet-4-5", "openai/gpt-4o"
TOOLS = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]
OUTPUT = [{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}]
_WHOLE: dict[str, Callable[..., Reply]] = {
    CHAT: replies.chat_reply,
    CLAUDE: replies.anthropic_reply,
    NATIVE: replies.responses_reply,
}
_STREAMS: dict[str, Callable[..., Reply]] = {
    CHAT: replies.chat_stream,
    CLAUDE: replies.anthropic_stream,
    NATIVE: replies.responses_stream,
}


def is_native(candidate: Candidate) -> bool:
    """Whether *candidate* is at a provider that keeps responses, as the wiring would say."""
    return candidate.provider == "openai"


def reply(model: str, *pieces: str | replies.Tool, stream: bool = False) -> MemoryReply:
    """The answer of *model*'s upstream: a text, a call, or both."""
    if stream:
        return _memory(_STREAMS[model](list(pieces)))
    text = "".join(piece for piece in pieces if isinstance(piece, str)) or None
    return _memory(_WHOLE[model](text, *[p for p in pieces if isinstance(p, replies.Tool)]))


def kept_reply(id: str, text: str = "Hello!", *, stream: bool = False) -> MemoryReply:
    """The answer of an upstream of the Responses API that keeps it as *id*."""
    made = (
        replies.responses_stream([text], id=id) if stream else replies.responses_reply(text, id=id)
    )
    found = _memory(made)
    found.chunks = [
        chunk.replace(b'"object":"response"', b'"object":"response","store":true')
        for chunk in found.chunks
        if isinstance(chunk, bytes)
    ]
    return found


def _memory(made: Reply) -> MemoryReply:
    body = [made.body] if isinstance(made.body, bytes) else made.body
    chunks = [chunk for chunk in body if isinstance(chunk, bytes)]
    return MemoryReply(made.status, made.headers or {"content-type": "application/json"}, chunks)


@dataclass
class Talk:
    """A client of one gateway. ``headers`` go with every request."""

    app: Plano
    upstream: MemoryTransport
    state: ResponsesState
    headers: Mapping[str, str]

    async def ask(self, body: Mapping[str, Any]) -> Exchanged:
        """Post one body to the Responses API."""
        return await drive(self.app, "/v1/responses", dict(body), headers=self.headers)

    async def said(
        self, model: str, input: Any, previous: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """The response to one request, streamed or not."""
        body = {"model": model, "input": input, **fields}
        if previous is not None:
            body["previous_response_id"] = previous
        found = await self.ask(body)
        assert found.status == 200, found.body
        last = found.data()[-1]["response"] if fields.get("stream") else found.json()
        assert isinstance(last, dict)
        return last


def talk(
    *outcomes: Outcome,
    state: ResponsesState | None = None,
    headers: Mapping[str, str] | None = None,
    steps: Sequence[Any] = (),
    rules: Sequence[Any] = (),
    **options: Any,
) -> Talk:
    """A gateway whose upstream answers with *outcomes*, and whose state comes first."""
    state = state or ResponsesState()
    app, upstream = gateway(
        *outcomes, steps=[state, *steps], rules=[state.route, *rules], **options
    )
    return Talk(app, upstream, state, headers or {})
