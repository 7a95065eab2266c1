"""
What is known of an exchange once its last byte has gone out: what spans, metrics, the access log
and the triage sampler all read, gathered once.
"""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.trace import Span, format_span_id, format_trace_id

from plano_asgi.conversation import ChatResponse, Usage
from plano_asgi.exchange import Exchange
from plano_asgi.signals.base import SignalReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """USD of one exchange. *is_estimated*: the tokens were counted by us, not by the upstream."""

    input_usd: float
    output_usd: float
    is_estimated: bool = False

    @property
    def total_usd(self) -> float:
        """Of input and output together."""
        return self.input_usd + self.output_usd


@dataclass(slots=True, kw_only=True)
class Outcome:
    """
    One exchange, over. Not to be changed; not frozen, for that triples what it costs to make one.

    Args:
        exchange: With its route, attempts, audits, timings and ``facts``.
        provider: Who served, or was asked last: the gateway's provider key (``openai``); "" where
            nobody was, or where the app around it does not say.
        model: The upstream's model id served or asked last; else what the client asked for.
        status: The HTTP status the client got; ``None`` if it left before one.
        error_type: "" if all went well; else a ``PlanoError.code`` or ``type``
            (``rate_limit_exceeded``), ``client_disconnect``, an exception's class name, or the
            status as text. A bounded set.
        usage: Tokens; ``estimated`` where nobody reported them.
        cost: ``None`` where no price is known, or nothing was used.
        answer: The whole neutral answer, where it could be read; guarded, and masked if anything
            captured from it is to leave the process.
        response_id, response_model: As the upstream said them.
        finish_reasons: Of each choice: ``FinishReason``.
        request_bytes, response_bytes: Bodies, as the client sent and got them.
        chunks: Body messages with content sent; 1 for an answer in one piece.
        duration_s: From the request to the last byte.
        first_chunk_s: From the request to the first byte of the answer's body.
        signals: How the conversation is going, where that was asked for and is done.
        span: Its own; ``None`` without tracing.
    """

    exchange: Exchange
    provider: str = ""
    model: str = ""
    status: int | None = None
    error_type: str = ""
    usage: Usage | None = None
    cost: Cost | None = None
    answer: ChatResponse | None = None
    response_id: str = ""
    response_model: str = ""
    finish_reasons: tuple[str, ...] = ()
    request_bytes: int = 0
    response_bytes: int = 0
    chunks: int = 0
    duration_s: float = 0.0
    first_chunk_s: float | None = None
    signals: SignalReport | None = None
    span: Span | None = None

    @property
    def trace_id(self) -> str:
        """Of its span, as lower-case hex; "" without tracing."""
        return format_trace_id(self.span.get_span_context().trace_id) if self.span else ""

    @property
    def span_id(self) -> str:
        """As ``trace_id``."""
        return format_span_id(self.span.get_span_context().span_id) if self.span else ""

    @property
    def chunk_gap_s(self) -> float | None:
        """The mean time between the chunks of a stream; ``None`` with fewer than two."""
        if self.first_chunk_s is None or self.chunks < 2:
            return None
        return max(0.0, self.duration_s - self.first_chunk_s) / (self.chunks - 1)
