"""``PlanoMemory``: an app that remembers, in one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypedDict, Unpack

from starlette.types import ASGIApp

from plano_asgi.asgi.body import BODY_TIMEOUT_S, MAX_BODY_BYTES
from plano_asgi.asgi.tap import MAX_FILTERED_BYTES
from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.base import MemoryHook, MemoryStore
from plano_asgi.memory.memory import Memory
from plano_asgi.memory.namespace import NamespaceOf
from plano_asgi.memory.recorder import Spoilt
from plano_asgi.middleware.around import ExchangeMiddleware
from plano_asgi.middleware.recognise import Recogniser


class MemoryOptions(TypedDict, total=False):
    """What a ``Memory`` is made of; see there."""

    store: MemoryStore | str
    namespace: NamespaceOf
    hooks: Sequence[MemoryHook] | None
    recall_timeout_s: float
    max_injection_chars: int
    queue_size: int
    turn_ttl_s: float
    record_also: Collection[Spoilt]


class PlanoMemory(ExchangeMiddleware):
    """
    Recall before the model call, record after the answer.

        app.add_middleware(PlanoMemory, store="sqlite:///memory.db",
                           namespace=lambda scope: scope["user"].id)

    Works on chat completions, Messages and Responses, by path and shape of body. What is queued is
    written on shutdown, since the middleware sees the app's lifespan.

    Args:
        memory: One of your own, to keep at hand for ``delete_all``; or give what it is made of:
        **options: As for ``Memory``; *namespace* is required, for no app's users may share one.
        paths: Other paths that speak a dialect: pattern -> its name.
        max_body_bytes, body_timeout_s, max_answer_bytes: See ``ExchangeMiddleware``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        memory: Memory | None = None,
        paths: Mapping[str, str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
        max_answer_bytes: int = MAX_FILTERED_BYTES,
        **options: Unpack[MemoryOptions],
    ) -> None:
        if memory is not None and options:
            raise ConfigurationError(f"memory= has its own {', '.join(sorted(options))}")
        if memory is None:
            if "namespace" not in options:
                raise ConfigurationError(
                    "PlanoMemory needs namespace=: a callable on the scope that says whose memory"
                )
            memory = Memory(**options)
        self.memory = memory
        super().__init__(
            app,
            [memory],
            recogniser=Recogniser(paths or {}),
            max_body_bytes=max_body_bytes,
            body_timeout_s=body_timeout_s,
            max_answer_bytes=max_answer_bytes,
            lifespan=memory.lifespan,
        )
