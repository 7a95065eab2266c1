"""Which endpoint a path means, however the client was configured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Kind = Literal["chat", "decision", "relay", "models", "count_tokens", "state", "root"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. ``path`` is its canonical path below the API's root."""

    path: str
    kind: Kind
    methods: tuple[str, ...]
    dialect: str | None = None
    """The wire dialect its errors and answers are in; ``None``: told by the client's headers."""

    @property
    def allow(self) -> str:
        """The value of an ``allow`` header."""
        return ", ".join((*self.methods, "OPTIONS"))


_GET = ("GET", "HEAD")
_POST = ("POST",)
_RELAYED = (
    "/embeddings",
    "/completions",
    "/moderations",
    "/rerank",
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/responses/compact",
    "/responses/input_tokens",
)
ENDPOINTS = (
    Endpoint("/chat/completions", "chat", _POST, "openai.chat"),
    Endpoint("/responses", "chat", _POST, "openai.responses"),
    Endpoint("/messages", "chat", _POST, "anthropic.messages"),
    Endpoint("/messages/count_tokens", "count_tokens", _POST, "anthropic.messages"),
    Endpoint("/models", "models", _GET),
    *(Endpoint(path, "relay", _POST, "openai.chat") for path in _RELAYED),
    Endpoint("/", "root", _GET),
)
_STATE = Endpoint("/responses/*", "state", ("GET", "HEAD", "POST", "DELETE"), "openai.responses")
_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
_DECISIONS = {
    endpoint.path: replace(endpoint, kind="decision")
    for endpoint in ENDPOINTS
    if endpoint.kind == "chat"
}
"""Below ``/routing``: where the request would go, and no model asked."""
_MODELS = _BY_PATH["/models"]
_MAX_PATHS = 256  # remembered


def below_root(path: str, root_path: str) -> str:
    """*path* less the *root_path* it begins with, cut at a segment's end only."""
    rest = path[len(root_path) :]
    return rest if path.startswith(root_path) and rest[:1] in ("", "/") else path


@lru_cache(_MAX_PATHS)
def match(path: str, root_path: str) -> tuple[Endpoint, str] | None:
    """
    The endpoint that *path* means, and what follows it (a model id, the path of kept state, or
    ""); ``None`` if none.

    A trailing slash, a missing or a doubled
    ``/v1`` (clients configured with one base URL too many or too few) make no difference.
    """
    if endpoint := _BY_PATH.get(path):
        return endpoint, ""
    path = below_root(path, root_path).rstrip("/")
    for _ in range(2):
        if path == "/v1" or path.startswith("/v1/"):
            path = path[3:]
    if endpoint := _BY_PATH.get(path or "/"):
        return endpoint, ""
    if path.startswith("/routing/"):
        path = path.removeprefix("/routing").removeprefix("/v1")
        return (_DECISIONS[path], "") if path in _DECISIONS else None
    if path.startswith(("/responses/", "/conversations/")) or path == "/conversations":
        return _STATE, path
    if path.startswith("/models/"):
        return _MODELS, path.removeprefix("/models/")
    return None
