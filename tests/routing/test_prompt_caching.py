"""Cache markers: which providers get them, where they stand, and that they stay there."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import exchange_of
from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.prompt_caching import CacheMarkers, strategy, with_cache_markers
from plano_asgi.wire import DIALECTS, WriteOptions

MARK = {"type": "ephemeral"}
POINT = {"cachePoint": {"type": "default"}}
LONG = "x" * 4096
MARKERS = CacheMarkers()


@pytest.mark.parametrize(
    ("family", "model", "dialect", "expected"),
    [
        ("anthropic", "claude-sonnet-4-5", "anthropic.messages", "breakpoints"),
        ("vercel", "gpt-5", "anthropic.messages", "breakpoints"),
        ("openrouter", "anthropic/claude-opus-4.1", "openai.chat", "content_part"),
        ("digitalocean", "anthropic-claude-4", "openai.chat", "content_part"),
        ("edenai", "Claude-3", "openai.chat", "content_part"),
        ("vercel", "claude-sonnet-4-5", "openai.chat", "none"),
        ("openai", "gpt-4o", "openai.chat", "automatic"),
        ("together_ai", "openai/gpt-oss-120b", "openai.chat", "automatic"),
        ("groq", "llama-3.3-70b", "openai.chat", "automatic"),
        ("deepseek", "deepseek-chat", "openai.chat", "automatic"),
        ("mistral", "mistral-large", "openai.chat", "none"),
        ("openai", "gpt-5", "openai.responses", "automatic"),
        ("amazon_bedrock", "anthropic.claude-sonnet-4", "bedrock.converse", "cache_point"),
        ("amazon_bedrock", "meta.llama3", "bedrock.converse", "none"),
        ("anthropic", "claude-sonnet-4-5", "", "none"),
    ],
)
def test_strategies(family: str, model: str, dialect: str, expected: str) -> None:
    """By the upstream's API, the model's family and the provider."""
    assert strategy(family, model, dialect) == expected


def user(content: Any) -> JSONObject:
    """A user's turn."""
    return {"role": "user", "content": content}


def assistant(content: Any) -> JSONObject:
    """The model's."""
    return {"role": "assistant", "content": content}


def on_anthropic(body: JSONObject, markers: CacheMarkers = MARKERS) -> JSONObject:
    """*body* as Anthropic gets it."""
    return with_cache_markers(
        body, "anthropic.messages", family="anthropic", model="claude-x", markers=markers
    )


def on_openrouter(body: JSONObject, markers: CacheMarkers = MARKERS) -> JSONObject:
    """*body* as OpenRouter gets it."""
    return with_cache_markers(
        body, "openai.chat", family="openrouter", model="anthropic/claude-x", markers=markers
    )


def on_bedrock(body: JSONObject, markers: CacheMarkers = MARKERS) -> JSONObject:
    """*body* as Bedrock gets it."""
    return with_cache_markers(
        body,
        "bedrock.converse",
        family="amazon_bedrock",
        model="anthropic.claude-x",
        markers=markers,
    )


def test_system_text_becomes_a_marked_block() -> None:
    """A string has no place for a marker."""
    body = {"system": LONG, "messages": [user("Hi")]}
    block = {"type": "text", "text": LONG, "cache_control": MARK}
    assert on_anthropic(body) == {"system": [block], "messages": [user("Hi")]}


def test_last_system_block_is_marked() -> None:
    """Empty ones take no marker."""
    blocks = [{"type": "text", "text": text} for text in (LONG, "end", "")]
    marked = on_anthropic({"system": blocks, "messages": [user("Hi")]})["system"]
    assert ["cache_control" in block for block in marked] == [False, True, False]


def test_last_tool_is_marked_without_instructions() -> None:
    """One that is loaded later is no part of the prefix."""
    tools: list[JSONObject] = [{"name": n, "description": LONG, "input_schema": {}} for n in "ab"]
    tools.append({"name": "c", "input_schema": {}, "defer_loading": True})
    marked = on_anthropic({"tools": tools, "messages": [user("Hi")]})["tools"]
    assert ["cache_control" in tool for tool in marked] == [False, True, False]


def test_tools_before_instructions_need_no_marker() -> None:
    """They are before the system text in the prefix: one marker holds both."""
    tools = [{"name": "a", "description": LONG, "input_schema": {}}]
    body = {"tools": tools, "system": "Be brief.", "messages": [user("Hi")]}
    marked = on_anthropic(body)
    assert marked["tools"] == tools
    assert marked["system"][0]["cache_control"] == MARK


