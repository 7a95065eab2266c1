"""
What the middlewares share: find the requests that matter, read each once, run the steps, and put
a tap around the app's answer where something listens.

Several of them around one app share the exchange: the outermost reads and parses the body, each
runs its own steps, and the outermost that listens hears the answer for all. Whatever stands
between them must leave the body as it is.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_asgi._json import dumps
from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES, ClientDisconnected, read_body
from plano_asgi.asgi.disconnect import run_until_disconnect
from plano_asgi.asgi.known_paths import KnownPath, request_layout
from plano_asgi.asgi.new_exchange import exchange_of, let_go, new_exchange
from plano_asgi.asgi.replay import Replay, with_length
from plano_asgi.asgi.request import forget_frames, has_packed_reasoning, unexpected
from plano_asgi.asgi.tap import MAX_FILTERED_BYTES, TapLimits, close_filters
from plano_asgi.asgi.tap_headers import is_json
from plano_asgi.asgi.tap_run import Listeners, RequestStep, run_steps, run_tapped
from plano_asgi.asgi.tap_voice import DialectVoice, RouteVoice, Said, Voice, say
from plano_asgi.errors import PlanoError, RequestError
from plano_asgi.exchange import SCOPE_KEY, AnswerInstead, Exchange
from plano_asgi.middleware.lifespan import around_lifespan
from plano_asgi.middleware.recognise import Recogniser, may_be_json, read_object
from plano_asgi.wire.field_layout import FieldLayout

Identity: TypeAlias = Callable[[Scope], Any | Awaitable[Any]]
"""Who is asking, as the host app vouches for it; ``None`` for nobody. May be async."""

_METHODS = frozenset(("POST", "PUT", "PATCH"))
_UNSEEN = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class ExchangeMiddleware:
    """
    Runs *steps* on the requests that *recogniser* finds, and their listeners on the answers.

    Everything else goes straight to *app*: other scopes, methods, paths and shapes of body.

    Args:
        identity: Becomes ``Exchange.identity`` where no middleware outside has set one.
        max_body_bytes, body_timeout_s: Of a request that is read: 413 and 408.
        max_answer_bytes: Of a whole JSON answer that is looked through: 502.
        lifespan: Entered around the app's.
    """

    def __init__(
        self,
        app: ASGIApp,
        steps: Sequence[RequestStep],
        *,
        recogniser: Recogniser,
        identity: Identity | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
        max_answer_bytes: int = MAX_FILTERED_BYTES,
        lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self.app = app
        self._steps = tuple(steps)
        self._recogniser = recogniser
        self._identity = identity
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._limits = TapLimits(max_answer_bytes=max_answer_bytes)
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            if scope["method"] in _METHODS and (known := self._recogniser.find(scope["path"])):
                await self._serve(known, scope, receive, send)
                return
        elif scope["type"] == "lifespan" and self._lifespan is not None:
            await around_lifespan(self.app, scope, receive, send, self._lifespan)
            return
        await self.app(scope, receive, send)

    async def _serve(self, known: KnownPath, scope: Scope, receive: Receive, send: Send) -> None:
        shared = _shared(scope, known)
        if shared is not None and shared.is_read:
            if isinstance(receive, Replay):
                live = receive
            else:  # somebody between has wrapped it: say the body again, as the exchange has it
                live = Replay(b"", receive)
                shared.is_changed = True
            await self._run(shared, _voice(known, shared), scope, live, send)
            return
        if (first := await _first_of_other(scope, receive)) is not None:
            if not first.is_json:
                await self.app(scope, first, send)
                return
            receive = first
        exchange = shared or new_exchange(known, scope)
        voice = _voice(known, exchange)
        try:
            content = await self._read(known, exchange, scope, receive)
        except ClientDisconnected:
            return
        except RequestError as exc:
            exchange.error = exc
            forget_frames(exc)
            await say(send, voice.error(exc))
            return
        live = Replay(content, receive)
        if exchange.layout is None:
            await self.app(scope, live, send)
            return
        exchange.identity = await self._identify(scope)
        try:
            await self._run(exchange, voice, scope, live, send)
        except Exception:
            if exchange is not shared:
                exchange.error = None  # it goes on, and its frames hold the exchange
            raise
        finally:
            if exchange is not shared:
                exchange.timings.ended = time.monotonic()

    async def _read(
        self, known: KnownPath, exchange: Exchange, scope: Scope, receive: Receive
    ) -> bytes:
        """Read the body into *exchange*; its layout stays ``None`` if it is none of ours."""
        content = await read_body(
            scope, receive, max_bytes=self._max_body_bytes, timeout_s=self._body_timeout_s
        )
        if (body := read_object(known, content)) is not None:
            exchange.body, exchange.is_read = body, True
            exchange.layout = request_layout(known, body)
            exchange.stream = body.get("stream") is True
            model = body.get("model")
            exchange.model = model if isinstance(model, str) else None
            exchange.has_packed_reasoning = bool(known.dialect) and has_packed_reasoning(
                known.dialect, content
            )
        return content

    async def _identify(self, scope: Scope) -> Any:
        if self._identity is None:
            return None
        identity = self._identity(scope)
        return await identity if inspect.isawaitable(identity) else identity

    async def _run(
        self, exchange: Exchange, voice: Voice, scope: Scope, live: Replay, send: Send
    ) -> None:
        inner = exchange.scope = {**scope, SCOPE_KEY: exchange}
        try:
            await self._work(exchange, voice, inner, live, send)
        finally:
            let_go(exchange)

    async def _work(
        self, exchange: Exchange, voice: Voice, scope: Scope, live: Replay, send: Send
    ) -> None:
        outcome = await self._request_side(exchange, voice, live)
        if outcome is None:
            return
        if isinstance(outcome, Said):
            exchange.status = outcome.status
            await say(send, outcome)
            return
        if exchange.is_changed:
            try:
                live.body = dumps(exchange.body)
            except ValueError:  # read, and yet too deep to be written
                await self._close(outcome, exchange)
                await say(send, voice.error(RequestError("The request body is nested too deeply.")))
                return
            scope = with_length(scope, len(live.body))
            exchange.is_changed = False
        if not outcome:
            await self.app(scope, live, send)
            return
        inner = _heard(scope) if outcome.filters else scope
        await run_tapped(
            exchange,
            outcome,
            lambda tap: self.app(inner, live, tap),
            send,
            voice,
            limits=self._limits,
            left=live.live,
        )

    async def _request_side(
        self, exchange: Exchange, voice: Voice, live: Replay
    ) -> Listeners | Said | None:
        """What the steps registered, or our answer; ``None`` if the client left meanwhile."""
        listeners = Listeners()

        async def steps() -> None:
            nonlocal listeners
            listeners = await run_steps(exchange, self._steps, limits=self._limits)

        try:
            if await run_until_disconnect(live.live, steps):
                exchange.disconnected = True
                await self._close(listeners, exchange)  # of a step that minds no cancellation
                return None
        except AnswerInstead as exc:
            return voice.refusal(exc.text, exc.reason)
        except Exception as exc:
            exchange.error = exc
            bad = exc if isinstance(exc, PlanoError) else unexpected(exc, exchange.id)
            forget_frames(exc)
            return voice.error(bad)
        return listeners

    async def _close(self, listeners: Listeners, exchange: Exchange) -> None:
        await close_filters(listeners.filters, exchange, self._limits.close_timeout_s)


class _Peeked:
    """A ``receive`` that gives the message looked at, then goes on."""

    __slots__ = ("_first", "_receive", "is_json")

    def __init__(self, first: Message, receive: Receive) -> None:
        self._first: Message | None = first
        self._receive = receive
        self.is_json = first["type"] == "http.request" and may_be_json(
            first.get("body", b""), is_all=not first.get("more_body", False)
        )

    async def __call__(self) -> Message:
        first, self._first = self._first, None
        return first if first is not None else await self._receive()


async def _first_of_other(scope: Scope, receive: Receive) -> _Peeked | None:
    """
    The first message of a body that does not say it is JSON. What the header says does not keep
    an app from parsing the body, so what it begins with decides.
    """
    for name, value in scope["headers"]:
        if name == b"content-type":
            if is_json(value.decode("latin-1")):
                return None
            return _Peeked(await receive(), receive)
    return None


def _shared(scope: Scope, known: KnownPath) -> Exchange | None:
    found = exchange_of(scope)
    if found is None or (found.dialect, found.operation) != (known.dialect, known.operation):
        return None
    return found


def _voice(known: KnownPath, exchange: Exchange) -> Voice:
    if isinstance(known.layout, FieldLayout) and not known.dialect:
        return RouteVoice(exchange, known.layout.refusal_body)
    return DialectVoice(exchange)


def _heard(scope: Scope) -> Scope:
    """A copy of *scope* whose answer can be listened to: plain, and through ``send``."""
    headers = [item for item in scope["headers"] if item[0] != b"accept-encoding"]
    extensions = scope.get("extensions") or {}
    kept = {name: value for name, value in extensions.items() if name not in _UNSEEN}
    return {**scope, "headers": headers, "extensions": kept}
