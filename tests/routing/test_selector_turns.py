"""What of a conversation a selector sees, and how it is cut to fit."""

from __future__ import annotations

import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi.routing.selectors.turns import Turn, asked, fit_turns, said, trim_middle

DANISH = "given the image In style of Andy Warhol"


def cost(turn: Turn) -> int:
    """Bytes of the text alone."""
    return len(turn.text.encode())


@pytest.mark.parametrize(
    ("text", "size", "cut"),
    [
        ("a" * 20, 10, "aaaa…aaa"),
        (DANISH, 12, "given…rhol"),
        ("abcdefgh", 2, "ab"),
        ("abcdefgh", 4, "…h"),
        ("é" * 50, 25, "éééééé…ééééé"),
        ("abc", 3, "abc"),
        ("abc", 0, ""),
        ("éa", 1, ""),
        ("é" * 9, 0, ""),
    ],
)
def test_middle_is_trimmed_to_bytes(text: str, size: int, cut: str) -> None:
    """Head and tail stay, 3 to 2, cut between characters and never over the size."""
    assert trim_middle(text, size) == cut
    assert len(cut.encode()) <= max(size, 0)


def test_lone_surrogates_are_trimmed_too() -> None:
    """Half an emoji, which JavaScript clients send, is no reason to fail."""
    assert trim_middle("\ud83d" + "x" * 20, 10) == "x…xxxxxx"


# Plano's scenarios: its budget counts a template of 211 tokens of 4 bytes, here the room that
# is left is given.


def test_only_last_user_turn_fits() -> None:
    """An assistant turn that does not fit ends the search: it is not trimmed."""
    turns = [Turn("user", "hi"), Turn("assistant", "x" * 34), Turn("user", "y" * 74)]
    assert fit_turns(turns, (235 - 211) * 4, cost=cost) == [turns[2]]


def test_oldest_user_turn_that_does_not_fit_is_trimmed() -> None:
    """The newer turns are whole, the older one shows head and tail."""
    turns = [
        Turn("user", "hello"),
        Turn("assistant", "hi"),
        Turn("user", DANISH),
        Turn("assistant", "a" * 20),
        Turn("user", "u" * 45),
    ]
    assert fit_turns(turns, 77, cost=cost) == [Turn("user", "given…rhol"), *turns[3:]]


def test_newest_turn_is_trimmed_when_nothing_fits() -> None:
    """A huge turn, of whoever, is cut to the room instead of being sent whole."""
    for role in ("user", "assistant"):
        (kept,) = fit_turns([Turn(role, "x" * 500_000)], 2048, cost=cost)
        assert cost(kept) <= 2048
        assert kept.text.startswith("xx")
        assert kept.text.endswith("xx")


@pytest.mark.parametrize("room", [0, -44])
def test_no_room_keeps_nothing(room: int) -> None:
    """A budget that the prompt alone uses up is not overdrawn."""
    assert fit_turns([Turn("user", "x" * 270)], room, cost=cost) == []


def test_only_the_last_messages_count() -> None:
    """Sixteen messages at most, however much room there is."""
    turns = [Turn("user" if n % 2 else "assistant", str(n)) for n in range(32)]
    assert fit_turns(turns, 10**6, cost=cost) == turns[-16:]


def test_escapes_are_paid_for() -> None:
    """What costs more once written is cut further, down to nothing."""

    def escaped(turn: Turn) -> int:
        return 20 + 6 * len(turn.text.encode())

    (kept,) = fit_turns([Turn("user", "\x00" * 100)], 100, cost=escaped)
    assert 20 < escaped(kept) <= 100
    assert fit_turns([Turn("user", "\x00" * 100)], 21, cost=escaped) == []


def test_texts_of_user_and_assistant_are_kept() -> None:
    """System, tool and empty messages drop out; of parts only the texts count."""
    exchange = chat_exchange(
        messages=[
            {"role": "system", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "text", "text": "at this"},
                ],
            },
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "result"},
            {"role": "assistant", "content": "a dog"},
            {"role": "user", "content": "which breed?"},
        ]
    )
    assert said(exchange.request) == [
        Turn("user", "look\nat this"),
        Turn("assistant", "a dog"),
        Turn("user", "which breed?"),
    ]


def test_tool_loop_is_the_same_turn() -> None:
    """What follows the last user turn does not count: every step of a loop sees the same."""
    loop = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": "let me look"},
        {"role": "assistant", "content": "still looking"},
    ]
    assert said(chat_exchange(messages=loop).request) == [Turn("user", "weather?")]


@pytest.mark.parametrize("dialect", ["anthropic.messages", "openai.responses"])
def test_other_dialects_are_read_alike(dialect: str) -> None:
    """Turns come from the neutral form."""
    field = "input" if dialect == "openai.responses" else "messages"
    body = {"model": "m", "max_tokens": 9, field: [{"role": "user", "content": "hello there"}]}
    assert said(exchange_of(dialect, body).request) == [Turn("user", "hello there")]


def test_nobody_said_anything() -> None:
    """No user turn, no turns at all."""
    messages = [{"role": "system", "content": "s"}, {"role": "assistant", "content": "a"}]
    exchange = chat_exchange(messages=messages)
    assert said(exchange.request) == []
    assert asked(exchange.request) == ""


def test_short_turn_is_read_with_the_one_before() -> None:
    """ "Shorter, please" alone says nothing; a longer turn stands for itself."""
    messages = [
        {"role": "user", "content": "write a poem about the sea"},
        {"role": "assistant", "content": "..."},
        {"role": "user", "content": "shorter please"},
    ]
    request = chat_exchange(messages=messages).request
    assert asked(request) == "write a poem about the sea\nshorter please"
    assert asked(request, min_words=2) == "shorter please"


def test_long_turn_keeps_head_and_tail() -> None:
    """The question stands at the beginning or the end of what was pasted."""
    text = asked(chat_exchange("head " + "x" * 5000 + " tail").request, max_chars=100)
    assert text.startswith("head ")
    assert text.endswith(" tail")
    assert len(text) <= 103
