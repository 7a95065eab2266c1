"""Streams of the Responses API, read and changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent

from corpus import exchanges
from plano_asgi._json import dumps
from plano_asgi.conversation import ReasoningPart, TextPart, ToolCallPart
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, Delta, Passage, StreamParts, WireEvent
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.openai_responses.editor import ResponsesEditor
from plano_asgi.wire.wire_events import EventDecoder, encode

JSON = dict[str, Any]
STREAMS = exchanges("openai.responses", streaming=True)
Step = Callable[[WireEvent, StreamParts, ResponsesEditor], Iterable[WireEvent]]

# --------------------------------------------------------------------------- helpers


def frames(*events: JSON) -> bytes:
    """A stream of *events*, numbered."""
    return b"".join(
        encode(WireEvent({"sequence_number": number, **event}, event["type"]))
        for number, event in enumerate(events)
    )


def events_of(stream: bytes) -> list[WireEvent]:
    """The events of a stream."""
    decoder = EventDecoder()
    return decoder.feed(stream) + decoder.close()


def unchanged(event: WireEvent, parts: StreamParts, editor: ResponsesEditor) -> Sequence[WireEvent]:
    """A filter that changes nothing."""
    return (event,)


def run(stream: bytes, step: Step = unchanged, *, until: int | None = None) -> bytes:
    """*stream* after *step* saw every event, or the first *until* of them."""
    return b"".join(map(encode, passed(ResponsesEditor(), stream, step, until)))


def passed(
    editor: ResponsesEditor, stream: bytes, step: Step = unchanged, until: int | None = None
) -> list[WireEvent]:
    """The events that go out."""
    out: list[WireEvent] = []
    for event in events_of(stream)[:until]:
        for piece in editor.split(event):
            out += [editor.seal(each) for each in step(piece, editor.read(piece), editor)]
    return out


def upper(event: WireEvent, parts: StreamParts, editor: ResponsesEditor) -> Sequence[WireEvent]:
    """A filter that changes every text that it is shown, and its length."""
    texts: list[Delta | Passage] = [*parts.deltas, *parts.alone]
    for each in texts:
        each.replace(each.text.upper() + "!")
        event.raw = None
    return (event,)


def data_of(stream: bytes) -> list[Any]:
    """The data of every event."""
    return [event.data for event in events_of(stream)]


def accepted(stream: bytes) -> list[Any]:
    """What the official client's accumulator makes of *stream*, event by event."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    out: list[Any] = []
    for data in data_of(stream):
        if isinstance(data, dict):
            event: Any = construct_type(type_=ResponseStreamEvent, value=data)
            out += state.handle_event(event)
    return out


def is_accepted(stream: bytes) -> bool:
    """Whether the official client takes *stream*; one that only failed is not to blame."""
    try:
        accepted(stream)
    except IndexError:
        return False
    return True


MESSAGE = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant"}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "m"}
CREATED = {"type": "response.created", "response": {**RESPONSE, "output": []}}
WHERE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
ADDED = {
    "type": "response.output_item.added",
    "output_index": 0,
    "item": {**MESSAGE, "content": []},
}
PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
PART_ADDED = {"type": "response.content_part.added", **WHERE, "part": PART}


def text_delta(text: str, **more: Any) -> JSON:
    """A delta of the first text."""
    return {"type": "response.output_text.delta", **WHERE, "delta": text, "logprobs": [], **more}


