"""Run an exchange: its request-side steps, and its app with a tap where something listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import structlog
from starlette.types import Send

from plano_asgi.asgi.request import as_stopped
from plano_asgi.asgi.tap import ResponseTap, TapLimits, close_filters, take_filters
from plano_asgi.asgi.tap_voice import Voice
from plano_asgi.errors import PlanoError
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter

RequestStep: TypeAlias = Callable[[Exchange], Awaitable[None]]
"""A request-side step: changes the exchange, registers response filters, or raises to stop it."""

Check: TypeAlias = Callable[[], Awaitable[None]]
Work: TypeAlias = Callable[[Send], Awaitable[None]]
_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True, kw_only=True)
class Listeners:
    """What steps registered on an exchange, taken off it by the one who runs it."""

    filters: Sequence[ResponseFilter] = ()
    checks: Sequence[Check] = ()

    def __bool__(self) -> bool:
        return bool(self.filters or self.checks)


async def run_steps(
    exchange: Exchange, steps: Sequence[RequestStep], *, limits: TapLimits
) -> Listeners:
    """
    Run *steps* in order, and take what they registered: it is the caller's to run. Where somebody
    further out hears the answer already, the filters are left to them: one tap runs all, in order.

    Raises:
        AnswerInstead, PlanoError: What a step raised. Filters registered before have been closed.
    """
    try:
        for step in steps:
            await step(exchange)
    except BaseException as exc:
        if exchange.error is None and isinstance(exc, PlanoError):
            exchange.error = exc
        exchange.beside = []
        if not exchange.is_heard:
            await close_filters(take_filters(exchange), exchange, limits.close_timeout_s)
        raise
    checks, exchange.beside = exchange.beside, []
    filters = [] if exchange.is_heard else take_filters(exchange)
    return Listeners(filters=filters, checks=checks)


async def run_tapped(
    exchange: Exchange,
    listeners: Listeners,
    work: Work,
    send: Send,
    voice: Voice,
    *,
    limits: TapLimits,
    left: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """
    Run *work* with a tap in the place of *send*, and the checks beside it.

    Args:
        left: Returns when the client has left, which ends the checks; *work* sees to itself.
            ``None`` where the caller cancels everything.

    Raises:
        What *work* raises, unless it was stopped.
    """
    scope = anyio.CancelScope()
    exchange.is_heard = exchange.is_heard or bool(listeners.filters)
    tap = ResponseTap(
        send,
        exchange,
        listeners.filters,
        voice,
        stop=scope.cancel,
        limits=limits,
        is_open=not listeners.checks,
    )
    run = _Run(exchange, tap, scope, work)
    try:
        if listeners.checks:
            await run.beside(listeners.checks, left)
        else:
            await run.app()
    finally:
        if listeners.filters:
            exchange.answered = None  # what went out may be something else
        await tap.close()


@dataclass(slots=True)
class _Run:
    exchange: Exchange
    tap: ResponseTap
    scope: anyio.CancelScope
    work: Work

    async def app(self) -> None:
        """The app, until it is done or stopped."""
        with self.scope:
            try:
                await self.work(self.tap)
            except Exception as exc:
                if self.tap.is_silent:  # it was cut off in the middle: no news to anybody
                    _log.info(
                        "stopped_app_failed",
                        request_id=self.exchange.id,
                        error=type(exc).__name__,
                    )
                    return
                self.exchange.error = self.exchange.error or exc
                await self.tap.finish(failed=True)
                raise
            await self.tap.finish()

    async def beside(
        self, checks: Sequence[Check], left: Callable[[], Awaitable[object]] | None
    ) -> None:
        """The app and the checks at once."""
        failure: Exception | None = None
        refusing = False
        judging, watching = anyio.CancelScope(), anyio.CancelScope()

        async def judge() -> None:
            nonlocal refusing
            with judging:
                try:
                    stopped = await _first_stop(checks, self.exchange.id)
                except anyio.get_cancelled_exc_class():
                    self.tap.silence()  # nobody is left to open it
                    raise
                watching.cancel()
                if stopped is None:
                    self.tap.open()
                elif not self.tap.is_silent:
                    refusing = True
                    self.scope.cancel()  # first: a slow client is no reason to go on with the call
                    await self.tap.refuse(stopped)

        async def watch(leave: Callable[[], Awaitable[object]]) -> None:
            with watching:
                await leave()
                self.tap.silence()
                judging.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(judge)
            if left is not None:
                tasks.start_soon(watch, left)
            try:
                await self.app()
            except Exception as exc:
                failure = exc  # re-raised below: a task group would wrap it
            watching.cancel()
            if not refusing:
                judging.cancel()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback leads here: it would hold itself


async def _first_stop(checks: Sequence[Check], request_id: str) -> AnswerStopped | None:
    """Run *checks* at once; the first that stops the answer ends the others."""
    found: list[AnswerStopped] = []
    # A scope each: what is cancelled with its task group is left to the garbage collector.
    scopes = [anyio.CancelScope() for _ in checks]

    async def run(check: Check, own: anyio.CancelScope) -> None:
        with own:
            try:
                await check()
            except Exception as exc:
                found.append(as_stopped(exc, request_id))
                for scope in scopes:
                    scope.cancel()

    async with anyio.create_task_group() as tasks:
        for check, scope in zip(checks, scopes, strict=True):
            tasks.start_soon(run, check, scope)
    first = found[0] if found else None
    found.clear()  # frames of these hold it
    return first
