"""Amazon Bedrock: paths, bodies and credentials of Converse."""

from __future__ import annotations

import pytest

from plano_asgi._json import loads
from plano_asgi.errors import ConfigurationError, NotFound
from plano_asgi.providers import Bedrock, make_provider
from plano_asgi.providers.base import UpstreamCall
from plano_asgi.providers.quirks import CONVERSE

ROOT = "https://bedrock-runtime.eu-central-1.amazonaws.com"
NOVA = "amazon.nova-pro-v1:0"
ARN = "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.anthropic.claude-sonnet-4-6"


def converse(model: str, *, stream: bool = False) -> UpstreamCall:
    """A Converse call."""
    body = {"model": model, "messages": [], "inferenceConfig": {"temperature": 1, "maxTokens": 2}}
    return UpstreamCall(
        path="/chat/completions", dialect=CONVERSE, model=model, stream=stream, body=body
    )


@pytest.mark.parametrize(
    ("model", "encoded"),
    [
        (NOVA, "amazon.nova-pro-v1%3A0"),
        (
            ARN,
            "arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2F"
            "eu.anthropic.claude-sonnet-4-6",
        ),
    ],
)
def test_model_is_in_the_path_and_not_in_the_body(model: str, encoded: str) -> None:
    """Ids are URL-encoded; a stream has a path and a media type of its own."""
    provider = Bedrock(region="eu-central-1", api_key="k")
    whole = provider.request(converse(model))
    stream = provider.request(converse(model, stream=True))
    assert whole.url == f"{ROOT}/model/{encoded}/converse"
    assert stream.url == f"{ROOT}/model/{encoded}/converse-stream"
    assert stream.headers["accept"] == "application/vnd.amazon.eventstream"
    assert stream.headers["authorization"] == "Bearer k"
    for request in (whole, stream):
        assert loads(request.content) == {
            "messages": [],
            "inferenceConfig": {"temperature": 1, "maxTokens": 2},
        }


@pytest.mark.parametrize("model", ["anthropic.claude-opus-4-7", "eu.anthropic.claude-opus-4-8-v1"])
def test_sampling_goes_where_the_model_has_none(model: str) -> None:
    """Opus 4.7 and later refuse temperature."""
    request = Bedrock(region="eu-central-1", api_key="k").request(converse(model))
    assert loads(request.content)["inferenceConfig"] == {"maxTokens": 2}


def test_root_is_made_of_the_region_or_given() -> None:
    """One of the two is needed; a path in the root stays."""
    given = make_provider("bedrock", base_url="https://vpce.example/custom/path", api_key="k")
    url = given.request(converse("m")).url
    assert url == "https://vpce.example/custom/path/model/m/converse"
    assert Bedrock(region="cn-north-1").base_url.endswith(".cn-north-1.amazonaws.com.cn")
    with pytest.raises(ConfigurationError, match="region or a base_url"):
        Bedrock()
    with pytest.raises(ConfigurationError, match="is not one"):
        Bedrock(region="evil.example/")


def test_other_apis_are_not_found() -> None:
    """Bedrock relays nothing."""
    call = UpstreamCall(path="/embeddings", dialect="", model="m")
    with pytest.raises(NotFound, match="does not serve"):
        Bedrock(region="eu-central-1", api_key="k").request(call)
