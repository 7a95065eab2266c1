"""Relayed endpoints: to the model's provider as they are, but for the model's name and the key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import Exchanged, drive
from gateway_build import KEY, gateway
from memory_transport import MemoryReply, answer, events
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import Model
from plano_asgi.errors import UpstreamReset, UpstreamTimeout, UpstreamUnreachable
from plano_asgi.exchange import Exchange
from plano_asgi.providers.client import Timeouts
from plano_asgi.routing.names import MAX_NAME_CHARS, Alias, Target

pytestmark = pytest.mark.anyio

VECTORS = {"object": "list", "data": [{"index": 0, "embedding": "AACAPw=="}], "model": "e-3"}
AUDIO = b"\xff\xfb\x90\x00\r\n--edge\x00"
MODELS = (Model("openai/*", api_key=KEY), Model("mistral/*", api_key=KEY))
JSON_PATHS = [
    "/embeddings",
    "/completions",
    "/moderations",
    "/rerank",
    "/images/generations",
    "/audio/speech",
    "/responses/compact",
    "/responses/input_tokens",
]
FORM_PATHS = ["/images/edits", "/images/variations", "/audio/transcriptions", "/audio/translations"]


@dataclass
class Recorder:
    """A finalizer that keeps the exchange."""

    exchange: Exchange | None = None

    async def __call__(self, exchange: Exchange) -> None:
        self.exchange = exchange


def part(name: str, content: bytes, extra: str = "", mime: str = "") -> bytes:
    """One part of a form, without its delimiter."""
    head = f'Content-Disposition: form-data; name="{name}"{extra}\r\n'
    if mime:
        head += f"Content-Type: {mime}\r\n"
    return head.encode() + b"\r\n" + content


def form(*parts: bytes, boundary: str = "edge") -> bytes:
    """A multipart body."""
    edge = f"--{boundary}".encode()
    return b"".join(edge + b"\r\n" + one + b"\r\n" for one in parts) + edge + b"--\r\n"


FILE = part("file", b'RIFF\x00\r\n\r\nname="model"\r\n\x00', '; filename="a.wav"', "audio/wav")
FORM = {"content-type": "multipart/form-data; boundary=edge"}


@pytest.mark.parametrize("path", JSON_PATHS)
async def test_a_json_body_goes_on_as_it_is(path: str) -> None:
    """The model loses its prefix, nothing else changes; the answer comes back untouched."""
    app, transport = gateway(answer(VECTORS, x_request_id="up-1"), models=MODELS)
    body = {"model": "openai/e-3", "input": ["a", "ü"], "unknown": {"x": [1, None]}}
    found = await drive(app, f"/v1{path}", body, headers={"authorization": "Bearer mine"})
    assert (found.status, found.json()) == (200, VECTORS)
    request = transport.requests[0]
    assert request.url == f"https://api.openai.com/v1{path}"
    assert transport.body() == {**body, "model": "e-3"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert found.headers["x-plano-model"] == "openai/e-3"
    assert found.headers["x-upstream-request-id"] == "up-1"


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/json; charset=utf-8"])
async def test_json_is_json_whatever_the_client_calls_it(content_type: str | None) -> None:
    """The upstream is told what it gets."""
    app, transport = gateway(answer(VECTORS), models=MODELS)
    headers = {"content-type": content_type} if content_type else {}
    body = {"model": "openai/e-3", "input": "a"}
    assert (await drive(app, "/v1/embeddings", body, headers=headers)).status == 200
    assert transport.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", FORM_PATHS)
async def test_the_model_is_rewritten_inside_a_form(path: str) -> None:
    """Every other byte of it stays, also where a file looks like a field."""
    app, transport = gateway(answer({"text": "hi"}), models=MODELS)
    parts = [FILE, part("model", b"openai/whisper-1"), part("prompt", b"caf\xc3\xa9")]
    found = await drive(app, f"/v1{path}", form(*parts), headers=FORM)
    assert (found.status, found.json()) == (200, {"text": "hi"})
    request = transport.requests[0]
    assert request.url == f"https://api.openai.com/v1{path}"
    assert request.content == form(FILE, part("model", b"whisper-1"), parts[2])
    assert request.headers["content-type"] == FORM["content-type"]


async def test_an_alias_works_in_a_form() -> None:
    """A longer name than the one it stands for, or a shorter one."""
    app, transport = gateway(
        answer({}), models=MODELS, aliases={"ears": "openai/gpt-4o-transcribe"}
    )
    body = form(part("model", b"ears"), FILE)
    assert (await drive(app, "/v1/audio/transcriptions", body, headers=FORM)).status == 200
    assert transport.requests[0].content == form(part("model", b"gpt-4o-transcribe"), FILE)


@pytest.mark.parametrize(
    ("boundary", "content_type"),
    [
        ("edge", 'Multipart/Form-Data; boundary="edge"'),
        ("edge", "multipart/form-data; charset=utf-8; Boundary=edge; x=1"),
        ("--a'b+c_d,e.f/g:h=i", 'multipart/form-data; boundary="--a\'b+c_d,e.f/g:h=i"'),
    ],
)
async def test_a_boundary_is_read_as_it_may_be_written(boundary: str, content_type: str) -> None:
    """Quoted or not, after other parameters, with any character it may have."""
    app, transport = gateway(answer({}), models=MODELS)
    body = form(part("model", b"openai/w"), FILE, boundary=boundary)
    headers = {"content-type": content_type}
    assert (await drive(app, "/v1/images/edits", body, headers=headers)).status == 200
    sent = form(part("model", b"w"), FILE, boundary=boundary)
    assert transport.requests[0].content == sent


@pytest.mark.parametrize(
    "head",
    [
        b"content-disposition:form-data;name=model",
        b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="model"',
        b'CONTENT-DISPOSITION: FORM-DATA; filename="a;\\"b.txt"; name="model"; x=y',
    ],
)
async def test_the_field_is_found_however_its_head_is_written(head: bytes) -> None:
    """Order, case and quotes are free."""
    app, transport = gateway(answer({}), models=MODELS)
    body = form(head + b"\r\n\r\nopenai/w")
    assert (await drive(app, "/v1/images/edits", body, headers=FORM)).status == 200
    assert transport.requests[0].content == form(head + b"\r\n\r\nw")


MODEL = part("model", b"openai/w")


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        pytest.param(form(FILE), FORM["content-type"], "no field 'model'", id="without"),
        pytest.param(form(MODEL, MODEL), FORM["content-type"], "more than one", id="twice"),
        pytest.param(form(MODEL), "multipart/form-data", "no boundary", id="no-boundary"),
        pytest.param(form(MODEL)[:60], FORM["content-type"], "no field", id="cut"),
        pytest.param(b"", FORM["content-type"], "no field", id="empty"),
        pytest.param(form(MODEL, boundary="x"), FORM["content-type"], "no field", id="other"),
        pytest.param(
            form(part("file", b"x", '; filename="; name=model"')),
            FORM["content-type"],
            "no field",
            id="inside-a-file-name",
        ),
        pytest.param(
            form(part("file", b"x", "; x=" + " " * 100_000 + "!")),
            FORM["content-type"],
            "no field",
            id="endless-head",
        ),
    ],
)
async def test_a_form_without_one_model_is_refused(
    body: bytes, content_type: str, says: str
) -> None:
    """Nothing is sent upstream."""
    app, transport = gateway(answer({}), models=MODELS)
    headers = {"content-type": content_type}
    found = await drive(app, "/v1/audio/transcriptions", body, headers=headers)
    assert found.status == 400
    assert says in found.json()["error"]["message"]
    assert not transport.requests


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        pytest.param(b"", 400, None, id="empty"),
        pytest.param(b"{", 400, None, id="cut"),
        pytest.param([1], 400, None, id="array"),
        pytest.param({"model": 3}, 400, "model", id="type"),
        pytest.param({"input": "x"}, 400, "model", id="none"),
        pytest.param({"model": "nobody/e-3"}, 404, "model", id="unknown"),
    ],
)
async def test_a_body_without_a_known_model_is_refused(
    body: object, status: int, param: str | None
) -> None:
    """In OpenAI's shape; nothing is sent upstream."""
    app, transport = gateway(answer(VECTORS), models=MODELS)
    found = await drive(app, "/v1/embeddings", body)
    assert (found.status, found.json()["error"]["param"]) == (status, param)
    assert not transport.requests


