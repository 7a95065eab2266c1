"""Odd but right: an upstream that uses all the freedom its protocol gives is understood."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    MESSAGES,
    MODELS,
    RESPONSES,
    STREAMS,
    WHOLE,
    Stage,
    ended_cleanly,
    streamed_text,
    text_of,
)
from upstream import Reply, chat_reply, chat_stream

SSE = {"content-type": "text/event-stream"}
TEXT = "Grüße 🎉 déjà"
SPOKEN_BY = (CHAT, MESSAGES, RESPONSES)


def raw(upstream: str) -> bytes:
    """A whole stream of *upstream* in one piece; the text is not escaped."""
    steps = STREAMS[upstream]([TEXT[:7], TEXT[7:]]).body
    events = b"".join(step for step in steps if isinstance(step, bytes))
    return (
        events.decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16").encode()
    )


def _multi_line(stream: bytes) -> bytes:
    """Each event's data on several lines: a line end may stand wherever JSON allows space."""
    return stream.replace(b'":{', b'":\ndata: {').replace(b'":[', b'":\ndata:[')


def _commented(stream: bytes) -> bytes:
    return b": hello\n\n" + stream.replace(b"\n\n", b"\n: keep-alive\n\n: another\n\n")


def _with_ids(stream: bytes) -> bytes:
    return b"retry: 3000\n\n" + stream.replace(b"\n\n", b"\nid: 7\nunknown: x\nid\n\n")


def _without_data(stream: bytes) -> bytes:
    return b"event: ping\n\n" + stream.replace(b"\n\n", b"\n\nevent: nothing\n\n", 2)


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "lf": lambda stream: stream,
    "crlf": lambda stream: stream.replace(b"\n", b"\r\n"),
    "cr": lambda stream: stream.replace(b"\n", b"\r"),
    "mixed": lambda stream: stream.replace(b"\n\n", b"\r\n\n", 1).replace(b"\n\n", b"\n\r\n", 1),
    "bom": lambda stream: b"\xef\xbb\xbf" + stream,
    "comments": _commented,
    "multi-line": _multi_line,
    "ids-and-retries": _with_ids,
    "events-without-data": _without_data,
    "no-space": lambda stream: stream.replace(b": {", b":{").replace(b"data: [", b"data:["),
    "no-last-line-end": lambda stream: stream.rstrip(b"\n"),
    "blank-lines": lambda stream: b"\n\n\n" + stream.replace(b"\n\n", b"\n\n\n\n"),
}


