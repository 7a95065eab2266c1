"""``GET /metrics``: the endpoint that Prometheus scrapes."""

from __future__ import annotations

import anyio.to_thread
from starlette.types import Receive, Scope, Send

from plano_asgi.asgi.respond import encode_headers, request_headers, send_body
from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.prometheus import PrometheusMeters

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricsApp:
    """
    An ASGI app that shows *meters*: as OpenMetrics if the scraper takes it, else as text 0.0.4.
    Rendered in a worker thread::

        app.router.routes.append(Route("/metrics", MetricsApp(meters)))

    It asks nobody who they are: put it where only your own network gets to.
    """

    def __init__(self, meters: PrometheusMeters) -> None:
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one request, on any path.

        Raises:
            ConfigurationError: It got something else than HTTP.
        """
        if scope["type"] != "http":
            raise ConfigurationError("MetricsApp serves HTTP only")
        if scope["method"] not in ("GET", "HEAD"):
            headers = {"allow": "GET, HEAD", "content-type": "text/plain"}
            await send_body(send, 405, b"use GET\n", encode_headers(headers))
            return
        wants_open = "application/openmetrics-text" in request_headers(scope).get("accept", "")
        body = await anyio.to_thread.run_sync(lambda: self._meters.render(openmetrics=wants_open))
        headers = {
            "content-type": _OPENMETRICS if wants_open else _TEXT,
            "cache-control": "no-store",
        }
        head = scope["method"] == "HEAD"
        await send_body(send, 200, body, encode_headers(headers), head=head)
