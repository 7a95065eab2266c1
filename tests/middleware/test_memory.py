"""``PlanoMemory`` around apps that know nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from asgi_drive import drive
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.memory.base import Injection, MemoryHook, MemoryItem, Namespace, Turn
from plano_asgi.memory.memory import Memory
from plano_asgi.middleware import PlanoMemory
from wrapping import CHAT, HI, Echo

pytestmark = pytest.mark.anyio


class Diary(MemoryHook):
    """Remembers what it was told, for whoever it was told by."""

    def __init__(self) -> None:
        self.turns: list[tuple[Namespace, Turn]] = []

    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        return Injection(text=f"You know {'/'.join(namespace)}.", items=("1",))

    async def record(
        self, turn: Turn, exchange: Exchange, namespace: Namespace, /
    ) -> Sequence[MemoryItem]:
        self.turns.append((namespace, turn))
        return ()


async def test_recalls_before_and_records_after() -> None:
    """The app reads what was recalled; what it answered is on record once it shuts down."""
    diary, echo = Diary(), Echo()
    memory = Memory("memory://", namespace=lambda scope: scope.get("user"), hooks=[diary])
    app = PlanoMemory(echo, memory=memory)

    async def asked(user: str | None) -> str:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["user"] = user
            await app(scope, receive, send)

        body = {**HI, "choices": [{"message": {"role": "assistant", "content": "yo"}}]}
        assert (await drive(outer, CHAT, body)).status == 200
        return str(echo.json()["messages"][-1]["content"])

    assert "You know alice." in await asked("alice")
    assert await asked(None) == "hi"
    told: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def lifespan_app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def receive() -> Message:
        return told.pop(0)

    async def send(message: Message) -> None:
        assert message["type"] == "lifespan.shutdown.complete"
        assert [namespace for namespace, _ in diary.turns] == [("alice",)]

    served = PlanoMemory(lifespan_app, memory=memory)
    await served({"type": "lifespan"}, receive, send)


def test_what_it_is_made_of() -> None:
    """A memory of one's own, or its parts; and always whose it is."""
    made = PlanoMemory(Echo(), store="memory://", namespace=lambda scope: "alice")
    assert isinstance(made.memory, Memory)
    with pytest.raises(ConfigurationError, match="namespace"):
        PlanoMemory(Echo(), store="memory://")
    with pytest.raises(ConfigurationError, match="store"):
        PlanoMemory(Echo(), memory=Memory("memory://"), store="memory://")
