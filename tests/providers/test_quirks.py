"""Quirks: each kind, and each row's effect on a body."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi._json import JSONObject
from plano_asgi.providers import PROFILES
from plano_asgi.providers.quirks import (
    CHAT,
    MESSAGES,
    RESPONSES,
    Clamp,
    Default,
    Drop,
    DropInFunctions,
    DropInMessages,
    DropWhileReasoning,
    Exclusive,
    FunctionsOnly,
    ListInput,
    MapValues,
    Pin,
    Quirk,
    Rename,
    RenameRole,
    ShortCallIds,
)


def adapted(name: str, model: str, body: JSONObject, dialect: str = CHAT) -> JSONObject:
    """*body* after every quirk of a row that applies."""
    copy = dict(body)
    for quirk in PROFILES[name].quirks:
        if quirk.applies(model, dialect):
            quirk.apply(copy)
    return copy


@pytest.mark.parametrize(
    ("quirk", "body", "after"),
    [
        (Rename("a", "b"), {"a": 1}, {"b": 1}),
        (Rename("a", "b"), {"a": 1, "b": 2}, {"b": 2}),
        (Rename("a", "b"), {"a": 1, "b": None}, {"b": 1}),
        (Rename("a", "b"), {"a": None}, {}),
        (Rename("a", "b"), {}, {}),
        (Drop(("a", "o.i")), {"a": 1, "o": {"i": 1, "k": 2}}, {"o": {"k": 2}}),
        (Drop(("o.i",)), {"o": "text"}, {"o": "text"}),
        (DropWhileReasoning(("t",)), {"t": 1}, {}),
        (DropWhileReasoning(("t",)), {"t": 1, "reasoning_effort": "none"}, None),
        (DropWhileReasoning(("t",), by_default=False), {"t": 1}, None),
        (
            DropWhileReasoning(("t",), ("r", "e"), by_default=False),
            {"t": 1, "r": {"e": "low"}},
            {"r": {"e": "low"}},
        ),
        (DropWhileReasoning(("t",), ("r", "e"), by_default=False), {"t": 1, "r": "x"}, None),
        (Exclusive("a", "b"), {"a": 0, "b": 1}, {"a": 0}),
        (Exclusive("a", "b"), {"a": None, "b": 1}, None),
        (Clamp("t", 0, 1), {"t": 1.5}, {"t": 1}),
        (Clamp("t", 0, 1), {"t": 0.5}, None),
        (Clamp("t", 0, 1), {"t": "hot"}, None),
        (MapValues("e", {"min": "low"}), {"e": "MIN"}, {"e": "low"}),
        (MapValues("e", {"min": "low"}), {"e": "odd"}, None),
        (MapValues("e", {"min": "low"}, drop_others=True), {"e": "odd"}, {}),
        (MapValues("e", {"min": "low"}, drop_others=True), {"e": 3}, {}),
        (MapValues("e", {"min": "low"}, drop_others=True), {}, None),
        (Pin("s", False), {"s": True}, {"s": False}),
        (Default("i", "x"), {"i": ""}, {"i": "x"}),
        (Default("i", "x"), {"i": "mine"}, None),
        (RenameRole("d", "s"), {"messages": "odd"}, None),
        (
            RenameRole("d", "s"),
            {"messages": [{"role": "d", "c": 1}, 3]},
            {"messages": [{"role": "s", "c": 1}, 3]},
        ),
        (
            DropInMessages(frozenset({"n"}), frozenset({"user"})),
            {"messages": [{"role": "user", "n": 1}, {"role": "tool", "n": 1}, "odd"]},
            {"messages": [{"role": "user"}, {"role": "tool", "n": 1}, "odd"]},
        ),
        (DropInMessages(frozenset({"n"})), {"messages": None}, None),
        (
            DropInFunctions("strict"),
            {"tools": [{"function": {"name": "f", "strict": True}}, {"type": "x"}, 1]},
            {"tools": [{"function": {"name": "f"}}, {"type": "x"}, 1]},
        ),
        (DropInFunctions("strict"), {}, None),
        (ListInput(), {"input": [1]}, None),
        (ListInput(), {"input": {"type": "x"}}, {"input": [{"type": "x"}]}),
        (
            ListInput(),
            {"input": "hi"},
            {"input": [{"type": "message", "role": "user", "content": "hi"}]},
        ),
        (ShortCallIds(9), {"messages": [1, {"role": "user"}]}, None),
        (ShortCallIds(9), {}, None),
    ],
)
def test_each_kind(quirk: Quirk, body: JSONObject, after: JSONObject | None) -> None:
    """What one quirk does to a body; ``None``: nothing."""
    changed = dict(body)
    quirk.apply(changed)
    assert changed == (body if after is None else after)


def test_a_kind_has_to_say_what_it_does() -> None:
    """The base does nothing on its own."""
    with pytest.raises(TypeError):
        Quirk()  # type: ignore[abstract]


def test_call_ids_stay_paired_and_good_ones_stay() -> None:
    """A call and its result get the same short id, on every turn again."""
    body: JSONObject = {
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "call_abc_long", "function": {}}, "odd"]},
            {"role": "tool", "tool_call_id": "call_abc_long", "content": "x"},
            {"role": "tool", "tool_call_id": "a1B2c3D4e", "content": "y"},
        ]
    }
    ShortCallIds(9).apply(body)
    made = body["messages"][0]["tool_calls"][0]["id"]
    assert len(made) == 9
    assert made.isalnum()
    assert [m["tool_call_id"] for m in body["messages"][1:]] == [made, "a1B2c3D4e"]


def test_quirks_belong_to_a_dialect_and_a_model() -> None:
    """Both have to match; the model from its start."""
    quirk = Pin("x", 1, models=r"gpt-5", dialect=RESPONSES)
    assert quirk.applies("gpt-5.1", RESPONSES)
    assert not quirk.applies("gpt-5.1", CHAT)
    assert not quirk.applies("my-gpt-5", RESPONSES)


LIMIT = {"max_tokens": 9}
SAMPLED = {"temperature": 0.2, "top_p": 0.9, "seed": 1}


@pytest.mark.parametrize("name", ["openai", "azure_openai", "github", "digitalocean"])
@pytest.mark.parametrize("model", ["o1", "o3", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5.2"])
def test_openai_reasoning_models_keep_the_limit_under_its_new_name(name: str, model: str) -> None:
    """The limit is renamed, never lost."""
    assert adapted(name, model, LIMIT) == {"max_completion_tokens": 9}
    assert adapted(name, f"openai/{model}", LIMIT) == {"max_completion_tokens": 9}
    assert adapted(name, "gpt-4o", LIMIT) == LIMIT


@pytest.mark.parametrize(
    ("model", "effort", "kept"),
    [
        ("gpt-4.1", None, True),
        ("gpt-5-chat-latest", None, True),
        ("gpt-5", None, False),
        ("gpt-5-mini-2025-08-07", None, False),
        ("o3", None, False),
        ("gpt-5.1", None, True),
        ("gpt-5.1", "none", True),
        ("gpt-5.1", "low", False),
        ("gpt-5.1-codex-max", None, False),
        ("gpt-5.2-pro", None, False),
        ("gpt-5.3-chat-latest", None, False),
        ("gpt-5.3-codex", None, True),
        ("gpt-5.4-mini", None, True),
        ("gpt-5.4-mini", "high", False),
        ("gpt-5.5", None, False),
        ("gpt-5.5", "none", True),
        ("gpt-5.10", None, False),
        ("gpt-6", None, False),
        ("omni-moderation", None, True),
    ],
)
def test_openai_sampling_goes_only_while_the_model_reasons(
    model: str, effort: str | None, kept: bool
) -> None:
    """Nothing is forced to a value; where the model takes sampling it is left alone."""
    chat: JSONObject = {**SAMPLED, "reasoning_effort": effort} if effort else dict(SAMPLED)
    responses: JSONObject = {**SAMPLED, "reasoning": {"effort": effort}}
    assert ("temperature" in adapted("openai", model, chat)) is kept
    assert ("temperature" in adapted("openai", model, responses, RESPONSES)) is kept
    assert adapted("openai", model, chat)["seed"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "mistral",
        "deepseek",
        "together_ai",
        "fireworks",
        "perplexity",
        "moonshotai",
        "zhipu",
        "qwen",
        "ollama",
        "cohere",
        "huggingface",
        "nvidia",
        "lmstudio",
        "plano",
    ],
)
def test_providers_that_know_max_tokens_only(name: str) -> None:
    """The newer name becomes the older one."""
    assert adapted(name, "m", {"max_completion_tokens": 9}) == LIMIT
    assert adapted(name, "m", LIMIT) == LIMIT


@pytest.mark.parametrize("name", ["groq", "xai", "vllm", "cerebras", "openrouter", "gemini"])
def test_providers_that_know_both_limits(name: str) -> None:
    """Nothing is renamed without need."""
    for body in (LIMIT, {"max_completion_tokens": 9}):
        assert adapted(name, "m", body) == body


DEVELOPER_KNOWN = {"openai", "azure_openai", "github", "openrouter", "vercel"}


@pytest.mark.parametrize("name", [row.name for row in PROFILES.values() if row.dialect == CHAT])
def test_developer_messages_become_system_messages(name: str) -> None:
    """The role is OpenAI's; only upstreams known to take it get it."""
    body: JSONObject = {"messages": [{"role": "developer", "content": "x"}]}
    role = "developer" if name in DEVELOPER_KNOWN else "system"
    assert adapted(name, "m", body) == {"messages": [{"role": role, "content": "x"}]}


