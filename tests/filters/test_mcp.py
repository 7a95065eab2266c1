"""MCP filters against a real MCP server over streamable HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp, Receive, Scope, Send

from exchanges import chat_exchange
from plano_asgi.errors import FilterRefused, FilterUnavailable
from plano_asgi.filters import FilterChain, MCPFilter
from serving import serving

_posts: list[str] = []


def _server() -> ASGIApp:
    server = MCPServer("filters")

    @server.tool()
    def rewrite(body: dict[str, Any], path: str) -> dict[str, Any]:
        """Append the path to the last turn."""
        body["messages"][-1]["content"] += f" via {path}"
        return body

    @server.tool()
    def refuse(body: dict[str, Any], path: str) -> dict[str, Any]:
        """Never agree."""
        raise ToolError("Not in this shop.")

    @server.tool()
    def babble(body: dict[str, Any], path: str) -> str:
        """Answer something that is no body."""
        return "hm"

    app = server.streamable_http_app()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _posts.append(f"{scope['method']} {scope['path']}")
        await app(scope, receive, send)

    return counted


@pytest.fixture(scope="module", name="server")
def _running() -> Iterator[str]:
    with serving(_server, factory=True) as url:
        yield url


@pytest.mark.anyio
async def test_the_tool_gets_the_body_and_the_path(server: str) -> None:
    """What it returns is the new body; a URL without a path means ``/mcp``."""
    exchange = chat_exchange("Hello")
    step = MCPFilter("rewrite", server)
    await FilterChain(input_filters=[step])(exchange)
    await step.aclose()
    assert exchange.body["messages"][0]["content"] == "Hello via /v1/chat/completions"


@pytest.mark.anyio
async def test_a_session_is_kept(server: str, anyio_backend_name: str) -> None:
    """After the first request every further one is one call."""
    if anyio_backend_name != "asyncio":
        pytest.skip("on trio each call opens a session of its own")
    step = MCPFilter("any", f"{server}/mcp", tool="rewrite")
    await step.on_request(chat_exchange())
    _posts.clear()
    for _ in range(3):
        await step.on_request(chat_exchange())
    posted = [post for post in _posts if post.startswith("POST")]
    await step.aclose()
    assert len(posted) == 3


@pytest.mark.anyio
async def test_an_error_of_the_tool_is_the_clients_answer(server: str) -> None:
    """``isError`` is a 400 with its text."""
    step = MCPFilter("refuse", server)
    with pytest.raises(FilterRefused, match="Not in this shop") as refused:
        await step.on_request(chat_exchange())
    await step.aclose()
    assert refused.value.status == 400


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["babble", "unknown"])
async def test_a_tool_that_cannot_judge_lets_nothing_pass(server: str, tool: str) -> None:
    """No body, no such tool: closed, unless asked for otherwise."""
    step = MCPFilter("policy", server, tool=tool)
    with pytest.raises((FilterUnavailable, FilterRefused)):
        await step.on_request(chat_exchange())
    await step.aclose()


@pytest.mark.anyio
async def test_a_server_that_is_not_there_lets_nothing_pass() -> None:
    """Nor does it leave anything running."""
    step = MCPFilter("gone", "http://127.0.0.1:9", timeout_s=2)
    exchange = chat_exchange()
    with pytest.raises(FilterUnavailable, match="gone"):
        await step.on_request(exchange)
    opened = MCPFilter("gone", "http://127.0.0.1:9", timeout_s=2, on_error="open")
    await opened.on_request(exchange)
    await step.aclose()
    assert not exchange.is_changed


@pytest.mark.anyio
async def test_a_server_that_went_away_lets_nothing_pass_either() -> None:
    """The kept session is of no use any more, and a new one cannot be had."""
    with serving(_server, factory=True) as url:
        step = MCPFilter("rewrite", url, timeout_s=3)
        await step.on_request(chat_exchange())
    with pytest.raises(FilterUnavailable):
        await step.on_request(chat_exchange())
    await step.aclose()
