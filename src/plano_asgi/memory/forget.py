"""One HTTP route that a host may mount: "forget everything about me"."""

from __future__ import annotations

import structlog
from starlette.types import Receive, Scope, Send

from plano_asgi._json import dumps
from plano_asgi.asgi.respond import send_body
from plano_asgi.errors import MemoryUnavailable
from plano_asgi.memory.memory import Memory
from plano_asgi.memory.namespace import NamespaceOf, namespace_for

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_log = structlog.get_logger("plano_asgi")


class ForgetRoute:
    """
    ``DELETE`` deletes all that is remembered about the caller and answers with the counts.

        forget = ForgetRoute(memory, namespace=lambda scope: scope["user"].id)
        app = Starlette(routes=[Route("/me/memory", forget), ...])

    Whoever the host does not vouch for gets a 401; nobody can name another's memory.

    Args:
        namespace: As for ``Memory``.
    """

    def __init__(self, memory: Memory, *, namespace: NamespaceOf) -> None:
        self._memory, self._namespace_of = memory, namespace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status, content, headers = await self._answer(scope)
        await send_body(send, status, dumps(content), [*_JSON, *headers])

    async def _answer(self, scope: Scope) -> tuple[int, object, list[tuple[bytes, bytes]]]:
        if scope["method"] != "DELETE":
            return 405, _error("Only DELETE is understood here."), [(b"allow", b"DELETE")]
        namespace = await namespace_for(scope, self._namespace_of)
        if namespace is None:
            return 401, _error("Nobody is logged in."), []
        try:
            counts = await self._memory.delete_all(namespace)
        except MemoryUnavailable as exc:
            _log.error("memory_forget_failed", error=type(exc).__name__)
            return 503, _error("The memory cannot be reached; try again."), [(b"retry-after", b"5")]
        return 200, {"deleted": counts}, []


def _error(message: str) -> dict[str, object]:
    return {"error": {"message": message}}
