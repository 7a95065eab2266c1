"""Answers that try to say something to the client that no guard gets to see."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from asgi_drive import drive
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards import PII, Secrets, Words
from plano_asgi.guards.base import ALL_ORIGINS, ALLOW, Guard, Subject, Verdict
from plano_asgi.middleware import PlanoGuard
from plano_asgi.wire.sse import SSEDecoder
from tapped import DONE, JSON, PATHS, QUESTIONS, SSE, as_app, chunk, frame, saying

pytestmark = pytest.mark.anyio

KEY = "sk-proj-" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
CHAT, MESSAGES, RESPONSES = PATHS.values()
DIALECTS = {path: name for name, path in PATHS.items()}


def event(kind: str, **fields: Any) -> bytes:
    """A named event of Messages or Responses."""
    return frame({"type": kind, **fields}, kind)


def chat_stream(*pieces: str) -> list[bytes]:
    """Content in pieces."""
    return [*map(chunk, pieces), chunk(None, "stop"), DONE]


def messages_stream(*pieces: str) -> list[bytes]:
    """One text block in pieces."""
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}
    deltas = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        for piece in pieces
    ]
    return [
        event("message_start", message={**message, "usage": {"input_tokens": 1}}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *deltas,
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}),
        event("message_stop"),
    ]


def responses_stream(*pieces: str) -> list[bytes]:
    """One output text in pieces, told again at the end as the API does."""
    where = {"item_id": "i", "output_index": 0, "content_index": 0}
    text = "".join(pieces)
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "i", "role": "assistant", "content": [part]}
    return [
        event("response.created", response={"id": "r", "output": []}),
        *(event("response.output_text.delta", **where, delta=piece) for piece in pieces),
        event("response.output_text.done", **where, text=text),
        event("response.output_item.done", output_index=0, item=item),
        event("response.completed", response={"id": "r", "output": [item]}),
    ]


STREAMS = {CHAT: chat_stream, MESSAGES: messages_stream, RESPONSES: responses_stream}


async def heard(
    parts: Sequence[bytes],
    *guards: Guard,
    path: str = CHAT,
    content_type: str = SSE,
    **options: Any,
) -> bytes:
    """The bytes that a client gets of an app's answer through guards."""
    app = PlanoGuard(as_app(saying(*parts, content_type=content_type)), guards=guards, **options)
    body = {**QUESTIONS[DIALECTS[path]], "stream": True}
    return (await drive(app, path, body)).body


def cut(content: bytes, seed: int) -> list[bytes]:
    """*content* in pieces of a few bytes."""
    rng, pieces, place = random.Random(seed), [], 0
    while place < len(content):
        size = rng.choice((1, 1, 2, 3, 7, 40))
        pieces.append(content[place : place + size])
        place += size
    return pieces


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("seed", range(4))
async def test_no_cut_and_no_line_end_hides_a_key(path: str, line_end: bytes, seed: int) -> None:
    """Events split anywhere, in all spellings of SSE, with comments and ids between."""
    rng = random.Random(seed)
    size = rng.randrange(1, 9)
    pieces = [f"Take {KEY} now."[n : n + size] for n in range(0, 60, size)]
    frames = [b": keep-alive\n\nid: 7\n" + each for each in STREAMS[path](*pieces)]
    content = b"".join(frames).replace(b"\n", line_end)
    found = await heard(cut(content, seed), Secrets(sides=frozenset(("answer",))), path=path)
    decoder = SSEDecoder()
    data = [each.data for each in (*decoder.feed(found), *decoder.close())]
    assert KEY[8:20] not in "".join(data)
    assert "".join(data).count("[API_KEY]") >= 1
    assert len(data) > 3


@pytest.mark.parametrize(
    "frames",
    [
        [frame(KEY)],
        [b"data: {\ndata: " + chunk(KEY)[7:]],
        [b"\xef\xbb\xbf" + chunk(KEY)],
        [chunk(KEY).rstrip(b"\n")],
        [chunk(KEY[:9]), chunk(KEY[9:]).rstrip(b"\n")],
        [frame({"choices": [{"index": 0, "delta": {"new_field": KEY}}]})],
        [frame({"choices": [{"index": 0, "delta": {}, "message": {"content": KEY}}]})],
        [frame({"choices": [{"index": 0, "text": KEY}]})],
        [frame({"choices": [{"index": "0", "delta": {"content": KEY}}]})],
        [frame({"choices": [{"index": 7, "delta": {"content": [{"type": "text", "text": KEY}]}}]})],
        [frame({"choices": [{"delta": {"reasoning_details": [{"type": "x", "text": KEY}]}}]})],
        [frame({"choices": [{"delta": {"audio": {"transcript": KEY}}}]})],
        [frame({"choices": [{"delta": {"annotations": [{"url_citation": {"title": KEY}}]}}]})],
        [frame({"choices": [{"delta": {"function_call": {"arguments": f'{{"a": "{KEY}"}}'}}}]})],
        [frame({"choices": [], "citations": [KEY]})],
        [DONE, chunk(KEY)],
        [chunk(KEY[:9]), chunk(KEY[9:])],
    ],
)
async def test_odd_events_are_read(frames: list[bytes]) -> None:
    """In fields and forms that upstreams have come up with."""
    found = await heard([*frames, DONE], Secrets(sides=frozenset(("answer",))))
    assert KEY[8:20].encode() not in found


