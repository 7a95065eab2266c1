"""Once a request is over, nothing of it waits for the cyclic garbage collector."""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from asgi_drive import drive
from hostile.leftovers import (
    KINDS,
    OTHERS,
    Kind,
    Outcome,
    Upstream,
    built,
    left_by,
    served,
    telling_all,
)
from hostile.stage import CHAT, CLIENTS, PATHS
from hostile.test_telemetry_laws import reply
from memory_transport import events
from plano_asgi.exchange import Exchange
from plano_asgi.filters.base import Filter
from plano_asgi.guards import PII
from plano_asgi.guards.base import ALLOW, Guard, Side, Subject, Verdict, block, guard
from plano_asgi.memory.memory import Memory
from plano_asgi.middleware import PlanoGuard, PlanoMemory, PlanoTracing
from plano_asgi.passages import Origin
from plano_asgi.telemetry import ContentCapture

pytestmark = pytest.mark.anyio

MAIL = "zoe.zebra@example.com"


@pytest.fixture
def anyio_backend() -> str:
    """Cancelled tasks are not ours to free on trio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _by_hand() -> Iterator[None]:
    """Collect only where told to, and look only at what the test has made."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _alone() -> tuple[ASGIApp, Upstream]:
    return built()


def _watched() -> tuple[ASGIApp, Upstream]:
    return built(telemetry=telling_all())


def _watched_in_full() -> tuple[ASGIApp, Upstream]:
    return built(telemetry=telling_all(ContentCapture.SPAN_AND_EVENT))


def _wrapped(*more: Middleware) -> tuple[ASGIApp, Upstream]:
    plano, upstream = built()
    around = [
        *more,
        Middleware(PlanoGuard, guards=[PII(mode="mask")]),
        Middleware(PlanoMemory, store="memory://", namespace=lambda scope: "ann"),
    ]
    return Starlette(routes=[Mount("/", plano)], middleware=around), upstream


def _wrapped_and_watched() -> tuple[ASGIApp, Upstream]:
    return _wrapped(Middleware(PlanoTracing, telemetry=telling_all()))


SERVERS: Mapping[str, Callable[[], tuple[ASGIApp, Upstream]]] = {
    "alone": _alone,
    "watched": _watched,
    "watched in full": _watched_in_full,
    "wrapped": _wrapped,
    "wrapped and watched": _wrapped_and_watched,
}


async def test_what_holds_itself_is_found() -> None:
    """A step that ties a knot: the look is sharp enough."""

    async def knot(exchange: Exchange) -> None:
        exchange.state["test.knot"] = exchange

    plano, upstream = built(steps=[knot])
    found = await left_by(lambda: served(plano, upstream, KINDS["whole"], CHAT))
    assert "Exchange" in found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server", SERVERS)
async def test_a_request_leaves_nothing(server: str, kind: str) -> None:
    """Of every API, however it ends and whoever watches."""
    app, upstream = SERVERS[server]()
    for dialect in CLIENTS:
        found = await left_by(partial(served, app, upstream, KINDS[kind], dialect))
        assert found == [], dialect


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("server", SERVERS)
async def test_a_request_of_another_api_leaves_nothing(server: str, kind: str) -> None:
    """Relayed, counted, or not served at all."""
    app, upstream = SERVERS[server]()
    assert await left_by(lambda: served(app, upstream, OTHERS[kind], CHAT)) == []


# --------------------------------------------------------------------------- who looks into it

BOTH: frozenset[Side] = frozenset(("request", "answer"))
ANSWER: frozenset[Side] = frozenset(("answer",))


async def _minding_walruses(subject: Subject) -> Verdict:
    await anyio.lowlevel.checkpoint()
    return block("walrus") if "walrus" in subject.text else ALLOW


async def _breaking(subject: Subject) -> Verdict:
    await anyio.lowlevel.checkpoint()
    raise ValueError("cannot judge")


def _judges(*names: str, **options: Any) -> list[Guard]:
    return [guard(name=name, **options)(_minding_walruses) for name in names]


GUARDS: Mapping[str, tuple[Callable[[], list[Guard]], str]] = {
    "mask": (lambda: [PII(mode="mask")], MAIL),
    "redact": (lambda: [PII(mode="redact", sides=BOTH)], MAIL),
    "judge": (lambda: _judges("one", "two"), MAIL),
    "judge beside": (lambda: _judges("one", "two", stage="beside"), MAIL),
    "block": (lambda: _judges("one", "two"), "a walrus"),
    "block beside": (lambda: _judges("one", "two", stage="beside"), "a walrus"),
    "block the answer": (lambda: _judges("one", "two", sides=ANSWER), MAIL),
    "break": (lambda: [guard(name="broken")(_breaking)], MAIL),
    "break beside": (lambda: [guard(name="broken", stage="beside")(_breaking)], MAIL),
    "break open": (lambda: [guard(name="broken", on_error="open", sides=BOTH)(_breaking)], MAIL),
}
"""Guards, and what they are shown; the upstream's answers speak of a walrus."""


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
@pytest.mark.parametrize("guards", GUARDS)
async def test_a_guarded_request_leaves_nothing(guards: str, watched: bool) -> None:
    """In the gateway, streamed and not."""
    make, text = GUARDS[guards]
    told = {"telemetry": telling_all()} if watched else {}
    plano, upstream = built(guards=make(), **told)
    for dialect in CLIENTS:
        for kind in (KINDS["whole"], KINDS["stream"]):
            asked = _any_status(plano, upstream, kind, dialect, text)
            assert await left_by(asked) == [], dialect


