"""``PlanoTracing`` with nothing said: what it tells, and how that is switched off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from asgi_drive import drive
from middleware.global_providers import ANSWER, ASKED, CHAT
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Price, Prices, Rates
from plano_asgi.telemetry import ContentCapture
from tapped import saying
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads what it is asked, and answers."""
    assert not (await receive())["more_body"]
    await saying(json.dumps(ANSWER).encode())(send)


class Told(Watching):
    """What ``PlanoTracing`` of *options* tells of one exchange."""

    async def ask(self, **options: Any) -> dict[str, Any]:
        """Attributes of its span."""
        options.setdefault("tracer_provider", self.telemetry.provider)
        await drive(PlanoTracing(app, **options), CHAT, ASKED)
        return self.told()


def test_one_line_traces_measures_and_prices() -> None:
    """From when there are global providers; two apps are one count, variables are followed."""
    tests = Path(__file__).parents[1]
    variables = {CONTENT: "SPAN_ONLY", OPT_IN: "http,gen_ai_latest_experimental"}
    done = subprocess.run(
        [sys.executable, tests / "middleware" / "global_providers.py"],
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])},
        capture_output=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    chats = [told for name, told in found["spans"] if name == "chat gpt-4o"]
    assert len(found["spans"]) == 4
    assert len(chats) == 2
    for told in chats:
        assert told["plano.cost.total_usd"] > 0
        assert told["gen_ai.request.reasoning.level"] == "low"
        assert "hi" in told["gen_ai.input.messages"]
        assert told["signals.quality"]
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "plano.cost"} <= set(
        found["metrics"]
    )
    assert found["requests"] == [2]


async def test_prices_are_the_bundled_ones_unless_told() -> None:
    """Another table, or none."""
    assert (await Told().ask())["plano.cost.total_usd"] > 0
    assert "plano.cost.total_usd" not in await Told().ask(prices=None)
    dear = Prices({"*": Rates(input=1000.0, output=0.0)}, bundled=False)
    assert (await Told().ask(prices=dear))["plano.cost.total_usd"] == 1.0


async def test_variables_count_where_no_argument_says_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read when the middleware is made."""
    monkeypatch.setenv(CONTENT, "span_only")
    monkeypatch.setenv(OPT_IN, "gen_ai_latest_experimental")
    told = await Told().ask()
    assert {"gen_ai.input.messages", "gen_ai.request.reasoning.level"} <= told.keys()
    told = await Told().ask(content=ContentCapture.NO_CONTENT, opt_in=None)
    assert not {"gen_ai.input.messages", "gen_ai.request.reasoning.level"} & told.keys()


async def test_an_unknown_word_captures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told."""
    monkeypatch.setenv(CONTENT, "everything")
    with capture_logs() as logs:
        told = await Told().ask()
    assert "gen_ai.input.messages" not in told
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "configuration")
    ]


async def test_a_telemetry_of_ones_own_is_as_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable and no default changes it."""
    monkeypatch.setenv(CONTENT, "span_only")
    watching = Told()
    await drive(PlanoTracing(app, telemetry=watching.telemetry), CHAT, ASKED)
    assert not {"gen_ai.input.messages", "plano.cost.total_usd"} & watching.told().keys()


class LatePrices(Prices):
    """Wants to be loaded once, before anybody asks."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__({"*": Rates(input=1000.0, output=0.0)}, bundled=False)
        self.loads, self._fails = 0, fails

    async def load(self) -> None:
        self.loads += 1
        if self._fails:
            raise OSError("-".join(("no", "such", "table")))

    def price(self, *names: Any, **more: Any) -> Price | None:
        assert self.loads
        return super().price(*names, **more)


async def test_without_a_lifespan_prices_are_read_after_the_first_answer() -> None:
    """Off the request's way, and off the event loop; once."""
    prices, watching = LatePrices(), Told()
    traced = PlanoTracing(app, prices=prices, signals=False, on_outcome=[watching.outcomes.append])
    await drive(traced, CHAT, ASKED)
    await drive(traced, CHAT, ASKED)
    assert prices.loads == 1
    assert [outcome.cost is not None for outcome in watching.outcomes] == [True, True]


async def test_prices_that_cannot_be_read_are_told_of() -> None:
    """Everything else is told all the same."""
    with capture_logs() as logs:
        told = await Told().ask(prices=LatePrices(fails=True))
    assert told["gen_ai.usage.input_tokens"] == 1000
    assert [entry["event"] for entry in logs] == ["telemetry_not_prepared"]
    assert "no-such-table" not in str(logs)