# --------------------------------------------------------------------------- answers


async def test_a_binary_answer_streams() -> None:
    """The first bytes are with the client before the last ones exist."""
    last = anyio.Event()
    reply = MemoryReply(
        200,
        {"content-type": "audio/mpeg", "content-disposition": "attachment; filename=a.mp3"},
        [AUDIO, last, AUDIO],
    )
    app, _ = gateway(reply, models=MODELS)
    found = Exchanged()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_speak, app, found)
        with anyio.fail_after(5):
            while len(found.messages) < 2:
                await anyio.lowlevel.checkpoint()
        assert found.body == AUDIO
        assert not found.is_complete
        last.set()
    assert found.is_complete
    assert found.body == AUDIO * 2
    assert found.headers["content-type"] == "audio/mpeg"
    assert found.headers["content-disposition"] == "attachment; filename=a.mp3"


async def _speak(app: Any, into: Exchanged, leave: anyio.Event | None = None) -> None:
    body = {"model": "openai/tts-1", "input": "Hi", "voice": "alloy"}
    await drive(app, "/v1/audio/speech", body, into=into, leave=leave)


async def test_a_stream_of_events_is_relayed() -> None:
    """``stream: true`` on legacy completions."""
    chunk = {"object": "text_completion", "choices": [{"index": 0, "text": "Hi"}]}
    app, transport = gateway(events(chunk, "[DONE]"), models=MODELS)
    body = {"model": "openai/gpt-3.5-turbo-instruct", "prompt": "Say", "stream": True}
    found = await drive(app, "/v1/completions", body)
    assert found.headers["content-type"] == "text/event-stream"
    assert found.data() == [chunk, "[DONE]"]
    assert transport.requests[0].headers["accept"] == "text/event-stream"


