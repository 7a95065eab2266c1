"""Foreign JSON routes and streams, told by field paths."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi._json import dumps, loads
from plano_asgi.errors import ConfigurationError, UpstreamProtocolError
from plano_asgi.passages import Channel, Delta, Passage, StreamEditor, WireEvent
from plano_asgi.wire.field_editor import TEXT, FieldEditor
from plano_asgi.wire.field_layout import FieldLayout
from plano_asgi.wire.field_paths import FieldPaths
from plano_asgi.wire.line_events import LineDecoder, TextDecoder, encode_line
from plano_asgi.wire.openai_responses.layout import ResponsesLayout
from plano_asgi.wire.stream_forms import StreamForm, stream_form

# --------------------------------------------------------------------------- paths

BODY = {
    "question": "q",
    "history": [{"text": "a", "id": "x"}, {"text": "b"}],
    "a.b": {"*": "star", "0": "zero"},
    "deep": {"er": [{"text": ["c", 1, None, {"x": "d"}]}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("question", ["question"]),
        ("history.*.text", ["history.0.text", "history.1.text"]),
        ("history.1.text", ["history.1.text"]),
        ("history.1", ["history.1.text"]),
        ("history", ["history.0.text", "history.0.id", "history.1.text"]),
        (r"a\.b.\*", ["a.b.*"]),
        (r"a\.b.0", ["a.b.0"]),
        ("*.0", ["a.b.0", "history.0.text", "history.0.id"]),
        ("**.er.*.text", ["deep.er.0.text.0", "deep.er.0.text.3.x"]),
        ("*.**.text.0", ["deep.er.0.text.0"]),
        ("deep.**.x", ["deep.er.0.text.3.x"]),
        ("deep.**", ["deep.er.0.text.0", "deep.er.0.text.3.x"]),
        ("question.**", ["question"]),
        ("question.more", []),
        ("nothing", []),
    ],
)  # fmt: skip
def test_paths_find_strings(path: str, expected: list[str]) -> None:
    """Keys, stars, indexes, any depth, escapes; objects and lists give the strings in them."""
    found = list(FieldPaths([path]).find(BODY))
    assert sorted(each.path for each in found) == sorted(expected)
    assert all(isinstance(each.holder[each.key], str) for each in found)


def test_strings_come_once_and_in_order() -> None:
    """Paths may overlap."""
    found = FieldPaths(["**", "history.*.text", "**.text", "question"]).find(BODY)
    assert [each.holder[each.key] for each in found] == [
        "q",
        "a",
        "x",
        "b",
        "star",
        "zero",
        "c",
        "d",
    ]


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a*", "*a.b", "***", "a\\", 5, None, ".".join("a" * 65)]
)
def test_bad_paths_are_named(path: Any) -> None:
    """A path that cannot be read fails at construction."""
    with pytest.raises(ConfigurationError) as info:
        FieldLayout([path])
    assert repr(path)[:20] in str(info.value)


@pytest.mark.parametrize("fields", ["question", 5, None])
def test_fields_are_a_list(fields: Any) -> None:
    """One string in the place of a list would be read letter by letter."""
    with pytest.raises(ConfigurationError, match="fields must be a list"):
        FieldLayout(fields)


def test_hostile_bodies_stay_cheap() -> None:
    """Many deep stars over a deep body are one walk."""
    deep: Any = "x"
    for _ in range(3000):
        deep = {"a": deep}
    assert len(list(FieldPaths([".".join(["**", "a"] * 20)]).find(deep))) == 1


# --------------------------------------------------------------------------- bodies


def test_passages_of_bodies() -> None:
    """Request texts are the user's, answer texts content, and both are changed in place."""
    layout = FieldLayout(["question", "history.*.text"], answer_fields=["answer"])
    body = loads(dumps(BODY))
    passages = layout.request_passages(body)
    assert [(each.path, each.origin, each.turn) for each in passages] == [
        ("question", "user", -1),
        ("history.0.text", "user", -1),
        ("history.1.text", "user", -1),
    ]
    passages[1].replace("changed")
    assert body["history"][0]["text"] == "changed"
    answer = layout.answer_passages({"answer": "yes", "question": "no"})
    assert [(each.text, each.origin) for each in answer] == [("yes", "content")]


