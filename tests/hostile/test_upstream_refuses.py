"""An upstream that fails before any content: a status in the client's shape, exact attempts."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace

import httpx
import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    KEY,
    MESSAGES,
    MODELS,
    PATHS,
    RESPONSES,
    STREAMS,
    TRIES,
    UPSTREAMS,
    WHOLE,
    Answer,
    Stage,
    ended_cleanly,
    plano,
    question,
    refused_with,
    staged_before,
    streamed_text,
)
from plano_asgi.config import Model, Plano
from plano_asgi.routing.names import Alias, Target
from serving import serving
from upstream import (
    CUT,
    HANG,
    RESET,
    Reply,
    anthropic_stream,
    error_reply,
    refused,
    scripted_upstream,
)

SSE = {"content-type": "text/event-stream"}
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>x</body></html>"
ERROR = {"error": {"message": "the model is on fire", "type": "server_error", "code": "fire"}}


@dataclass(frozen=True)
class Case:
    """One way of failing, the status the client sees, and how often the upstream is asked."""

    reply: Reply
    status: int = 502
    tries: int = TRIES
    says: str = ""


def sse(*frames: bytes) -> Reply:
    """A stream of raw frames."""
    return Reply(headers=SSE, body=list(frames))


ANY = {
    "hang-before-headers": Case(Reply(before=[HANG]), 504, 1, "silent"),
    "reset-before-headers": Case(Reply(before=[RESET])),
    "cut-before-headers": Case(Reply(before=[CUT])),
    "cut-in-headers": Case(Reply(before=[b"HTTP/1.1 200 OK\r\ncontent-ty", CUT])),
    "not-http": Case(Reply(before=[b"\x16\x03\x01\x02\x00 hello there\r\n\r\n", CUT])),
    "bad-chunk-size": Case(
        Reply(before=[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n", CUT])
    ),
    "reset-after-headers": Case(Reply(headers=SSE, body=[RESET])),
    "cut-after-headers": Case(Reply(headers=SSE, body=[CUT])),
    "hang-after-headers": Case(Reply(headers=SSE, body=[HANG]), 504, 1, "silent"),
    "short-of-its-length": Case(Reply(headers={"content-length": "900"}, body=[b'{"id":', CUT])),
    "empty": Case(Reply(body=b"")),
    "204": Case(Reply(status=204, headers={"content-length": "0"})),
    "301": Case(Reply(status=301, headers={"location": "/elsewhere"}), says="301", tries=1),
    "307": Case(Reply(status=307, headers={"location": "/elsewhere"}), says="307", tries=1),
    "304": Case(Reply(status=304), says="304", tries=1),
    "html-200": Case(Reply(headers={"content-type": "text/html"}, body=HTML)),
    "html-200-as-json": Case(Reply(body=HTML)),
    "html-200-as-stream": Case(Reply(headers=SSE, body=HTML)),
    "html-502": Case(
        Reply(status=502, headers={"content-type": "text/html"}, body=HTML), says="Bad Gateway"
    ),
    "text-503": Case(
        Reply(status=503, headers={"content-type": "text/plain"}, body=b"no healthy upstream"),
        503,
        says="no healthy upstream",
    ),
    "empty-500": Case(Reply(status=500), 500),
    "json-null": Case(Reply(body=b"null")),
    "json-array": Case(Reply(body=b'[{"a":1}]')),
    "half-a-document": Case(Reply(body=b'{"id":"chatcmpl-1","choi')),
    "error-in-200": Case(Reply(body=json.dumps(ERROR).encode()), 500, says="on fire"),
    "not-gzip-at-all": Case(Reply(headers={"content-encoding": "gzip"}, body=b'{"id":"x"}')),
    "unknown-encoding": Case(Reply(headers={"content-encoding": "br"}, body=b'{"id":"x"}')),
    "half-of-gzip": Case(
        Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(b'{"id":"x"}' * 99)[:20])
    ),
    "400": Case(error_reply(400, "no", type="invalid_request_error"), 400, 1, "no"),
    "401": Case(error_reply(401, "bad key", type="authentication_error"), 401, 1, "bad key"),
    "404": Case(error_reply(404, "no model", type="not_found_error"), 404, 1, "no model"),
    "413": Case(error_reply(413, "too big", type="x"), 413, 1, "too big"),
    "429": Case(error_reply(429), 429, says="slow down"),
    "529": Case(error_reply(529, "busy", type="overloaded_error"), 529, says="busy"),
}
STREAMED = {
    "error-event": Case(sse(b"event: error\ndata: " + json.dumps(ERROR).encode() + b"\n\n"), 500),
    "comments-then-cut": Case(sse(b": ping\n\n: ping\n\n")),
    "not-json-events": Case(sse(b"data: hello\n\ndata: there\n\n")),
    "json-but-no-object": Case(sse(b"data: [1, 2]\n\n")),
    "half-an-event": Case(sse(b'data: {"id": "x", "choi')),
    "no-sse-at-all": Case(sse(b"hello\n\nthere\n\n")),
    "binary": Case(sse(bytes(range(256)) * 8)),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("name", ANY)
def test_a_failure_before_content_is_a_status(stage: Stage, name: str, streamed: bool) -> None:
    """For each client, with the number of tries that the failure deserves."""
    case = ANY[name]
    stage.upstream.always(case.reply)
    for client in CLIENTS[:1] if case.status == 504 else CLIENTS:
        stage.upstream.requests.clear()
        found = stage.ask(client, stream=streamed)
        assert case.says in refused_with(client, found, case.status)
        assert len(stage.upstream.requests) == case.tries
        assert found.headers["x-plano-attempts"] == str(case.tries)
        assert found.headers["x-should-retry"] == "false"
        assert {request.path for request in stage.upstream.requests} == {"/v1/chat/completions"}
    if case.status == 504:
        assert stage.upstream.requests[0].closed.wait(1), "the silent connection is given up"
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_without_content_is_a_status(stage: Stage, name: str, client: str) -> None:
    """Nothing was sent yet: never a 200."""
    case = STREAMED[name]
    stage.upstream.always(case.reply)
    refused_with(client, stage.ask(client, stream=True), case.status)
    assert len(stage.upstream.requests) == case.tries
    stage.still_serves()


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", CLIENTS)
def test_garbage_of_any_upstream_dialect_is_502(
    stage: Stage, client: str, upstream: str, streamed: bool
) -> None:
    """Every reader finds its own words for it."""
    for reply in (Reply(body=b"\x00\xff\xfe garbage"), sse(b"\x00\xff\xfe garbage\n\n" * 3)):
        stage.upstream.requests.clear()
        stage.upstream.always(reply)
        found = stage.ask(client, MODELS[upstream], stream=streamed)
        refused_with(client, found, 502)
        assert len(stage.upstream.requests) == TRIES
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_host_without_address_is_502(stage: Stage, client: str) -> None:
    """The message names no address."""
    message = refused_with(client, stage.ask(client, "groq/nowhere"), 502)
    assert "invalid" not in message
    stage.still_serves()


def test_a_refused_connection_is_502(stage: Stage) -> None:
    """On every client API, streamed or not, after the tries it deserves."""
    with refused() as base, serving(plano(base)) as url:
        there = replace(stage, url=url)
        for client in CLIENTS:
            for streamed in (False, True):
                found = there.ask(client, stream=streamed)
                refused_with(client, found, 502)
                assert found.headers["x-plano-attempts"] == str(TRIES)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_second_try_saves_the_answer(stage: Stage, client: str) -> None:
    """Invisibly: also where a stream broke off before its content."""
    stage.upstream.reply(Reply(headers=SSE, body=[b": wait\n\n", RESET]), STREAMS[CHAT]())
    found = stage.ask(client, stream=True)
    assert found.status == 200
    assert found.headers["x-plano-attempts"] == "2"
    stage.upstream.reply(Reply(before=[CUT]), WHOLE[CHAT]())
    assert stage.ask(client).headers["x-plano-attempts"] == "2"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_failure_of_one_provider_is_covered_by_another_dialects(client: str) -> None:
    """Failover from a chat upstream to an Anthropic one, streamed: one clean stream comes out."""
    alias = Alias(targets=(Target(model="openai/m-chat"),), fallbacks=("anthropic/m-messages",))
    with scripted_upstream() as upstream, staged_before(upstream, aliases={"safe": alias}) as here:
        upstream.on(
            lambda request: (
                anthropic_stream() if request.path.endswith("messages") else Reply(before=[CUT])
            )
        )
        found = here.ask(client, "safe", stream=True)
        assert streamed_text(client, found) == "Hello!"
        assert ended_cleanly(client, found)
        assert found.headers["x-plano-attempts"] == str(TRIES + 1)
        assert found.headers["x-plano-model"] == "anthropic/m-messages"


def test_a_missing_key_is_ours_and_a_missing_client_key_is_theirs() -> None:
    """500 where the gateway has none, 401 where the client should have brought one."""
    app = Plano([Model("openai/gpt-4o"), Model("mistral/small", passthrough_auth=True)], environ={})
    with serving(app) as url:
        for client in CLIENTS:
            for model, status in (("openai/gpt-4o", 500), ("mistral/small", 401)):
                reply = httpx.post(url + PATHS[client], json=question(client, model))
                found = Answer(reply.status_code, reply.headers, reply.content)
                refused_with(client, found, status)


RETRY_AFTER: dict[str, tuple[dict[str, str], int]] = {
    "seconds-short": ({"retry-after": "0"}, TRIES),
    "seconds-long": ({"retry-after": "3600"}, 1),
    "milliseconds": ({"retry-after-ms": "5"}, TRIES),
    "milliseconds-win": ({"retry-after-ms": "5", "retry-after": "3600"}, TRIES),
    "date-past": ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, TRIES),
    "date-future": ({"retry-after": "Fri, 21 Oct 2095 07:28:00 GMT"}, 1),
    "date-absurd": ({"retry-after": "Fri, 99 Foo 99999 07:28:00 -0000"}, TRIES),
    "date-before-christ": ({"retry-after": "Mon, 01 Jan 0001 00:00:00 -0000"}, TRIES),
    "negative": ({"retry-after": "-5"}, TRIES),
    "infinite": ({"retry-after": "inf"}, TRIES),
    "nan": ({"retry-after": "nan"}, TRIES),
    "huge": ({"retry-after": "9" * 300}, 1),
    "text": ({"retry-after": "soon"}, TRIES),
    "empty": ({"retry-after": ""}, TRIES),
}


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_every_form_of_retry_after(stage: Stage, name: str) -> None:
    """A long one is handed to the client at once, a short one is waited for, nonsense is none."""
    headers, tries = RETRY_AFTER[name]
    stage.upstream.always(error_reply(429, headers=headers))
    found = stage.ask(MESSAGES)
    refused_with(MESSAGES, found, 429)
    assert len(stage.upstream.requests) == tries
    if name == "seconds-long":
        assert found.headers["retry-after"] == "3600"
    stage.still_serves()


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_does_not_exist(stage: Stage, status: int) -> None:
    """It is an upstream's error like any other, and reaches the client as one."""
    stage.upstream.always(Reply(status=status, body=b'{"error":{"message":"go away"}}'))
    assert "go away" in refused_with(CHAT, stage.ask(CHAT), 502)


def test_an_error_in_200_keeps_its_own_status(stage: Stage) -> None:
    """By its type: rate limits and overloads tell clients when to come back."""
    for kind, status in (("rate_limit_error", 429), ("overloaded_error", 529)):
        body = json.dumps({"error": {"message": "no", "type": kind}}).encode()
        stage.upstream.always(Reply(body=body))
        for client in (CHAT, RESPONSES):
            for streamed in (False, True):
                refused_with(client, stage.ask(client, stream=streamed), status)


def test_a_redirect_is_not_followed(stage: Stage) -> None:
    """It would carry the key wherever it points to."""
    away = f"{stage.upstream.base_url}/steal"
    stage.upstream.always(Reply(status=302, headers={"location": away}))
    for client in CLIENTS:
        for streamed in (False, True):
            refused_with(client, stage.ask(client, stream=streamed), 502)
    assert "/steal" not in {request.path for request in stage.upstream.requests}
    assert all(KEY in request.headers["authorization"] for request in stage.upstream.requests)
