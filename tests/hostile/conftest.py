"""Every attack is watched: an internal error or an unhandled exception fails the test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog.testing

from hostile.stage import Stage, staged


@pytest.fixture(scope="package")
def running() -> Iterator[Stage]:
    """One gateway and one upstream for the whole folder."""
    with staged() as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The stage, with nothing recorded and nothing scripted."""
    running.reset()
    return running


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """What the gateway logged; nothing of it, nor of the server, may be a bug of ours."""
    with structlog.testing.capture_logs() as entries:
        yield entries
    assert not [entry for entry in entries if entry["event"] == "internal_error"]
    assert not [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR and record.exc_info
    ]