def test_answers_have_the_same_fields_by_default() -> None:
    """``fields`` alone tells both sides."""
    assert FieldLayout(["text"]).answer_passages({"text": "x"})[0].text == "x"


@pytest.mark.parametrize("body", [None, 5, "text", [], [1], {"text": None}, {"text": 5}, {}])
def test_other_shapes_have_no_texts(body: Any) -> None:
    """Nothing is raised for a body that is not as told."""
    assert FieldLayout(["text"]).request_passages(body) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["answer"], {"answer": "No."}),
        (["**.text", "data.answer"], {"data": {"answer": "No."}}),
        (["choices.0.text"], {"choices": [{"text": "No."}]}),
        ([r"a\.b"], {"a.b": "No."}),
        (["items.1", "*.x"], {"message": "No."}),
        (["0.text"], {"message": "No."}),
    ],
)
def test_a_refusal_fills_the_first_plain_field(fields: list[str], expected: Any) -> None:
    """An app's client looks where the answer stands."""
    assert FieldLayout(["q"], answer_fields=fields).refusal_body("No.") == expected


# --------------------------------------------------------------------------- decoders


@given(
    lines=st.lists(
        st.sampled_from((b'{"a":"\xc3\xa9"}', b"", b"text", b"[1]\r", b"{bad", b"\xff"))
    ),
    end=st.sampled_from((b"", b"\n")),
    cuts=st.lists(st.integers(0, 40)),
)
def test_lines_survive_any_cut(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    """The bytes that come out are those that came in, and the events do not depend on the cuts."""
    stream = b"\n".join(lines) + end
    events, whole = fed(LineDecoder(), stream, cuts), fed(LineDecoder(), stream, [])
    assert b"".join(map(encode_line, events)) == stream
    assert [event.data for event in events] == [event.data for event in whole]


@given(
    text=st.text(),
    charset=st.sampled_from(("utf-8", "iso8859-1", "cp1252")),
    cuts=st.lists(st.integers(0, 40)),
)
def test_text_survives_any_cut(text: str, charset: str, cuts: list[int]) -> None:
    """Half characters wait for their other half; bytes and text stay."""
    stream = text.encode(charset, "replace")
    events = fed(TextDecoder(charset), stream, cuts)
    assert b"".join(event.raw or b"" for event in events) == stream
    assert "".join(event.data for event in events) == stream.decode(charset, "replace")


@given(stream=st.binary(), cuts=st.lists(st.integers(0, 20)))
def test_bytes_that_are_no_text_keep_their_bytes(stream: bytes, cuts: list[int]) -> None:
    """Bad bytes are shown as replacement characters and go out as they came."""
    events = fed(TextDecoder(), stream, cuts)
    assert b"".join(event.raw or b"" for event in events) == stream


def fed(decoder: LineDecoder | TextDecoder, stream: bytes, cuts: list[int]) -> list[WireEvent]:
    """The events of *stream*, cut at *cuts*."""
    events: list[WireEvent] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        events += decoder.feed(stream[start:end])
    return events + decoder.close()


def test_lines_are_parsed_where_they_are_json() -> None:
    """Objects and arrays are data, the rest is text: numbers, too, may be part of a text."""
    events = LineDecoder().feed(b'{"a":1}\n42\n"x"\n\n{bad\n{"b":"\xff"}\n')
    assert [event.data for event in events] == [{"a": 1}, "42", '"x"', "", "{bad", {"b": "\ufffd"}]


def test_lines_are_bounded() -> None:
    """A line without an end fails at the limit."""
    decoder = LineDecoder(max_line_bytes=5)
    assert decoder.feed(b"1234567\n123") != []
    with pytest.raises(UpstreamProtocolError):
        decoder.feed(b"456")


def test_changed_lines_are_written_anew() -> None:
    """One JSON or text a line."""
    assert encode_line(WireEvent({"a": "é"})) == '{"a":"é"}\n'.encode()
    assert encode_line(WireEvent("text")) == b"text\n"


# --------------------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("content_type", "decoder"),
    [
        ("text/event-stream; charset=utf-8", "EventDecoder"),
        ("application/x-ndjson", "LineDecoder"),
        ("Application/JSONL; charset=utf-8", "LineDecoder"),
        ("text/plain", "TextDecoder"),
        ("text/plain; charset=latin-1", "TextDecoder"),
        ("text/plain; charset=nonsense", "TextDecoder"),
        ("text/plain; charset=utf-16", "TextDecoder"),
    ],
)
def test_forms_of_foreign_streams(content_type: str, decoder: str) -> None:
    """The content type says how a stream is cut."""
    form = form_of(content_type)
    assert type(form.decoder()).__name__ == decoder
    assert form.encode(WireEvent("x", raw=b"raw")) == b"raw"
    assert form.editor() is not form.editor()


