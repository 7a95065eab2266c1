"""The token estimate: figures per script, media, tools, and that it never falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.conversation import (
    ChatRequest,
    MediaPart,
    Message,
    OpaquePart,
    OutputFormat,
    Part,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.wire.token_estimate import MESSAGE_TOKENS, estimate_input_tokens


def request(*parts: Part, tools: list[Tool] | None = None) -> ChatRequest:
    """One user message of *parts*."""
    message = Message(role="user", parts=list(parts))
    return ChatRequest(model="m", messages=[message], tools=tools or [])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param("a", 1, id="rounded-up"),
        pytest.param("eight ch", 2, id="ascii"),
        pytest.param("привет", 3, id="cyrillic"),
        pytest.param("こんにちは", 5, id="kana"),
        pytest.param("한국", 2, id="hangul"),
        pytest.param("👍", 1, id="emoji"),
        pytest.param("ab é 你好", 4, id="mixed"),
    ],
)
def test_text_counts_by_script(text: str, tokens: int) -> None:
    """ASCII 1/4, other alphabets 1/2, CJK and above 1 token per character."""
    assert estimate_input_tokens(request(TextPart(text=text))) == MESSAGE_TOKENS + tokens


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        pytest.param(MediaPart(modality="image", data="x" * 90_000), 1600, id="image"),
        pytest.param(MediaPart(modality="document", url="https://a.test"), 3000, id="document"),
        pytest.param(MediaPart(modality="document", text="text"), 1, id="inline-text"),
        pytest.param(ToolCallPart(id="c", name="find", arguments='{"q":1}'), 3, id="call"),
        pytest.param(ToolResultPart(call_id="c", content=[TextPart(text="1234")]), 1, id="result"),
        pytest.param(ReasoningPart(text="1234", encrypted="5678"), 2, id="reasoning"),
        pytest.param(OpaquePart(dialect="d", raw={"a": 12}), 2, id="opaque"),
    ],
)
def test_parts_count(part: Part, tokens: int) -> None:
    """Media is flat, everything else counts as its text."""
    assert estimate_input_tokens(request(part)) == MESSAGE_TOKENS + tokens


def test_tools_and_schemas_count() -> None:
    """Declarations and the output schema are input, too."""
    plain = estimate_input_tokens(request(TextPart(text="hi")))
    tool = Tool(name="find", description="Finds", parameters={"type": "object"})
    with_tool = request(TextPart(text="hi"), tools=[tool])
    assert estimate_input_tokens(with_tool) > plain + 8
    with_schema = request(TextPart(text="hi"))
    with_schema.output_format = OutputFormat(kind="json_schema", schema={"type": "object"})
    assert estimate_input_tokens(with_schema) == plain + 4


def test_nothing_is_nothing() -> None:
    """Only a request without messages and tools is estimated at 0."""
    assert estimate_input_tokens(ChatRequest(model="m", messages=[])) == 0


@given(st.text(), st.text(min_size=1))
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    """The estimate is monotone, and never 0 for a message."""
    less = estimate_input_tokens(request(TextPart(text=text)))
    assert 0 < less <= estimate_input_tokens(request(TextPart(text=text + more)))
