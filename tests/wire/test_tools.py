"""Tools that not every API knows: hoisted, as functions, and their calls as they were declared."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plano_asgi._json import dumps_str
from plano_asgi.conversation import ChatRequest, Tool, ToolCallPart
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.tools import (
    FREE_TEXT_SCHEMA,
    Declared,
    InputStream,
    as_declared,
    as_function,
    custom_input,
    declared_tools,
    hoisted_tools,
    wrapped_input,
)

CHAT = "openai.chat"
RESPONSES = "openai.responses"
MEMBER: dict[str, Any] = {"type": "function", "name": "f", "parameters": {}, "strict": False}


def space(*members: Any, name: str = "n") -> Tool:
    """A namespace tool, as the Responses reader leaves it."""
    raw = {"type": "namespace", "name": name, "tools": list(members)}
    return Tool(name=name, kind="opaque", raw=raw, dialect=RESPONSES)


def test_members_of_a_namespace_stand_alone() -> None:
    """Functions, custom tools and server tools, each with its path."""
    custom = {"type": "custom", "name": "c", "format": {"type": "text"}}
    server = {"type": "web_search"}
    members = [{**MEMBER, "description": "F", "defer_loading": True}, custom, server]
    flat = hoisted_tools([Tool(name="a"), space(*members), Tool(name="b")], CHAT)
    assert [path for path, _ in flat] == [
        "tools.0",
        "tools.1.tools.0",
        "tools.1.tools.1",
        "tools.1.tools.2",
        "tools.2",
    ]
    function = Tool(
        name="f", description="F", parameters={}, strict=False, extras={"defer_loading": True}
    )
    assert [tool for _, tool in flat[1:4]] == [
        function,
        Tool(name="c", kind="custom", raw=custom, dialect=RESPONSES),
        Tool(name="web_search", kind="opaque", raw=server, dialect=RESPONSES),
    ]


@pytest.mark.parametrize("others", [[space(MEMBER, name="m")], [Tool(name="f")]])
def test_two_tools_of_one_name_are_refused(others: list[Tool]) -> None:
    """Nobody could tell whose call it is."""
    with pytest.raises(UnsupportedField, match="'f'"):
        hoisted_tools([space(MEMBER), *others], CHAT)


def test_tools_without_namespaces_are_the_upstreams_concern() -> None:
    """Nothing is hoisted, so nothing can collide by it."""
    tools = [Tool(name="f"), Tool(name="f")]
    assert [tool for _, tool in hoisted_tools(tools, CHAT)] == tools
    empty = Tool(name="n", kind="opaque", raw={"type": "namespace"}, dialect=RESPONSES)
    assert hoisted_tools([empty], CHAT) == []


@pytest.mark.parametrize("member", ["f", {}, {"type": "function"}, {**MEMBER, "parameters": 1}])
def test_a_member_that_is_no_tool_is_named(member: Any) -> None:
    """The client reads where it stands."""
    with pytest.raises(RequestError) as caught:
        hoisted_tools([space(member)], CHAT)
    assert caught.value.param == "tools.0.tools.0"


def test_a_custom_tool_as_a_function_takes_one_text() -> None:
    """Its grammar is told in the description; a function stays what it is."""
    form = {"type": "grammar", "syntax": "lark", "definition": "start: LF"}
    tool = Tool(name="c", kind="custom", description="D", raw={"format": form}, dialect=RESPONSES)
    function = as_function(tool)
    assert (function.kind, function.parameters) == ("function", FREE_TEXT_SCHEMA)
    assert str(function.description).startswith("D\n\n")
    assert '"definition":"start: LF"' in str(function.description)
    assert as_function(function) is function


def test_what_was_declared_is_found_by_name() -> None:
    """Members of namespaces too; a tool of its own comes before a member."""
    tools = [
        space(MEMBER, {"type": "custom", "name": "c"}, "odd"),
        Tool(name="p", kind="custom"),
        Tool(name="web_search", kind="opaque", dialect=RESPONSES),
    ]
    assert declared_tools(ChatRequest(model="m", messages=[], tools=tools)) == {
        "f": Declared(namespace="n"),
        "c": Declared(custom=True, namespace="n"),
        "p": Declared(custom=True),
    }


def test_a_call_looks_like_what_was_declared() -> None:
    """Unwrapped only if it was wrapped."""
    declared = {"p": Declared(custom=True), "f": Declared()}
    wrapped = ToolCallPart(id="a", name="p", arguments='{"input":"x"}')
    native = ToolCallPart(id="a", name="p", arguments="x", kind="custom")
    plain = ToolCallPart(id="a", name="f", arguments='{"input":"x"}')
    assert as_declared(wrapped, declared) == native
    assert as_declared(native, declared) is native
    assert as_declared(plain, declared) is plain


# --------------------------------------------------------------------------- free text in a stream


def streamed(*pieces: str) -> tuple[str, str]:
    """The text that came with *pieces*, and the rest at the end."""
    stream = InputStream()
    early = "".join([stream.feed(piece) for piece in pieces])
    return early, stream.finish()


def cut(text: str, places: list[int]) -> list[str]:
    """*text* cut at *places*."""
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@given(
    text=st.text(st.characters(codec="utf-8")),
    ascii=st.booleans(),
    places=st.lists(st.integers(0, 80)),
)
@example(text='"\\/\b\f\n\r\t\U0001f600', ascii=True, places=list(range(80)))
@example(text="\\ud83d\\", ascii=True, places=list(range(80)))
def test_text_comes_out_as_it_went_in(text: str, ascii: bool, places: list[int]) -> None:
    """However it is escaped and wherever it is cut; nothing is left for the end."""
    arguments = wrapped_input(text)
    if ascii:
        arguments = "".join(c if ord(c) < 128 else dumps_ascii(c) for c in arguments)
    assert streamed(*cut(arguments, places)) == (text, "")


def dumps_ascii(character: str) -> str:
    """*character* as JSON escapes, in two halves past the basic plane."""
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


@given(text=st.text(), places=st.lists(st.integers(0, 40)))
def test_lone_halves_of_a_pair_survive(text: str, places: list[int]) -> None:
    """Clients that cut an emoji in two send them; a whole answer keeps them too."""
    arguments = dumps_str({"input": text})
    assert "".join(streamed(*cut(arguments, places))) == custom_input(arguments)


def test_text_is_shown_while_it_comes() -> None:
    """Spaces around it and fields behind it do not matter."""
    stream = InputStream()
    pieces = [' { "in', 'put" : "*** Be', "gin\\", 'n"', ', "x": "y"}']
    assert [stream.feed(piece) for piece in pieces] == ["", "*** Be", "gin", "\n", ""]
    assert stream.finish() == ""


@pytest.mark.parametrize(
    "arguments",
    ["*** Begin", '{"patch":"x"}', '{"input":1}', "", "[" * 400, '{"x":1,"input":"text"}'],
)
def test_arguments_of_another_shape_wait_for_their_end(arguments: str) -> None:
    """They are then what a whole answer would show."""
    assert streamed(*arguments) == ("", custom_input(arguments))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (r'{"input":"a\qb\u12g"}', r"a\qb\u12g"),
        ('{"input":"a\nb"}', "a\nb"),
        (r'{"input":"cut\u00', "cut"),
        (r'{"input":"cut\ud83d', "cut\ud83d"),
    ],
)
def test_broken_escapes_and_ends_lose_nothing_readable(arguments: str, text: str) -> None:
    """A model that forgets to escape, and one that ran out of tokens."""
    assert "".join(streamed(*arguments)) == text
