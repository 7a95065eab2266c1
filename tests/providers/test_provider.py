"""One provider: its URLs, headers, credentials and bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import ConfigurationError, NotFound, RequestError, Unauthorized
from plano_asgi.providers import Echo, Provider, find_profile, make_provider
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.quirks import CHAT, MESSAGES, RESPONSES, Pin

CHAT_PATH = "/chat/completions"


def call(
    path: str = CHAT_PATH,
    *,
    dialect: str = CHAT,
    model: str = "m",
    client: Mapping[str, str] | None = None,
    stream: bool = False,
    **body: Any,
) -> UpstreamCall:
    """A chat call with *body*'s fields."""
    return UpstreamCall(
        path=path,
        dialect=dialect,
        model=model,
        stream=stream,
        body=body,
        client_headers=client or {},
    )


def sent(provider: Provider, asked: UpstreamCall) -> JSONObject:
    """The JSON that goes out."""
    decoded: JSONObject = loads(provider.request(asked).content)
    return decoded


# --------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    ("name", "base_url", "url"),
    [
        ("openai", "https://h", "https://h/v1/chat/completions"),
        ("openai", "https://h/", "https://h/v1/chat/completions"),
        ("openai", "http://h:8080", "http://h:8080/v1/chat/completions"),
        ("openai", "http://[::1]:80/x/", "http://[::1]:80/x/chat/completions"),
        ("openai", "https://h/custom/api/v2", "https://h/custom/api/v2/chat/completions"),
        ("zhipu", "https://h/api/coding/paas/v4/", "https://h/api/coding/paas/v4/chat/completions"),
        ("zhipu", "https://h/", "https://h/api/paas/v4/chat/completions"),
        ("groq", "https://h", "https://h/openai/v1/chat/completions"),
        ("groq", "https://h/openai/v1", "https://h/openai/v1/chat/completions"),
        ("groq", "https://h/openai", "https://h/openai/v1/chat/completions"),
        ("groq", "https://h/api/v2", "https://h/api/v2/chat/completions"),
        ("gemini", "https://h/v1beta", "https://h/v1beta/openai/chat/completions"),
        ("gemini", "https://h", "https://h/v1beta/openai/chat/completions"),
        ("gemini", "https://h/v1beta/openai/", "https://h/v1beta/openai/chat/completions"),
        ("qwen", "https://h", "https://h/compatible-mode/v1/chat/completions"),
        ("moonshotai", "https://h/coding/v1", "https://h/coding/v1/chat/completions"),
        ("moonshotai", "https://h/coding", "https://h/coding/v1/chat/completions"),
        ("perplexity", "https://h", "https://h/chat/completions"),
        ("openrouter", "https://h", "https://h/api/v1/chat/completions"),
        ("vercel", "https://h/v1", "https://h/v1/chat/completions"),
    ],
)
def test_base_url_becomes_the_api_root(name: str, base_url: str, url: str) -> None:
    """A bare host gets the row's prefix, a path replaces it, and nothing is doubled."""
    assert Provider(name, base_url=base_url).request(call()).url == url


def test_messages_path_below_a_custom_root() -> None:
    """The dialect's own path comes after the root."""
    provider = Provider("anthropic", base_url="https://h/api/v2")
    assert provider.request(call(dialect=MESSAGES)).url == "https://h/api/v2/messages"


@pytest.mark.parametrize(
    "base_url",
    [
        "h",
        "ftp://h",
        "https://",
        "https://u:p@h",
        "https://h?x=1",
        "https://h#x",
        "https://h:99999",
        "https://h/a b",
        "https://h/\r\nx",
    ],
)
def test_bad_base_url_is_refused(base_url: str) -> None:
    """What is not an http URL of host and path fails at construction."""
    with pytest.raises(ConfigurationError, match="base_url"):
        Provider("openai", base_url=base_url)


def test_mandatory_base_url_is_asked_for() -> None:
    """A row without an address of its own needs one."""
    with pytest.raises(ConfigurationError, match="needs a base_url"):
        Provider("openai_compatible")


def test_relayed_path_is_encoded_below_the_root() -> None:
    """Other APIs are reached by their path; the model goes into the body."""
    provider = Provider("openai", api_key="k")
    request = provider.request(call("/embeddings", dialect="", input="x", stream_options={}))
    assert request.url == "https://api.openai.com/v1/embeddings"
    assert loads(request.content) == {"input": "x", "stream_options": {}, "model": "m"}
    odd = provider.request(call("/files/a b?c%2F", dialect="", model=""))
    assert odd.url == "https://api.openai.com/v1/files/a%20b%3Fc%252F"


