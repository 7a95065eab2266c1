"""Refusals as plain answers: the official SDKs read them as any other."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from plano_asgi.conversation import ChatRequest, FinishReason
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.refusal import streamed_refusal, whole_refusal
from plano_asgi.wire.wire_events import EventDecoder

TEXT = "I cannot help with that.\nAsk me something else, für mich."
CLIENTS = ("openai.chat", "openai.responses", "anthropic.messages")
REASONS: tuple[FinishReason, ...] = ("content_filter", "refusal", "stop")
WHOLE: dict[str, TypeAdapter[Any]] = {
    "openai.chat": TypeAdapter(ChatCompletion),
    "openai.responses": TypeAdapter(Response),
    "anthropic.messages": TypeAdapter(Message),
}
EVENT: dict[str, TypeAdapter[Any]] = {
    "openai.chat": TypeAdapter(ChatCompletionChunk),
    "openai.responses": TypeAdapter(ResponseStreamEvent),
    "anthropic.messages": TypeAdapter(RawMessageStreamEvent),
}


def _request(dialect: str) -> ChatRequest:
    return ChatRequest(model="m-1", messages=[], dialect=dialect, include_usage=True)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_whole_refusal_is_an_answer_like_any(name: str, reason: FinishReason) -> None:
    """The SDK's types take it; read again it says the text, with an id and no tokens."""
    dialect = DIALECTS[name]
    body = whole_refusal(dialect, _request(name), TEXT, reason)
    WHOLE[name].validate_python(body)
    read = dialect.read_response(body)
    assert read.id
    assert read.model == "m-1"
    assert read.choices[0].parts[0].text == TEXT  # type: ignore[union-attr]
    counts = [count for count in body["usage"].values() if isinstance(count, int)]
    assert counts
    assert not any(counts)


@pytest.mark.parametrize(
    ("name", "reason", "word"),
    [
        ("openai.chat", "content_filter", "content_filter"),
        ("openai.chat", "refusal", "content_filter"),
        ("anthropic.messages", "content_filter", "refusal"),
        ("anthropic.messages", "refusal", "refusal"),
    ],
)
def test_the_reason_is_said_in_the_dialects_words(
    name: str, reason: FinishReason, word: str
) -> None:
    """As the API itself would end such an answer."""
    body = whole_refusal(DIALECTS[name], _request(name), TEXT, reason)
    ended = body["choices"][0]["finish_reason"] if name == "openai.chat" else body["stop_reason"]
    assert ended == word


def test_responses_are_incomplete_for_a_content_filter() -> None:
    """The API's way to say it."""
    body = whole_refusal(
        DIALECTS["openai.responses"], _request("openai.responses"), TEXT, "content_filter"
    )
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_streamed_refusal_says_the_same(name: str, reason: FinishReason) -> None:
    """Whole, from its first event to its end mark, every event one that the SDK knows."""
    dialect = DIALECTS[name]
    stream = streamed_refusal(dialect, _request(name), TEXT, reason)
    for event in EventDecoder().feed(stream):
        if event.data != "[DONE]":
            EVENT[name].validate_python(event.data)
    reader, sums = dialect.stream_reader(), Accumulator(dialect=name)
    sums.add([*reader.feed(stream), *reader.close()])
    assert sums.ended
    (choice,) = sums.response().choices
    whole = dialect.read_response(whole_refusal(dialect, _request(name), TEXT, reason))
    assert [part.text for part in choice.parts] == [TEXT]  # type: ignore[union-attr]
    assert choice.finish_reason == whole.choices[0].finish_reason


@pytest.mark.parametrize("name", CLIENTS)
def test_a_refusal_may_say_nothing(name: str) -> None:
    """Without a text there is still an answer, and an end."""
    dialect = DIALECTS[name]
    WHOLE[name].validate_python(whole_refusal(dialect, _request(name), "", "content_filter"))
    reader, sums = dialect.stream_reader(), Accumulator(dialect=name)
    stream = streamed_refusal(dialect, _request(name), "", "content_filter")
    sums.add([*reader.feed(stream), *reader.close()])
    assert sums.ended