def endings(text: str, **part: Any) -> list[JSON]:
    """The events that repeat *text* after its deltas."""
    whole = {**PART, "text": text, **part}
    item = {**MESSAGE, "status": "completed", "content": [whole]}
    response = {**RESPONSE, "status": "completed", "output": [item], "usage": {"total_tokens": 3}}
    return [
        {"type": "response.output_text.done", **WHERE, "text": text, "logprobs": [{"token": "x"}]},
        {"type": "response.content_part.done", **WHERE, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]


def plain(*pieces: str) -> bytes:
    """A whole stream of one message."""
    return frames(CREATED, ADDED, PART_ADDED, *map(text_delta, pieces), *endings("".join(pieces)))


# --------------------------------------------------------------------------- recorded streams


@pytest.mark.parametrize("item", STREAMS)
def test_a_stream_nobody_changes_keeps_its_bytes(item: JSON) -> None:
    """Splitting, reading, sealing and encoding gives back what came in."""
    stream = item["response"]["stream"].encode()
    assert run(stream) == stream


@pytest.mark.parametrize("item", STREAMS)
def test_the_deltas_are_the_texts_of_the_answer(item: JSON) -> None:
    """What the editor shows is what the stream reader reads."""
    stream = item["response"]["stream"].encode()
    shown: dict[Channel, str] = {}
    alone: list[str] = []

    def collect(
        event: WireEvent, parts: StreamParts, editor: ResponsesEditor
    ) -> Sequence[WireEvent]:
        for delta in parts.deltas:
            shown[delta.channel] = shown.get(delta.channel, "") + delta.text
        alone.extend(passage.text for passage in parts.alone)
        return (event,)

    run(stream, collect)
    said = [*shown.values(), *alone]
    reader, whole = OpenAIResponses().stream_reader(), Accumulator(dialect="openai.responses")
    whole.add(reader.feed(stream) + reader.close())
    for part in [part for choice in whole.response().choices for part in choice.parts]:
        match part:
            case TextPart(text=text) | ToolCallPart(arguments=text):
                assert text in said
            case ReasoningPart(text=text):  # its summary parts, a blank line between
                assert text.replace("\n\n", "") in "".join(said).replace("\n\n", "")


@pytest.mark.parametrize("item", STREAMS)
def test_repetitions_say_what_was_sent(item: JSON) -> None:
    """Every whole text that follows its deltas is the deltas that went out, joined."""
    stream = item["response"]["stream"].encode()
    out = run(stream, upper)
    sent: dict[tuple[Any, ...], str] = {}
    for data in data_of(out):
        if not isinstance(data, dict):
            continue
        stem, _, verb = data["type"].rpartition(".")
        place = (stem, data.get("output_index"), *(v for k, v in data.items() if "y_index" in k))
        place += (data.get("content_index"), data.get("command_index"))
        if verb == "delta" and isinstance(data["delta"], str):
            sent[place] = sent.get(place, "") + data["delta"]
        elif verb == "done" and place in sent:
            assert sent[place] in data.values()
    assert is_accepted(out) == is_accepted(stream)


@pytest.mark.parametrize("item", STREAMS)
def test_an_answer_can_be_stopped_anywhere(item: JSON) -> None:
    """The official client takes the stream that is stopped after any event."""
    stream = item["response"]["stream"].encode()
    if not is_accepted(stream):
        pytest.skip("the official client does not take the recorded stream either")
    count = len(events_of(stream))
    for cut in range(0, count, max(1, count // 5)):
        editor = ResponsesEditor()
        out = passed(editor, stream, until=cut)
        out += [editor.seal(event) for event in editor.stop("content_filter", "No.")]
        wire = b"".join(map(encode, out))
        numbers = [data["sequence_number"] for data in data_of(wire) if isinstance(data, dict)]
        assert numbers == list(range(len(numbers)))
        last = accepted(wire)[-1]
        assert last.type == "response.incomplete"
        assert last.response.incomplete_details.reason == "content_filter"


# --------------------------------------------------------------------------- changes


def test_changed_text_is_told_as_it_was_sent_everywhere() -> None:
    """Deltas, done events, part, item and response agree; logprobs of other words are gone."""
    final = [data for data in data_of(run(plain("ab", "cd"), upper)) if "delta" not in data][-4:]
    assert final[0]["text"] == "AB!CD!"
    assert final[0]["logprobs"] == []
    assert final[1]["part"]["text"] == "AB!CD!"
    assert final[2]["item"]["content"][0]["text"] == "AB!CD!"
    assert final[3]["response"]["output"][0]["content"][0]["text"] == "AB!CD!"
    assert final[3]["response"]["usage"] == {"total_tokens": 3}


def test_events_before_the_first_change_keep_their_bytes() -> None:
    """Only what differs is written anew."""
    stream = plain("ab", "cd")

    def change(event: WireEvent, parts: StreamParts, _: ResponsesEditor) -> Sequence[WireEvent]:
        for delta in parts.deltas:
            if delta.text == "cd":
                delta.replace("*")
                event.raw = None
        return (event,)

    before = stream[: stream.index(b'"delta":"cd"') - 200]
    assert run(stream, change).startswith(before)


def test_numbers_have_no_gap_after_events_came_and_went() -> None:
    """An inserted event pushes the numbers up, one left out pulls them down."""

    def shuffle(
        event: WireEvent, parts: StreamParts, editor: ResponsesEditor
    ) -> Sequence[WireEvent]:
        if parts.is_pure and parts.deltas[0].text == "a":
            return ()
        if parts.ends:
            return (editor.delta(parts.ends[0], "!"), editor.delta(parts.ends[0], "?"), event)
        return (event,)

    out = data_of(run(plain("a", "b"), shuffle))
    assert [data["sequence_number"] for data in out] == list(range(len(out)))
    assert out[-1]["response"]["output"][0]["content"][0]["text"] == "b!?"
    assert [data["delta"] for data in out if "delta" in data] == ["b", "!", "?"]


def test_numbers_of_an_upstream_that_does_not_count_stay() -> None:
    """A stream numbered in another way, or not at all, is left so."""
    odd = b"".join(
        encode(WireEvent({**text_delta("a"), "sequence_number": number})) for number in (0, 0, 5)
    )
    assert run(odd) == odd
    bare = encode(WireEvent(text_delta("a")))
    assert run(bare * 2) == bare * 2


def test_a_delta_looks_like_the_last_one() -> None:
    """An event of the editor's own has the item's place and no leftovers of another text."""
    editor = ResponsesEditor()
    passed(editor, frames(CREATED, ADDED, PART_ADDED, text_delta("x", obfuscation="zz")))
    event = editor.delta(Channel(0, "content", "0/content.0.text"), "more")
    assert event.name == "response.output_text.delta"
    assert event.data == {**text_delta("more"), "sequence_number": 3}
    assert editor.read(event).is_pure


def test_reading_twice_gives_the_same() -> None:
    """Several filters may ask; the text counts once."""
    editor = ResponsesEditor()
    event = events_of(frames(text_delta("x")))[0]
    assert editor.read(event) is editor.read(event)
    assert editor.read(events_of(frames(endings("x")[0]))[0]).alone == []


# --------------------------------------------------------------------------- odd upstreams


def shown_by(stream: bytes) -> tuple[list[str], list[str]]:
    """Texts of deltas, and those told alone."""
    deltas: list[str] = []
    alone: list[str] = []

    def collect(
        event: WireEvent, parts: StreamParts, editor: ResponsesEditor
    ) -> Sequence[WireEvent]:
        deltas.extend(delta.text for delta in parts.deltas)
        alone.extend(passage.text for passage in parts.alone)
        return (event,)

    run(stream, collect)
    return deltas, alone


def test_a_text_without_deltas_is_shown_once_and_rewritten_everywhere() -> None:
    """The first event that tells it shows it; the others repeat what became of it."""
    stream = frames(CREATED, ADDED, PART_ADDED, *endings("secret"))
    assert shown_by(stream) == ([], ["secret"])
    assert b"secret" not in run(stream, upper)


@pytest.mark.parametrize("first", range(4))
def test_a_text_told_only_at_the_end_is_shown(first: int) -> None:
    """A done event, a part, an item or the response alone is enough."""
    stream = frames(CREATED, *endings("secret")[first:])
    assert shown_by(stream) == ([], ["secret"])
    assert b"secret" not in run(stream, upper)


@pytest.mark.parametrize("first", range(4))
def test_text_beyond_the_deltas_becomes_a_delta(first: int) -> None:
    """What a repetition adds is streamed before it, so that it meets what is held back."""
    stream = frames(CREATED, ADDED, PART_ADDED, text_delta("sec"), *endings("secret")[first:])
    assert shown_by(stream) == (["sec", "ret"], [])
    out = data_of(run(stream, upper))
    assert out[-1]["response"]["output"][0]["content"][0]["text"] == "SEC!RET!"


def test_text_added_after_the_end_is_flushed_before_its_event() -> None:
    """An item that says more than its text's done event opens and ends that text once more."""
    done, _, item, _ = endings("se")[:1] + endings("secret")[1:]
    editor = ResponsesEditor()
    events = events_of(frames(CREATED, ADDED, PART_ADDED, text_delta("se"), done, item))
    seen = [editor.read(piece) for event in events for piece in editor.split(event)]
    assert [len(parts.ends) for parts in seen[-3:]] == [1, 0, 1]
    assert seen[-2].deltas[0].text == "cret"


def test_a_response_may_say_its_text_once_more() -> None:
    """``output_text`` is no part of the API's bodies, but some upstreams send it."""
    end = {"type": "response.completed", "response": {**RESPONSE, "output_text": "all"}}
    assert shown_by(frames(CREATED, end)) == ([], ["all"])


def test_events_of_a_filter_are_sent_as_they_are() -> None:
    """What replaces an event counts as sent, not as received."""

    def rebuild(
        event: WireEvent, parts: StreamParts, editor: ResponsesEditor
    ) -> Sequence[WireEvent]:
        if parts.deltas:
            data = {**event.data, "delta": parts.deltas[0].text.upper()}
            return (WireEvent(data, event.name), WireEvent("note"))
        if event.data["type"] == "response.output_text.done":
            return (WireEvent({**event.data, "text": "Z"}, event.name),)
        return (event,)

    out = [data for data in data_of(run(plain("ab", "cd"), rebuild)) if data != "note"]
    assert [data["delta"] for data in out if "delta" in data] == ["AB", "CD"]
    assert [data["sequence_number"] for data in out] == list(range(len(out)))
    assert out[-1]["response"]["output"][0]["content"][0]["text"] == "Z"


@given(
    pieces=st.lists(st.text(max_size=4), max_size=6),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
    drops=st.sets(st.integers(0, 5)),
)
def test_any_changes_leave_one_story(pieces: list[str], cuts: list[int], drops: set[int]) -> None:
    """However the bytes are cut and pieces go: all repetitions say the deltas that went out."""
    stream, decoder, editor = plain(*pieces), EventDecoder(), ResponsesEditor()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    events = [e for a, b in pairwise(edges) for e in decoder.feed(stream[a:b])]
    out, count = [], 0
    for event in [piece for each in events for piece in editor.split(each)]:
        if editor.read(event).is_pure:
            count += 1
            if count - 1 in drops:
                continue
        out.append(editor.seal(event).data)
    sent = "".join(data.get("delta", "") for data in out)
    assert sent == "".join(piece for n, piece in enumerate(pieces) if n not in drops)
    assert out[-1]["response"]["output"][0]["content"][0]["text"] == sent
    assert [data["sequence_number"] for data in out] == list(range(len(out)))


def test_two_items_of_one_id_are_two() -> None:
    """Where an upstream gives one id to all its items, their places in the output count."""
    first, second = (
        {**MESSAGE, "id": "", "content": [{**PART, "text": text}]} for text in ("one", "two")
    )
    second["id"] = first["id"] = "same"
    done = "response.output_item.done"
    stream = frames(
        CREATED,
        {"type": done, "output_index": 0, "item": first},
        {"type": done, "output_index": 1, "item": second},
        {"type": "response.completed", "response": {**RESPONSE, "output": [first, second]}},
    )
    assert shown_by(stream) == ([], ["one", "two"])


def test_text_that_differs_from_the_deltas_is_shown_whole() -> None:
    """Nothing passes because something like it was read."""
    stream = frames(CREATED, ADDED, PART_ADDED, text_delta("one"), *endings("two"))
    assert shown_by(stream) == (["one"], ["two"])
    assert data_of(run(stream, upper))[-1]["response"]["output"][0]["content"][0]["text"] == "TWO!"


def test_text_in_an_added_event_is_streamed() -> None:
    """It may go on in the deltas that follow."""
    added = {**PART_ADDED, "part": {**PART, "text": "sec"}}
    stream = frames(CREATED, ADDED, added, text_delta("ret"), *endings("secret"))
    assert shown_by(stream) == (["sec", "ret"], [])
    out = data_of(run(stream))
    assert out[2]["part"]["text"] == ""
    assert out[3] == {**text_delta("sec"), "sequence_number": 3}
    accepted(run(stream))


def test_arguments_in_an_added_item_are_streamed() -> None:
    """A call that is announced whole is read whole, and as JSON."""
    item = {**CALL, "arguments": '{"a":"b"}'}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    added = {**done, "type": "response.output_item.added"}
    editor = ResponsesEditor()
    out = passed(editor, frames(CREATED, added, done))
    assert [event.data["type"].rpartition(".")[2] for event in out] == [
        "created",
        "added",
        "delta",
        "done",
    ]
    assert out[2].data["delta"] == '{"a":"b"}'
    parts = editor.read(out[2])
    assert parts.deltas[0].channel == Channel(0, "tool_call", "0/arguments", is_json=True)


def test_items_are_told_apart_where_places_are_missing() -> None:
    """Without an output_index, the item's id says which text it is."""
    pieces = [
        {"type": "response.output_text.delta", "item_id": name, "delta": text}
        for name, text in (("x", "a"), ("y", "b"), ("x", "c"))
    ]
    editor = ResponsesEditor()
    channels = [editor.read(event).deltas[0].channel for event in events_of(frames(*pieces))]
    assert channels[0] == channels[2] != channels[1]


def test_unknown_events_are_read() -> None:
    """A new kind of delta is running text, any other event tells its texts alone."""
    stream = frames(
        {"type": "response.poem.delta", "delta": "one", "output_index": 0},
        {"type": "response.poem.done", "poem": "one", "output_index": 0},
        {"type": "response.note", "note": {"text": "two", "id": "no"}},
        {"type": "other", "hint": "three"},
    )
    assert shown_by(stream) == (["one"], ["one", "two", "three"])


def test_shell_output_is_two_texts() -> None:
    """A delta that is an object has a channel for each of its keys."""
    event = {
        "type": "response.shell_call_output_content.delta",
        "output_index": 1,
        "command_index": 0,
        "delta": {"stdout": "a", "stderr": "b"},
    }
    editor = ResponsesEditor()
    parts = editor.read(events_of(frames(event))[0])
    assert [delta.channel.part for delta in parts.deltas] == [
        "1/output.0.stdout",
        "1/output.0.stderr",
    ]
    more = editor.delta(parts.deltas[0].channel, "c")
    assert more.data["delta"] == {"stdout": "c"}


def test_media_and_marks_are_no_texts() -> None:
    """Encoded images, keep-alives and the end mark show nothing."""
    stream = frames(
        {"type": "response.image_generation_call.partial_image", "partial_image_b64": "AAAA"},
        {"type": "keepalive"},
    )
    assert shown_by(stream + b"data: [DONE]\n\n: ping\n\n") == ([], [])


def test_events_that_are_no_json_objects_are_read() -> None:
    """Bare text and lists are texts, too."""
    stream = b'data: hello\n\ndata: ["you"]\n\n'
    assert shown_by(stream) == ([], ["hello", "you"])
    assert run(stream, upper) == b'data: HELLO!\n\ndata: ["YOU!"]\n\n'


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "c", "message": "boom"},
        {"type": "error", "error": {"type": "t", "message": "boom"}},
        {"error": {"message": "boom"}, "type": ""},
        {"type": "response.failed", "response": {**RESPONSE, "error": {"message": "boom"}}},
    ],
)
def test_errors_are_texts_and_the_end(event: JSON) -> None:
    """An error may echo the request; whatever is open ends before it."""
    editor = ResponsesEditor()
    *_, last = events_of(frames(text_delta("x"), event))
    for each in events_of(frames(text_delta("x"))):
        editor.read(each)
    parts = editor.read(last)
    assert parts.is_last
    assert len(parts.ends) == 1
    assert [(each.text, each.origin) for each in parts.alone] == [("boom", "error")]


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [[]], {"type": 5}, True])
def test_no_shape_breaks_the_editor(value: Any) -> None:
    """Every field of every event may be anything."""
    shapes: list[JSON] = [
        annotated(0, 0, 1),
        CREATED,
        ADDED,
        PART_ADDED,
        text_delta("a"),
        *endings("a"),
    ]
    for shape in shapes:
        for key in shape:
            event = {**shape, key: value}
            wire = b"data: " + dumps(event) + b"\n\n"
            editor = ResponsesEditor()
            passed(editor, frames(CREATED, ADDED) + wire + plain("b"), upper)
            editor.stop("content_filter", "x")


