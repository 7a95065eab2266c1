"""Copies of bodies, taken as they go by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from plano_asgi.telemetry.tee import AnswerTee, RequestTee

START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"Text/Event-Stream; charset=utf-8")],
}


def body(chunk: bytes, more: bool = True) -> Message:
    """A message of the answer's body."""
    return {"type": "http.response.body", "body": chunk, "more_body": more}


class Wire:
    """Where messages go to, and come from."""

    def __init__(self, *coming: Message) -> None:
        self.sent: list[Message] = []
        self._coming: Iterator[Message] = iter(coming)

    async def send(self, message: Message) -> None:
        """Take *message*."""
        self.sent.append(message)

    async def receive(self) -> Message:
        """The next that comes."""
        return next(self._coming)


async def passed(*messages: Message, **options: Any) -> tuple[AnswerTee, Wire]:
    """A tee that *messages* went through."""
    wire = Wire()
    tee = AnswerTee(wire.send, **options)
    for message in messages:
        await tee(message)
    return tee, wire


@pytest.mark.anyio
async def test_messages_go_on_untouched_and_are_counted() -> None:
    """The very same objects; sizes, chunks with content, and when the first of them came."""
    messages = [START, body(b""), body(b"ab"), body(b"cde"), body(b"", more=False)]
    ticks = count(5.0)
    tee, wire = await passed(*messages, timer=lambda: next(ticks))
    assert all(sent is message for sent, message in zip(wire.sent, messages, strict=True))
    assert (tee.status, tee.size, tee.chunks) == (200, 5, 2)
    assert (tee.first_chunk, tee.ended, tee.is_ended) == (5.0, 6.0, True)
    assert tee.is_stream
    assert tee.body() == tee.head() == tee.tail() == b"abcde"


@pytest.mark.anyio
async def test_an_answer_cut_short_is_kept_and_not_ended() -> None:
    """What had gone out by then is what counts."""
    tee, _ = await passed(START, body(b"ab"))
    assert tee.body() == b"ab"
    assert not tee.is_ended
    silent, _ = await passed()
    assert (silent.status, silent.first_chunk, silent.content_type) == (None, None, "")
    assert silent.body() == b""


@pytest.mark.anyio
async def test_of_a_large_body_only_its_edges_are_kept() -> None:
    """However it was cut."""
    pieces = [bytes([number % 251]) * 700 for number in range(100)]
    tee, _ = await passed(START, *map(body, pieces), max_bytes=5_000, edge_bytes=1_000)
    whole = b"".join(pieces)
    assert tee.body() is None
    assert (tee.head(), tee.tail()) == (whole[:1_000], whole[-1_000:])
    assert (tee.size, tee.chunks) == (len(whole), 100)


@given(st.lists(st.binary(max_size=40_000), max_size=12), st.integers(0, 50_000), st.integers(0, 9))
@pytest.mark.anyio
async def test_edges_are_those_of_the_body(chunks: list[bytes], most: int, edge: int) -> None:
    """For every cut and every bound."""
    tee, _ = await passed(*map(body, chunks), max_bytes=most, edge_bytes=edge)
    whole = b"".join(chunks)
    assert tee.body() == (whole if len(whole) <= max(most, edge) else None)
    assert tee.head() == whole[:edge]
    assert tee.tail() == (whole[-edge:] if edge else b"")


@pytest.mark.anyio
async def test_memory_stays_bounded_past_the_bound() -> None:
    """However long the stream goes on."""
    tee, _ = await passed(*[body(b"x" * 1_000)] * 1_000, max_bytes=2_000, edge_bytes=500)
    assert sum(map(len, tee.pieces)) < 500 + (16 << 10) + 1_000


@pytest.mark.anyio
async def test_a_file_that_the_server_sends_itself_is_not_known() -> None:
    """Nothing is made up for what was not seen."""
    elsewhere = {"type": "http.response.pathsend", "path": "/tmp/x"}
    tee, _ = await passed(START, elsewhere)
    assert tee.body() is None
    assert tee.is_ended
    assert (tee.head(), tee.tail()) == (b"", b"")


@pytest.mark.anyio
async def test_the_start_is_told_before_it_goes_on() -> None:
    """The last moment to add something to what has been open since."""
    wire = Wire()
    seen: list[int] = []
    tee = AnswerTee(wire.send, on_start=lambda _: seen.append(len(wire.sent)))
    await tee(START)
    assert seen == [0]


@pytest.mark.anyio
async def test_an_error_of_send_passes_through() -> None:
    """A server that tells of a client that left is heard by the app."""

    async def gone(_: Message) -> None:
        raise BrokenPipeError

    tee = AnswerTee(gone)
    with pytest.raises(BrokenPipeError):
        await tee(START)
    assert tee.status == 200


@pytest.mark.anyio
async def test_a_request_is_copied_as_it_is_read() -> None:
    """Messages are the server's own; the copy is whole once the last of them was read."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c"},
    ]
    tee = RequestTee(Wire(*messages).receive)
    assert await tee() is messages[0]
    assert tee.body() is None
    assert await tee() is messages[1]
    assert (tee.body(), tee.size) == (b"abc", 3)


@pytest.mark.anyio
async def test_other_messages_go_by() -> None:
    """Extensions have some of their own."""
    debug: Message = {"type": "http.response.debug"}
    pushed: Message = {"type": "http.response.zerocopysend", "file": 1, "more_body": True}
    tee, wire = await passed(debug, pushed)
    assert wire.sent == [debug, pushed]
    assert not tee.is_ended
    assert tee.body() is None
    empty: Message = {"type": "http.request"}
    asked = RequestTee(Wire(empty, debug).receive)
    assert [await asked(), await asked()] == [empty, debug]
    assert (asked.body(), asked.has_left) == (b"", False)


@pytest.mark.anyio
async def test_a_large_request_is_counted_and_not_kept() -> None:
    """The app reads it all the same."""
    tee = RequestTee(Wire({"type": "http.request", "body": b"abc"}).receive, max_bytes=2)
    assert (await tee())["body"] == b"abc"
    assert tee.body() is None
    assert tee.size == 3


@pytest.mark.anyio
@pytest.mark.parametrize("is_over", [False, True])
async def test_a_client_has_left_only_before_the_end(is_over: bool) -> None:
    """Every connection is closed some time."""
    wire = Wire({"type": "http.disconnect"})
    answer = AnswerTee(wire.send)
    await answer(body(b"x", more=not is_over))
    tee = RequestTee(wire.receive, answer)
    await tee()
    assert tee.has_left is not is_over


@pytest.mark.anyio
async def test_tees_of_two_exchanges_share_nothing() -> None:
    """Interleaved messages stay apart."""
    first, second = AnswerTee(Wire().send), AnswerTee(Wire().send)
    await first(START)
    await second(body(b"2"))
    await first(body(b"1", more=False))
    assert (first.body(), second.body()) == (b"1", b"2")
    assert (first.status, second.status) == (200, None)
    assert not second.is_ended
