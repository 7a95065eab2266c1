"""Conversations in the neutral form become rows, with the indexes of the client's list."""

from __future__ import annotations

import pytest

from plano_asgi._json import dumps_str
from plano_asgi.conversation import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.signals.base import Row
from plano_asgi.signals.rows import rows_from_sharegpt, rows_of
from plano_asgi.wire import DIALECTS


def _said(role: str, text: str) -> Message:
    return Message(role=role, parts=[TextPart(text=text)])  # type: ignore[arg-type]


def _kinds(rows: list[Row]) -> list[tuple[str, int, str]]:
    return [(row.kind, row.index, row.text) for row in rows]


def test_every_message_gives_its_rows_in_order() -> None:
    """Instructions give none, an assistant its words and then its calls, a tool its result."""
    messages = [
        _said("system", "Be brief."),
        _said("developer", "In English."),
        _said("user", "Weather?"),
        Message(
            role="assistant",
            parts=[
                ReasoningPart(text="hm"),
                TextPart(text="I look."),
                ToolCallPart(id="c1", name="weather", arguments='{"city":"Rome"}'),
            ],
        ),
        Message(
            role="tool",
            parts=[ToolResultPart(call_id="c1", content=[TextPart(text="no")], is_error=True)],
        ),
    ]
    assert rows_of(messages, [TextPart(text="Sorry.")]) == [
        Row(kind="human", text="Weather?", index=2),
        Row(kind="gpt", text="I look.", index=3),
        Row(kind="function_call", text='{"city":"Rome"}', name="weather", call_id="c1", index=3),
        Row(kind="observation", text="no", call_id="c1", is_error=True, index=4),
        Row(kind="gpt", text="Sorry.", index=5),
    ]


def test_a_user_message_without_text_is_a_turn_and_an_empty_answer_is_none() -> None:
    """An image alone is somebody's turn; an assistant that says nothing is no row."""
    messages = [
        Message(role="user", parts=[MediaPart(modality="image", url="https://x/y.png")]),
        _said("assistant", " "),
        Message(role="user"),
    ]
    assert _kinds(rows_of(messages, [])) == [("human", 0, ""), ("human", 2, "")]


def test_a_result_that_does_not_say_is_neither_good_nor_bad() -> None:
    """False is what every dialect without the field says: it tells nothing."""
    result = ToolResultPart(call_id="c", content=[TextPart(text="a"), TextPart(text="b")])
    (row,) = rows_of([Message(role="tool", parts=[result])])
    assert (row.is_error, row.text) == (None, "a\nb")


def test_only_the_last_rows_are_kept_and_keep_their_indexes() -> None:
    """The window cuts rows, not indexes."""
    messages = [_said("user", str(i)) for i in range(10)]
    assert _kinds(rows_of(messages, [TextPart(text="!")], max_rows=3)) == [
        ("human", 8, "8"),
        ("human", 9, "9"),
        ("gpt", 10, "!"),
    ]


def test_history_that_the_client_did_not_send_has_negative_indexes() -> None:
    """A start below 0 makes the first message sent now number 0."""
    messages = [_said("user", "then"), _said("assistant", "so"), _said("user", "now")]
    assert [row.index for row in rows_of(messages, start=-2)] == [-2, -1, 0]


def test_long_texts_keep_their_head_and_tail() -> None:
    """A person's words lose their middle; a result keeps more of both ends."""
    text = "a" * 5000 + "z" * 5000
    result = Message(
        role="tool", parts=[ToolResultPart(call_id="c", content=[TextPart(text=text)])]
    )
    person, tool = rows_of([_said("user", text), result])
    assert (len(person.text), person.text[:400], person.text[-1]) == (2000, "a" * 400, "z")
    assert (len(tool.text), tool.text[3999], tool.text[-1]) == (8000, "a", "z")


