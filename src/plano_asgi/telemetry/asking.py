"""A question of our own to a model (a guard's, a router's), told like a client's."""

from __future__ import annotations

import time
from types import TracebackType

from opentelemetry import context as context_api
from opentelemetry.trace import SpanKind

from plano_asgi.exchange import Exchange
from plano_asgi.telemetry.attributes import named_request, outcome_attributes
from plano_asgi.telemetry.current import span_of
from plano_asgi.telemetry.outcome import Outcome
from plano_asgi.telemetry.spans import ExchangeSpans, error_word, put_attributes, set_error
from plano_asgi.telemetry.telemetry import Telemetry


class Asking:
    """
    ``async with Asking(telemetry, exchange):`` around the call. Its span is a child of whatever is
    being done; its tokens and its cost count as any other's.
    """

    def __init__(self, telemetry: Telemetry, exchange: Exchange) -> None:
        self._telemetry, self._exchange = telemetry, exchange
        self._spans: ExchangeSpans | None = None
        self._token: object = None

    async def __aenter__(self) -> None:
        telemetry, exchange = self._telemetry, self._exchange
        if (tracer := telemetry.tracer()) is not None:
            current = context_api.get_current()
            span = tracer.start("chat", span_of(current), current, SpanKind.CLIENT, {})
            self._spans = ExchangeSpans(
                tracer, span, current, tell_providers_baggage=telemetry.tell_providers_baggage
            )
            self._token = context_api.attach(self._spans.context)
        telemetry.begin(exchange, self._spans)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        telemetry, exchange, spans = self._telemetry, self._exchange, self._spans
        exchange.timings.ended = time.monotonic()
        outcome = self._outcome(error)
        if spans is not None:
            context_api.detach(self._token)  # type: ignore[arg-type]
            if spans.span.is_recording():
                name, attributes = named_request(exchange, telemetry.names)
                attributes |= outcome_attributes(outcome, telemetry.names)
                put_attributes(spans.span, attributes)
                spans.span.update_name(name)
                if error is not None:
                    set_error(spans.span, outcome.error_type)
            spans.span.end()
        telemetry.tell(outcome)

    def _outcome(self, error: BaseException | None) -> Outcome:
        exchange, served = self._exchange, self._exchange.served_by
        asked = served or (exchange.attempts[-1].candidate if exchange.attempts else None)
        usage, cost = exchange.usage, None
        if served is not None and usage is not None:
            cost = self._telemetry.cost(served.provider, served.model, usage, exchange.id)
        ended = exchange.timings.ended or time.monotonic()
        return Outcome(
            exchange=exchange,
            provider=asked.provider if asked else "",
            model=asked.model if asked else exchange.model or "",
            error_type=error_word(error) if error is not None else "",
            usage=usage,
            cost=cost,
            duration_s=ended - exchange.timings.started,
            span=None if self._spans is None else self._spans.span,
        )