def test_mistral_gets_only_what_its_schema_allows() -> None:
    """Hints go, names change, history is cleaned; what it knows stays."""
    body: JSONObject = {
        "seed": 7,
        "store": True,
        "user": "u",
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "messages": [
            {"role": "user", "name": "n", "content": "x"},
            {"role": "assistant", "content": "y", "reasoning_content": "z", "refusal": None},
        ],
    }
    assert adapted("mistral", "m", body) == {
        "random_seed": 7,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
    }


@pytest.mark.parametrize("name", ["gemini", "groq", "cerebras"])
def test_strict_upstreams_do_not_get_platform_hints(name: str) -> None:
    """Hints of OpenAI's platform would be answered with 400."""
    body: JSONObject = {"store": False, "metadata": {}, "prompt_cache_key": "k", "top_p": 1}
    assert adapted(name, "m", body) == {"top_p": 1}


@pytest.mark.parametrize(
    ("name", "model", "effort", "becomes"),
    [
        ("mistral", "m", "minimal", "none"),
        ("mistral", "m", "low", "high"),
        ("mistral", "m", "none", "none"),
        ("groq", "openai/gpt-oss-120b", "xhigh", "high"),
        ("groq", "openai/gpt-oss-120b", "none", "low"),
        ("groq", "openai/gpt-oss-120b", "medium", "medium"),
        ("groq", "qwen/qwen3-32b", "high", "default"),
        ("groq", "qwen/qwen3-32b", "none", "none"),
        ("groq", "llama-3.3", "high", "high"),
        ("xai", "grok-3-mini", "medium", "low"),
        ("xai", "grok-3", "high", None),
        ("xai", "grok-4", "high", None),
        ("xai", "grok-4-0709", "high", None),
        ("xai", "grok-code-fast-1", "high", None),
        ("xai", "grok-4.3", "none", "none"),
        ("xai", "grok-4.3", "xhigh", "high"),
        ("xai", "grok-4.5", "none", "low"),
        ("xai", "grok-4.7", "xhigh", "xhigh"),
        ("moonshotai", "kimi-k3", "none", "low"),
        ("moonshotai", "kimi-k3", "Medium", "high"),
        ("moonshotai", "kimi-k3", "max", "max"),
        ("moonshotai", "kimi-k3", "weird", None),
        ("moonshotai", "kimi-k3-next", "weird", "weird"),
        ("moonshotai", "kimi-for-coding", "high", None),
        ("openrouter", "moonshotai/kimi-k3", "weird", "weird"),
        ("openai", "gpt-5", "minimal", "minimal"),
    ],
)
def test_efforts_are_put_on_the_upstreams_scale(
    name: str, model: str, effort: str, becomes: str | None
) -> None:
    """Each model has its own words; ``None``: it has none."""
    assert adapted(name, model, {"reasoning_effort": effort}).get("reasoning_effort") == becomes


