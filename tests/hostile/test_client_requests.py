"""A hostile client on the wire: drips, lies, floods, nests, repeats and smuggles."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    MAX_BODY,
    MESSAGES,
    MODELS,
    PATHS,
    RESPONSES,
    UPSTREAMS,
    WHOLE,
    Answer,
    Stage,
    plano,
    question,
    refused_with,
    text_of,
)
from plano_asgi.config import Plano
from plano_asgi.gateway.paths import match
from serving import serving
from upstream import chat_reply

JSON = {"content-type": "application/json"}


@contextmanager
def wire(stage: Stage) -> Iterator[socket.socket]:
    """A raw connection to the gateway."""
    where = urlsplit(stage.url)
    with socket.create_connection((where.hostname, where.port or 80), timeout=5) as sock:
        yield sock


def head(path: str = PATHS[CHAT], method: str = "POST", **headers: str) -> bytes:
    """A request head; names with ``_`` for ``-``."""
    lines = [f"{method} {path} HTTP/1.1", "host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def response(sock: socket.socket, seen: bytes = b"") -> tuple[Answer, bytes]:
    """One response with a content-length, and what follows it."""
    while b"\r\n\r\n" not in seen:
        seen += _more(sock)
    top, _, rest = seen.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    length = int(headers["content-length"])
    while len(rest) < length:
        rest += _more(sock)
    return Answer(int(status.split()[1]), headers, rest[:length]), rest[length:]


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    assert data, "the connection ended early"
    return data


# --------------------------------------------------------------------------- framing


def test_a_body_that_drips_is_408(stage: Stage) -> None:
    """The limit is for the whole body, however often a byte arrives."""
    with wire(stage) as sock:
        sock.sendall(head(content_length="1000", **JSON) + b"{")
        sock.settimeout(0.05)
        seen = b""
        for _ in range(60):
            try:
                seen = sock.recv(65536)
                break
            except TimeoutError:
                sock.sendall(b" ")
        sock.settimeout(5)
        found, _ = response(sock, seen)
    assert "0.5 s" in refused_with(CHAT, found, 408)
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_declared_oversize_is_413_before_it_is_sent(stage: Stage, client: str) -> None:
    """The client is told without having sent a byte of it."""
    with wire(stage) as sock:
        sock.sendall(head(PATHS[client], content_length=str(MAX_BODY + 1)))
        found, _ = response(sock)
    assert str(MAX_BODY) in refused_with(client, found, 413)
    stage.still_serves()


def test_an_undeclared_oversize_is_413(stage: Stage) -> None:
    """Chunks have no length to look at first."""
    piece = b"%x\r\n%b\r\n" % (1 << 16, b"x" * (1 << 16))
    with wire(stage) as sock:
        sock.sendall(head(transfer_encoding="chunked") + piece * 17)
        found, _ = response(sock)
    refused_with(CHAT, found, 413)
    stage.still_serves()


def test_a_body_of_just_the_limit_passes(stage: Stage) -> None:
    """And one byte more does not."""
    stage.upstream.always(chat_reply())
    body = json.dumps(question(CHAT)).encode()
    whole = body + b" " * (MAX_BODY - len(body))
    assert stage.post(PATHS[CHAT], whole).status == 200
    refused_with(CHAT, stage.post(PATHS[CHAT], whole + b" "), 413)


def test_a_chunked_body_in_single_bytes(stage: Stage) -> None:
    """The body is what the chunks join to."""
    stage.upstream.always(chat_reply())
    body = json.dumps(question(CHAT)).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with wire(stage) as sock:
        sock.sendall(head(transfer_encoding="chunked", **JSON) + chunks)
        assert response(sock)[0].status == 200
    assert stage.upstream.requests[0].json()["messages"] == question(CHAT)["messages"]


def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    """Each with its own answer, the bad one in the middle with its own error."""
    stage.upstream.on(lambda r: chat_reply(r.json()["messages"][0]["content"]))
    bodies = [
        json.dumps(question(CHAT, messages=[{"role": "user", "content": text}])).encode()
        for text in ("one", "two", "three")
    ]
    bodies[1] = b"{"
    with wire(stage) as sock:
        sock.sendall(b"".join(head(content_length=str(len(b))) + b for b in bodies))
        first, rest = response(sock)
        second, rest = response(sock, rest)
        third, _ = response(sock, rest)
    assert [text_of(CHAT, first), text_of(CHAT, third)] == ["one", "three"]
    refused_with(CHAT, second, 400)


def test_the_connection_goes_on_after_an_early_refusal(stage: Stage) -> None:
    """A 404 that did not read its body must not take that body for the next request."""
    smuggled = head(PATHS[CHAT], content_length="2") + b"{}"
    with wire(stage) as sock:
        sock.sendall(head("/nope", content_length=str(len(smuggled))) + smuggled)
        refused_with(CHAT, response(sock)[0], 404)
        sock.sendall(head("/v1/models", "GET"))
        assert response(sock)[0].json()["object"] == "list"
    assert not stage.upstream.requests


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "gzip, identity"])
def test_a_compressed_body_is_refused_by_name(stage: Stage, encoding: str) -> None:
    """A bomb never gets to explode."""
    found = stage.post(PATHS[CHAT], b"\x1f\x8b\x08", content_encoding=encoding)
    assert "ompress" in refused_with(CHAT, found, 400)


# --------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("depth", [300, 900, 10_000, 400_000])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_deeply_nested_document(stage: Stage, client: str, depth: int) -> None:
    """Served or refused; never a crash."""
    nested = b"[" * depth + b"]" * depth
    stage.upstream.always(chat_reply())
    for text in (nested, nested.replace(b"[]", b'["\\ud83d"]')):
        body = json.dumps(question(client))[:-1].encode() + b',"x":' + text + b"}"
        found = stage.post(PATHS[client], body)
        if found.status != 200:
            refused_with(client, found, 400)
    stage.still_serves()


@pytest.mark.parametrize("depth", [990, 1000, 1015])
def test_a_document_that_can_just_be_read(stage: Stage, depth: int) -> None:
    """What loads accepts, dumps must write, or the client is told 400."""
    nested = b"[" * depth + b"]" * depth
    stage.upstream.always(chat_reply())
    body = json.dumps(question(CHAT))[:-1].encode() + b',"x":' + nested + b"}"
    found = stage.post(PATHS[CHAT], body)
    assert found.status in (200, 400)


def test_of_repeated_keys_the_last_counts_everywhere(stage: Stage) -> None:
    """What was routed by is what is sent: no second meaning is smuggled upstream."""
    stage.upstream.always(chat_reply())
    body = (
        b'{"model":"mistral/a","model":"openai/m-chat",'
        b'"messages":[],"messages":[{"role":"user","content":"hi"}]}'
    )
    found = stage.post(PATHS[CHAT], body)
    assert found.headers["x-plano-model"] == "openai/m-chat"
    request = stage.upstream.requests[0]
    assert request.json()["model"] == "m-chat"
    assert request.body.count(b'"model"') == 1


SURROGATE = "cut \ud83d emoji"


def _said(upstream: str, body: Any) -> str:
    """The user's text in a request of dialect *upstream*."""
    if upstream == RESPONSES:
        content = body["input"] if isinstance(body["input"], str) else body["input"][0]["content"]
    else:
        content = body["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", CLIENTS)
