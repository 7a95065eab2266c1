"""``PlanoGuard``: guards around any ASGI app, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp

from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES
from plano_asgi.asgi.tap import MAX_FILTERED_BYTES
from plano_asgi.errors import ConfigurationError
from plano_asgi.guards import default_guards
from plano_asgi.guards.audit import OnAudit
from plano_asgi.guards.base import Guard
from plano_asgi.guards.chain import GuardChain, OnBlock
from plano_asgi.middleware.around import ExchangeMiddleware, Identity
from plano_asgi.middleware.recognise import Paths, Recogniser


class PlanoGuard(ExchangeMiddleware):
    """
    Guard what an app's clients ask of a model, and what it answers.

        app.add_middleware(PlanoGuard)
        app.add_middleware(PlanoGuard, paths=["/ask"], fields=["question", "history.*.text"])

    Chat completions, Messages, Responses and the APIs around them are known by path and shape of
    body, wherever they are mounted. Forms, uploads, query strings and websockets are not looked
    at.

    Args:
        guards: In order; ``default_guards()`` if ``None``. A ``GuardChain`` brings its own
            *on_block*, *message* and *on_audit*.
        paths, fields, answer_fields: Other JSON routes; see ``Paths`` and ``FieldLayout``.
        exclude: Path patterns that are not looked at; see ``Recogniser``.
        on_block: "error": 400 in the client's dialect; "answer": an answer with status 200 that
            reads *message*.
        on_audit: Hears of every audit record.
        identity, max_body_bytes, body_timeout_s, max_answer_bytes: See ``ExchangeMiddleware``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        guards: GuardChain | Sequence[Guard] | None = None,
        paths: Paths = (),
        fields: Sequence[str] = (),
        answer_fields: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        on_block: OnBlock = "error",
        message: str | None = None,
        on_audit: OnAudit | None = None,
        identity: Identity | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
        max_answer_bytes: int = MAX_FILTERED_BYTES,
    ) -> None:
        if isinstance(guards, GuardChain):
            if on_block != "error" or message is not None or on_audit is not None:
                raise ConfigurationError(
                    "a GuardChain has its own on_block, message and on_audit: give them there"
                )
            chain = guards
        else:
            chosen = default_guards() if guards is None else guards
            chain = GuardChain(chosen, on_block=on_block, message=message, on_audit=on_audit)
        if not chain.guards:
            raise ConfigurationError("PlanoGuard needs at least one guard")
        super().__init__(
            app,
            [chain],
            recogniser=Recogniser(
                paths, fields=fields, answer_fields=answer_fields, exclude=exclude
            ),
            identity=identity,
            max_body_bytes=max_body_bytes,
            body_timeout_s=body_timeout_s,
            max_answer_bytes=max_answer_bytes,
        )
