"""The mountable app: one OpenAI- and Anthropic-compatible API over any provider."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi._json import JSONObject
from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES, ClientDisconnected, read_body
from plano_asgi.asgi.disconnect import run_until_disconnect
from plano_asgi.asgi.lifespan import serve_lifespan
from plano_asgi.asgi.new_exchange import exchange_of, headers_of, let_go
from plano_asgi.asgi.request import forget_frames, request_id_of, unexpected
from plano_asgi.asgi.respond import encode_headers
from plano_asgi.asgi.tap import MAX_FILTERED_BYTES, TapLimits
from plano_asgi.asgi.tap_run import RequestStep
from plano_asgi.attempts import BreakerPolicy, Breakers, Engine, RetryPolicy
from plano_asgi.attempts.engine import MAX_ANSWER_BYTES
from plano_asgi.cache import ResponseCache
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import MethodNotAllowed, NotFound, PlanoError
from plano_asgi.exchange import SCOPE_KEY, Candidate, Exchange
from plano_asgi.filters import Filter, FilterChain, RequestFunction
from plano_asgi.gateway.ask import ask_model, post_json
from plano_asgi.gateway.auth import Auth, authenticate
from plano_asgi.gateway.call import Call, error_dialect
from plano_asgi.gateway.chat import read_chat
from plano_asgi.gateway.cors import CORS
from plano_asgi.gateway.count_tokens import count_tokens
from plano_asgi.gateway.decide import decide
from plano_asgi.gateway.intake import known_path, own_exchange, shared_exchange
from plano_asgi.gateway.model_list import serve_models
from plano_asgi.gateway.paths import Endpoint, match
from plano_asgi.gateway.pipeline import Finalizer, Pipeline, Shaper, Stages, answer_errors
from plano_asgi.gateway.relay import read_json, read_relayed, relay
from plano_asgi.gateway.state_homes import Homes
from plano_asgi.gateway.state_routes import serve_compact, serve_state
from plano_asgi.gateway.steps import RequestSide
from plano_asgi.guards.base import Guard
from plano_asgi.guards.chain import GuardChain
from plano_asgi.limits.meter import Meter
from plano_asgi.memory.memory import Memory
from plano_asgi.providers.base import UpstreamProvider
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.base import RouteRule
from plano_asgi.routing.names import Names
from plano_asgi.routing.sessions import open_session
from plano_asgi.state.responses_state import ResponsesState
from plano_asgi.telemetry.around import Watched
from plano_asgi.telemetry.asking import Asking
from plano_asgi.telemetry.telemetry import Telemetry
from plano_asgi.wire import DIALECTS

_RESPONSES = "openai.responses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Bounds of one request.

    Args:
        max_body_bytes: Of the client's body; more is answered 413.
        body_timeout_s: For the client to finish sending it; then 408.
        max_answer_bytes: Of a whole upstream answer, and of a stream before its first content.
        max_filtered_bytes: Of a whole answer that guards or filters look through; over it: 502.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    body_timeout_s: float = BODY_TIMEOUT_S
    max_answer_bytes: int = MAX_ANSWER_BYTES
    max_filtered_bytes: int = MAX_FILTERED_BYTES


class Resource(Protocol):
    """Something that works in the background while the gateway serves."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Entered at the start, left at shutdown."""
        ...


