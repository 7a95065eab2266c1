"""Guards out of a file, with the official SDKs over a socket: every API, whole and streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from plano_asgi.config import Plano
from serving import serving

CONFIG = """
version: v0.4.0
model_providers: [{model: plano/echo, default: true}]
guards:
  use:
    - {type: pii, mode: mask, kinds: [email]}
    - {type: words, deny: [forbidden], sides: [request]}
    - {type: words, deny: [unspeakable], mode: redact, sides: [answer]}
"""
IN_TROUBLE = """
version: v0.4.0
model_providers: [{model: plano/echo, default: true}]
guards:
  use:
    - {type: judge, model: plano/echo, policy: "No politics.", timeout: TIMEOUT}
"""
Ask = Callable[[str, str], str]


def _chat(url: str, text: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": text}]
        found = client.chat.completions.create(model="plano/echo", messages=messages)
        return found.choices[0].message.content or ""


def _chat_stream(url: str, text: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": text}]
        found = client.chat.completions.create(model="plano/echo", messages=messages, stream=True)
        return "".join(c.choices[0].delta.content or "" for c in found if c.choices)


def _messages(url: str, text: str) -> str:
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
        found = client.messages.create(
            model="plano/echo", max_tokens=100, messages=[{"role": "user", "content": text}]
        )
        return "".join(block.text for block in found.content if block.type == "text")


def _messages_stream(url: str, text: str) -> str:
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
        asked: Any = [{"role": "user", "content": text}]
        with client.messages.stream(model="plano/echo", max_tokens=100, messages=asked) as found:
            return found.get_final_text()


def _responses(url: str, text: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        return client.responses.create(model="plano/echo", input=text).output_text


def _responses_stream(url: str, text: str) -> str:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
        client.responses.stream(model="plano/echo", input=text) as found,
    ):
        return found.get_final_response().output_text


WAYS: Mapping[str, Ask] = {
    "chat": _chat,
    "chat-stream": _chat_stream,
    "messages": _messages,
    "messages-stream": _messages_stream,
    "responses": _responses,
    "responses-stream": _responses_stream,
}


@pytest.fixture(scope="module", name="urls")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """A gateway for each file."""
    texts = {
        "guarded": CONFIG,
        "error": IN_TROUBLE.replace("TIMEOUT", "5s"),
        "timeout": IN_TROUBLE.replace("TIMEOUT", "1ms"),
    }
    folder: Path = tmp_path_factory.mktemp("yaml")
    urls: dict[str, str] = {}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    with (
        serving(Plano.from_yaml(folder / "guarded.yaml", environ={})) as urls["guarded"],
        serving(Plano.from_yaml(folder / "error.yaml", environ={})) as urls["error"],
        serving(Plano.from_yaml(folder / "timeout.yaml", environ={})) as urls["timeout"],
    ):
        yield urls


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_is_put_on_and_taken_off(urls: Mapping[str, str], way: str) -> None:
    """The echo said the placeholder; the client reads the value."""
    assert WAYS[way](urls["guarded"], "I am ada@example.org").endswith("I am ada@example.org")


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_redacted(urls: Mapping[str, str], way: str) -> None:
    """Only on its way out."""
    assert WAYS[way](urls["guarded"], "an unspeakable word").endswith("an [removed] word")


@pytest.mark.parametrize("way", WAYS)
def test_a_request_is_blocked(urls: Mapping[str, str], way: str) -> None:
    """400, as the SDK knows it."""
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as told:
        WAYS[way](urls["guarded"], "a forbidden word")
    refused: Any = told.value
    assert refused.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("trouble", ["error", "timeout"])
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_judged_does_not_pass(
    urls: Mapping[str, str], way: str, trouble: str
) -> None:
    """The judge answers no verdict, or too late: 503."""
    with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)) as told:
        WAYS[way](urls[trouble], "anything at all, please, with some words")
    refused: Any = told.value
    assert refused.status_code == 503