class Whole(Guard):
    """Needs all of an answer."""

    name = "whole"
    sides = frozenset(("answer",))
    needs_whole = True

    async def check(self, subject: Subject, /) -> Verdict:
        """Says nothing against it."""
        return ALLOW


LONG = [chunk("x" * 10_000) for _ in range(120)]


@pytest.mark.parametrize("options", [{"report_only": True}, {"on_error": "open"}])
async def test_an_answer_too_long_to_hold_is_no_reason_to_end_it(options: dict[str, Any]) -> None:
    """Where the guard only watches, or is open; it goes on record that nobody judged it."""
    audits: list[Audit] = []

    def note(audit: Audit, exchange: Exchange) -> None:
        audits.append(audit)

    found = await heard([*LONG, DONE], Whole(**options), on_audit=note)
    assert found == b"".join([*LONG, DONE])
    assert [(audit.status, audit.rule) for audit in audits] == [("error", "too-long")]


async def test_a_closed_guard_ends_what_it_cannot_hold() -> None:
    """Nothing of it was out."""
    found = await heard([*LONG, DONE], Whole())
    assert b"xxx" not in found
    assert b'"error"' in found


@pytest.mark.parametrize("path", STREAMS)
async def test_watching_changes_no_byte(path: str) -> None:
    """``report_only``, on both sides, with everything there to be found."""
    only: Any = {"report_only": True, "sides": frozenset(("request", "answer"))}
    guards = [
        Secrets(**only),
        Secrets(mode="block", name="blocking", **only),
        PII(mode="mask", answers="redact", **only),
        Words(["take"], **only),
        Whole(report_only=True),
    ]
    audits: list[Audit] = []

    def note(audit: Audit, exchange: Exchange) -> None:
        audits.append(audit)

    parts = STREAMS[path](f"Take {KEY[:11]}", f"{KEY[11:]}", " from ann@corp.example")
    found = await heard(parts, *guards, path=path, on_audit=note)
    assert found == b"".join(parts)
    statuses = {(audit.guard, audit.status) for audit in audits if audit.side == "answer"}
    assert {("secrets", "redacted"), ("blocking", "blocked"), ("words", "blocked")} <= statuses
    assert all(audit.report_only for audit in audits)


async def test_a_guard_with_nothing_to_judge_has_not_passed_it() -> None:
    """A plain file is no answer that anybody has looked at."""
    audits: list[Audit] = []

    def note(audit: Audit, exchange: Exchange) -> None:
        audits.append(audit)

    await heard([b"\x89PNG"], Whole(), Secrets(), content_type="image/png", on_audit=note)
    answers = {(audit.guard, audit.status) for audit in audits if audit.side == "answer"}
    assert answers == {("whole", "skipped"), ("secrets", "skipped")}


@pytest.mark.parametrize("status", [400, 401, 422, 429, 500])
async def test_errors_are_read_where_a_guard_asks_for_them(status: int) -> None:
    """In the shapes of gateways, FastAPI and the APIs."""
    bodies: list[Any] = [
        {"error": {"message": KEY}},
        {"error": KEY},
        {"detail": [{"msg": KEY}]},
        {"message": KEY},
    ]
    guard = Secrets(sides=frozenset(("answer",)), origins=ALL_ORIGINS)
    for body in bodies:
        work = saying(json.dumps(body).encode(), content_type=JSON, status=status)
        app = PlanoGuard(as_app(work), guards=[guard])
        found = await drive(app, CHAT, QUESTIONS["openai.chat"])
        assert (found.status, KEY.encode() in found.body) == (status, False)


@pytest.mark.parametrize("label", ["text/plain", "application/octet-stream", "text/html", ""])
@pytest.mark.parametrize("start", [b"", b"\r\n\n", b"\xef\xbb\xbf"], ids=["", "blank", "mark"])
@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_label_or_a_slow_start_hides_nothing(
    label: str, start: bytes, step: int, is_stream: bool
) -> None:
    """Clients parse what they asked for, whatever it is called and however it begins."""
    text = f"my key is {KEY}"
    whole = json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()
    body = start + (b"".join(chat_stream(text)) if is_stream else whole)
    pieces = [body[n : n + step] for n in range(0, len(body), step)]
    app = PlanoGuard(as_app(saying(*pieces, content_type=label)), guards=[Secrets()])
    found = await drive(app, CHAT, QUESTIONS["openai.chat"])
    assert KEY.encode() not in found.body
    assert b"my key is" in found.body


@pytest.mark.parametrize("pieces", [[b"da"], [b" "], [b""], [b"ok"]])
async def test_an_answer_too_short_to_be_anything_is_itself(pieces: list[bytes]) -> None:
    """Nothing is lost that could not be judged."""
    app = PlanoGuard(as_app(saying(*pieces, content_type="text/plain")), guards=[Secrets()])
    assert (await drive(app, CHAT, QUESTIONS["openai.chat"])).body == b"".join(pieces)
