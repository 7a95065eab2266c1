"""``POST /messages/count_tokens``: the upstream's own count, else an estimate that says so."""

from __future__ import annotations

from plano_asgi.asgi.tap_voice import exchange_headers
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import Call
from plano_asgi.gateway.pipeline import Pipeline
from plano_asgi.gateway.relay import relay
from plano_asgi.wire.token_estimate import estimate_input_tokens

_MESSAGES = "anthropic.messages"


async def count_tokens(call: Call, exchange: Exchange, pipeline: Pipeline) -> None:
    """
    Answer ``{"input_tokens": n}`` for an exchange read before. An estimate carries
    ``"estimated": true`` and the header ``x-plano-estimated``.
    """
    exchange.route = await pipeline.route(exchange)
    first = exchange.route.candidates[0]
    if pipeline.engine.dialect(first, _MESSAGES) == _MESSAGES:
        await relay(call, exchange, pipeline)
        return
    # The counting endpoint demands no max_tokens, the dialect's reader does.
    exchange.replace_body({"max_tokens": 1, **exchange.body})
    exchange.served_by = first
    headers = exchange_headers(exchange) | {"x-plano-estimated": "true"}
    tokens = estimate_input_tokens(exchange.request)
    await call.reply_json({"input_tokens": tokens, "estimated": True}, headers=headers)