async def test_an_empty_answer_is_an_answer() -> None:
    """A 200 without a body."""
    app, _ = gateway(MemoryReply(200, {}, []), models=MODELS)
    found = await drive(app, "/v1/embeddings", {"model": "openai/e-3", "input": "a"})
    assert (found.status, found.body, found.is_complete) == (200, b"", True)


async def test_an_answer_that_breaks_off_is_not_ended() -> None:
    """There is no way to say it in an MP3: the response stays open, and the server cuts it."""
    recorder = Recorder()
    reply = MemoryReply(200, {"content-type": "audio/mpeg"}, [AUDIO, UpstreamReset("cut")])
    app, transport = gateway(reply, models=MODELS, finalizers=[recorder])
    found = Exchanged()
    await _speak(app, found)
    assert found.body == AUDIO
    assert not found.is_complete
    assert transport.replies[0].closed
    assert recorder.exchange is not None
    assert isinstance(recorder.exchange.error, UpstreamReset)
    assert recorder.exchange.operation == "/audio/speech"


async def test_an_answer_that_never_begins_is_an_error() -> None:
    """Before the first byte a status can still be sent."""
    reply = MemoryReply(200, {"content-type": "audio/mpeg"}, [UpstreamReset("cut")])
    app, transport = gateway(reply, models=MODELS)
    found = Exchanged()
    await _speak(app, found)
    assert (found.status, found.json()["error"]["code"]) == (502, "upstream_reset")
    assert transport.replies[0].closed


async def test_an_answer_has_the_time_of_its_provider() -> None:
    """``total_s`` holds for what is relayed too."""
    recorder = Recorder()
    reply = MemoryReply(200, {}, [AUDIO, anyio.Event()])
    models = (Model("openai/*", api_key=KEY, timeouts=Timeouts(total_s=0.05)),)
    app, _ = gateway(reply, models=models, finalizers=[recorder])
    found = Exchanged()
    await _speak(app, found)
    assert not found.is_complete
    assert recorder.exchange is not None
    assert isinstance(recorder.exchange.error, UpstreamTimeout)


