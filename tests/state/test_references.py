"""Items that a client refers to instead of repeating them, as the AI SDK does."""

from __future__ import annotations

from typing import Any

import pytest

import replies
from memory_transport import Outcome
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.state import ResponsesState
from state.talk import CHAT, CLAUDE, NATIVE, OUTPUT, TOOLS, Talk, is_native, kept_reply, reply, talk

pytestmark = pytest.mark.anyio

CALL = replies.Tool()
ASKED = {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]}
BOB = {"authorization": "Bearer key-of-bob"}
ALICE = {"authorization": "Bearer key-of-alice"}
KEYS = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})


def attached(*outcomes: Outcome, **options: Any) -> Talk:
    """A talk whose state knows what names stand for, as with ``Gateway(state=...)``."""
    found = talk(*outcomes, **options)
    found.state.attach(native=is_native, resolve=found.app.names.resolve)
    return found


def reference(item: dict[str, Any]) -> dict[str, Any]:
    """To one item of an answer."""
    return {"type": "item_reference", "id": item["id"]}


@pytest.mark.parametrize("model", [CHAT, CLAUDE])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_loop_by_references(model: str, stream: bool) -> None:
    """The call is said in full to an upstream that never knew it by an id."""
    found = attached(reply(model, CALL, stream=stream), reply(model, "Sunny.", stream=stream))
    first = await found.said(model, [ASKED], tools=TOOLS, stream=stream)
    (call,) = first["output"]
    await found.said(model, [ASKED, reference(call), *OUTPUT], tools=TOOLS, stream=stream)
    sent = found.upstream.body()["messages"]
    assert len(sent) == 3
    assert "get_weather" in str(sent[1])
    assert "sunny" in str(sent[2])


async def test_what_is_kept_has_the_items_themselves() -> None:
    """So that what goes on from it needs nothing but its past."""
    found = attached(reply(CHAT, "One."), reply(CHAT, "Two."), reply(CHAT, "Three."))
    first = await found.said(CHAT, [ASKED])
    second = await found.said(CHAT, [ASKED, reference(first["output"][0]), ASKED])
    await found.said(CHAT, "On.", second["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert [text for text in told if text in ("One.", "Two.")] == ["One.", "Two."]


async def test_what_is_in_the_past_already_is_not_said_twice() -> None:
    """By response and by conversation."""
    found = attached(reply(CHAT, "One."), reply(CHAT, "Two."))
    first = await found.said(CHAT, [ASKED])
    await found.said(CHAT, [reference(first["output"][0]), ASKED], first["id"])
    assert str(found.upstream.body()["messages"]).count("One.") == 1


async def test_an_item_of_elsewhere_goes_into_a_past() -> None:
    """Where it stands in the input."""
    found = attached(reply(CHAT, "One."), reply(CHAT, "Two."), reply(CHAT, "Three."))
    first = await found.said(CHAT, [ASKED])
    second = await found.said(CHAT, [ASKED])
    await found.said(CHAT, [reference(first["output"][0])], second["id"])
    assert [each["content"] for each in found.upstream.body()["messages"]][-1] == "One."


async def _refused(found: Talk, body: dict[str, Any], id: str) -> None:
    before = len(found.upstream.requests)
    response = await found.ask(body)
    error = response.json()["error"]
    assert (response.status, error["code"], error["param"]) == (400, "item_not_found", "input")
    assert id in error["message"]
    assert len(found.upstream.requests) == before


@pytest.mark.parametrize("store", [True, False])
async def test_what_nobody_knows_is_refused_by_name(store: bool) -> None:
    """Before anything is paid for; also where nothing is to be stored."""
    found = attached(reply(CHAT, "One."))
    body = {"model": CHAT, "input": [reference({"id": "fc_1"}), ASKED], "store": store}
    await _refused(found, body, "fc_1")
    await _refused(found, {"model": CHAT, "input": [{"type": "item_reference"}]}, "None")


async def test_what_was_not_stored_or_was_deleted_is_not_there() -> None:
    """Its answer is what keeps it."""
    found = attached(reply(CHAT, "One."))
    apart = await found.said(CHAT, "Hi", store=False)
    await _refused(found, {"model": CHAT, "input": [reference(apart["output"][0])]}, "msg_")
    kept = await found.said(CHAT, "Hi")
    await found.state.records.delete(None, kept["id"])
    await _refused(found, {"model": CHAT, "input": [reference(kept["output"][0])]}, "msg_")


async def test_another_tenants_item_is_not_there() -> None:
    """Whoever guesses its id."""
    state = ResponsesState()
    alice = attached(reply(CHAT, "One."), state=state, headers=ALICE, auth=KEYS)
    bob = attached(reply(CHAT, "Two."), state=state, headers=BOB, auth=KEYS)
    kept = await alice.said(CHAT, "Hi")
    await _refused(bob, {"model": CHAT, "input": [reference(kept["output"][0])]}, "msg_")


async def test_an_upstream_that_keeps_items_is_asked_by_reference() -> None:
    """It knows its own, and those of before this gateway; another's are said in full."""
    found = attached(kept_reply("resp_1"), reply(CLAUDE, "Two."), kept_reply("resp_2"))
    own = (await found.said(NATIVE, "Hi"))["output"][0]
    other = (await found.said(CLAUDE, "Hi"))["output"][0]
    given = [reference(own), reference(other), reference({"id": "msg_old"}), ASKED]
    await found.said(NATIVE, given)
    sent = found.upstream.body()["input"]
    assert (sent[0], sent[2], sent[3]) == (given[0], given[2], given[3])
    assert sent[1]["content"][0]["text"] == "Two."


async def test_an_item_that_its_upstream_keeps_is_said_to_another() -> None:
    """We have it, too."""
    found = attached(kept_reply("resp_1", "Kept there."), reply(CHAT, "Two."))
    own = (await found.said(NATIVE, "Hi"))["output"][0]
    await found.said(CHAT, [reference(own), ASKED])
    assert found.upstream.body()["messages"][0]["content"] == "Kept there."
