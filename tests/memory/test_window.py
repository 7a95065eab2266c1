"""Windows: what is cut, what never is, and that the cut stays where it is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import chat_exchange
from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.window import Window
from plano_asgi.wire.turns import TURNS

CHAT = TURNS["openai.chat"]


def _talk(rounds: int, size: int = 400) -> list[Any]:
    turns: list[Any] = [{"role": "system", "content": "Be kind."}]
    for n in range(rounds):
        turns.append({"role": "user", "content": f"question {n} " + "x" * size})
        turns.append({"role": "assistant", "content": f"answer {n} " + "y" * size})
    return [*turns, {"role": "user", "content": "and now?"}]


@pytest.mark.anyio
async def test_a_conversation_that_fits_is_left_alone() -> None:
    """Not even the object changes."""
    exchange = chat_exchange()
    before = exchange.body
    await Window(max_tokens=1000).prepare(exchange, ("ada",))
    assert exchange.body is before


@pytest.mark.anyio
async def test_the_oldest_turns_go_and_the_apps_own_stay() -> None:
    """The cut is in front of a user's turn; the system turn is still first."""
    exchange = chat_exchange(messages=_talk(20))
    await Window(max_tokens=1000, step_tokens=300).prepare(exchange, ("ada",))
    turns = exchange.body["messages"]
    assert turns[0] == {"role": "system", "content": "Be kind."}
    assert turns[1]["role"] == "user"
    assert turns[-1]["content"] == "and now?"
    assert len(turns) < 12


def test_the_cut_stays_while_the_conversation_grows_by_less_than_a_step() -> None:
    """The provider's cache sees the same beginning for many requests in a row."""
    window = Window(max_tokens=2000, step_tokens=1000)
    cuts = [cut.at if (cut := window.cut(_talk(n), CHAT)) else 0 for n in range(1, 40)]
    moves = sum(a != b for a, b in itertools.pairwise(cuts))
    assert cuts == sorted(cuts)
    assert 5 <= moves <= 9


def test_tool_calls_stay_with_their_results() -> None:
    """No cut falls between a call and what came of it."""
    turns: list[Any] = []
    for n in range(30):
        turns += [
            {"role": "user", "content": f"look {n} " + "x" * 200},
            {"role": "assistant", "tool_calls": [{"id": f"c{n}", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": f"c{n}", "content": "z" * 200},
            {"role": "assistant", "content": "done"},
        ]
    cut = Window(max_tokens=900, step_tokens=100).cut(turns, CHAT)
    assert cut is not None
    assert cut.at % 4 == 0


def test_a_result_that_the_dialect_calls_a_users_turn_is_none() -> None:
    """Messages carries tool results in user turns: they are no place to cut."""
    shape = TURNS["anthropic.messages"]
    result = {"type": "tool_result", "tool_use_id": "t", "content": "z" * 4000}
    turns: list[Any] = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f"}]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "thanks, next"},
    ]
    cut = Window(max_tokens=100, step_tokens=100).cut(turns, shape)
    assert cut is not None
    assert cut.at == 4


@given(st.lists(st.sampled_from(["user", "assistant", "tool"]), max_size=60), st.integers(1, 400))
def test_what_is_left_begins_with_a_user_and_is_never_empty(roles: list[str], limit: int) -> None:
    """Whatever the conversation looks like."""
    turns = [{"role": role, "content": "x" * (17 * n % 300)} for n, role in enumerate(roles)]
    cut = Window(max_tokens=limit, step_tokens=limit).cut(turns, CHAT)
    if cut is not None:
        assert 0 < cut.at < len(turns)
        assert turns[cut.at]["role"] == "user"


def test_a_step_larger_than_the_window_is_refused() -> None:
    """It could never be kept."""
    with pytest.raises(ConfigurationError):
        Window(max_tokens=10, step_tokens=11)
