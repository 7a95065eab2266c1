"""
A FastAPI service with a gateway in it.

    POST /ask    the service's own route; asks a model by the gateway, in process
    /v1/...      the gateway; any OpenAI or Anthropic client

Run it from this directory: ``uvicorn app:app --port 8000``.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from openai import APIStatusError, AsyncOpenAI
from pydantic import BaseModel

from plano_asgi import ApiKeys, Plano

CONFIG = Path(__file__).parent / "plano_config.yaml"
KEYS = ApiKeys({"demo": os.environ.get("SERVICE_KEY", "demo-key-change-me")})
"""One set of keys for the service's own routes and for the gateway."""


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


def make_app(plano: Plano) -> FastAPI:
    """The service around *plano*."""
    # The mounted gateway as a transport: the SDK's calls never leave the process. Requests pass
    # the same door as everybody's, auth included.
    models = AsyncOpenAI(
        base_url="http://in-process/v1",
        api_key="the caller's key is sent instead",
        max_retries=0,  # the gateway retries
        http_client=httpx2.AsyncClient(transport=httpx2.ASGITransport(app=plano)),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with plano.lifespan(), models:
            yield

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
            completion = await models.chat.completions.create(
                model="assistant", messages=messages, extra_headers={"Authorization": key}
            )
        except APIStatusError as exc:
            raise HTTPException(502, "No model could answer.") from exc
        return Answer(text=completion.choices[0].message.content or "", asked_by=name)

    @app.head("/")
    async def alive() -> Response:
        """Claude Code looks here whether anybody is there."""
        return Response()

    app.mount("/v1", plano)
    return app


def make_plano() -> Plano:
    """From ``plano_config.yaml`` if ``FROM_FILE`` is set, else the same in Python."""
    if os.environ.get("FROM_FILE"):
        return Plano.from_yaml(CONFIG, auth=KEYS)
    return Plano(models=["plano/echo"], aliases={"assistant": "plano/echo"}, auth=KEYS)


app = make_app(make_plano())
