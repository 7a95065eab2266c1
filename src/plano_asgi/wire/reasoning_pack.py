"""
Carry one dialect's reasoning through a client of another one.

A client that replays its conversation must hand back the proof of what the model thought (an
Anthropic signature, a Responses ciphertext) in a field its own dialect has for such things. Those
fields hold opaque text, so the whole ``ReasoningPart`` travels in them as one ASCII string::

    "plano1." + urlsafe base64 without padding of {"dialect", "text", "signature", ...}

The content is not secret and not authenticated: it is what the upstream showed the client anyway,
and the upstream checks its own signatures. ``raw`` does not travel; text, summary flag, signature,
ciphertext, id and dialect do.
"""

from __future__ import annotations

import base64
import binascii

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.conversation import ReasoningPart

PREFIX = "plano1."
MAX_PACKED_CHARS = 4 << 20
"""Longer strings are not unpacked: reasoning of a turn is some ten thousand tokens at most."""

_TEXTS = ("text", "signature", "encrypted", "id")


def pack(part: ReasoningPart) -> str:
    """*part* as one opaque ASCII string that ``unpack`` reads."""
    fields: JSONObject = {"dialect": part.dialect}
    for name in _TEXTS:
        if value := getattr(part, name):
            fields[name] = value
    if part.summary:
        fields["summary"] = True
    return PREFIX + base64.urlsafe_b64encode(dumps(fields)).rstrip(b"=").decode("ascii")


def unpack(text: str) -> ReasoningPart | None:
    """The part that ``pack`` made *text* of; ``None`` for anything else, however malformed."""
    if not text.startswith(PREFIX) or len(text) > MAX_PACKED_CHARS:
        return None
    body = text.removeprefix(PREFIX)
    try:
        fields = loads(base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("dialect"), str):
        return None
    if any(not isinstance(fields.get(name, ""), str) for name in _TEXTS):
        return None
    return ReasoningPart(
        dialect=fields["dialect"],
        text=fields.get("text", ""),
        summary=fields.get("summary") is True,
        signature=fields.get("signature"),
        encrypted=fields.get("encrypted"),
        id=fields.get("id"),
    )
