"""
The stage the clients play on: a gateway on a socket, a scripted upstream of every dialect behind.

The providers have their own profiles, as in life: ``openai/*`` speaks chat and Responses,
``anthropic/*`` speaks Messages, ``mistral/*`` and ``deepseek/*`` speak chat only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from plano_asgi.attempts import RetryPolicy
from plano_asgi.config import Model, Plano
from serving import serving
from upstream import Recorded, Reply, ScriptedUpstream, scripted_upstream

KEY = "sk-the-gateways-own-key"
CLIENT_KEY = "sk-the-clients-key"
ORIGIN = "https://chat.example"
CODER = "claude-coder"
LENIENT = "anthropic/lenient"
REASONER = "openai/reasoner"
"""Served by the Responses API whatever the client speaks."""

_TO_RESPONSES = dict.fromkeys(("openai.chat", "anthropic.messages"), "openai.responses")


@dataclass(slots=True)
class Answer:
    """What the client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The data of every SSE event, decoded; ``"[DONE]"`` as it is."""
        lines = self.body.decode().splitlines()
        texts = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]


@dataclass(slots=True)
class Stage:
    """One test's view of it."""

    upstream: ScriptedUpstream
    url: str
    http: httpx.Client

    def post(self, path: str, body: object, headers: Mapping[str, str], *replies: Reply) -> Answer:
        """Script *replies*, send *body*, read the answer to its end."""
        script = iter(replies)
        self.upstream.on(lambda _: next(script))  # what is left over is nobody else's
        return self._answer(self.http.post(self.url + path, json=body, headers=dict(headers)))

    def send(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """A request without a body."""
        return self._answer(self.http.request(method, self.url + path, headers=dict(headers)))

    @property
    def sent(self) -> Recorded:
        """The last request that reached the upstream."""
        return self.upstream.requests[-1]

    @staticmethod
    def _answer(response: httpx.Response) -> Answer:
        return Answer(response.status_code, response.headers, response.content)


def _gateway(base_url: str) -> Plano:
    def model(name: str, **options: Any) -> Model:
        return Model(name, api_key=KEY, base_url=base_url, **options)

    return Plano(
        [
            *(model(f"{name}/*") for name in ("openai", "anthropic", "mistral", "deepseek")),
            model("openai/gpt-5"),
            model("anthropic/claude-sonnet-4-5"),
            model(LENIENT, drop_unsupported=True),
            model(REASONER, dialects=_TO_RESPONSES),
        ],
        aliases={CODER: "openai/gpt-5"},
        environ={},
        cors_origins=[ORIGIN],
        retry=RetryPolicy(attempts_per_candidate=1),
    )


@contextmanager
def served() -> Iterator[Stage]:
    """Serve the gateway and its upstream."""
    with (
        scripted_upstream() as upstream,
        serving(_gateway(upstream.base_url)) as url,
        httpx.Client(timeout=10) as http,
    ):
        yield Stage(upstream, url, http)