@pytest.mark.parametrize("path", ["files", "/../x", "/files/../../x"])
def test_path_that_leaves_the_root_is_refused(path: str) -> None:
    """A client's path reaches nothing beside the API."""
    with pytest.raises(RequestError, match="is not a path"):
        Provider("openai", api_key="k").request(call(path, dialect=""))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("groq", "/messages/count_tokens"),
        ("groq", "/responses/compact"),
        ("anthropic", "/responses/compact"),
    ],
)
def test_path_of_an_api_not_spoken_is_not_found(name: str, path: str) -> None:
    """A relay of another family's API says so before it asks anybody."""
    with pytest.raises(NotFound, match="does not serve"):
        Provider(name, api_key="k").request(call(path, dialect=""))


def test_count_tokens_is_relayed_where_messages_are_native() -> None:
    """Anthropic's own further paths pass."""
    request = Provider("anthropic", api_key="k").request(call("/messages/count_tokens", dialect=""))
    assert request.url == "https://api.anthropic.com/v1/messages/count_tokens"


def test_odd_and_endless_model_ids_are_survived() -> None:
    """Half an emoji goes out as its replacement; an id without end is refused."""
    bedrock = make_provider("bedrock", region="us-east-1", api_key="k")
    odd = bedrock.request(call(dialect="bedrock.converse", model="\ud83d"))
    assert odd.url.endswith("/model/%3F/converse")
    with pytest.raises(RequestError, match="over 2048 characters"):
        bedrock.request(call(dialect="bedrock.converse", model="m" * 2049))


# --------------------------------------------------------------------------- headers


def test_headers_of_a_plain_request() -> None:
    """Everything that goes out, and nothing of the client's."""
    client = {
        "authorization": "Bearer theirs",
        "x-api-key": "theirs",
        "cookie": "c",
        "x-plano-model": "x",
        "openai-beta": "assistants=v2",
        "openai-organization": "theirs",
    }
    headers = Provider("openai", api_key=SecretStr(" k\n")).request(call(client=client)).headers
    agent = headers.pop("user-agent")
    assert agent.startswith("plano-asgi/")
    assert headers == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "authorization": "Bearer k",
        "openai-beta": "assistants=v2",
    }


def test_stream_accepts_events() -> None:
    """A stream is asked for by its media type."""
    headers = Provider("openai", api_key="k").request(call(stream=True)).headers
    assert headers["accept"] == "text/event-stream"


def test_anthropic_headers_are_the_clients_or_the_rows() -> None:
    """The version has a default that the client may move; beta flags are forwarded."""
    provider = Provider("anthropic", api_key="k")
    assert provider.request(call(dialect=MESSAGES)).headers["anthropic-version"] == "2023-06-01"
    client = {"anthropic-version": "2030-01-01", "anthropic-beta": "x", "openai-beta": "y"}
    headers = provider.request(call(dialect=MESSAGES, client=client)).headers
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2030-01-01", "x")
    assert "openai-beta" not in headers


def test_configured_headers_win_over_everything() -> None:
    """They are applied last, credentials and forwarded headers included."""
    provider = Provider(
        "anthropic",
        headers={"X-Api-Key": "other", "Anthropic-Beta": "mine", "User-Agent": "me"},
    )
    headers = provider.request(call(dialect=MESSAGES, client={"anthropic-beta": "x"})).headers
    assert headers["x-api-key"] == "other"
    assert headers["anthropic-beta"] == "mine"
    assert headers["user-agent"] == "me"


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nb: c"},
        {"x": "a\nb"},
        {"x": "a\0"},
        {"x y": "a"},
        {"": "a"},
        {"Host": "h"},
        {"content-length": "1"},
        {"transfer-encoding": "chunked"},
        {"x": "日本"},
    ],
)
def test_header_that_breaks_a_request_is_refused(headers: dict[str, str]) -> None:
    """No line breaks, no framing, no odd names."""
    with pytest.raises(ConfigurationError, match="headers of provider"):
        Provider("openai", headers=headers)


def test_host_header_can_differ() -> None:
    """``host`` is sent as ``Host``; nonsense is refused."""
    provider = Provider("openai", api_key="k", base_url="http://10.0.0.1", host="api.openai.com")
    request = provider.request(call())
    assert request.headers["host"] == "api.openai.com"
    assert request.url.startswith("http://10.0.0.1/")
    with pytest.raises(ConfigurationError, match="host name"):
        Provider("openai", host="a\r\nb")


def test_kimi_code_host_gets_its_agent() -> None:
    """A host's own headers come with its URL, and can be overridden."""
    url = "https://api.kimi.com/coding"
    request = Provider("moonshotai", base_url=url, api_key="k").request(call())
    assert request.headers["user-agent"] == "KimiCLI/1.3"
    assert request.url == "https://api.kimi.com/coding/v1/chat/completions"
    mine = Provider("moonshotai", base_url=url, headers={"user-agent": "me"})
    assert mine.request(call()).headers["user-agent"] == "me"