@pytest.mark.parametrize(
    ("chars", "least", "marked"),
    [
        (4096, 1024, True),
        (4095, 1024, False),
        (4096, 0, True),
        (4095, 0, False),
        (4096, 1025, False),
    ],
)
def test_short_prefix_is_not_marked(chars: int, least: int, marked: bool) -> None:
    """Below ``min_prefix_tokens``, and below what any provider caches."""
    body = {"system": "x" * chars, "messages": [user("Hi")]}
    found = on_anthropic(body, CacheMarkers(min_prefix_tokens=least))
    assert isinstance(found["system"], list) is marked


RESULT = {"type": "tool_result", "tool_use_id": "t", "content": LONG}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(LONG, {"type": "text", "text": LONG}, id="string"),
        pytest.param([{"type": "text", "text": LONG}], {"type": "text", "text": LONG}, id="text"),
        pytest.param([RESULT], RESULT, id="tool result"),
    ],
)
def test_long_user_turn_is_marked(content: Any, expected: JSONObject) -> None:
    """On its last block."""
    [turn] = on_anthropic({"messages": [user(content)]})["messages"]
    assert turn["content"][-1] == {**expected, "cache_control": MARK}


def test_thinking_takes_no_marker() -> None:
    """Nor do an assistant's turns: markers stand where the user's turn ends."""
    thinking = {"type": "thinking", "thinking": LONG, "signature": "s"}
    turns = [user("Hi"), assistant([thinking])]
    body = {"messages": turns}
    assert on_anthropic(body) is body
    marked = on_anthropic({"messages": [*turns, user("And?")]})["messages"]
    assert marked[:2] == turns
    assert marked[2]["content"][0]["cache_control"] == MARK


def test_blank_turn_takes_no_marker() -> None:
    """There is no block that could carry it."""
    body = {"messages": [user("Hi"), assistant(LONG), user([{"type": "text", "text": " "}])]}
    assert on_anthropic(body) is body


