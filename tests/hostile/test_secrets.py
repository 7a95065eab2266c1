"""Canaries: keys of the gateway, of the client and of the configuration, and where they end up."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from asgi_drive import drive
from hostile.stage import CHAT, CLIENTS, MESSAGES, PATHS, Answer, question
from memory_transport import MemoryReply, MemoryTransport, Outcome, answer, events
from plano_asgi import ApiKeys, AzureOpenAI, Bedrock, Model, Plano, Provider
from plano_asgi.attempts import RetryPolicy
from plano_asgi.config.load import load_config
from plano_asgi.errors import ConfigurationError, PlanoError, UpstreamStatus, UpstreamUnreachable
from plano_asgi.exchange import SCOPE_KEY, Exchange
from plano_asgi.providers.base import UpstreamCall
from plano_asgi.providers.client import HTTPRequest
from plano_asgi.providers.transports import TransportPool

pytestmark = pytest.mark.anyio

CANARY = "sk-canary-0123456789abcdef"
THEIRS = "sk-canary-of-the-client-42"


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: no time passes here."""
    return "asyncio"


def gateway(*outcomes: Outcome, model: Model | None = None, **options: Any) -> Plano:
    """One model behind an upstream in memory."""
    transport = MemoryTransport(*outcomes)
    options.setdefault("retry", RetryPolicy(attempts_per_candidate=1))
    return Plano(
        [model or Model("openai/m", api_key=CANARY)],
        environ={},
        transports=TransportPool(lambda: transport),
        **options,
    )


async def asked(app: Plano, client: str = CHAT, **fields: object) -> Answer:
    """One question, with the client's own key."""
    body = question(client, "openai/m", **fields)
    keys = {"authorization": f"Bearer {THEIRS}", "x-api-key": THEIRS}
    found = await drive(app, PATHS[client], body, headers=keys)
    return Answer(found.status, found.headers, found.body)


def clean(*places: object) -> None:
    """Assert that no canary shows in any of *places*."""
    for place in places:
        text = place if isinstance(place, str) else repr(place)
        assert CANARY not in text, text
        assert THEIRS not in text, text


# --------------------------------------------------------------------------- an upstream that tells

ERROR = {"error": {"message": f"Incorrect API key provided: {CANARY}.", "type": "x", "code": "y"}}
TEXT = json.dumps(ERROR)
ECHOES: dict[str, Outcome] = {
    "401": answer(ERROR, 401),
    "401-text": answer(f"bad key Bearer {CANARY}".encode(), 401),
    "500-html": answer(f"<html><title>{CANARY}</title></html>".encode(), 500),
    "400-detail": answer({"detail": [{"loc": ["header", CANARY], "msg": CANARY}]}, 400),
    "document": answer(ERROR),
    "event": events(f"{TEXT}"),
    "error-event": events(f"event: error\ndata: {TEXT}\n\n".encode()),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ECHOES)
async def test_an_upstream_that_repeats_the_key(
    name: str, client: str, streamed: bool, logged: list[Any]
) -> None:
    """It reaches neither the client nor the log, in whatever kind of error it stands."""
    seen: list[Exchange] = []

    async def finalizer(exchange: Exchange) -> None:
        seen.append(exchange)

    found = await asked(gateway(ECHOES[name], finalizers=[finalizer]), client, stream=streamed)
    clean(found.body.decode(), dict(found.headers), logged, str(seen[0].error), seen[0].attempts)


async def test_an_error_after_content_that_repeats_the_key() -> None:
    """Rebuilt streams go through our hands, word by word."""
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "x"}}]}
    found = await asked(gateway(events(chunk, TEXT)), MESSAGES, stream=True)
    assert found.status == 200
    clean(found.body.decode())


@pytest.mark.parametrize("name", ["x-ratelimit-key", "x-request-id", "retry-after"])
async def test_an_upstream_that_repeats_the_key_in_a_header(name: str) -> None:
    """Also where the header is one that we hand on."""
    for status in (200, 429):
        reply = answer({"id": "x", "choices": []}, status)
        found = await asked(gateway(MemoryReply(status, {name: CANARY}, reply.chunks)))
        clean(dict(found.headers))


