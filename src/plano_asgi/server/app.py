"""
The gateway as a server of its own: ``uvicorn plano_asgi.standalone:app``.

The environment is read when the server starts, not at import: ``PLANO_CONFIG`` names a
``plano_config.yaml``; without it the providers are found by their keys. TLS, ports, workers and
graceful shutdown are uvicorn's options.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import structlog
from starlette.types import Receive, Scope, Send

from plano_asgi._json import dumps
from plano_asgi.asgi.lifespan import serve_lifespan
from plano_asgi.asgi.respond import send_body
from plano_asgi.config import Plano
from plano_asgi.gateway.paths import below_root

CONFIG_VARIABLE = "PLANO_CONFIG"
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_HEALTH_METHODS = ("GET", "HEAD")
_log = structlog.get_logger("plano_asgi")


def plano_from_environment(environ: Mapping[str, str]) -> Plano:
    """
    The gateway that *environ* describes.

    Raises:
        ConfigurationError: The file that ``PLANO_CONFIG`` names cannot be used.
    """
    path = environ.get(CONFIG_VARIABLE, "").strip()
    if path:
        return Plano.from_yaml(path, environ=environ)
    return Plano.from_env(environ)


@contextmanager
def _settled() -> Generator[None]:
    """
    What is there from the start on stays: full garbage collections, which hold up every stream for
    as long as they last, need not look at it. The process is ours alone.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Standalone:
    """
    A gateway with health pages, built when the server starts.

    ``/healthz``: the process answers. ``/readyz``: 200 if a model can be served, 503 if not; says
    what is missing. Both without auth, both without a model call. Told to stop, the server accepts
    no more and lets what is in flight end, for as long as its own options say.
    """

    def __init__(self, build: Callable[[], Plano] | None = None) -> None:
        self._build = build or (lambda: plano_from_environment(os.environ))
        self._plano: Plano | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await serve_lifespan(receive, send, self._lifespan)
            return
        plano = self._started()
        path = below_root(scope["path"], scope.get("root_path", ""))
        if scope["type"] == "http" and path in ("/healthz", "/readyz"):
            await self._health(plano, path, scope, send)
            return
        is_page = scope["type"] == "http" and path == plano.metrics_path
        if plano.metrics_app is not None and is_page:
            await plano.metrics_app(scope, receive, send)
            return
        await plano(scope, receive, send)

    def _started(self) -> Plano:
        if self._plano is None:
            self._plano = self._build()
        return self._plano

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        plano = self._started()
        for line in plano.missing():
            _log.warning("provider_without_key", detail=line)
        async with plano.lifespan():
            with _settled():
                yield

    async def _health(self, plano: Plano, path: str, scope: Scope, send: Send) -> None:
        head = scope["method"] == "HEAD"
        if scope["method"] not in _HEALTH_METHODS:
            await send_body(send, 405, b'{"status":"GET only"}', [*_JSON, (b"allow", b"GET, HEAD")])
        elif path == "/healthz":
            await send_body(send, 200, b'{"status":"ok"}', _JSON, head=head)
        else:
            missing = plano.missing()
            ready = len(missing) < len(plano.providers)
            value = {"status": "ready" if ready else "not ready", "missing": missing}
            await send_body(send, 200 if ready else 503, dumps(value), _JSON, head=head)
