"""One served stage for all clients, cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clients.stage import Stage, served


@pytest.fixture(scope="package")
def theatre() -> Iterator[Stage]:
    """The servers."""
    with served() as stage:
        yield stage


@pytest.fixture
def stage(theatre: Stage) -> Stage:
    """The stage, with nothing recorded yet."""
    theatre.upstream.requests.clear()
    return theatre