def cut(data: bytes, size: int) -> Reply:
    """*data* in pieces of *size* bytes."""
    return Reply(headers=SSE, body=[data[at : at + size] for at in range(0, len(data), size)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("upstream", SPOKEN_BY)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_legal_form_of_server_sent_events(
    stage: Stage, client: str, upstream: str, form: str
) -> None:
    """Whole and in pieces of 97 bytes: characters, line ends and fields are cut anywhere."""
    data = FORMS[form](raw(upstream))
    for size in (len(data), 97):
        stage.upstream.reply(cut(data, size))
        found = stage.ask(client, MODELS[upstream], stream=True)
        assert found.status == 200
        if client == upstream:
            assert relayed(data, found.body)
            continue
        assert streamed_text(client, found) == TEXT
        assert ended_cleanly(client, found)
    assert len(stage.upstream.requests) == 2


def relayed(data: bytes, body: bytes) -> bool:
    """Whether *body* is *data*, but for the usage chunk that nobody asked for."""
    if b'"choices"' not in data:
        return body == data
    return set(body.split()) <= set(data.split()) and b"\xf0\x9f\x8e\x89" in body


@pytest.mark.parametrize("client", CLIENTS)
def test_single_bytes(stage: Stage, client: str) -> None:
    """The worst cut of all."""
    stage.upstream.reply(cut(raw(CHAT), 1))
    found = stage.ask(client, stream=True)
    assert streamed_text(client, found) == TEXT
    assert ended_cleanly(client, found)


@pytest.mark.parametrize("client", CLIENTS)
def test_invalid_utf8_becomes_replacement_characters(stage: Stage, client: str) -> None:
    """Half a character that never gets its other half ends no stream."""
    data = raw(CHAT).replace("ü".encode(), b"\xc3", 1)
    stage.upstream.reply(cut(data, 33))
    found = stage.ask(client, stream=True)
    found.body = found.body.decode("utf-8", "replace").encode()
    assert streamed_text(client, found) == TEXT.replace("ü", "\ufffd", 1)
    assert ended_cleanly(client, found)


TYPES = ("text/event-stream", "application/json", "text/plain", "text/html", "", "nonsense")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_content_type_is_not_believed(stage: Stage, client: str, kind: str) -> None:
    """What was sent counts: a stream is a stream, a document a document, asked for or not."""
    headers = {"content-type": kind}
    for streamed in (False, True):
        for reply in (chat_reply(TEXT), chat_stream([TEXT])):
            stage.upstream.reply(replace(reply, headers=headers))
            found = stage.ask(client, stream=streamed)
            assert found.status == 200, found.body
            assert (streamed_text if streamed else text_of)(client, found) == TEXT
            assert found.headers["content-type"].startswith(
                "text/event-stream" if streamed else "application/json"
            )


@pytest.mark.parametrize("upstream", SPOKEN_BY)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_document_in_the_place_of_a_stream(stage: Stage, client: str, upstream: str) -> None:
    """Every SSE dialect's document becomes a whole stream."""
    stage.upstream.reply(WHOLE[upstream](TEXT))
    found = stage.ask(client, MODELS[upstream], stream=True)
    assert streamed_text(client, found) == TEXT
    assert ended_cleanly(client, found)


def _gzipped(parts: Sequence[bytes]) -> list[bytes]:
    """One gzip stream, flushed after each part."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    return [*packed, packer.flush()]


@pytest.mark.parametrize("client", CLIENTS)
def test_gzip_that_nobody_asked_for(stage: Stage, client: str) -> None:
    """Unary and streamed; the client gets it plain and is told so."""
    stage.upstream.reply(replace(chat_reply(TEXT), gzip=True))
    found = stage.ask(client)
    assert text_of(client, found) == TEXT
    assert "content-encoding" not in found.headers
    steps: Any = chat_stream([TEXT]).body
    gzip_sse = {**SSE, "content-encoding": "gzip"}
    stage.upstream.reply(Reply(headers=gzip_sse, body=list[Any](_gzipped(steps))))
    found = stage.ask(client, stream=True)
    assert streamed_text(client, found) == TEXT
    assert "content-encoding" not in found.headers
    assert all(r.headers["accept-encoding"] == "identity" for r in stage.upstream.requests)


@pytest.mark.parametrize("client", CLIENTS)
def test_gzip_in_several_members(stage: Stage, client: str) -> None:
    """Legal (RFC 1952 section 2.2): a server may close and reopen the stream at each flush."""
    steps: Any = chat_stream([TEXT]).body
    packed = [gzip.compress(step) for step in steps]
    stage.upstream.always(Reply(headers={**SSE, "content-encoding": "gzip"}, body=packed))
    found = stage.ask(client, stream=True)
    assert found.status == 200
    assert streamed_text(client, found) == TEXT


@pytest.mark.parametrize("client", CLIENTS)
def test_halves_of_a_surrogate_pair_in_two_deltas(stage: Stage, client: str) -> None:
    """Upstreams that cut tokens in UTF-16 send them; each half arrives as it was."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def frame(text: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"

    body = [frame("a\ud83c"), frame("\udf89b"), frame("", "stop"), b"data: [DONE]\n\n"]
    stage.upstream.reply(Reply(headers=SSE, body=list[Any](body)))
    found = stage.ask(client, stream=True)
    text = streamed_text(client, found)
    assert text.encode("utf-16", "surrogatepass").decode("utf-16") == "a🎉b"
    assert ended_cleanly(client, found)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_lone_surrogate_in_a_whole_answer(stage: Stage, client: str) -> None:
    """It is legal JSON text, and no reason to lose an answer."""
    stage.upstream.reply(chat_reply("half \ud83d"))
    assert text_of(client, stage.ask(client)) == "half \ud83d"
