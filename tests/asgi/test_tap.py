"""The tap: what goes out untouched, what is changed, and what an answer that is stopped becomes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence

import anyio
import pytest
from starlette.types import Message, Send

from asgi_drive import Exchanged
from listeners import Hear, Hold, Shout, StopAt
from plano_asgi.asgi.tap import TapLimits
from plano_asgi.errors import ContentBlocked, FilterUnavailable
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.passages import StreamEditor, WireEvent
from tapped import (
    DONE,
    JSON,
    SSE,
    WHOLE,
    chunk,
    exchange_of,
    heard,
    route_exchange,
    saying,
    text_of,
)
from wire_frames import opening, piece

pytestmark = pytest.mark.anyio

BODY = json.dumps(WHOLE, indent=1).encode()
ETAG = ((b"etag", b'"1"'), (b"digest", b"x"), (b"accept-ranges", b"bytes"))


async def test_an_unchanged_body_keeps_its_bytes_and_headers() -> None:
    """Spaces, etag and all."""
    length = (b"content-length", b"%d" % len(BODY))
    found = await heard(saying(BODY[:9], BODY[9:], headers=(*ETAG, length)), Hear())
    assert found.body == BODY
    assert found.headers["etag"] == '"1"'
    assert found.headers["content-length"] == str(len(BODY))


async def test_a_changed_body_says_its_new_length() -> None:
    """And nothing that was true of the old one."""
    length = (b"content-length", b"%d" % len(BODY))
    found = await heard(saying(BODY, headers=(*ETAG, length, (b"x-own", b"1"))), Shout())
    assert found.json()["choices"][0]["message"]["content"] == "YO"
    assert found.headers["content-length"] == str(len(found.body))
    assert found.headers["x-own"] == "1"
    assert not {"etag", "digest", "accept-ranges"} & found.headers.keys()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw-deflate"])
@pytest.mark.parametrize("step", [Shout, Hear])
async def test_encoded_bodies_are_looked_into(encoding: str, step: type[ResponseFilter]) -> None:
    """Sent plain if changed, else as they came."""
    packers = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "raw-deflate": lambda data: zlib.compress(data)[2:-4],
    }
    packed = packers[encoding](BODY)
    headers = ((b"content-encoding", encoding.removeprefix("raw-").encode()),)
    found = await heard(saying(packed[:20], packed[20:], headers=headers), step())
    if step is Hear:
        assert found.body == packed
        assert "content-encoding" in found.headers
    else:
        assert found.json()["choices"][0]["message"]["content"] == "YO"
        assert "content-encoding" not in found.headers


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        pytest.param([b"{}"], [(b"content-encoding", b"br")], id="unknown-encoding"),
        pytest.param([b"nonsense"], [(b"content-encoding", b"gzip")], id="wrong-encoding"),
        pytest.param([gzip.compress(BODY)[:-9]], [(b"content-encoding", b"gzip")], id="half"),
        pytest.param([b'{"choices": ['], [], id="broken-json"),
        pytest.param([b"x" * 70, b"x" * 70], [], id="too-large"),
        pytest.param([gzip.compress(b" " * 200)], [(b"content-encoding", b"gzip")], id="bomb"),
        pytest.param([gzip.compress(b"") * 9], [(b"content-encoding", b"gzip")], id="empty-bomb"),
    ],
)
async def test_what_cannot_be_judged_does_not_pass(
    parts: list[bytes], headers: list[tuple[bytes, bytes]]
) -> None:
    """502, in the client's dialect, and not to be tried again."""
    step = Hear()
    limits = TapLimits(max_answer_bytes=128)
    found = await heard(saying(*parts, headers=headers), step, limits=limits)
    assert found.status == 502
    assert found.json()["error"]["code"] == "upstream_protocol_error"
    assert found.headers["x-should-retry"] == "false"
    assert step.heard == []
    assert len(step.closed) == 1


@pytest.mark.parametrize("ends", [True, False])
async def test_half_a_body_is_no_answer(ends: bool) -> None:
    """An app that returns without ending it is as good as one that sends half."""
    found = await heard(saying(BODY[:40], ends=ends), Hear())
    assert found.status == 502


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param("text/html", 200, id="html"),
        pytest.param("image/png", 200, id="image"),
        pytest.param("text/plain", 200, id="text-of-no-stream"),
        pytest.param(JSON, 204, id="no-content"),
        pytest.param(JSON, 304, id="not-modified"),
    ],
)
async def test_everything_else_passes_untouched(content_type: str, status: int) -> None:
    """Message by message."""
    work = saying(b"first of all", b"b", content_type=content_type, status=status, headers=ETAG)
    step = Hear()
    found = await heard(work, step)
    assert [m.get("body") for m in found.messages[1:]] == [b"first of all", b"b", b""]
    assert found.headers["etag"] == '"1"'
    assert step.heard == []


