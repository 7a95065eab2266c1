"""
Stores over TLS. The servers that tests start speak none, so something in front of them does: the
client's side, handshake and checks of the certificate included, is the real one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import anyio.lowlevel
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.conninfo import conninfo_to_dict

from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.base import Store
from plano_asgi.stores.open_store import open_store
from servers import PostgresServer, RedisServer

pytestmark = pytest.mark.anyio

Open = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@pytest.fixture
def anyio_backend() -> str:
    """The drivers are asyncio's."""
    return "asyncio"


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for *name*, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = directory / f"{name}.pem", directory / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key_pem


@asynccontextmanager
async def tls_in_front(
    connect: Callable[[], object], context: ssl.SSLContext, *, is_postgres: bool
) -> AsyncIterator[int]:
    """A port of loopback that passes what comes by TLS on to what *connect* reaches."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        behind = None
        try:
            if is_postgres:
                await reader.readexactly(8)  # "may I speak TLS?"
                writer.write(b"S")
                await writer.start_tls(context)
            behind, out = await connect()  # type: ignore[misc]
            await asyncio.gather(_pump(reader, out), _pump(behind, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            if behind is not None:
                out.close()

    given = {} if is_postgres else {"ssl": context}
    server = await asyncio.start_server(serve, "127.0.0.1", 0, **given)  # type: ignore[arg-type]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks)
        await anyio.lowlevel.checkpoint()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def check(good: Store, bad: Store) -> None:
    """*good* trusts who it speaks to, *bad* does not."""
    await good.put("key", b"1" * 100_000)
    assert await good.get("key") == b"1" * 100_000
    assert await good.update("key", lambda value: (b"2", len(value or b""))) == 100_000
    with pytest.raises(StoreUnavailable):
        await bad.get("key")
    await good.delete("key")
    await good.aclose()
    await bad.aclose()


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    """A certificate that the server has, one that it has not, and the server's context."""
    pem, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return pem, certificate(tmp_path, "elsewhere.test")[0], context


async def test_redis_by_tls(
    redis_server: RedisServer, trusted: tuple[Path, Path, ssl.SSLContext]
) -> None:
    """``rediss://`` checks the certificate."""
    pem, other, context = trusted
    port = int(redis_server.url.rpartition(":")[2].partition("/")[0])

    def connect() -> object:
        return asyncio.open_connection("127.0.0.1", port)

    async with tls_in_front(connect, context, is_postgres=False) as front:
        url = f"rediss://localhost:{front}/0?ssl_ca_certs="
        await check(open_store(f"{url}{pem}"), open_store(f"{url}{other}"))


async def test_postgres_by_tls(
    postgres_server: PostgresServer, trusted: tuple[Path, Path, ssl.SSLContext]
) -> None:
    """``sslmode=verify-full`` checks the certificate and its name."""
    pem, other, context = trusted
    known = conninfo_to_dict(postgres_server.schema())
    path = f"{known['host']}/.s.PGSQL.5432"

    def connect() -> object:
        return asyncio.open_unix_connection(path)

    async with tls_in_front(connect, context, is_postgres=True) as front:
        url = (
            f"postgresql://{known['user']}@localhost:{front}/postgres?sslmode=verify-full"
            f"&options={quote(str(known['options']))}&sslrootcert="
        )
        await check(open_store(f"{url}{pem}"), open_store(f"{url}{other}"))
