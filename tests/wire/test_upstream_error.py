"""Any upstream's error body, read into one shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import exchanges
from plano_asgi.wire.upstream_error import (
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    read_error_event,
    read_upstream_error,
    retry_after,
    status_of,
    type_of,
)

APIS = (
    "anthropic.messages",
    "bedrock.converse",
    "bedrock.invoke",
    "cohere.chat",
    "gemini.generate",
    "mistral.chat",
    "ollama.chat",
    "openai.chat",
    "openai.responses",
)
RECORDED = [param for api in APIS for param in exchanges(api, streaming=False)]
ERRORS = [p for p in RECORDED if p.values[0] is None or p.values[0]["response"]["status"] >= 400]

JSON_BODIES: list[Any] = [
    pytest.param(
        {"error": {"message": "m", "type": "invalid_request_error", "param": "n", "code": "c"}},
        ("m", "c", "n"),
        id="openai",
    ),
    pytest.param(
        {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}},
        ("m", None, None),
        id="anthropic",
    ),
    pytest.param({"error": "m"}, ("m", None, None), id="ollama"),
    pytest.param(
        {"error": "m", "code": "invalid-argument"}, ("m", "invalid-argument", None), id="xai"
    ),
    pytest.param({"message": "m"}, ("m", None, None), id="bedrock"),
    pytest.param(
        {"__type": "com.amazon.coral#ValidationException", "Message": "m"},
        ("m", "ValidationException", None),
        id="aws-json",
    ),
    pytest.param(
        [{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}],
        ("m", "INVALID_ARGUMENT", None),
        id="gemini-list",
    ),
    pytest.param({"detail": "m"}, ("m", None, None), id="fastapi"),
    pytest.param(
        {"detail": [{"loc": ["body", "n", 0], "msg": "a", "type": "int"}, {"msg": "b"}]},
        ("body.n.0: a; b", None, None),
        id="fastapi-list",
    ),
    pytest.param(
        {"object": "error", "message": {"detail": [{"loc": ["n"], "msg": "a"}]}, "code": "1500"},
        ("n: a", None, None),
        id="mistral",
    ),
    pytest.param(
        {"id": "1", "error_type": "TOO_MANY_TOKENS", "message": "m"},
        ("m", "TOO_MANY_TOKENS", None),
        id="cohere",
    ),
    pytest.param(
        {"error": "unauthorized", "error_description": "m"}, ("m", None, None), id="oauth"
    ),
    pytest.param(
        {"success": False, "errors": [{"code": 7003, "message": "m"}]},
        ("m", None, None),
        id="cloudflare",
    ),
    pytest.param(
        {"type": "https://errors.example/x", "title": "t", "detail": "m"},
        ("m", None, None),
        id="problem-json",
    ),
    pytest.param({"error": {"message": "m", "code": 400}}, ("m", None, None), id="openrouter"),
    pytest.param({"error": {"message": "m", "type": "quota"}}, ("m", "quota", None), id="own-type"),
]


@pytest.mark.parametrize(("body", "expected"), JSON_BODIES)
def test_every_known_shape_gives_its_text_code_and_param(
    body: object, expected: tuple[str, str | None, str | None]
) -> None:
    """The upstream's own words are kept, wherever they stand."""
    error = read_upstream_error(400, {}, json.dumps(body).encode())
    assert (error.message, error.code, error.param) == expected
    assert error.type == "invalid_request_error"
    assert not error.in_stream


@pytest.mark.parametrize("item", ERRORS)
def test_recorded_errors_have_a_text_and_the_type_of_their_status(item: dict[str, Any]) -> None:
    """Whatever API answered: a message that is no HTML, its status, and the matching type."""
    response = item["response"]
    raw = response.get("stream")
    body = raw.encode() if raw is not None else json.dumps(response["body"]).encode()
    error = read_upstream_error(response["status"], response["headers"], body)
    assert error.message.strip()
    assert "<html" not in error.message.lower()
    assert "no message" not in error.message
    assert error.status == response["status"]
    assert error.type == type_of(error.status)
    assert error.body == body


