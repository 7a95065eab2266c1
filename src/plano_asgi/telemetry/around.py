"""
Watch an app from the outside: make the exchange, start its span, and see what came of it.

Bodies are copied as they pass, up to a bound, and looked at after the last byte has gone out.
Nothing is refused, changed or held here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import structlog
from opentelemetry import context as context_api
from opentelemetry.trace import get_current_span
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi.asgi.known_paths import KnownPath
from plano_asgi.asgi.new_exchange import exchange_of, new_exchange
from plano_asgi.asgi.request import trace_of
from plano_asgi.exchange import Exchange
from plano_asgi.telemetry.current import span_of
from plano_asgi.telemetry.spans import error_word, set_error
from plano_asgi.telemetry.telemetry import Telemetry
from plano_asgi.telemetry.watch import Watch

Find: TypeAlias = Callable[[Scope], KnownPath | None]
"""What a request is, if it is one of those watched."""

_SERVER_SPAN_KEYS = ("fastapi.telemetry", "starlette.opentelemetry")
_ASIDE: Scope = {"fastapi.telemetry": None, "starlette.opentelemetry": True}
"""Says to the frameworks inside that there is a server span: theirs would know no parent but the
client's."""
_RUN_KEY = "plano.run"
_log = structlog.get_logger("plano_asgi")
_METHODS = frozenset(("POST", "PUT", "PATCH"))


class Watched:
    """
    *app*, watched.

    Requests that *find* knows get a span of their own, under the server span that the app's
    framework or another instrumentation has made. Where nobody has made one, and
    *makes_server_span* says so, it is made here (of every request, other paths too), and those of
    Starlette and FastAPI further in stand aside. Where no lifespan has read what is needed to look
    at an exchange that is over, that is done once, after the first answer has gone out.
    """

    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, *, find: Find, makes_server_span: bool = True
    ) -> None:
        self.app = app
        self._telemetry = telemetry
        self._find = find
        self._makes_server_span = makes_server_span
        self._is_ready = False
        self._server: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        known = self._find(scope) if scope["method"] in _METHODS else None
        shared = exchange_of(scope)
        if shared is not None and shared.is_watched:
            known = None  # somebody outside tells of it
        if self._makes_server_span and self._is_first(scope):
            run = _Run(self.app, self._telemetry, known, shared)
            try:
                await self._server_span()(_without_query(scope, run), receive, send)
                if run.error is not None:
                    raise run.error
            finally:
                run.error = None  # its frames hold this run: what holds itself is left to the gc
                if run.watch is not None:
                    await self._finish(run.watch)
        elif known is None:
            await self.app(scope, receive, send)
        else:
            exchange = shared or new_exchange(known, scope)
            watch = Watch(self._telemetry, exchange, receive, send, known.layout)
            try:
                await watch.run(self.app, scope)
            finally:
                await self._finish(watch)

    def _finish(self, watch: Watch) -> Awaitable[None]:
        return watch.finish() if self._is_ready else self._first_finish(watch)

    async def _first_finish(self, watch: Watch) -> None:
        try:
            await self._get_ready()
        finally:  # also where the task is cancelled meanwhile
            await watch.finish()

    async def _get_ready(self) -> None:
        """Once; whoever else ends meanwhile is looked at in a thread of its own."""
        self._is_ready = True
        with anyio.move_on_after(self._telemetry.finish_timeout_s, shield=True):
            try:
                await self._telemetry.prepare()
            except Exception as exc:  # whatever cannot be read: all the rest is told
                _log.error("telemetry_not_prepared", trace=trace_of(exc))

    def _is_first(self, scope: Scope) -> bool:
        """Whether there are spans to be made, and nobody has made the request's own."""
        current = span_of(context_api.get_current()).get_span_context()
        if current.is_valid and not current.is_remote:
            return False
        return self._telemetry.tracer() is not None and not any(map(scope.get, _SERVER_SPAN_KEYS))

    def _server_span(self) -> ASGIApp:
        if self._server is None:
            # Late: most apps never need it, and it takes more memory than the rest of telemetry.
            from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
            from opentelemetry.metrics import NoOpMeterProvider

            self._server = OpenTelemetryMiddleware(
                _go_on,
                tracer_provider=self._telemetry.light_provider(),
                meter_provider=NoOpMeterProvider(),
                exclude_spans=["receive", "send"],
            )
        return self._server


class _Run:
    """One request under a server span of ours: the app, and the watch on it once that is there."""

    __slots__ = ("_app", "_known", "_shared", "_telemetry", "error", "query", "watch")

    def __init__(
        self,
        app: ASGIApp,
        telemetry: Telemetry,
        known: KnownPath | None,
        shared: Exchange | None,
    ) -> None:
        self._app, self._telemetry, self._known = app, telemetry, known
        self._shared = shared
        self.query = b""
        self.error: Exception | None = None
        self.watch: Watch | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._known is None:
            await self._app(scope, receive, send)
            return
        exchange = self._shared or new_exchange(self._known, scope)
        self.watch = Watch(self._telemetry, exchange, receive, send, self._known.layout)
        await self.watch.run(self._app, scope)


async def _go_on(scope: Scope, receive: Receive, send: Send) -> None:
    """What the server span goes around."""
    run: _Run = scope.pop(_RUN_KEY)  # off the one that the instrumentation's own ``send`` keeps
    scope = dict(scope)
    scope["query_string"] = run.query
    scope |= _ASIDE
    try:
        await run(scope, receive, send)
    except Exception as exc:  # raised outside: the instrumentation writes down what one says
        run.error = exc
        set_error(get_current_span(), error_word(exc))


def _without_query(scope: Scope, run: _Run) -> Scope:
    """For the server span: clients put keys into queries, and a span is no place for them."""
    run.query = scope.get("query_string", b"")
    return {**scope, "query_string": b"", _RUN_KEY: run}
