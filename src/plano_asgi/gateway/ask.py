"""
Ask a model of the gateway from inside the process: what guards and memory are given to ask with.

No steps, guards or finalizers run on these calls, so that a guard that asks a model is not asked
about its own question.
"""

from __future__ import annotations

from dataclasses import replace
from random import getrandbits

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.wire import DIALECTS, WriteOptions

_CHAT = DIALECTS["openai.chat"]


async def ask_model(pipeline: Pipeline, request: ChatRequest) -> ChatResponse:
    """
    The whole answer to *request*, from whichever provider serves its model.

    Raises:
        PlanoError: As a client of the gateway would be told.
    """
    request = replace(request, stream=False)
    return await pipeline.ask(_exchange("chat", request.model, _CHAT.write_request(request, _DROP)))


async def post_json(
    pipeline: Pipeline, path: str, body: JSONObject, *, max_bytes: int = 16 << 20
) -> JSONObject:
    """
    Post *body* to *path* (``/moderations``) of the provider that serves ``body["model"]``.

    Raises:
        PlanoError: As a client of the gateway would be told.
        UpstreamProtocolError: The answer is no JSON object, or over *max_bytes*.
    """
    exchange = _exchange(path, str(body["model"]), body)

    def prepare(candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
        return UpstreamCall(
            path=path, dialect="", model=candidate.model, stream=False, body=body, client_headers={}
        )

    exchange.route = await pipeline.route(exchange)
    answer = await pipeline.engine.open(exchange, prepare)
    try:
        content = bytearray()
        assert answer.chunks is not None
        with answer.time_limit():
            async for chunk in answer.chunks:
                content += chunk
                if len(content) > max_bytes:
                    raise UpstreamProtocolError(f"The answer is over {max_bytes} bytes.")
        pipeline.engine.settle(answer, None)
    finally:
        await answer.aclose()
    try:
        value = loads(bytes(content))
    except ValueError as exc:
        raise UpstreamProtocolError("The answer is no JSON.") from exc
    if not isinstance(value, dict):
        raise UpstreamProtocolError("The answer is no JSON object.")
    return value


_DROP = WriteOptions(on_unsupported="drop")


def _exchange(operation: str, model: str, body: JSONObject) -> Exchange:
    return Exchange(
        id=f"req_{getrandbits(128):032x}",
        operation=operation,
        dialect="openai.chat",
        headers={},
        body=body,
        read_request=_CHAT.read_request,
        model=model,
    )
