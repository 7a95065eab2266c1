"""Asking a model: the callable that guards, memory and routing are given, and reading answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Message,
    RefusalPart,
    Role,
    TextPart,
)

Ask: TypeAlias = Callable[[ChatRequest], Awaitable[ChatResponse]]
"""Asks a model one unstreamed question; raises when there is no answer."""

_FENCE = re.compile(r"```[A-Za-z]{0,20}\s")
_MAX_CANDIDATES = 20
_MAX_CHARS = 20_000


async def ask_text(
    ask: Ask,
    messages: Sequence[tuple[Role, str]],
    *,
    model: str,
    max_output_tokens: int,
    temperature: float | None = None,
    extras: JSONObject | None = None,
) -> str:
    """
    The text of the first choice that *model* answers with.

    Args:
        ask: How to ask.
        messages: Role and text of each turn.
        model: Its name, as *ask* knows it.
        max_output_tokens: Bound of the answer.
        temperature: Left out if ``None``: some models refuse any.
        extras: Further fields of an OpenAI chat body (``chat_template_kwargs``).
    """
    request = ChatRequest(
        model=model,
        messages=[Message(role=role, parts=[TextPart(text=text)]) for role, text in messages],
        dialect="openai.chat",
        max_output_tokens=max_output_tokens,
        temperature=temperature,
        extras=dict(extras or {}),
    )
    return response_text(await ask(request))


def response_text(response: ChatResponse) -> str:
    """All text of the first choice, a refusal's included; empty if there is none."""
    if not response.choices:
        return ""
    parts = response.choices[0].parts
    return "".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))


def read_object(text: str) -> JSONObject | None:
    """
    The JSON object in a model's answer: alone, in a fence, with prose around it, or spelled as
    Python would (single quotes, ``True``). The last one if there are several, since a model that
    thinks aloud concludes last. ``None`` if there is none in the last 20,000 characters.
    """
    text = text[-_MAX_CHARS:]
    starts = [match.start() for match in re.finditer(r"\{", text)][-_MAX_CANDIDATES:]
    ends = [match.end() for match in re.finditer(r"\}", text)][-_MAX_CANDIDATES:]
    for end in reversed(ends):
        for start in starts:
            if start < end and (found := _read(text[start:end])) is not None:
                return found
    return None


def without_fence(text: str) -> str:
    """*text* without the Markdown fence around all of it, if there is one."""
    stripped = text.strip()
    opening = _FENCE.match(stripped)
    if opening is None or not stripped.endswith("```") or len(stripped) < opening.end() + 3:
        return stripped
    return stripped[opening.end() : -3].strip()


_PYTHON_WORDS = ((r"\bTrue\b", "true"), (r"\bFalse\b", "false"), (r"\bNone\b", "null"))


def _read(text: str) -> JSONObject | None:
    for spelling in (text,) if '"' in text else (text, _from_python(text)):
        try:
            value = loads(spelling)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _from_python(text: str) -> str:
    """Single-quoted strings as JSON; good enough for flat verdicts."""
    for word, spelled in _PYTHON_WORDS:
        text = re.sub(word, spelled, text)
    return text.replace("'", '"')
