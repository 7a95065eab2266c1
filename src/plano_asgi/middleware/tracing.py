"""``PlanoTracing``: traces, metrics, cost and signals of any ASGI app, in one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi.asgi.known_paths import KnownPath
from plano_asgi.errors import ConfigurationError
from plano_asgi.middleware.lifespan import around_lifespan
from plano_asgi.middleware.recognise import Paths, Recogniser
from plano_asgi.pricing import Prices
from plano_asgi.telemetry.around import Watched
from plano_asgi.telemetry.global_metrics import global_metrics
from plano_asgi.telemetry.telemetry import Telemetry
from plano_asgi.telemetry.variables import OPT_IN_VARIABLE, asked_content


class PlanoTracing:
    """
    Trace, measure, price and score what an app's clients ask of a model, and what it answers.

        app.add_middleware(PlanoTracing)
        app.add_middleware(PlanoTracing, metrics=None, content=ContentCapture.SPAN_ONLY)
        app.add_middleware(PlanoTracing, telemetry=Telemetry(metrics=..., prices=Prices()))

    Chat completions, Messages, Responses and the APIs around them are known by path, wherever they
    are mounted. Add it last: what it stands around is what it sees, refusals of guards included. A
    gateway mounted inside tells its routes and attempts on the same span.

    Args:
        telemetry: Where it all goes. By default: spans to the global tracer provider and metrics
            to the global meter provider, from when there are any, prices of `genai-prices` where
            that is installed, and signals.
        paths, fields, answer_fields: Other JSON routes; see ``Paths`` and ``FieldLayout``.
        exclude: Path patterns that are not looked at; see ``Recogniser``.
        server_span: Make the request's own span where neither the app's framework nor another
            instrumentation does.
        **options: As for ``Telemetry``, where none is given; they win over those defaults, and
            ``None`` switches off (``metrics=None``, ``prices=None``). Where *content* and *opt_in*
            are not among them, ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` and
            ``OTEL_SEMCONV_STABILITY_OPT_IN`` are read, when this is made.

    Raises:
        ConfigurationError: Both *telemetry* and *options*, or a bound that is none.
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
        self._recogniser = Recogniser(
            paths, fields=fields, answer_fields=answer_fields, exclude=exclude
        )
        self._makes_server_span = server_span
        self._options = options if telemetry is not None else _with_defaults(options)
        self._is_unmetered = telemetry is None and "metrics" not in options
        self._telemetry = telemetry or Telemetry(**self._options)
        self._watched = self._around(self._telemetry)

    def _around(self, telemetry: Telemetry) -> Watched:
        return Watched(
            self.app, telemetry, find=self._find, makes_server_span=self._makes_server_span
        )

    def _find(self, scope: Scope) -> KnownPath | None:
        return self._recogniser.find(scope["path"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await around_lifespan(self.app, scope, receive, send, self._telemetry.lifespan)
            return
        if self._is_unmetered and (metrics := global_metrics()) is not None:
            self._is_unmetered = False
            self._watched = self._around(Telemetry(**self._options, metrics=metrics))
        await self._watched(scope, receive, send)


def _with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """*options*, and what is not said there: from the environment, and prices that are bundled."""
    found: dict[str, Any] = {"opt_in": os.environ.get(OPT_IN_VARIABLE), **options}
    if "content" not in found:
        found["content"] = asked_content(os.environ)
    if "prices" not in found and find_spec("genai_prices") is not None:
        found["prices"] = Prices()
    return found