@pytest.mark.parametrize("content_type", ["application/json", "image/png", "", "text/html"])
def test_what_is_no_stream_has_no_form(content_type: str) -> None:
    """Whole bodies and files are somebody else's."""
    assert stream_form(FieldLayout(["a"]), content_type) is None


def test_llm_apis_stream_events_only() -> None:
    """A layout of an API has the one form."""
    assert stream_form(ResponsesLayout(), "text/event-stream") is not None
    assert stream_form(ResponsesLayout(), "text/plain") is None


def form_of(content_type: str, *fields: str) -> StreamForm:
    """The form for a layout of *fields*."""
    form = stream_form(FieldLayout(fields or ("text",)), content_type)
    assert form is not None
    return form


def upper(form: StreamForm, stream: bytes) -> bytes:
    """*stream* with every text it shows in capitals."""
    decoder, editor, out = form.decoder(), form.editor(), b""
    for event in (*decoder.feed(stream), *decoder.close()):
        for piece in editor.split(event):
            parts = editor.read(piece)
            texts: list[Delta | Passage] = [*parts.deltas, *parts.alone]
            for each in texts:
                each.replace(each.text.upper())
                piece.raw = None
            out += form.encode(editor.seal(piece))
    return out


@pytest.mark.parametrize(
    ("content_type", "stream", "expected"),
    [
        (
            "text/event-stream",
            b'data: {"text":"a","id":"x"}\n\n: ping\n\ndata: b c\n\nevent: end\ndata: {}\n\n',
            b'data: {"text":"A","id":"x"}\n\n: ping\n\ndata: B C\n\nevent: end\ndata: {}\n\n',
        ),
        ("application/x-ndjson", b'{"text":"a"}\n{"n":1}\nb', b'{"text":"A"}\n{"n":1}\nB\n'),
        ("text/plain", "é à".encode(), "É À".encode()),
        ("text/plain; charset=latin-1", "é".encode("latin-1"), "É".encode("latin-1")),
        ("text/plain", b"[DONE] x", b"[DONE] X"),
        ("text/event-stream", b"data: [DONE]\n\n", b"data: [DONE]\n\n"),
    ],
)
def test_foreign_streams_are_changed_in_place(
    content_type: str, stream: bytes, expected: bytes
) -> None:
    """Fields and plain text change, everything else keeps its bytes."""
    assert upper(form_of(content_type), stream) == expected


# --------------------------------------------------------------------------- the editor


def read_all(editor: StreamEditor, *data: Any, name: str = "") -> list[Any]:
    """The parts of events with *data*."""
    return [editor.read(WireEvent(each, name)) for each in data]


def editor_of(*fields: str) -> FieldEditor:
    """An editor for events with *fields*."""
    return FieldLayout(fields).stream_editor()


def test_each_path_is_a_channel() -> None:
    """Successive strings at one path are pieces of one text."""
    first, second = read_all(editor_of("a", "b.*"), {"a": "1", "b": ["2", ""]}, {"a": "3"})
    assert [delta.channel.part for delta in first.deltas] == ["a", "b.0"]
    assert second.deltas[0].channel == first.deltas[0].channel
    assert not first.is_pure


def test_bare_text_is_one_channel() -> None:
    """Events that are no JSON are pieces of one text, and hold nothing else."""
    parts = read_all(editor_of("a"), "1", " ", "")
    assert [[delta.channel for delta in each.deltas] for each in parts] == [[TEXT], [TEXT], []]
    assert parts[0].is_pure


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({}, "done"),
        ({"type": "END"}, ""),
        ({"event": "final"}, ""),
        ({"done": True}, ""),
        ({"finish_reason": "stop"}, ""),
        ("[DONE]", ""),
        ("bye", "end"),
    ],
)
def test_the_end_of_an_answer_ends_its_texts(data: Any, name: str) -> None:
    """What is held of a text must not come after the event that makes clients leave."""
    editor = editor_of("text")
    read_all(editor, {"text": "x"})
    (parts,) = read_all(editor, data, name=name)
    assert parts.ends == [Channel(0, "content", "text")]
    assert parts.is_last == (data == "[DONE]")
    assert read_all(editor, data, name=name)[0].ends == []


