"""What tests of guards have in common: exchanges of plain texts, and guards that do one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Unpack

import anyio

from plano_asgi.conversation import ChatRequest, ChatResponse, Choice, TextPart
from plano_asgi.exchange import Exchange
from plano_asgi.guards.base import Guard, GuardOptions, Side, Subject, Verdict
from plano_asgi.passages import Origin, Passage, StreamEditor


class TextsLayout:
    """A layout of ``{"texts": [{"origin": ..., "text": ..., "is_new": ...}]}``."""

    def request_passages(self, body: Any, /) -> list[Passage]:
        """One passage for each text."""
        return [
            Passage(
                item["text"],
                item["origin"],
                f"texts.{index}.text",
                item,
                "text",
                turn=index,
                is_new=item.get("is_new", True),
                choice=item.get("choice", 0),
            )
            for index, item in enumerate(body["texts"])
        ]

    answer_passages = request_passages

    def stream_editor(self) -> StreamEditor:
        """There are no streams here."""
        raise NotImplementedError


def _unread(body: Any) -> ChatRequest:
    raise AssertionError("nobody asked for the neutral form")


def texts_exchange(*texts: str | tuple[Origin, str], **changes: Any) -> Exchange:
    """An exchange of these texts; a plain one is a user's."""
    items = [("user", item) if isinstance(item, str) else item for item in texts]
    values: dict[str, Any] = {
        "id": "req_1",
        "operation": "chat",
        "dialect": "test.texts",
        "path": "/v1/chat/completions",
        "headers": {},
        "body": {"texts": [{"origin": origin, "text": text} for origin, text in items]},
        "read_request": _unread,
        "model": "gpt-4o",
        "layout": TextsLayout(),
    }
    return Exchange(**{**values, **changes})


def subject_of(*texts: str | tuple[Origin, str], side: Side = "request") -> Subject:
    """A subject of these texts; on the answer side a plain one is content."""
    plain: Origin = "user" if side == "request" else "content"
    exchange = texts_exchange(*((plain, t) if isinstance(t, str) else t for t in texts))
    return Subject(side=side, passages=exchange.passages(), exchange=exchange)


class Scripted(Guard):
    """Says the verdict, or raises the error, that it was given; counts how often it was asked."""

    name = "scripted"

    def __init__(self, outcome: Verdict | Exception, **options: Unpack[GuardOptions]) -> None:
        super().__init__(**options)
        self.outcome = outcome
        self.seen: list[Sequence[str]] = []

    async def check(self, subject: Subject, /) -> Verdict:
        """Say it."""
        self.seen.append([passage.text for passage in subject.passages])
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Endless(Guard):
    """Never comes to a verdict; says so when it has begun, and when it was cancelled."""

    name = "endless"

    def __init__(self, **options: Unpack[GuardOptions]) -> None:
        super().__init__(**options)
        self.begun = anyio.Event()
        self.was_cancelled = False

    async def check(self, subject: Subject, /) -> Verdict:
        """Wait."""
        self.begun.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            self.was_cancelled = True
            raise
        raise AssertionError("unreachable")


def answering(
    *answers: str, asked: list[ChatRequest] | None = None
) -> Callable[[ChatRequest], Awaitable[ChatResponse]]:
    """A model that gives these answers, one after the other, and keeps what it was asked."""
    queue = list(answers)

    async def ask(request: ChatRequest) -> ChatResponse:
        if asked is not None:
            asked.append(request)
        return ChatResponse(choices=[Choice(parts=[TextPart(text=queue.pop(0))])])

    return ask
