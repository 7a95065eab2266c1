"""What an answer said, read from the copy of its bytes."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from answer_streams import DIALECT_NAMES, Pieces, pieces_of, replies, written
from corpus import exchanges
from plano_asgi.conversation import ChatResponse, RefusalPart, TextPart, ToolCallPart
from plano_asgi.telemetry.read_answer import NOTHING, ReadAnswer, read_answer
from plano_asgi.telemetry.tee import AnswerTee
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.accumulate import Accumulator
from tapped import DONE, JSON, SSE, chunk, frame


def tee_of(
    content: bytes,
    kind: str = SSE,
    *,
    status: int = 200,
    ends: bool = True,
    encoding: str = "",
    **options: Any,
) -> AnswerTee:
    """A tee that *content* went through."""

    async def nowhere(_: Message) -> None: ...

    tee = AnswerTee(nowhere, **options)
    headers = [(b"content-type", kind.encode())] if kind else []
    headers += [(b"content-encoding", encoding.encode())] if encoding else []

    for message in (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": content, "more_body": not ends},
    ):
        with suppress(StopIteration):  # it waits for nothing, so no loop is needed
            waiting: Any = tee(message)
            waiting.send(None)
    return tee


def ordinary(dialect: str, stream: bytes) -> ChatResponse:
    """What the dialect's reader makes of those events of *stream* that are whole."""
    reader, accumulator = DIALECTS[dialect].stream_reader(), Accumulator(dialect=dialect)
    whole, blank, last = stream.replace(b"\r\n", b"\n").rpartition(b"\n\n")
    with suppress(ValueError):
        json.loads(last.partition(b"data: ")[2])
        whole, blank = stream, b""
    accumulator.add(reader.feed(whole + blank))
    accumulator.add(reader.close())
    return accumulator.response()


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@given(data=st.data())
def test_a_stream_is_read_as_the_ordinary_reader_reads_it(
    dialect: str, data: st.DataObject
) -> None:
    """Text, thoughts, refusals and calls; whole, and cut at any byte."""
    stream = written(dialect, data.draw(pieces_of(dialect)))
    read = read_answer(dialect, tee_of(stream))
    assert read.answer == ordinary(dialect, stream)
    assert read.is_whole
    part = stream[: data.draw(st.integers(0, len(stream) - 2))]
    cut = read_answer(dialect, tee_of(part, ends=False))
    assert cut.answer == ordinary(dialect, part)
    assert not cut.is_whole
    assert cut.error_type == ""


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("name", replies())
def test_every_cut_of_a_stream_is_read(dialect: str, name: str) -> None:
    """Half characters, half lines, half events: what had come is told, and never more."""
    stream = written(dialect, replies()[name])
    for cut in range(len(stream)):
        read = read_answer(dialect, tee_of(stream[:cut], ends=False))
        assert read.answer == ordinary(dialect, stream[:cut])


def summary(read: ReadAnswer) -> tuple[object, ...]:
    """All but the answer itself."""
    return (
        read.usage,
        read.response_id,
        read.response_model,
        read.finish_reasons,
        read.is_whole,
        read.error_type,
    )