def test_kimi_rows() -> None:
    """Fixed sampling of kimi-k3, the short field list of kimi-for-coding, everyone's range."""
    sampling: JSONObject = {"temperature": 2, "top_p": 1, "n": 1, "presence_penalty": 0}
    assert adapted("moonshotai", "kimi-k3", sampling) == {}
    assert adapted("moonshotai", "kimi-k2.6", sampling) == {**sampling, "temperature": 1}
    coding: JSONObject = {"stream_options": {}, "service_tier": "x", "store": True, "thinking": {}}
    assert adapted("moonshotai", "kimi-for-coding", {**coding, "top_p": 1}) == {"top_p": 1}


PATCH = {"type": "custom", "custom": {"name": "patch", "description": "d"}}
READ = {"type": "function", "function": {"name": "read"}}


def test_custom_tools_become_functions() -> None:
    """They, the choice of them and their calls; the client's own body stays as it is."""
    call: JSONObject = {
        "id": "c",
        "type": "custom",
        "custom": {"name": "patch", "input": "*** Begin"},
        "x": 1,
    }
    turn = {"role": "assistant", "tool_calls": [call]}
    choice = {"type": "custom", "custom": {"name": "patch"}}
    body: JSONObject = {"tools": [READ, PATCH], "tool_choice": choice, "messages": [turn, "odd"]}
    before = repr(body)
    changed = dict(body)
    FunctionsOnly().apply(changed)
    assert repr(body) == before
    read, patch = changed["tools"]
    assert read is READ
    assert patch["type"] == "function"
    assert patch["function"]["description"] == "d"
    assert patch["function"]["parameters"]["required"] == ["input"]
    assert changed["tool_choice"] == {"type": "function", "function": {"name": "patch"}}
    function = {"name": "patch", "arguments": '{"input":"*** Begin"}'}
    written = {"id": "c", "type": "function", "function": function, "x": 1}
    assert changed["messages"] == [{**turn, "tool_calls": [written]}, "odd"]