async def test_an_empty_json_answer_is_nothing_to_judge() -> None:
    """A 200 without a body."""
    found = await heard(saying(), Shout())
    assert (found.status, found.body) == (200, b"")


async def test_events_leave_in_the_frames_they_came_in() -> None:
    """One message for each that came, comments and odd spacing included."""
    frames = [b": hello\n\n", b'data:  {"choices":[]}\n\n', chunk("a"), chunk(None, "stop"), DONE]
    length = (b"content-length", b"99")
    found = await heard(saying(*frames, content_type=SSE, headers=(length,)), Hear())
    assert [m["body"] for m in found.messages[1:]] == [*frames, b""]
    assert "content-length" not in found.headers


async def test_the_start_waits_for_the_first_bytes_and_they_wait_for_nothing() -> None:
    """A status can still change; an event that nobody holds is out before the next one comes."""
    more = anyio.Event()
    work = saying(chunk("a"), more, chunk("b"), DONE, content_type=SSE)
    sent: list[str] = []

    class Watching(ResponseFilter):
        async def on_event(
            self, event: WireEvent, editor: StreamEditor, exchange: Exchange
        ) -> Sequence[WireEvent]:
            sent.append("judged")
            return (event,)

    async def watched(send: Send) -> None:
        async def spy(message: Message) -> None:
            await send(message)
            sent.append(str(message["type"]))
            more.set()

        await work(spy)

    found = await heard(watched, Watching())
    assert text_of(found) == "ab"
    assert sent[:3] == ["http.response.start", "judged", "http.response.body"]


async def test_filters_run_in_order_over_events_and_ends() -> None:
    """What one holds and lets go at the end passes those after it."""
    found = await heard(saying(chunk("a"), chunk("b"), content_type=SSE), Hold(), Shout())
    assert text_of(found) == "AB"
    found = await heard(saying(chunk("a"), DONE, content_type=SSE), Shout(), Hold())
    assert text_of(found) == "A"
    assert found.body.endswith(DONE)


@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages", "openai.responses"])
@pytest.mark.parametrize("as_answer", [True, False])
@pytest.mark.parametrize("stream", [True, False])
async def test_stopped_before_the_start(dialect: str, as_answer: bool, stream: bool) -> None:
    """An error with its status, or an answer in the form that the client asked for."""
    stopped = AnswerStopped(ContentBlocked("Not this."), text="Sorry.", as_answer=as_answer)
    exchange = exchange_of(dialect, stream=stream)
    found = await heard(saying(b'{"x": 1}', b" " * 9), _Stops(stopped), exchange=exchange)
    assert found.is_complete
    assert found.headers["x-request-id"] == "req_1"
    assert exchange.error is stopped.error
    if not as_answer:
        assert (found.status, exchange.status) == (400, 400)
        assert found.headers["x-should-retry"] == "false"
        assert b"Not this." in found.body
        return
    assert (found.status, exchange.status) == (200, 200)
    assert b"Sorry." in found.body
    assert found.headers["content-type"].startswith(SSE if stream else JSON)


class _Stops(ResponseFilter):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def on_body(self, body: object, exchange: Exchange) -> object:
        raise self.error


ENDS = {
    "openai.chat": (b'"content_filter"', b"[DONE]"),
    "anthropic.messages": (b'"refusal"', b"message_stop"),
    "openai.responses": (b'"content_filter"', b"response.incomplete"),
}


def frames_of(dialect: str) -> list[bytes]:
    """A stream of two pieces of text, up to its second."""
    return [*opening(dialect), piece(dialect, "good "), piece(dialect, "bad")]


