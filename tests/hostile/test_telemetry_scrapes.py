"""Whoever scrapes, and whatever happens to the workers: a page comes, or a plain refusal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from asgi_drive import drive
from plano_asgi.server.app import Standalone
from plano_asgi.telemetry import Metrics, MetricsApp, PrometheusMeters
from telemetry.kept_spans import plano_of

TESTS = Path(__file__).parent.parent
BROKEN = {
    "counter_99999.db": b"",
    "counter_99998.db": b"\x01\x00",
    "counter_99997.db": b"\xff\xff\xff\x7f" + b"\0" * 100,
    "counter_99996.db": b"\x64\0\0\0\0\0\0\0\x32\0\0\0" + b"not-json" * 12,
    "gauge_livesum_abc.db": b"",
    "gauge.db": b"\0" * 1000,
    "weird.db": b"",
}


@pytest.fixture(name="meters")
def _meters() -> PrometheusMeters:
    """With more series than any page should have."""
    meters = PrometheusMeters()
    metrics = Metrics([meters], max_models=3_000, max_names=3_000)
    for number in range(3_000):
        metrics.upstream_began(f"p{number}", 'm\\"\n{},=' + str(number))
    return meters


@pytest.mark.anyio
@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "\xff", "application/json", "application/openmetrics-text; q=x", "," * 60_000],
)
async def test_any_accept_gets_a_page(meters: PrometheusMeters, accept: str) -> None:
    """That a real parser reads."""
    found = await drive(MetricsApp(meters), "/metrics", method="GET", headers={"accept": accept})
    assert found.status == 200
    is_open = "openmetrics" in found.headers["content-type"]
    parse = openmetrics_families if is_open else text_string_to_metric_families
    assert list(parse(found.body.decode()))
    assert len(found.body) < 1 << 20, "the series of an instrument are bounded"


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "\xff"])
async def test_other_methods_are_refused(meters: PrometheusMeters, method: str) -> None:
    """With what would do."""
    found = await drive(MetricsApp(meters), "/metrics", b"x" * 100_000, method=method)
    assert found.status == 405
    assert found.headers["allow"] == "GET, HEAD"


@pytest.mark.anyio
async def test_head_has_the_length_and_no_body(meters: PrometheusMeters) -> None:
    """As of the page."""
    page = await drive(MetricsApp(meters), "/metrics", method="GET")
    head = await drive(MetricsApp(meters), "/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers.get("content-length", str(len(page.body))) == str(len(page.body))


def test_workers_that_died_at_the_worst_time_hide_no_other(tmp_path: Path) -> None:
    """Their files are empty, half or nonsense; what the others wrote is shown."""
    for name, content in BROKEN.items():
        (tmp_path / name).write_bytes(content)
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(TESTS)}
    environ["PYTHONPATH"] += os.pathsep + os.environ.get("PYTHONPATH", "")
    worker = [sys.executable, str(TESTS / "telemetry" / "multiprocess_worker.py"), "3"]
    subprocess.run(worker, env=environ, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    scrape = [sys.executable, str(TESTS / "telemetry" / "multiprocess_scrape.py")]
    found = subprocess.run(scrape, env=environ, check=False, capture_output=True, timeout=30)
    assert found.returncode == 0, found.stderr.decode()
    page = found.stdout.decode()
    page = page[page.index("# HELP") :]  # what is logged stands before it
    families = text_string_to_metric_families(page)
    requests = [s.value for f in families for s in f.samples if s.name == "plano_requests_total"]
    assert sum(requests) == 3


@pytest.mark.anyio
async def test_a_websocket_at_the_page_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As anywhere else in a gateway: it raises nothing."""
    monkeypatch.chdir(tmp_path)
    plano, _ = plano_of("telemetry: {metrics: {prometheus: true}}\n")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/metrics", "headers": [], "query_string": b""}
    await Standalone(lambda: plano)(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
