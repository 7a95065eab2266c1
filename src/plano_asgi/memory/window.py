"""
Keep a conversation within a window, and say in short what fell out of it.

It is cut in big steps and always before a turn of the user: tool calls stay with their results,
thinking stays with its answer, and the app's own turns stay where they are. Where to cut is
computed from the conversation alone, in steps counted from its beginning: the cut stays where it
is while the conversation grows by less than a step, and so does the provider's prompt cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.exchange import Exchange
from plano_asgi.memory.base import MemoryHook, Namespace
from plano_asgi.memory.summaries import Summaries
from plano_asgi.wire.turns import TURNS, TurnShape

_BYTES_PER_TOKEN = 4


class Cut(NamedTuple):
    """Turns before ``at`` fell out; ``digest`` identifies them."""

    at: int
    digest: str


class Window(MemoryHook):
    """
    Trim the conversation before the model call.

    Args:
        max_tokens: Of all turns together, estimated at 4 bytes a token.
        step_tokens: How much is cut at once; a quarter of the window by default.
        summaries: What falls out is summarised in the background and told to the model in front
            of the first turn that is left, from the next request on.

    Raises:
        ConfigurationError: The step is larger than the window.
    """

    name = "window"

    def __init__(
        self,
        *,
        max_tokens: int = 100_000,
        step_tokens: int | None = None,
        summaries: Summaries | None = None,
    ) -> None:
        step = max(1, max_tokens // 4) if step_tokens is None else step_tokens
        if max_tokens < 1 or not 1 <= step <= max_tokens:
            raise ConfigurationError("step_tokens must be between 1 and max_tokens")
        self._max, self._step = max_tokens, step
        self._summaries = summaries

    async def prepare(self, exchange: Exchange, namespace: Namespace, /) -> None:
        """Cut what is over the window off the beginning."""
        shape = TURNS.get(exchange.dialect)
        if shape is None:
            return
        turns = shape.turns(exchange.body)
        cut = self.cut(turns, shape)
        if cut is None:
            return
        kept = [turn for turn in turns[: cut.at] if shape.is_own(turn)]
        fallen = [turn for turn in turns[: cut.at] if not shape.is_own(turn)]
        # Trimmed first: a store that hangs costs the summary, not the window.
        exchange.replace_body({**exchange.body, shape.field: [*kept, *turns[cut.at :]]})
        if self._summaries is not None:
            summary = await self._summary(self._summaries, exchange, namespace, cut, fallen)
            if summary:
                exchange.replace_body(
                    shape.say(exchange.body, summary, index=len(kept), first=True)
                )

    async def forget(self, namespace: Namespace, /) -> Mapping[str, int]:
        """Drop the summaries on their way; those made are in the store."""
        if self._summaries is None:
            return {}
        return {"summaries": await self._summaries.forget(namespace)}

    async def aclose(self) -> None:
        """Wait for the summaries on their way."""
        if self._summaries is not None:
            await self._summaries.drain()

    def cut(self, turns: Sequence[Any], shape: TurnShape) -> Cut | None:
        """Where to cut *turns*; ``None`` if they fit, or if there is nowhere to."""
        written = [dumps(turn) for turn in turns]
        sizes = [len(text) // _BYTES_PER_TOKEN + 1 for text in written]
        over = sum(sizes) - self._max
        if over <= 0:
            return None
        goal = -(-over // self._step) * self._step
        passed, index = 0, None
        for n, size in enumerate(sizes):
            if n and shape.is_user(turns[n]):
                index = n
                if passed >= goal:
                    break
            passed += size
        if index is None:
            return None
        return Cut(index, hashlib.sha256(b"\n".join(written[:index])).hexdigest())

    async def _summary(
        self,
        summaries: Summaries,
        exchange: Exchange,
        namespace: Namespace,
        cut: Cut,
        fallen: Sequence[Any],
    ) -> str | None:
        try:
            return await summaries.get(namespace, cut.digest, fallen, exchange)
        except MemoryUnavailable:
            return None  # trimmed without one: better than no answer