@pytest.mark.parametrize("name", ["set-cookie", "authorization", "x-api-key", "via", "server"])
async def test_other_headers_of_the_upstream_stay_here(name: str) -> None:
    """What is not listed is not relayed."""
    reply = answer({"id": "x", "choices": []})
    found = await asked(gateway(MemoryReply(200, {name: CANARY}, reply.chunks)))
    clean(dict(found.headers))


@pytest.mark.parametrize("name", ["x-goog-api-key", "cookie", "proxy-authorization"])
async def test_an_upstream_that_repeats_a_key_of_headers(name: str) -> None:
    """A key given by ``headers=`` is as secret as one given by ``api_key=``."""
    model = Model("openai/m", api_key="sk-another-key", headers={name: CANARY})
    clean((await asked(gateway(answer(ERROR, 401), model=model))).body.decode())


async def test_a_clients_key_under_passthrough_is_not_repeated() -> None:
    """It is theirs, and still no text for a log."""
    told = answer({"error": {"message": f"bad key {THEIRS}"}}, 401)
    model = Model("openai/m", passthrough_auth=True)
    clean((await asked(gateway(told, model=model))).body.decode())


# --------------------------------------------------------------------------- where keys go


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_clients_key_goes_nowhere(client: str) -> None:
    """Without passthrough_auth, whatever header it came in."""
    transport = MemoryTransport(answer({"id": "x"}))
    app = Plano(
        [Model("openai/m", api_key=CANARY), Model("anthropic/m", api_key=CANARY)],
        environ={},
        transports=TransportPool(lambda: transport),
        retry=RetryPolicy(attempts_per_candidate=1),
    )
    sent = dict.fromkeys(
        ("authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key", "openai-organization",
         "proxy-authorization", "x-plano-secret", "x-forwarded-authorization"),
        THEIRS,
    )  # fmt: skip
    for model in ("openai/m", "anthropic/m"):
        await drive(app, PATHS[client], question(client, model), headers=sent)
    for request in transport.requests:
        leaked = [name for name, value in request.headers.items() if THEIRS in value]
        assert leaked in ([], ["openai-organization"])
        assert THEIRS not in request.url
        assert CANARY not in request.url


async def test_a_provider_without_key_does_not_take_the_gateways_client_key() -> None:
    """A caller's key *for this gateway* is sent to a third party that nobody opened it to."""
    transport = MemoryTransport(answer({"id": "x"}))
    app = Plano(
        [Model("chatgpt/m")],
        environ={},
        auth=ApiKeys({"alice": THEIRS}),
        transports=TransportPool(lambda: transport),
    )
    body = question(CHAT, "chatgpt/m")
    await drive(app, PATHS[CHAT], body, headers={"authorization": f"Bearer {THEIRS}"})
    assert not [r for r in transport.requests if THEIRS in r.headers.get("authorization", "")]


async def test_only_passthrough_sends_a_clients_key() -> None:
    """Then theirs alone: never ours beside it."""
    transport = MemoryTransport(answer({"id": "x"}))
    app = Plano(
        [Model("openai/m", passthrough_auth=True)],
        environ={"OPENAI_API_KEY": CANARY},
        transports=TransportPool(lambda: transport),
    )
    await asked(app)
    assert transport.requests[0].headers["authorization"] == f"Bearer {THEIRS}"
    assert CANARY not in json.dumps(transport.requests[0].headers)


# --------------------------------------------------------------------------- repr, str, errors


