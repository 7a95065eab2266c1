"""An upstream without measure: sizes, times and tries are bounded, and the worker goes on."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    MAX_ANSWER,
    MESSAGES,
    MODELS,
    PATHS,
    STREAMS,
    TRIES,
    UPSTREAMS,
    Stage,
    failed_in_band,
    plano,
    question,
    refused_with,
    staged,
    streamed_text,
)
from plano_asgi.attempts import BreakerPolicy
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.providers.client import Timeouts
from plano_asgi.routing.names import Alias, Target
from plano_asgi.wire.sse import SSEDecoder
from serving import serving
from upstream import HANG, Reply, Step, chat_reply, chat_stream, error_reply

SSE = {"content-type": "text/event-stream"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    """A stage of its own: megabytes take their time on a busy machine."""
    with staged(timeouts=Timeouts(read_s=10)) as stage:
        yield stage


def chunk(text: str) -> bytes:
    """One chat chunk."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_of_100_mb(stage: Stage, client: str, streamed: bool) -> None:
    """It is given up at the limit, not at its end."""
    body: list[Step] = [b'{"id": "', *[b"x" * MIB] * 100, HANG]
    stage.upstream.reply(Reply(body=body))
    assert str(MAX_ANSWER) in refused_with(client, stage.ask(client, stream=streamed), 502)
    assert all(request.closed.wait(1) for request in stage.upstream.requests)
    stage.still_serves()


