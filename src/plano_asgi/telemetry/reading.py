"""An exchange that is over, with the label values that are written of it."""

from __future__ import annotations

from collections.abc import Iterable

from plano_asgi.conversation import Usage
from plano_asgi.errors import UpstreamError
from plano_asgi.exchange import Attempt, Candidate
from plano_asgi.telemetry.attributes import operation_name, provider_name
from plano_asgi.telemetry.labels import OTHER, LabelBook
from plano_asgi.telemetry.outcome import Outcome
from plano_asgi.telemetry.points import Labels

Observations = Iterable[tuple[Labels, float]]
"""Label values in the order of the instrument's attributes, and what to record for them."""

NOTHING: Observations = ()
"""Nothing to tell."""

CLIENT_DISCONNECT = "client_disconnect"
"""``error.type`` where the client left."""
ABANDONED = "abandoned"
"""``Attempt.outcome`` where we ended a try: the client left, or a guard stopped the exchange."""
_PASSING = frozenset((408, 429))


class Reading:
    """
    An outcome, with the label values that several instruments write.

    Args:
        outcome: Of an exchange that is over.
        book: Bounds the label values. A model's name is admitted by having been served, or by a
            failure at an upstream that is not the request's fault: names that clients make up,
            which an upstream refuses, are not.
    """

    __slots__ = (
        "book",
        "call",
        "commit_s",
        "end_s",
        "error",
        "exchange",
        "is_real",
        "outcome",
        "served",
        "used",
    )

    def __init__(self, outcome: Outcome, book: LabelBook) -> None:
        exchange = outcome.exchange
        self.outcome, self.exchange, self.book = outcome, exchange, book
        is_known = exchange.served_by is not None or not _is_refused(outcome)
        is_real = not outcome.error_type or (bool(outcome.provider) and is_known)
        self.is_real = is_real
        """Whether the model is one, as far as this exchange tells."""
        provider = book.provider(outcome.provider)
        self.served = (provider, book.model(outcome.model, admit=is_real))
        asked = book.asked_model(exchange.model or outcome.model, admit=is_real)
        self.error = book.error(outcome.error_type)
        self.call = (
            book.operation(operation_name(exchange)),
            provider_name(provider, exchange.dialect),
            asked,
            book.response_model(outcome.response_model),
            *self._server(),
        )
        self.used: Usage | None = None if exchange.facts.get("cache") == "hit" else outcome.usage
        """Nothing was used for an answer that came from the response cache."""

        self.end_s = exchange.timings.started + outcome.duration_s
        """When the exchange was over (monotonic)."""
        has_begun = exchange.stream and exchange.served_by is not None and exchange.attempts
        self.commit_s = exchange.attempts[-1].ended if has_begun else None
        """When the first content of an upstream's stream came (monotonic)."""

    def _server(self) -> Labels:
        """Address and port of the upstream that was asked last: who answered, if one did."""
        attempts = self.exchange.attempts
        if not attempts or (address := attempts[-1].address) is None:
            return "", ""
        server, port = self.book.server(address), attempts[-1].port
        return server, "" if port is None or server == OTHER else str(port)

    def error_of(self, attempt: Attempt) -> str:
        """
        ``error.type`` of an upstream try; "" if it did well.

        One that had begun to answer also fails by what came after: its stream broke, or the client
        left (``client_disconnect``). Not by what we did to the answer.
        """
        has_left = self.outcome.error_type == CLIENT_DISCONNECT
        if attempt.outcome not in ("ok", "open"):
            if has_left and attempt.outcome == ABANDONED:
                return CLIENT_DISCONNECT
            return self.book.error(attempt.outcome)
        if attempt is not self.exchange.attempts[-1]:
            return ""
        is_cut = has_left or isinstance(self.exchange.error, UpstreamError)
        return self.error if is_cut else ""

    def labels_of(self, candidate: Candidate) -> Labels:
        """Provider and model of *candidate*."""
        if candidate.model == self.outcome.model and candidate.provider == self.outcome.provider:
            return self.served
        model = self.book.model(candidate.model, admit=self.is_real)
        return self.book.provider(candidate.provider), model


def _is_refused(outcome: Outcome) -> bool:
    """By a status that may mean that there is no such model."""
    status = outcome.status
    return status is not None and 400 <= status < 500 and status not in _PASSING
