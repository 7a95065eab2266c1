"""
Whether a request is a new word of the user, or a step of work that is under way.

The steps of a tool loop, and the reminders that an agent's harness writes in the user's name, ask
for nothing new: the decision of the user's turn is replayed for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from plano_asgi.conversation import Message, TextPart

_ENVELOPE = re.compile(r"<(system-reminder|user-prompt-submit-hook)>.*?(?:</\1>|\Z)", re.DOTALL)
"""What a harness wraps its own words in; one that is not closed reaches to the end."""


def is_user_turn(messages: Sequence[Message]) -> bool:
    """Whether the last message is the user's own: text outside of envelopes, or anything else."""
    if not messages or messages[-1].role != "user":
        return False
    parts = messages[-1].parts
    return any(not isinstance(part, TextPart) or _own_words(part.text) for part in parts)


def _own_words(text: str) -> bool:
    return bool(_ENVELOPE.sub("", text).strip() if "<" in text else text.strip())
