"""Names and headers as weapons: paths, header lines and memory are out of their reach."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hostile.stage import (
    CHAT,
    CLIENTS,
    KEY,
    MESSAGES,
    PATHS,
    TRIES,
    Stage,
    plano,
    question,
    refused_with,
    staged,
)
from plano_asgi.attempts import BreakerPolicy
from plano_asgi.providers.transports import HttpxTransport, TransportPool, default_transport
from serving import serving
from upstream import anthropic_reply, bedrock_reply, chat_reply

TRANSPORTS = {"default": default_transport, "httpx": HttpxTransport}

TRICKS = [
    "../../admin",
    "a/../../b",
    "%2e%2e/%2e%2e/admin",
    "..%2fadmin",
    "a?x=1",
    "a#frag",
    "a b",
    "a\r\nx-evil: 1",
    "a\x00b",
    "a\x1f\x7fb",
    "a\\b",
    "http://evil.example/",
    "@evil.example",
    "//evil.example/x",
    "ü🎉",
    "half \ud83d",
    "a" * 2000,
]


@pytest.fixture(scope="module", params=TRANSPORTS)
def either(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage on either transport."""
    with staged(transports=TransportPool(TRANSPORTS[request.param])) as stage:
        yield stage


@pytest.mark.parametrize("name", TRICKS, ids=range(len(TRICKS)))
def test_a_model_name_stays_a_model_name(either: Stage, name: str) -> None:
    """It reaches the upstream in the body, whole, and changes no path and no header."""
    either.reset()
    either.upstream.always(chat_reply())
    found = either.ask(CHAT, f"mistral/{name}")
    assert found.status == 200, found.body
    request = either.upstream.requests[0]
    assert (request.path, request.query) == ("/v1/chat/completions", "")
    assert request.json()["model"] == name.strip()
    assert "x-evil" not in {*found.headers, *request.headers}


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("name", TRICKS, ids=range(len(TRICKS)))
def test_a_model_name_in_a_path_is_one_segment(either: Stage, name: str, streamed: bool) -> None:
    """Bedrock's URL holds it: every character that could end the segment is encoded."""
    either.reset()
    either.upstream.always(bedrock_reply())
    found = either.ask(CHAT, f"amazon_bedrock/{name}", stream=streamed)
    assert found.status in (200, 502), found.body
    path = either.upstream.requests[0].path
    before, after = "/model/", "/converse-stream" if streamed else "/converse"
    assert path.startswith(before)
    assert path.endswith(after)
    segment = path.removeprefix(before).removesuffix(after)
    assert "/" not in segment
    assert segment not in (".", "..")
    assert either.upstream.requests[0].query == ""


@pytest.mark.parametrize("name", [".", ".."])
def test_a_model_name_of_dots_is_no_path(either: Stage, name: str) -> None:
    """``/model/../converse`` is ``/converse`` to httpx and to most servers."""
    either.reset()
    either.upstream.always(bedrock_reply())
    found = either.ask(CHAT, f"amazon_bedrock/{name}")
    refused_with(CHAT, found, 400)
    assert not either.upstream.requests


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("prefix", ["mistral/", "amazon_bedrock/", "", "nobody/"])
def test_a_model_name_of_nearly_1_mb(stage: Stage, client: str, prefix: str) -> None:
    """Refused by name, in no time, and without being cached."""
    found = stage.ask(client, prefix + "m" * 1_000_000)
    assert found.status in (400, 404)
    refused_with(client, found, found.status)
    assert not stage.upstream.requests
    stage.still_serves()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_unknown_name_is_quoted_as_data(stage: Stage, client: str) -> None:
    """Whatever stands in it, the error is one JSON document with plain headers."""
    for name in ('x"}<script>', "a\r\nb", "\ud83d", "\x00", "{}", "ü"):
        found = stage.ask(client, f"nobody/{name}")
        assert found.status == 404
        assert name in found.json()["error"]["message"]
        assert found.headers["content-type"] == "application/json"


