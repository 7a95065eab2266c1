"""Bodies of any size and shape, watched: nothing breaks, grows, or holds up the event loop."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from asgi_drive import drive
from hostile.stage import CHAT, CLIENTS, PATHS, question
from hostile.test_telemetry_clients import app_of, watched, whole
from plano_asgi.middleware import PlanoTracing
from plano_asgi.signals import Analyzer
from plano_asgi.signals.base import Row, SignalReport
from plano_asgi.telemetry import Outcome
from plano_asgi.telemetry.read_answer import read_answer
from plano_asgi.telemetry.tee import AnswerTee
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio

_MAX_INT = (1 << 63) - 1


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: no time passes here."""
    return "asyncio"


BLANK_EVENTS = b"data: {}\n\n" * 1_600_000
NESTED = b'{"a":' * 100_000 + b'"\\u0041"' + b"}" * 100_000
BODIES = {
    "nested": (NESTED, "application/json"),
    "lists": (b"[" * 100_000, "application/json"),
    "not-utf8": (b"\xff" * 10_000, "application/json"),
    "numbers": (b'{"usage": ' + b"9" * 100_000 + b"}", "application/json"),
    "nan": (b'{"usage": {"prompt_tokens": NaN}}', "application/json"),
    "list": (b'[{"choices": 5}]', "application/json"),
    "choices": (
        b'{"choices": [5, null, {"message": 7}, {"message": {"content": {}}}]}',
        "text/html",
    ),
    "no-stream": (b"{}", "text/event-stream"),
    "events": (b"data: [1]\n\ndata: null\n\ndata: 5\n\ndata: {\n\n" * 1000, "text/event-stream"),
    "blanks": (b"\n" * 100_000, "text/event-stream"),
    "returns": (b"data: {}\r\r" * 10_000, "text/event-stream"),
    "colons": (b":" * 100_000, "text/event-stream"),
    "one-event": (b"data: " + b"x" * 1_000_000, "text/event-stream"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("dialect", CLIENTS)
async def test_an_answer_of_any_shape_is_told_of(
    dialect: str, name: str, logged: list[Any]
) -> None:
    """As one that says nothing."""
    content, media_type = BODIES[name]
    watching = await watched(Response(content, media_type=media_type), dialect)
    assert watching.outcome.status == 200
    assert not [entry for entry in logged if entry["event"].endswith("_failed")]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, gzip", "nonsense"])
async def test_an_answer_in_another_encoding_than_it_says(encoding: str) -> None:
    """Is nothing to be read, and no error."""
    for content in (b"", b"plain", gzip.compress(b"{}")[:-6]):
        response = Response(content, headers={"content-encoding": encoding})
        assert (await watched(response)).outcome.status == 200


class Where(Analyzer):
    """Tells which threads it is asked in."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def analyze_rows(self, rows: Sequence[Row]) -> SignalReport:
        """As any other."""
        self.threads.append(threading.current_thread())
        return super().analyze_rows(rows)


async def test_a_bomb_is_not_read_on_the_event_loop() -> None:
    """What is small as it goes by may be large to look at."""
    small = gzip.compress(BLANK_EVENTS, 9)
    assert len(small) < 64 << 10
    where = Where()
    watching = Watching(signals=where)
    encoded = {"content-encoding": "gzip"}
    response = Response(small, media_type="text/event-stream", headers=encoded)
    app = PlanoTracing(app_of(response), telemetry=watching.telemetry)
    for _ in range(3):
        await drive(app, PATHS[CHAT], question(CHAT, model="gpt-4o"))
    assert len(where.threads) == 3
    assert threading.main_thread() not in where.threads


async def test_a_bomb_is_read_up_to_a_bound() -> None:
    """A few megabytes of what it holds, and then the edges of those."""
    tee = await teed(gzip.compress(BLANK_EVENTS, 9), (b"content-encoding", b"gzip"))
    assert read_answer(CHAT, tee).usage is None


async def test_of_a_stream_of_tiny_events_the_end_is_read() -> None:
    """However many there are, in the middle."""
    used = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    last = json.dumps({"id": "1", "choices": [], "usage": used}).encode()
    odd = b'data: {"choices":[{"index":%d,"delta":{"content":"a"}}]}\n\n'
    many = b"".join(odd % (number % 2) for number in range(60_000))
    tee = await teed(many + b"data: " + last + b"\n\ndata: [DONE]\n\n")
    read = read_answer(CHAT, tee)
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (3, 4)
    assert read.answer is None


async def teed(content: bytes, *headers: tuple[bytes, bytes]) -> AnswerTee:
    """The copy of a stream that has ended."""

    async def send(message: object) -> None:
        """Nobody is there."""

    tee = AnswerTee(send)
    kind = (b"content-type", b"text/event-stream")
    await tee({"type": "http.response.start", "status": 200, "headers": [kind, *headers]})
    await tee({"type": "http.response.body", "body": content})
    return tee


async def test_a_stream_that_does_not_end_is_not_kept() -> None:
    """Its edges are, in memory that does not grow with it."""
    seen: list[int] = []
    watching = Watching(max_recorded_bytes=256 << 10)
    event = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 1000 + b'"}}]}\n\n'

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        kind = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        for number in range(20_000):
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if number % 5_000 == 0:
                seen.append(sum(map(len, tee_of(send).pieces)))
        await send({"type": "http.response.body", "body": b""})

    await drive(
        PlanoTracing(app, telemetry=watching.telemetry, server_span=False),
        PATHS[CHAT],
        question(CHAT, model="gpt-4o", stream=True),
    )
    assert max(seen) <= 256 << 10
    assert watching.outcome.response_bytes == 20_000 * len(event)


def tee_of(send: Any) -> Any:
    """The copy behind an app's ``send``."""
    assert isinstance(send, AnswerTee)
    return send


async def test_a_huge_request_is_not_kept(logged: list[Any]) -> None:
    """Thirty megabytes go by, and are told of by their size."""
    watching = Watching()
    long = [{"role": "user", "content": "x" * (30 << 20)}]
    body = question(CHAT, model="gpt-4o", messages=long)
    app = PlanoTracing(app_of(whole(CHAT, None)), telemetry=watching.telemetry)
    await drive(app, PATHS[CHAT], body)
    outcome: Outcome = watching.outcome
    assert outcome.request_bytes > 30 << 20
    assert outcome.exchange.body == {}
    assert not [entry for entry in logged if "fail" in entry["event"]]


_SAMPLING = ("temperature", "top_p", "max_tokens")


async def test_a_request_of_odd_values_is_told_of(logged: list[Any]) -> None:
    """Every field of every dialect, of every type but its own."""
    numbers = [True, -1, 2**63, 10**40, 1e308]
    odd: list[Any] = [None, *numbers, "", "\ud800", [], [[]], {}, {"type": []}]
    keys = [*_SAMPLING, "seed", "stop", "n", "response_format", "reasoning", "tools", "model"]
    keys += ["conversation", "text", "output_config", "stream", "metadata", "input"]
    for dialect in CLIENTS:
        watching = Watching()
        app = PlanoTracing(app_of(whole(dialect, None)), telemetry=watching.telemetry)
        for value in odd:
            body = question(dialect) | dict.fromkeys(keys, value)
            body["messages"] = [value, {"role": value, "content": value}, {"content": [value]}]
            await drive(app, PATHS[dialect], json.dumps(body).encode())
        assert len(watching.outcomes) == len(odd)
        encode_spans(watching.spans.ended)
        for span in watching.spans.ended:
            for told in (span.attributes or {}).values():
                assert not isinstance(told, int) or -_MAX_INT <= told <= _MAX_INT
    assert not [entry for entry in logged if entry["event"].endswith("_failed")]
