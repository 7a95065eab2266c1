"""
Rebuild a stream in the client's dialect from events, whatever dialect they came in.

It ends in one of two manners: a whole answer ends cleanly, anything else ends in an error event of
the client's dialect and never in a clean end.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from anyio import get_cancelled_exc_class

from plano_asgi.asgi.body import ClientDisconnected
from plano_asgi.asgi.request import unexpected
from plano_asgi.asgi.respond import RawHeaders
from plano_asgi.attempts.answer import Answer, scrub_error
from plano_asgi.errors import UpstreamError, UpstreamReset
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.call import STREAM_HEADERS, Call
from plano_asgi.gateway.stream_progress import Progress
from plano_asgi.stream_events import (
    StreamEvent,
)
from plano_asgi.wire import StreamWriter


async def translate_stream(
    call: Call, exchange: Exchange, answer: Answer, headers: RawHeaders
) -> None:
    """Rebuild a stream in the client's dialect from the events of any other."""
    writer = call.dialect.stream_writer(exchange.request)
    progress = Progress()
    send = call.send

    async def emit(data: bytes) -> None:
        if data:
            await send({"type": "http.response.body", "body": data, "more_body": True})

    await call.start(200, [*STREAM_HEADERS, *headers])
    exchange.timings.first_byte = time.monotonic()
    try:
        await emit(_encode(writer, progress, answer.events))
        with answer.time_limit():
            async with aclosing(rest_of(answer)) as rest:
                async for events in rest:
                    await emit(_encode(writer, progress, events))
                    if progress.failure or progress.has_ended:
                        break  # whatever follows, or however long the upstream lingers
    except UpstreamError as exc:
        if not progress.is_whole:
            progress.failure = progress.failure or exc
    except (ClientDisconnected, get_cancelled_exc_class()):
        exchange.usage = progress.usage
        if not progress.is_whole:
            exchange.cut_after_bytes = progress.written
        raise
    except Exception as exc:  # a bug of ours: the client is told in-band, the log in full
        progress.failure = unexpected(exc, call.id)
    if not progress.is_whole and progress.failure is None:
        progress.failure = UpstreamReset("The upstream's answer broke off.")
    exchange.usage, exchange.error = progress.usage, exchange.error or progress.failure
    if progress.failure is not None:
        exchange.cut_after_bytes = progress.written
        scrub_error(progress.failure, answer.sent_headers)
        last = writer.fail(progress.failure)
    else:
        last = writer.finish()
    await send({"type": "http.response.body", "body": last})
    if progress.has_ended:
        await answer.drain()


async def rest_of(answer: Answer) -> AsyncGenerator[list[StreamEvent]]:
    """The events that follow ``answer.events``, as they arrive."""
    reader = answer.reader
    if reader is None or answer.chunks is None:
        return
    if answer.unread:
        yield reader.feed(answer.unread)
    async for chunk in answer.chunks:
        if events := reader.feed(chunk):
            yield events
    yield reader.close()


def _encode(writer: StreamWriter, progress: Progress, events: list[StreamEvent]) -> bytes:
    events = progress.note(events)
    return writer.write(events) if events else b""
