"""The routing model of a file: its name, its prompt, and what happens without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import ConfigError, Plano
from plano_asgi.providers.transports import TransportPool

HEAD = """
version: v0.4.0
model_providers:
  - {model: openai/gpt-4o, access_key: sk-upstream, default: true}
  - {model: mistral/small, access_key: sk-upstream}
  - {model: house/Arch-Router-1.5B, base_url: "http://r.test/v1",
     provider_interface: openai_compatible, access_key: sk-upstream}
  - {model: xai/twin, access_key: sk-upstream}
  - {model: groq/twin, access_key: sk-upstream}
model_aliases: {chooser: {target: mistral/small}}
routing_preferences:
  - name: code
    description: writing or reviewing program code
    models: [mistral/small]
    examples: [Write a quicksort in Rust]
"""
HI: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "Write a quicksort in Rust."}],
}


def _chat(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": choices}


def _plano(tmp_path: Path, text: str, *outcomes: Any) -> tuple[Plano, MemoryTransport]:
    path = tmp_path / "plano_config.yaml"
    path.write_text(HEAD + text, "utf-8")
    transport = MemoryTransport(*(outcomes or (answer(_chat('{"route": ["code"]}')),)))
    return Plano.from_yaml(path, environ={}, transports=TransportPool(lambda: transport)), transport


async def _asked(plano: Plano, transport: MemoryTransport) -> list[dict[str, Any]]:
    """What the upstream gets when a decision is made."""
    before = len(transport.requests)
    await drive(plano, "/routing/v1/chat/completions", HI)
    await plano.aclose()
    return [transport.body(n) for n in range(before, len(transport.requests))]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("mistral/small", "small"),
        ("small", "small"),
        ("chooser", "small"),
        ("house/Arch-Router-1.5B", "Arch-Router-1.5B"),
        ("Arch-Router-1.5B", "Arch-Router-1.5B"),
        ("plano/Arch-Router-1.5B", "Arch-Router-1.5B"),  # as Plano: by what follows the slash
    ],
)
async def test_a_configured_model_is_asked(tmp_path: Path, name: str, asked: str) -> None:
    """By any name that it goes by."""
    plano, transport = _plano(tmp_path, f"overrides: {{llm_routing_model: {name}}}\n")
    assert [body["model"] for body in await _asked(plano, transport)] == [asked]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("arch-rooter", "is no configured model; configured: openai/gpt-4o, mistral/small, "),
        ("mistral/smal", "did you mean 'mistral/small'"),
        ("twin", "xai/twin"),
    ],
)
def test_an_unknown_model_is_refused(tmp_path: Path, name: str, told: str) -> None:
    """The default entry would be asked, and paid, for every turn."""
    with pytest.raises(ConfigError, match=r"overrides\.llm_routing_model") as caught:
        _plano(tmp_path, f"overrides: {{llm_routing_model: {name}}}\n")
    assert told in str(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name",
    ["Plano-Orchestrator", "plano/Plano-Orchestrator", "Arch-Router", "katanemo/arch-router"],
)
async def test_planos_own_router_is_not_asked_unasked(tmp_path: Path, name: str) -> None:
    """An unmodified file loads, with a warning, and the gateway chooses by itself."""
    with capture_logs() as logs:
        plano, transport = _plano(tmp_path, f"overrides: {{llm_routing_model: {name}}}\n")
    (line,) = (log for log in logs if log["event"] == "configuration")
    assert f"the {name} that it hosts" in line["detail"]
    told = await drive(plano, "/routing/v1/chat/completions", HI)
    assert told.json()["route"] == "code"
    assert transport.requests == []
    await plano.aclose()


@pytest.mark.anyio
async def test_prompt_and_answer_are_set_in_a_file(tmp_path: Path) -> None:
    """As in Python; ``none`` sends no temperature."""
    text = (
        "overrides:\n  llm_routing_model: mistral/small\n"
        "  llm_routing_prompt: 'Choose: {routes} for {conversation}'\n"
        "  llm_routing_max_answer_tokens: 900\n  llm_routing_temperature: none\n"
    )
    plano, transport = _plano(tmp_path, text)
    (body,) = await _asked(plano, transport)
    assert body["messages"][0]["content"].startswith("Choose: {")
    assert 900 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert "temperature" not in body


def test_a_prompt_without_slots_is_refused(tmp_path: Path) -> None:
    """With its place in the file."""
    with pytest.raises(ConfigError, match=r"overrides\.llm_routing_prompt: .*each of them once"):
        _plano(tmp_path, "overrides: {llm_routing_model: small, llm_routing_prompt: hello}\n")


@pytest.mark.anyio
async def test_times_of_routing_are_set_in_a_file(tmp_path: Path) -> None:
    """A router that takes longer than it may costs its route, and nothing else."""
    text = (
        "overrides: {llm_routing_model: mistral/small}\n"
        "routing: {timeout_s: 0.000001, decision_ttl_s: 9}\n"
    )
    plano, _ = _plano(tmp_path, text)
    with capture_logs() as logs:
        told = await drive(plano, "/routing/v1/chat/completions", HI)
    assert told.json()["route"] is None
    assert [log["reason"] for log in logs if log["event"] == "routing_failed_open"] == ["timeout"]
    await plano.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(("threshold", "route"), [(0.1, "code"), (1.0, None)])
async def test_the_threshold_is_set_in_a_file(
    tmp_path: Path, threshold: float, route: str | None
) -> None:
    """What the best route must reach."""
    plano, _ = _plano(tmp_path, f"routing: {{threshold: {threshold}}}\n")
    body = HI | {"messages": [{"role": "user", "content": "quicksort it in Rust for me please"}]}
    assert (await drive(plano, "/routing/v1/chat/completions", body)).json()["route"] == route
    await plano.aclose()
