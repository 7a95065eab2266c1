"""Reading a client's Messages body."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.conversation import (
    MediaPart,
    Message,
    OpaquePart,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.reasoning_pack import pack

DIALECT = AnthropicMessages()
NAME = DIALECT.name
CACHED = {"cache_control": {"type": "ephemeral"}}


def body(**fields: Any) -> dict[str, Any]:
    """A minimal body with *fields*."""
    hello = [{"role": "user", "content": "Hi"}]
    return {"model": "claude-x", "max_tokens": 10, "messages": hello} | fields


def content(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    """A body with one message of *blocks*."""
    return body(messages=[{"role": role, "content": list(blocks)}])


def part_of(block: dict[str, Any], role: str = "user") -> Part:
    """The one part that *block* is read into."""
    return DIALECT.read_request(content(block, role=role)).messages[0].parts[0]


def test_plain_request() -> None:
    """The usual fields land in their neutral places, unknown ones in extras."""
    request = DIALECT.read_request(
        body(
            system="Be brief.",
            temperature=1,
            top_p=0.5,
            top_k=3,
            stop_sequences=["END"],
            stream=True,
            service_tier="auto",
            metadata={"user_id": "u", "team": "t"},
            mcp_servers=[{"name": "docs"}],
            container="c1",
        )
    )
    assert request.messages == [
        Message(role="system", parts=[TextPart(text="Be brief.")]),
        Message(role="user", parts=[TextPart(text="Hi")]),
    ]
    assert (request.model, request.dialect, request.max_output_tokens) == ("claude-x", NAME, 10)
    assert (request.temperature, request.top_p, request.top_k) == (1, 0.5, 3)
    assert (request.stop, request.stream, request.service_tier) == (["END"], True, "auto")
    assert (request.user, request.metadata) == ("u", {"team": "t"})
    assert request.extras == {"mcp_servers": [{"name": "docs"}], "container": "c1"}


def test_system_blocks_keep_their_cache_marks() -> None:
    """System blocks are text parts, what else they say is in extras."""
    request = DIALECT.read_request(body(system=[{"type": "text", "text": "A", **CACHED}]))
    assert request.messages[0].parts == [TextPart(text="A", extras=CACHED)]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param(
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}},
            MediaPart(modality="image", mime_type="image/png", data="A"),
            id="image-base64",
        ),
        pytest.param(
            {"type": "image", "source": {"type": "url", "url": "https://a.test"}, **CACHED},
            MediaPart(modality="image", url="https://a.test", extras=CACHED),
            id="image-url",
        ),
        pytest.param(
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            MediaPart(modality="image", file_id="f"),
            id="image-file",
        ),
        pytest.param(
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Once"},
                "title": "Tale",
                "context": "fiction",
                "citations": {"enabled": True},
            },
            MediaPart(
                modality="document",
                mime_type="text/plain",
                text="Once",
                name="Tale",
                extras={"context": "fiction", "citations": {"enabled": True}},
            ),
            id="document-text",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": "Once"}},
            MediaPart(
                modality="document",
                text="Once",
                extras={"source": {"type": "content", "content": "Once"}},
            ),
            id="document-content",
        ),
        pytest.param(
            {"type": "image", "source": {"type": "future", "x": 1}},
            OpaquePart(dialect=NAME, raw={"type": "image", "source": {"type": "future", "x": 1}}),
            id="unknown-source",
        ),
        pytest.param(
            {"type": "search_result", "source": "s", "title": "t", "content": []},
            OpaquePart(
                dialect=NAME,
                raw={"type": "search_result", "source": "s", "title": "t", "content": []},
            ),
            id="search-result",
        ),
    ],
)
def test_user_blocks(block: dict[str, Any], part: Part) -> None:
    """Each user block becomes its part, and comes back as it was."""
    assert part_of(block) == part
    written = DIALECT.write_request(DIALECT.read_request(content(block)), WriteOptions())
    assert written["messages"][0]["content"] == [block]


FOREIGN = ReasoningPart(encrypted="gAAA", id="rs_1", dialect="openai.responses")


@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param(
            {"type": "thinking", "thinking": "Hm", "signature": "sig"},
            ReasoningPart(text="Hm", signature="sig", dialect=NAME),
            id="thinking",
        ),
        pytest.param(
            {"type": "redacted_thinking", "data": "xyz"},
            ReasoningPart(encrypted="xyz", dialect=NAME),
            id="redacted",
        ),
        pytest.param(
            {"type": "thinking", "thinking": "Sum", "signature": pack(FOREIGN)},
            ReasoningPart(text="Sum", encrypted="gAAA", id="rs_1", dialect="openai.responses"),
            id="packed-signature",
        ),
        pytest.param(
            {"type": "redacted_thinking", "data": pack(FOREIGN)}, FOREIGN, id="packed-data"
        ),
        pytest.param(
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}, "caller": {}},
            ToolCallPart(id="t1", name="f", arguments='{"a":[1]}', extras={"caller": {}}),
            id="tool-use",
        ),
        pytest.param(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            OpaquePart(
                dialect=NAME,
                raw={"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            ),
            id="server-tool",
        ),
    ],
)
def test_assistant_blocks(block: dict[str, Any], part: Part) -> None:
    """Thinking keeps its proof; packed reasoning of another dialect is restored."""
    assert part_of(block, role="assistant") == part


def test_citations_are_read_and_kept() -> None:
    """A citation shows what it can, and its raw object is written back."""
    raw = {"type": "char_location", "cited_text": "q", "document_title": "D", "document_index": 0}
    block = {"type": "text", "text": "A", "citations": [raw]}
    part = part_of(block, role="assistant")
    assert isinstance(part, TextPart)
    assert (part.citations[0].quote, part.citations[0].title) == ("q", "D")
    request = DIALECT.read_request(content(block, role="assistant"))
    assert DIALECT.write_request(request, WriteOptions())["messages"][0]["content"] == [block]


def test_tool_results_are_split_off_their_turn() -> None:
    """Results become a tool message before the rest, and go back into one turn."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "42", "is_error": True}
    turn: list[dict[str, Any]] = [{"type": "text", "text": "So?"}, result]
    request = DIALECT.read_request(content(*turn))
    assert request.messages == [
        Message(
            role="tool",
            parts=[ToolResultPart(call_id="t1", content=[TextPart(text="42")], is_error=True)],
        ),
        Message(role="user", parts=[TextPart(text="So?")]),
    ]
    written = DIALECT.write_request(request, WriteOptions())
    assert written["messages"] == [{"role": "user", "content": turn[::-1]}]