class Gateway:
    """
    The gateway as an ASGI app: mount it anywhere, or serve it by itself.

    Works with nothing else (connections open on first use, one pool per event loop); composing
    ``lifespan`` into the host's closes them in order.

    Args:
        providers: Who serves, by the key that *names* uses.
        names: Model names, aliases and wildcards.
        auth: Vouches for callers; see ``Auth``. Without it every caller is served, under the
            identity the host app put in ``scope["user"]``. A mounted app does not run the host's
            own dependencies: give the check here.
        on_fields: Steps for fields of the body, before *steps*, for the requests that have them.
        steps, rules, finalizers: See ``pipeline``.
        filters, guards, memory: Run after *steps*, in the order of ``RequestSide``, on every
            endpoint that takes JSON, token counts included; ``memory`` on chat only.
        state: Keeps conversations of the Responses API, for every provider; ``None``: only
            upstreams that keep their own go on from ``previous_response_id``.
        breaker: When to leave an upstream alone; ``Breakers`` are circuits that gateways share.
        meters: ``RateLimits``, ``SpendBudgets``: reserve before a model is tried, settle after.
            A meter is one gateway's; gateways that count together share its store.
        cache: Gives an answer again to exactly the same request of the same caller.
        shapers: Change the body for a candidate; see ``pipeline.Shaper``.
        telemetry: Traces, metrics, costs, signals and the access log of what is served.
        resources: Objects with a ``lifespan()``, entered with the gateway's.
        cors_origins: Origins that browsers may call from; ``["*"]`` for any.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, UpstreamProvider],
        names: Names,
        auth: Auth | None = None,
        on_fields: Mapping[str, RequestStep] | None = None,
        steps: Sequence[RequestStep] = (),
        filters: FilterChain | Sequence[Filter | RequestFunction] = (),
        guards: GuardChain | Sequence[Guard | GuardChain] = (),
        memory: Memory | None = None,
        rules: Sequence[RouteRule] = (),
        finalizers: Sequence[Finalizer] = (),
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | Breakers | None = None,
        limits: Limits | None = None,
        state: ResponsesState | None = None,
        meters: Sequence[Meter] = (),
        cache: ResponseCache | None = None,
        shapers: Sequence[Shaper] = (),
        telemetry: Telemetry | None = None,
        resources: Sequence[Resource] = (),
        cors_origins: Sequence[str] = (),
        transports: TransportPool | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.names = names
        self.providers = dict(providers)
        self._auth = auth
        self._limits = limits or Limits()
        self._resources = (telemetry, *resources) if telemetry is not None else tuple(resources)
        self._transports = transports or TransportPool()
        engine = Engine(
            self.providers,
            self._transports.get,
            policy=retry,
            breakers=breaker if isinstance(breaker, Breakers) else Breakers(breaker, timer=timer),
            max_answer_bytes=self._limits.max_answer_bytes,
            timer=timer,
        )
        self._state = state
        if state is not None:
            state.attach(native=self._keeps_state, resolve=names.resolve)
            rules = [state.route, *rules]
        if cache is not None:
            finalizers = [cache.keep, *finalizers]
        self._request_side = RequestSide(steps=steps, filters=filters, guards=guards, memory=memory)
        stages = Stages(
            first=tuple(step for step in (cache, state) if step is not None),
            on_fields=dict(on_fields or {}),
            steps=self._request_side.steps,
            rules=tuple(rules),
            admissions=tuple(meter.admit for meter in meters),
            shapers=tuple(shapers),
            commits=(open_session,),
            finalizers=(*(meter.settle for meter in meters), *finalizers),
            tap=TapLimits(max_answer_bytes=self._limits.max_filtered_bytes),
            asking=None if telemetry is None else partial(Asking, telemetry),
            price=telemetry.told if telemetry is not None and telemetry.cost_header else None,
        )
        self._pipeline = Pipeline(engine, names, stages)
        self._http: ASGIApp = self._serve
        if telemetry is not None:
            self._http = Watched(self._http, telemetry, find=known_path)
            if telemetry.metrics is not None:
                engine.breakers.listen(telemetry.metrics.breaker)
        if cors_origins:
            self._http = CORS(self._http, cors_origins)
        for meter in meters:  # last: what could not be built has none
            meter.attach(names.names_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await serve_lifespan(receive, send, self.lifespan)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "HTTP only"})

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        """Compose into the host's lifespan: ``FastAPI(lifespan=plano.lifespan)``."""
        try:
            async with AsyncExitStack() as stack:
                for resource in self._resources:
                    await stack.enter_async_context(resource.lifespan())
                await stack.enter_async_context(self._request_side.lifespan())
                yield
        finally:
            if self._state is not None:
                await self._state.aclose()
            await self._transports.aclose()

    async def ask(self, request: ChatRequest) -> ChatResponse:
        """
        The whole answer of a model of this gateway, for guards, memory and code of the host's.

        Routed, retried and failed over like a client's request; no steps, filters, guards, memory
        or finalizers run.

        Raises:
            PlanoError: As a client would be told.
        """
        return await ask_model(self._pipeline, request)

    async def post_json(self, path: str, body: JSONObject) -> JSONObject:
        """
        Post to a relayed API (``/moderations``, ``/embeddings``) of the provider that serves
        ``body["model"]``. As ``ask`` otherwise.
        """
        return await post_json(self._pipeline, path, body)

    @property
    def transports(self) -> TransportPool:
        """The connections that the gateway uses."""
        return self._transports

    def missing(self) -> list[str]:
        """What is still to be configured, a sentence for each provider; for readiness pages."""
        return [text for provider in self.providers.values() if (text := provider.missing)]

    async def aclose(self) -> None:
        """Close the running event loop's connections: upstream, filters', memory's."""
        await self._request_side.aclose()
        await self._transports.aclose()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        watched = exchange_of(scope)
        headers = headers_of(scope, watched)
        found = match(scope["path"], scope.get("root_path", ""))
        endpoint, tail = found if found else (None, "")
        dialect = error_dialect(headers)
        if endpoint is not None and endpoint.dialect is not None:
            dialect = DIALECTS[endpoint.dialect]
        call = Call(
            scope=scope,
            receive=receive,
            raw_send=send,
            headers=headers,
            dialect=dialect,
            id=request_id_of(headers) if watched is None else watched.id,
            tail=tail,
        )
        try:
            await self._dispatch(call, endpoint)
        except ClientDisconnected:
            return
        except Exception as exc:
            error = exc if isinstance(exc, PlanoError) else unexpected(exc, call.id)
            await self._refuse(call, error)
            forget_frames(exc)

    async def _dispatch(self, call: Call, endpoint: Endpoint | None) -> None:
        method = call.scope["method"]
        if endpoint is None:
            if method == "OPTIONS":
                await call.reply(204, b"", [])
                return
            raise NotFound(f"There is no {method} {call.scope['path']} here.")
        if method == "OPTIONS":
            await call.reply(204, b"", encode_headers({"allow": endpoint.allow}))
            return
        if method not in endpoint.methods and endpoint.kind != "state":
            raise MethodNotAllowed(
                f"{method} is not allowed on {endpoint.path}; use {endpoint.methods[0]}.",
                allow=endpoint.allow,
            )
        if endpoint.kind == "root":
            await call.reply_json({"object": "service", "name": "plano-asgi"})
            return
        call.identity = await authenticate(self._auth, call.scope)
        if endpoint.kind == "models":
            await serve_models(call, self.names)
            return
        if endpoint.kind == "state":
            await self._serve_state(call)
            return
        await self._exchange(call, endpoint)

    async def _serve_state(self, call: Call) -> None:
        if self._state is None:
            raise NotFound(f"There is no {call.scope['method']} {call.scope['path']} here.")
        homes = Homes(providers=self.providers, transport=self._transports.get)
        await serve_state(
            call,
            self._state,
            homes,
            max_body_bytes=self._limits.max_body_bytes,
            body_timeout_s=self._limits.body_timeout_s,
        )

    def _keeps_state(self, candidate: Candidate) -> bool:
        """Whether *candidate* speaks the Responses API itself."""
        return self._pipeline.engine.dialect(candidate, _RESPONSES) == _RESPONSES

    async def _exchange(self, call: Call, endpoint: Endpoint) -> None:
        exchange = shared_exchange(call, endpoint) or own_exchange(call, endpoint)
        call.id, exchange.scope = exchange.id, call.scope
        if self._auth is not None or exchange.identity is None:
            exchange.identity = call.identity
        content: bytes | None = None
        if not exchange.is_read:
            content = await read_body(
                call.scope,
                call.receive,
                max_bytes=self._limits.max_body_bytes,
                timeout_s=self._limits.body_timeout_s,
            )
            exchange.is_read = True
        call.scope[SCOPE_KEY] = exchange
        try:
            left = await run_until_disconnect(
                call.receive,
                lambda: answer_errors(
                    call, exchange, lambda: self._work(call, exchange, endpoint, content)
                ),
            )
            exchange.disconnected |= left and not call.ended
        finally:
            try:
                await self._pipeline.finalize(exchange)
            finally:
                let_go(exchange)
        if exchange.error is not None:
            forget_frames(exchange.error)

    async def _work(
        self, call: Call, exchange: Exchange, endpoint: Endpoint, content: bytes | None
    ) -> None:
        pipeline = self._pipeline
        if endpoint.kind == "chat":
            read_chat(exchange, content)
            await pipeline.run(call, exchange, lambda: pipeline.chat(call, exchange))
        elif endpoint.kind == "decision":
            exchange.facts["endpoint"] = "decision"
            read_chat(exchange, content)
            await pipeline.run(call, exchange, lambda: decide(call, exchange, pipeline))
        elif endpoint.kind == "count_tokens":
            read_json(exchange, content)
            await pipeline.run(call, exchange, lambda: count_tokens(call, exchange, pipeline))
        else:
            form = read_relayed(exchange, content)
            state = self._state
            if state is not None and endpoint.path == "/responses/compact" and form is None:
                work = partial(serve_compact, call, exchange, pipeline, state)
            else:
                work = partial(relay, call, exchange, pipeline, form)
            await pipeline.run(call, exchange, work)

    async def _refuse(self, call: Call, error: PlanoError) -> None:
        """Answer *error*; past the start, leave the response unended: the server cuts it."""
        watched = exchange_of(call.scope)
        if watched is not None and watched.error is None:
            watched.error = error
        if not call.started:
            with suppress(ClientDisconnected):
                await call.reply_error(error)
