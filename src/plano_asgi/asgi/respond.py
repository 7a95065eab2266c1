"""Send small whole responses; header helpers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.types import Scope, Send

RawHeaders = list[tuple[bytes, bytes]]
_NO_CONTROLS = dict.fromkeys((*range(0x20), 0x7F))


def request_headers(scope: Scope) -> dict[str, str]:
    """The request's headers: lower-case names, repeated ones joined by ``, ``."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def encode_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> RawHeaders:
    """
    Headers as ASGI wants them. Values are latin-1; control characters are cut out: a line end
    would start another header, and servers refuse to send the rest of them.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [
        (
            name.encode("latin-1"),
            (value if value.isprintable() else value.translate(_NO_CONTROLS)).encode(
                "latin-1", "replace"
            ),
        )
        for name, value in pairs
    ]


async def send_body(
    send: Send, status: int, body: bytes, headers: RawHeaders, *, head: bool = False
) -> None:
    """Send one whole response; with *head* its headers only."""
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
