"""An upstream that fails after content was sent: an error in-band, and never a clean end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    MESSAGES,
    MODELS,
    STREAMS,
    UPSTREAMS,
    Stage,
    ended_cleanly,
    failed_in_band,
    streamed_text,
)
from replies import Piece
from upstream import (
    CUT,
    HANG,
    RESET,
    Reply,
    Step,
    anthropic_stream,
    bedrock_stream,
    chat_stream,
    eventstream_frame,
)

SSE = {"content-type": "text/event-stream"}
ENDINGS = {"cut": CUT, "reset": RESET, "hang": HANG}
BEDROCK = "bedrock.converse"


def spoilt(reply: Reply, *rest: Step, kept: int) -> Reply:
    """The first *kept* steps of *reply*, and then *rest*."""
    assert not isinstance(reply.body, bytes)
    return Reply(headers=reply.headers, body=[*reply.body[:kept], *rest])


@pytest.mark.parametrize(
    ("client", "upstream", "ending"),
    [
        (client, upstream, ending)
        for client in CLIENTS
        for upstream in UPSTREAMS
        for ending in ENDINGS
        if ending != "hang" or CHAT in (client, upstream)  # each of these takes a read timeout
    ],
)
def test_a_broken_stream_ends_in_an_error_event(
    stage: Stage, client: str, upstream: str, ending: str
) -> None:
    """What came before stays; it is tried once; a silent connection is closed by us."""
    pieces: Sequence[Piece] = ["Hel", "lo", ENDINGS[ending], "!"]
    stage.upstream.always(STREAMS[upstream](pieces))
    found = stage.ask(client, MODELS[upstream], stream=True)
    assert (found.status, found.broken) == (200, False)
    assert streamed_text(client, found) == "Hello"
    failed_in_band(client, found)
    assert len(stage.upstream.requests) == 1
    if ending == "hang":
        assert stage.upstream.requests[0].closed.wait(1)
    stage.still_serves()


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_stream_that_stops_before_its_end_mark_is_no_clean_end(
    stage: Stage, client: str, upstream: str
) -> None:
    """HTTP is content with it, the dialect is not."""
    whole = STREAMS[upstream](["Hel", "lo"])
    content = [step for step in whole.body if isinstance(step, bytes)]
    kept = 1 + max(number for number, step in enumerate(content) if b'"lo"' in step)
    stage.upstream.always(spoilt(whole, kept=kept))
    found = stage.ask(client, MODELS[upstream], stream=True)
    assert streamed_text(client, found) == "Hello"
    failed_in_band(client, found)


def _error(message: str = "on fire") -> bytes:
    return json.dumps({"error": {"message": message, "type": "server_error"}}).encode()


CHAT_SPOILERS: dict[str, list[Step]] = {
    "error-event": [b"event: error\ndata: " + _error() + b"\n\n"],
    "error-object": [b"data: " + _error() + b"\n\n"],
    "half-an-event": [b'data: {"choices": [{"index": 0, "delta": {"con'],
    "half-an-event-and-reset": [b'data: {"choices": [{"index": 0, "delta": {"con', RESET],
}


@pytest.mark.parametrize("name", CHAT_SPOILERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_chat_stream_that_goes_wrong(stage: Stage, client: str, name: str) -> None:
    """Said once, in-band, and the stream is over."""
    stage.upstream.always(spoilt(chat_stream(["Hello"]), *CHAT_SPOILERS[name], kept=2))
    found = stage.ask(client, stream=True)
    assert streamed_text(client, found) == "Hello"
    message = failed_in_band(client, found)
    if name.startswith("error"):
        assert message == "on fire"
        assert found.body.count(b"on fire") == 1
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_end_mark_after_an_error_is_not_passed_on(stage: Stage, client: str) -> None:
    """Some upstreams say [DONE] after everything; after an error it would be a lie."""
    error = b"data: " + _error() + b"\n\n"
    stage.upstream.always(spoilt(chat_stream(["Hello"]), error, b"data: [DONE]\n\n", kept=2))
    failed_in_band(client, stage.ask(client, stream=True))


@pytest.mark.parametrize("client", CLIENTS)
def test_garbage_after_content_is_no_clean_end(stage: Stage, client: str) -> None:
    """A relay hands on what it cannot read, and still does not call it an end."""
    stage.upstream.always(spoilt(chat_stream(["Hello"]), b"data: oops\n\n", CUT, kept=2))
    found = stage.ask(client, stream=True)
    for mark in (b"[DONE]", b"message_stop", b"response.completed"):
        assert mark not in found.body
    assert b"error" in found.body.splitlines()[-2]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_anthropic_error_event_after_content(stage: Stage, client: str) -> None:
    """``overloaded_error`` in the middle is what Anthropic does under load."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    frame = b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"
    stage.upstream.always(spoilt(anthropic_stream(["Hello"]), frame, kept=4))
    found = stage.ask(client, MODELS[MESSAGES], stream=True)
    assert streamed_text(client, found) == "Hello"
    assert failed_in_band(client, found) == "Overloaded"


def _broken_frame(frame: Step, *, at: int) -> bytes:
    assert isinstance(frame, bytes)
    changed = bytearray(frame)
    changed[at] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("at", [0, 5, 9, 30, -1], ids=["length", "headers", "crc", "body", "end"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_corrupted_event_stream_frame(stage: Stage, client: str, at: int) -> None:
    """After content an error in-band; what follows the bad frame is not read."""
    whole = bedrock_stream(["Hel", "lo"])
    frames: Any = whole.body
    stage.upstream.always(spoilt(whole, _broken_frame(frames[2], at=at), *frames[3:], kept=2))
    found = stage.ask(client, MODELS[BEDROCK], stream=True)
    assert found.status == 200
    assert streamed_text(client, found) == "Hel"
    failed_in_band(client, found)
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exception_frame_of_bedrock(stage: Stage, client: str) -> None:
    """Throttling in the middle of a stream keeps its words."""
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    frame = eventstream_frame(headers, b'{"message":"Too many tokens"}')
    stage.upstream.always(spoilt(bedrock_stream(["Hel"]), frame, kept=2))
    found = stage.ask(client, MODELS[BEDROCK], stream=True)
    assert failed_in_band(client, found) == "Too many tokens"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("ending", [CUT, RESET, HANG], ids=["cut", "reset", "hang"])
def test_what_comes_after_a_whole_answer_does_not_matter(
    stage: Stage, client: str, ending: Step
) -> None:
    """The end mark was there: an upstream that then cuts or lingers has done its part."""
    whole = chat_stream(["Hello"])
    stage.upstream.always(spoilt(whole, ending, kept=len(whole.body)))
    found = stage.ask(client, stream=True)
    assert streamed_text(client, found) == "Hello"
    assert ended_cleanly(client, found)
    assert not found.broken