def test_tools() -> None:
    """Client tools are functions, server tools stay as they are."""
    schema = {"type": "object", "properties": {}}
    server = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    request = DIALECT.read_request(
        body(tools=[{"name": "f", "input_schema": schema, "strict": True, **CACHED}, server])
    )
    assert request.tools == [
        Tool(name="f", parameters=schema, strict=True, extras=CACHED),
        Tool(name="web_search", kind="opaque", raw=server, dialect=NAME),
    ]


@pytest.mark.parametrize(
    ("choice", "read", "parallel"),
    [
        pytest.param({"type": "auto"}, ToolChoice(mode="auto"), None, id="auto"),
        pytest.param(
            {"type": "any", "disable_parallel_tool_use": True},
            ToolChoice(mode="required"),
            False,
            id="any",
        ),
        pytest.param({"type": "none"}, ToolChoice(mode="none"), None, id="none"),
        pytest.param(
            {"type": "tool", "name": "f"}, ToolChoice(mode="named", name="f"), None, id="tool"
        ),
        pytest.param(
            {"type": "new"},
            ToolChoice(mode="opaque", raw={"type": "new"}, dialect=NAME),
            None,
            id="unknown",
        ),
    ],
)
def test_tool_choice(choice: dict[str, Any], read: ToolChoice, parallel: bool | None) -> None:
    """Every choice is read, and written back."""
    given = body(tool_choice=choice, tools=[{"name": "f", "input_schema": {}}])
    request = DIALECT.read_request(given)
    assert (request.tool_choice, request.parallel_tool_calls) == (read, parallel)
    assert DIALECT.write_request(request, WriteOptions())["tool_choice"] == choice


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        pytest.param(
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            Reasoning(enabled=True, budget_tokens=2000, extras={"display": "omitted"}),
            id="enabled",
        ),
        pytest.param(
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            Reasoning(enabled=True, adaptive=True, effort="high"),
            id="adaptive",
        ),
        pytest.param({"thinking": {"type": "disabled"}}, Reasoning(enabled=False), id="disabled"),
        pytest.param(
            {"thinking": {"type": "between_tools"}},
            Reasoning(enabled=False, extras={"type": "between_tools"}),
            id="unknown",
        ),
        pytest.param({"output_config": {"effort": "low"}}, Reasoning(effort="low"), id="effort"),
    ],
)
def test_thinking(fields: dict[str, Any], reasoning: Reasoning) -> None:
    """Thinking and effort are read, and written back as they were."""
    request = DIALECT.read_request(body(**fields))
    assert request.reasoning == reasoning
    assert DIALECT.write_request(request, WriteOptions()) == body(**fields)


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_structured_output(beta: bool) -> None:
    """Both spellings of a JSON schema are read; unknown neighbours stay."""
    form = {"type": "json_schema", "schema": {"type": "object"}}
    config = {"task_budget": {"total": 5}}
    given = {"output_format": form} if beta else {}
    request = DIALECT.read_request(
        body(output_config=config if beta else config | {"format": form}, **given)
    )
    assert request.output_format == OutputFormat(kind="json_schema", schema={"type": "object"})
    written = DIALECT.write_request(request, WriteOptions())
    assert written == body(output_config=config | {"format": form})