LONG: Pieces = [("text", [f"word {n} " for n in range(500)])]


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@pytest.mark.parametrize("pieces", [*replies().values(), LONG, [("call", ["{", "}"] * 9)]])
def test_without_texts_the_edges_say_enough(dialect: str, pieces: Pieces) -> None:
    """Ids, reasons and usage are the same as of the whole; the answer is not read."""
    tee = tee_of(written(dialect, pieces))
    read = read_answer(dialect, tee, deep=False)
    assert read.answer is None
    assert summary(read) == summary(read_answer(dialect, tee))
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (11, 7)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_without_texts_a_cut_stream_is_read_all_the_same(dialect: str) -> None:
    """What it produced is all that tells what it used."""
    stream = written(dialect, LONG)
    read = read_answer(dialect, tee_of(stream[: len(stream) // 2], ends=False), deep=False)
    assert read.answer is not None
    assert len(read.answer.choices[0].parts) == 1
    assert not read.is_whole


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_an_answer_that_was_not_kept_is_told_by_its_edges(dialect: str) -> None:
    """Larger than the bound: who answered and what it used stand at its ends."""
    stream = written(dialect, LONG)
    whole = read_answer(dialect, tee_of(stream))
    read = read_answer(dialect, tee_of(stream, max_bytes=30_000, edge_bytes=12_000))
    assert read.answer is None
    assert summary(read) == summary(whole)


def test_usage_of_a_document_that_was_not_kept_stands_at_its_end() -> None:
    """A batch of embeddings is as large as it likes."""
    usage = {"prompt_tokens": 8, "total_tokens": 8, "prompt_tokens_details": {"cached_tokens": 2}}
    content = json.dumps({"data": ["x" * 5_000], "model": "e", "usage": usage}).encode()
    read = read_answer("openai.chat", tee_of(content, JSON, max_bytes=99, edge_bytes=500))
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.cache_read_input_tokens) == (8, 2)
    packed = tee_of(content, JSON, encoding="gzip", max_bytes=99, edge_bytes=500)
    assert read_answer("openai.chat", packed) == NOTHING
    for tail in (b"", b'"usage":', b'"usage":{"a":' + b"}" * 20):
        large = tee_of(b'{"a":"' + b"x" * 5_000 + tail, JSON, max_bytes=99, edge_bytes=500)
        assert read_answer("openai.chat", large).usage is None


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": "No",
                "tool_calls": [CALL],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
CONTENT = json.dumps(ANSWER).encode()


@pytest.mark.parametrize("kind", [JSON, SSE, "text/plain", ""])
def test_one_document_is_read_whatever_it_says_to_be(kind: str) -> None:
    """Clients go by what they asked for, and so does this."""
    read = read_answer("openai.chat", tee_of(CONTENT, kind))
    assert read.answer is not None
    parts = [TextPart(text="Hi"), RefusalPart(text="No")]
    call = ToolCallPart(id="a", name="f", arguments="{}")
    assert read.answer.choices[0].parts == [*parts, call]
    assert (read.response_id, read.response_model) == ("chatcmpl-1", "gpt-4o-2024-08-06")
    assert (read.finish_reasons, read.is_whole) == (("tool_calls",), True)
    assert read_answer("openai.chat", tee_of(CONTENT, kind), deep=False).answer is None


def test_a_stream_is_read_whatever_it_says_to_be() -> None:
    """A few upstreams call it plain text, or JSON."""
    stream = written("openai.chat", replies()["plain"])
    for kind in (JSON, "text/plain", ""):
        assert read_answer("openai.chat", tee_of(stream, kind)).is_whole


def test_the_edges_of_a_stream_of_carriage_returns_are_read() -> None:
    """As rare as it is legal."""
    stream = written("openai.chat", LONG)
    for ends in (b"\r\n", b"\r"):
        read = read_answer("openai.chat", tee_of(stream.replace(b"\n", ends)), deep=False)
        assert read.is_whole
        assert read.usage is not None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers_are_read(encoding: str) -> None:
    """Whole, and up to a cut."""
    stream = written("openai.chat", LONG)
    packed = gzip.compress(stream) if encoding == "gzip" else zlib.compress(stream)
    read = read_answer("openai.chat", tee_of(packed, encoding=encoding))
    assert read.answer == ordinary("openai.chat", stream)
    half = tee_of(packed[: len(packed) // 2], encoding=encoding, ends=False)
    assert 0 < len(str(read_answer("openai.chat", half).answer)) < len(str(read.answer))


def test_a_bomb_fills_no_memory() -> None:
    """It is read up to the bound, and no further."""
    bomb = gzip.compress(b'{"a":"' + b"x" * (4 << 20) + b'"}')
    tee = tee_of(bomb, JSON, encoding="gzip")
    assert read_answer("openai.chat", tee, max_decoded_bytes=1 << 20) == NOTHING


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_what_cannot_be_decoded_is_not_told(encoding: str) -> None:
    """Bytes in an encoding nobody here knows, or not in the one they claim."""
    assert read_answer("openai.chat", tee_of(CONTENT, JSON, encoding=encoding)) == NOTHING


def test_embeddings_and_the_like_tell_what_they_used() -> None:
    """No answer in the neutral form; model and usage all the same."""
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    content = json.dumps({"object": "list", "data": [], "model": "e", "usage": usage}).encode()
    read = read_answer("openai.chat", tee_of(content, JSON), deep=False)
    assert (read.answer, read.response_model, read.is_whole) == (None, "e", True)
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (3, 0)


def test_errors_tell_their_type_and_nothing_else() -> None:
    """By status, inside a 200, and at the end of a stream."""
    error = json.dumps({"error": {"message": "secret", "type": "rate_limit_error"}}).encode()
    limited = ReadAnswer(error_type="rate_limit_error")
    assert read_answer("openai.chat", tee_of(error, JSON, status=429)) == limited
    assert read_answer("openai.chat", tee_of(error, JSON)) == limited
    broken = read_answer("openai.chat", tee_of(chunk("a") + frame(error.decode()) + DONE))
    assert (broken.error_type, broken.is_whole) == ("rate_limit_error", False)
    assert broken.answer is not None
    assert broken.answer.choices[0].parts == [TextPart(text="a")]
    assert read_answer("openai.chat", tee_of(b"<html>", "text/html", status=502)).error_type


def test_a_stream_whose_middle_makes_no_sense_is_read_up_to_there() -> None:
    """Event by event, as its client does."""
    bad = chunk("b").replace(b'"b"', b'"\x01"')
    read = read_answer("openai.chat", tee_of(chunk("a") * 2 + bad + chunk("c") + DONE))
    assert read.answer is not None
    assert read.answer.choices[0].parts == [TextPart(text="aa")]
    assert not read.is_whole


def test_a_stream_without_an_end_mark_is_whole_if_every_choice_is() -> None:
    """Some upstreams just close."""
    assert read_answer("openai.chat", tee_of(chunk("a") + chunk(None, "stop"))).is_whole
    assert not read_answer("openai.chat", tee_of(chunk("a"))).is_whole


def test_a_client_that_left_before_the_end_got_no_whole_answer() -> None:
    """Even if the last event had been sent."""
    stream = written("openai.chat", replies()["plain"])
    assert not read_answer("openai.chat", tee_of(stream, ends=False)).is_whole


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b"{", b'"a"', b"\xff", b"{}"])
@pytest.mark.parametrize("dialect", [*DIALECT_NAMES, "", "bedrock.converse"])
def test_what_is_no_answer_tells_nothing(dialect: str, content: bytes) -> None:
    """Whatever a foreign app sends."""
    read = read_answer(dialect, tee_of(content, JSON))
    assert (read.answer, read.usage, read.finish_reasons) == (None, None, ())


KEYS = ("id", "choices", "message", "delta", "content", "usage", "output", "type", "text", "index")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
@given(st.lists(VALUES, max_size=4), st.booleans())
def test_nothing_that_is_sent_raises(dialect: str, values: list[Any], deep: bool) -> None:
    """JSON of every shape, as one document and as a stream."""
    for value in values:
        read_answer(dialect, tee_of(json.dumps(value).encode(), JSON), deep=deep)
    read_answer(dialect, tee_of(b"".join(map(frame, values))), deep=deep)


def recordings() -> list[Any]:
    """What providers really streamed, in the dialects of clients."""
    return [
        pytest.param(api, *param.values, id=param.id, marks=param.marks)
        for api in DIALECT_NAMES
        for param in exchanges(api, streaming=True)
    ]


@pytest.mark.parametrize(("dialect", "item"), recordings())
def test_recorded_streams_are_read_as_the_ordinary_reader_reads_them(
    dialect: str, item: dict[str, Any]
) -> None:
    """Whole, and cut in the middle."""
    stream = item["response"]["stream"].encode()
    for part in (stream, stream[: len(stream) // 2]):
        assert told(read_answer(dialect, tee_of(part)).answer) == told(ordinary(dialect, part))


def told(answer: ChatResponse | None) -> object:
    """*answer* without call ids, which are made up where there are none."""
    assert answer is not None
    for choice in answer.choices:
        for part in choice.parts:
            if isinstance(part, ToolCallPart):
                part.id = ""
    return answer