def test_results_and_arguments_of_some_length_are_kept_whole() -> None:
    """Four times what is kept of a person's words."""
    text = "a" * 5000
    parts: list[Part] = [
        ToolCallPart(id="c", name="f", arguments=text),
        ToolResultPart(call_id="c", content=[TextPart(text=text)]),
    ]
    assert [row.text for row in rows_of([Message(role="tool", parts=parts)])] == [text, text]


def test_an_item_that_only_its_dialect_knows_is_nobodys_turn() -> None:
    """Though it stands on the client's side."""
    part = OpaquePart(dialect="openai.responses", raw={"type": "mcp_approval_response"})
    assert rows_of([Message(role="user", parts=[part])]) == []


def test_long_arguments_that_differ_in_their_middle_still_differ() -> None:
    """What is left out of arguments is told by a checksum."""
    calls: list[Part] = [
        ToolCallPart(id="c", name="write", arguments="a" * 9000 + middle + "a" * 9000)
        for middle in ("x", "y")
    ]
    one, two = rows_of([Message(role="assistant", parts=calls)])
    assert one.text != two.text
    assert len(one.text) == 8000


_ANTHROPIC = {
    "model": "claude",
    "max_tokens": 9,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True},
                {"type": "text", "text": "b"},
            ],
        },
        {"role": "assistant", "content": "c"},
    ],
}
_RESPONSES = {
    "model": "gpt",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
        {"type": "function_call_output", "call_id": "2", "output": "y"},
        {"role": "assistant", "content": "c"},
    ],
}


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        pytest.param(
            "anthropic.messages",
            _ANTHROPIC,
            [("human", 0), ("function_call", 1), ("observation", 2), ("human", 2), ("gpt", 3)],
            id="anthropic",
        ),
        pytest.param(
            "openai.responses",
            _RESPONSES,
            [
                ("human", 0),
                ("function_call", 2),
                ("function_call", 3),
                ("observation", 4),
                ("observation", 5),
                ("gpt", 6),
            ],
            id="responses",
        ),
    ],
)
def test_indexes_are_those_of_the_clients_list(
    dialect: str, body: dict[str, object], expected: list[tuple[str, int]]
) -> None:
    """Where the neutral form splits or joins messages, the indexes do not."""
    messages = DIALECTS[dialect].read_request(body).messages
    rows = rows_of(messages, [TextPart(text="d")], dialect=dialect)
    assert [(row.kind, row.index) for row in rows] == [*expected, ("gpt", expected[-1][1] + 1)]