# --------------------------------------------------------------------------- credentials


@pytest.mark.parametrize("key", [None, "", "  "])
def test_missing_key_names_provider_and_variable(key: str | None) -> None:
    """The error says what to set."""
    provider = Provider("openai", name="main", api_key=key)
    assert provider.missing == "Provider 'main' has no API key (usually $OPENAI_API_KEY)"
    with pytest.raises(ConfigurationError, match=r"'main' has no API key .*OPENAI_API_KEY"):
        provider.request(call())


def test_key_is_optional_where_the_row_or_a_foreign_root_says_so() -> None:
    """Local servers and other people's roots work without; a client's key never stands in."""
    client = {"authorization": "Bearer theirs", "x-api-key": "theirs"}
    for provider in (Provider("ollama"), Provider("openai", base_url="http://localhost:1")):
        headers = provider.request(call(client=client)).headers
        assert not {"authorization", "x-api-key"} & set(headers)


@pytest.mark.parametrize(
    "provider",
    [
        Provider("openai", api_key="k"),
        Provider("openai", passthrough_auth=True),
        Provider("openai", headers={"Authorization": "Bearer k"}),
        Provider("openai", base_url="http://localhost:1"),
        Provider("vllm"),
        Echo(),
    ],
)
def test_nothing_is_missing_where_requests_can_be_made(provider: UpstreamProvider) -> None:
    """A key, the client's, a configured header, or none needed."""
    assert provider.missing is None


@pytest.mark.parametrize("key", ["a\nb", "a\0b", "日本"])
def test_key_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    """The error does not carry the key."""
    with pytest.raises(ConfigurationError) as caught:
        Provider("openai", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("client", "token"),
    [
        ({"authorization": "Bearer t"}, "t"),
        ({"authorization": "bearer  t "}, "t"),
        ({"authorization": "t"}, "t"),
        ({"authorization": "t", "x-api-key": "u"}, "t"),
        ({"authorization": " ", "x-api-key": "u"}, "u"),
        ({"authorization": "Bearer ", "x-api-key": "u"}, "u"),
        ({"authorization": "Basic dTpw", "x-api-key": "u"}, "u"),
        ({"x-api-key": " u "}, "u"),
    ],
)
def test_passthrough_sends_the_clients_credentials(client: dict[str, str], token: str) -> None:
    """Authorization before x-api-key, blanks ignored, in the upstream's own header."""
    openai = Provider("openai", passthrough_auth=True, api_key="ours")
    headers = openai.request(call(client=client)).headers
    assert headers["authorization"] == f"Bearer {token}"
    assert "x-api-key" not in headers
    anthropic = Provider("anthropic", passthrough_auth=True)
    headers = anthropic.request(call(dialect=MESSAGES, client=client)).headers
    assert headers["x-api-key"] == token
    assert "authorization" not in headers


@pytest.mark.parametrize("client", [{}, {"authorization": " "}, {"authorization": "Basic x"}])
def test_passthrough_without_credentials_is_unauthorized(client: dict[str, str]) -> None:
    """Our own key never stands in."""
    with pytest.raises(Unauthorized):
        Provider("openai", passthrough_auth=True, api_key="ours").request(call(client=client))


def test_passthrough_forwards_what_belongs_to_the_credentials() -> None:
    """Who pays travels with the key, and only with it."""
    client = {"authorization": "Bearer t", "openai-project": "p"}
    headers = Provider("openai", passthrough_auth=True).request(call(client=client)).headers
    assert headers["openai-project"] == "p"


def test_oauth_tokens_go_as_bearer() -> None:
    """Anthropic refuses them as x-api-key."""
    headers = (
        Provider("anthropic", api_key="sk-ant-oat01-x").request(call(dialect=MESSAGES)).headers
    )
    assert headers["authorization"] == "Bearer sk-ant-oat01-x"
    assert "x-api-key" not in headers


# --------------------------------------------------------------------------- bodies


def test_the_clients_body_is_never_changed() -> None:
    """Quirks work on a copy, however deep they reach."""
    messages = [
        {"role": "developer", "content": "a", "name": "n"},
        {"role": "assistant", "tool_calls": [{"id": "call_long_one", "function": {}}]},
    ]
    body: JSONObject = {
        "messages": messages,
        "max_completion_tokens": 5,
        "stream_options": {"x": 1},
        "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
    }
    before = repr(body)
    for name in ("mistral", "moonshotai", "groq", "openai"):
        asked = UpstreamCall(path=CHAT_PATH, dialect=CHAT, model="o3", stream=True, body=body)
        assert Provider(name, api_key="k").request(asked).content
    assert repr(body) == before