@pytest.mark.parametrize("line", [b": ping\n\n", b"data: ", b"\n", b"event: x\n"])
@pytest.mark.parametrize("upstream", [CHAT, MESSAGES])
def test_a_stream_that_never_says_anything(stage: Stage, upstream: str, line: bytes) -> None:
    """Comments, blank lines or one line for ever: bounded in bytes."""
    body: list[Step] = [*[line * (MIB // len(line))] * 5, HANG]
    stage.upstream.always(Reply(headers=SSE, body=body))
    refused_with(CHAT, stage.ask(CHAT, MODELS[upstream], stream=True), 502)
    assert len(stage.upstream.requests) == 1, "it would only do so again"
    assert all(request.closed.wait(1) for request in stage.upstream.requests)
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_event_over_16_mib_after_content(stage: Stage, client: str) -> None:
    """An event is held whole, so it has an end."""
    body: list[Step] = [chunk("Hello"), b'data: {"x": "', *[b"y" * MIB] * 18]
    stage.upstream.always(Reply(headers=SSE, body=body))
    found = stage.ask(client, stream=True)
    assert streamed_text(client, found) == "Hello"
    failed_in_band(client, found)
    assert len(found.body) < 4096, "no part of the event was sent"
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_event_of_3_mib_is_an_event(stage: Stage, client: str) -> None:
    """An image or a large tool call in one piece passes."""
    text = "z" * 3 * MIB
    stage.upstream.always(chat_stream(["a", text]))
    assert streamed_text(client, stage.ask(client, stream=True)) == "a" + text


def test_an_event_of_endless_empty_lines_is_bounded() -> None:
    """Each costs six bytes on the wire and a list entry here, and the list is summed each time."""
    decoder = SSEDecoder(max_event_bytes=1000)
    with pytest.raises(UpstreamProtocolError):
        decoder.feed(b"data:\n" * 10_000)


def test_an_error_body_without_end(stage: Stage) -> None:
    """64 KiB of it tell enough."""
    body: list[Step] = [b'{"error": {"message": "', *[b"x" * MIB] * 50, HANG]
    stage.upstream.reply(Reply(status=500, body=body), Reply(status=400, body=body))
    found = stage.ask(CHAT)
    refused_with(CHAT, found, 400)
    assert len(found.body) < 128 << 10
    assert all(request.closed.wait(1) for request in stage.upstream.requests)
    stage.still_serves()


def test_a_compression_bomb_is_502(stage: Stage) -> None:
    """The limit holds for what comes out."""
    bomb = gzip.compress(b" " * (64 * MIB), 9)
    stage.upstream.always(Reply(headers={"content-encoding": "gzip"}, body=bomb))
    refused_with(CHAT, stage.ask(CHAT), 502)
    stage.still_serves()


def test_a_compression_bomb_takes_no_memory(stage: Stage) -> None:
    """A read of 64 KiB must not become 64 MiB before anybody looks."""
    bomb = gzip.compress(b" " * (64 * MIB), 9)
    stage.upstream.always(Reply(headers={"content-encoding": "gzip"}, body=bomb))
    tracemalloc.start()
    try:
        stage.ask(CHAT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * MIB


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_first_token_has_a_time(upstream: str) -> None:
    """Headers and an opening event are no token; pings do not stop the clock."""
    steps = STREAMS[upstream](["x"]).body
    body: list[Step] = [steps[0] if isinstance(steps, list) else b"", HANG]
    with staged(timeouts=Timeouts(read_s=5, first_token_s=0.2)) as here:
        here.upstream.always(replace(STREAMS[upstream](), body=body))
        message = refused_with(CHAT, here.ask(CHAT, MODELS[upstream], stream=True), 504)
        assert "first_token" in message
        assert here.upstream.requests[0].closed.wait(1)


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
def test_the_whole_answer_has_a_time(streamed: bool) -> None:
    """Before content a status, after it an error in-band."""
    with staged(timeouts=Timeouts(read_s=5, total_s=0.25)) as here:
        here.upstream.always(chat_stream(["Hello", HANG]))
        found = here.ask(CHAT, stream=streamed)
        if streamed:
            assert "total" in failed_in_band(CHAT, found)
        else:
            refused_with(CHAT, found, 504)
        assert here.upstream.requests[0].closed.wait(1)


def test_a_relayed_answer_has_a_time_too() -> None:
    """total_s is the whole exchange's, on every endpoint."""
    with staged(timeouts=Timeouts(read_s=2, total_s=0.2)) as here:
        here.upstream.always(Reply(body=[b'{"data":', HANG]))
        body = {"model": "mistral/embed", "input": "x"}
        # Its status is out with the first bytes; cut short, the connection says that it failed.
        with pytest.raises(httpx.RemoteProtocolError):
            here.http.post(f"{here.url}/v1/embeddings", json=body, timeout=1)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_upstream_that_lingers_after_its_end_mark_delays_nobody(client: str) -> None:
    """The end mark is the end: the client gets its own at once."""
    whole = chat_stream(["Hello"])
    assert not isinstance(whole.body, bytes)
    marks = (b"[DONE]", b"message_stop", b"response.completed")
    with staged(timeouts=Timeouts(read_s=5)) as here:
        here.upstream.always(replace(whole, body=[*whole.body, HANG]))
        url, body = here.url + PATHS[client], question(client, stream=True)
        with here.http.stream("POST", url, json=body, timeout=0.5) as reply:
            assert any(any(mark in line.encode() for mark in marks) for line in reply.iter_lines())


def test_attempts_are_bounded_over_all_candidates(stage: Stage) -> None:
    """Six fallbacks of two tries each: the policy's six requests, and no seventh."""
    others = tuple(f"mistral/m{number}" for number in range(6))
    alias = Alias(targets=(Target(model="openai/m-chat"),), fallbacks=others)
    with serving(plano(stage.upstream.base_url, aliases={"storm": alias})) as url:
        stage.upstream.always(error_reply(503))
        found = replace(stage, url=url).ask(CHAT, "storm")
    refused_with(CHAT, found, 503)
    assert len(stage.upstream.requests) == 6
    assert found.headers["x-plano-attempts"] == "6"


def test_an_open_circuit_sends_nothing() -> None:
    """Retry-After says when to come back."""
    with staged(breaker=BreakerPolicy(failures=TRIES)) as here:
        here.upstream.always(error_reply(500, "down"))
        refused_with(CHAT, here.ask(CHAT), 500)
        found = here.ask(CHAT)
        refused_with(CHAT, found, 503)
        assert 1 <= int(found.headers["retry-after"]) <= 30
        assert len(here.upstream.requests) == TRIES
        here.upstream.always(chat_reply())
        assert here.ask(CHAT, "mistral/other").status == 200, "others are not concerned"
