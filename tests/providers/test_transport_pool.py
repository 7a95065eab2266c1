"""One transport per event loop: made late, shared within the loop, closed with it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import anyio
import anyio.lowlevel
import pytest

from plano_asgi.errors import ConfigurationError, UpstreamUnreachable
from plano_asgi.providers import transports
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.transports import TransportPool, default_transport
from upstream import refused


class Noted:
    """A transport that knows whether it was closed, and on which loop that happened."""

    def __init__(self) -> None:
        self.closed = 0

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Nothing asks for it."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Needs a living loop, as closing real connections does."""
        await anyio.lowlevel.checkpoint()
        self.closed += 1


@pytest.mark.anyio
async def test_one_transport_per_loop() -> None:
    """The same one within a loop; nothing is made before it is asked for."""
    made = list[Noted]()

    def factory() -> Noted:
        made.append(Noted())
        return made[-1]

    pool = TransportPool(factory)
    assert made == []
    assert pool.get() is pool.get() is made[0]
    await pool.aclose()
    assert len(made) == 1


@pytest.mark.anyio
async def test_aclose_is_idempotent_and_not_final() -> None:
    """Closing closes once; a later request gets a new transport."""
    pool = TransportPool(Noted)
    await pool.aclose()
    first = pool.get()
    await pool.aclose()
    await pool.aclose()
    assert isinstance(first, Noted)
    assert first.closed == 1
    assert pool.get() is not first
    await pool.aclose()


def test_transport_is_closed_with_its_loop(anyio_backend: str) -> None:
    """A pool that nobody closes leaves nothing open, and serves the next loop afresh."""
    pool = TransportPool(Noted)

    async def use() -> Noted:
        transport = pool.get()
        assert isinstance(transport, Noted)
        assert transport.closed == 0
        return transport

    first = anyio.run(use, backend=anyio_backend)
    second = anyio.run(use, backend=anyio_backend)
    assert first is not second
    assert (first.closed, second.closed) == (1, 1)


def test_get_needs_a_running_loop() -> None:
    """Outside of a loop there is none to make a transport for."""
    with pytest.raises(RuntimeError):
        TransportPool(Noted).get()
    code = """
from plano_asgi.providers.transports import TransportPool
try:
    TransportPool().get()
except RuntimeError as exc:
    print(exc)
"""
    assert run_python(code).strip() == "no running event loop"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("proxy", "kinds"),
    [
        (None, {"asyncio": "HttptoolsTransport", "trio": "HttpxTransport"}),
        ("http://127.0.0.1:1", {"asyncio": "AiohttpTransport", "trio": "HttpxTransport"}),
    ],
)
async def test_default_transport(
    anyio_backend: str,
    proxy: str | None,
    kinds: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fastest that works with this loop and this environment; the pool takes it, too."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    name = kinds[anyio_backend]
    transport = default_transport()
    assert type(transport) is getattr(transports, name)
    await transport.aclose()
    pool = TransportPool(idle_close_s=1.0)
    assert type(pool.get()) is getattr(transports, name)
    await pool.aclose()


def test_idle_close_needs_the_default_factory() -> None:
    """An argument that would have no effect is refused."""
    with pytest.raises(ConfigurationError, match="idle_close_s"):
        TransportPool(Noted, idle_close_s=1.0)


def test_unknown_name() -> None:
    """The lazy names do not swallow typing errors."""
    with pytest.raises(AttributeError, match="CurlTransport"):
        _ = transports.CurlTransport


def run_python(code: str) -> str:
    """Run *code* in a fresh interpreter; what it printed."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def test_import_loads_no_http_client() -> None:
    """A process pays for the client it uses only."""
    code = "import sys, plano_asgi.providers.transports as _; print(*sys.modules)"
    assert {"httpx", "aiohttp", "httptools"}.isdisjoint(run_python(code).split())


def test_missing_extra() -> None:
    """Without its library a fast transport says how to get it, and the default does without."""
    code = """
import asyncio, sys
sys.modules["aiohttp"] = sys.modules["httptools"] = None
from plano_asgi.providers.transports import AiohttpTransport, default_transport
try:
    AiohttpTransport()
except Exception as exc:
    print(type(exc).__name__, exc)
async def main():
    transport = default_transport()
    print(type(transport).__name__)
    await transport.aclose()
asyncio.run(main())
"""
    missing, default = run_python(code).splitlines()
    assert missing == (
        "MissingExtra AiohttpTransport needs an extra: pip install 'plano-asgi[fast]'"
    )
    assert default == "HttpxTransport"


def test_session_left_open_is_closed_with_its_loop() -> None:
    """The same with a real client: no warning of an unclosed session."""

    async def use(pool: TransportPool) -> None:
        with refused() as base_url, pytest.raises(UpstreamUnreachable):
            await pool.get().open(HTTPRequest(method="GET", url=base_url, headers={}), Timeouts())

    pool = TransportPool()
    asyncio.run(use(pool))
    asyncio.run(use(pool))