def test_chat_marks_text_parts() -> None:
    """Of the instructions, and of the user's turns."""
    body = {
        "messages": [
            {"role": "system", "content": LONG},
            user(
                [{"type": "text", "text": LONG}, {"type": "image_url", "image_url": {"url": "u"}}]
            ),
        ]
    }
    system, turn = on_openrouter(body)["messages"]
    assert system["content"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
    assert ["cache_control" in part for part in turn["content"]] == [True, False]


@pytest.mark.parametrize(
    "first", [[], [{"role": "developer", "content": ""}]], ids=["none", "empty"]
)
def test_chat_without_instructions_marks_turns(first: list[JSONObject]) -> None:
    """A long tool list counts, but has no text part."""
    tools = [{"type": "function", "function": {"name": "a", "description": LONG}}]
    marked = on_openrouter({"messages": [*first, user("Hi")], "tools": tools})["messages"]
    assert marked[-1]["content"] == [{"type": "text", "text": "Hi", "cache_control": MARK}]


def test_bedrock_gets_cache_points() -> None:
    """After what they end."""
    turn = user([{"text": LONG}])
    body = {"system": [{"text": LONG}], "messages": [turn, assistant([{"text": "a"}])]}
    marked = on_bedrock(body)
    assert marked["system"] == [{"text": LONG}, POINT]
    assert marked["messages"][0]["content"] == [{"text": LONG}, POINT]
    tools = [{"toolSpec": {"name": "a", "description": LONG, "inputSchema": {"json": {}}}}]
    marked = on_bedrock({"toolConfig": {"tools": tools}, "messages": [user([])]})
    assert marked["toolConfig"]["tools"] == [*tools, POINT]
    bare = {"messages": [user([]), assistant([{"text": LONG}])]}
    assert on_bedrock(bare) is bare


OWN = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
MARKED_BY_CLIENT = {
    "system": {"system": [OWN]},
    "tool": {"tools": [{"name": "t", "cache_control": MARK}]},
    "turn": {"messages": [user([OWN]), user(LONG)]},
    "result": {"messages": [user([{**RESULT, "content": [OWN]}]), user(LONG)]},
    "whole body": {"cache_control": MARK},
}


@pytest.mark.parametrize("fields", MARKED_BY_CLIENT.values(), ids=MARKED_BY_CLIENT.keys())
def test_clients_own_markers_are_left_alone(fields: JSONObject) -> None:
    """Nothing is added to them: their number and their order are the client's."""
    body = {"system": LONG, "messages": [user(LONG)], **fields}
    assert on_anthropic(body) is body


def test_cache_points_of_the_client_are_left_alone() -> None:
    """In Bedrock's spelling, too."""
    body = {"system": [{"text": LONG}, POINT], "messages": [user([{"text": "Hi"}])]}
    assert on_bedrock(body) is body
    tools = {"toolConfig": {"tools": [POINT]}, "messages": [user([{"text": LONG}])]}
    assert on_bedrock(tools) is tools


def test_talk_about_markers_is_no_marker() -> None:
    """What a text or a tool's input says."""
    said = '{"cache_control": 1} \\"cache_control\\":'
    use = {"type": "tool_use", "id": "t", "name": "n", "input": {"cache_control": 1}}
    body = {"system": LONG, "messages": [user(said), assistant([use])]}
    assert on_anthropic(body) is not body


@pytest.mark.parametrize(
    "body", [{}, {"messages": "x"}, {"messages": ["x"]}, {"system": 7, "messages": [user(7)]}]
)
def test_what_is_no_body_is_left_alone(body: JSONObject) -> None:
    """Its upstream will say what is wrong."""
    assert on_anthropic(body) is body


def test_other_providers_get_none() -> None:
    """The body goes on as it is."""
    body = {"messages": [{"role": "system", "content": LONG}, user(LONG)]}
    found = with_cache_markers(
        body, "openai.chat", family="openai", model="gpt-4o", markers=MARKERS
    )
    assert found is body


def test_chat_client_routed_to_anthropic_gets_markers() -> None:
    """They are written for the upstream, whatever the client speaks."""
    body = {"model": "m", "messages": [{"role": "system", "content": LONG}, user("Hi")]}
    request = exchange_of("openai.chat", body).request
    written = DIALECTS["anthropic.messages"].write_request(request, WriteOptions())
    assert on_anthropic(written)["system"][0]["cache_control"] == MARK


def marked_turns(body: JSONObject) -> list[int]:
    """Indexes of the messages that carry a marker."""
    return [
        n
        for n, message in enumerate(body["messages"])
        if isinstance(message["content"], list)
        and any("cache_control" in block for block in message["content"])
    ]


def test_only_late_tools_take_no_marker() -> None:
    """With nothing in front that could be marked, the user's turn is."""
    late = {"name": "c", "description": LONG, "input_schema": {}, "defer_loading": True}
    found = on_anthropic({"tools": [late], "messages": [user("Hi")]})
    assert found["tools"] == [late]
    assert marked_turns(found) == [0]


def test_bedrock_without_instructions_and_tools_marks_turns() -> None:
    """There is nothing else."""
    use = {"toolUse": {"toolUseId": "t", "name": "n", "input": {"q": LONG}}}
    turns = [user([{"text": "Hi"}]), assistant([use]), user([{"text": "And?"}])]
    found = on_bedrock({"messages": turns})
    assert found["messages"] == [*turns[:2], user([{"text": "And?"}, POINT])]


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        pytest.param([{"type": "text", "text": LONG}], 1024, id="text"),
        pytest.param([{"type": "image", "source": {"data": "A" * 99_999}}], 1024, id="picture"),
        pytest.param([{"image": {"format": "png"}}], 1024, id="picture on Bedrock"),
        pytest.param([{**RESULT, "content": [{"type": "image"}]}], 1024, id="picture of a tool"),
        pytest.param([{**RESULT, "content": [{"text": LONG}]}], 1027, id="text of a tool"),
        pytest.param([{"type": "tool_use", "input": LONG}], 1032, id="call"),
    ],
)
def test_what_turns_count(content: Any, tokens: int) -> None:
    """Text by its length; a picture as a thousand tokens, whatever its bytes."""
    body = {"messages": [user("x"), assistant(content), user("Hi")]}
    assert marked_turns(on_anthropic(body, CacheMarkers(min_prefix_tokens=tokens))) == [2]
    assert on_anthropic(body, CacheMarkers(min_prefix_tokens=tokens + 1)) is body


