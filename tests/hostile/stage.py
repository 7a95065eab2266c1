"""
The stage for attacks: a gateway on a socket, a scripted upstream of every dialect behind it.

Two tries at one candidate with hardly any back-off, limits of a few tenths of a second, and no
circuit breaker: what a hostile upstream does is counted exactly and costs little.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.gateway import Limits
from plano_asgi.providers.client import Timeouts
from serving import serving
from upstream import (
    Reply,
    ScriptedUpstream,
    anthropic_reply,
    anthropic_stream,
    bedrock_reply,
    bedrock_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
    scripted_upstream,
)

KEY = "sk-canary-of-the-gateway"
TRIES = 2
READ_S = 0.3
MAX_BODY = 1 << 20
MAX_ANSWER = 4 << 20

CHAT, MESSAGES, RESPONSES = "openai.chat", "anthropic.messages", "openai.responses"
CLIENTS = (CHAT, MESSAGES, RESPONSES)
PATHS = {CHAT: "/v1/chat/completions", MESSAGES: "/v1/messages", RESPONSES: "/v1/responses"}
MODELS = {
    CHAT: "openai/m-chat",
    RESPONSES: "openai/m-responses",
    MESSAGES: "anthropic/m-messages",
    "bedrock.converse": "amazon_bedrock/m-converse",
}
UPSTREAMS = tuple(MODELS)
WHOLE: Mapping[str, Callable[..., Reply]] = {
    CHAT: chat_reply,
    RESPONSES: responses_reply,
    MESSAGES: anthropic_reply,
    "bedrock.converse": bedrock_reply,
}
STREAMS: Mapping[str, Callable[..., Reply]] = {
    CHAT: chat_stream,
    RESPONSES: responses_stream,
    MESSAGES: anthropic_stream,
    "bedrock.converse": bedrock_stream,
}
_QUESTIONS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 64},
    RESPONSES: {"input": "hi"},
}


def question(client: str, model: str = MODELS[CHAT], **fields: object) -> dict[str, Any]:
    """A small request body of dialect *client*."""
    return {**_QUESTIONS[client], "model": model, **fields}


@dataclass(slots=True)
class Answer:
    """What the client got. *broken*: the connection ended before the response did."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The data of every SSE event, decoded; ``"[DONE]"`` as it is."""
        lines = self.body.decode().splitlines()
        texts = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]


@dataclass(slots=True)
class Stage:
    """One test's view of it."""

    upstream: ScriptedUpstream
    url: str
    http: httpx.Client

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """Send *body* (JSON unless bytes); take all that comes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        parts: list[bytes] = []
        with self.http.stream("POST", self.url + path, content=content, headers=names) as reply:
            try:
                parts.extend(reply.iter_raw())
            except httpx.RemoteProtocolError:
                return Answer(reply.status_code, reply.headers, b"".join(parts), broken=True)
        return Answer(reply.status_code, reply.headers, b"".join(parts))

    def ask(self, client: str, model: str = MODELS[CHAT], **fields: object) -> Answer:
        """One question in dialect *client*."""
        return self.post(PATHS[client], question(client, model, **fields))

    def still_serves(self) -> None:
        """The worker answers the next one."""
        self.upstream.reply(chat_reply("fine"))
        found = self.ask(CHAT)
        assert found.status == 200
        assert found.json()["choices"][0]["message"]["content"] == "fine"

    def reset(self) -> None:
        """Forget what earlier tests did."""
        self.upstream.requests.clear()
        self.upstream.always(Reply(status=500, body=b'{"error":{"message":"unscripted"}}'))


@contextmanager
def staged(**options: Any) -> Iterator[Stage]:
    """Run the stage; *options* are for ``Plano``."""
    with scripted_upstream() as upstream, staged_before(upstream, **options) as stage:
        yield stage


@contextmanager
def staged_before(upstream: ScriptedUpstream, **options: Any) -> Iterator[Stage]:
    """The same in front of a given upstream."""
    with serving(plano(upstream.base_url, **options)) as url, httpx.Client(timeout=10) as http:
        yield Stage(upstream, url, http)


def plano(base: str, *, timeouts: Timeouts | None = None, **options: Any) -> Plano:
    """A gateway before *base*."""
    timeouts = timeouts or Timeouts(connect_s=2.0, read_s=READ_S)

    def model(name: str, dialect: str = "", base_url: str = base) -> Model:
        forced = dict.fromkeys(CLIENTS, dialect) if dialect else {}
        return Model(name, api_key=KEY, base_url=base_url, dialects=forced, timeouts=timeouts)

    options = {
        "retry": RetryPolicy(attempts_per_candidate=TRIES, base_delay_s=0.001, max_delay_s=0.05),
        "breaker": BreakerPolicy(failures=1_000_000),
        "limits": Limits(max_body_bytes=MAX_BODY, body_timeout_s=0.5, max_answer_bytes=MAX_ANSWER),
        **options,
    }
    return Plano(
        [
            model("openai/m-chat", CHAT),
            model("openai/m-responses", RESPONSES),
            model("anthropic/m-messages"),
            model("amazon_bedrock/*"),
            model("mistral/*"),
            model("groq/nowhere", base_url="http://no-such-host.invalid"),
        ],
        environ={},
        **options,
    )


# --------------------------------------------------------------------------- what must hold


def text_of(client: str, found: Answer) -> str:
    """The text of a whole answer."""
    body = found.json()
    if client == CHAT:
        return str(body["choices"][0]["message"]["content"])
    if client == MESSAGES:
        return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    messages = [item for item in body["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in messages for part in item["content"])


def streamed_text(client: str, found: Answer) -> str:
    """The text that the deltas of a stream join to."""
    events = [event for event in found.events() if isinstance(event, dict)]
    if client == CHAT:
        deltas = [choice["delta"] for e in events for choice in e.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)
    if client == MESSAGES:
        blocks = [e["delta"] for e in events if e["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in blocks)
    return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")


_CLEAN_ENDS = {"message_stop", "response.completed", "response.incomplete"}


def ended_cleanly(client: str, found: Answer) -> bool:
    """Whether a stream has its dialect's end mark, as its last event."""
    last = found.events()[-1]
    if client == CHAT:
        return bool(last == "[DONE]")
    return isinstance(last, dict) and last["type"] in _CLEAN_ENDS


def failed_in_band(client: str, found: Answer) -> str:
    """Assert that a stream ends with one error event and nothing like an end; return its text."""
    events = found.events()
    assert "[DONE]" not in events
    assert not [e for e in events if isinstance(e, dict) and e.get("type") in _CLEAN_ENDS]
    last = events[-1]
    if client == CHAT:
        error = last["error"]
    elif client == MESSAGES:
        assert last["type"] == "error"
        error = last["error"]
    elif last["type"] == "response.failed":
        assert last["response"]["status"] == "failed"
        error = last["response"]["error"]
    else:
        assert last["type"] == "error"
        error = last
    assert error["message"]
    return str(error["message"])


def refused_with(client: str, found: Answer, status: int) -> str:
    """Assert an error response in the shape of dialect *client*; return its text."""
    assert found.status == status, found.body
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-request-id"]
    body = found.json()
    if client == MESSAGES:
        assert body["type"] == "error"
        assert body["error"]["type"]
    else:
        assert {"message", "type"} <= body["error"].keys()
    message = str(body["error"]["message"])
    assert message
    assert "<" not in message, "no HTML"
    assert KEY not in found.body.decode()
    return message
