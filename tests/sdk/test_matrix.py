"""
The official SDKs against a real server: every client API x every upstream API x streamed or not.

One gateway, four models, each at an upstream of another dialect; the scripted upstream answers in
that dialect, and the client sees the same answer whatever it speaks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest

from plano_asgi.config import Model, Plano
from serving import serving
from upstream import (
    CUT,
    Reply,
    ScriptedUpstream,
    Step,
    Tool,
    anthropic_reply,
    anthropic_stream,
    bedrock_reply,
    bedrock_stream,
    chat_reply,
    chat_stream,
    error_reply,
    responses_reply,
    responses_stream,
    scripted_upstream,
)

KEY = "the-gateways-own-key"
MODELS = {
    "openai.chat": "openai/m-chat",
    "openai.responses": "openai/m-responses",
    "anthropic.messages": "anthropic/m-messages",
    "bedrock.converse": "amazon_bedrock/m-converse",
}
WHOLE = {
    "openai.chat": chat_reply,
    "openai.responses": responses_reply,
    "anthropic.messages": anthropic_reply,
    "bedrock.converse": bedrock_reply,
}
STREAMS = {
    "openai.chat": chat_stream,
    "openai.responses": responses_stream,
    "anthropic.messages": anthropic_stream,
    "bedrock.converse": bedrock_stream,
}
PATHS = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "anthropic.messages": "/v1/messages",
    "bedrock.converse": "/model/m-converse/converse",
}
PARIS = Tool("call_1", "get_weather", '{"city":"Paris"}')
ROME = Tool("call_2", "get_weather", '{"city":"Rome"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@dataclass
class Seen:
    """What a client understood of an answer."""

    text: str
    calls: list[tuple[str, str, Any]]
    finish: str
    tokens: tuple[int, int]


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[ScriptedUpstream, str]]:
    """A scripted upstream and a gateway in front of it, served on a socket."""
    with scripted_upstream() as upstream:
        base = upstream.base_url
        everything_as = {
            dialect: dict.fromkeys(CLIENTS, dialect)
            for dialect in ("openai.chat", "openai.responses")
        }
        plano = Plano(
            [
                Model(name, api_key=KEY, base_url=base, dialects=everything_as.get(dialect, {}))
                for dialect, name in MODELS.items()
            ],
            environ={},
        )
        with serving(plano) as url:
            yield upstream, url


@pytest.fixture
def upstream(stage: tuple[ScriptedUpstream, str]) -> ScriptedUpstream:
    """The upstream, with nothing recorded yet."""
    stage[0].requests.clear()
    return stage[0]


def chat_client(url: str, model: str, *, stream: bool) -> Seen:
    """One question by chat completions."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        options: Any = {
            "model": model,
            "messages": [{"role": "user", "content": "Weather?"}],
            "tools": [
                {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
            ],
        }
        if stream:
            options["stream_options"] = {"include_usage": True}
            with client.chat.completions.stream(**options) as events:
                for _ in events:
                    pass
                completion: Any = events.get_final_completion()
        else:
            completion = client.chat.completions.create(**options)
    choice = completion.choices[0]
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls or []
    ]
    usage = completion.usage
    return Seen(
        choice.message.content or "",
        calls,
        choice.finish_reason,
        (usage.prompt_tokens, usage.completion_tokens),
    )


def responses_client(url: str, model: str, *, stream: bool) -> Seen:
    """One question by the Responses API."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        options: Any = {
            "model": model,
            "input": "Weather?",
            "tools": [
                {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
            ],
        }
        if stream:
            with client.responses.stream(**options) as events:
                numbers = [event.sequence_number for event in events]
                response: Any = events.get_final_response()
            assert numbers == list(range(len(numbers)))
        else:
            response = client.responses.create(**options)
    calls = [
        (item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    ]
    usage = response.usage
    finish = "tool_calls" if calls else {"completed": "stop"}[response.status]
    return Seen(response.output_text, calls, finish, (usage.input_tokens, usage.output_tokens))


def messages_client(url: str, model: str, *, stream: bool) -> Seen:
    """One question by Anthropic's Messages."""
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
        options: Any = {
            "model": model,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Weather?"}],
            "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
        }
        if stream:
            with client.messages.stream(**options) as events:
                for _ in events:
                    pass
                message: Any = events.get_final_message()
        else:
            message = client.messages.create(**options)
    calls = [(b.id, b.name, b.input) for b in message.content if b.type == "tool_use"]
    text = "".join(block.text for block in message.content if block.type == "text")
    finish = {"end_turn": "stop", "tool_use": "tool_calls"}[message.stop_reason]
    return Seen(text, calls, finish, (message.usage.input_tokens, message.usage.output_tokens))