@pytest.mark.parametrize("data", [{"type": "ping"}, {"done": False}, {"finish_reason": None}, ""])
def test_other_events_leave_texts_open(data: Any) -> None:
    """A keep-alive between two halves of a secret does not part them."""
    editor = editor_of("text")
    assert [
        parts.ends for parts in map(editor.read, [WireEvent({"text": "x"}), WireEvent(data)])
    ] in (
        [[], []],
        [[], ()],
    )


def test_text_in_an_ending_event_goes_before_it() -> None:
    """The event is cut in two: the text, then the end."""
    editor = editor_of("text")
    event = WireEvent({"text": "x", "done": True, "n": 1}, raw=b"raw")
    first, second = editor.split(event)
    assert first.data == {"text": "x", "done": False, "n": 1}
    assert second.data == {"text": "", "done": True, "n": 1}
    assert (second.raw, editor.read(second).deltas) == (None, [])
    assert editor.split(WireEvent({"text": "", "done": True}))[1:] == ()


def test_text_of_a_named_end_stands_alone() -> None:
    """It often says the whole answer again."""
    editor = editor_of("text")
    event = WireEvent({"text": "all of it", "done": True}, "done")
    assert editor.split(event) == (event,)
    assert [each.text for each in editor.read(event).alone] == ["all of it"]


def test_a_delta_has_the_shape_of_the_last_event() -> None:
    """Other texts are empty, and it does not say that the answer ends."""
    editor = editor_of("a", "b")
    read_all(editor, {"a": "1", "b": "2", "id": 7, "done": True})
    event = editor.delta(Channel(0, "content", "b"), "more")
    assert event.data == {"a": "", "b": "more", "id": 7, "done": False}
    assert [(each.text, each.channel.part) for each in editor.read(event).deltas] == [("more", "b")]
    read_all(editor, "x", name="token")
    event = editor.delta(TEXT, "y")
    assert (event.data, event.name) == ("y", "token")
    event.parts.deltas[0].replace("z")  # type: ignore[union-attr] # made with its parts
    assert event.data == "z"


def test_channels_are_bounded() -> None:
    """The text unused for longest ends; what was held of it can still be sent."""
    editor = FieldEditor(FieldPaths(["*"]), None, max_channels=2)
    parts = read_all(editor, {"a": "1"}, {"b": "2"}, {"c": "3"})
    assert parts[2].ends == [Channel(0, "content", "a")]
    assert editor.delta(parts[2].ends[0], "rest").data == {"a": "rest"}
    read_all(editor, {"c": "3"})
    with pytest.raises(KeyError):
        editor.delta(parts[2].ends[0], "late")


def test_stopping_adds_a_last_piece() -> None:
    """The text joins the channel that spoke last; without a text there is nothing to say."""
    editor = editor_of("a", "b")
    assert editor.stop("content_filter", "") == []
    assert [event.data for event in editor.stop("content_filter", "No.")] == [{"a": "No."}]
    read_all(editor, {"a": "1"}, {"b": "2"})
    assert [event.data for event in editor.stop("content_filter", "No.")] == [{"b": "No."}]
    text = FieldLayout(["a"]).text_editor()
    assert [event.data for event in text.stop("content_filter", "No.")] == ["No."]


@given(
    data=st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(("a", "done", "type", "x")), inner, max_size=3)
        ),
    ),
    name=st.sampled_from(("", "done", "x")),
)
def test_no_shape_breaks_the_editor(data: Any, name: str) -> None:
    """Any event can be read, changed, and continued."""
    editor = editor_of("a", "**.x")
    for event in editor.split(WireEvent(data, name)):
        for delta in editor.read(event).deltas:
            delta.replace("changed")
            assert editor.delta(delta.channel, "more").data is not None
    editor.stop("stop", "bye")