def objects() -> Mapping[str, object]:
    """Everything public that holds a key, and what is made of it."""
    call = UpstreamCall(
        path="/chat/completions",
        dialect=CHAT,
        model="m",
        body={"key": CANARY},
        content=CANARY.encode(),
        client_headers={"authorization": CANARY},
    )
    plain = UpstreamCall(path="/chat/completions", dialect=CHAT, model="m")
    provider = Provider("openai", api_key=CANARY, headers={"x-key": CANARY})
    return {
        "Model": Model("openai/m", api_key=CANARY, headers={"x-key": CANARY}),
        "Model-secret": Model("openai/m", api_key=SecretStr(CANARY)),
        "Provider": provider,
        "AzureOpenAI": AzureOpenAI(base_url="https://x.openai.azure.com", api_key=CANARY),
        "Bedrock": Bedrock(region="us-east-1", api_key=CANARY),
        "ApiKeys": ApiKeys({"alice": CANARY}),
        "Plano": Plano([Model("openai/m", api_key=CANARY)], environ={}),
        "Plano-env": Plano.from_env({"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY}),
        "UpstreamCall": call,
        "HTTPRequest": provider.request(plain),
        "HTTPRequest-azure": AzureOpenAI(
            base_url="https://x.openai.azure.com", api_key=CANARY, api_version="2024-10-21"
        ).request(plain),
        "PlanoConfig": load_config({"version": "v0.4.0", "listeners": [], "model_providers": [
            {"model": "openai/m", "access_key": CANARY, "headers": {"x-team": CANARY}}]}),
        "UpstreamStatus": UpstreamStatus(
            "no", status=401, headers={"x": CANARY}, body=CANARY.encode()
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", objects())
def test_no_repr_shows_a_key(name: str) -> None:
    """Nor str, nor pprint of what hangs below."""
    thing = objects()[name]
    clean(repr(thing), str(thing), pprint.pformat(thing), f"{thing!r:.5000}")
    if isinstance(thing, Plano):
        clean(*(repr(provider) for provider in thing.providers.values()))
        clean(*(str(vars(provider)) for provider in thing.providers.values()))


async def test_the_exchange_and_the_call_show_no_credentials() -> None:
    """They are what middlewares and finalizers log."""
    seen: list[Exchange] = []

    async def finalizer(exchange: Exchange) -> None:
        seen.append(exchange)

    await asked(gateway(answer({"id": "x", "choices": []}), finalizers=[finalizer]))
    clean(repr(seen[0]))


async def test_the_scope_of_the_host_holds_the_exchange_only() -> None:
    """Nothing of ours is left in the scope but the one object."""
    scopes: list[Any] = []
    app = gateway(answer({"id": "x", "choices": []}))

    async def host(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    await drive(host, PATHS[CHAT], question(CHAT, "openai/m"))
    assert scopes[0].keys() - {SCOPE_KEY} == {
        "type", "method", "path", "root_path", "query_string", "headers",
    }  # fmt: skip


BAD_MODELS: dict[str, dict[str, Any]] = {
    "line-end": {"model": "openai/m", "api_key": f"{CANARY}\nx"},
    "emoji": {"model": "openai/m", "api_key": f"{CANARY}🎉"},
    "provider": {"model": "nobody/m", "api_key": CANARY},
    "no-url": {"model": "azure_openai/m", "api_key": CANARY},
    "url-user": {"model": "openai/m", "base_url": f"https://u:{CANARY}@x/v1"},
    "url-query": {"model": "openai/m", "base_url": f"https://x/v1?key={CANARY}"},
    "url-port": {"model": "openai/m", "base_url": f"https://x:{CANARY}/v1"},
    "url-scheme": {"model": "openai/m", "base_url": f"{CANARY}://x/v1"},
    "header-value": {"model": "openai/m", "headers": {"x": f"{CANARY}\r\n"}},
    "host": {"model": "openai/m", "api_key": CANARY, "http_host": "a b"},
    "region": {"model": "amazon_bedrock/m", "api_key": CANARY, "region": "x"},
    "no-slash": {"model": "openai", "api_key": CANARY},
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_an_error_in_python_names_no_key(name: str) -> None:
    """Nor do the errors below it."""
    with pytest.raises(ConfigurationError) as caught:
        Plano([Model(**BAD_MODELS[name])], environ={"OPENAI_API_KEY": CANARY})
    exc: BaseException | None = caught.value
    while exc is not None:
        clean(str(exc), repr(exc))
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)


def test_a_short_api_key_is_refused_without_being_told() -> None:
    """The name is."""
    with pytest.raises(ConfigurationError) as caught:
        ApiKeys({"alice": "sk-7chr"})
    assert "sk-7chr" not in str(caught.value)


BAD_ENTRIES: dict[str, dict[str, Any]] = {
    "key-as-number": {"access_key": {"value": CANARY}},
    "key-as-list": {"access_key": [CANARY]},
    "unknown-key": {"access_kee": CANARY},
    "url-user": {"base_url": f"https://u:{CANARY}@x/v1"},
    "headers-list": {"headers": [CANARY]},
    "header-value": {"headers": {"authorization": [CANARY]}},
    "timeouts": {"access_key": CANARY, "timeouts": {"read_s": -1}},
    "default": {"access_key": CANARY, "default": "perhaps"},
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_an_error_in_a_file_names_no_key(name: str) -> None:
    """Every problem at once, and no canary in any of them."""
    entry = {"model": "openai/m", **BAD_ENTRIES[name]}
    with pytest.raises(PlanoError) as caught:
        load_config({"version": "v0.4.0", "listeners": [], "model_providers": [entry]}, environ={})
    clean(str(caught.value), repr(caught.value))


@pytest.mark.parametrize("form", ["?key={}", "#{}"])
def test_an_error_in_a_file_names_no_key_of_a_url(form: str) -> None:
    """Users paste whole URLs; law 8 counts them."""
    entry = {"model": "openai/m", "base_url": "https://x/v1" + form.format(CANARY)}
    with pytest.raises(PlanoError) as caught:
        load_config({"version": "v0.4.0", "listeners": [], "model_providers": [entry]}, environ={})
    clean(str(caught.value))


def test_an_undefined_variable_is_named_and_the_others_are_not_shown() -> None:
    """What stands in the environment is no part of a message."""
    entry = {"model": "openai/m", "access_key": "$NOT_THERE", "base_url": "$MY_KEY"}
    document = {"version": "v0.4.0", "listeners": [], "model_providers": [entry]}
    with pytest.raises(PlanoError) as caught:
        load_config(document, environ={"MY_KEY": CANARY})
    assert "NOT_THERE" in str(caught.value)
    clean(str(caught.value))


async def test_failures_of_the_transport_say_nothing(logged: list[Any]) -> None:
    """URL, headers and causes stay inside."""
    failure = UpstreamUnreachable("no connection")
    failure.__cause__ = OSError(f"could not reach https://x/?key={CANARY}")
    for client in CLIENTS:
        found = await asked(gateway(failure), client)
        assert found.status == 502
        clean(found.body.decode(), logged)


async def test_start_up_logs_name_no_key(logged: list[Any]) -> None:
    """Warnings of the configuration included."""
    config = load_config(
        {"version": "v0.4.0", "listeners": [], "tracing": {"random_sampling": 100},
         "model_providers": [{"model": "openai/m", "access_key": CANARY, "default": True}]}
    )  # fmt: skip
    app = Plano.from_config(config)
    async with app.lifespan():
        clean(logged, app.missing())


async def test_health_and_lists_name_no_key() -> None:
    """``/models`` in both shapes."""
    app = Plano([Model("openai/m", api_key=CANARY), Model("mistral/*", api_key=CANARY)], environ={})
    for headers in ({}, {"anthropic-version": "2023-06-01"}):
        for path in ("/v1/models", "/v1/models/openai/m", "/"):
            found = await drive(app, path, method="GET", headers=headers)
            clean(found.body.decode(), found.headers)


def test_a_request_repr_shows_its_url_only() -> None:
    """Headers and content are secrets until shown otherwise."""
    request = HTTPRequest(
        method="POST", url="http://x/", headers={"a": CANARY}, content=CANARY.encode()
    )
    clean(repr(request))
