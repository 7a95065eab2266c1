"""
``Memory``: the step that trims, recalls and injects before the model call, and records after.

Recalling may never be why an exchange fails: it has a time limit and fails open. Forgetting may
never fail silently: ``delete_all`` raises where the store cannot be reached.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog

from plano_asgi.asgi.request import forget_frames, trace_of
from plano_asgi.conversation import Message, ToolResultPart
from plano_asgi.errors import ConfigurationError, MemoryUnavailable, RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.memory.background import BackgroundQueue, Job
from plano_asgi.memory.base import (
    Injection,
    MemoryHook,
    MemoryStore,
    Namespace,
    Turn,
)
from plano_asgi.memory.injection import (
    Injected,
    InjectionCache,
    inject,
    is_in_loop,
    render,
    turn_key,
)
from plano_asgi.memory.namespace import NamespaceOf, check_namespace, identity, namespace_for
from plano_asgi.memory.open_store import open_store
from plano_asgi.memory.recall import Recall
from plano_asgi.memory.record import Record
from plano_asgi.memory.recorder import SPOILT, Recorder, Spoilt
from plano_asgi.memory.tombstones import Tombstones

_PURGE_S = 60.0
_log = structlog.get_logger("plano_asgi")


class Memory:
    """
    Memory for one kind of conversations; a request-side step.

    Args:
        store: A ``MemoryStore`` or its URL (``sqlite:///memory.db``, ``memory://``,
            ``redis://...``, ``postgresql://...``).
        namespace: Whose memory: a callable on the ASGI scope. Inside a gateway with ``auth=`` the
            identity it vouched for is the default. ``None`` from it: no memory.
        hooks: What to remember and how; recalling and recording turns by default.
        recall_timeout_s: For all hooks together, before the model call; what is not there by then
            is left out.
        max_injection_chars: Of what is put in front of the model.
        queue_size: Turns waiting to be recorded; what comes on top is dropped and counted.
        turn_ttl_s: How long the steps of one tool loop share an injection.
        record_also: Exchanges that are recorded although they did not end well: "blocked",
            "error", "disconnected". None by default.

    Raises:
        ConfigurationError: A bound that is none, or a store's URL that nobody knows.
    """

    def __init__(
        self,
        store: MemoryStore | str = "memory://",
        *,
        namespace: NamespaceOf = identity,
        hooks: Sequence[MemoryHook] | None = None,
        recall_timeout_s: float = 0.3,
        max_injection_chars: int = 6000,
        queue_size: int = 1000,
        turn_ttl_s: float = 1800.0,
        record_also: Collection[Spoilt] = (),
        timer: Callable[[], float] = time.time,
    ) -> None:
        if not callable(namespace):
            raise ConfigurationError("namespace must be a callable on the ASGI scope")
        if recall_timeout_s <= 0 or max_injection_chars <= 0 or queue_size <= 0:
            raise ConfigurationError("memory's bounds must be more than 0")
        self.store = open_store(store) if isinstance(store, str) else store
        self.hooks = tuple(hooks) if hooks is not None else (Recall(self.store), Record())
        self.queue = BackgroundQueue(size=queue_size)
        self._namespace_of = namespace
        self._recall_timeout_s = recall_timeout_s
        self._max_injection_chars = max_injection_chars
        self._injections = InjectionCache(ttl_s=turn_ttl_s)
        self._tombstones = Tombstones(self.store, timer=timer)
        self._record_also = frozenset(record_also)
        if unknown := self._record_also - SPOILT:
            raise ConfigurationError(f"record_also knows {sorted(SPOILT)}, not {sorted(unknown)}")
        self._timer = timer

    async def __call__(self, exchange: Exchange) -> None:
        """Change *exchange* before the model call; arrange for its turn to be recorded."""
        if exchange.operation != "chat" or exchange.state.get("memory.namespace") is not None:
            return
        namespace = await namespace_for(exchange.scope, self._namespace_of)
        if namespace is None:
            return
        exchange.state["memory.namespace"] = namespace
        asked = _new_messages(exchange)
        key = turn_key(exchange)
        failed = False
        with exchange.doing("memory", type(self.store).__name__) as activity:
            try:
                with anyio.fail_after(self._recall_timeout_s):
                    for hook in self.hooks:
                        await hook.prepare(exchange, namespace)
                    text = await self._recalled(exchange, namespace, key)
            except TimeoutError:
                text, activity.error, failed = "", "timeout", True
                _log.warning("memory_recall_timeout", request_id=exchange.id)
            except MemoryUnavailable:
                text, activity.error, failed = "", "memory_unavailable", True
                _log.warning("memory_unavailable", request_id=exchange.id)
            except Exception as exc:  # an embedder or a hook of the user's: open, and told
                text, activity.error, failed = "", exc, True
                _log.error("memory_recall_failed", request_id=exchange.id, trace=trace_of(exc))
                forget_frames(exc)  # this one holds *activity*
            hits = exchange.facts.get("memory_hits")
            activity.note(hits=hits)
        exchange.facts["memory_store"] = "error" if failed else "hit" if hits else "miss"
        exchange.facts["memory_injected"] = bool(text)
        if text:
            inject(exchange, text)
        self._listen(exchange, namespace, asked)

    async def delete_all(self, namespace: Namespace) -> dict[str, int]:
        """
        Forget everything of *namespace*: items with their texts and embeddings, summaries, what
        waits to be written here and in other processes, injections that are still in use.

        Returns:
            How many there were: ``items``, ``queued``, ``injections`` and the hooks' own.

        Raises:
            MemoryUnavailable: The store cannot be reached; ask again.
        """
        check_namespace(namespace)
        await self._tombstones.mark(namespace)
        counts = {
            "queued": await self.queue.forget(namespace),
            "injections": self._injections.forget(namespace),
        }
        for hook in self.hooks:
            counts |= await hook.forget(namespace)
        counts["items"] = await self.store.delete_all(namespace)
        return counts

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        """
        Compose into the host's: what has expired is deleted every minute, though nobody writes,
        and what is queued at shutdown is still recorded.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._purge)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                await self.aclose()

    async def _purge(self) -> None:
        while True:
            try:
                await self.store.purge()
            except MemoryUnavailable:
                _log.warning("memory_unavailable", what="purge")
            await anyio.sleep(_PURGE_S)

    async def aclose(self) -> None:
        """Work the queue off, for a bounded time, and close the store."""
        with anyio.CancelScope(shield=True):
            await self.queue.drain()
            for hook in self.hooks:
                await hook.aclose()
            await self.store.aclose()

    async def _recalled(self, exchange: Exchange, namespace: Namespace, key: bytes | None) -> str:
        if key is None:
            return ""
        known = self._injections.get(namespace, key) if is_in_loop(exchange) else None
        # Another process may have been told to forget what this one still has at hand.
        if known is not None and not await self._tombstones.cover(namespace, known.made_at):
            return known.text
        found = [await hook.recall(exchange, namespace) for hook in self.hooks]
        injections = [injection for injection in found if injection is not None]
        exchange.facts["memory_hits"] = sum(len(injection.items) for injection in injections)
        text = self._rendered(injections) if injections else ""
        self._injections.put(namespace, key, Injected(text, self._timer()))
        return text

    def _rendered(self, injections: list[Injection]) -> str:
        return render(injections, max_chars=self._max_injection_chars)

    def _listen(self, exchange: Exchange, namespace: Namespace, asked: Sequence[Message]) -> None:
        asked_at = self._timer()

        def done(turn: Turn) -> None:
            turn = scrubbed(turn, exchange)
            job = Job(
                namespace, "record", lambda: self._record(turn, exchange, namespace, asked_at)
            )
            self.queue.put(job)

        exchange.response_filters.append(Recorder(asked, done, also=self._record_also))

    async def _record(
        self, turn: Turn, exchange: Exchange, namespace: Namespace, asked_at: float
    ) -> None:
        for hook in self.hooks:
            items = await hook.record(turn, exchange, namespace)
            # Asked late: a hook may take its time, and the user may have been forgotten meanwhile.
            await self._tombstones.keep(namespace, items, said_at=asked_at)


def scrubbed(turn: Turn, exchange: Exchange) -> Turn:
    """*turn* as it may be kept: with nothing in it that only this exchange can make sense of."""
    for scrub in exchange.scrubbers:
        for message in (*turn.asked, *turn.answered):
            for part in message.parts:
                _scrub(part, scrub)
    return turn


def _scrub(part: Any, scrub: Callable[[str], str]) -> None:
    for name in ("text", "arguments"):
        if text := getattr(part, name, None):
            setattr(part, name, scrub(text))
    for inner in part.content if isinstance(part, ToolResultPart) else ():
        _scrub(inner, scrub)


def _new_messages(exchange: Exchange) -> list[Message]:
    """The turns that came with this request: those after the last answer."""
    try:
        request = exchange.read_request(exchange.body)
    except RequestError:
        return []  # whoever serves it says so
    messages = request.messages
    last = max((n for n, m in enumerate(messages) if m.role == "assistant"), default=-1)
    return [m for m in messages[last + 1 :] if m.role in ("user", "tool")]
