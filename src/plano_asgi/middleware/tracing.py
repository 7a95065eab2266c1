"""``PlanoTracing``: traces, metrics, cost and signals of any ASGI app, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi.asgi.known_paths import KnownPath
from plano_asgi.errors import ConfigurationError
from plano_asgi.middleware.lifespan import around_lifespan
from plano_asgi.middleware.recognise import Paths, Recogniser
from plano_asgi.telemetry.around import Watched
from plano_asgi.telemetry.telemetry import Telemetry


class PlanoTracing:
    """
    Trace, measure, price and score what an app's clients ask of a model, and what it answers.

        app.add_middleware(PlanoTracing)
        app.add_middleware(PlanoTracing, telemetry=Telemetry(metrics=..., prices=Prices()))

    Chat completions, Messages, Responses and the APIs around them are known by path, wherever they
    are mounted. Add it last: what it stands around is what it sees, refusals of guards included. A
    gateway mounted inside tells its routes and attempts on the same span.

    Args:
        telemetry: Where it all goes; by default spans by the global tracer provider, and signals.
        paths, fields, answer_fields: Other JSON routes; see ``Paths`` and ``FieldLayout``.
        exclude: Path patterns that are not looked at; see ``Recogniser``.
        server_span: Make the request's own span where neither the app's framework nor another
            instrumentation does.
        **options: As for ``Telemetry``, where none is given.
    """

    def __init__(
        self,
        app: ASGIApp,
        /,
        *,
        telemetry: Telemetry | None = None,
        paths: Paths = (),
        fields: Sequence[str] = (),
        answer_fields: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        server_span: bool = True,
        **options: Any,
    ) -> None:
        if telemetry is not None and options:
            raise ConfigurationError(f"a Telemetry has its own {sorted(options)}: give them there")
        self.app = app
        self._telemetry = telemetry or Telemetry(**options)
        recogniser = Recogniser(paths, fields=fields, answer_fields=answer_fields, exclude=exclude)

        def find(scope: Scope) -> KnownPath | None:
            return recogniser.find(scope["path"])

        self._watched = Watched(app, self._telemetry, find=find, makes_server_span=server_span)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await around_lifespan(self.app, scope, receive, send, self._telemetry.lifespan)
            return
        await self._watched(scope, receive, send)