def test_chat_streams_ask_for_usage() -> None:
    """Beside what the client asked; only on streams, only where the upstream knows it."""
    provider = Provider("openai", api_key="k")
    asked = call(stream=True, stream_options={"include_obfuscation": False})
    assert sent(provider, asked) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }
    assert sent(provider, call(stream_options={"include_usage": True})) == {"model": "m"}
    assert sent(Provider("mistral", api_key="k"), asked) == {"model": "m", "stream": True}
    responses = call(dialect=RESPONSES, stream=True)
    assert sent(provider, responses) == {"model": "m", "stream": True}


def test_stream_flag_follows_the_call() -> None:
    """What the engine decided counts, not what the body said."""
    asked = UpstreamCall(path=CHAT_PATH, dialect=CHAT, model="m", body={"stream": True})
    assert sent(Provider("openai", api_key="k"), asked) == {"model": "m"}


def test_stream_only_upstream_always_streams() -> None:
    """A whole answer is put together by whoever asked."""
    provider = Provider("chatgpt", api_key="k")
    asked = call(dialect=RESPONSES, input="hi")
    assert provider.streams(asked)
    assert sent(provider, asked)["stream"] is True
    assert provider.request(asked).headers["accept"] == "text/event-stream"
    assert not Provider("openai", api_key="k").streams(asked)


def test_ready_content_goes_out_as_it_is() -> None:
    """A multipart body keeps its bytes and its type."""
    asked = UpstreamCall(
        path="/audio/transcriptions",
        dialect="",
        model="whisper-1",
        content=b"--b",
        content_type="multipart/form-data; boundary=b",
    )
    request = Provider("openai", api_key="k").request(asked)
    assert request.content == b"--b"
    assert request.headers["content-type"] == "multipart/form-data; boundary=b"


def test_dialects_can_be_overridden_per_client() -> None:
    """A self-hosted server may speak less, or more."""
    provider = Provider("openai", dialects={RESPONSES: CHAT, MESSAGES: MESSAGES})
    assert [provider.dialect_for(d, "m") for d in (CHAT, RESPONSES, MESSAGES)] == [
        CHAT,
        CHAT,
        MESSAGES,
    ]
    with pytest.raises(ConfigurationError, match="allowed are"):
        Provider("openai", dialects={CHAT: "cohere.chat"})
    with pytest.raises(ConfigurationError, match="allowed are"):
        Provider("openai", dialects={"x": CHAT})


def test_drop_unsupported_leaves_out_what_the_row_knows_to_fail() -> None:
    """By default such a field is left to the upstream's own 400."""
    strict = Provider("gemini", api_key="k")
    lenient = Provider("gemini", api_key="k", drop_unsupported=True)
    assert sent(strict, call(seed=1)) == {"model": "m", "seed": 1}
    assert sent(lenient, call(seed=1)) == {"model": "m"}
    assert strict.write_options("m").on_unsupported == "error"
    assert lenient.write_options("m").on_unsupported == "drop"


def test_extra_quirks_come_after_the_rows() -> None:
    """A deployment's own rules have the last word."""
    provider = Provider("openai", api_key="k", extra_quirks=(Pin("service_tier", "flex"),))
    assert sent(provider, call(service_tier="auto"))["service_tier"] == "flex"


def test_identity_is_the_rows_or_the_callers() -> None:
    """Name and family default to the row."""
    plain = Provider("astraflow_cn")
    assert (plain.name, plain.family, plain.timeouts) == ("astraflow_cn", "astraflow", Timeouts())
    mine = Provider(find_profile("openai"), name="eu", family="x", timeouts=Timeouts(connect_s=1.0))
    assert (mine.name, mine.family, mine.timeouts.connect_s) == ("eu", "x", 1.0)
    assert mine.profile.name == "openai"
    assert repr(mine) == "Provider('openai', name='eu')"


def test_make_provider_refuses_arguments_of_others() -> None:
    """Only Azure has versions, only Bedrock has regions."""
    with pytest.raises(ConfigurationError, match="api_version"):
        make_provider("openai", api_version="v1")
    with pytest.raises(ConfigurationError, match="region"):
        make_provider("azure", base_url="https://h", region="us-east-1")
    assert type(make_provider("google", api_key="k")) is Provider


def test_open_hands_request_and_limits_to_the_transport() -> None:
    """The provider adds nothing to the wire."""

    class Recorder:
        seen: tuple[HTTPRequest, Timeouts]

        async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
            self.seen = request, timeouts
            raise EOFError

        async def aclose(self) -> None: ...

    provider = Provider("openai", api_key="k", timeouts=Timeouts(read_s=1.0))
    request, recorder = provider.request(call()), Recorder()
    with pytest.raises(EOFError):
        anyio.run(provider.open, request, recorder)
    assert recorder.seen == (request, Timeouts(read_s=1.0))
