"""``POST /routing/v1/...``: where a request would go, without asking the model."""

from __future__ import annotations

from typing import Any

from plano_asgi.errors import ModelNotFound, RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.routing.decision import DECISION_KEY, decision
from plano_asgi.routing.sessions import SESSION_KEY, SessionDecision


async def decide(call: Call, exchange: Exchange, pipeline: Pipeline) -> None:
    """
    Answer with the decision about *exchange*. Its own model may be missing or unknown here: the
    preferences are what is asked for.
    """
    try:
        exchange.route = await pipeline.route(exchange)
    except (ModelNotFound, RequestError):
        if DECISION_KEY not in exchange.state:
            raise
    if exchange.route is not None:
        exchange.served_by = exchange.route.candidates[0]  # by the client itself: sessions keep it
    await pipeline.commit(exchange)
    exchange.status = 200
    await call.reply_json(decision(exchange, exchange.route, **_session(exchange)))


def _session(exchange: Exchange) -> dict[str, Any]:
    """What a session made of it, if there is one."""
    found = exchange.state.get(SESSION_KEY)
    if not isinstance(found, SessionDecision):
        return {}
    return {"session_id": found.session_id, "pinned": found.pinned, "switched": found.switched}
