"""
One exchange, watched: its span, the copies of its bodies, and what becomes of them at the end.

The span begins with the request and ends with the last byte, or when the client has left; what is
told of it is found out after that, shielded and bounded.
"""

from __future__ import annotations

from functools import partial
from math import inf
from time import monotonic, time_ns
from typing import Any

import anyio
import anyio.to_thread
import structlog
from opentelemetry import context as context_api
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_asgi.asgi.request import trace_of
from plano_asgi.exchange import SCOPE_KEY, Exchange
from plano_asgi.passages import Layout
from plano_asgi.signals.base import SignalReport
from plano_asgi.telemetry.attribute_values import Attributes, name_text
from plano_asgi.telemetry.attributes import (
    first_told,
    named_request,
    outcome_attributes,
    plano_attributes,
    triage_attributes,
)
from plano_asgi.telemetry.conclude import (
    CLIENT_LEFT,
    Copies,
    bare_outcome,
    conclude,
    request_bytes,
    told_outcome,
)
from plano_asgi.telemetry.content import captured
from plano_asgi.telemetry.current import span_of
from plano_asgi.telemetry.events import emit_event
from plano_asgi.telemetry.outcome import Outcome
from plano_asgi.telemetry.semconv import INFERENCE_EVENT, MODEL, REQUEST_ID
from plano_asgi.telemetry.signal_events import flagged_name, signal_attributes, signal_events
from plano_asgi.telemetry.spans import (
    ExchangeSpans,
    SpanStarter,
    end_with,
    error_word,
    put_attributes,
    set_error,
)
from plano_asgi.telemetry.tee import AnswerTee, RequestTee
from plano_asgi.telemetry.telemetry import Telemetry

_log = structlog.get_logger("plano_asgi")
_NANO = 1_000_000_000
_NOTHING: Attributes = {}