def test_a_narrowed_choice_of_custom_tools_names_functions() -> None:
    """Each of the allowed ones."""
    named = {"type": "custom", "custom": {"name": "patch"}}
    body: JSONObject = {"tool_choice": {"allowed_tools": {"mode": "auto", "tools": [READ, named]}}}
    FunctionsOnly().apply(body)
    function = {"type": "function", "function": {"name": "patch"}}
    assert body["tool_choice"]["allowed_tools"] == {"mode": "auto", "tools": [READ, function]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tools": "odd", "tool_choice": "auto", "messages": "odd"},
        {"tools": [READ, 1], "tool_choice": None, "messages": [{"role": "user"}]},
    ],
)
def test_bodies_without_custom_tools_stay(body: JSONObject) -> None:
    """Malformed ones too: the upstream says what is wrong."""
    changed = dict(body)
    FunctionsOnly().apply(changed)
    assert changed == body


def test_only_openais_own_api_gets_custom_tools() -> None:
    """Every other row that is spoken to in chat turns them into functions."""
    chats = [
        name for name, row in PROFILES.items() if CHAT in {row.dialect, *row.dialects.values()}
    ]
    kept = [name for name in chats if adapted(name, "m", {"tools": [PATCH]})["tools"] == [PATCH]]
    assert kept == ["openai", "azure_openai"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("openai", set()),
        ("azure_openai", set()),
        ("github", set()),
        ("digitalocean", set()),
        ("mistral", set()),
        ("gemini", set()),
        ("groq", {"reasoning"}),
        ("cerebras", {"reasoning"}),
        ("deepseek", {"reasoning_content", "reasoning", "reasoning_details"}),
        ("moonshotai", {"reasoning_content", "reasoning", "reasoning_details"}),
    ],
)
def test_thoughts_go_back_to_those_who_take_them(name: str, kept: set[str]) -> None:
    """Some demand them, strict ones refuse them."""
    thoughts = {"reasoning_content": "t", "reasoning": "t", "reasoning_details": []}
    turn = {"role": "assistant", "content": "x", **thoughts}
    (written,) = adapted(name, "m", {"messages": [turn]})["messages"]
    assert written.keys() & thoughts.keys() == kept


