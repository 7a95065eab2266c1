"""
Connect to a host by name: both address families, raced (RFC 8305, "happy eyeballs").

Not left to ``loop.create_connection``: uvloop's tries one address after the other, and an IPv6
route that swallows packets would use up ``connect_s``.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any

_ATTEMPT_DELAY_S = 0.25  # RFC 8305 section 5

Address = tuple[int, Any]
"""A socket family, and what ``connect`` takes."""


async def dial(host: str, port: int) -> socket.socket:
    """
    A connected TCP socket that sends at once (``TCP_NODELAY``).

    Raises:
        OSError: Unknown host, or no address took the connection.
    """
    stream = socket.SOCK_STREAM
    try:  # a literal needs no thread of the resolver's
        found = socket.getaddrinfo(host, port, type=stream, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=stream)
    return await first_to_connect(interleaved([(info[0], info[4]) for info in found]))


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """*addresses* with the families taking turns; the resolver's order otherwise."""
    families = dict[int, list[Address]]()
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


async def first_to_connect(
    addresses: Sequence[Address], delay_s: float = _ATTEMPT_DELAY_S
) -> socket.socket:
    """
    Connect to one of *addresses*: a further one is tried after each failure and each *delay_s*.

    Raises:
        OSError: None could be reached; the last one's error.
    """
    if len(addresses) == 1:
        return await _connect(addresses[0])
    queue, failure = list(reversed(addresses)), OSError("no addresses")
    running = set[asyncio.Task[socket.socket]]()
    try:
        while queue or running:
            if queue:
                running.add(asyncio.create_task(_connect(queue.pop())))
            wait_s = delay_s if queue else None
            done, _ = await asyncio.wait(
                running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except OSError as exc:
                    failure = exc
        raise failure
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_unused)


def _close_unused(task: asyncio.Task[socket.socket]) -> None:
    with suppress(OSError, asyncio.CancelledError):
        task.result().close()


async def _connect(address: Address) -> socket.socket:
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock
