"""Drive an ASGI app without a client or a server: one exchange in, its messages out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message


@dataclass
class Exchanged:
    """What an app sent in one HTTP exchange."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", False)

    def json(self) -> Any:
        return json.loads(self.body)

    def data(self) -> list[Any]:
        """The data of every SSE event: JSON, or the text as it is."""
        found: list[Any] = []
        for line in self.body.decode().splitlines():
            if line.startswith("data: "):
                text = line.removeprefix("data: ")
                found.append(json.loads(text) if text.startswith(("{", "[{")) else text)
        return found


async def drive(
    app: ASGIApp,
    path: str,
    body: object = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    root_path: str = "",
    leave: anyio.Event | None = None,
    into: Exchanged | None = None,
) -> Exchanged:
    """
    Run one exchange. *body* is JSON unless bytes. The client leaves when *leave* is set; what was
    sent until then is in *into*.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    exchanged = into or Exchanged()
    pending: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop(0)
        if leave is None:
            await anyio.sleep_forever()
        else:
            await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        exchanged.messages.append(dict(message))

    raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root_path,
        "query_string": b"",
        "headers": raw,
    }
    with anyio.fail_after(10):
        await app(scope, receive, send)
    return exchanged