def test_calls_of_chat_count() -> None:
    """They stand beside the content."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": LONG}}
    turns = [user("Hi"), {"role": "assistant", "content": None, "tool_calls": [call]}, user("And?")]
    assert marked_turns(on_openrouter({"messages": turns})) == [2]


SIZES = st.lists(st.integers(1, 9000), min_size=1, max_size=24)


@given(sizes=SIZES, system=st.integers(0, 9000), most=st.integers(1, 4))
def test_markers_never_move(sizes: list[int], system: int, most: int) -> None:
    """As a conversation grows its markers stay, new ones follow, and the oldest drop out."""
    turns = [(user if n % 2 == 0 else assistant)("x" * size) for n, size in enumerate(sizes)]
    body: JSONObject = {"system": "x" * system, "messages": turns}
    before = copy.deepcopy(body)
    markers = CacheMarkers(max_markers=most)
    ends = range(1, len(turns) + 1, 2)
    grown = [on_anthropic({**body, "messages": turns[:end]}, markers) for end in ends]
    has_head = {isinstance(found["system"], list) for found in grown}
    assert len(has_head) == 1
    for shorter, longer in pairwise(grown):
        old, new = marked_turns(shorter), marked_turns(longer)
        assert len(new) + sum(has_head) <= most
        kept = [n for n in new if n < len(shorter["messages"])]
        assert old[len(old) - len(kept) :] == kept
        assert len(new) - len(kept) <= 1
    assert body == before


def marked_blocks(body: JSONObject) -> list[tuple[int, int]]:
    """The messages' blocks with a marker, by their places."""
    return [
        (n, at)
        for n, message in enumerate(body["messages"])
        if isinstance(message["content"], list)
        for at, block in enumerate(message["content"])
        if "cache_control" in block
    ]


BLOCKS = st.lists(st.lists(st.integers(1, 6000), min_size=1, max_size=5), min_size=1, max_size=8)


@given(turns=BLOCKS, system=st.integers(0, 9000), most=st.integers(2, 4))
def test_markers_stay_while_a_turn_grows(turns: list[list[int]], system: int, most: int) -> None:
    """Whoever speaks again before an answer came lengthens the turn that has a marker."""
    markers = CacheMarkers(max_markers=most)
    history: list[JSONObject] = []
    before, ever = list[tuple[int, int]](), set[tuple[int, int]]()
    for sizes in turns:
        for end in range(1, len(sizes) + 1):
            blocks = [{"type": "text", "text": "x" * size} for size in sizes[:end]]
            body = {"system": "x" * system, "messages": [*history, user(blocks)]}
            found = on_anthropic(body, markers)
            spots = marked_blocks(found)
            has_head = isinstance(found["system"], list)
            assert len(spots) <= most - has_head
            assert all(spot in ever or spot > max(ever, default=(-1, 0)) for spot in spots)
            assert set(before) <= set(spots) or len(spots) == most - has_head
            before, ever = spots, ever | set(spots)
        history += [user(blocks), assistant("fine")]


def test_where_the_prompt_before_ended_a_marker_stays() -> None:
    """A turn of many long results does not push it out: the provider looks back only so far."""
    results = [{**RESULT, "content": LONG} for _ in range(30)]
    turns = [user(LONG), assistant("a"), user(LONG), assistant("b")]
    found = on_anthropic({"system": LONG, "messages": [*turns, user(results)]})
    assert marked_blocks(found) == [(2, 0), (4, 28), (4, 29)]


def test_a_chat_client_that_speaks_again_moves_no_marker() -> None:
    """What was interrupted: the tool's result and the user's words become one turn upstream."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = [user(LONG), {"role": "assistant", "content": None, "tool_calls": [call]}]
    cut = [*asked, {"role": "tool", "tool_call_id": "c", "content": LONG}]
    places = []
    for messages in (cut, [*cut, user("wait, stop")]):
        exchange = exchange_of("openai.chat", {"model": "m", "messages": messages})
        written = DIALECTS["anthropic.messages"].write_request(exchange.request, WriteOptions())
        places.append(marked_blocks(on_anthropic(written)))
    assert places == [[(0, 0), (2, 0)]] * 2


def test_last_markers_are_kept() -> None:
    """With more turns than markers: where the previous request's last one was, there is one."""
    turns = [turn for _ in range(6) for turn in (user(LONG), assistant("a"))]
    found = on_anthropic({"system": LONG, "messages": [*turns, user(LONG)]})
    assert marked_turns(found) == [8, 10, 12]
    only_head = on_anthropic({"system": LONG, "messages": turns}, CacheMarkers(max_markers=1))
    assert marked_turns(only_head) == []
    assert isinstance(only_head["system"], list)


@pytest.mark.parametrize(
    "arguments",
    [{"max_markers": 0}, {"max_markers": 5}, {"min_prefix_tokens": -1}, {"step_tokens": 0}],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    """When the markers are configured."""
    with pytest.raises(ConfigurationError, match="Cache markers"):
        CacheMarkers(**arguments)
