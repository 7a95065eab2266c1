"""
The exchange: one request and its answer in flight, and the one per-request object.

It lives in ``scope["plano"]``. Middlewares and the gateway share it, so that a body is read and
parsed once, and inner code reports up through it (usage, route, attempts) without globals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Usage,
)
from plano_asgi.stream_events import (
    StreamEvent,
)

SCOPE_KEY = "plano"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model at one provider. *provider* is the key under which the gateway holds it."""

    provider: str
    model: str
    """The upstream's own model id."""

    @property
    def name(self) -> str:
        """``provider/model``, as in ``x-plano-model``."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where to go: candidates in order of preference, and why."""

    candidates: tuple[Candidate, ...]
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One upstream try. ``outcome``: ok, or an error's ``code``. Times are ``time.monotonic``."""

    candidate: Candidate
    started: float
    ended: float | None = None
    status: int | None = None
    outcome: str = "open"


@dataclass(slots=True, kw_only=True)
class Timings:
    """Monotonic seconds; ``None`` until it happened."""

    started: float
    first_byte: float | None = None
    """First content byte sent to the client."""
    ended: float | None = None


@dataclass(slots=True, kw_only=True)
class Exchange:
    """
    One request/response in flight.

    ``body`` is the client's parsed JSON; a step that changes it calls ``replace_body``. The
    neutral form is read only when somebody asks (``request``): with nobody asking and the same
    dialect upstream, bytes are relayed.
    """

    id: str
    operation: str
    """chat, embeddings, count_tokens, or the relayed path's name."""
    dialect: str
    """The client's wire dialect."""
    headers: Mapping[str, str] = field(repr=False)
    """The client's headers, lower-case names; repeated ones joined by ``, ``."""
    body: JSONObject = field(repr=False)
    read_request: Callable[[JSONObject], ChatRequest]
    identity: Any = None
    """What ``auth=`` vouched for; never taken from the request body."""
    has_packed_reasoning: bool = False
    """The body replays reasoning of another dialect that we packed for the client."""
    stream: bool = False
    model: str | None = None
    """The model the client asked for."""
    route: Route | None = None
    attempts: list[Attempt] = field(default_factory=list)
    served_by: Candidate | None = None
    deadline: float | None = None
    """``time.monotonic`` past which nothing new is tried."""
    timings: Timings = field(default_factory=lambda: Timings(started=time.monotonic()))
    usage: Usage | None = None
    status: int | None = None
    error: Exception | None = None
    disconnected: bool = False
    response: ChatResponse | None = None
    """The whole neutral answer; only set where a finalizer asked for it."""
    response_filters: list[ResponseFilter] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    """For extensions: keep keys prefixed with the extension's name."""
    _request: ChatRequest | None = None

    @property
    def request(self) -> ChatRequest:
        """The neutral request, read on first use."""
        if self._request is None:
            self._request = self.read_request(self.body)
        return self._request

    def replace_body(self, body: JSONObject) -> None:
        """Put *body* in the place of the client's; the neutral form is read anew."""
        self.body = body
        self._request = None


class ResponseFilter:
    """
    A response-side step. Registered on ``Exchange.response_filters`` before the upstream call;
    run by whoever owns the stream. The base class changes nothing.
    """

    def on_response(self, response: ChatResponse, exchange: Exchange) -> ChatResponse:
        """Change a whole answer."""
        return response

    def on_events(self, events: list[StreamEvent], exchange: Exchange) -> list[StreamEvent]:
        """Change stream events in order; may hold some back until a later call."""
        return events

    def on_end(self, exchange: Exchange) -> list[StreamEvent]:
        """The stream ended whole; return what was held back."""
        return []
