"""One key of a Redis in trouble, while the server serves the others."""

from __future__ import annotations

import time
import uuid

import pytest
from redis import Redis

from plano_asgi.stores.brief_store import BriefStore
from plano_asgi.stores.keys import KeyUnavailable
from plano_asgi.stores.redis_store import RedisStore
from servers import RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The driver is asyncio's."""
    return "asyncio"


async def test_a_key_that_others_always_change_first_rests_nobody(
    redis_server: RedisServer,
) -> None:
    """The change is given up in time; other keys are served."""
    root = uuid.uuid4().hex
    store = RedisStore(redis_server.url, root=root, command_timeout_s=0.2)
    brief = BriefStore(store, timeout_s=60.0, pause_s=60.0, timer=time.monotonic)
    await brief.put("other", b"1")
    with Redis.from_url(redis_server.url) as rival:

        def change(_: bytes | None) -> tuple[bytes, None]:
            rival.incr(f"{root}:key")
            return b"mine", None

        with pytest.raises(KeyUnavailable, match="too many"):
            await brief.update("key", change)
    assert await brief.get("other") == b"1"
    await store.aclose()


async def test_a_key_of_another_kind_rests_nobody(redis_server: RedisServer) -> None:
    """Redis refuses the command, at once; other keys are served."""
    root = uuid.uuid4().hex
    store = RedisStore(redis_server.url, root=root)
    brief = BriefStore(store, timeout_s=60.0, pause_s=60.0, timer=time.monotonic)
    with Redis.from_url(redis_server.url) as other:
        other.rpush(f"{root}:key", b"1")
    with pytest.raises(KeyUnavailable, match="refused"):
        await brief.get("key")
    assert await brief.get("other") is None
    await store.aclose()
