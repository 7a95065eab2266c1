"""What the gateway says at its door: paths, methods, bodies, names, auth."""

from __future__ import annotations

import json
from typing import Any

import anyio.lowlevel
import pytest
from starlette.types import Message, Receive, Scope, Send

from asgi_drive import drive
from gateway_build import KEY, gateway
from memory_transport import answer
from plano_asgi.config import Model
from plano_asgi.errors import ConfigurationError
from plano_asgi.gateway import ApiKeys, Limits
from plano_asgi.telemetry import Outcome, Telemetry

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/chat/completions", ""),
        ("/v1/chat/completions", ""),
        ("/v1/chat/completions/", ""),
        ("/v1/v1/chat/completions", ""),
        ("/v1/chat/completions", "/v1"),
        ("/v1/v1/chat/completions", "/v1"),
        ("/a/b/chat/completions", "/a/b"),
        ("/a/b/v1/chat/completions/", "/a/b"),
    ],
)
async def test_an_endpoint_is_found_however_the_client_was_configured(
    path: str, root_path: str
) -> None:
    """Mounted anywhere, one /v1 too many or too few, a slash at the end: never a redirect."""
    app, _ = gateway(answer(WHOLE))
    assert (await drive(app, path, BODY, root_path=root_path)).status == 200


@pytest.mark.parametrize("path", ["/nope", "/v1x/chat/completions", "/v1/chat", "/v1/messages/x"])
async def test_an_unknown_path_is_a_json_404(path: str) -> None:
    """And a root path is only cut at a segment's end."""
    app, _ = gateway(answer(WHOLE))
    found = await drive(app, path, BODY, root_path="/v1")
    assert found.status == 404
    assert found.json()["error"]["message"]


async def test_a_wrong_method_is_a_json_405_with_allow() -> None:
    """In the dialect of the path."""
    app, _ = gateway(answer(WHOLE))
    found = await drive(app, CHAT, method="GET")
    assert found.status == 405
    assert found.headers["allow"] == "POST, OPTIONS"
    found = await drive(app, "/v1/messages", method="PUT")
    assert found.json()["type"] == "error"


async def test_head_and_options_are_answered() -> None:
    """Claude Code asks HEAD / before it starts; browsers ask OPTIONS."""
    app, _ = gateway(answer(WHOLE))
    for path in ("/", "/v1", "/v1/models"):
        found = await drive(app, path, method="HEAD")
        assert (found.status, found.body) == (200, b"")
    assert (await drive(app, CHAT, method="OPTIONS")).status == 204


