"""
A FastAPI service with a gateway in it, guarded, traced and with a memory.

    POST /ask          the service's own route; asks a model by the gateway, in process
    /v1/...            the gateway; any OpenAI or Anthropic client
    DELETE /me/memory  forgets what is known about the caller

Run it from this directory: ``uvicorn app:app --port 8000``.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from openai import APIStatusError, AsyncOpenAI, BadRequestError
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from starlette.routing import Route

from plano_asgi import ApiKeys, Exchange, Plano, Prices, Telemetry
from plano_asgi.guards import PII, Jailbreak, Secrets
from plano_asgi.memory import ForgetRoute, Memory, Recall, Record, open_store
from plano_asgi.middleware import install
from plano_asgi.passages import Passage
from plano_asgi.telemetry import AccessLog
from plano_asgi.telemetry.batching import batching
from plano_asgi.telemetry.span_store import SpanStore

CONFIG = Path(__file__).parent / "plano_config.yaml"
KEYS = ApiKeys({"demo": os.environ.get("SERVICE_KEY", "demo-key-change-me")})
"""One set for the service's own routes, the gateway, and whose memory is whose: ``"demo"``'s."""
GUARDS = [Secrets(), PII(mode="mask"), Jailbreak()]
"""In requests *and* answers; of the people, models see placeholders and clients see none."""

ABBREVIATIONS = {"k8s": "Kubernetes", "pg": "PostgreSQL", "eta": "estimated time of arrival"}
HANDBOOK = {
    "kubernetes": "We run Kubernetes 1.31, in Zurich and Dublin.",
    "postgresql": "PostgreSQL 17 is the default; ask the platform team for more than 100 GB.",
    "vacation": "Everybody has 30 days of vacation; tell your team two weeks ahead.",
}
"""Stands for a search engine or a vector database."""

_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\b", re.IGNORECASE)
_FOUND = "assistant.found"


def make_memory() -> Memory:
    """In this process, or where ``MEMORY`` says: ``sqlite:///memory.db``, ``redis://...``."""
    store = open_store(os.environ.get("MEMORY", "memory://"))
    # What the echo answers is not worth keeping; of a real model it would be.
    hooks = [Recall(store), Record(answers=False)]
    return Memory(store, namespace=KEYS, hooks=hooks)


def make_telemetry() -> Telemetry:
    """
    Of every request a line on standard output; and, where ``PLANO_TRACE_STORE`` names a file, its
    spans, prices included, for ``plano-asgi trace``.
    """
    log = AccessLog("console")
    if not (path := os.environ.get("PLANO_TRACE_STORE")):
        return Telemetry(access_log=log)
    provider = TracerProvider()
    provider.add_span_processor(batching(SpanStore(path)))
    return Telemetry(tracer_provider=provider, prices=Prices(), access_log=log, owned=[provider])


async def rewrite_query(exchange: Exchange) -> None:
    """Spell out what the handbook spells out."""
    if (question := last_question(exchange)) is not None:
        text = _ABBREVIATION.sub(lambda found: ABBREVIATIONS[found[0].lower()], question.text)
        if text != question.text:
            question.replace(text)
            exchange.touch()


async def retrieve(exchange: Exchange) -> None:
    """Look the question up; what is found is kept for the next filter."""
    if (question := last_question(exchange)) is not None:
        words = set(re.findall(r"\w+", question.text.lower()))
        exchange.state[_FOUND] = [text for word, text in HANDBOOK.items() if word in words]


async def build_context(exchange: Exchange) -> None:
    """Put what was found behind the question: as data, for orders in it are nobody's orders."""
    question, found = last_question(exchange), exchange.state.get(_FOUND)
    if question is not None and found:
        pages = "\n".join(found)
        question.replace(f"{question.text}\n\n<handbook>\n{pages}\n</handbook>")
        exchange.touch()


def last_question(exchange: Exchange) -> Passage | None:
    """What the user said last; ``None`` where no user speaks (embeddings, say)."""
    said = [passage for passage in exchange.passages() if passage.origin == "user"]
    return said[-1] if said else None


FILTERS = [rewrite_query, retrieve, build_context]
"""
What happens to a question before a model sees it; each sees what the one before has left. They
work on passages, and so for every API a client may speak. They run for each step of a tool loop
and say the same each time, which keeps the provider's prompt cache warm.
"""


def caller(request: Request) -> str:
    """The name behind the request's key; the host's routes depend on it."""
    name = KEYS(request.scope)
    if name is None:
        raise HTTPException(401, "Send your key as a bearer token.")
    return name


class Question(BaseModel):
    """What ``/ask`` takes."""

    text: str


class Answer(BaseModel):
    """What ``/ask`` gives."""

    text: str
    asked_by: str


def client_of(app: FastAPI) -> AsyncOpenAI:
    """
    The service as its own client: calls never leave the process, and they pass the same guards,
    memory and door as everybody's.
    """
    return AsyncOpenAI(
        base_url="http://in-process/v1",
        api_key="the caller's key is sent instead",
        max_retries=0,  # the gateway retries
        http_client=httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)),
    )


def make_app(plano: Plano) -> FastAPI:
    """The service around *plano*."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with plano.lifespan(), client_of(app) as models:
            yield {"models": models}

    app = FastAPI(title="Assistant", lifespan=lifespan)

    @app.post("/ask")
    async def ask(
        question: Question, request: Request, name: Annotated[str, Depends(caller)]
    ) -> Answer:
        """One question, one answer."""
        messages: list[Any] = [
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": question.text},
        ]
        key = request.headers.get("authorization") or f"Bearer {request.headers['x-api-key']}"
        try:
            completion = await request.state.models.chat.completions.create(
                model="assistant", messages=messages, extra_headers={"Authorization": key}
            )
        except BadRequestError as exc:
            raise HTTPException(400, "This question is not answered here.") from exc
        except APIStatusError as exc:
            raise HTTPException(502, "No model could answer.") from exc
        return Answer(text=completion.choices[0].message.content or "", asked_by=name)

    @app.head("/")
    async def alive() -> Response:
        """Claude Code looks here whether anybody is there."""
        return Response()

    memory = make_memory()
    app.router.routes.append(Route("/me/memory", ForgetRoute(memory, namespace=KEYS)))
    app.mount("/v1", plano)
    install(app, guard={"guards": GUARDS}, memory=memory, tracing=make_telemetry())
    return app


def make_plano() -> Plano:
    """From ``plano_config.yaml`` if ``FROM_FILE`` is set, else the same in Python."""
    if os.environ.get("FROM_FILE"):
        return Plano.from_yaml(CONFIG, auth=KEYS, filters=FILTERS)
    return Plano(
        models=["plano/echo"],
        aliases={"assistant": "plano/echo"},
        auth=KEYS,
        filters=FILTERS,
    )


app = make_app(make_plano())
