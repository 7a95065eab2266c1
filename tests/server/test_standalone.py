"""The gateway as a process: environment, health pages, drain."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anthropic
import anyio.lowlevel
import openai
import pytest
from starlette.types import Message

from asgi_drive import drive
from plano_asgi.errors import ConfigurationError
from plano_asgi.server.app import Standalone, plano_from_environment
from plano_asgi.telemetry.span_reader import SpanReader
from serving import serving
from upstream import chat_stream, scripted_upstream

KEY = "key-from-the-environment"
YAML = """
version: v0.4.0
listeners: [{type: model, name: m, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: $MY_KEY, default: true}
  - {model: mistral/small, access_key: $MY_KEY}
model_aliases: {fast: {target: gpt-4o}}
"""


def standalone(environ: Mapping[str, str]) -> Standalone:
    """The app in a process with *environ*."""
    return Standalone(lambda: plano_from_environment(environ))


@pytest.mark.anyio
async def test_with_nothing_at_all_echo_answers() -> None:
    """No config, no key."""
    app = standalone({})
    body = {"model": "plano/echo", "messages": [{"role": "user", "content": "hello"}]}
    found = await drive(app, "/v1/chat/completions", body)
    assert "hello" in found.json()["choices"][0]["message"]["content"]
    assert found.headers["x-plano-model"] == "plano/echo"


@pytest.mark.anyio
async def test_providers_are_found_by_their_keys() -> None:
    """As wildcards; the others are not there."""
    app = standalone({"OPENAI_API_KEY": KEY})
    ids = {m["id"] for m in (await drive(app, "/v1/models", method="GET")).json()["data"]}
    assert "plano/echo" in ids
    assert any(id.startswith("openai/") for id in ids)
    assert not any(id.startswith("anthropic/") for id in ids)


@pytest.mark.anyio
async def test_a_config_file_is_read_when_the_server_starts(tmp_path: Path) -> None:
    """Plano's own format; an alias reaches its model."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(YAML, "utf-8")
    app = standalone({"PLANO_CONFIG": str(path), "MY_KEY": KEY})
    ids = [m["id"] for m in (await drive(app, "/v1/models", method="GET")).json()["data"]]
    assert {"openai/gpt-4o", "mistral/small", "fast"} <= set(ids)
    assert "plano/echo" not in ids


def test_a_broken_config_says_everything_at_once(tmp_path: Path) -> None:
    """And shows no secret."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(YAML + "\nnonsense: 1\n", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        plano_from_environment({"PLANO_CONFIG": str(path)})
    assert "nonsense" in str(caught.value)
    assert "MY_KEY" in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"no-such\.yaml"):
        plano_from_environment({"PLANO_CONFIG": str(tmp_path / "no-such.yaml")})


@pytest.mark.anyio
async def test_health_and_readiness(tmp_path: Path) -> None:
    """Ready says what is missing, never a key."""
    app = standalone({})
    assert (await drive(app, "/healthz", method="GET")).status == 200
    assert (await drive(app, "/healthz", method="HEAD")).body == b""
    assert (await drive(app, "/readyz", method="GET")).json() == {"status": "ready", "missing": []}
    assert (await drive(app, "/readyz", method="POST")).status == 405
    path = tmp_path / "plano_config.yaml"
    path.write_text("version: v0.4.0\nlisteners: []\nmodel_providers: [{model: openai/gpt-4o}]\n")
    found = await drive(standalone({"PLANO_CONFIG": str(path)}), "/readyz", method="GET")
    assert found.status == 503
    assert "openai" in found.json()["missing"][0]


@pytest.mark.anyio
async def test_metrics_are_served_to_whoever_gets_there(tmp_path: Path) -> None:
    """Without a key, where the gateway wants one; counted, and without a word of what was said."""
    path = tmp_path / "plano_config.yaml"
    text = (
        "version: v0.4.0\nmodel_providers: [{model: plano/echo, default: true}]\n"
        "auth: {api_keys: [a-long-enough-key]}\n"
    )
    path.write_text(f"{text}telemetry: {{metrics: {{prometheus: true}}}}\n", "utf-8")
    app = standalone({"PLANO_CONFIG": str(path)})
    body = {"model": "plano/echo", "messages": [{"role": "user", "content": "xylophone"}]}
    headers = {"authorization": "Bearer a-long-enough-key", "x-request-id": "id-of-mine"}
    assert (await drive(app, "/v1/chat/completions", body, headers=headers)).status == 200
    assert (await drive(app, "/v1/chat/completions", body)).status == 401
    found = await drive(app, "/metrics", method="GET")
    assert found.status == 200
    assert found.headers["content-type"].startswith("text/plain")
    assert 'plano_status_class="2xx"' in found.body.decode()
    assert 'plano_status_class="4xx"' in found.body.decode()
    for word in (b"xylophone", b"a-long-enough-key", b"id-of-mine"):
        assert word not in found.body
    accept = {"accept": "application/openmetrics-text"}
    opened = await drive(app, "/metrics", method="GET", headers=accept)
    assert opened.body.endswith(b"# EOF\n")
    assert (await drive(app, "/metrics", method="POST")).status == 405


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("metrics", "page", "status"),
    [
        ("", "/metrics", 404),
        ("telemetry: {metrics: {prometheus: false}}", "/metrics", 404),
        ("telemetry: {metrics: {prometheus: true, path: /inner}}", "/metrics", 404),
        ("telemetry: {metrics: {prometheus: true, path: /inner}}", "/inner", 200),
    ],
)
async def test_the_metrics_page_is_where_the_file_says(
    metrics: str, page: str, status: int, tmp_path: Path
) -> None:
    """And nowhere without being asked for."""
    path = tmp_path / "plano_config.yaml"
    text = "version: v0.4.0\nmodel_providers: [{model: plano/echo, default: true}]\n"
    path.write_text(text + metrics, "utf-8")
    app = standalone({"PLANO_CONFIG": str(path)})
    assert (await drive(app, page, method="GET")).status == status


@pytest.mark.anyio
async def test_spans_are_sent_when_the_server_stops(tmp_path: Path) -> None:
    """No file but the store that the environment names."""
    store = tmp_path / "spans.db"
    app = standalone({"PLANO_TRACE_STORE": str(store)})
    body = {"model": "plano/echo", "messages": [{"role": "user", "content": "hello"}]}
    stages = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> Message:
        if len(stages) == 1:
            assert (await drive(app, "/v1/chat/completions", body)).status == 200
        return {"type": stages.pop(0)}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()

    await app({"type": "lifespan"}, receive, send)
    with SpanReader(store) as reader:
        names = [span.name for span in reader.last()]
    assert names == ["POST /v1/chat/completions", "chat plano/echo", "attempt plano/echo"]


@pytest.mark.anyio
async def test_the_lifespan_starts_and_stops() -> None:
    """Built on start-up, closed on shutdown."""
    stages = ["lifespan.startup", "lifespan.shutdown"]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": stages.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message)

    await standalone({})({"type": "lifespan"}, receive, send)
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.anyio
async def test_full_collections_pass_over_what_is_there_from_the_start() -> None:
    """They hold up every stream; once the server has stopped, all is as before."""
    stages, frozen = ["lifespan.startup", "lifespan.shutdown"], [gc.get_freeze_count()]

    async def receive() -> Message:
        frozen.append(gc.get_freeze_count())
        return {"type": stages.pop(0)}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()

    await standalone({})({"type": "lifespan"}, receive, send)
    before, starting, serving_now = frozen
    assert before == starting < 1_000
    assert serving_now > 10_000
    assert gc.get_freeze_count() == 0


def test_a_server_told_to_stop_lets_a_stream_end(tmp_path: Path) -> None:
    """SIGTERM in the middle of an answer: the client gets all of it, then the process ends."""
    gate = threading.Event()
    with scripted_upstream() as upstream:
        upstream.reply(chat_stream(["Hel", gate, "lo"]))
        config = tmp_path / "plano_config.yaml"
        config.write_text(
            "version: v0.4.0\nlisteners: []\nmodel_providers:\n"
            f"  - {{model: openai/m, access_key: the-key, base_url: '{upstream.base_url}'}}\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "plano_asgi.standalone:app",
            "--port",
            str(port),
        ]
        environ = {**os.environ, "PLANO_CONFIG": str(config)}
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            while "running on" not in server.stderr.readline():
                assert server.poll() is None
            with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="x") as client:
                stream = client.chat.completions.create(
                    model="openai/m", messages=[{"role": "user", "content": "hi"}], stream=True
                )
                text = next(stream).choices[0].delta.content or ""
                server.send_signal(signal.SIGTERM)
                while "Waiting for" not in server.stderr.readline():
                    assert server.poll() is None
                gate.set()
                text += "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
            server.stderr.read()
        assert text == "Hello"


@pytest.mark.anyio
async def test_a_config_that_cannot_be_used_fails_the_start() -> None:
    """The server exits with the reason instead of serving errors."""
    sent: list[Message] = []

    async def receive() -> Message:
        await anyio.lowlevel.checkpoint()
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = standalone({"PLANO_CONFIG": "/no/such.yaml"})
    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan"}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "no/such.yaml" in sent[0]["message"]


def test_echo_answers_the_official_sdks_on_all_three_apis() -> None:
    """Streamed, and with a tool call on request."""
    tool = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    with serving(standalone({})) as url:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            stream = client.chat.completions.create(
                model="plano/echo", messages=[{"role": "user", "content": "hello"}], stream=True
            )
            text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
            assert "hello" in text
            forced: Any = {
                "tools": [{"type": "function", "function": tool}],
                "tool_choice": "required",
            }
            called = client.chat.completions.create(
                model="plano/echo", messages=[{"role": "user", "content": "hello"}], **forced
            )
            calls = called.choices[0].message.tool_calls
            assert calls
            with client.responses.stream(model="plano/echo", input="hello") as events:
                for _ in events:
                    pass
                assert "hello" in events.get_final_response().output_text
        with (
            anthropic.Anthropic(base_url=url, api_key="none") as claude,
            claude.messages.stream(
                model="plano/echo",
                max_tokens=50,
                messages=[{"role": "user", "content": "hello"}],
            ) as messages,
        ):
            assert "hello" in messages.get_final_text()