def test_unknown_output_formats_stay() -> None:
    """A format that is no schema is kept in its place."""
    form = {"type": "grammar"}
    for given in (body(output_format=form), body(output_config={"format": form})):
        request = DIALECT.read_request(given)
        assert request.output_format is None
        assert DIALECT.write_request(request, WriteOptions()) == given


@pytest.mark.parametrize(
    ("given", "param"),
    [
        pytest.param({"messages": []}, "max_tokens", id="max-tokens-missing"),
        pytest.param({"max_tokens": 5}, "messages", id="messages-missing"),
        pytest.param(body(max_tokens=True), "max_tokens", id="bool-is-no-integer"),
        pytest.param(body(model=5), "model", id="model"),
        pytest.param(body(temperature="hot"), "temperature", id="temperature"),
        pytest.param(body(stop_sequences=["a", 1]), "stop_sequences.1", id="stop"),
        pytest.param(body(system=[{"type": "text"}]), "system.0.text", id="system"),
        pytest.param(body(messages=["hi"]), "messages.0", id="message"),
        pytest.param(
            body(messages=[{"role": "tool", "content": ""}]), "messages.0.role", id="role"
        ),
        pytest.param(body(messages=[{"role": "user"}]), "messages.0.content", id="content"),
        pytest.param(content({"text": "x"}), "messages.0.content.0.type", id="type"),
        pytest.param(
            content({"type": "text", "text": "x"}, {"type": "image", "source": "x"}),
            "messages.0.content.1.source",
            id="source",
        ),
        pytest.param(
            content({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}),
            "messages.0.content.0.source.data",
            id="data",
        ),
        pytest.param(
            content({"type": "tool_use", "id": "a", "name": "b", "input": []}, role="assistant"),
            "messages.0.content.0.input",
            id="input",
        ),
        pytest.param(
            content({"type": "tool_result", "tool_use_id": "a"}, role="assistant"),
            "messages.0.content.0",
            id="misplaced-result",
        ),
        pytest.param(body(tools=[{"name": "f"}]), "tools.0.input_schema", id="schema"),
        pytest.param(body(tool_choice={"type": "tool"}), "tool_choice.name", id="choice-name"),
        pytest.param(
            body(output_config={"format": {"type": "json_schema"}}),
            "output_config.format.schema",
            id="format",
        ),
    ],
)
def test_wrong_types_are_named(given: dict[str, Any], param: str) -> None:
    """A missing or mistyped field is refused by its path."""
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request(given)
    assert caught.value.param == param
    assert param in caught.value.message


def test_empty_fields_are_absent_ones() -> None:
    """Nulls and empty lists say what leaving the field out says."""
    given = body(system=None, tools=None, metadata=None, tool_choice=None, stop_sequences=None)
    assert DIALECT.read_request(given) == DIALECT.read_request(body())


def test_model_may_be_in_the_url() -> None:
    """Some platforms carry the model elsewhere: none is read and none is written."""
    given = body()
    del given["model"]
    request = DIALECT.read_request(given)
    assert request.model == ""
    assert DIALECT.write_request(request, WriteOptions()) == given


def test_masked_document_text_wins_over_its_source() -> None:
    """A filter that changes a document's text is not undone by the source kept beside it."""
    source = {"type": "content", "content": [{"type": "text", "text": "secret"}]}
    request = DIALECT.read_request(content({"type": "document", "source": source}))
    part = request.messages[0].parts[0]
    assert isinstance(part, MediaPart)
    part.text = "masked"
    block = DIALECT.write_request(request, WriteOptions())["messages"][0]["content"][0]
    assert block["source"] == {"type": "text", "media_type": "text/plain", "data": "masked"}


def test_system_messages_inside_the_conversation_stay_where_they_are() -> None:
    """A ``role: system`` message is written back in its place."""
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"name": "f"}}]},
    ]
    request = DIALECT.read_request(body(messages=messages))
    assert [message.role for message in request.messages] == ["user", "system"]
    assert DIALECT.write_request(request, WriteOptions())["messages"] == messages