@pytest.mark.parametrize("dialect", ENDS)
async def test_stopped_after_the_start(dialect: str) -> None:
    """The dialect's own ending; the app hears no more."""
    exchange = exchange_of(dialect, stream=True)
    forever = anyio.Event()
    work = saying(*frames_of(dialect), forever, content_type=SSE)
    found = await heard(work, StopAt("bad"), exchange=exchange)
    assert found.is_complete
    assert found.status == 200
    for mark in ENDS[dialect]:
        assert mark in found.body
    assert b"good " in found.body
    assert b"bad" not in found.body
    assert b"I had better stop here." in found.body


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize("error", [None, ValueError("hunter2")])
async def test_what_passed_before_the_stop_is_not_lost(
    dialect: str, error: Exception | None
) -> None:
    """Though it came in the same piece, or was held and let go by another filter."""
    first, *others = frames_of(dialect)
    exchange = exchange_of(dialect, stream=True)
    found = await heard(
        saying(first, b"".join(others), content_type=SSE), StopAt("bad", error), exchange=exchange
    )
    assert found.status == 200
    assert b"good " in found.body
    assert b"bad" not in found.body
    exchange = exchange_of(dialect, stream=True)
    held = saying(first, *others[:-1], others[-1], content_type=SSE)
    found = await heard(held, Hold(), StopAt("bad", error), exchange=exchange)
    assert b"good " in found.body
    assert b"bad" not in found.body


@pytest.mark.parametrize("dialect", ENDS)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("hunter2"), id="bug"),
        pytest.param(FilterUnavailable("The filter is down."), id="down"),
        pytest.param(AnswerStopped(FilterUnavailable("The filter is down.")), id="told"),
    ],
)
async def test_a_filter_that_fails_ends_in_an_error(dialect: str, error: Exception) -> None:
    """Never in a clean end, and nothing of the bug is told."""
    exchange = exchange_of(dialect, stream=True)
    found = await heard(
        saying(*frames_of(dialect), anyio.Event(), content_type=SSE),
        StopAt("bad", error),
        exchange=exchange,
    )
    assert found.is_complete
    assert b'"error"' in found.body
    assert b"hunter2" not in found.body
    for mark in (b"[DONE]", b"message_stop", b"response.completed", b"response.incomplete"):
        assert mark not in found.body


async def test_an_app_that_swallows_cancellation_talks_to_nobody() -> None:
    """Whatever it still sends is not heard; what it raises is no news."""

    async def stubborn(send: Send) -> None:
        work = saying(chunk("bad"), content_type=SSE)
        try:
            await work(send)
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await work(send)
            raise RuntimeError("cut off")

    found = await heard(stubborn, StopAt("bad"))
    assert found.status == 400
    assert len(found.messages) == 2


async def test_an_app_that_breaks_off_loses_nothing_that_was_held() -> None:
    """Its error goes on; the response stays without an end."""
    step = Hear()
    work = saying(b": started\n\n", chunk("a"), OSError("gone"), content_type=SSE)
    into = Exchanged()
    with pytest.raises(OSError, match="gone"):
        await heard(work, Hold(), step, into=into)
    assert text_of(into) == "a"
    assert not into.is_complete
    [(disconnected, error)] = step.closed
    assert isinstance(error, OSError)
    assert not disconnected


async def test_an_app_that_fails_before_its_first_bytes_sends_nothing() -> None:
    """Whoever is around it still can say so with a status."""
    into = Exchanged()
    with pytest.raises(ValueError, match="bug"):
        await heard(saying(chunk("a"), ValueError("bug"), content_type=SSE), Hold(), into=into)
    assert into.messages == []


