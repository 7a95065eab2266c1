"""Where the texts of the Responses API's requests and answers stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import exchanges
from plano_asgi._json import dumps, loads
from plano_asgi.conversation import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from plano_asgi.passages import Passage
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.openai_responses.layout import ResponsesLayout

JSON = dict[str, Any]
LAYOUT = ResponsesLayout()


def told(passages: list[Passage]) -> list[tuple[str, str, str]]:
    """Path, origin and text of each."""
    return [(each.path, each.origin, each.text) for each in passages]


def at(body: Any, path: str) -> Any:
    """What stands at *path*."""
    for key in path.split("."):
        body = body[int(key)] if isinstance(body, list) else body[key]
    return body


# --------------------------------------------------------------------------- requests


def test_a_plain_request() -> None:
    """Instructions are the app's, a string is the user's one turn."""
    passages = LAYOUT.request_passages(
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": "Hi",
            "user": "u",
            "metadata": {"a": "b"},
        }
    )
    assert told(passages) == [("instructions", "system", "Be brief."), ("input", "user", "Hi")]
    assert [(each.turn, each.is_new) for each in passages] == [(-1, True), (0, True)]


ITEMS: list[tuple[JSON, list[tuple[str, str, str]]]] = [
    ({"role": "user", "content": "a"}, [("content", "user", "a")]),
    ({"role": "developer", "content": "a"}, [("content", "system", "a")]),
    ({"role": "system", "content": [{"type": "input_text", "text": "a"}]}, [
        ("content.0.text", "system", "a")]),
    (
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [
                    {"type": "url_citation", "title": "b", "url": "http://c", "start_index": 0}]},
                {"type": "refusal", "refusal": "d"},
            ],
        },
        [
            ("content.0.text", "assistant", "a"),
            ("content.0.annotations.0.title", "assistant", "b"),
            ("content.0.annotations.0.url", "assistant", "http://c"),
            ("content.1.refusal", "assistant", "d"),
        ],
    ),
    (
        {"role": "user", "content": [
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:x;base64,AA"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
        ]},
        [("content.0.filename", "media", "a.pdf")],
    ),
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":"b"}'},
        [("arguments", "tool_call", '{"a":"b"}')],
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "a"},
        [("input", "tool_call", "a")],
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": "a"},
        [("output", "tool_result", "a")],
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": [
            {"type": "input_text", "text": "a"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
        [("output.0.text", "tool_result", "a")],
    ),
    (
        {"type": "computer_call_output", "call_id": "c", "output": {
            "type": "computer_screenshot", "image_url": "data:image/png;base64,AA"}},
        [],
    ),
    (
        {"type": "shell_call_output", "call_id": "c", "output": [
            {"stdout": "a", "stderr": "b", "outcome": {"type": "exit", "exit_code": 0}}]},
        [("output.0.stdout", "tool_result", "a"), ("output.0.stderr", "tool_result", "b")],
    ),
    (
        {"type": "reasoning", "id": "rs", "encrypted_content": "gAAA",
         "summary": [{"type": "summary_text", "text": "a"}],
         "content": [{"type": "reasoning_text", "text": "b"}]},
        [("summary.0.text", "reasoning", "a"), ("content.0.text", "reasoning", "b")],
    ),
    (
        {"type": "mcp_call", "id": "m", "name": "f", "server_label": "s", "arguments": "{}",
         "output": "a", "error": {"type": "http_error", "code": 424, "message": "b"}},
        [("arguments", "tool_call", "{}"), ("output", "tool_result", "a"),
         ("error.message", "tool_result", "b")],
    ),
    (
        {"type": "mcp_list_tools", "server_label": "s", "tools": [
            {"name": "f", "description": "a", "input_schema": {"type": "object", "properties": {
                "id": {"type": "string", "description": "b"}}}}]},
        [("tools.0.description", "tool_definition", "a"),
         ("tools.0.input_schema.properties.id.description", "tool_definition", "b")],
    ),
    ({"type": "mcp_approval_response", "approve": False, "reason": "a"}, [("reason", "user", "a")]),
    (
        {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "a", "url": "http://b"}},
        [("action.query", "tool_call", "a"), ("action.url", "tool_call", "http://b")],
    ),
    (
        {"type": "file_search_call", "queries": ["a"], "results": [
            {"file_id": "f", "filename": "b", "text": "c", "attributes": {"id": "d"}}]},
        [("queries.0", "tool_call", "a"), ("results.0.filename", "tool_result", "b"),
         ("results.0.text", "tool_result", "c"), ("results.0.attributes.id", "tool_result", "d")],
    ),
    (
        {"type": "code_interpreter_call", "code": "a", "container_id": "c", "outputs": [
            {"type": "logs", "logs": "b"}, {"type": "image", "url": "data:image/png;base64,AA"}]},
        [("code", "tool_call", "a"), ("outputs.0.logs", "tool_result", "b")],
    ),
    (
        {"type": "local_shell_call", "action": {
            "type": "exec", "command": ["a", "b"], "env": {"id": "c"}}},
        [("action.command.0", "tool_call", "a"), ("action.command.1", "tool_call", "b"),
         ("action.env.id", "tool_call", "c")],
    ),
    (
        {"type": "apply_patch_call", "operation": {"type": "update", "diff": "a", "path": "b"}},
        [("operation.diff", "tool_call", "a"), ("operation.path", "tool_call", "b")],
    ),
    (
        {"type": "tool_search_call", "arguments": {"name": "a"}},
        [("arguments.name", "tool_call", "a")],
    ),
    (
        {"type": "image_generation_call", "result": "AAAA", "revised_prompt": "a"},
        [("revised_prompt", "tool_call", "a")],
    ),
    ({"type": "item_reference", "id": "msg_1"}, []),
    ({"type": "compaction", "encrypted_content": "gAAA"}, []),
    ({"type": "something_new", "words": ["a"]}, [("words.0", "user", "a")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expected"), [pytest.param(*row, id=str(n)) for n, row in enumerate(ITEMS)]
)
def test_items_of_a_request(item: JSON, expected: list[tuple[str, str, str]]) -> None:
    """Words are shown with their origin; ids, ciphertext and media are not."""
    body = {"input": [item]}
    passages = LAYOUT.request_passages(body)
    assert told(passages) == [(f"input.0.{path}", *rest) for path, *rest in expected]
    for passage in passages:
        assert at(body, passage.path) == passage.text
        assert passage.is_json == (passage.key == "arguments" and isinstance(passage.text, str))
        passage.replace("changed")
        assert at(body, passage.path) == "changed"


def test_only_what_follows_the_last_answer_is_new() -> None:
    """Turns count the items; what the model made ends what was there before."""
    items: list[JSON] = [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "b"}]},
        {"type": "function_call", "arguments": "c"},
        {"type": "function_call_output", "output": "d"},
        {"role": "user", "content": "e"},
    ]
    passages = LAYOUT.request_passages({"instructions": "i", "input": items})
    assert [(each.text, each.turn, each.is_new) for each in passages] == [
        ("i", -1, False),
        ("a", 0, False),
        ("b", 1, False),
        ("c", 2, False),
        ("d", 3, True),
        ("e", 4, True),
    ]


def test_tools_schemas_and_prompt_variables() -> None:
    """Descriptions reach the model; names, types and credentials are no texts."""
    body = {
        "prompt": {"id": "p", "version": "1", "variables": {
            "id": "a", "doc": {"type": "input_text", "text": "b"}}},
        "tools": [
            {"type": "function", "name": "f", "description": "c", "strict": True, "parameters": {
                "type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "enum": ["d"], "description": "e"}}}},
            {"type": "mcp", "server_label": "s", "server_url": "http://x", "authorization": "key",
             "headers": {"authorization": "key"}, "server_description": "f"},
            {"type": "custom", "name": "g", "format": {
                "type": "grammar", "syntax": "lark", "definition": "g"}},
            {"type": "web_search"},
        ],
        "text": {"format": {"type": "json_schema", "name": "n", "description": "h", "schema": {
            "type": "object", "properties": {"type": {"type": "string", "description": "i"}}}}},
    }  # fmt: skip
    passages = LAYOUT.request_passages(body)
    assert sorted(each.text for each in passages) == list("abcdefghi")
    assert {each.origin for each in passages[2:]} == {"tool_definition"}
    assert [each.origin for each in passages[:2]] == ["user", "user"]


@pytest.mark.parametrize("item", exchanges("openai.responses"))
def test_recorded_requests_show_what_the_reader_reads(item: JSON) -> None:
    """No text of the neutral form is missing, and reading changes nothing."""
    body = item["request"]
    if body is None:
        pytest.skip("only the response was recorded")
    before = dumps(body)
    shown = [passage.text for passage in LAYOUT.request_passages(body)]
    for message in OpenAIResponses().read_request(body).messages:
        for part in message.parts:
            match part:
                case TextPart(text=text) | ToolCallPart(arguments=text):
                    assert text in shown
                case ReasoningPart(text=text):
                    assert text in "\n\n".join(shown)
                case ToolResultPart(content=content):
                    assert all(each.text in shown for each in content if isinstance(each, TextPart))
    assert dumps(body) == before


# --------------------------------------------------------------------------- answers


def test_texts_of_an_answer() -> None:
    """Each has the origin that guards know it by; what is echoed of the request is left out."""
    body = {
        "id": "resp", "object": "response", "instructions": "no", "tools": [{"description": "no"}],
        "error": None, "incomplete_details": {"reason": "max_output_tokens"},
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]},
            {"type": "file_search_call", "queries": ["b"], "results": [{"text": "c"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "d", "annotations": [
                    {"type": "file_citation", "file_id": "f", "filename": "e", "index": 0}]},
                {"type": "refusal", "refusal": "f"}]},
            {"type": "function_call", "name": "f", "arguments": "{}"},
            {"type": "mcp_call", "arguments": "{}", "output": "g"},
        ],
        "output_text": "d",
    }  # fmt: skip
    assert [(each.origin, each.text) for each in LAYOUT.answer_passages(body)] == [
        ("reasoning", "a"),
        ("tool_call", "b"),
        ("citation", "c"),
        ("content", "d"),
        ("citation", "e"),
        ("refusal", "f"),
        ("tool_call", "{}"),
        ("tool_call", "{}"),
        ("citation", "g"),
        ("content", "d"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "boom", "type": "t", "code": "c"}},
        {"error": "boom"},
        {"message": "boom"},
        {"detail": "boom"},
        {"object": "response", "output": [], "error": {"code": "c", "message": "boom"}},
    ],
)
def test_errors_are_texts(body: JSON) -> None:
    """A message may echo the request, in whatever shape it comes."""
    assert [(each.origin, each.text) for each in LAYOUT.answer_passages(body)] == [
        ("error", "boom")
    ]


def test_a_changed_text_loses_what_refers_to_it() -> None:
    """Log probabilities go, and annotations that reach past the first changed character."""
    part: JSON = {
        "type": "output_text",
        "text": "one two three",
        "logprobs": [{"token": "one"}],
        "annotations": [
            {"type": "url_citation", "title": "a", "start_index": 0, "end_index": 3},
            {"type": "url_citation", "title": "b", "start_index": 4, "end_index": 7},
            {"type": "file_citation", "filename": "c", "index": 4},
            {"type": "file_citation", "filename": "d", "index": 12},
            {"type": "note", "title": "e"},
            "nonsense",
        ],
    }
    passage = LAYOUT.answer_passages({"output": [{"type": "message", "content": [part]}]})[0]
    passage.replace("one TWO three")
    assert part["text"] == "one TWO three"
    assert part["logprobs"] == []
    kept = [each.get("title", each.get("filename")) for each in part["annotations"]]
    assert kept == ["a", "c", "e"]


def test_the_same_text_keeps_its_annotations() -> None:
    """Replacing a text by itself moves no offsets."""
    note = {"type": "url_citation", "title": "a", "start_index": 0, "end_index": 3}
    part: JSON = {"type": "output_text", "text": "one", "annotations": [note]}
    LAYOUT.answer_passages({"output": [{"content": [part]}]})[0].replace("one")
    assert part["annotations"] == [note]


def test_loose_inputs_are_read() -> None:
    """Strings in the place of items or parts, objects in that of strings."""
    body: JSON = {
        "instructions": [{"role": "system", "content": "a"}],
        "prompt": {"variables": {"n": 5}},
        "input": ["b", 5, {"role": "user", "content": ["c", None, {"type": "new", "n": 1}]}],
    }
    assert told(LAYOUT.request_passages(body)) == [
        ("instructions.0.content", "system", "a"),
        ("input.0", "user", "b"),
        ("input.2.content.0", "user", "c"),
    ]
    assert LAYOUT.request_passages({"input": {"text": "a"}})[0].path == "input.text"


# --------------------------------------------------------------------------- any shape

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    *("type", "role", "content", "text", "input", "output", "tools", "prompt"),
                    *("variables", "annotations", "summary", "error", "instructions", "format"),
                )
            )
            | st.text(max_size=2),
            inner | st.sampled_from(("message", "function_call", "reasoning", "output_text")),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(body=ANYTHING)
def test_no_shape_breaks_the_layout(body: Any) -> None:
    """Whatever JSON comes: every passage is a string that stands where it says."""
    for read in (LAYOUT.request_passages, LAYOUT.answer_passages):
        for passage in read(body):
            assert passage.holder[passage.key] == passage.text
        for passage in read(body):
            passage.replace(f"{passage.text}!")


def test_deep_bodies_are_walked() -> None:
    """Nesting deeper than Python's stack is no error."""
    deep = loads(b'{"output":' + b"[" * 900 + b'"x"' + b"]" * 900 + b"}")
    assert [each.text for each in LAYOUT.answer_passages({"output": [{"x": deep}]})] == ["x"]
    assert LAYOUT.request_passages({"tools": [deep]})[0].text == "x"