def _any_status(
    app: ASGIApp, upstream: Upstream, kind: Kind, dialect: str, text: str
) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        upstream.outcomes = deque(kind.outcomes(dialect))
        await drive(app, PATHS[dialect], kind.body_of(dialect, text))

    return ask


class _Silent(Filter):
    """Looks at both sides, and changes nothing."""

    name = "silent"


async def _no_change(exchange: Exchange) -> None:
    """A filter as a function."""


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
@pytest.mark.parametrize("kind", ["whole", "stream", "stream, translated", "500", "cut"])
async def test_filters_and_memory_leave_nothing(kind: str, watched: bool) -> None:
    """What was queued to be remembered is remembered before anybody looks."""
    memory = Memory("memory://", namespace=lambda scope: "ann")
    told = {"telemetry": telling_all()} if watched else {}
    plano, upstream = built(filters=[_Silent(), _no_change], memory=memory, **told)

    async def ask(dialect: str) -> None:
        await served(plano, upstream, KINDS[kind], dialect)
        await memory.queue.drain()

    for dialect in CLIENTS:
        assert await left_by(partial(ask, dialect)) == [], dialect


async def test_arguments_that_are_redacted_leave_nothing() -> None:
    """JSON that is read piece by piece."""
    function = {"name": "mail", "arguments": json.dumps({"to": MAIL})[:-1]}
    call = {"index": 0, "id": "c1", "type": "function", "function": function}
    rest = {"index": 0, "function": {"arguments": "}"}}

    def tools(dialect: str) -> Sequence[Outcome]:
        deltas = [{"tool_calls": [call]}, {"tool_calls": [rest]}, {}]
        chunks = [{"id": "1", "model": "m", "choices": [{"index": 0, "delta": d}]} for d in deltas]
        chunks[-1]["choices"] = [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
        return [events(*chunks, "[DONE]")]

    kind = Kind(outcomes=tools, stream=True)
    origins: frozenset[Origin] = frozenset(("content", "tool_call"))
    plano, upstream = built(guards=[PII(mode="redact", sides=BOTH, origins=origins)])
    assert await left_by(lambda: served(plano, upstream, kind, CHAT)) == []


# --------------------------------------------------------------------------- an app of one's own


async def _answering(request: Request) -> Response:
    """An app that knows nothing of us."""
    body = await request.json()
    if body["model"] == "nobody/m":
        raise ValueError("no such model")
    dialect = next(name for name, path in PATHS.items() if path == request.url.path)
    made = reply(dialect, streamed=body["stream"])
    chunks = [chunk for chunk in made.chunks if isinstance(chunk, bytes)]
    if not body["stream"]:
        return JSONResponse(json.loads(chunks[0]))

    async def parts() -> AsyncGenerator[bytes]:
        for chunk in chunks:
            await anyio.lowlevel.checkpoint()
            yield chunk

    return StreamingResponse(parts(), media_type="text/event-stream")


async def _speaking(request: Request) -> Response:
    """One that streams plain text."""

    async def parts() -> AsyncGenerator[str]:
        for word in ("write to ", MAIL, " or leave it"):
            await anyio.lowlevel.checkpoint()
            yield word

    return StreamingResponse(parts(), media_type="text/plain")


def foreign(guards: list[Guard], *, watched: bool) -> Starlette:
    """The app, wrapped."""
    around = [Middleware(PlanoTracing, telemetry=telling_all())] if watched else []
    around += [
        Middleware(PlanoGuard, guards=guards),
        Middleware(PlanoMemory, store="memory://", namespace=lambda scope: "ann"),
    ]
    routes = [Route(path, _answering, methods=["POST"]) for path in PATHS.values()]
    return Starlette(routes=routes, middleware=around)


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
@pytest.mark.parametrize("guards", ["mask", "redact", "judge", "judge beside", "block", "break"])
async def test_a_wrapped_app_leaves_nothing(guards: str, watched: bool) -> None:
    """Answered whole and as a stream, refused, and with a body that cannot be read."""
    make, text = GUARDS[guards]
    app = foreign(make(), watched=watched)
    for dialect in CLIENTS:
        for kind in (KINDS["whole"], KINDS["stream"]):
            asked = _any_status(app, Upstream(), kind, dialect, text)
            assert await left_by(asked) == [], dialect


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
async def test_a_wrapped_app_that_fails_leaves_nothing(watched: bool) -> None:
    """What it raised goes on to the server, and is gone with it."""
    app = foreign([PII(mode="mask")], watched=watched)

    async def ask() -> None:
        with suppress(ValueError):
            await drive(app, PATHS[CHAT], KINDS["no such model"].body_of(CHAT))

    assert await left_by(ask) == []


async def test_a_stream_of_plain_text_leaves_nothing() -> None:
    """Its pieces are the events themselves."""
    app = PlanoGuard(
        Starlette(routes=[Route("/speak", _speaking, methods=["POST"])]),
        guards=[PII(mode="redact", sides=BOTH)],
        paths=["/speak"],
        fields=["question"],
    )

    async def ask() -> None:
        found = await drive(app, "/speak", {"question": "whom?"})
        assert found.body.startswith(b"write to ")
        assert MAIL.encode() not in found.body

    assert await left_by(ask) == []
