"""Someone who follows a page from top to bottom, block by block."""

from __future__ import annotations

import io
import re
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs import output
from docs.blocks import RUN, Block, blocks
from docs.shell import run_shell
from plano_asgi import Plano
from plano_asgi.config import load_config, unsupported
from plano_asgi.errors import ConfigurationError
from serving import serving
from upstream import ScriptedUpstream, chat_reply

GATEWAY = "http://localhost:12000"
"""Where the pages have the gateway stand; the tests put another address in its place."""
HOST = "http://localhost"
"""Where a page has its own apps stand; see ``serve`` of ``blocks``."""
UPSTREAM = "https://llm.example.com"
"""A provider that does not exist; the tests put the scripted upstream in its place."""
SECRETS = {
    name: f"{name.lower()}-for-tests"
    for name in (
        "ANTHROPIC_API_KEY",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AZURE_OPENAI_API_KEY",
        "CI_GATEWAY_KEY",
        "GATEWAY_KEY",
        "GROQ_API_KEY",
        "HOUSE_LLM_KEY",
        "MISTRAL_API_KEY",
        "OPENAI_API_KEY",
        "OPENAI_API_KEY_EU",
    )
}


@dataclass
class Reader:
    """
    A reader of one page: blocks share a namespace, an environment and the working directory.

    Args:
        places: An address as the page shows it -> where it is in the test.
        upstream: Plays every provider.
    """

    places: dict[str, str]
    upstream: ScriptedUpstream
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    variables: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    printed: str = ""
    configured: Plano | None = None
    refusal: str = ""
    served: dict[str, ExitStack] = field(default_factory=dict)
    """By address; one app at each, the last one the page has put there."""

    def read(self, page: str) -> None:
        """Follow all of *page*."""
        try:
            for block in blocks(page):
                try:
                    self.follow(block)
                except (Exception, SystemExit) as exc:
                    exc.add_note(f"at {block.where}")
                    raise
        finally:
            for served in self.served.values():
                served.close()

    def follow(self, block: Block) -> None:
        """Do what *block* says, as its directive says."""
        if block.verb == "skip":
            assert re.fullmatch(r"\(.{8,}\)", block.rest), f"{block.where}: skip wants a reason"
        elif block.verb == "output":
            output.check(block.language, block.code, self.printed)
        elif block.language == "text" and self.refusal:
            output.check("text", block.code, self.refusal)
            self.refusal = ""
        elif block.language in RUN:
            getattr(self, f"run_{block.language}")(block)

    def run_python(self, block: Block) -> None:
        source = "\n" * block.line + self.placed(block.code)
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, block.page, "exec", dont_inherit=True), self.namespace)
        self.printed = printed.getvalue()
        if block.verb == "same":
            assert self.configured is not None
            assert described(self.namespace["plano"]) == described(self.configured)
        elif block.verb == "ask":
            self.ask(block.rest)
        elif block.verb == "serve":
            self.serve(f"{HOST}:{block.rest or 8000}")

    def serve(self, place: str) -> None:
        """Have the app the page has made stand at *place*."""
        served = self.served.setdefault(place, ExitStack())
        served.close()
        app = self.namespace.get("app") or self.namespace["plano"]
        self.places[place] = served.enter_context(serving(app))

    def ask(self, model: str) -> None:
        """One chat with *model* by the app the page has made."""
        app = self.namespace.get("app") or self.namespace["plano"]
        self.upstream.always(chat_reply("Hello"))
        model, _, path = model.partition(" at ")
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": f"Bearer {SECRETS['GATEWAY_KEY']}"}
        with serving(app) as url:
            url += path or "/v1/chat/completions"
            reply = httpx.post(url, json=body, headers=headers, trust_env=False)
        assert reply.status_code == 200, reply.text
        assert reply.json()["choices"][0]["message"]["content"]

    def run_yaml(self, block: Block) -> None:
        if block.verb == "file":
            Path(block.rest).write_text(self.placed(block.code), "utf-8")
        if block.verb == "refused":
            with pytest.raises(ConfigurationError) as caught:
                Plano.from_config(load_config(block.code, environ=self.variables))
            self.refusal = str(caught.value)
            return
        config = load_config(self.placed(block.code), environ=self.variables)
        assert not unsupported(config)
        self.configured = Plano.from_config(config)

    def run_bash(self, block: Block) -> None:
        self.printed = run_shell(self.placed(block.code), self.variables)

    def placed(self, code: str) -> str:
        """*code* with the addresses of the test."""
        for shown, real in self.places.items():
            code = code.replace(shown, real)
        return code


def described(plano: Plano) -> Any:
    """What makes two gateways the same to a client and to their upstreams."""
    providers = {
        key: (repr(provider), getattr(provider, "base_url", ""), provider.timeouts)
        for key, provider in plano.providers.items()
    }
    return plano.names.models(), providers
