"""Compaction items of our own: their bounds, and what is none."""

from __future__ import annotations

import pytest

from plano_asgi.conversation import ChatRequest, ChatResponse, Choice, TextPart
from plano_asgi.state.compaction import PREFIX, Compactor
from plano_asgi.state.sealing import Sealer


def _user(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


async def _short(request: ChatRequest) -> ChatResponse:
    return ChatResponse(choices=[Choice(parts=[TextPart(text="In short.")])])


@pytest.mark.anyio
async def test_the_newest_messages_of_the_user_are_kept_word_for_word() -> None:
    """As far as there is room, in their order."""
    compactor = Compactor(max_kept_bytes=120)
    items = [_user("a" * 100), _user("b" * 20), {"role": "assistant", "content": "x"}, _user("c")]
    made = await compactor.compact(items, _short, model="m")
    kept = [item["content"][0]["text"] for item in made["output"] if item["type"] == "message"]
    assert kept == ["b" * 20, "c"]


@pytest.mark.anyio
async def test_what_is_summed_up_is_bounded() -> None:
    """The middle goes: the beginning says what it is about, the end what is next."""
    seen: list[str] = []

    async def ask(request: ChatRequest) -> ChatResponse:
        seen.append(request.messages[1].text)
        return await _short(request)

    items = [_user("first"), _user("m" * 5000), _user("last")]
    await Compactor(max_transcript_chars=400).compact(items, ask, model="m")
    assert "first" in seen[0]
    assert "last" in seen[0]
    assert len(seen[0]) < 600


@pytest.mark.anyio
async def test_a_compaction_item_becomes_a_message_again() -> None:
    """Only ours, and only with the key that it was made with."""
    compactor = Compactor(sealer=Sealer([b"k" * 16]))
    item = (await compactor.compact([_user("Hi")], _short, model="m"))["output"][-1]
    (message,) = compactor.expanded([item])
    assert message["role"] == "user"
    assert message["content"][0]["text"].endswith("In short.")
    assert Compactor(sealer=Sealer([b"x" * 16])).expanded([item]) == [item]
    assert Compactor().expanded([item]) == [item]


@pytest.mark.parametrize(
    "packed", [None, 7, "gAAAA", PREFIX, PREFIX + "!", PREFIX + "W10=", PREFIX + "eyJhIjoxfQ=="]
)
def test_what_is_not_ours_is_left_alone(packed: object) -> None:
    """An upstream that made it knows what to do with it."""
    item = {"type": "compaction", "encrypted_content": packed}
    assert Compactor().expanded([item, "text"]) == [item, "text"]
