"""
The exchange: one request and its answer in flight, and the one per-request object.

It lives in ``scope["plano"]``. Middlewares and the gateway share it, so that a body is read and
parsed once, and inner code reports up through it (usage, route, attempts) without globals.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from plano_asgi._json import JSONObject
from plano_asgi.activities import Activity, ActivityKind, Watcher
from plano_asgi.conversation import AnswerFacts, ChatRequest, ChatResponse, FinishReason, Usage
from plano_asgi.errors import PlanoError
from plano_asgi.passages import Layout, Passage, StreamEditor, WireEvent

SCOPE_KEY = "plano"
EARLIER_KEY = "state.earlier"
"""Where ``Exchange.state`` holds the input items that were said before, and are kept here."""


class Candidate(NamedTuple):
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
    """One upstream try. ``outcome``: ok, or an error's ``word``. Times are ``time.monotonic``."""

    candidate: Candidate
    started: float
    ended: float | None = None
    status: int | None = None
    outcome: str = "open"
    address: str | None = None
    """The upstream's host, where somebody watches; so *port*."""
    port: int | None = None


@dataclass(slots=True, kw_only=True)
class Timings:
    """Monotonic seconds; ``None`` until it happened."""

    started: float
    first_byte: float | None = None
    """First content byte sent to the client."""
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """
    What one guard found out about one side of an exchange; never content.

    ``skipped`` (it does not apply here) is not ``passed``; ``error`` and ``timeout`` say that it
    could not judge, and ``blocked`` beside them tells what came of it.
    """

    guard: str
    side: Literal["request", "answer"]
    status: Literal["passed", "blocked", "redacted", "skipped", "error", "timeout"]
    rule: str = ""
    score: float | None = None
    latency_s: float = 0.0
    report_only: bool = False


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
    scope: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The ASGI scope it came with: what the host app vouches for is in there."""
    path: str = ""
    """The request's path as the host app sees it (``/v1/chat/completions``)."""
    headers: Mapping[str, str] = field(repr=False)
    """The client's headers, lower-case names; repeated ones joined by ``, ``."""
    raw_headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """What *headers* were read from, so that nobody reads the same again."""
    body: JSONObject = field(repr=False)
    client_body: JSONObject | None = field(default=None, repr=False)
    """What the client sent, once something else stands in its place."""
    read_request: Callable[[JSONObject], ChatRequest]
    identity: Any = None
    """What ``auth=`` vouched for; never taken from the request body."""
    has_packed_reasoning: bool = False
    """The body replays reasoning of another dialect that we packed for the client."""
    stream: bool = False
    model: str | None = None
    """The model the client asked for."""
    meant_models: tuple[str, ...] = ()
    """Every other name of the models that *model* may lead to, where a gateway knows them."""
    route: Route | None = None
    attempts: list[Attempt] = field(default_factory=list)
    served_by: Candidate | None = None
    deadline: float | None = None
    """``time.monotonic`` past which nothing new is tried."""
    timings: Timings = field(default_factory=lambda: Timings(started=time.monotonic()))
    usage: Usage | None = None
    cut_after_bytes: int = 0
    """What a model had written of a stream that did not come to its end, in UTF-8 bytes, about so
    many; else 0."""
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    """Sent with the answer besides, and with an error; lower-case names."""
    error: Exception | None = None
    disconnected: bool = False
    response: ChatResponse | None = None
    """The whole neutral answer; only set where a finalizer asked for it."""
    answered: Callable[[], AnswerFacts] | None = field(default=None, repr=False)
    """What a whole answer says of itself, for who asks after its end; ``None`` where nobody inside
    has read it, or where it was changed since."""
    layout: Layout | None = None
    """Where the texts of this exchange's bodies stand; ``None``: no texts we know of."""
    audits: list[Audit] = field(default_factory=list)
    beside: list[Callable[[], Awaitable[None]]] = field(default_factory=list, repr=False)
    """Checks that run beside the model call: no byte goes out before all of them returned. One
    that raises (``AnswerStopped``) ends the exchange and cancels the call."""
    response_filters: list[ResponseFilter] = field(default_factory=list)
    scrubbers: list[Callable[[str], str]] = field(default_factory=list, repr=False)
    """Applied to every text of this exchange before anybody keeps it longer than the exchange."""
    is_heard: bool = False
    """Someone further out runs the response filters: leave them on the list."""
    state: dict[str, Any] = field(default_factory=dict)
    """For extensions: keep keys prefixed with the extension's name."""
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)
    """What spans, metrics and logs tell of it besides, by short names; never content."""
    is_changed: bool = False
    """The body is no longer the client's bytes: whoever replays it writes it anew."""
    is_read: bool = True
    """The body has been read and parsed. One who only watches makes the exchange before that."""
    is_watched: bool = False
    """Somebody tells of it once it is over; whoever is further in leaves it to them."""
    watcher: Watcher | None = field(default=None, repr=False)
    """Hears what is being done for this exchange."""
    _request: ChatRequest | None = field(default=None, repr=False)

    @property
    def request(self) -> ChatRequest:
        """The neutral request, read on first use."""
        if self._request is None:
            self._request = self.read_request(self.body)
        return self._request

    def replace_body(self, body: JSONObject) -> None:
        """Put *body* in the place of the client's; the neutral form is read anew."""
        if self.client_body is None:
            self.client_body = self.body
        self.body = body
        self.touch()

    def touch(self) -> None:
        """Say that ``body`` was changed in place."""
        self.is_changed = True
        self._request = None

    def doing(self, kind: ActivityKind, name: str, **facts: Any) -> Activity:
        """``with exchange.doing("guard", "pii"):`` around a stretch of work worth telling of."""
        return Activity(self.watcher, kind, name, facts)

    def trace_headers(self) -> Mapping[str, str]:
        """Headers that carry the trace to a service of one's own; none without a watcher."""
        return {} if self.watcher is None else self.watcher.headers(None)

    def passages(self) -> list[Passage]:
        """Every text of the body that reaches the model, as it is now."""
        return self.layout.request_passages(self.body) if self.layout is not None else []


