"""
Relayed endpoints: everything that is not a chat dialect goes to the model's provider as it is.

Only ``model`` changes on the way in, in a JSON body or in a multipart form; the answer's bytes,
status and content type come back untouched, streamed as they arrive. Steps see the texts of a JSON
body; of a form (an uploaded file and what goes with it) nothing is looked at, only of its answer.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace

from plano_asgi._json import JSONObject, loads
from plano_asgi.asgi.request import json_object
from plano_asgi.asgi.respond import encode_headers
from plano_asgi.attempts import Answer
from plano_asgi.attempts.engine import Prepare
from plano_asgi.conversation import Usage
from plano_asgi.errors import RequestError, UpstreamError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.gateway.call import Call, answer_headers
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.routing.names import MAX_NAME_CHARS
from plano_asgi.wire.answer_facts import usage_of

_BOUNDARY = re.compile(r'boundary="?([^";,]{1,200})"?', re.IGNORECASE)
_MODEL_FIELD = re.compile(  # possessive, so that no header takes long to be refused
    rb"""^content-disposition:[ \t]*+form-data
        (?: \s*+;\s*+ (?!name=)[\w*-]+= (?: "(?:[^"\\]|\\.)*+" | [^;"\s]*+ ) )*+
        \s*+;\s*+ name= (?: model | "model" ) \s*+(?:;|$)""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_KEPT = ("content-type", "content-disposition", "openai-model")
_ENDING_BYTES = 8192
_BYTES_PER_WRITTEN = 16  # of a stream, for one of the text that it carries

NATIVE_ONLY = {
    "/messages/count_tokens": "anthropic.messages",
    "/responses/compact": "openai.responses",
    "/responses/input_tokens": "openai.responses",
}
"""Relayed paths that only make sense at a provider which speaks the dialect itself."""


def read_relayed(exchange: Exchange, content: bytes | None) -> bytes | None:
    """
    Read *content* into *exchange*: a JSON object, or a multipart form of which only the
    ``model`` field is looked at; return it if it is a form. With ``None``, the body was read and
    parsed before.

    Raises:
        RequestError: Neither, or no field ``model`` of type string.
    """
    content_type = exchange.headers.get("content-type", "")
    if content is not None and is_form(content_type):
        start, end = _model_span(content, content_type)
        exchange.model = model_of({"model": content[start:end].decode("utf-8", "replace")})
        return content
    read_json(exchange, content)
    return None


def read_json(exchange: Exchange, content: bytes | None) -> None:
    """Read a JSON object into *exchange*; with ``None``, its body was parsed before."""
    if content is not None:
        exchange.body = json_object(content)
    exchange.model = model_of(exchange.body)
    exchange.stream = exchange.body.get("stream") is True


def model_of(body: JSONObject) -> str | None:
    """
    The model a JSON body names, if any.

    Raises:
        RequestError: It is not a string, or over ``MAX_NAME_CHARS``.
    """
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise RequestError("'model' must be a string.", param="model")
    if model is not None and len(model) > MAX_NAME_CHARS:
        raise RequestError(f"'model' is over {MAX_NAME_CHARS} characters.", param="model")
    return model


async def relay(
    call: Call, exchange: Exchange, pipeline: Pipeline, form: bytes | None = None
) -> None:
    """
    Serve one relayed exchange, read before; a route it has already is kept. *form* is its body
    where that is no JSON.

    Raises:
        RequestError: The path belongs to a dialect that no candidate speaks natively.
    """
    route = exchange.route or await pipeline.route(exchange)
    if needed := NATIVE_ONLY.get(exchange.operation):
        route = _native(route, needed, exchange, pipeline)
    exchange.route = route
    answer = await pipeline.open(exchange, _prepare(exchange, form))
    try:
        await _pump(call, exchange, answer)
        pipeline.engine.settle(answer, exchange.error)
    finally:
        await answer.aclose()


def _native(route: Route, dialect: str, exchange: Exchange, pipeline: Pipeline) -> Route:
    natives = tuple(c for c in route.candidates if pipeline.engine.dialect(c, dialect) == dialect)
    if not natives:
        raise RequestError(
            f"{exchange.operation} needs a provider that serves {dialect} itself; "
            f"'{exchange.model}' is not at one.",
            param="model",
            code="unsupported_endpoint",
        )
    return replace(route, candidates=natives)


