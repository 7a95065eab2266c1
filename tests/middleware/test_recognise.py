"""Which requests are looked at, and that nothing slips by with another label."""

from __future__ import annotations

import json

import pytest

from asgi_drive import drive
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.middleware import Recogniser
from plano_asgi.wire.field_layout import FieldLayout
from wrapping import CHAT, HI, Echo, around, texts_of

pytestmark = pytest.mark.anyio


async def seen_by(
    path: str, body: object, recogniser: Recogniser | None = None, **headers: str
) -> tuple[int, list[str] | None, Echo]:
    """The status, the texts that a step saw (``None`` if it never ran), and the app."""
    texts: list[list[str]] = []

    async def step(exchange: Exchange) -> None:
        texts.append(list(texts_of(exchange)))

    echo = Echo()
    app = around(echo, step, recogniser=recogniser)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = await drive(app, path, body, headers=named)
    return found.status, texts[0] if texts else None, echo


@pytest.mark.parametrize(
    ("path", "body", "texts"),
    [
        (CHAT, HI, ["hi"]),
        ("/a/b/chat/completions/", HI, ["hi"]),
        (CHAT, {"input": "hi"}, ["hi"]),
        (CHAT, {"input": [{"role": "user", "content": "hi"}]}, ["hi"]),
        ("/v1/messages", HI, ["hi"]),
        ("/v1/messages/count_tokens", HI, ["hi"]),
        ("/v1/responses", {"input": "hi"}, ["hi"]),
        ("/v1/responses", {"instructions": "hi", "previous_response_id": "r"}, ["hi"]),
        ("/v1/responses/compact", {"input": "hi"}, ["hi"]),
        ("/v1/completions", {"prompt": ["hi", "ho"]}, ["hi", "ho"]),
        ("/v1/embeddings", {"input": "hi"}, ["hi"]),
        ("/v1/moderations", {"input": ["hi"]}, ["hi"]),
        ("/v1/rerank", {"query": "hi", "documents": [{"text": "ho"}]}, ["hi", "ho"]),
        ("/v1/images/generations", {"prompt": "hi"}, ["hi"]),
        ("/v1/audio/speech", {"input": "hi", "voice": "x"}, ["hi"]),
    ],
)
async def test_known_apis(path: str, body: object, texts: list[str]) -> None:
    """By the path's end and the shape of the body, wherever they are mounted."""
    status, found, echo = await seen_by(path, body)
    assert (status, found) == (200, texts)
    assert isinstance(echo.exchange, Exchange)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/models", HI, id="path"),
        pytest.param("/v1/messagesx", HI, id="longer-path"),
        pytest.param("/chats/1/messages", {"text": "hi"}, id="shape"),
        pytest.param("/chats/1/messages", ["hi"], id="list"),
    ],
)
async def test_anything_else_is_the_apps_alone(path: str, body: object) -> None:
    """Its body as it came, and no exchange."""
    status, found, echo = await seen_by(path, body)
    assert (status, found) == (200, None)
    assert echo.json() == body
    assert echo.exchange is None


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "image/png"])
@pytest.mark.parametrize("body", [b"--x\r\n", b"\xff\xd8\xff\xe0", b"a=b", b""])
async def test_forms_and_files_pass(content_type: str, body: bytes) -> None:
    """Also on a path that is known."""
    status, found, echo = await seen_by("/chat/messages", body, content_type=content_type)
    assert (status, found) == (200, None)
    assert echo.bodies == [body]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data", "application/octet-stream", "", "x"]
)
async def test_a_label_is_no_way_around(content_type: str) -> None:
    """An app that parses whatever comes is guarded from whatever comes."""
    assert (await seen_by(CHAT, HI, content_type=content_type))[1] == ["hi"]
    utf16 = [json.dumps(HI).encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be")]
    for body in (*utf16, b'\xef\xbb\xbf{"messages": []}', b" \n {"):
        assert (await seen_by(CHAT, body, content_type=content_type))[0] == 400


@pytest.mark.parametrize(
    "body", [b"", b"nope", b'{"messages": [}', {"messages": "hi"}, {"messages": {"0": "hi"}}]
)
async def test_what_cannot_be_read_does_not_pass(body: object) -> None:
    """400 in the client's dialect, with an id."""
    echo = Echo()
    found = await drive(around(echo), "/v1/messages", body, headers={"x-request-id": "mine"})
    assert found.status == 400
    assert found.json()["type"] == "error"
    assert found.headers["x-request-id"] == "mine"
    assert echo.bodies == []


async def test_routes_told_by_fields() -> None:
    """Patterns on the whole path; a list of them, or each with a layout of its own."""
    body = {"question": "hi", "history": [{"text": "ho", "id": "x"}]}
    fields = ["question", "history.*.text"]
    by_list = Recogniser(["/ask", "/api/*/ask"], fields=fields)
    by_name = Recogniser({"/ask": FieldLayout(fields), "/llm": "anthropic.messages"})
    for path, recogniser in (("/ask", by_list), ("/api/1/ask", by_list), ("/ask", by_name)):
        status, found, echo = await seen_by(path, body, recogniser)
        assert (status, found) == (200, ["hi", "ho"])
        assert (echo.exchange.operation, echo.exchange.dialect) == ("route", "")
    assert (await seen_by("/llm", HI, by_name))[1] == ["hi"]
    assert (await seen_by("/other", body, by_list))[1] is None
    status, found, _ = await seen_by("/ask", ["hi"], by_list)
    assert (status, found) == (400, None)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Recogniser("/ask", fields=["a"]), id="text"),
        pytest.param(lambda: Recogniser(["/ask"]), id="no-fields"),
        pytest.param(lambda: Recogniser(fields=["a"]), id="no-paths"),
        pytest.param(lambda: Recogniser({"/ask": "openai.chat"}, fields=["a"]), id="both"),
        pytest.param(lambda: Recogniser({"/ask": "klingon"}), id="dialect"),
        pytest.param(lambda: Recogniser({"ask": "openai.chat"}), id="relative"),
    ],
)
def test_what_nobody_could_read_is_refused(build: object) -> None:
    """When it is built, not when it is asked."""
    with pytest.raises(ConfigurationError):
        build()  # type: ignore[operator]


def test_paths_can_be_left_out() -> None:
    """A host's own route that looks like one of the known APIs."""
    recogniser = Recogniser(exclude=["/inbox/*"])
    assert recogniser.find("/inbox/messages") is None
    assert recogniser.find("/v1/messages") is not None