async def test_cors_preflight_and_headers_where_asked_for() -> None:
    """Off by default; a browser client needs both."""
    app, _ = gateway(answer(WHOLE), cors_origins=["https://ui.example"])
    asking = {"origin": "https://ui.example", "access-control-request-method": "POST"}
    found = await drive(app, CHAT, method="OPTIONS", headers=asking)
    assert found.status == 204
    assert found.headers["access-control-allow-origin"] == "https://ui.example"
    found = await drive(app, CHAT, BODY, headers={"origin": "https://ui.example"})
    assert found.headers["access-control-allow-origin"] == "https://ui.example"
    exposed = found.headers["access-control-expose-headers"]
    assert {"x-plano-model", "x-should-retry", "retry-after-ms"} <= set(exposed.split(", "))
    stranger = {**asking, "origin": "https://elsewhere.example"}
    found = await drive(app, CHAT, method="OPTIONS", headers=stranger)
    assert found.status == 400
    assert found.json()["error"]["code"] == "cors_refused"
    plain, _ = gateway(answer(WHOLE))
    found = await drive(plain, CHAT, BODY, headers={"origin": "https://ui.example"})
    assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(b"  \n", None, id="blank"),
        pytest.param(b"{", None, id="cut"),
        pytest.param(b"\xff\xfe{", None, id="not-utf8"),
        pytest.param(b'{"model": "\xe2\x82"}', None, id="half-character"),
        pytest.param(b"[1]", None, id="array"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"[" * 100_000, None, id="nested"),
        pytest.param({**BODY, "model": 3}, "model", id="model-type"),
        pytest.param({**BODY, "input": "x", "max_tokens": 5, "stream": "yes"}, "stream", id="s"),
    ],
)
async def test_a_body_that_cannot_be_read_is_400_in_the_clients_shape(
    path: str, body: object, param: str | None
) -> None:
    """Naming the field where there is one; nothing is sent upstream."""
    app, transport = gateway(answer(WHOLE))
    found = await drive(app, path, body)
    assert found.status == 400
    error = found.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert param is None or param in error["message"]
    assert transport.requests == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CHAT, {"model": "openai/gpt-4o"}, "messages"),
        (CHAT, {"model": "openai/gpt-4o", "messages": "hi"}, "messages"),
        (CHAT, {"model": "openai/gpt-4o", "messages": []}, "messages"),
        (CHAT, {"model": "openai/gpt-4o", "messages": ["hi"]}, "messages"),
        ("/v1/messages", {"model": "openai/gpt-4o", "max_tokens": 1, "messages": 1}, "messages"),
        ("/v1/messages", BODY, "max_tokens"),
        ("/v1/responses", {"model": "openai/gpt-4o", "input": 5}, "input"),
        (CHAT, {**BODY, "model": "anthropic/claude-sonnet-4-5", "temperature": "x"}, "temperature"),
        ("/v1/responses", {"model": "anthropic/claude-sonnet-4-5"}, "input"),
        (
            CHAT,
            {"model": "anthropic/claude-sonnet-4-5", "messages": [{"role": "user"}]},
            "messages",
        ),
    ],
)
async def test_a_field_of_the_wrong_type_is_named(path: str, body: object, field: str) -> None:
    """400, before anything is sent."""
    app, transport = gateway(answer(WHOLE))
    found = await drive(app, path, body)
    assert found.status == 400, found.body
    assert field in found.json()["error"]["message"]
    assert transport.requests == []


async def test_a_body_over_the_limit_is_413() -> None:
    """In JSON, and unread if its length was declared."""
    app, _ = gateway(answer(WHOLE), limits=Limits(max_body_bytes=100))
    big = {**BODY, "user": "x" * 200}
    assert (await drive(app, CHAT, big)).status == 413
    found = await drive(app, "/v1/messages", b"", headers={"content-length": "101"})
    assert found.status == 413
    assert found.json()["type"] == "error"


async def test_a_5_mb_image_passes() -> None:
    """The default limit is generous."""
    app, transport = gateway(answer(WHOLE))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5_000_000}}
    body = {**BODY, "messages": [{"role": "user", "content": [image]}]}
    assert (await drive(app, CHAT, body)).status == 200
    assert transport.body()["messages"] == body["messages"]


async def test_an_unknown_model_is_404_with_near_matches() -> None:
    """In both families' shapes."""
    app, _ = gateway(answer(WHOLE))
    found = await drive(app, CHAT, {**BODY, "model": "openai/gpt-4"})
    assert found.status == 404
    assert found.json()["error"]["code"] == "model_not_found"
    assert "openai/gpt-4o" in found.json()["error"]["message"]
    found = await drive(app, "/v1/messages", {**BODY, "model": "nope", "max_tokens": 1})
    assert found.status == 404
    assert found.json()["error"]["type"] == "not_found_error"


async def test_an_ambiguous_model_is_400_listing_the_choices() -> None:
    """Nobody guesses whose key pays."""
    models = (Model("openai/m", api_key=KEY), Model("mistral/m", api_key=KEY))
    app, _ = gateway(answer(WHOLE), models=models)
    found = await drive(app, CHAT, {**BODY, "model": "m"})
    assert found.status == 400
    assert "openai/m" in found.json()["error"]["message"]
    assert "mistral/m" in found.json()["error"]["message"]