def test_the_text_kept_is_bounded() -> None:
    """An answer longer than the limit fails."""
    editor = ResponsesEditor(max_chars=3)
    with pytest.raises(UpstreamProtocolError):
        passed(editor, plain("ab", "cd"))


# --------------------------------------------------------------------------- annotations


def cite(start: int, end: int, index: int = 0) -> JSON:
    """A citation of some words."""
    return {
        "type": "url_citation",
        "url": f"http://{index}",
        "title": "T",
        "start_index": start,
        "end_index": end,
    }


def annotated(number: int, start: int, end: int) -> JSON:
    """The event that tells a citation."""
    kind = "response.output_text.annotation.added"
    return {
        "type": kind,
        **WHERE,
        "annotation_index": number,
        "annotation": cite(start, end, number),
    }


def redact_second(
    event: WireEvent, parts: StreamParts, editor: ResponsesEditor
) -> Sequence[WireEvent]:
    """A filter that changes the second of two words."""
    for delta in parts.deltas:
        if delta.text == "secret":
            delta.replace("*")
            event.raw = None
    return (event,)


def test_annotations_of_changed_words_go() -> None:
    """Those before the change stay; the event of another one points at no words any more."""
    notes = [cite(0, 5, 0), cite(6, 12, 1)]
    stream = frames(
        CREATED,
        ADDED,
        PART_ADDED,
        text_delta("hello "),
        annotated(0, 0, 5),
        text_delta("secret"),
        annotated(1, 6, 12),
        *endings("hello secret", annotations=notes),
    )
    assert run(stream) == stream
    out = data_of(run(stream, redact_second))
    told = [data["annotation"] for data in out if "annotation" in data]
    assert told == [notes[0], {**notes[1], "start_index": 7, "end_index": 7}]
    assert out[-1]["response"]["output"][0]["content"][0]["annotations"] == [notes[0]]
    assert shown_by(stream)[1] == ["http://0", "T", "http://1", "T"]


