"""Guards for some models or paths only: no other spelling of either is a way around them."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer, events
from plano_asgi.config import Model
from plano_asgi.guards import Words
from plano_asgi.routing.names import Alias, Target

MODELS = (
    Model("openai/gpt-4o", api_key="k", default=True),
    Model("mistral/*", api_key="k"),
)
ALIASES: dict[str, str | Alias] = {
    "deep": "outer",
    "outer": Alias(targets=(Target(model="mistral/large"),), fallbacks=("openai/gpt-4o",)),
}


def _body(model: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "a forbidden word"}]}
    return body if model is None else {"model": model, **body}


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["openai/gpt-4o", "gpt-4o", "outer", "deep", "unknown", None])
async def test_a_model_is_guarded_by_whatever_name(model: str | None) -> None:
    """Full, bare, through aliases and their fallbacks, as the default."""
    guard = Words(deny=["forbidden"], models=["openai/*"])
    app, transport = gateway(answer({}), models=MODELS, aliases=ALIASES, guards=[guard])
    assert (await drive(app, "/v1/chat/completions", _body(model))).status == 400
    assert transport.requests == []
    await app.aclose()


@pytest.mark.anyio
async def test_other_models_are_left_alone() -> None:
    """The filter is one."""
    guard = Words(deny=["forbidden"], models=["openai/*"])
    app, transport = gateway(answer({}), models=MODELS, aliases=ALIASES, guards=[guard])
    await drive(app, "/v1/chat/completions", _body("mistral/small"))
    assert len(transport.requests) == 1
    await app.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions/"]
)
@pytest.mark.parametrize("pattern", ["/v1/chat/completions", "/chat/*"])
async def test_a_path_is_guarded_however_it_is_spelled(path: str, pattern: str) -> None:
    """As the gateway serves it."""
    guard = Words(deny=["forbidden"], paths=[pattern])
    app, transport = gateway(answer({}), guards=[guard])
    assert (await drive(app, path, _body("openai/gpt-4o"))).status == 400
    assert transport.requests == []
    await app.aclose()


@pytest.mark.anyio
async def test_the_finish_of_a_completion_does_not_overtake_its_text() -> None:
    """The legacy API says it in its choice."""

    def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
        return {"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": finish}]}

    guard = Words(deny=["forbidden"], mode="redact", sides=frozenset(("answer",)))
    stream = events(chunk("a forb"), chunk("", "stop"), "[DONE]")
    app, _ = gateway(stream, guards=[guard])
    found = await drive(
        app, "/v1/completions", {"model": "openai/gpt-4o", "prompt": "x", "stream": True}
    )
    choices = [data["choices"][0] for data in found.data() if isinstance(data, dict)]
    assert "".join(choice["text"] for choice in choices) == "a forb"
    assert choices[-1]["finish_reason"] == "stop"
    assert not any(choice["finish_reason"] for choice in choices[:-1])
    await app.aclose()
