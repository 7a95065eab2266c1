"""Work of the state that is worth telling of."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from plano_asgi.exchange import Exchange

_UNHEARD: AbstractContextManager[object] = nullcontext()


def doing(
    exchange: Exchange,
    name: Literal["response", "conversation", "items"],
    operation: Literal["load", "save"],
) -> AbstractContextManager[object]:
    """``exchange.doing``; without a watcher, in a fifth of its time."""
    if exchange.watcher is None:
        return _UNHEARD
    return exchange.doing("state", name, operation=operation)