async def test_trailers_and_strange_messages_pass() -> None:
    """Behind the body they belong to."""
    work = saying(BODY, headers=((b"trailer", b"x"),))

    async def with_trailers(send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await work(send)
        await send({"type": "http.response.trailers", "headers": []})

    found = await heard(with_trailers, Shout())
    kinds = [message["type"].removeprefix("http.response.") for message in found.messages]
    assert kinds == ["early_hint", "start", "body", "trailers"]


@pytest.mark.parametrize(("content_type", "status"), [("text/html", 200), (JSON, 502)])
async def test_a_file_sent_by_path_is_not_judged(content_type: str, status: int) -> None:
    """So one that would have to be does not pass."""

    async def by_path(send: Send) -> None:
        headers = [(b"content-type", content_type.encode())]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.pathsend", "path": "/x"})

    step = Hear()
    found = await heard(by_path, step)
    assert found.status == status
    assert len(step.closed) == 1


async def test_closing_is_told_to_all_and_bounded() -> None:
    """Whatever the first of them does."""

    class Hangs(ResponseFilter):
        async def on_close(self, exchange: Exchange) -> None:
            await anyio.sleep_forever()

    class Breaks(ResponseFilter):
        async def on_close(self, exchange: Exchange) -> None:
            raise ValueError("bug")

    last = Hear()
    limits = TapLimits(close_timeout_s=0.01)
    found = await heard(saying(BODY), Hangs(), Breaks(), last, limits=limits)
    assert found.status == 200
    assert last.closed == [(False, None)]


@pytest.mark.parametrize(
    ("content_type", "parts", "expected"),
    [
        pytest.param(JSON, [b'{"answer": "yo"}'], b'{"answer":"YO"}', id="json"),
        pytest.param(SSE, [b'data: {"answer": "y', b'o"}\n\n'], b'"YO"', id="sse"),
        pytest.param("application/x-ndjson", [b'{"answer": "yo"}\n'], b'"YO"', id="ndjson"),
        pytest.param(
            "text/plain", ["yö".encode()[:2], "yö".encode()[2:]], "YÖ".encode(), id="text"
        ),
        pytest.param("", [b"yo"], b"YO", id="text-unsaid"),
        pytest.param("", [b'{"answer": "yo"}'], b'"YO"', id="json-unsaid"),
        pytest.param("", [b'data: {"answer": "yo"}\n\n'], b'"YO"', id="sse-unsaid"),
    ],
)
async def test_foreign_routes_are_heard_in_every_form(
    content_type: str, parts: list[bytes], expected: bytes
) -> None:
    """Whole, event by event, line by line, and as plain text."""
    exchange = route_exchange("answer")
    found = await heard(saying(*parts, content_type=content_type), Shout(), exchange=exchange)
    assert expected in found.body


@pytest.mark.parametrize(
    ("content_type", "good", "bad", "last"),
    [
        (SSE, b'data: {"a": "good"}\n\n', b'data: {"a": "bad"}\n\n', b"event: error\ndata: {"),
        ("application/x-ndjson", b'{"a": "good"}\n', b'{"a": "bad"}\n', b'{"error":'),
    ],
)
async def test_a_foreign_stream_that_fails_says_so(
    content_type: str, good: bytes, bad: bytes, last: bytes
) -> None:
    """As an event, or as a line."""
    work = saying(good, bad, content_type=content_type)
    found = await heard(work, StopAt("bad", ValueError("bug")), exchange=route_exchange("a"))
    assert found.body.startswith(good + last)
    assert found.is_complete


@pytest.mark.parametrize("cut", [0, 60])
async def test_an_encoded_stream_is_sent_plain(cut: int) -> None:
    """However much a few bytes unpack to; one that ends half way ends in an error."""
    frames = [chunk("a " * 200_000), chunk("b")]
    packed = gzip.compress(b"".join(frames) + DONE)
    packed = packed[: len(packed) - cut]
    parts = [packed[at : at + 500] for at in range(0, len(packed), 500)]
    headers = ((b"content-encoding", b"gzip"),)
    found = await heard(saying(*parts, content_type=SSE, headers=headers), Shout())
    assert "content-encoding" not in found.headers
    assert text_of(found) == "A " * 200_000 + ("" if cut else "B")
    assert (b'"error"' in found.body, found.body.endswith(DONE)) == (bool(cut), not cut)


async def test_bytes_behind_encoded_data_are_padding() -> None:
    """As clients have it."""
    packed = zlib.compress(BODY)
    found = await heard(
        saying(packed, b"\0", headers=((b"content-encoding", b"deflate"),)), Shout()
    )
    assert found.json()["choices"][0]["message"]["content"] == "YO"


async def test_a_refusal_of_a_request_that_nobody_understands() -> None:
    """The client hears what is wrong with it instead."""
    stopped = AnswerStopped(ContentBlocked("Not this."), text="Sorry.", as_answer=True)
    exchange = exchange_of("openai.chat", messages=[{"role": 7}])
    found = await heard(saying(b"{}"), _Stops(stopped), exchange=exchange)
    assert found.status == 400
    assert found.json()["error"]["param"]


@pytest.mark.parametrize("kind", ["http.response.debug", "http.response.push"])
async def test_a_message_in_between_does_not_let_the_start_go(kind: str) -> None:
    """It would say the length of the old body."""

    async def work(send: Send) -> None:
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(BODY))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": kind})
        await send({"type": "http.response.body", "body": BODY})

    found = await heard(work, Shout())
    sent = [message["type"] for message in found.messages]
    assert sent == [kind, "http.response.start", "http.response.body"]
    assert dict(found.messages[1]["headers"])[b"content-length"] == b"%d" % len(
        found.messages[2]["body"]
    )


async def test_a_plain_text_that_fails_is_cut() -> None:
    """It has no way to say so: the response is left without its end."""
    work = saying(b"good ", b"bad", content_type="text/plain")
    stop = StopAt("bad", ValueError("bug"))
    found = await heard(work, stop, exchange=route_exchange("answer"))
    assert found.body == b"good "
    assert not found.is_complete
