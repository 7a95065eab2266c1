"""
A filter that is an MCP tool, over streamable HTTP.

The tool is called with ``{"body": <the request's JSON>, "path": <its API's path>}`` and answers the
new body: as structured content under ``result``, or as JSON text. One session per event loop is
opened on first use and kept: one call per request. Needs the extra ``mcp``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import anyio

from plano_asgi._json import loads
from plano_asgi.errors import FilterRefused, MissingExtra
from plano_asgi.exchange import Exchange
from plano_asgi.filters.remote import MAX_BYTES, RemoteFilter, path_hint

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

_MAX_TEXT = 2000


class MCPFilter(RemoteFilter):
    """
    An MCP tool as a request-side filter.

    Args:
        url: The server's; without a path, ``/mcp`` of it.
        tool: The tool's name; the filter's own by default.
        **options: See ``RemoteFilter``.

    Raises:
        MissingExtra: The ``mcp`` package is not installed.
    """

    protocol = "mcp"

    def __init__(
        self,
        name: str,
        url: str,
        *,
        tool: str | None = None,
        timeout_s: float = 10.0,
        on_error: Literal["closed", "open"] = "closed",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(name, url, timeout_s=timeout_s, on_error=on_error, max_bytes=max_bytes)
        if find_spec("mcp") is None:
            raise MissingExtra(f"filter {name!r} (an MCP tool)", "mcp")
        self._url = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/mcp"
        self._tool = tool or name
        self._sessions: WeakKeyDictionary[object, _Session] = WeakKeyDictionary()

    async def on_request(self, exchange: Exchange, /) -> None:
        """
        Call the tool with the body, go on with the one that came back.

        Raises:
            FilterRefused: The tool answered with an error of its own (400).
            FilterUnavailable: It could not be asked, and ``on_error`` is "closed".
        """
        arguments = {"body": exchange.body, "path": path_hint(exchange)}
        try:
            with anyio.fail_after(self.timeout_s):
                result = await self._call(arguments)
        except TimeoutError as exc:
            self.failed(exchange, f"did not answer within {self.timeout_s:g} s", exc)
            return
        except Exception as exc:  # the SDK has no root: its own, the transport's, pydantic's
            self.failed(exchange, "could not be asked", exc)
            return
        if result.is_error:
            text = _text(result)[:_MAX_TEXT] or f"The filter {self.name!r} refused the request."
            raise FilterRefused(text, filter=self.name)
        body = _body(result)
        if body is None:
            self.failed(exchange, "answered something that is no JSON object")
        else:
            exchange.replace_body(body)

    async def aclose(self) -> None:
        """Close the running loop's session."""
        with suppress(RuntimeError):
            if session := self._sessions.pop(asyncio.get_running_loop(), None):
                await session.aclose()

    async def _call(self, arguments: dict[str, Any]) -> CallToolResult:
        """One call over the kept session; over a fresh one if the kept one turns out dead."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio: nobody there could keep a session open between requests
            async with self._client() as client:
                return await client.call_tool(self._tool, arguments)
        session = self._sessions.get(loop)
        if session is not None and session.is_open:
            try:
                return await session.client.call_tool(self._tool, arguments)
            except Exception:  # see on_request; a server that restarted knows the session no more
                self._sessions.pop(loop, None)
                await session.aclose()
        session = await self._opened(loop)
        return await session.client.call_tool(self._tool, arguments)

    async def _opened(self, loop: object) -> _Session:
        session = await _Session.open(self._client)
        known = self._sessions.get(loop)
        if known is not None and known.is_open:  # another request was faster
            await session.aclose()
            return known
        self._sessions[loop] = session
        return session

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[Client]:
        from mcp import Client

        async with Client(self._url, read_timeout_seconds=self.timeout_s) as client:
            yield client


@dataclass(eq=False)
class _Session:
    """An open session and the task that holds it: the SDK leaves it where it was entered."""

    client: Client
    _keeper: asyncio.Task[None]
    _leave: asyncio.Event

    @property
    def is_open(self) -> bool:
        return not self._keeper.done()

    @classmethod
    async def open(cls, connect: Any) -> _Session:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Client] = loop.create_future()
        leave = asyncio.Event()

        async def keep() -> None:
            try:
                async with connect() as client:
                    if not ready.cancelled():
                        ready.set_result(client)
                    await leave.wait()
            except Exception as exc:
                if not ready.done():
                    ready.set_exception(exc)

        keeper = loop.create_task(keep(), name="mcp-filter-session")
        try:
            client = await ready
        except BaseException:
            keeper.cancel()
            raise
        return cls(client, keeper, leave)

    async def aclose(self) -> None:
        self._leave.set()
        with anyio.move_on_after(2, shield=True), suppress(asyncio.CancelledError):
            await asyncio.wait([self._keeper])
        self._keeper.cancel()


def _body(result: CallToolResult) -> dict[str, Any] | None:
    structured = result.structured_content
    if isinstance(structured, dict) and isinstance(structured.get("result"), dict):
        found: dict[str, Any] = structured["result"]
        return found
    try:
        value = loads(_text(result))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _text(result: CallToolResult) -> str:
    for item in result.content:
        if isinstance(text := getattr(item, "text", None), str):
            return text
    return ""