def test_mistral_says_itself_that_it_has_no_web_search() -> None:
    """An answer without the search that was asked for would look like one with it."""
    assert adapted("mistral", "m", {"web_search_options": {}}) == {"web_search_options": {}}


def test_xai_has_no_web_search_options() -> None:
    """They are refused there."""
    assert adapted("xai", "grok-4.3", {"web_search_options": {}}) == {}


@pytest.mark.parametrize(
    ("model", "left"),
    [
        ("claude-opus-4-7", {}),
        ("claude-opus-4-8", {}),
        ("claude-opus-4-1-20250805", {"temperature": 0.2}),
        ("claude-sonnet-4-5", {"temperature": 0.2}),
        ("claude-haiku-4-5-20251001", {"temperature": 0.2}),
        ("claude-sonnet-4-20250514", {"temperature": 0.2, "top_p": 0.9}),
    ],
)
def test_claude_sampling(model: str, left: JSONObject) -> None:
    """From 4.1 on one of the two, from Opus 4.7 on none."""
    body: JSONObject = {"temperature": 0.2, "top_p": 0.9}
    assert adapted("anthropic", model, body, MESSAGES) == left


@pytest.mark.parametrize("given", ["mine", None])
def test_codex_backend_gets_its_own_dialect_of_responses(given: Any) -> None:
    """Streams only, stores nothing, needs instructions and a list, refuses tuning."""
    body: JSONObject = {
        "input": "hi",
        "store": True,
        "max_output_tokens": 5,
        "temperature": 1,
        "tools": [],
    }
    if given:
        body["instructions"] = given
    sent = adapted("chatgpt", "gpt-5.4", body, RESPONSES)
    instructions = sent.pop("instructions")
    assert instructions == given if given else instructions
    assert sent == {
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "store": False,
        "stream": True,
        "tools": [],
    }


def test_reasoning_fields_never_reach_openai_models_that_do_not_reason() -> None:
    """A client's wish to think, or not to, is no error at a model that cannot."""
    body = adapted("openai", "gpt-4o", {"messages": [], "reasoning_effort": "none"})
    assert "reasoning_effort" not in body
    asked = {
        "input": [],
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    }
    body = adapted("openai", "gpt-4.1-mini", asked, RESPONSES)
    assert body["include"] == ["message.output_text.logprobs"]
    assert "reasoning" not in body
    assert adapted("openai", "gpt-5", asked, RESPONSES)["include"] == asked["include"]


def test_another_models_thinking_is_left_out_for_openai() -> None:
    """Clients hand back whole messages, whatever model they came from."""
    message = {"role": "assistant", "content": "yes", "reasoning_content": "hm"}
    body = adapted("openai", "gpt-4o", {"messages": [message]})
    assert body["messages"] == [{"role": "assistant", "content": "yes"}]