# --------------------------------------------------------------------------- stopping


def stopped(stream: bytes, text: str = "", reason: Any = "content_filter") -> list[Any]:
    """The data of the events that end *stream*."""
    editor = ResponsesEditor()
    out = passed(editor, stream)
    end = [editor.seal(event) for event in editor.stop(reason, text)]
    accepted(b"".join(map(encode, [*out, *end])))
    assert editor.read(end[-1]).is_last
    return [event.data for event in end]


def test_stopping_closes_what_is_open() -> None:
    """Text, part, item, response: each with what was sent."""
    out = stopped(frames(CREATED, ADDED, PART_ADDED, text_delta("ab"), text_delta("cd")))
    assert [data["type"] for data in out] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    assert out[0] == {
        "type": "response.output_text.done",
        **WHERE,
        "text": "abcd",
        "logprobs": [],
        "sequence_number": 5,
    }
    item = {**MESSAGE, "status": "incomplete", "content": [{**PART, "text": "abcd"}]}
    assert out[2]["item"] == item
    response = out[3]["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert response["output"] == [item]
    assert response["usage"] is None


def test_a_stopped_answer_may_say_why() -> None:
    """The text is a refusal part of the message that is open."""
    out = stopped(frames(CREATED, ADDED, PART_ADDED, text_delta("ab")), "No.")
    assert [data["type"] for data in out][2:6] == [
        "response.content_part.added",
        "response.refusal.delta",
        "response.refusal.done",
        "response.content_part.done",
    ]
    assert out[2]["content_index"] == 1
    content = out[-1]["response"]["output"][0]["content"]
    assert content == [{**PART, "text": "ab"}, {"type": "refusal", "refusal": "No."}]


def test_a_refusal_without_a_message_gets_one() -> None:
    """After a call that was cut, the refusal is an item of its own."""
    call = {"type": "response.output_item.added", "output_index": 0, "item": CALL}
    piece = {
        "type": "response.function_call_arguments.delta",
        "item_id": "fc_1",
        "output_index": 0,
        "delta": '{"a',
    }
    out = stopped(frames(CREATED, call, piece), "No.")
    assert out[0]["arguments"] == '{"a'
    items = out[-1]["response"]["output"]
    assert items[0] == {**CALL, "arguments": '{"a'}
    assert items[1]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_finished_items_stay_as_they_were_sent() -> None:
    """Stopping between items repeats none of the closing events."""
    start = frames(CREATED, ADDED, PART_ADDED, text_delta("ab"), *endings("ab")[:3])
    out = stopped(start)
    assert [data["type"] for data in out] == ["response.incomplete"]
    assert out[0]["response"]["output"][0]["status"] == "completed"


def test_a_stream_stopped_before_it_began_begins() -> None:
    """Clients want to be told of a response before it ends."""
    out = stopped(b"", "No.")
    assert [data["type"] for data in out][:2] == ["response.created", "response.in_progress"]
    assert [data["sequence_number"] for data in out] == list(range(len(out)))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("length", "response.incomplete"),
        ("refusal", "response.completed"),
        ("error", "response.failed"),
    ],
)
def test_the_reason_names_the_end(reason: str, kind: str) -> None:
    """Each reason ends the response in its own word."""
    out = stopped(frames(CREATED, ADDED), "Why.", reason)
    assert out[-1]["type"] == kind
    if reason == "error":
        assert out[-1]["response"]["error"] == {"code": "server_error", "message": "Why."}


