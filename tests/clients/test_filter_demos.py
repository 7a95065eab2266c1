"""
Plano's filter demos: services written from its contract, started for real, run unmodified.

Each is tried on every API, streamed or not, wired in Python and by a ``plano_config.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.filter_services import http_services, mcp_services, turns_of
from hostile.stage import CLIENTS
from plano_asgi.config import Model, Plano
from plano_asgi.filters import Filter, FilterChain, HTTPFilter, MCPFilter
from sdk.guard_stage import model_of, script
from sdk.sdk_clients import ERRORS, Clients, Seen, sdk_clients
from serving import serving
from upstream import ScriptedUpstream, scripted_upstream

EMAIL = "ann.lee@example.org"

each_api = pytest.mark.parametrize("api", CLIENTS)
each_form = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
each_kind = pytest.mark.parametrize("kind", ["http", "mcp"])


@dataclass(frozen=True)
class Service:
    """A filter as a configuration names it."""

    id: str
    url: str
    type: str

    def built(self) -> Filter:
        """As an object."""
        make = HTTPFilter if self.type == "http" else MCPFilter
        return make(self.id, self.url)


@dataclass(eq=False)
class Demo:
    """The services, a model behind, and somebody who asks."""

    upstream: ScriptedUpstream
    services: Any
    http: str
    mcp: str
    clients: Clients
    wiring: str
    directory: Path

    def service(self, kind: str, name: str) -> Service:
        """One of the services; an MCP tool is told by its name only."""
        return Service(name, f"{self.http}/{name}" if kind == "http" else self.mcp, kind)

    def plano_with(self, *before: Service, after: Sequence[Service] = ()) -> Plano:
        """A gateway with filters before the model, and some after it."""
        if self.wiring == "yaml":
            return Plano.from_yaml(self._file(before, after), environ={})
        models = [
            Model(name, api_key="sk-a-test-key", base_url=self.upstream.base_url)
            for name in ("openai/m", "anthropic/m")
        ]
        chain = FilterChain(
            input_filters=[service.built() for service in before],
            output_filters=[service.built() for service in after],
        )
        return Plano(models, environ={}, filters=chain)

    def ask(self, url: str, api: str, question: str, *said: str, stream: bool) -> Seen:
        """One question; the model answers *said*."""
        if said:
            self.upstream.reply(script("inside", api, *said, stream=stream))
        return self.clients.ask(api, url, model_of("inside", api), question, stream=stream)

    def asked(self) -> str:
        """The last turn that reached the model."""
        return str(turns_of(self.upstream.requests[-1].json())[-1]["content"])

    def _file(self, before: Sequence[Service], after: Sequence[Service]) -> Path:
        base = self.upstream.base_url
        listener = {
            "type": "model",
            "name": "llms",
            "port": 12000,
            "input_filters": [service.id for service in before],
            "output_filters": [service.id for service in after],
        }
        config = {
            "version": "v0.4.0",
            "filters": [vars(service) for service in (*before, *after)],
            "listeners": [listener],
            "model_providers": [
                {"model": name, "access_key": "sk-a-test-key", "base_url": base}
                for name in ("openai/m", "anthropic/m")
            ],
        }
        path = self.directory / "plano_config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[ScriptedUpstream, Any, str, str, Clients]]:
    """The servers: the model, the HTTP services, the MCP services."""
    services = http_services()
    with (
        scripted_upstream() as upstream,
        serving(services) as http,
        serving(mcp_services, factory=True) as mcp,
        sdk_clients() as clients,
    ):
        yield upstream, services, http, mcp, clients


@pytest.fixture(params=["python", "yaml"])
def demo(
    running: tuple[ScriptedUpstream, Any, str, str, Clients],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Demo:
    """The stage, with nothing asked yet."""
    upstream, services, http, mcp, clients = running
    upstream.requests.clear()
    services.state.seen.clear()
    return Demo(upstream, services, http, mcp, clients, request.param, tmp_path)


@each_kind
@each_api
@each_form
def test_query_rewriting_and_retrieval(demo: Demo, kind: str, api: str, stream: bool) -> None:
    """A rewriter, then a context builder: each sees what the one before has left."""
    names = ("rewrite", "context") if kind == "http" else ("query_rewriter", "context_builder")
    chain = [demo.service(kind, name) for name in names]
    with serving(demo.plano_with(*chain)) as url:
        seen = demo.ask(url, api, "Which k8s do we run?", "Version ", "1.31.", stream=stream)
    assert seen.text == "Version 1.31."
    asked = "Which Kubernetes do we run?\n\nContext:\nWe run Kubernetes 1.31 in Zurich."
    assert demo.asked() == asked
    if kind == "http":
        (first, path, ident), second = demo.services.state.seen
        paths = {"openai.responses": "/v1/responses", "anthropic.messages": "/v1/messages"}
        assert (first, path) == ("rewrite", paths.get(api, "/v1/chat/completions"))
        assert second == ("context", path, ident)


@each_kind
@each_api
@each_form
def test_an_input_guard(demo: Demo, kind: str, api: str, stream: bool) -> None:
    """
    Its 4xx is the client's, once, with its words; the filters behind it and the model hear
    nothing. An MCP tool's error is a 400.
    """
    chain = [
        demo.service(kind, "guard" if kind == "http" else "input_guard"),
        demo.service("http", "rewrite"),
    ]
    with serving(demo.plano_with(*chain)) as url:
        with pytest.raises(ERRORS[api].APIStatusError, match="our own shop") as refused:
            demo.ask(url, api, "What does the competitor charge?", stream=stream)
        assert refused.value.status_code == (403 if kind == "http" else 400)
        assert demo.upstream.requests == []
        assert "rewrite" not in [name for name, *_ in demo.services.state.seen]
        assert demo.ask(url, api, "And you?", "Ten francs.", stream=stream).text == "Ten francs."


@each_api
@each_form
def test_the_anonymiser(demo: Demo, api: str, stream: bool) -> None:
    """
    The input filter takes addresses out, the output filter puts them back, event by event; what
    joins the two is ``x-request-id``, which the client did not send.
    """
    before, after = demo.service("http", "anonymize"), demo.service("http", "deanonymize")
    said = ("Dear [EMAIL_1], ", "or [EM", "AIL_1", "], yes.")
    with serving(demo.plano_with(before, after=[after])) as url:
        seen = demo.ask(url, api, f"Greet {EMAIL}", *said, stream=stream)
    assert seen.text == f"Dear {EMAIL}, or {EMAIL}, yes."
    assert "EMAIL_1" not in seen.raw
    assert EMAIL not in demo.upstream.requests[0].body.decode()
    assert demo.asked() == "Greet [EMAIL_1]"
    calls = demo.services.state.seen
    assert len({ident for *_, ident in calls}) == 1
    assert {name for name, *_ in calls[1:]} == {"deanonymize"}
    assert len(calls) > 3 if stream else len(calls) == 2


@each_api
def test_a_filter_that_is_down(demo: Demo, api: str) -> None:
    """Nothing passes unfiltered: 502, told once, and no model is asked."""
    gone = Service("gone", "http://127.0.0.1:9", "http")
    with (
        serving(demo.plano_with(gone)) as url,
        pytest.raises(ERRORS[api].InternalServerError, match="gone") as failed,
    ):
        demo.ask(url, api, "Hello", stream=False)
    assert failed.value.status_code == 502
    assert demo.upstream.requests == []
