"""Which conversation a request belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi.conversation import ChatRequest, Message, TextPart, Tool
from plano_asgi.routing.sessions.identity import fingerprint, session_key, tenant_of


def request(
    system: str | None = "s", user: str | None = "u", tools: tuple[str, ...] = ()
) -> ChatRequest:
    """A request of one or two messages and tools that are but names."""
    said = [("system", system), ("user", user)]
    return ChatRequest(
        model="m",
        messages=[
            Message(role=role, parts=[TextPart(text=text)])  # type: ignore[arg-type]  # both are
            for role, text in said
            if text is not None
        ],
        tools=[Tool(name=name) for name in tools],
    )


CODING = request("You are a coding agent.", "Fix the bug in main.rs")


@pytest.mark.parametrize(
    ("tenant", "asked", "prefix", "id"),
    [
        pytest.param("", CODING, "5364dda745adbf65", "5a7d7357e976d47b", id="coding agent"),
        pytest.param("", request(), "3cb6023d6afd0939", "0f3606ae945d0841", id="short"),
        pytest.param(
            "",
            request(tools=("get_weather",)),
            "4abed8e9543e5cb4",
            "d3f22a8e83bdf204",
            id="with a tool",
        ),
        pytest.param("acme", request(), "d959d53a4b132ecb", "52c40c0e6600d2bf", id="of a tenant"),
    ],
)
def test_hashes_are_those_of_plano(tenant: str, asked: ChatRequest, prefix: str, id: str) -> None:
    """FNV-1a over the same chunks."""
    found = fingerprint(asked, tenant)
    assert found is not None
    assert f"{found.prefix_hash:016x}" == prefix
    assert found.session_id == f"implicit:{id}"


def test_growing_history_keeps_both() -> None:
    """Later turns change neither the session nor the prefix."""
    grown = request()
    grown.messages.append(Message(role="assistant", parts=[TextPart(text="a")]))
    grown.messages.append(Message(role="user", parts=[TextPart(text="more")]))
    assert fingerprint(grown) == fingerprint(request())


def test_instructions_in_mid_conversation_keep_both() -> None:
    """A reminder that comes and goes is not how the prompt begins."""
    grown = request()
    grown.messages.append(Message(role="system", parts=[TextPart(text="Be brief.")]))
    assert fingerprint(grown) == fingerprint(request())


@pytest.mark.parametrize(
    ("other", "tenant", "same_prefix", "same_id"),
    [
        pytest.param(request(user="v"), "", True, False, id="first user message"),
        pytest.param(request(system="t"), "", False, False, id="system prompt"),
        pytest.param(request(tools=("look",)), "", False, False, id="tools"),
        pytest.param(request(), "acme", False, False, id="tenant"),
        pytest.param(request(user="v" * 100), "", True, False, id="long first message"),
    ],
)
def test_what_tells_conversations_apart(
    other: ChatRequest, tenant: str, same_prefix: bool, same_id: bool
) -> None:
    """The prefix is what conversations share; the first thing said makes the session."""
    first, second = fingerprint(request()), fingerprint(other, tenant)
    assert first is not None
    assert second is not None
    assert (first.prefix_hash == second.prefix_hash) is same_prefix
    assert (first.session_id == second.session_id) is same_id


@pytest.mark.parametrize(
    "silent", [request(user=None), request(system=None, user=None)], ids=["no user", "empty"]
)
def test_nobody_said_anything(silent: ChatRequest) -> None:
    """Without a user's message there is no fingerprint."""
    assert fingerprint(silent) is None


@pytest.mark.parametrize("is_named", [False, True])
def test_long_instructions_drift(is_named: bool) -> None:
    """By one letter of thousands."""
    one = fingerprint(request("s" * 5_000), is_named=is_named)
    other = fingerprint(request("s" * 4_999 + "x"), is_named=is_named)
    assert one is not None
    assert other is not None
    assert one.prefix_hash != other.prefix_hash


@pytest.mark.parametrize("change", ["system", "user"])
def test_long_texts_are_told_apart(change: str) -> None:
    """They are conversations of their own."""
    texts: dict[str, Any] = {"system": "s" * 5_000, "user": "u" * 5_000}
    one = fingerprint(request(**texts))
    other = fingerprint(request(**texts | {change: texts[change][:-1] + "x"}))
    assert one is not None
    assert other is not None
    assert one.session_id != other.session_id
    assert (one.prefix_hash == other.prefix_hash) is (change == "user")


def test_named_session_needs_the_prefix_only() -> None:
    """What the user said first is not looked at."""
    one = fingerprint(request(user="u"), is_named=True)
    assert one == fingerprint(request(user="v"), is_named=True)
    assert one is not None
    assert one.session_id is None