async def test_a_missing_key_is_500_naming_the_provider() -> None:
    """It is not the client's to mend."""
    app, transport = gateway(answer(WHOLE), models=("openai/gpt-4o",))
    found = await drive(app, CHAT, BODY)
    assert found.status == 500
    assert "openai" in found.json()["error"]["message"]
    assert transport.requests == []
    assert app.missing()


async def test_passthrough_without_credentials_is_401() -> None:
    """It is the client's to mend."""
    app, transport = gateway(answer(WHOLE), models=(Model("openai/*", passthrough_auth=True),))
    assert (await drive(app, CHAT, BODY)).status == 401
    found = await drive(app, CHAT, BODY, headers={"authorization": "Bearer theirs"})
    assert found.status == 200
    assert transport.requests[-1].headers["authorization"] == "Bearer theirs"


async def test_a_clients_credentials_and_internal_headers_stay_here() -> None:
    """They go upstream under passthrough auth only."""
    app, transport = gateway(answer(WHOLE))
    theirs = {
        "authorization": "Bearer theirs",
        "x-api-key": "theirs",
        "cookie": "session=theirs",
        "x-plano-cache": "off",
        "x-model-affinity": "theirs",
    }
    await drive(app, CHAT, BODY, headers=theirs)
    sent = transport.requests[-1].headers
    assert sent["authorization"] == f"Bearer {KEY}"
    assert "theirs" not in repr(sorted(sent.items()))
    assert not any(name.startswith("x-plano") for name in sent)


async def test_auth_is_asked_before_the_body_is_read() -> None:
    """ApiKeys by either header; the identity is the name."""
    app, _ = gateway(answer(WHOLE), auth=ApiKeys({"alice": "key-of-alice"}))
    assert (await drive(app, CHAT, BODY)).status == 401
    assert (await drive(app, CHAT, BODY, headers={"x-api-key": "key-of-bob"})).status == 401
    for headers in ({"authorization": "Bearer key-of-alice"}, {"x-api-key": "key-of-alice"}):
        assert (await drive(app, CHAT, BODY, headers=headers)).status == 200
    assert (await drive(app, "/v1/models", method="GET")).status == 401


async def test_auth_may_be_async_and_may_refuse_in_its_own_words() -> None:
    """Any callable on the scope."""
    seen: list[object] = []

    async def auth(scope: Scope) -> str:
        await anyio.lowlevel.checkpoint()
        return "bob"

    async def step(exchange: Any) -> None:
        seen.append(exchange.identity)

    app, _ = gateway(answer(WHOLE), auth=auth, steps=[step])
    assert (await drive(app, CHAT, BODY)).status == 200
    assert seen == ["bob"]


def test_api_keys_keep_no_key() -> None:
    """Hashed at rest; too short a key is refused."""
    keys = ApiKeys({"alice": "key-of-alice"})
    assert "key-of-alice" not in repr(vars(keys))
    with pytest.raises(ConfigurationError):
        ApiKeys({"a": "short"})
    with pytest.raises(ConfigurationError):
        ApiKeys({})


async def test_request_ids_go_out_twice_and_a_sane_one_is_kept() -> None:
    """One header for each client family."""
    app, _ = gateway(answer(WHOLE))
    found = await drive(app, CHAT, BODY, headers={"x-request-id": "mine-1"})
    assert found.headers["x-request-id"] == found.headers["request-id"] == "mine-1"
    found = await drive(app, CHAT, BODY, headers={"x-request-id": "bad\x01id"})
    assert found.headers["x-request-id"].startswith("req_")


