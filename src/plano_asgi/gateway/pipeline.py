"""
The one pipeline of every request, whatever API it came by, streamed or not.

    steps -> route -> admissions -> attempts -> commits -> answer -> finalizers

Request-side steps may change or stop the exchange; a route rule may choose the candidates (names
decide where none does); the answer goes out verbatim when nobody looks, and through a tap where a
step registered a response filter or a check beside the call; finalizers always run.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import anyio
import structlog
from starlette.types import Send

from plano_asgi._json import JSONObject, dumps
from plano_asgi.asgi.body import ClientDisconnected
from plano_asgi.asgi.request import unexpected
from plano_asgi.asgi.respond import encode_headers
from plano_asgi.asgi.tap import TapLimits
from plano_asgi.asgi.tap_headers import with_late_headers
from plano_asgi.asgi.tap_run import RequestStep, run_steps, run_tapped
from plano_asgi.asgi.tap_voice import DialectVoice
from plano_asgi.attempts import Answer, Engine
from plano_asgi.attempts.engine import Prepare
from plano_asgi.cache.base import RECORDERS, ReplayAnswer
from plano_asgi.conversation import ChatResponse, Usage
from plano_asgi.errors import PlanoError, RequestError, UpstreamReset
from plano_asgi.exchange import (
    LISTENS,
    AnswerInstead,
    Candidate,
    Exchange,
    Route,
)
from plano_asgi.gateway.call import Call, answer_headers
from plano_asgi.gateway.facts import decided, note_facts
from plano_asgi.gateway.prepare import chat_calls
from plano_asgi.gateway.stream_progress import Progress
from plano_asgi.gateway.stream_rebuilt import rest_of, translate_stream
from plano_asgi.gateway.stream_verbatim import relay_stream
from plano_asgi.limits import LimitReached
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.routing.base import RULES_KEY, RouteRule
from plano_asgi.routing.names import Names
from plano_asgi.state.keeper import KEEPS
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.answer_facts import facts_of, usage_of

Finalizer: TypeAlias = Callable[[Exchange], Awaitable[None]]
"""Runs once after the last byte, also on error and disconnect; shielded, and bounded in time."""

Admission: TypeAlias = Callable[[Exchange, Candidate], Awaitable[None]]
"""
Asked before an exchange is tried at a candidate: limits, budgets. It raises where that may not be;
then the next candidate is asked about. What it allowed before is over.
"""

Work: TypeAlias = Callable[[], Awaitable[None]]

Shaper: TypeAlias = Callable[[Exchange, Candidate, str, JSONObject], JSONObject]
"""
Changes the body for one candidate, last of all: exchange, candidate, upstream dialect, body. It
returns a new body, or the same one; the one it is given is shared.
"""

_JSON = (b"content-type", b"application/json")
_UNCHANGING = (LISTENS, KEEPS)
"""Ranks of filters that leave an answer as it is."""
_log = structlog.get_logger("plano_asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The pluggable stages, in the order they run."""

    first: Sequence[RequestStep] = ()
    """Cache and state: they go by what the client asked for, all of it."""
    on_fields: Mapping[str, RequestStep] = field(default_factory=dict)
    """Steps for fields of the body, before *steps*: the requests without them pay nothing."""
    steps: Sequence[RequestStep] = ()
    rules: Sequence[RouteRule] = ()
    admissions: Sequence[Admission] = ()
    shapers: Sequence[Shaper] = ()
    commits: Sequence[RequestStep] = ()
    """Run once it is known who answers, before the client has any of it. The answer waits for
    them: each bounds its own time. One that fails costs no answer."""
    finalizers: Sequence[Finalizer] = ()
    finalize_timeout_s: float = 5.0
    asking: Callable[[Exchange], AbstractAsyncContextManager[None]] | None = None
    """Around a question of our own to a model: whoever watches it."""
    price: Callable[[Candidate, Usage], str] | None = None
    """What ``x-plano-cost`` says of a whole answer; "" to leave it out."""
    tap: TapLimits = field(default_factory=TapLimits)