async def _pump(call: Call, exchange: Exchange, answer: Answer) -> None:
    assert answer.chunks is not None
    headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    headers |= answer_headers(exchange, answer)
    with answer.time_limit():
        first = await anext(answer.chunks, b"")
    exchange.status = answer.status
    await call.start(answer.status, encode_headers(headers))
    exchange.timings.first_byte = time.monotonic()
    ending = _Ending(answer.headers.get("content-type", ""))
    ending.add(first)
    is_whole = False
    try:
        if first:
            await call.send({"type": "http.response.body", "body": first, "more_body": True})
        with answer.time_limit():
            async for chunk in answer.chunks:
                ending.add(chunk)
                await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        is_whole = True
    except UpstreamError as exc:
        # No dialect, no in-band error: a response left without its end makes the server cut the
        # connection, which every client understands as a failure.
        exchange.error = exc
        return
    finally:
        exchange.usage = ending.usage()
        if not is_whole and exchange.usage is None:
            exchange.cut_after_bytes = ending.size // _BYTES_PER_WRITTEN
    await call.send({"type": "http.response.body", "body": b""})


class _Ending:
    """The last bytes of an answer of *content_type*: all that is kept of it, to know its usage."""

    __slots__ = ("_is_read", "_is_stream", "_kept", "size")

    def __init__(self, content_type: str) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        self._is_stream = kind == "text/event-stream"
        self._is_read = self._is_stream or kind == "application/json"
        self._kept = b""
        self.size = 0
        """Bytes of the answer so far."""

    def add(self, chunk: bytes) -> None:
        """What comes next."""
        self.size += len(chunk)
        if self._is_read:
            self._kept = (self._kept + chunk[-_ENDING_BYTES:])[-_ENDING_BYTES:]

    def usage(self) -> Usage | None:
        """As the answer tells it at its end, of itself: not what stands deeper in it."""
        _, mark, rest = self._kept.rpartition(b'"usage":')
        if not mark:
            return None
        if self._is_stream:
            rest = rest.partition(b"\n")[0]
        try:
            raw = loads(b"{" + mark + rest)["usage"]
        except ValueError:
            return None
        return _read_usage(raw) if isinstance(raw, dict) else None


def _read_usage(raw: JSONObject) -> Usage | None:
    """Images and transcriptions count as Responses do, what is older as chat does."""
    if "input_tokens" in raw:
        return usage_of("openai.responses", raw)
    if "prompt_tokens" not in raw:  # vectors and rankings that tell a total only: all is input
        raw = {**raw, "prompt_tokens": raw.get("total_tokens")}
    return usage_of("openai.chat", raw)


def _prepare(exchange: Exchange, form: bytes | None) -> Prepare:
    content_type = exchange.headers.get("content-type", "")

    def prepare(candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
        content = None
        if form is not None:
            content = _with_model(form, content_type, candidate.model)
        return UpstreamCall(
            path=exchange.operation,
            dialect="",
            model=candidate.model,
            stream=exchange.stream,
            body=exchange.body,
            content=content,
            content_type="application/json" if form is None else content_type,
            client_headers=exchange.headers,
        )

    return prepare


def is_form(content_type: str) -> bool:
    """Whether a body of *content_type* is a multipart form."""
    return content_type.lower().startswith("multipart/form-data")


def _with_model(content: bytes, content_type: str, model: str) -> bytes:
    start, end = _model_span(content, content_type)
    return content[:start] + model.encode() + content[end:]


def _model_span(content: bytes, content_type: str) -> tuple[int, int]:
    """Where the value of the form field ``model`` stands in *content*."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise RequestError("The multipart body has no boundary.")
    delimiter = b"--" + match[1].encode("latin-1")
    spans: list[tuple[int, int]] = []
    position = content.find(delimiter)
    while position >= 0:
        head_start = position + len(delimiter)
        head_end = content.find(b"\r\n\r\n", head_start)
        following = content.find(b"\r\n" + delimiter, head_start)
        if head_end < 0 or following < 0:
            break
        if head_end < following and _MODEL_FIELD.search(content[head_start:head_end]):
            spans.append((head_end + 4, following))
        position = following + 2
    if len(spans) != 1:  # of two, nobody knows which one the upstream takes
        fault = "has no field" if not spans else "has more than one field"
        raise RequestError(f"The form {fault} 'model'.", param="model")
    return spans[0]