@pytest.mark.parametrize(
    ("dialect", "raw", "expected"),
    [
        pytest.param(
            "anthropic.messages",
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
            [
                Row(
                    kind="function_call",
                    text='{"query":"x"}',
                    name="web_search",
                    call_id="s",
                    index=0,
                )
            ],
            id="anthropic call",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": {
                    "type": "web_search_tool_result_error",
                    "error_code": "too_many_requests",
                },
            },
            [
                Row(
                    kind="observation",
                    text="too_many_requests",
                    call_id="s",
                    is_error=True,
                    index=0,
                )
            ],
            id="anthropic search error",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "type": "mcp_tool_result",
                "tool_use_id": "m",
                "is_error": False,
                "content": [{"type": "text", "text": "fine"}, None],
            },
            [Row(kind="observation", text="fine", call_id="m", is_error=False, index=0)],
            id="anthropic mcp",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "type": "bash_code_execution_tool_result",
                "tool_use_id": "b",
                "content": {"stdout": "", "stderr": "no such file", "return_code": 1},
            },
            [Row(kind="observation", text="no such file", call_id="b", is_error=True, index=0)],
            id="anthropic shell",
        ),
        pytest.param(
            "openai.responses",
            {"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "error": "timed out"},
            [
                Row(kind="function_call", text="{}", name="f", call_id="m", index=0),
                Row(kind="observation", text="timed out", call_id="m", is_error=True, index=0),
            ],
            id="responses mcp",
        ),
        pytest.param(
            "openai.responses",
            {
                "type": "code_interpreter_call",
                "id": "i",
                "code": "1/0",
                "status": "failed",
                "outputs": [{"type": "logs", "logs": "ZeroDivisionError"}],
            },
            [
                Row(
                    kind="function_call", text="1/0", name="code_interpreter", call_id="i", index=0
                ),
                Row(
                    kind="observation",
                    text="ZeroDivisionError",
                    call_id="i",
                    is_error=True,
                    index=0,
                ),
            ],
            id="responses code",
        ),
        pytest.param(
            "openai.responses",
            {
                "type": "shell_call_output",
                "call_id": "l",
                "output": [{"stdout": "", "stderr": "denied"}, {"stdout": "ok", "stderr": ""}],
            },
            [Row(kind="observation", text="denied\nok", call_id="l", index=0)],
            id="responses shell",
        ),
        pytest.param(
            "bedrock.converse",
            {
                "toolResult": {
                    "toolUseId": "u",
                    "status": "error",
                    "content": [{"json": {"a": 1}}, {"text": "b"}],
                }
            },
            [Row(kind="observation", text='{"a":1}\nb', call_id="u", is_error=True, index=0)],
            id="bedrock result",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "type": "web_fetch_tool_result",
                "tool_use_id": "w",
                "content": {"type": "web_fetch_result", "url": "https://x", "retrieved_at": "now"},
            },
            [
                Row(
                    kind="observation",
                    text='{"url":"https://x"}',
                    call_id="w",
                    is_error=False,
                    index=0,
                )
            ],
            id="anthropic fetch",
        ),
        pytest.param(
            "openai.responses",
            {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "x"}},
            [
                Row(
                    kind="function_call",
                    text='{"query":"x"}',
                    name="web_search",
                    call_id="w",
                    index=0,
                )
            ],
            id="responses search",
        ),
        pytest.param(
            "openai.responses",
            {"type": "mcp_call", "id": "m", "name": "f"},
            [Row(kind="function_call", text="", name="f", call_id="m", index=0)],
            id="responses mcp without result",
        ),
        pytest.param(
            "openai.responses",
            {"type": "apply_patch_call_output", "call_id": "p", "status": "failed", "output": {}},
            [Row(kind="observation", text="{}", call_id="p", is_error=True, index=0)],
            id="responses patch",
        ),
        pytest.param(
            "bedrock.converse",
            {"toolUse": {"toolUseId": "u", "name": "f", "input": {}}},
            [Row(kind="function_call", text="{}", name="f", call_id="u", index=0)],
            id="bedrock call",
        ),
        pytest.param("bedrock.converse", {"toolUse": None}, [], id="bedrock no call"),
        pytest.param("bedrock.converse", {"toolResult": None}, [], id="bedrock no result"),
        pytest.param("openai.chat", {"audio": {"id": "a"}}, [], id="unknown"),
    ],
)
def test_server_side_tools_are_read_where_their_shape_is_known(
    dialect: str, raw: dict[str, object], expected: list[Row]
) -> None:
    """Blocks and items that only one dialect has are calls and results like others."""
    message = Message(role="assistant", parts=[OpaquePart(dialect=dialect, raw=raw)])
    assert rows_of([message]) == expected


def test_sharegpt_turns_become_rows() -> None:
    """Speakers by any of their names; calls as JSON or as written in code."""
    turns: list[dict[str, object]] = [
        {"from": "system", "value": "s"},
        {"from": "human", "value": "h"},
        {"from": "function_call", "value": dumps_str({"name": "f", "arguments": {"a": 1}})},
        {"from": "function_call", "value": "g(b=2)"},
        {"from": "observation", "value": ""},
        {"from": "gpt", "value": ""},
        {"from": "assistant", "value": "a"},
        {"from": "tool", "value": {"ok": True}},
    ]
    assert rows_from_sharegpt(turns) == [
        Row(kind="human", text="h", index=1),
        Row(kind="function_call", text='{"a":1}', name="f", index=2),
        Row(kind="function_call", text="b=2", name="g", index=3),
        Row(kind="observation", text="", index=4),
        Row(kind="gpt", text="a", index=6),
        Row(kind="observation", text='{"ok":true}', index=7),
    ]