def test_lone_surrogates_and_nul_survive(stage: Stage, client: str, upstream: str) -> None:
    """Relayed and translated; the answer quotes them back."""
    text = SURROGATE + " \u0000 \u2028 \x7f"
    stage.upstream.always(WHOLE[upstream](text))
    said: Any = text if client == RESPONSES else [{"role": "user", "content": text}]
    field = "input" if client == RESPONSES else "messages"
    found = stage.ask(client, MODELS[upstream], **{field: said})
    assert found.status == 200, found.body
    assert text_of(client, found) == text
    assert _said(upstream, stage.upstream.requests[0].json()) == text


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
def test_echo_takes_lone_surrogates(client: str, streamed: bool, stage: Stage) -> None:
    """The built-in model is no exception."""
    said: Any = SURROGATE if client == RESPONSES else [{"role": "user", "content": SURROGATE}]
    fields = {"input" if client == RESPONSES else "messages": said, "stream": streamed}
    with serving(Plano(["plano/echo"], environ={})) as url:
        found = replace(stage, url=url).ask(client, "plano/echo", **fields)
        assert found.status == 200
        assert b"\\ud83d" in found.body


def test_a_token_estimate_of_lone_surrogates(stage: Stage) -> None:
    """count_tokens, too."""
    body = question(MESSAGES, messages=[{"role": "user", "content": SURROGATE}])
    found = stage.post("/v1/messages/count_tokens", body)
    assert found.json()["input_tokens"] > 0


def test_integers_past_64_bits_are_read_as_javascript_reads_them(stage: Stage) -> None:
    """The one rounding there is: to the nearest double."""
    stage.upstream.always(chat_reply())
    body = json.dumps(question(CHAT, seed=2**70 + 1)).encode()
    assert stage.post(PATHS[CHAT], body).status == 200
    assert stage.upstream.requests[0].json()["seed"] == float(2**70 + 1)


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        *[(text, "") for text in ("NaN", "Infinity", "-Infinity", "1e999")],
        *[(text, ',"y":"\\ud83d"') for text in ("NaN", "Infinity", "-Infinity", "1e999")],
    ],
)
def test_what_is_no_json_number_is_400(stage: Stage, text: str, extra: str) -> None:
    """Also on the slow path, which a surrogate asks for."""
    body = json.dumps(question(CHAT))[:-1] + f',"temperature":{text}{extra}}}'
    refused_with(CHAT, stage.post(PATHS[CHAT], body.encode()), 400)
    assert not stage.upstream.requests


