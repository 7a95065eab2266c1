"""One whole JSON answer on its way through the filters."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi._json import dumps, loads
from plano_asgi.asgi.tap_headers import Inflater
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.exchange import Exchange, ResponseFilter

_BOM = b"\xef\xbb\xbf"


class FilteredBody:
    """
    Collects a body and runs *filters* over it once it is whole.

    Args:
        max_bytes: Of the body, as it comes and decoded.
    """

    def __init__(
        self,
        filters: Sequence[ResponseFilter],
        exchange: Exchange,
        *,
        max_bytes: int,
        inflater: Inflater | None = None,
    ) -> None:
        self._filters = filters
        self._exchange = exchange
        self._max_bytes = max_bytes
        self._inflater = inflater
        self._raw: list[bytes] = []
        self._plain: list[bytes] = []
        self._raw_size = self._size = 0

    def add(self, chunk: bytes) -> None:
        """
        Take the next bytes.

        Raises:
            UpstreamProtocolError: They are too many, or not encoded as said.
        """
        self._raw.append(chunk)
        self._raw_size += len(chunk)
        if self._inflater is None:
            self._keep(chunk)
            return
        self._keep(self._inflater.feed(chunk))
        while self._inflater.has_more:
            self._keep(self._inflater.feed(b""))

    async def finish(self) -> tuple[bytes, bool]:
        """
        The body to send, and whether it is another one than came.

        Raises:
            UpstreamProtocolError: It cannot be read, and so not be judged.
        """
        if self._inflater is not None:
            self._inflater.finish()
        raw = b"".join(self._raw)
        content = b"".join(self._plain)
        if not content.strip():
            return raw, False
        try:
            body = loads(content.removeprefix(_BOM))
        except ValueError as exc:
            raise UpstreamProtocolError("The answer says it is JSON, and is not.") from exc
        before = dumps(body)
        for step in self._filters:
            body = await step.on_body(body, self._exchange)
        after = dumps(body)
        return (raw, False) if after == before else (after, True)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if max(self._size, self._raw_size) > self._max_bytes:
            raise UpstreamProtocolError(
                f"The answer is over {self._max_bytes} bytes and cannot be looked through."
            )
        self._plain.append(piece)