CLIENTS = {
    "openai.chat": chat_client,
    "openai.responses": responses_client,
    "anthropic.messages": messages_client,
}


def script(dialect: str, *pieces: str | Tool | Step, stream: bool) -> Reply:
    """An answer of *dialect* with *pieces*."""
    if stream:
        reply: Reply = STREAMS[dialect](pieces)  # type: ignore[operator]
        return reply
    text = "".join(piece for piece in pieces if isinstance(piece, str)) or None
    tools = [piece for piece in pieces if isinstance(piece, Tool)]
    whole: Reply = WHOLE[dialect](text, *tools)  # type: ignore[operator]
    return whole


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("served", MODELS)
@pytest.mark.parametrize("spoken", CLIENTS)
def test_text(
    stage: tuple[ScriptedUpstream, str],
    upstream: ScriptedUpstream,
    spoken: str,
    served: str,
    stream: bool,
) -> None:
    """Text, finish and usage arrive whole."""
    upstream.reply(script(served, "Hello, ", "wörld \U0001f600", stream=stream))
    seen = CLIENTS[spoken](stage[1], MODELS[served], stream=stream)
    assert seen == Seen("Hello, wörld \U0001f600", [], "stop", (10, 5))
    request = upstream.requests[0]
    assert request.path.startswith(PATHS[served])
    key = request.headers.get("x-api-key") or request.headers["authorization"]
    assert key.removeprefix("Bearer ") == KEY


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("served", MODELS)
@pytest.mark.parametrize("spoken", CLIENTS)
def test_parallel_tool_calls(
    stage: tuple[ScriptedUpstream, str],
    upstream: ScriptedUpstream,
    spoken: str,
    served: str,
    stream: bool,
) -> None:
    """Text, then two calls, each with its own arguments."""
    upstream.reply(script(served, "Let me see.", PARIS, ROME, stream=stream))
    seen = CLIENTS[spoken](stage[1], MODELS[served], stream=stream)
    expected = [
        ("call_1", "get_weather", {"city": "Paris"}),
        ("call_2", "get_weather", {"city": "Rome"}),
    ]
    assert seen == Seen("Let me see.", expected, "tool_calls", (10, 5))
    sent = upstream.requests[0].json()
    assert "get_weather" in json.dumps(sent.get("tools") or sent["toolConfig"])


# The Responses helper has no exception for `response.failed`; it misses `response.completed`.
FAILURES = (openai.APIError, anthropic.APIError, RuntimeError)


@pytest.mark.parametrize("served", MODELS)
@pytest.mark.parametrize("spoken", CLIENTS)
def test_a_stream_that_breaks_off_raises_in_the_client(
    stage: tuple[ScriptedUpstream, str], upstream: ScriptedUpstream, spoken: str, served: str
) -> None:
    """Never an answer that looks whole."""
    upstream.reply(script(served, "Hel", CUT, stream=True))
    with pytest.raises(FAILURES):
        CLIENTS[spoken](stage[1], MODELS[served], stream=True)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("served", MODELS)
@pytest.mark.parametrize("spoken", CLIENTS)
def test_an_upstream_error_is_the_sdks_own_exception(
    stage: tuple[ScriptedUpstream, str],
    upstream: ScriptedUpstream,
    spoken: str,
    served: str,
    stream: bool,
) -> None:
    """With the upstream's status and words, and no more tries than ours."""
    upstream.reply(
        error_reply(400, "the weather is out", dialect=served, type="invalid_request_error")
    )
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as caught:
        CLIENTS[spoken](stage[1], MODELS[served], stream=stream)
    assert "the weather is out" in str(caught.value)
    error: Any = caught.value
    assert error.response.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1