class Pipeline:
    """Runs exchanges through the stages. Holds no state of any exchange."""

    def __init__(self, engine: Engine, names: Names, stages: Stages) -> None:
        self.engine = engine
        self._names = names
        self._stages = stages

    async def run(self, call: Call, exchange: Exchange, work: Work) -> None:
        """
        Run the steps, then *work*, which serves *exchange*: straight, or heard by what the steps
        registered.

        Raises:
            PlanoError: Nothing was sent yet; the caller answers in the client's dialect.
        """
        stages, body = self._stages, exchange.body
        asked = [step for name, step in stages.on_fields.items() if name in body]
        steps = [*stages.first, *asked, *stages.steps]
        if exchange.dialect == "openai.responses" and body.get("background"):
            steps.append(_refuse_unheard)
        if not steps:
            await work()
            return
        limits = stages.tap
        exchange.meant_models = self._names.meant(exchange.model)
        try:
            listeners = await run_steps(exchange, steps, limits=limits)
        except AnswerInstead as exc:
            said = DialectVoice(exchange).refusal(exc.text, exc.reason)
            exchange.status = said.status
            await call.say(said)
            return
        except ReplayAnswer as exc:
            await call.replay(exc, exchange)
            return
        for record in exchange.state.get(RECORDERS, ()):
            call.raw_send = record(call.raw_send)
        if not listeners:
            await work()
            return

        async def tapped(send: Send) -> None:
            call.raw_send = send
            await answer_errors(call, exchange, work)

        voice = DialectVoice(exchange)
        send = call.raw_send if exchange.stream else with_late_headers(call.raw_send, exchange)
        await run_tapped(exchange, listeners, tapped, send, voice, limits=limits)

    async def chat(self, call: Call, exchange: Exchange) -> None:
        """
        Serve one chat exchange whose steps have run.

        Raises:
            PlanoError: Nothing was sent yet.
        """
        exchange.route = await self.route(exchange)
        answer = await self.open(exchange, self._prepare(exchange, exchange.route))
        try:
            exchange.status = 200
            await self.commit(exchange)
            await self._answer(call, exchange, answer)
            if answer.is_stream:
                self.engine.settle(answer, exchange.error)
        finally:
            await answer.aclose()

    async def ask(self, exchange: Exchange, *, of: Exchange | None = None) -> ChatResponse:
        """
        The whole answer to *exchange*, routed and attempted like any; no steps run. It is admitted
        where it is a part *of* what a client asked for, and then like that.
        """
        if self._stages.asking is None:
            return await self._ask(exchange, of)
        async with self._stages.asking(exchange):
            return await self._ask(exchange, of)

    async def _ask(self, exchange: Exchange, of: Exchange | None) -> ChatResponse:
        exchange.route = await self.route(exchange)
        prepare = self._prepare(exchange, exchange.route)
        if of is None:
            answer = await self.engine.open(exchange, prepare)
        else:
            answer = await self.open(exchange, prepare, of=of)
        try:
            return await _response(exchange, answer)
        finally:
            await answer.aclose()

    async def route(self, exchange: Exchange) -> Route:
        """The first rule's answer, else what the names say."""
        rules: Sequence[RouteRule] = self._stages.rules
        if brought := exchange.state.get(RULES_KEY):
            rules = (*rules, *brought)
        if rules:
            with exchange.doing("routing", "rules") as activity:
                for rule in rules:
                    if (route := await rule(exchange)) is not None:
                        told = decided(exchange)
                        activity.note(model=route.candidates[0].name, reason=route.reason, **told)
                        return route
        return self._names.resolve(exchange.model)

    async def open(
        self, exchange: Exchange, prepare: Prepare, *, of: Exchange | None = None
    ) -> Answer:
        """
        The engine's answer to a routed exchange, admitted at each candidate before that is tried;
        a part *of* another one as that.

        Raises:
            PlanoError: As ``Engine.open``.
        """
        if not self._stages.admissions:
            return await self.engine.open(exchange, prepare)
        client = of or exchange
        try:
            return await self.engine.open(exchange, prepare, partial(self._admit, client))
        except LimitReached as exc:
            client.response_headers.update(exc.headers)
            raise

    async def _admit(self, exchange: Exchange, candidate: Candidate) -> None:
        for admission in self._stages.admissions:
            await admission(exchange, candidate)

    async def commit(self, exchange: Exchange) -> None:
        """Run the commits on an exchange that is about to be answered; a failure is logged."""
        await _run_all(self._stages.commits, exchange, "commit_failed")

    def _prepare(self, exchange: Exchange, route: Route) -> Prepare:
        """How to write the call for a candidate of *route*."""
        write = chat_calls(exchange, self.engine.family(route.candidates[0]))
        shapers = self._stages.shapers
        if not shapers:
            return write

        def prepare(candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
            call = write(candidate, provider)
            body = call.body
            for shape in shapers:
                body = shape(exchange, candidate, call.dialect, body)
            return call if body is call.body else replace(call, body=body)

        return prepare

    async def finalize(self, exchange: Exchange) -> None:
        """Run every finalizer; one that fails is logged and keeps no other from running."""
        exchange.timings.ended = time.monotonic()
        note_facts(exchange)
        if exchange.model is not None and self._names.is_alias(exchange.model):
            exchange.facts["alias"] = exchange.model
        if not self._stages.finalizers:
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(self._stages.finalize_timeout_s):
            await _run_all(self._stages.finalizers, exchange, "finalizer_failed")

    async def _answer(self, call: Call, exchange: Exchange, answer: Answer) -> None:
        same = answer.dialect is call.dialect
        if exchange.stream:
            headers = encode_headers(answer_headers(exchange, answer))
            if same and answer.is_verbatim_stream:
                await relay_stream(call, exchange, answer, headers)
            else:
                await translate_stream(call, exchange, answer, headers)
            return
        if same and answer.body is not None:
            body, document = answer.body, answer.json or {}
        else:
            response = await _response(exchange, answer)
            document = call.dialect.write_response(response, exchange.request)
            body = dumps(document)
        exchange.answered = partial(facts_of, call.dialect.name, document)
        if self._stages.price is not None:
            exchange.usage = exchange.usage or _used(answer)
            if exchange.usage and (told := self._stages.price(answer.candidate, exchange.usage)):
                exchange.response_headers["x-plano-cost"] = told
        headers = encode_headers(answer_headers(exchange, answer))
        exchange.timings.first_byte = time.monotonic()
        await call.reply(200, body, [_JSON, *headers])
        if exchange.usage is None and self._stages.finalizers:
            exchange.usage = _used(answer)


async def _refuse_unheard(exchange: Exchange) -> None:
    """
    The last step of an answer made in the background: it is asked for later, and no filter hears
    it then.

    Raises:
        RequestError: One of those that may change or stop an answer is set for this one, or a
            middleware further out listens.
    """
    if exchange.is_heard or any(each.rank not in _UNCHANGING for each in exchange.response_filters):
        raise RequestError(
            "'background' is not served where answers are guarded or filtered.", param="background"
        )


async def _run_all(steps: Sequence[Finalizer], exchange: Exchange, failed: str) -> None:
    """Run *steps*, whatever befalls the others; one that fails is logged as *failed*."""
    for step in steps:
        try:
            await step(exchange)
        except Exception as exc:
            _log.error(failed, request_id=exchange.id, error=type(exc).__name__)


def _used(answer: Answer) -> Usage | None:
    """What a whole answer says that it used."""
    assert answer.dialect is not None
    return usage_of(answer.dialect.name, (answer.json or {}).get("usage"))


async def answer_errors(call: Call, exchange: Exchange, work: Work) -> None:
    """
    Do *work*; answer what it raises in the client's dialect, if nothing was sent yet.

    Raises:
        Exception: *work* failed after the start.
    """
    try:
        await work()
    except ClientDisconnected:
        exchange.disconnected = not call.ended
    except Exception as exc:
        exchange.error = exc
        exchange.status = exc.status if isinstance(exc, PlanoError) else 500
        if call.started:
            raise
        try:  # no name for the error: it would hold itself, by its traceback
            await call.reply_error(
                exc if isinstance(exc, PlanoError) else unexpected(exc, call.id), exchange
            )
        except ClientDisconnected:
            exchange.disconnected = True


async def _response(exchange: Exchange, answer: Answer) -> ChatResponse:
    """The whole answer in neutral form."""
    assert answer.dialect is not None
    if answer.json is not None:
        response = answer.dialect.read_response(answer.json)
    else:
        response = await _accumulated(answer)
    response.model = response.model or answer.candidate.model
    exchange.usage = response.usage
    return response


async def _accumulated(answer: Answer) -> ChatResponse:
    """A whole answer from an upstream that only streams."""
    accumulator, progress = Accumulator(), Progress()
    accumulator.add(progress.note(answer.events))
    async with aclosing(rest_of(answer)) as rest:
        async for events in rest:
            accumulator.add(progress.note(events))
    if not progress.is_whole:
        raise progress.failure or UpstreamReset("The upstream's answer broke off.")
    return accumulator.response()
