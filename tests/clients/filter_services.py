"""
Filters as other people write them: small services that know Plano's contract and nothing of us.

An HTTP filter is POSTed the body at its own path + the API's path and answers the new body, or a
4xx that the client is to get. An output filter is given what goes out: bodies, or single events,
which it tells apart by nothing but ``x-request-id``. An MCP filter is a tool of ``body`` and
``path``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.types import ASGIApp

Body = dict[str, Any]

ABBREVIATIONS = {"k8s": "Kubernetes", "pg": "PostgreSQL"}
HANDBOOK = {
    "refund": "Refunds take 14 days.",
    "kubernetes": "We run Kubernetes 1.31 in Zurich.",
}
_EMAIL = re.compile(r"[\w.]+@[\w.]+\w")
_PART = re.compile(r"\[(?:E(?:M(?:A(?:I(?:L(?:_\d*)?)?)?)?)?)?\Z")


def turns_of(body: Body) -> list[Body]:
    """The turns of a body of any of the three APIs; a plain ``input`` becomes one."""
    if isinstance(body.get("input"), str):
        body["input"] = [{"role": "user", "content": body["input"]}]
    turns: list[Body] = body["messages"] if "messages" in body else body["input"]
    return turns


def last_turn(body: Body) -> Body:
    """The user's last turn."""
    return next(turn for turn in reversed(turns_of(body)) if turn.get("role") == "user")


def rewritten(body: Body) -> Body:
    """A query rewriter: abbreviations spelled out."""
    turn = last_turn(body)
    for short, long in ABBREVIATIONS.items():
        turn["content"] = re.sub(rf"\b{short}\b", long, turn["content"])
    return body


def with_context(body: Body) -> Body:
    """A context builder: what the handbook says about the words of the question."""
    turn = last_turn(body)
    found = [text for word, text in HANDBOOK.items() if word in turn["content"].lower()]
    if found:
        turn["content"] += "\n\nContext:\n" + "\n".join(found)
    return body


def refusal_of(body: Body) -> str | None:
    """An input guard: what it says to questions about other shops."""
    text = last_turn(body)["content"].lower()
    return "I can only talk about our own shop." if "competitor" in text else None


def http_services() -> FastAPI:
    """All HTTP filters; ``app.state.seen`` notes service, path and request id of each call."""
    app = FastAPI()
    app.state.seen = []
    names = _Anonymiser()

    def service(name: str, answer: Callable[[bytes, str], Any]) -> None:
        async def called(path: str, request: Request) -> Response:
            ident = request.headers["x-request-id"]
            app.state.seen.append((name, f"/{path}", ident))
            found = answer(await request.body(), ident)
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            return Response(content, media_type="application/json")

        app.post(f"/{name}/{{path:path}}")(called)

    def guard(raw: bytes, ident: str) -> Body:
        body: Body = json.loads(raw)
        if (refusal := refusal_of(body)) is not None:
            raise HTTPException(403, refusal)
        return body

    service("rewrite", lambda raw, ident: rewritten(json.loads(raw)))
    service("context", lambda raw, ident: with_context(json.loads(raw)))
    service("guard", guard)
    service("anonymize", names.anonymize)
    service("deanonymize", names.deanonymize)
    return app


class _Anonymiser:
    """Keeps what it replaced, and of a stream the end of the text, by request id."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}
        self._held: dict[str, str] = {}

    def anonymize(self, raw: bytes, ident: str) -> bytes:
        names = self._names.setdefault(ident, {})

        def name(found: re.Match[str]) -> str:
            known = {value: name for name, value in names.items()}
            fresh = f"[EMAIL_{len(names) + 1}]"
            names.setdefault(known.get(found[0], fresh), found[0])
            return known.get(found[0], fresh)

        return _EMAIL.sub(name, raw.decode()).encode()

    def deanonymize(self, raw: bytes, ident: str) -> bytes:
        text = raw.decode()
        if not text.startswith(("data:", "event:")):
            return self._restored(text, ident).encode()
        lines = [self._line(line, ident) for line in text.splitlines(keepends=True)]
        return "".join(lines).encode()

    def _line(self, line: str, ident: str) -> str:
        if not line.startswith("data: {"):
            return line
        event = json.loads(line.removeprefix("data: "))
        places = list(_delta_texts(event))
        if not places:
            return self._restored(line, ident)
        for holder, key in places:
            text = self._restored(self._held.pop(ident, "") + holder[key], ident)
            if (part := _PART.search(text)) is not None:
                self._held[ident] = part[0]
                text = text[: part.start()]
            holder[key] = text
        return f"data: {json.dumps(event)}\n"

    def _restored(self, text: str, ident: str) -> str:
        for name, value in self._names.get(ident, {}).items():
            text = text.replace(name, value)
        return text


def _delta_texts(event: Body) -> Iterator[tuple[Body, str]]:
    """Where an event of any of the three APIs has a piece of text."""
    for choice in event.get("choices", ()):
        if isinstance(choice["delta"].get("content"), str):
            yield choice["delta"], "content"
    if event.get("type") == "content_block_delta" and "text" in event["delta"]:
        yield event["delta"], "text"
    if event.get("type") == "response.output_text.delta":
        yield event, "delta"


def mcp_services() -> ASGIApp:
    """The same as MCP tools, at ``/mcp``."""
    server = MCPServer("demo-filters")

    @server.tool()
    def query_rewriter(body: Body, path: str) -> Body:
        """Spell abbreviations out."""
        return rewritten(body)

    @server.tool()
    def context_builder(body: Body, path: str) -> Body:
        """Add what the handbook says."""
        return with_context(body)

    @server.tool()
    def input_guard(body: Body, path: str) -> Body:
        """Refuse what is not about us."""
        if (refusal := refusal_of(body)) is not None:
            raise ToolError(refusal)
        return body

    return server.streamable_http_app()
