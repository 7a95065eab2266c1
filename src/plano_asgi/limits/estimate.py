"""How many tokens a request may use, before anybody knows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from plano_asgi._json import dumps
from plano_asgi.conversation import Usage
from plano_asgi.errors import PlanoError
from plano_asgi.exchange import Exchange
from plano_asgi.wire.token_estimate import estimate_input_tokens

_OUTPUT_FIELDS = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
    "anthropic.messages": ("max_tokens",),
}
_ANSWERS = frozenset({"chat", "/completions"})
_BYTES_PER_TOKEN = 4
_BASE64, _DATA = b";base64,", b'data":"'  # bytes that no model reads as text


class Estimate(NamedTuple):
    """Tokens."""

    input_tokens: int = 0
    output_tokens: int = 0

    def usage(self, *, max_output_tokens: int | None = None) -> Usage:
        """As if an upstream had counted it, with no more than *max_output_tokens* of output."""
        output = self.output_tokens
        if max_output_tokens is not None:
            output = min(output, max_output_tokens)
        return Usage(input_tokens=self.input_tokens, output_tokens=output, estimated=True)


def estimated(exchange: Exchange, default_output_tokens: int) -> Estimate:
    """
    What *exchange* may use at most: its body's tokens, and the output that it asks for, or
    *default_output_tokens* where it names no bound; for each of its ``n`` answers.

    A body's tokens are a quarter of its JSON's bytes, which overstates English a little; one with
    media in it is counted part by part.
    """
    return Estimate(_input_tokens(exchange), _output_tokens(exchange, default_output_tokens))


def settled(exchange: Exchange, estimate: Estimate, default_output_tokens: int) -> Usage | None:
    """
    What *exchange* has used, ``None`` for nothing: as the upstream counted it; where it did not,
    or was cut off after the answer had begun, the estimate, with as much output as had been
    written by then; no more than *default_output_tokens* where nobody knows how much that is.
    Nothing where no byte of an answer came.
    """
    told = exchange.usage
    written = exchange.cut_after_bytes if exchange.operation in _ANSWERS else 0
    has_begun = exchange.timings.first_byte is not None
    is_cut = exchange.stream and has_begun and exchange.error is not None
    if told is not None and not (is_cut or written):
        return told
    if exchange.served_by is None or not has_begun:
        return None
    if written:
        used = Usage(
            input_tokens=estimate.input_tokens,
            output_tokens=-(-written // _BYTES_PER_TOKEN),
            estimated=True,
        )
    else:
        used = estimate.usage(max_output_tokens=default_output_tokens)
    return used if told is None else _at_least(told, used)


def _at_least(told: Usage, used: Usage) -> Usage:
    """
    *told* in the middle of an answer, which is what had come by then (Anthropic's streams begin
    with their input tokens and an output of one), with the output estimated in *used*.
    """
    return replace(
        told,
        input_tokens=told.input_tokens or used.input_tokens,
        output_tokens=max(told.output_tokens, used.output_tokens),
        estimated=True,
    )


def _input_tokens(exchange: Exchange) -> int:
    content = dumps(exchange.body)
    if exchange.operation == "chat" and (_BASE64 in content or _DATA in content):
        with suppress(PlanoError):  # what is wrong with it is said by whoever needs it
            return estimate_input_tokens(exchange.request)
    return -(-len(content) // _BYTES_PER_TOKEN)


def _output_tokens(exchange: Exchange, default: int) -> int:
    if exchange.operation not in _ANSWERS:
        return 0
    body = exchange.body
    for name in _OUTPUT_FIELDS.get(exchange.dialect, ()):
        if (value := body.get(name)) is not None:
            default = _count(value, default)
            break
    return default * max(1, _count(body["n"], 1)) if "n" in body else default


def _count(value: object, default: int) -> int:
    """*value* where it is a count: a body may hold anything."""
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else default
