"""Bodies made to keep a worker busy: it goes on serving others, and its patience has an end."""

from __future__ import annotations

import json
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import drive
from exchanges import chat_exchange
from plano_asgi.guards import PII, Regex, Secrets
from plano_asgi.guards.base import Guard, Subject
from plano_asgi.guards.redaction import judge_passages, judging_passages
from plano_asgi.guards.steps import done
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.middleware import PlanoGuard
from plano_asgi.passages import Passage
from tapped import PATHS
from wrapping import Echo

pytestmark = pytest.mark.anyio

CHAT, MESSAGES, RESPONSES = PATHS.values()
SLOW = ["api_key=", "(0)", "1/", "4111 ", "-----BEGIN PRIVATE KEY-----", "a@", "eyJ", "sk-", "\n"]
"""What the shipped rules look at again and again."""


def passage(text: str, *, is_json: bool = False) -> Passage:
    """A user's."""
    return Passage(text, "user", "p", {"text": text}, "text", is_json=is_json)


async def turns_during(guard: Guard, *passages: Passage) -> int:
    """How often another task had its turn while *guard* looked through *passages*."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    subject = Subject(side="request", passages=passages, exchange=chat_exchange())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await anyio.lowlevel.checkpoint()
        turns = 0
        await guard.check(subject)
        tasks.cancel_scope.cancel()
    return turns


@pytest.mark.parametrize("guard", [Secrets(), PII()], ids=["secrets", "pii"])
@pytest.mark.parametrize("is_json", [False, True])
async def test_others_have_their_turn_while_a_long_text_is_read(
    guard: TextGuard, is_json: bool
) -> None:
    """One line of 200,000 characters, or as many tiny texts."""
    line = passage("x = 1, y, " * 20_000, is_json=is_json)
    assert await turns_during(guard, line) >= 40
    tiny = [passage("a", is_json=is_json) for _ in range(3_000)]
    assert await turns_during(guard, *tiny) >= 40
    assert await turns_during(guard, passage("short", is_json=is_json)) <= 1


async def test_a_text_guard_keeps_its_time_limit() -> None:
    """Its work is broken off, and nothing passes: no client holds a worker for minutes."""
    body = {"messages": [{"role": "user", "content": "api_key=" * 40_000}]}
    echo = Echo()
    app = PlanoGuard(echo, guards=[Secrets(timeout_s=0.001)])
    found = await drive(app, CHAT, body)
    assert (found.status, echo.bodies) == (503, [])


@pytest.mark.parametrize("piece", [1, 7, 64, 4096])
@pytest.mark.parametrize("is_json", [False, True])
def test_reading_in_steps_finds_the_same(piece: int, is_json: bool) -> None:
    """Wherever the steps fall."""
    found = [
        "mail ann@corp.example, ",
        "card 4111 1111 1111 1111. ",
        "IBAN DE89370400440532013000 ",
    ]
    text = "".join(found) * 3
    if is_json:
        text = json.dumps({"a": text, "b": [4111111111111111, "x"]})
    matcher = PII().matcher(chat_exchange(), "request")
    assert matcher is not None
    whole, stepped = passage(text, is_json=is_json), passage(text, is_json=is_json)
    said = judge_passages([whole], matcher, mode="redact")
    steps = judging_passages([stepped], matcher, mode="redact", piece_chars=piece)
    other = done(steps)
    assert (said.action, said.rule, said.score) == (other.action, other.rule, other.score)
    assert [(s.start, s.end, s.replacement) for s in said.spans] == [
        (s.start, s.end, s.replacement) for s in other.spans
    ]


@pytest.mark.parametrize("unit", SLOW)
def test_no_rule_takes_long_over_repeated_beginnings(unit: str) -> None:
    """All of them are done with a long line of beginnings; with nested repeats they never were."""
    text = unit * (40_000 // len(unit))
    for guard in (Secrets(), PII(), Regex({"word": r"[a-z]{1,20}\d{3,9}"})):
        matcher = guard.matcher(chat_exchange(), "request")
        assert matcher is not None
        assert isinstance(matcher.find(text), list)


PARTS: dict[str, Any] = {
    CHAT: {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 100_001}]},
    MESSAGES: {"messages": [{"role": "user", "content": "a"}] * 100_001},
    RESPONSES: {"input": ["a"] * 100_001},
    "/ask": {"q": ["a"] * 100_001},
}


@pytest.mark.parametrize("path", PARTS)
async def test_texts_are_counted(path: str) -> None:
    """A body of a few megabytes can hold a million: too many to look at."""
    echo = Echo()
    app = PlanoGuard(echo, guards=[Secrets()], paths=["/ask"], fields=["q"])
    found = await drive(app, path, PARTS[path])
    assert (found.status, echo.bodies) == (413, [])


async def test_values_are_counted() -> None:
    """Empty lists are no texts, and cost as much."""
    body = b'{"messages":[{"role":"user","content":[' + b"[]," * 1_000_001 + b"[]]}]}"
    found = await drive(PlanoGuard(Echo(), guards=[Secrets()]), CHAT, body)
    assert found.status == 413