def test_deltas_of_an_unknown_item_end_with_their_text() -> None:
    """An upstream that announces nothing is stopped as well."""
    editor = ResponsesEditor()
    passed(editor, frames(CREATED, text_delta("ab")))
    out = editor.stop("content_filter", "")
    assert [event.data["type"] for event in out] == [
        "response.output_text.done",
        "response.incomplete",
    ]
    assert out[1].data["response"]["output"] == []


def test_texts_without_a_done_event_of_their_own_end_with_their_item() -> None:
    """Shell output, whose delta is an object, and kinds of text nobody knows."""
    item = {"id": "sho_1", "type": "shell_call_output", "call_id": "c", "output": []}
    out = stopped(
        frames(
            CREATED,
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {
                "type": "response.shell_call_output_content.delta",
                "output_index": 0,
                "command_index": 0,
                "delta": {"stdout": "a"},
            },
        )
    )
    assert [data["type"] for data in out] == ["response.output_item.done", "response.incomplete"]
    assert out[0]["item"] == {**item, "output": [{"stdout": "a"}]}


def test_a_huge_index_costs_nothing() -> None:
    """Numbers of an upstream are not lengths of lists."""
    editor = ResponsesEditor()
    huge = {**text_delta("ab"), "content_index": 10**12}
    passed(editor, frames(CREATED, ADDED, huge))
    assert len(dumps(editor.stop("content_filter", "")[-1].data)) < 1000