CHANGES, LISTENS, UNMASKS = range(3)
"""Ranks of response filters: real values take the place of placeholders at the very end."""


class ResponseFilter:
    """
    A response-side step: sees what the client will see, in the client's own dialect, and may
    change, hold back, add or stop it. Registered on ``Exchange.response_filters`` by a
    request-side step. Make one per exchange: it may keep state. The base class changes nothing.

    The outermost owner of the response that has filters of its own (a middleware, the gateway)
    runs all of them, each once: by ``rank``, then from the inside out, then in the order of
    registration. One registered after the response has begun is run by nobody.

    Raise ``AnswerStopped`` from any method to end the answer there.
    """

    rank: int = CHANGES
    """``CHANGES``, then ``LISTENS`` to what the others have left, then ``UNMASKS``."""

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Change a whole JSON answer (in place or anew); also an error's, told by ``status``."""
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Change one event of a stream; return what goes out now: often ``[event]`` itself."""
        return (event,)

    async def on_end(self, editor: StreamEditor, exchange: Exchange) -> Sequence[WireEvent]:
        """The stream ended without an end mark; return what is still held back."""
        return ()

    async def on_close(self, exchange: Exchange) -> None:
        """The response is over, in whatever manner. Always called, once, shielded and bounded."""


class AnswerStopped(Exception):
    """
    Raised by a response filter: the answer must not go on.

    Before the first byte the client gets *error* as a status, or *text* as a whole answer if
    *as_answer*; later the stream ends in its dialect's own way with *reason*.
    """

    def __init__(
        self,
        error: PlanoError,
        *,
        text: str = "",
        reason: FinishReason = "content_filter",
        as_answer: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.text = text
        self.reason: FinishReason = reason
        self.as_answer = as_answer


class AnswerInstead(Exception):
    """Raised by a request-side step: answer *text* with status 200, and ask no upstream."""

    def __init__(self, text: str, *, reason: FinishReason = "content_filter") -> None:
        super().__init__(text)
        self.text = text
        self.reason: FinishReason = reason