@pytest.mark.parametrize("client", CLIENTS)
def test_a_utf8_bom_or_other_encodings_are_400(stage: Stage, client: str) -> None:
    """JSON is UTF-8; guessing would be a second parser."""
    body = json.dumps(question(client))
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        refused_with(client, stage.post(PATHS[client], body.encode(encoding)), 400)


def test_a_form_with_two_models_is_served_as_one(stage: Stage) -> None:
    """Whichever the upstream reads, it is the one that was routed by."""
    stage.upstream.always(chat_reply())
    part = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n{}\r\n'
    body = part.format("mistral/cheap") + part.format("mistral/dear") + "--b--\r\n"
    found = stage.post(
        "/v1/audio/transcriptions",
        body.encode(),
        content_type="multipart/form-data; boundary=b",
    )
    assert found.status == 400 or b"mistral/dear" not in stage.upstream.requests[0].body


# --------------------------------------------------------------------------- methods, mounts


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("client", CLIENTS)
def test_other_methods_are_405(stage: Stage, client: str, method: str) -> None:
    """In the shape of the path's dialect, with ``allow``; override headers are not heeded."""
    reply = stage.http.request(
        method, stage.url + PATHS[client], headers={"x-http-method-override": "POST"}
    )
    found = Answer(reply.status_code, reply.headers, reply.content)
    refused_with(client, found, 405)
    assert reply.headers["allow"] == "POST, OPTIONS"


def test_post_with_an_override_stays_post(stage: Stage) -> None:
    """``X-HTTP-Method-Override`` changes nothing."""
    stage.upstream.always(chat_reply())
    found = stage.post(PATHS[CHAT], question(CHAT), x_http_method_override="DELETE")
    assert found.status == 200


PATH_TRICKS = [
    "/v1/../v1/nope",
    "/v1/chat%2fcompletions/x",
    "//chat//completions",
    "/v1/chat/completions%00",
    "/v1/chat/completions;x=1",
    "/V1/CHAT/COMPLETIONS",
    "/v1/chat/completions/../../../etc/passwd",
    "/v1/%ed%a0%bd%ff",
]


@pytest.mark.parametrize("path", PATH_TRICKS, ids=range(len(PATH_TRICKS)))
def test_paths_that_mean_nothing_are_404(stage: Stage, path: str) -> None:
    """Nothing is guessed from them, and nothing is sent."""
    with wire(stage) as sock:
        sock.sendall(head(path, content_length="2") + b"{}")
        found, _ = response(sock)
    refused_with(CHAT, found, 404)
    assert not stage.upstream.requests


def test_a_path_of_thousands_of_v1_is_not_worked_off(stage: Stage) -> None:
    """One too many is a configuration, a thousand is an attack: 1 MB of them blocks for seconds."""
    assert match("/v1" * 1000 + "/chat/completions", "") is None


def test_a_query_string_is_not_sent_on(stage: Stage) -> None:
    """``?beta=true`` is the client's; others could carry what an upstream understands."""
    stage.upstream.always(chat_reply())
    assert stage.post(PATHS[CHAT] + "?key=x&api-version=1", question(CHAT)).status == 200
    assert stage.upstream.requests[0].query == ""


@pytest.mark.parametrize("extra", [{"root_path": "/v1"}, {"h11": True}], ids=["root", "h11"])
def test_another_http_parser_and_a_root_path(stage: Stage, extra: dict[str, Any]) -> None:
    """h11 in the place of httptools sees the same gateway."""
    options = {"http": "h11"} if "h11" in extra else extra
    with serving(plano(stage.upstream.base_url), **options) as url:
        there = replace(stage, url=url)
        there.still_serves()
        with wire(there) as sock:
            sock.sendall(head(content_length=str(MAX_BODY + 1)))
            refused_with(CHAT, response(sock)[0], 413)


def test_a_wildcard_without_a_model_serves_nothing(stage: Stage) -> None:
    """``*`` itself and an empty id are no models."""
    for name in ("mistral/*", "mistral/", "mistral", "/", "*", " "):
        found = stage.ask(CHAT, name)
        assert found.status in (400, 404), name
        refused_with(CHAT, found, found.status)
    assert not stage.upstream.requests
