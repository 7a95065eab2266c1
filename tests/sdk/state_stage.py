"""The stage for state: a gateway that keeps it, its upstream, two tenants' SDKs, on one socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from openai import OpenAI
from openai.types.responses.response import Conversation as ResponseConversation

from plano_asgi.config import Model, Plano
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.gateway.gateway import Limits
from plano_asgi.state import ResponsesState
from serving import serving
from upstream import (
    Reply,
    ScriptedUpstream,
    Tool,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    scripted_upstream,
)

CHAT, CLAUDE, NATIVE = "mistral/m", "anthropic/m", "openai/m"
MAX_BODY_BYTES = 100_000
USER: Any = {"type": "message", "role": "user", "content": "I am Ada."}


@dataclass(eq=False)
class StateStage:
    """One test's view of it."""

    upstream: ScriptedUpstream
    url: str
    ann: OpenAI
    bob: OpenAI

    def raw(self, method: str, path: str, content: bytes = b"") -> httpx.Response:
        """What the SDK would not send."""
        headers = {"authorization": "Bearer key-of-ann"}
        return httpx.request(method, f"{self.url}/v1{path}", content=content, headers=headers)

    def turn(self, model: str, input: Any, *pieces: str | Tool, stream: bool, **fields: Any) -> Any:
        """An answer of *pieces*, as Ann's SDK puts it together."""
        self.upstream.reply(_scripted(model, *pieces, stream=stream))
        body = {"model": model, "input": input, **fields}
        if not stream:
            return self.ann.responses.create(**body)
        with self.ann.responses.stream(**body) as events:
            for event in events:
                if event.type == "response.created":
                    assert event.response.conversation == _named_in(fields)
            return events.get_final_response()


@contextmanager
def keeping() -> Iterator[StateStage]:
    """Serve all of it."""
    with scripted_upstream() as upstream:
        models = [
            Model(name, api_key="k", base_url=upstream.base_url) for name in (CHAT, CLAUDE, NATIVE)
        ]
        plano = Plano(
            models,
            environ={},
            state=ResponsesState(),
            auth=ApiKeys({"ann": "key-of-ann", "bob": "key-of-bob"}),
            limits=Limits(max_body_bytes=MAX_BODY_BYTES),
        )
        with serving(plano) as url:
            ann, bob = (
                OpenAI(base_url=f"{url}/v1", api_key=f"key-of-{name}", timeout=20, max_retries=0)
                for name in ("ann", "bob")
            )
            with ann, bob:
                yield StateStage(upstream, url, ann, bob)


def dumped(model: Any) -> Any:
    """What came, as it was sent; it is of the types that the SDK has for it."""
    return model.model_dump(exclude_unset=True, warnings="error")


def text_of(item: Any) -> str:
    """The text of a message."""
    return str(item.content[0].text)


def _scripted(model: str, *pieces: str | Tool, stream: bool) -> Reply:
    if stream:
        return anthropic_stream(pieces) if model == CLAUDE else chat_stream(pieces)
    text = "".join(piece for piece in pieces if isinstance(piece, str)) or None
    whole = anthropic_reply if model == CLAUDE else chat_reply
    return whole(text, *[piece for piece in pieces if isinstance(piece, Tool)])


def _named_in(fields: dict[str, Any]) -> ResponseConversation | None:
    """What an answer says of its conversation."""
    given = fields.get("conversation")
    if given is None:
        return None
    return ResponseConversation(id=given["id"] if isinstance(given, dict) else given)
