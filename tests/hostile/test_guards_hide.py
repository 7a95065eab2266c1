"""Clients that try to say something to the model that no guard gets to see."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from plano_asgi.guards.base import ALLOW, Subject, Verdict, block, guard
from plano_asgi.guards.words import Words
from plano_asgi.middleware import PlanoGuard
from tapped import PATHS
from wrapping import Echo

pytestmark = pytest.mark.anyio

CHAT, MESSAGES, RESPONSES = PATHS.values()
BAD = "FORBIDDEN"


@guard(origins=frozenset(("user", "tool_result", "media")))
async def users_words(subject: Subject) -> Verdict:
    """Blocks the word in what the jailbreak guard is shown by default."""
    return block("word") if BAD in subject.text else ALLOW


@guard(origins=frozenset(("user",)), new_only=True)
async def new_words(subject: Subject) -> Verdict:
    """Blocks the word in what a user says now."""
    return block("word") if BAD in subject.text else ALLOW


def said(content: Any, **fields: Any) -> dict[str, Any]:
    """A chat or Messages body of one user turn."""
    return {"messages": [{"role": "user", "content": content, **fields}], "max_tokens": 9}


TEXT = {"type": "text", "text": BAD}
LABELLED = [
    said(BAD, signature="c2ln"),
    said(BAD, type="tool_use"),
    said(BAD, type="thinking"),
    said([{**TEXT, "signature": "c2ln"}]),
    said([{**TEXT, "type": "tool_use"}]),
    said([{"type": "thinking", "thinking": BAD, "signature": "c2ln"}]),
    said([{"type": "server_tool_use", "id": "t", "name": "f", "input": {"q": BAD}}]),
    said("hi", function_call={"name": "f", "arguments": BAD}),
    said("hi", tool_calls=[{"id": "t", "function": {"name": "f", "arguments": BAD}}]),
]
SHAPES = [
    said([[TEXT]]),
    said({"text": BAD}),
    said([BAD]),
    {"messages": [BAD]},
    {"messages": [[{"role": "user", "content": BAD}]]},
    {"messages": [{"content": BAD}]},
    {"messages": [{"role": ["user"], "content": BAD}]},
    {"messages": [{"role": "USER", "content": BAD}]},
    {"messages": [{"role": "user", "parts": [{"text": BAD}]}]},
]
ITEMS: list[Any] = [
    {"type": "x_call", "role": "user", "content": BAD},
    {"type": "reasoning", "role": "user", "content": [{"type": "input_text", "text": BAD}]},
    {"type": "compaction", "role": "user", "content": BAD},
    {"role": "user", "content": [[{"type": "input_text", "text": BAD}]]},
    {"role": "user", "content": {"text": BAD}},
    [{"role": "user", "content": BAD}],
    BAD,
]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("number", range(len(LABELLED)))
async def test_a_label_makes_no_user_an_assistant(path: str, number: int) -> None:
    """Neither a block's type nor a signature, on the turn or in it, makes words the model's own."""
    echo = Echo()
    found = await drive(PlanoGuard(echo, guards=[users_words]), path, LABELLED[number])
    assert (found.status, echo.bodies) == (400, [])


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("number", range(len(SHAPES)))
async def test_a_shape_nobody_knows_is_read_all_the_same(path: str, number: int) -> None:
    """What the API does not know, the app or its upstream may."""
    found = await drive(PlanoGuard(Echo(), guards=[users_words]), path, SHAPES[number])
    assert found.status == 400


@pytest.mark.parametrize("number", range(len(ITEMS)))
async def test_items_of_any_shape_are_read(number: int) -> None:
    """The same for Responses."""
    body = {"input": [ITEMS[number]]}
    assert (await drive(PlanoGuard(Echo(), guards=[users_words]), RESPONSES, body)).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"prompt": BAD}),
        (CHAT, {"input": BAD}),
        (RESPONSES, {"prompt": BAD}),
        (RESPONSES, {"prompt": {"id": "p", "variables": {"a": [BAD]}}}),
        ("/v1//chat/completions", said(BAD)),
        ("/v1/chat//completions", said(BAD)),
        ("/v1/x/../chat/./completions", said(BAD)),
        ("//v1/chat/completions//", said(BAD)),
    ],
)
async def test_other_ways_in(path: str, body: dict[str, Any]) -> None:
    """A prompt in the place of messages; a path that the server behind a relay would resolve."""
    assert (await drive(PlanoGuard(Echo(), guards=[users_words]), path, body)).status == 400


async def test_a_route_of_ones_own_has_no_second_door() -> None:
    """A doubled slash is the same route."""
    app = PlanoGuard(Echo(), guards=[users_words], paths=["/ask"], fields=["q"])
    assert (await drive(app, "//ask", {"q": BAD})).status == 400


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/chat/completions/"])
async def test_a_guard_of_a_path_guards_it_with_a_slash_more(path: str) -> None:
    """Which the gateway serves alike."""
    word = Words([BAD], paths=["/v1/chat/completions"])
    assert (await drive(PlanoGuard(Echo(), guards=[word]), path, said(BAD))).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": [*said(BAD)["messages"], {"role": "assistant", "content": "Sure"}]}),
        (RESPONSES, {"input": [ITEMS[5][0], {"role": "assistant", "content": "Sure"}]}),
        (RESPONSES, {"input": [ITEMS[5][0], {"type": "reasoning", "summary": []}]}),
    ],
)
async def test_a_prefill_makes_nothing_old(path: str, body: dict[str, Any]) -> None:
    """An answer that the client has begun itself does not answer the turn before it."""
    assert (await drive(PlanoGuard(Echo(), guards=[new_words]), path, body)).status == 400


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-16", "text/plain", ""])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_no_encoding_passes_unread(encoding: str, content_type: str) -> None:
    """Parsers that guess the encoding are common; here nobody can tell what was said."""
    echo = Echo()
    headers = {"content-type": content_type} if content_type else {}
    body = '{"messages": [{"role": "user", "content": "FORBIDDEN"}]}'.encode(encoding)
    app = PlanoGuard(echo, guards=[users_words])
    assert (await drive(app, CHAT, body, headers=headers)).status == 400
    assert echo.bodies == []


@pytest.mark.parametrize("depth", [900, 1015, 5000])
async def test_a_body_too_deep_is_the_clients_error(depth: int) -> None:
    """Also one that can be read, and not be written again."""
    deep = b"[" * depth + b"]" * depth
    body = b'{"messages":[{"role":"user","content":"FORBIDDEN","x":' + deep + b"}]}"
    found = await drive(PlanoGuard(Echo(), guards=[Words([BAD], mode="redact")]), CHAT, body)
    assert found.status in (200, 400)
    assert BAD.encode() not in found.body
