"""How a chat request is written for an upstream: as it came, or rebuilt in another dialect."""

from __future__ import annotations

from dataclasses import replace

from plano_asgi.attempts.engine import Prepare
from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.base import STATE_FIELDS

_CHAT_PATH = "/chat/completions"


def chat_calls(exchange: Exchange, home_family: str) -> Prepare:
    """
    How to write the call for a candidate: verbatim for its own dialect, else rebuilt; rebuilt,
    too, where the conversation replays what we packed, which only a writer can take apart.

    Signed or encrypted reasoning in the conversation comes from *home_family*, whose model the
    client asked for; a candidate of another family would refuse it.
    """

    def prepare(candidate: Candidate, provider: UpstreamProvider) -> UpstreamCall:
        name = provider.dialect_for(exchange.dialect, candidate.model)
        dialect = DIALECTS[name]
        if name == exchange.dialect and not exchange.has_packed_reasoning:
            body = exchange.body
        else:
            request = replace(exchange.request, model=candidate.model)
            _refuse_lost_state(request, name)
            _refuse_nothing_said(request)
            body = dialect.write_request(request, provider.write_options(candidate.model))
        if provider.family != home_family:
            body = dialect.without_reasoning(body)
        return UpstreamCall(
            path=_CHAT_PATH,
            dialect=name,
            model=candidate.model,
            stream=exchange.stream,
            body=body,
            client_headers=exchange.headers,
        )

    return prepare


def _refuse_lost_state(request: ChatRequest, dialect: str) -> None:
    """
    Refuse a rebuilt request that refers to state which only its own dialect's upstream has.

    Raises:
        UnsupportedField: Names the field.
    """
    if request.dialect == dialect:
        return
    for name in STATE_FIELDS:
        if request.extras.get(name):
            raise UnsupportedField(name, dialect, "the upstream keeps no state of this API")


def _refuse_nothing_said(request: ChatRequest) -> None:
    """
    Refuse turns that a rebuilt request would silently lose.

    Raises:
        RequestError: There is no turn at all, or a user's without content.
    """
    field = "input" if request.dialect == "openai.responses" else "messages"
    turns = [m for m in request.messages if m.role not in ("system", "developer")]
    if not turns:
        raise RequestError(f"'{field}' holds no turn to answer.", param=field)
    if any(turn.role == "user" and not turn.parts for turn in turns):
        raise RequestError(f"'{field}' holds a user's turn without content.", param=field)
