"""Leaks of the system prompt: canaries, and the prompt's own words."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_every_cut, assert_law5, cuts_of
from guards.streams import DIALECTS, answer_events, exchange_of, stream_through
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import AnswerStopped, Exchange
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.prompt_leak import EitherMatcher, OverlapMatcher, PromptLeak
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.words import Words

PROMPT = (
    "You are Ada, the support assistant of Acme Rockets. Never offer a discount above ten percent, "
    "whatever the customer says about it. Be kind.\n"
    "The internal code name of the next rocket is Bluebird Seven and must not be told."
)
CANARY = "c0ffee42beef"


def asking(dialect: str = "openai.chat", prompt: str = PROMPT) -> Exchange:
    """A request with a system prompt."""
    user = [{"role": "user", "content": "hello"}]
    bodies: dict[str, dict[str, Any]] = {
        "openai.chat": {"messages": [{"role": "system", "content": prompt}, *user]},
        "anthropic.messages": {"system": prompt, "messages": user},
        "openai.responses": {"instructions": prompt, "input": user},
    }
    return exchange_of(dialect, body={"model": "m", **bodies[dialect]})


async def answered(guard: PromptLeak, *pieces: str, dialect: str = "openai.chat") -> str:
    """What the client reads of an answer; ``AnswerStopped`` if it is blocked."""
    exchange = asking(dialect)
    await GuardChain([guard])(exchange)
    events = answer_events(dialect, pieces)
    return (await stream_through(exchange.response_filters, events, exchange)).content


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        CANARY,
        CANARY.upper(),
        " ".join(CANARY),
        "-".join(CANARY),
        CANARY[::-1],
        codecs.encode(CANARY, "rot13"),
        CANARY.encode().hex(),
        *(base64.b64encode(f"{'x' * pad}{CANARY}!!".encode()).decode() for pad in range(4)),
    ],
)
async def test_a_canary_in_any_disguise_blocks(said: str) -> None:
    """Other case, spaced out, reversed, rot13, hexadecimal, base64 in any alignment."""
    guard = PromptLeak(canaries=[CANARY])
    with pytest.raises(AnswerStopped):
        await answered(guard, "it is ", said[:5], said[5:], " so")
    assert await answered(guard, "it is ", said[:5], " so") == f"it is {said[:5]} so"


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("insert", ["once", "each"])
async def test_a_canary_of_ones_own_is_put_in(dialect: str, insert: Any) -> None:
    """It stands at the end of the system text, and an answer that says it is blocked."""
    guard = PromptLeak(insert=insert)
    seen = set()
    for _ in range(2):
        exchange = asking(dialect)
        await GuardChain([guard])(exchange)
        (system,) = (p.text for p in exchange.passages() if p.origin == "system")
        assert system.startswith(PROMPT)
        canary = system.partition("reference ")[2].partition(":")[0]
        seen.add(canary)
        events = answer_events(dialect, ["it is ", canary, " so"])
        with pytest.raises(AnswerStopped):
            await stream_through(exchange.response_filters, events, exchange)
    assert len(seen) == (1 if insert == "once" else 2)


@pytest.mark.anyio
async def test_a_canary_by_hand_changes_no_request() -> None:
    """Asked about requests too, a guard that puts nothing in lets them be."""
    exchange = asking()
    guard = PromptLeak(canaries=CANARY, sides=frozenset(("request", "answer")))
    await GuardChain([guard])(exchange)
    assert exchange.body == asking().body


@pytest.mark.anyio
async def test_without_a_system_prompt_there_is_nothing_to_leak() -> None:
    """No canary is put anywhere, nothing is looked for."""
    exchange = exchange_of("openai.chat", body={"model": "m", "messages": []})
    await GuardChain([PromptLeak(insert="once")])(exchange)
    assert exchange.body["messages"] == []
    events = answer_events("openai.chat", ["You are Ada"])
    client = await stream_through(exchange.response_filters, events, exchange)
    assert client.content == "You are Ada"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            "My rules: never offer a DISCOUNT above ten percent -- whatever the customer says!",
            "My rules: [removed]!",
        ),
        ("the next rocket is Bluebird Seven and must", "[removed]"),
        ("The internal code name of the next rocket", "[removed]"),
        ("I never offer a discount, whatever you say about it.", None),
        ("You are Ada, the support", None),
        ("Be kind.", None),
    ],
)
async def test_words_of_the_prompt(said: str, left: str | None) -> None:
    """Many of them in a row, or half a sentence; common phrases and short ones pass."""
    guard = PromptLeak(mode="redact", share=0.5, least_words=7)
    pieces = [said[at : at + 4] for at in range(0, len(said), 4)]
    out = await answered(guard, *pieces)
    assert out == (said if left is None else left)


@pytest.mark.anyio
async def test_blocks_by_default() -> None:
    """An answer that recites the prompt ends there, nothing of the run told."""
    with pytest.raises(AnswerStopped):
        await answered(PromptLeak(), "Sure: ", PROMPT[:60], PROMPT[60:])


@pytest.mark.anyio
async def test_other_texts_pass() -> None:
    """An answer of its own, on a guard with both detectors."""
    guard = PromptLeak(insert="once", canaries=CANARY)
    said = "I cannot offer more than that, but here is what I can do for you today."
    assert await answered(guard, said[:20], said[20:]) == said


@pytest.mark.parametrize(
    "options",
    [
        {"insert": "always"},
        {"overlap": 5, "least_words": 6},
        {"least_words": 1},
        {"share": 0},
        {"canaries": ["short"]},
        {"canaries": ["with space 123"]},
    ],
)
def test_arguments_are_checked(options: dict[str, Any]) -> None:
    """What cannot work is refused at once."""
    with pytest.raises(ConfigurationError):
        PromptLeak(**options)


def test_of_two_matchers_the_earlier_match_counts() -> None:
    """What overlaps it is part of it, and nothing is settled in its midst."""
    denied = Words(["rocket is"], mode="redact").matcher(asking(), "answer")
    either = EitherMatcher([WORDS, denied])
    text = "code name of the next rocket is Blue"
    assert redact_text(text, either)[0] == "[removed] Blue"
    assert either.settled(text) == 0
    assert either.settled("a rocket is") == 2


WORDS = OverlapMatcher([PROMPT], overlap=6, share=0.5, least_words=3)
BOTH = EitherMatcher([WORDS, Words(["rocket"], mode="redact").matcher(asking(), "answer")])
SAMPLE = st.lists(
    st.sampled_from([*PROMPT.split(), "x", "--", ".", "\n", "Be kind", "whatever the customer"]),
    max_size=25,
)


@given(SAMPLE, st.sampled_from([" ", "  ", ", "]), cuts_of())
def test_law5(words: list[str], gap: str, cuts: Sequence[int]) -> None:
    """Streamed redaction is exact for runs of words, alone and beside another matcher."""
    text = gap.join(words)
    assert_law5(WORDS, text, cuts)
    assert_law5(BOTH, text, cuts)


@given(st.integers(0, 120), st.integers(1, 120), cuts_of())
def test_law5_on_pieces_of_the_prompt(start: int, size: int, cuts: Sequence[int]) -> None:
    """The same for what the prompt says, cut anywhere."""
    assert_law5(WORDS, f"a {PROMPT[start : start + size]} z", cuts)


def test_law5_on_every_cut() -> None:
    """Every single cut of a recital."""
    assert_every_cut(WORDS, "So: the internal code name of the next rocket is Bluebird")


def test_a_long_text_is_read_in_linear_time() -> None:
    """Prompt words over and over: a test that hangs fails by its time limit."""
    assert redact_text(f"{PROMPT} " * 200, WORDS)[1]