async def test_a_client_that_leaves_ends_the_upstream() -> None:
    """Also in the middle of a download."""
    recorder, leave = Recorder(), anyio.Event()
    reply = MemoryReply(200, {"content-type": "audio/mpeg"}, [AUDIO, anyio.Event()])
    app, transport = gateway(reply, models=MODELS, finalizers=[recorder])
    found = Exchanged()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_speak, app, found, leave)
        with anyio.fail_after(5):
            while len(found.messages) < 2:
                await anyio.lowlevel.checkpoint()
        leave.set()
    assert transport.replies[0].closed
    assert recorder.exchange is not None
    assert recorder.exchange.disconnected


# --------------------------------------------------------------------------- errors, routes


async def test_an_upstreams_refusal_keeps_its_words() -> None:
    """Status, message, type, param and code; and no further tries by the client."""
    error = {"message": "too long", "type": "invalid_request_error", "param": "input", "code": "x"}
    app, _ = gateway(answer({"error": error}, 400), models=MODELS)
    found = await drive(app, "/v1/embeddings", {"model": "openai/e-3", "input": "a"})
    assert (found.status, found.json()) == (400, {"error": error})
    assert found.headers["x-should-retry"] == "false"


async def test_a_rate_limit_tells_when_to_come_back() -> None:
    """With the vendor's own headers."""
    reply = answer({"error": {"message": "slow"}}, 429, retry_after="3", x_ratelimit_limit="9")
    app, _ = gateway(reply, models=MODELS)
    found = await drive(app, "/v1/embeddings", {"model": "openai/e-3", "input": "a"})
    assert (found.status, found.headers["retry-after"]) == (429, "3")
    assert found.headers["x-ratelimit-limit"] == "9"


@pytest.mark.parametrize("failure", [answer({}, 503), UpstreamUnreachable("refused")])
async def test_a_failure_is_tried_elsewhere(failure: MemoryReply | Exception) -> None:
    """The form is rewritten for each candidate."""
    ears = Alias(targets=(Target(model="openai/w-1"),), fallbacks=("mistral/voxtral",))
    app, transport = gateway(
        failure,
        answer({"text": "hi"}),
        models=MODELS,
        aliases={"ears": ears},
        retry=RetryPolicy(attempts_per_candidate=1),
    )
    body = form(part("model", b"ears"), FILE)
    found = await drive(app, "/v1/audio/transcriptions", body, headers=FORM)
    assert (found.status, found.headers["x-plano-attempts"]) == (200, "2")
    assert [request.content for request in transport.requests] == [
        form(part("model", b"w-1"), FILE),
        form(part("model", b"voxtral"), FILE),
    ]
    assert transport.requests[1].url.startswith("https://api.mistral.ai/")


async def test_a_native_path_skips_those_who_do_not_speak_it() -> None:
    """The first candidate is spoken to in chat only; the second one has Responses."""
    mixed = Alias(targets=(Target(model="mistral/large"),), fallbacks=("openai/gpt-5",))
    app, transport = gateway(
        answer({"object": "response.compaction"}), models=MODELS, aliases={"mixed": mixed}
    )
    found = await drive(app, "/v1/responses/compact", {"model": "mixed", "input": []})
    assert (found.status, found.headers["x-plano-model"]) == (200, "openai/gpt-5")
    assert transport.body() == {"model": "gpt-5", "input": []}
    refused = await drive(app, "/v1/responses/compact", {"model": "mistral/large", "input": []})
    assert refused.status == 400
    assert refused.json()["error"]["code"] == "unsupported_endpoint"


async def test_a_provider_without_the_path_is_told_by_name() -> None:
    """Bedrock has no embeddings in this shape; nothing is sent."""
    models = (Model("amazon_bedrock/*", api_key=KEY, region="us-east-1"),)
    app, transport = gateway(answer(VECTORS), models=models)
    found = await drive(app, "/v1/embeddings", {"model": "amazon_bedrock/titan", "input": "a"})
    assert found.status == 404
    assert "/embeddings" in found.json()["error"]["message"]
    assert not transport.requests


async def test_usage_headers_and_secrets_of_the_upstream() -> None:
    """What identifies the account or the hop stays here."""
    reply = answer(
        VECTORS, set_cookie="s=1", openai_organization="org-1", openai_processing_ms="12"
    )
    app, _ = gateway(reply, models=MODELS)
    found = await drive(app, "/v1/embeddings", {"model": "openai/e-3", "input": "a"})
    assert found.headers["openai-processing-ms"] == "12"
    assert not {"set-cookie", "openai-organization"} & set(found.headers)
    assert KEY not in json.dumps(found.headers)