async def test_the_way_taken_is_in_the_headers() -> None:
    """Model, attempts, and the upstream's rate limits."""
    reply = answer(WHOLE, x_ratelimit_remaining_requests="7", set_cookie="no", x_request_id="up")
    app, _ = gateway(reply)
    headers = (await drive(app, CHAT, BODY)).headers
    assert headers["x-plano-model"] == "openai/gpt-4o"
    assert headers["x-plano-attempts"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "7"
    assert headers["x-upstream-request-id"] == "up"
    assert "set-cookie" not in headers


async def test_models_in_both_shapes_with_aliases() -> None:
    """Ids contain slashes."""
    app, _ = gateway(answer(WHOLE), aliases={"fast": "openai/gpt-4o"})
    listed = (await drive(app, "/v1/models", method="GET")).json()
    assert listed["object"] == "list"
    assert {"openai/gpt-4o", "anthropic/claude-sonnet-4-5", "fast"} <= {
        model["id"] for model in listed["data"]
    }
    one = await drive(app, "/v1/models/openai/gpt-4o", method="GET")
    assert one.json()["id"] == "openai/gpt-4o"
    assert (await drive(app, "/v1/models/no/such", method="GET")).status == 404
    headers = {"anthropic-version": "2023-06-01"}
    listed = (await drive(app, "/v1/models", method="GET", headers=headers)).json()
    assert listed["has_more"] is False
    assert all(model["type"] == "model" for model in listed["data"])


async def test_lifespan_closes_the_upstream() -> None:
    """Served by itself, the gateway runs its own."""
    app, transport = gateway(answer(WHOLE))
    stages = ["lifespan.startup", "lifespan.shutdown"]
    sent: list[Message] = []

    async def receive() -> Message:
        if len(stages) == 1:
            assert (await drive(app, CHAT, BODY)).status == 200
        return {"type": stages.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert transport.closed


async def test_a_websocket_is_closed_politely() -> None:
    """It is not served yet, and must not hang."""
    app, _ = gateway(answer(WHOLE))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/v1/responses", "headers": []}, receive, send)
    assert sent[0]["type"] == "websocket.close"


async def test_a_bug_is_a_500_that_says_nothing_of_itself() -> None:
    """The text stays in the log."""

    async def step(exchange: Any) -> None:
        raise KeyError("some secret detail")

    app, _ = gateway(answer(WHOLE), steps=[step])
    found = await drive(app, CHAT, BODY)
    assert found.status == 500
    assert "secret" not in found.body.decode()
    assert json.loads(found.body)["error"]["message"]


async def test_a_step_may_change_the_request_and_a_finalizer_always_runs() -> None:
    """The places of guards and of telemetry in the pipeline."""
    ended: list[Any] = []

    async def step(exchange: Any) -> None:
        exchange.replace_body({**exchange.body, "temperature": 0})

    async def broken(exchange: Any) -> None:
        raise ValueError

    async def finalizer(exchange: Any) -> None:
        ended.append((exchange.usage.input_tokens if exchange.usage else None, exchange.status))

    app, transport = gateway(answer(WHOLE), steps=[step], finalizers=[broken, finalizer])
    await drive(app, CHAT, BODY)
    assert transport.body()["temperature"] == 0
    await drive(app, CHAT, {**BODY, "model": "nope"})
    assert ended == [(1, 200), (None, 404)]


async def test_the_exchange_is_in_the_scope() -> None:
    """For middlewares around the gateway."""
    app, _ = gateway(answer(WHOLE))
    scopes: list[Scope] = []

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        scopes.append(scope)

    await drive(around, CHAT, BODY)
    assert scopes[0]["plano"].served_by.model == "gpt-4o"


async def test_a_refusal_at_the_door_has_the_id_that_telemetry_tells() -> None:
    """Whoever looks for it finds it by the header."""
    outcomes: list[Outcome] = []
    telemetry = Telemetry(signals=False, on_outcome=[outcomes.append])
    plano, _ = gateway(auth=ApiKeys({"alice": "key-of-alice"}), telemetry=telemetry)
    refused = await drive(plano, CHAT, BODY)
    assert refused.status == 401
    assert refused.headers["x-request-id"] == outcomes[0].exchange.id