class Watch:
    """
    Watches *exchange*, which has just come in by *receive* and *send*.

    ``receive`` and ``send`` are for the app; call ``finish`` once it is done, however it ended.
    *layout* tells where the texts stand, should nobody inside read the body.
    """

    _error: BaseException | None = None
    _left_at = 0.0
    _server: Span | None = None
    _spans: ExchangeSpans | None = None

    def __init__(
        self,
        telemetry: Telemetry,
        exchange: Exchange,
        receive: Receive,
        send: Send,
        layout: Layout | None = None,
    ) -> None:
        self._telemetry, self._exchange, self._layout = telemetry, exchange, layout
        self._was_read = exchange.is_read
        if (tracer := telemetry.tracer()) is not None:
            self._spans = self._begun(tracer)
        telemetry.begin(exchange, self._spans)
        own = telemetry.own_attributes(exchange.headers) if telemetry.adds_attributes else {}
        self._own = own
        most = telemetry.max_recorded_bytes
        # Not a method of ours: what holds itself is left to the garbage collector.
        on_start = None
        if self._server is not None:
            on_start = partial(_started, self._server, exchange, own)
        self.send = AnswerTee(send, max_bytes=most, on_start=on_start)
        self.receive = RequestTee(receive, self.send, max_bytes=most)

    def _begun(self, tracer: SpanStarter) -> ExchangeSpans:
        exchange, current = self._exchange, context_api.get_current()
        server = span_of(current)
        if not server.get_span_context().is_valid:
            current = extract(exchange.headers, context=current)
            server = span_of(current)
        elif server.is_recording():
            self._server = server
        name, attributes = first_told(exchange)
        span = tracer.start(name, server, current, SpanKind.CLIENT, attributes)
        return ExchangeSpans(
            tracer,
            span,
            current,
            tell_providers_baggage=self._telemetry.tell_providers_baggage,
        )

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run *app*, with the span of the exchange as the current one."""
        exchange = self._exchange
        exchange.scope = scope = {**scope, SCOPE_KEY: exchange}
        token = context_api.attach(self._spans.context) if self._spans is not None else None
        try:
            await app(scope, self.receive, self.send)
        except BaseException as exc:
            self._error = exc
            raise
        finally:
            self._left_at = monotonic()
            del scope[SCOPE_KEY]  # what holds itself is left to the garbage collector
            if token is not None:
                context_api.detach(token)

    async def finish(self) -> None:
        """Find out what came of it and tell everybody; never raises, and is bounded in time."""
        now = monotonic()
        ended = self.send.ended or self._left_at or now
        end_ns = time_ns() - int((now - ended) * _NANO)
        timings = self._exchange.timings
        timings.ended = timings.ended or ended
        try:
            if self._is_heard:
                await self._find_out(ended, end_ns)
            elif self._spans is not None:
                self._spans.span.end(end_ns)
        finally:
            self._let_go()

    @property
    def _is_heard(self) -> bool:
        """Whether anybody wants to know what came of it."""
        spans = self._spans
        return bool(self._telemetry.listeners) or (spans is not None and spans.is_recording)

    async def _find_out(self, ended: float, end_ns: int) -> None:
        outcome = self._told(ended) if self._telemetry.is_prepared else None
        if outcome is not None:
            self._tell(outcome, end_ns)
            return
        copies = self._copies(ended)
        try:
            outcome = await self._outcome(copies)
        finally:  # also where the task is cancelled meanwhile
            self._tell(outcome or bare_outcome(self._exchange, copies), end_ns)

    def _let_go(self) -> None:
        """Of the error: its frames hold this watch, and the exchange."""
        error, self._error = self._error, None
        if error is not None and self._exchange.error is error:
            self._exchange.error = None

    @property
    def _is_deep(self) -> bool:
        """Whether the whole text of an answer is wanted, and not only what it used."""
        telemetry, spans = self._telemetry, self._spans
        if telemetry.analyzer is not None:
            return True
        return telemetry.captures and spans is not None and spans.is_recording

    def _told(self, ended: float) -> Outcome | None:
        """The usual case: all is known already, and nobody has to wait for it."""
        telemetry, exchange, spans = self._telemetry, self._exchange, self._spans
        if self._is_deep:
            return None
        try:
            outcome = told_outcome(telemetry, exchange, self.send, ended)
        except Exception as exc:  # of who read the answer: it can be looked at once more
            _log.error("telemetry_failed", request_id=exchange.id, trace=trace_of(exc))
            return None
        if outcome is not None:
            outcome.request_bytes = request_bytes(exchange, self.receive, was_read=self._was_read)
            if self._error is not None:
                outcome.error_type = error_word(self._error)
            if spans is not None:
                outcome.span = spans.span
        return outcome

    def _copies(self, ended: float) -> Copies:
        return Copies(
            request=self.receive,
            answer=self.send,
            layout=self._layout,
            ended=ended,
            error=self._error,
            was_read=self._was_read,
            is_deep=self._is_deep,
            span=None if self._spans is None else self._spans.span,
        )

    async def _outcome(self, copies: Copies) -> Outcome | None:
        """What came of it; ``None`` where that cannot be found out."""
        telemetry, exchange = self._telemetry, self._exchange
        try:
            if self._bytes_to_read(copies) <= telemetry.long_bytes and telemetry.is_prepared:
                return conclude(telemetry, exchange, copies)
            with anyio.fail_after(telemetry.finish_timeout_s, shield=True):
                return await anyio.to_thread.run_sync(
                    self._concluded, copies, abandon_on_cancel=True
                )
        except TimeoutError:
            _log.warning("telemetry_timeout", request_id=exchange.id)
        except Exception as exc:  # the exchange is over and well: what is told of it is not
            _log.error("telemetry_failed", request_id=exchange.id, trace=trace_of(exc))
        return None

    def _concluded(self, copies: Copies) -> Outcome:
        return self._told(copies.ended) or conclude(self._telemetry, self._exchange, copies)

    def _bytes_to_read(self, copies: Copies) -> float:
        """Of a stream that ended, only the edges, unless its texts are wanted."""
        if self.send.is_encoded:
            return inf  # what it unpacks to is not known
        size = self.receive.size if copies.is_deep or not self._exchange.is_read else 0
        is_unmetered = self._exchange.usage is None  # what it used is told by its text alone
        is_ended = self.send.is_stream and self.send.is_ended
        if copies.is_deep or is_unmetered or not is_ended:
            size += self.send.size
        return size

    def _tell(self, outcome: Outcome, end_ns: int) -> None:
        telemetry, spans, attributes = self._telemetry, self._spans, _NOTHING
        if spans is not None and spans.span.is_recording():
            try:
                name, attributes = named_request(self._exchange, telemetry.names)
                attributes |= outcome_attributes(outcome, telemetry.names)
                self._describe(spans, outcome, name, attributes)
            except Exception as exc:  # as above: the others hear of it all the same
                _log.error("telemetry_failed", request_id=self._exchange.id, trace=trace_of(exc))
            if self._own or telemetry.on_outcome:  # they may have another word
                put_attributes(spans.span, attributes)
                spans.span.set_attributes(self._own)
                attributes = _NOTHING
        telemetry.tell(outcome)
        if spans is not None:
            end_with(spans.span, attributes, end_ns)

    def _describe(
        self, spans: ExchangeSpans, outcome: Outcome, name: str, attributes: Attributes
    ) -> None:
        """Everything known besides: what is no attribute onto the span, others to *attributes*."""
        telemetry, span = self._telemetry, spans.span
        if telemetry.plano_names:
            attributes |= plano_attributes(outcome)
        words: Attributes = {}
        if telemetry.captures:
            content = captured(outcome, telemetry.content)
            if content and telemetry.content.in_events:
                words = attributes | self._own | content
            if telemetry.content.on_spans:
                attributes |= content
        if outcome.signals is not None:
            self._put_signals(span, outcome, outcome.signals, attributes)
        span.update_name(flagged_name(name, outcome.signals))
        if outcome.error_type:
            set_error(span, outcome.error_type)
        if words:  # last: somebody else's log processors hear of it
            emit_event(telemetry.logger_provider, INFERENCE_EVENT, words, spans.context)

    def _put_signals(
        self, span: Span, outcome: Outcome, report: SignalReport, attributes: Attributes
    ) -> None:
        telemetry = self._telemetry
        attributes |= signal_attributes(report)
        events = signal_events(
            report,
            with_snippets=telemetry.content.on_spans,
            scrubbers=self._exchange.scrubbers,
        )
        for event, told in events:
            span.add_event(event, told)
        if telemetry.triage is not None:
            decision = telemetry.triage.decide(report, failed=_has_failed(outcome))
            attributes |= triage_attributes(decision)


def _has_failed(outcome: Outcome) -> bool:
    """Not by the client's own doing: a request that cannot be, a connection it gave up."""
    is_refused = outcome.status is not None and 400 <= outcome.status < 500
    return bool(outcome.error_type) and outcome.error_type != CLIENT_LEFT and not is_refused


def _started(
    server: Span, exchange: Exchange, attributes: dict[str, Any], _message: Message
) -> None:
    """The answer begins: the last moment to tell a framework's server span what it is about."""
    # One by one: for as few, the SDK does not go over them twice.
    server.set_attribute(REQUEST_ID, exchange.id)
    if exchange.served_by is not None:
        server.set_attribute(MODEL, name_text(exchange.served_by.name))
    if attributes:
        server.set_attributes(attributes)
