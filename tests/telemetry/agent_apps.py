"""Apps that are agents themselves, and the spans of what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asgi_drive import Exchanged, drive
from plano_asgi import PlanoTracing
from tapped import WHOLE
from telemetry.one_trace import parent_id, span_id
from telemetry.watching import Watching
from wrapping import CHAT, HI

Work: TypeAlias = Callable[[Request], Awaitable[Response | None]]
SERVER_SPAN = f"POST {CHAT}"


def route(work: Work, path: str = CHAT) -> Route:
    """A route whose answer is what *work* returns, or a model's."""

    async def endpoint(request: Request) -> Response:
        await request.json()
        return await work(request) or JSONResponse(WHOLE)

    return Route(path, endpoint, methods=["POST"])


def traced(watching: Watching, *routes: BaseRoute, **options: Any) -> Starlette:
    """An app of *routes*; *options* are the middleware's."""
    around = Middleware(PlanoTracing, telemetry=watching.telemetry, **options)
    return Starlette(routes=routes, middleware=[around])


async def asked(watching: Watching, work: Work, **headers: str) -> Exchanged:
    """What a traced app answers that does *work* for it."""
    return await drive(traced(watching, route(work)), CHAT, HI, headers=headers)


def lineage(watching: Watching, name: str) -> list[str]:
    """The span of *name*, its parent, and so on up to the request's own."""
    by_id = {span_id(span): span for span in watching.spans.ended}
    found: ReadableSpan | None = watching.only(name)
    names = []
    while found is not None:
        names.append(found.name)
        found = by_id.get(parent_id(found))
    return names


def failures(watching: Watching) -> dict[str, Any]:
    """``error.type`` by span; a failed one has the status, too, and others have not."""
    for span in watching.spans.ended:
        has_error = "error.type" in (span.attributes or {})
        assert (span.status.status_code is StatusCode.ERROR) is has_error
        assert not span.events, "no texts of exceptions"
    return {
        span.name: span.attributes["error.type"]
        for span in watching.spans.ended
        if span.attributes and "error.type" in span.attributes
    }
