"""
The response side of an exchange: an object that is a ``send``.

It holds the response's start until the first bytes of its body may go out, so that until then an
answer can still become an error, and runs the exchange's response filters over what the app sends:
whole JSON bodies, and streams event by event. Everything else passes untouched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import structlog
from starlette.types import Message, Send

from plano_asgi.asgi.request import as_stopped, forget_frames
from plano_asgi.asgi.tap_body import FilteredBody
from plano_asgi.asgi.tap_headers import (
    for_new_body,
    guessed_type,
    has_no_body,
    header,
    inflater_for,
    is_json,
    plain_start,
    tells_nothing,
    told_type,
)
from plano_asgi.asgi.tap_stream import FilteredStream
from plano_asgi.asgi.tap_voice import Voice
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.wire.field_layout import FieldLayout
from plano_asgi.wire.stream_forms import stream_form

MAX_FILTERED_BYTES = 16 << 20
_START = "http.response.start"
_BODY = "http.response.body"
_BY_PATH = frozenset(("http.response.pathsend", "http.response.zerocopysend"))
_log = structlog.get_logger("plano_asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class TapLimits:
    """
    Bounds of one filtered response.

    Args:
        max_answer_bytes: Of a whole JSON body, which is held until it is judged; over it: 502.
        close_timeout_s: For each filter's ``on_close``.
    """

    max_answer_bytes: int = MAX_FILTERED_BYTES
    close_timeout_s: float = 5.0


class ResponseTap:
    """
    A ``send`` for one exchange's app.

    Args:
        filters: Run by rank, then in the order given; those that steps further in register before
            the response begins join them, in front.
        voice: Writes the answers that are ours.
        stop: Cancels the app; called once the client has its last word from us. An app may
            swallow what ``send`` raises, so nothing is left to exceptions.
        is_open: Nothing runs beside the call; otherwise no byte goes out before ``open``.
    """

    def __init__(
        self,
        send: Send,
        exchange: Exchange,
        filters: Sequence[ResponseFilter],
        voice: Voice,
        *,
        stop: Callable[[], None],
        limits: TapLimits,
        is_open: bool = True,
    ) -> None:
        self._send = send
        self._exchange = exchange
        self._hears = bool(filters)
        self._filters = list(filters)
        self._voice = voice
        self._stop = stop
        self._limits = limits
        self._gate = None if is_open else anyio.Event()
        self._start: Message | None = None
        self._early = b""
        self._body: FilteredBody | FilteredStream | None = None
        self._is_decided = self._has_started = self._is_closed = False
        self._has_ended = False
        self.is_silent = False
        """Nothing that the app says reaches the client any more."""

    async def __call__(self, message: Message) -> None:
        """Take one message of the app."""
        if self.is_silent:
            return
        if message["type"] == _START:
            await self._take_start(message)
        elif message["type"] == _BODY:
            await self._take_body(message)
        else:
            await self._take_other(message)

    def open(self) -> None:
        """Every check beside the call has passed: bytes may go out."""
        if self._gate is not None:
            self._gate.set()

    def silence(self) -> None:
        """The client has left, or has been answered: let the app talk to nobody."""
        self.is_silent = True
        self.open()

    async def refuse(self, stopped: AnswerStopped) -> None:
        """End the answer here, in the client's own form, and stop the app."""
        if self.is_silent or self._has_ended:
            return
        self.silence()
        self._exchange.error = stopped.error
        try:
            if self._has_started:
                await self._break_off(stopped)
            else:
                await self._answer_instead(stopped)
        except OSError:  # ASGI 2.4: the client has left, and will not hear it
            self._exchange.disconnected = True
        finally:
            self._has_ended = True
            forget_frames(stopped)
            self._stop()

    async def finish(self, *, failed: bool = False) -> None:
        """
        The app is done or has *failed*. What was held of a stream that it left unended goes out,
        without an end; of a whole body, half is nothing that can be judged. Where nothing has gone
        out yet, a failure is left to be answered by whoever is around the app.
        """
        if self.is_silent or self._has_ended or (failed and not self._has_started):
            return
        if self._early:  # too little to be anything that could be judged
            await self._put(self._early, more=True)
        elif isinstance(self._body, FilteredStream):
            if held := await self._filtered(b"", more=False):
                await self._put(held, more=True)
        elif isinstance(self._body, FilteredBody):
            cut = UpstreamProtocolError("The answer broke off before it was whole.")
            await self.refuse(AnswerStopped(cut, reason="error"))

    async def close(self) -> None:
        """Tell every filter, once, that the response is over."""
        if self._is_closed:
            return
        self._is_closed = True
        self._join()
        exchange = self._exchange
        if not self._has_ended and exchange.error is None:
            exchange.disconnected = True
        await close_filters(self._filters, exchange, self._limits.close_timeout_s)

    def _join(self) -> None:
        """Take in what steps further in have registered."""
        if self._hears:
            joined = take_filters(self._exchange)
            self._filters = sorted([*joined, *self._filters], key=_rank)

    async def _take_start(self, message: Message) -> None:
        self._start = {**message, "headers": [*message.get("headers", ())]}
        self._exchange.status = message["status"]
        self._join()
        if not self._filters or has_no_body(message["status"]):
            self._is_decided = True
            if self._gate is None:
                await self._send_start()

    async def _take_body(self, message: Message) -> None:
        chunk: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._has_ended or self._start is None:
            return
        if not self._is_decided and (chunk or not more):
            self._early, chunk = b"", self._early + chunk
            try:
                if more and self._is_unclear(chunk):
                    self._early = chunk
                    return
                self._decide(chunk)
            except UpstreamProtocolError as exc:
                await self.refuse(AnswerStopped(exc, reason="error"))
                return
        out = await self._filtered(chunk, more=more)
        if out is not None:
            await self._put(out, more=more)

    async def _take_other(self, message: Message) -> None:
        """Trailers and extensions as they are; a body that the server fetches as a body."""
        is_body = message["type"] in _BY_PATH
        if is_body and self._start is not None:
            if not await self._passes_unseen():
                return
            if not self._has_started:
                await self._send_start()
        if self.is_silent:
            return
        await self._send(message)
        if is_body and not message.get("more_body", False):
            self._has_ended = True
            await self.close()

    async def _passes_unseen(self) -> bool:
        """Whether a body that the app has the server send may go: not one that is to be judged."""
        try:
            if not self._is_decided:
                self._decide(b"")
            if self._body is None:
                return True
            raise UpstreamProtocolError("The answer came in a way that cannot be looked into.")
        except UpstreamProtocolError as exc:
            await self.refuse(AnswerStopped(exc, reason="error"))
        return False

    def _is_unclear(self, chunk: bytes) -> bool:
        """Whether an LLM API's answer, not called what it may be, has not said enough yet."""
        assert self._start is not None
        layout, headers = self._exchange.layout, self._start["headers"]
        content_type = header(headers, b"content-type")
        if layout is None or isinstance(layout, FieldLayout) or is_json(content_type):
            return False
        if stream_form(layout, content_type) is not None:
            return False
        return tells_nothing(plain_start(headers, chunk))

    def _decide(self, chunk: bytes) -> None:
        """What this response is, by its headers and first bytes."""
        assert self._start is not None
        self._is_decided = True
        headers = self._start["headers"]
        layout = self._exchange.layout
        content_type = header(headers, b"content-type")
        if not isinstance(layout, FieldLayout):
            content_type = told_type(content_type, plain_start(headers, chunk))
        content_type = content_type or guessed_type(chunk)
        if layout is not None and (form := stream_form(layout, content_type)) is not None:
            self._body = FilteredStream(form, self._filters, self._exchange, inflater_for(headers))
            self._start["headers"] = for_new_body(headers)
        elif is_json(content_type):
            self._body = FilteredBody(
                self._filters,
                self._exchange,
                max_bytes=self._limits.max_answer_bytes,
                inflater=inflater_for(headers),
            )

    async def _filtered(self, chunk: bytes, *, more: bool) -> bytes | None:
        """What goes out for *chunk*; ``None`` for nothing, not even an end."""
        try:
            if isinstance(self._body, FilteredStream):
                out = await self._body.feed(chunk)
                return out if more else out + await self._body.close()
            if isinstance(self._body, FilteredBody):
                self._body.add(chunk)
                return None if more else await self._whole(self._body)
            return chunk
        except Exception as exc:
            await self.refuse(as_stopped(exc, self._exchange.id))
        return None

    async def _whole(self, body: FilteredBody) -> bytes:
        content, is_new = await body.finish()
        if is_new:
            assert self._start is not None
            self._start["headers"] = for_new_body(self._start["headers"], len(content))
        return content

    async def _put(self, content: bytes, *, more: bool) -> None:
        if not content and more:
            return
        if not self._has_started:
            await self._send_start()
            if self.is_silent:
                return
            self._exchange.timings.first_byte = time.monotonic()
        await self._say(content, more=more)
        if not more:
            self._has_ended = True
            await self.close()

    async def _send_start(self) -> None:
        if self._gate is not None and not self._gate.is_set():
            # Cancelled in here, an app's generator would stay open: let it be in a wait of its own.
            with anyio.CancelScope(shield=True):
                await self._gate.wait()
        if self.is_silent or self._start is None:
            return
        self._has_started = True
        await self._send(self._start)

    async def _say(self, content: bytes, *, more: bool) -> None:
        await self._send({"type": _BODY, "body": content, "more_body": more})

    async def _answer_instead(self, stopped: AnswerStopped) -> None:
        voice = self._voice
        if stopped.as_answer:
            said = voice.refusal(stopped.text, stopped.reason)
        else:
            said = voice.error(stopped.error)
        self._has_started = True
        self._exchange.status = said.status
        length = (b"content-length", b"%d" % len(said.body))
        start: dict[str, Any] = {"type": _START, "status": said.status}
        await self._send({**start, "headers": [*said.headers, length]})
        await self._say(said.body, more=False)

    async def _break_off(self, stopped: AnswerStopped) -> None:
        """A refusal ends as its dialect has it, a failure in an error and never in a clean end."""
        assert self._start is not None
        if not isinstance(self._body, FilteredStream):
            return  # the last send of a whole body failed: there is nobody to tell
        if stopped.reason != "error" and stopped.error.status < 500:
            await self._say(self._body.stop(stopped.reason, stopped.text), more=False)
            return
        content_type = header(self._start["headers"], b"content-type")
        last = self._voice.stream_error(stopped.error, content_type)
        # Without a last word the response stays unended: the server cuts it, which clients notice.
        await self._say(self._body.passed() + (last or b""), more=last is None)


def take_filters(exchange: Exchange) -> list[ResponseFilter]:
    """The filters registered on *exchange*, by rank; they are on its list no more."""
    filters = sorted(exchange.response_filters, key=_rank)
    exchange.response_filters = []
    return filters


def _rank(step: ResponseFilter) -> int:
    return step.rank


async def close_filters(
    filters: Sequence[ResponseFilter], exchange: Exchange, timeout_s: float
) -> None:
    """Call every filter's ``on_close``, whatever befalls the others; each for *timeout_s*."""
    cancelled: BaseException | None = None
    for step in filters:
        try:
            with anyio.move_on_after(timeout_s, shield=True):
                await _close(step, exchange)
        except anyio.get_cancelled_exc_class() as exc:
            cancelled = exc  # a bare task's: no scope shields from that; the others still hear
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # its traceback leads here: it would hold itself


async def _close(step: ResponseFilter, exchange: Exchange) -> None:
    try:
        await step.on_close(exchange)
    except Exception as exc:
        _log.error("filter_close_failed", request_id=exchange.id, error=type(exc).__name__)
