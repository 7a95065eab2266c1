"""One streamed answer on its way through the filters: bytes in, bytes out, events between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plano_asgi.asgi.tap_headers import Inflater
from plano_asgi.conversation import FinishReason
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.passages import WireEvent
from plano_asgi.wire.stream_forms import StreamForm


class FilteredStream:
    """
    Decodes a stream, runs *filters* over its events in order, and encodes what they leave.

    An event that nobody holds or changes leaves in the bytes that it came in. Filters' errors
    pass through.
    """

    def __init__(
        self,
        form: StreamForm,
        filters: Sequence[ResponseFilter],
        exchange: Exchange,
        inflater: Inflater | None = None,
    ) -> None:
        self._form = form
        self._decoder = form.decoder()
        self._editor = form.editor()
        self._filters = filters
        self._exchange = exchange
        self._inflater = inflater
        self._saw_end = False
        self._passed: list[WireEvent] = []  # by all filters, and not written yet

    async def feed(self, chunk: bytes) -> bytes:
        """
        Take the next bytes; return what may go out now.

        Raises:
            UpstreamProtocolError: An event is too large, or the bytes are not encoded as said.
        """
        inflater = self._inflater
        if inflater is None:
            await self._take(self._decoder.feed(chunk))
            return self.passed()
        await self._take(self._decoder.feed(inflater.feed(chunk)))
        while inflater.has_more:
            await self._take(self._decoder.feed(inflater.feed(b"")))
        return self.passed()

    async def close(self) -> bytes:
        """The stream is over: what was half said or held back. Raises as ``feed``."""
        if self._inflater is not None:
            self._inflater.finish()
        await self._take(self._decoder.close())
        if not self._saw_end:
            for number, step in enumerate(self._filters, start=1):
                for event in await step.on_end(self._editor, self._exchange):
                    await self._pass(event, number)
        return self.passed()

    def passed(self) -> bytes:
        """What has passed every filter, also where one of them has raised since."""
        if not self._passed:
            return b""
        events, self._passed = self._passed, []
        return self._write(events)

    def stop(self, reason: FinishReason, text: str) -> bytes:
        """The stream's own way to end here."""
        return self.passed() + self._write(self._editor.stop(reason, text))

    async def _take(self, events: Iterable[WireEvent]) -> None:
        editor = self._editor
        for event in events:
            for part in editor.split(event):
                if (part.parts or editor.read(part)).is_last:
                    self._saw_end = True
                await self._pass(part, 0)

    async def _pass(self, event: WireEvent, number: int) -> None:
        """Through the filters from *number* on; each event as far as it gets before the next."""
        filters = self._filters
        while number < len(filters):
            events = await filters[number].on_event(event, self._editor, self._exchange)
            number += 1
            if len(events) != 1:
                for each in events:
                    await self._pass(each, number)
                return
            event = events[0]
        self._passed.append(event)

    def _write(self, events: Iterable[WireEvent]) -> bytes:
        encode, seal = self._form.encode, self._editor.seal
        return b"".join([encode(seal(event)) for event in events])
