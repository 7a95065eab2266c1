"""Texts kept short: the head and the tail, where messages and failures say what they are about."""

from __future__ import annotations

import zlib

HEAD_SHARE = 0.2
RESULT_HEAD_SHARE = 0.5


def clip(text: str, limit: int, *, head_share: float = HEAD_SHARE) -> str:
    """*text*, or of a longer one so much of its head and tail that it has *limit* characters."""
    if len(text) <= limit:
        return text
    head = int(limit * head_share)
    return f"{text[:head]} {text[head + 1 - limit :]}"


def clip_arguments(text: str, limit: int) -> str:
    """
    Arguments, or of longer ones the head and a checksum of all.

    Two that differ only in what was left out still differ, and nothing else is asked of them.
    """
    if len(text) <= limit:
        return text
    return f"{text[: limit - 9]} {zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