def test_aws_names_its_error_in_a_header() -> None:
    """``x-amzn-errortype`` is the code where the body has none; its namespace is cut."""
    headers = {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/coral/"}
    error = read_upstream_error(429, headers, b'{"message":"slow down"}')
    assert (error.code, error.type) == ("ThrottlingException", "rate_limit_error")
    assert error.headers == headers


@pytest.mark.parametrize(
    ("status", "body_type", "expected"),
    [
        pytest.param(401, "invalid_request_error", "authentication_error", id="status-is-finer"),
        pytest.param(400, "rate_limit_error", "rate_limit_error", id="body-is-finer"),
        pytest.param(500, "overloaded_error", "overloaded_error", id="body-is-finer-than-500"),
        pytest.param(500, "server_error", "api_error", id="not-a-neutral-type"),
        pytest.param(418, None, "api_error", id="unknown-status"),
        pytest.param(529, None, "overloaded_error", id="anthropic-overloaded"),
    ],
)
def test_the_type_follows_the_status_unless_only_the_body_knows(
    status: int, body_type: str | None, expected: str
) -> None:
    """A status that names its cause wins; a vague one leaves it to the body's type."""
    body = json.dumps({"error": {"message": "m", "type": body_type}}).encode()
    assert read_upstream_error(status, {}, body).type == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            b"<!DOCTYPE html><html><head><title>502 Bad&#32;Gateway</title></head></html>",
            "502 Bad Gateway",
            id="title",
        ),
        pytest.param(
            b"<html><head><style>a{}</style></head><body><h1>No</h1><script>x<y</script>way</body>",
            "No way",
            id="no-title",
        ),
        pytest.param(b'{"message": "<html><title>Gone</title></html>"}', "Gone", id="in-json"),
        pytest.param(b"&lt;html&gt; is text", "&lt;html&gt; is text", id="escaped-text"),
        pytest.param(b"<p>&lt;html&gt; x</p>", "x", id="escaped-in-html"),
        pytest.param(b"upstream connect error", "upstream connect error", id="plain"),
        pytest.param(b"x < y", "x < y", id="not-html"),
        pytest.param(b"\xff!", "\ufffd!", id="not-utf8"),
        pytest.param(b'{"message":"\\ud83d"}', "?", id="lone-surrogate"),
    ],
)
def test_pages_and_plain_text_become_one_line(body: bytes, expected: str) -> None:
    """A proxy's page is reduced to its title or text."""
    assert read_upstream_error(502, {}, body).message == expected


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"[]", b"null", b'{"error":null}', b"<html/>"])
def test_an_empty_body_still_has_a_message(body: bytes) -> None:
    """Where the upstream said nothing, the status is named; one without a phrase too."""
    assert read_upstream_error(502, {}, body).message == (
        "The upstream answered with status 502 (Bad Gateway) and no message."
    )
    assert "599 and" in read_upstream_error(599, {}, body).message


@given(st.binary(max_size=200) | st.text("<>/!title scripthml&;", max_size=300).map(str.encode))
def test_any_body_is_read(body: bytes) -> None:
    """Nothing raises, and there is always a message without a page in it."""
    message = read_upstream_error(500, {}, b"<html>" + body).message
    assert message
    assert "<html" not in message.lower()


def test_text_and_body_are_bounded() -> None:
    """4 KiB of message without half a character, 64 KiB of body; hostile markup costs little."""
    error = read_upstream_error(500, {}, json.dumps({"message": "é" * 100_000}).encode())
    assert len(error.message.encode()) == MAX_MESSAGE_BYTES
    assert len(error.body or b"") == MAX_BODY_BYTES
    for hostile in (b"<" * 500_000, b"<script>" * 60_000, b"<title" * 80_000, b"[" * 100_000):
        assert read_upstream_error(500, {}, b"<html>" + hostile).message


NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="milliseconds-win"),
        pytest.param({"retry-after": "2.5"}, 2.5, id="seconds"),
        pytest.param({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30.0, id="date"),
        pytest.param({"retry-after": "Wed, 21 Oct 2015 07:27:30 GMT"}, 0.0, id="past"),
        pytest.param({"retry-after": "soon"}, None, id="nonsense"),
        pytest.param({"retry-after": "Wed, 99 Foo 99999 07:27:30 GMT"}, None, id="bad-date"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "-1"}, None, id="negative"),
        pytest.param({"retry-after-ms": "x", "retry-after": "3"}, 3.0, id="fallback"),
        pytest.param({}, None, id="absent"),
    ],
)
def test_the_time_to_wait_is_read_from_the_headers(
    headers: dict[str, str], expected: float | None
) -> None:
    """Milliseconds, seconds or a date; what makes no sense is no time."""
    assert retry_after(headers, now=NOW) == expected
    assert read_upstream_error(429, headers, b"", now=NOW).retry_after_s == expected


def test_a_date_is_read_against_the_clock_by_default() -> None:
    """Without *now*, a date long past means at once."""
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("overloaded_error", 529),
        ("rate_limit_exceeded", 429),
        ("RESOURCE_EXHAUSTED", 429),
        ("throttlingException", 429),
        ("modelStreamErrorException", 502),
        ("server_error", 500),
        ("insufficient_quota", 429),
        ("invalid_api_key", 401),
        ("context_length_exceeded", 400),
        ("invalid-argument", 400),
        ("Not Found", 404),
        ("something_else", None),
        ("", None),
    ],
)
def test_an_error_word_stands_for_a_status(word: str, status: int | None) -> None:
    """Snake, camel, upper case and dashes are the same word."""
    assert status_of(word) == status


@pytest.mark.parametrize(
    ("document", "status", "type_"),
    [
        ({"error": {"message": "m", "type": "overloaded_error"}}, 529, "overloaded_error"),
        ({"error": {"message": "m", "code": 429}}, 429, "rate_limit_error"),
        ({"error": {"message": "m", "code": "503"}}, 503, "overloaded_error"),
        ({"code": "rate_limit_exceeded", "message": "m"}, 429, "rate_limit_error"),
        ({"error": "m"}, 502, "api_error"),
        ({"error": {"message": "m", "code": 7}}, 502, "api_error"),
    ],
)
def test_an_error_inside_a_stream_finds_its_status(
    document: dict[str, Any], status: int, type_: str
) -> None:
    """A number in it, else what its words stand for, else 502."""
    error = read_error_event(document, b"data")
    assert (error.message, error.status, error.type) == ("m", status, type_)
    assert error.in_stream
    assert error.body == b"data"
