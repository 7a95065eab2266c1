"""
The stage for memory: three ways to remember, one store, one socket, a scripted upstream behind.

Who a client is, the host says by ``scope["user"]``; here it takes the header ``x-user`` for it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi.guards import PII, Guard, Words
from plano_asgi.memory import ForgetRoute, Memory, MemoryItem, Namespace
from plano_asgi.memory.sqlite_memory import SQLiteMemory
from plano_asgi.middleware import PlanoGuard, PlanoMemory
from sdk.guard_stage import gateway, mounted, relaying
from serving import serving
from upstream import ScriptedUpstream, scripted_upstream


class WatchedStore(SQLiteMemory):
    """Says what was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.written: dict[Namespace, list[MemoryItem]] = {}
        self._changed = threading.Condition()

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        await super().add(namespace, items)
        with self._changed:
            self.written.setdefault(namespace, []).extend(items)
            self._changed.notify_all()

    def wait_for(self, user: str, count: int) -> list[MemoryItem]:
        """What of *user* was written, once it is *count* items."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.written.get((user,), ())) >= count, 5)
            return self.written[(user,)]


class Login:
    """Believes the header ``x-user``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            user = dict(scope["headers"]).get(b"x-user", b"").decode()
            scope = {**scope, "user": user or None}
        await self.app(scope, receive, send)


@dataclass(eq=False)
class MemoryStage:
    """One test's view of it."""

    upstream: ScriptedUpstream
    url: str
    store: WatchedStore


WAYS = ("around", "in front", "inside")


@contextmanager
def remembering(directory: Path) -> Iterator[MemoryStage]:
    """Serve all of it."""
    store = WatchedStore(directory / "memory.db")
    with (
        scripted_upstream() as upstream,
        serving(Login(_everything(upstream.base_url, store))) as url,
    ):
        yield MemoryStage(upstream, url, store)


def _everything(base: str, store: WatchedStore) -> FastAPI:
    http = httpx.AsyncClient(headers={"content-type": "application/json"}, trust_env=False)
    guards: list[Guard] = [PII(mode="mask"), Words(["bomb"])]
    # The limit of 300 ms is no matter here, and the machine may be busy.
    memory = Memory(store, namespace=lambda scope: scope["user"], recall_timeout_s=5)
    inside = gateway(base, guards, memory=Memory(store, recall_timeout_s=5))

    def wrapped(app: ASGIApp) -> ASGIApp:
        return PlanoGuard(PlanoMemory(app, memory=memory), guards=guards)

    apps: Mapping[str, ASGIApp] = {
        "around": wrapped(relaying(base, http)),
        "in front": wrapped(mounted(gateway(base))),
        "inside": inside,
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with http, memory.lifespan(), inside.lifespan():
            yield

    app = FastAPI(lifespan=lifespan)
    forget = ForgetRoute(memory, namespace=lambda scope: scope["user"])
    app.router.routes.append(Route("/me/memory", forget))
    for way, inner in apps.items():
        app.mount(f"/{way}", inner)
    return app


def as_user(user: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """*body* for an SDK, asked by *user*."""
    return {**body, "extra_headers": {"x-user": user}}
