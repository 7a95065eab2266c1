"""Gateways out of a file, and the spans that they have kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asgi_drive import Exchanged, drive
from memory_transport import MemoryReply, MemoryTransport, answer
from plano_asgi.config import Plano
from plano_asgi.providers.transports import TransportPool
from plano_asgi.telemetry.span_reader import SpanReader
from plano_asgi.telemetry.span_rows import StoredSpan
from tapped import PATHS, QUESTIONS, WHOLE

HEAD = """
version: v0.4.0
listeners: [{type: model, name: one, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: sk-upstream, default: true}
"""
STORE = "telemetry: {exporters: [{type: sqlite, path: spans.db}]}\n"
"""Keeps spans where ``stored`` finds them; the files are in the working directory."""
USED = {**WHOLE, "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}
ANGRY = "This is useless. Get me a human agent right now!"


def with_store(keys: str) -> str:
    """``STORE`` with further *keys* of ``telemetry``."""
    return STORE.replace("]}", f"], {keys}}}")


def plano_of(text: str, *outcomes: MemoryReply, **environ: str) -> tuple[Plano, MemoryTransport]:
    """The gateway that *text* describes, in a process with *environ*."""
    Path("plano_config.yaml").write_text(HEAD + text, "utf-8")
    transport = MemoryTransport(*(outcomes or (answer(USED),)))
    pool = TransportPool(lambda: transport)
    return Plano.from_yaml("plano_config.yaml", environ=environ, transports=pool), transport


async def ask(plano: Plano, dialect: str = "openai.chat", **headers: str) -> Exchanged:
    """One question; headers by names with underscores."""
    body = {**QUESTIONS[dialect], "model": "openai/gpt-4o"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    found = await drive(plano, PATHS[dialect], body, headers=given)
    assert found.status == 200
    return found


async def say(plano: Plano, text: str) -> None:
    """One question of one's own words."""
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": text}]}
    assert (await drive(plano, PATHS["openai.chat"], body)).status == 200


def stored(path: str = "spans.db") -> list[StoredSpan]:
    """Every span that was kept."""
    if not Path(path).exists():
        return []
    with SpanReader(path) as reader:
        return reader.follow()


def taken() -> list[StoredSpan]:
    """Every span that was kept, and is no more."""
    spans = stored()
    Path("spans.db").unlink()
    return spans


def only(spans: Sequence[StoredSpan], mark: str = "chat") -> StoredSpan:
    """The only one whose name begins with *mark*."""
    (found,) = [span for span in spans if span.name.startswith(mark)]
    return found


async def kept_after(text: str, *headers: dict[str, str], **environ: str) -> list[StoredSpan]:
    """What is stored once a gateway of *text* has served a request with each of *headers*."""
    plano, _ = plano_of(text, **environ)
    async with plano.lifespan():
        for number, each in enumerate(headers or ({},)):
            await ask(plano, list(PATHS)[number % 3], **each)
    return stored()
