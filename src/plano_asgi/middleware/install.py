"""Put the middlewares around a Starlette or FastAPI app in the order they work best in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from starlette.applications import Starlette
from starlette.middleware import Middleware

from plano_asgi.memory.memory import Memory
from plano_asgi.middleware.guard import PlanoGuard
from plano_asgi.middleware.memory import PlanoMemory
from plano_asgi.middleware.tracing import PlanoTracing
from plano_asgi.telemetry.telemetry import Telemetry

Options: TypeAlias = Mapping[str, Any]


def install(
    app: Starlette,
    *,
    guard: Literal[True] | Options | None = None,
    memory: Memory | Options | None = None,
    tracing: Literal[True] | Telemetry | Options | Middleware | None = None,
) -> None:
    """
    Add what is given: tracing outermost, so that it sees refusals; then the guard; then memory,
    so that what is recorded has been guarded, and placeholders are recorded and no secrets.

        install(
            app,
            guard=True,
            memory={"store": "sqlite:///memory.db", "namespace": whose},
            tracing=True,
        )

    Add ``CORSMiddleware`` *after* this call: the last one added is the outermost, and a browser
    may read a refusal only under CORS headers.

    Args:
        guard: ``True``, or the options of ``PlanoGuard``.
        memory: A ``Memory``, or the options of ``PlanoMemory``.
        tracing: ``True``, a ``Telemetry``, or the options of ``PlanoTracing``; or any other tracing
            middleware.
    """
    if memory is not None:
        options = {"memory": memory} if isinstance(memory, Memory) else memory
        app.add_middleware(PlanoMemory, **options)
    if guard is not None:
        app.add_middleware(PlanoGuard, **({} if guard is True else guard))
    if isinstance(tracing, Middleware):
        app.add_middleware(tracing.cls, *tracing.args, **tracing.kwargs)
    elif tracing is not None:
        if isinstance(tracing, Telemetry):
            tracing = {"telemetry": tracing}
        app.add_middleware(PlanoTracing, **({} if tracing is True else tracing))