async def test_a_relayed_success_between_failures_keeps_the_circuit_closed() -> None:
    """In a row means in a row, on every endpoint."""
    down = answer({"error": {"message": "down"}}, 500)
    whole = answer({"data": []})
    policy = BreakerPolicy(failures=2)
    app, transport = gateway(*[down, whole] * 3, whole, breaker=policy)
    body = {"model": "mistral/embed", "input": "x"}
    seen = [(await drive(app, "/v1/embeddings", body)).status for _ in range(6)]
    assert seen == [500, 200] * 3
    assert len(transport.requests) == 6


@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/responses", "/embeddings"])
async def test_an_overlong_model_name_is_refused(path: str) -> None:
    """Before anything looks it up, and without saying it again; one at the bound is served."""
    app, transport = gateway(answer(VECTORS), models=MODELS)
    long = "mistral/" + "x" * MAX_NAME_CHARS
    asked: dict[str, Any] = {"input": "hi"}
    if path in ("/chat/completions", "/messages"):
        asked = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    found = await drive(app, f"/v1{path}", {"model": long, **asked})
    assert found.status == 400
    assert "'model' is over 2048 characters" in found.json()["error"]["message"]
    assert len(found.body) < 400
    assert not transport.requests
    await drive(app, f"/v1{path}", {"model": long[:MAX_NAME_CHARS], **asked})
    assert len(transport.requests) == 1


async def test_an_overlong_model_name_in_a_form_is_refused() -> None:
    """As in a JSON body."""
    app, transport = gateway(answer({"text": "hi"}), models=MODELS)
    content = form(part("model", b"openai/" + b"x" * MAX_NAME_CHARS), FILE)
    found = await drive(app, "/v1/audio/transcriptions", content, headers=FORM)
    assert (found.status, found.json()["error"]["param"]) == (400, "model")
    assert not transport.requests


LONG = b'{"data": "' + b"x" * 20_000 + b'", '
COUNTED = b'"usage": {"prompt_tokens": 7, "total_tokens": 7}}'
EVENTS = {"content-type": "text/event-stream"}


@pytest.mark.parametrize(
    ("headers", "chunks", "expected"),
    [
        ({}, [b'{"data": [], ' + COUNTED], (7, 0)),
        ({}, [b"{" + COUNTED[:-1] + b', "data": [{"usage": 1}]}'], None),
        ({}, [LONG + COUNTED], (7, 0)),
        ({}, [LONG, COUNTED[:20], COUNTED[20:]], (7, 0)),
        ({}, [b'{"data": [], "usage": {"total_tokens": 9}}'], (9, 0)),
        ({}, [b'{"usage": {"input_tokens": 3, "output_tokens": 40, "total_tokens": 43}}'], (3, 40)),
        ({}, [b'{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}'], (3, 4)),
        ({}, [b'{"results": [{"document": ' + LONG + COUNTED + b"}]}"], None),
        ({}, [b'{"usage": null}'], None),
        ({}, [b'{"usage": {"type": "duration"}}'], None),
        ({}, [b'{"text": "no \\"usage\\": {} here"}'], None),
        (EVENTS, [b'data: {"choices": [], ' + COUNTED + b"\n\n", b"data: [DONE]\n\n"], (7, 0)),
        ({"content-type": "audio/mpeg"}, [b'{"data": [], ' + COUNTED], None),
    ],
)
async def test_what_a_relayed_answer_says_it_used_is_known(
    headers: dict[str, str], chunks: list[bytes], expected: tuple[int, int] | None
) -> None:
    """From its end, however long it is and however it comes; only what it says of itself."""
    recorder = Recorder()
    reply = MemoryReply(200, {"content-type": "application/json", **headers}, chunks)
    app, _ = gateway(reply, models=MODELS, finalizers=[recorder])
    found = await drive(app, "/v1/embeddings", {"model": "openai/e-3", "input": "hi"})
    assert found.body == b"".join(chunks)
    assert recorder.exchange is not None
    usage = recorder.exchange.usage
    assert (usage and (usage.input_tokens, usage.output_tokens)) == expected
