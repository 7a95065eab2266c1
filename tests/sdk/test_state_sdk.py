"""Responses that are kept, and turns of conversations, over a real socket by the official SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from sdk.state_stage import (
    CHAT,
    CLAUDE,
    NATIVE,
    USER,
    StateStage,
    keeping,
    text_of,
)
from upstream import Reply, Tool, chat_reply, responses_reply, responses_stream

WEATHER = Tool("call_1", "get_weather", '{"city":"Oslo"}')
TOOLS: Any = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]

each_form = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


@pytest.fixture(scope="module")
def theatre() -> Iterator[StateStage]:
    """All of it, served."""
    with keeping() as stage:
        yield stage


@pytest.fixture
def stage(theatre: StateStage) -> StateStage:
    """The stage, with nothing asked yet."""
    theatre.upstream.requests.clear()
    return theatre


@each_form
@pytest.mark.parametrize("model", [CHAT, CLAUDE])
def test_turns_of_a_conversation(stage: StateStage, model: str, stream: bool) -> None:
    """By its id or as an object; what was said is in it before the client sees the end."""
    id = stage.ann.conversations.create(items=[USER]).id
    for given, input in ((id, "Who am I?"), ({"id": id}, "Sure?")):
        found = stage.turn(model, input, "You are", " Ada.", stream=stream, conversation=given)
        assert found.conversation.id == id
        (newest, asked) = stage.ann.conversations.items.list(id, limit=2).data
        assert [text_of(newest), text_of(asked)] == ["You are Ada.", input]
        assert newest.id == found.output[0].id
    said = [text_of(item) for item in stage.ann.conversations.items.list(id, order="asc")]
    assert said == ["I am Ada.", "Who am I?", "You are Ada.", "Sure?", "You are Ada."]
    told = stage.upstream.requests[-1].json()["messages"]
    assert "I am Ada." in json.dumps(told[0])
    assert len(told) == 4 - (model == CLAUDE)  # there, the user's turns side by side are one


@each_form
def test_a_tool_loop_in_a_conversation_on_anthropic(stage: StateStage, stream: bool) -> None:
    """The call and its result are items of it, and each goes back to its own."""
    id = stage.ann.conversations.create().id
    options: Any = {"stream": stream, "conversation": id, "tools": TOOLS}
    asked = stage.turn(CLAUDE, "Weather in Oslo?", "Let me look.", WEATHER, **options)
    call = next(item for item in asked.output if item.type == "function_call")
    assert (call.call_id, json.loads(call.arguments)) == ("call_1", {"city": "Oslo"})
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."}
    stage.turn(CLAUDE, [output], "It is sunny.", **options)
    user, assistant, result = stage.upstream.requests[-1].json()["messages"]
    assert "Weather in Oslo?" in json.dumps(user)
    assert [part["type"] for part in assistant["content"]] == ["text", "tool_use"]
    assert result["content"][0]["type"] == "tool_result"
    assert result["content"][0]["tool_use_id"] == assistant["content"][1]["id"] == "call_1"
    kinds = [item.type for item in stage.ann.conversations.items.list(id, order="asc")]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]


@each_form
def test_what_is_not_stored_is_not_in_the_conversation(stage: StateStage, stream: bool) -> None:
    """It is read, and stays as it was."""
    id = stage.ann.conversations.create(items=[USER]).id
    stage.turn(CHAT, "Who am I?", "Ada.", stream=stream, conversation=id, store=False)
    assert len(stage.upstream.requests[-1].json()["messages"]) == 2
    assert len(stage.ann.conversations.items.list(id).data) == 1


def test_two_pasts_are_one_too_many(stage: StateStage) -> None:
    """A conversation and a response at once are a 400, whether or not there are any."""
    with pytest.raises(openai.BadRequestError) as caught:
        stage.ann.responses.create(
            model=CHAT, input="?", conversation="conv_1", previous_response_id="resp_1"
        )
    assert caught.value.code == "mutually_exclusive_parameters"


@each_form
def test_a_response_from_beginning_to_end(stage: StateStage, stream: bool) -> None:
    """Got as it was given, its input in pages, deleted; then a 404."""
    first = stage.turn(CHAT, "I am Ada.", "Hello.", stream=stream)
    second = stage.turn(CHAT, "Who am I?", "Ada.", stream=stream, previous_response_id=first.id)
    api = stage.ann.responses
    got = api.retrieve(second.id, include=["message.output_text.logprobs"])
    assert (got.id, got.output_text) == (second.id, "Ada.")
    assert got.previous_response_id == first.id
    items = list(api.input_items.list(second.id, order="asc", limit=1))
    assert [text_of(item) for item in items] == ["I am Ada.", "Hello.", "Who am I?"]
    newest = api.input_items.list(second.id)
    assert [item.id for item in newest.data] == [item.id for item in reversed(items)]
    after = api.input_items.list(second.id, order="asc", after=items[0].id)
    assert [text_of(item) for item in after.data] == ["Hello.", "Who am I?"]
    api.delete(second.id)
    for late in (
        lambda: api.retrieve(second.id),
        lambda: api.delete(second.id),
        lambda: api.cancel(second.id),
        lambda: api.input_items.list(second.id),
        lambda: api.create(model=CHAT, input="?", previous_response_id=second.id),
    ):
        with pytest.raises(openai.NotFoundError, match=f"esponse with id '{second.id}' not found"):
            late()
    assert api.retrieve(first.id).output_text == "Hello."


def test_another_tenants_response_is_a_404(stage: StateStage) -> None:
    """By every way to it."""
    id = stage.turn(CHAT, "I am Ada.", "Hello.", stream=False).id
    api = stage.bob.responses
    for theirs in (
        lambda: api.retrieve(id),
        lambda: api.retrieve(id, stream=True),
        lambda: api.delete(id),
        lambda: api.cancel(id),
        lambda: api.input_items.list(id),
        lambda: api.create(model=CHAT, input="?", previous_response_id=id),
        lambda: api.compact(model=CHAT, previous_response_id=id),
    ):
        with pytest.raises(openai.NotFoundError):
            theirs()
    assert stage.ann.responses.retrieve(id).output_text == "Hello."


def test_only_what_was_made_in_the_background_is_streamed_again(stage: StateStage) -> None:
    """As with OpenAI; so is cancelling. What is no flag is told."""
    id = stage.turn(CHAT, "Hi", "Hello.", stream=False).id
    with pytest.raises(openai.BadRequestError) as caught:
        stage.ann.responses.retrieve(id, stream=True, starting_after=3)
    assert caught.value.param == "stream"
    with pytest.raises(openai.BadRequestError, match="background"):
        stage.ann.responses.cancel(id)
    assert stage.ann.responses.retrieve(id, stream=False).id == id
    assert stage.raw("GET", f"/responses/{id}?stream=1").status_code == 400


def test_an_answer_made_in_the_background(stage: StateStage) -> None:
    """Where an upstream makes it: looked after, streamed from where a client was, cancelled."""
    made = json.loads(body_of(responses_reply("Hi", id="resp_bg")))
    made |= {"store": True, "background": True}

    def answer(**fields: Any) -> Reply:
        return Reply(body=json.dumps(made | fields).encode())

    stage.upstream.reply(answer(status="queued", output=[]))
    queued = stage.ann.responses.create(model=NATIVE, input="Think.", background=True)
    assert (queued.id, queued.status) == ("resp_bg", "queued")
    stage.upstream.reply(answer(status="in_progress", output=[]))
    assert stage.ann.responses.retrieve("resp_bg").status == "in_progress"
    stage.upstream.reply(responses_stream(["Hi"], id="resp_bg"))
    events = list(stage.ann.responses.retrieve("resp_bg", stream=True, starting_after=2))
    assert events[-1].type == "response.completed"
    asked = stage.upstream.requests[-1]
    assert (asked.method, asked.path) == ("GET", "/v1/responses/resp_bg")
    assert asked.query == "starting_after=2&stream=true"
    stage.upstream.reply(answer(status="cancelled", output=[]))
    assert stage.ann.responses.cancel("resp_bg").status == "cancelled"
    asked = stage.upstream.requests[-1]
    assert (asked.method, asked.path) == ("POST", "/v1/responses/resp_bg/cancel")
    assert stage.ann.responses.retrieve("resp_bg").status == "cancelled"
    assert stage.upstream.requests[-1] is asked
    with pytest.raises(openai.NotFoundError):
        stage.bob.responses.retrieve("resp_bg", stream=True)
    assert stage.upstream.requests[-1] is asked


def body_of(reply: Reply) -> bytes:
    """The bytes of a whole reply."""
    assert isinstance(reply.body, bytes)
    return reply.body


def test_input_that_has_ids_twice_is_listed_once_each(stage: StateStage) -> None:
    """A client that repeats its history beside going on from it still sees the end of the list."""
    asked: Any = [USER | {"id": "msg_same", "content": text} for text in ("One", "Two")]
    found = stage.turn(CHAT, asked, "Yes.", stream=False)
    items = list(stage.ann.responses.input_items.list(found.id, limit=1, order="asc"))
    assert [text_of(item) for item in items] == ["One", "Two"]


def test_compacting(stage: StateStage) -> None:
    """The answer is the SDK's type; its items go on, also in a conversation."""
    first = stage.turn(CHAT, "I am Ada.", "Hello.", stream=False)
    stage.upstream.reply(chat_reply("The user is Ada."))
    compacted = stage.ann.responses.compact(model=CHAT, previous_response_id=first.id)
    assert compacted.object == "response.compaction"
    given: Any = [item.model_dump(exclude_unset=True, warnings=False) for item in compacted.output]
    id = stage.ann.conversations.create(items=given).id
    stage.turn(CHAT, "Who am I?", "Ada.", stream=False, conversation=id)
    assert "The user is Ada." in json.dumps(stage.upstream.requests[-1].json()["messages"])


def test_methods_and_paths_that_are_not_there(stage: StateStage) -> None:
    """A 405 with what is allowed, or a 404, in OpenAI's shape."""
    found = stage.raw("GET", "/conversations")
    assert (found.status_code, found.headers["allow"]) == (405, "POST, OPTIONS")
    assert stage.raw("PUT", "/conversations/conv_1").status_code == 405
    for path in ("/conversations/conv_1/things", "/conversations/a/items/b/c", "/responses/a/b"):
        found = stage.raw("GET", path)
        assert (found.status_code, set(found.json()["error"])) == (
            404,
            {"message", "type", "param", "code"},
        )