def test_the_response_names_the_model_in_a_legal_header(stage: Stage) -> None:
    """Line ends and control characters are cut out, others replaced."""
    stage.upstream.always(chat_reply())
    found = stage.ask(CHAT, "mistral/a\r\n\x00\x1f\x7fb🎉c")
    assert found.headers["x-plano-model"] == "mistral/ab?c"


@pytest.mark.parametrize("given", ["a b", "x" * 129, "é", "a,b", "a;b", "<x>", "", "a\tb"])
def test_a_strange_request_id_is_replaced(stage: Stage, given: str) -> None:
    """Only sane ones go into logs and headers."""
    stage.upstream.always(chat_reply())
    found = stage.http.post(
        stage.url + PATHS[CHAT], json=question(CHAT), headers=[(b"x-request-id", given.encode())]
    )
    assert found.status_code == 200
    assert found.headers["x-request-id"].startswith("req_")


LEGAL_HEADER_TEXT = {
    "plain": b"tools-2026-01-01",
    "list": b"a, b,c",
    "latin-1": "déjà".encode("latin-1"),
    "utf-8": "déjà 🎉".encode(),
    "tab": b"a\tb",
    "long": b"x" * 30_000,
}


_BETA = "anthropic-beta"


def asked_with(stage: Stage, value: bytes) -> int:
    """The status of a Messages call with a beta header of *value*."""
    body = question(MESSAGES, "anthropic/m-messages")
    headers = [(_BETA.encode(), value)]
    return stage.http.post(stage.url + PATHS[MESSAGES], json=body, headers=headers).status_code


@pytest.mark.parametrize(
    ("either", "name"),
    [
        *[("default", name) for name in LEGAL_HEADER_TEXT],
        *[("httpx", name) for name in LEGAL_HEADER_TEXT],
    ],
    indirect=["either"],
)
def test_a_forwarded_header_cannot_break_the_request(either: Stage, name: str) -> None:
    """What HTTP allows in a header value is forwarded or left out; it is never a 502."""
    either.reset()
    either.upstream.always(anthropic_reply())
    assert asked_with(either, LEGAL_HEADER_TEXT[name]) == 200
    assert len(either.upstream.requests) == 1


@pytest.mark.parametrize("transport", [default_transport, HttpxTransport])
def test_a_header_of_one_client_opens_no_circuit_for_others(transport: Any) -> None:
    """A request that cannot be sent says nothing about the upstream."""
    pool = TransportPool(transport)
    with staged(transports=pool, breaker=BreakerPolicy(failures=TRIES)) as here:
        here.upstream.always(anthropic_reply())
        asked_with(here, "é".encode())
        assert here.ask(MESSAGES, "anthropic/m-messages").status == 200


@pytest.mark.parametrize("value", [b"a\x01b", b"a\x7fb", b"a\x1bb"], ids=["soh", "del", "esc"])
def test_control_characters_that_h11_lets_in(value: bytes, stage: Stage) -> None:
    """Some servers are lenient: what they let in must not look like an upstream that is down."""
    stage.upstream.always(anthropic_reply())
    with serving(plano(stage.upstream.base_url), http="h11") as url:
        assert _raw_status(url, value) in (200, 400)


def _raw_status(url: str, value: bytes) -> int:
    body = json.dumps(question(MESSAGES, "anthropic/m-messages")).encode()
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port or 80), timeout=5) as sock:
        sock.sendall(
            b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nanthropic-beta: %b\r\n"
            b"content-length: %d\r\n\r\n%b" % (value, len(body), body)
        )
        return int(sock.recv(65536).split()[1])


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Api-Key", "Cookie", "Host", "X-Forwarded-For"]
)
def test_a_clients_headers_stay_here(stage: Stage, name: str) -> None:
    """Credentials, cookies and proxies' headers belong to this hop."""
    stage.upstream.always(chat_reply())
    stage.post(PATHS[CHAT], question(CHAT), **{name: "sk-canary-of-the-client"})
    request = stage.upstream.requests[0]
    assert "sk-canary-of-the-client" not in json.dumps(request.headers)
    assert request.headers["authorization"] == f"Bearer {KEY}"
