"""Several upstreams of one model, out of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import MemoryTransport, answer
from plano_asgi.config import Plano
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange, Route
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.transports import TransportPool

HEAD = """
version: v0.4.0
model_providers:
  - {model: one/llama, base_url: "http://one.test/v1", provider_interface: openai_compatible,
     access_key: k}
  - {model: two/llama, base_url: "http://two.test/v1", provider_interface: openai_compatible,
     access_key: k}
  - {model: three/other, base_url: "http://three.test/v1", provider_interface: openai_compatible,
     access_key: k, default: true}
model_aliases:
  llama-3: {target: one/llama}
"""
CHAT: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "model": "llama",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
}


class Upstreams(MemoryTransport):
    """Three upstreams, told apart by their hosts; *down* answer 503."""

    def __init__(self, *down: str) -> None:
        super().__init__(answer(CHAT))
        self.down = down

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Answer as the host does."""
        is_down = _host(request) in self.down
        self.outcomes = [answer({}, status=503) if is_down else answer(CHAT)]
        return await super().open(request, timeouts)

    @property
    def asked(self) -> list[str]:
        """Who was asked, in order."""
        return [_host(request) for request in self.requests]


def _host(request: HTTPRequest) -> str:
    return request.url.split("/")[2].removesuffix(".test")


def balance(replicas: str, policy: str = "prefix_affinity", more: str = "") -> str:
    """A file with one group."""
    group = f"[{{policy: {policy}, replicas: [{replicas}]}}]"
    return f"{HEAD}routing:\n  balance: {group}\n{more}"


BOTH = "{model: one/llama}, {model: two/llama}"


def plano(tmp_path: Path, text: str, upstreams: Upstreams, **options: Any) -> Plano:
    """A gateway over *upstreams*."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(text, "utf-8")
    pool = TransportPool(lambda: upstreams)
    return Plano.from_yaml(path, environ={}, transports=pool, **options)


async def ask(app: Plano, model: str, text: str, **headers: str) -> int:
    """The status of one chat."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await drive(app, "/v1/chat/completions", body, headers=headers)).status


@pytest.mark.anyio
async def test_what_begins_alike_goes_to_one_replica(tmp_path: Path) -> None:
    """Whichever of them, or an alias for one, the client names; other beginnings spread."""
    upstreams = Upstreams()
    app = plano(tmp_path, balance(BOTH), upstreams)
    for model in ("one/llama", "two/llama", "llama-3"):
        assert await ask(app, model, "the same") == 200
    assert len(set(upstreams.asked)) == 1
    for n in range(20):
        await ask(app, "one/llama", f"conversation {n}")
    assert set(upstreams.asked) == {"one", "two"}
    await app.aclose()


@pytest.mark.anyio
async def test_the_other_replica_takes_over(tmp_path: Path) -> None:
    """All replicas are failover; one of weight 0 is nothing else."""
    upstreams = Upstreams("one")
    text = balance("{model: one/llama}, {model: two/llama, weight: 0}", "weighted")
    app = plano(tmp_path, text, upstreams)
    assert await ask(app, "two/llama", "hi") == 200
    assert (upstreams.asked[0], upstreams.asked[-1]) == ("one", "two")
    await app.aclose()


@pytest.mark.anyio
async def test_a_session_stays_with_its_replica(tmp_path: Path) -> None:
    """Also where each request by itself would be drawn anew."""
    upstreams = Upstreams()
    app = plano(tmp_path, balance(BOTH, "weighted"), upstreams)
    for n in range(12):
        await ask(app, "one/llama", f"turn {n}", x_model_affinity="s")
    assert len(set(upstreams.asked)) == 1
    await app.aclose()


@pytest.mark.anyio
async def test_models_of_no_group_are_left_to_others(tmp_path: Path) -> None:
    """Another rule may have a say, as without balancing."""
    seen: list[str | None] = []

    async def note(exchange: Exchange) -> Route | None:
        seen.append(exchange.model)
        return None

    upstreams = Upstreams()
    app = plano(tmp_path, balance(BOTH), upstreams, rules=[note])
    assert await ask(app, "three/other", "hi") == 200
    assert await ask(app, "one/llama", "hi") == 200
    assert (seen, upstreams.asked[0]) == (["three/other"], "three")
    await app.aclose()


@pytest.mark.anyio
async def test_preferences_are_balanced(tmp_path: Path) -> None:
    """A route names one replica; any of the group serves it."""
    code = "{name: code, description: program code, models: [one/llama], examples: [fix my code]}"
    more = f"routing_preferences: [{code}]\n"
    text = balance("{model: one/llama, weight: 0}, {model: two/llama}", "least_busy", more)
    upstreams = Upstreams()
    app = plano(tmp_path, text, upstreams)
    assert await ask(app, "three/other", "Fix my code!") == 200
    assert upstreams.asked == ["two"]
    await app.aclose()


@pytest.mark.parametrize(
    ("replicas", "message"),
    [
        ("{model: one/llama}", "two replicas at least"),
        ("{model: one/llama, weight: 0}, {model: two/llama, weight: 0}", "weight above 0"),
        ("{model: one/llama}, {model: llama-3}", "replicas.1.model: is no configured model"),
        ("{model: one/llama}, {model: six/llama}", "replicas.1.model: is no configured model"),
        ("{model: one/llama}, {model: one/llama}", "names one upstream twice"),
    ],
    ids=["one", "no-weight", "alias", "unknown", "twice"],
)
def test_groups_that_cannot_be_are_refused(tmp_path: Path, replicas: str, message: str) -> None:
    """With the place in the file, where there is one."""
    with pytest.raises(ConfigurationError, match=message):
        plano(tmp_path, balance(replicas), Upstreams())