def test_picture_makes_no_session() -> None:
    """A first message without text has a prefix only."""
    found = fingerprint(request(user=""))
    assert found is not None
    assert found.session_id is None


def test_changed_definition_drifts_but_stays_the_session() -> None:
    """A tool's schema is in the prompt cache: the prefix is another one."""
    one, other = request(tools=("look",)), request(tools=("look",))
    one.tools[0].parameters = {"type": "object"}
    other.tools[0].parameters = {"type": "object", "properties": {"x": {}}}
    first, second = fingerprint(one), fingerprint(other)
    assert first is not None
    assert second is not None
    assert first.session_id == second.session_id
    assert first.prefix_hash != second.prefix_hash


def test_changing_billing_line_is_not_instructions() -> None:
    """Claude Code's first system block differs on every request."""
    systems = [
        [
            {"type": "text", "text": f"x-anthropic-billing-header: {n}"},
            {"type": "text", "text": "s"},
        ]
        for n in range(2)
    ]
    user = {"messages": [{"role": "user", "content": "u"}], "model": "m", "max_tokens": 9}
    found = [
        fingerprint(exchange_of("anthropic.messages", {**user, "system": system}).request)
        for system in systems
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        pytest.param(
            "openai.chat",
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]},
            id="chat",
        ),
        pytest.param(
            "openai.chat",
            {
                "messages": [
                    {"role": "developer", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "u"}]},
                ]
            },
            id="chat parts",
        ),
        pytest.param(
            "anthropic.messages",
            {
                "max_tokens": 9,
                "system": [{"type": "text", "text": "s"}],
                "messages": [{"role": "user", "content": "u"}],
            },
            id="messages",
        ),
        pytest.param("openai.responses", {"instructions": "s", "input": "u"}, id="responses"),
    ],
)
def test_every_api_tells_the_same(dialect: str, body: dict[str, Any]) -> None:
    """The same conversation has one identity, however it comes."""
    exchange = exchange_of(dialect, {"model": "m", **body})
    assert fingerprint(exchange.request) == fingerprint(request())


def test_instructions_alone_are_nobodys() -> None:
    """Nobody said anything yet."""
    body = {"model": "m", "messages": [{"role": "system", "content": "s"}]}
    assert fingerprint(exchange_of("openai.chat", body).request) is None


def test_lone_surrogate_has_an_identity() -> None:
    """A text that is no UTF-8 is hashed all the same."""
    assert fingerprint(chat_exchange("\ud83d").request) is not None


HEADERS = {"x-tenant": "acme"}


@pytest.mark.parametrize(
    ("identity", "header", "expected"),
    [
        (None, None, ""),
        (None, "X-Tenant", "h.acme"),
        (None, "x-other", ""),
        ("alice", "x-tenant", "a.alice"),
        ("alice", None, "a.alice"),
    ],
)
def test_tenant_is_who_was_authenticated_else_the_header(
    identity: str | None, header: str | None, expected: str
) -> None:
    """A header counts only where it is configured and nobody is vouched for."""
    assert tenant_of(identity, HEADERS, header) == expected


def test_header_cannot_spell_somebody_authenticated() -> None:
    """``alice`` by header is somebody else than Alice."""
    assert tenant_of(None, {"x-tenant": "alice"}, "x-tenant") != tenant_of("alice", {}, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("", "acme:s"), ("acme", "s"), id="tenant in the id"),
        pytest.param(("a", "b:c"), ("a:b", "c"), id="colon"),
        pytest.param(("", "a%3Ab"), ("", "a:b"), id="escaped colon"),
        pytest.param(("", "x" * 200), ("", "x" * 201), id="long"),
        pytest.param(("", "s\u00e9"), ("", "s%C3%A9"), id="not ASCII"),
    ],
)
def test_no_tenant_spells_anothers_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Parts are escaped, so different ones never make one key."""
    keys = {session_key(*pair, "m", is_explicit=True) for pair in (one, other)}
    assert len(keys) == 2


def test_header_cannot_spell_an_implicit_session() -> None:
    """What a client writes is another kind of id than what we found out."""
    id = "implicit:0f3606ae945d0841"
    assert session_key("", id, "m", is_explicit=True) != session_key("", id, "m", is_explicit=False)


def test_keys_fit_into_stores() -> None:
    """However long the parts are."""
    key = session_key("t" * 9999, "\u2603:" * 9999, "m" * 9999, is_explicit=True)
    assert len(key) <= 512


def test_digest_cannot_be_spelled() -> None:
    """A text that looks like a long one's digest is escaped."""
    long = session_key("", "x" * 999, "m", is_explicit=True)
    digest = long.split(":")[2].removeprefix("e.")
    assert digest.startswith("=")
    assert session_key("", digest, "m", is_explicit=True) != long
