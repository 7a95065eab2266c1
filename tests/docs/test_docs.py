"""Every Python, YAML and shell block of the documentation does what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.blocks import PAGES, ROOT, blocks, command
from docs.reader import GATEWAY, SECRETS, UPSTREAM, Reader
from plano_asgi import Plano
from plano_asgi.server.app import Standalone
from serving import serving
from upstream import scripted_upstream


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """The address of a standalone gateway that knows no key."""
    with serving(Standalone(lambda: Plano.from_env({}))) as url:
        yield url


@pytest.mark.parametrize("page", PAGES)
def test_page_does_what_it_says(
    page: str, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run in order, in one directory, with one namespace."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with scripted_upstream() as upstream:
        places = {GATEWAY: gateway, UPSTREAM: upstream.base_url}
        Reader(places=places, upstream=upstream).read(page)


def test_no_page_is_left_out() -> None:
    """The blocks are found: a change of the Markdown style cannot silently skip them."""
    languages = [block.language for page in PAGES for block in blocks(page)]
    assert {"python", "yaml", "bash", "json"} <= set(languages)
    assert all(languages), "a fence without a language"


def test_ci_runs_the_readmes_commands() -> None:
    """``.ci/run`` tests with the very command that the README gives."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert f'"{command("test")}"\n' in script


def test_the_readmes_run_command_starts_the_standalone_gateway() -> None:
    """Its last part is the documented server on the documented port."""
    assert command("run").endswith("uvicorn plano_asgi.standalone:app --port 12000")


def test_links_between_the_pages_lead_somewhere() -> None:
    """What README and examples link to is there; the doc build checks the pages of ``docs``."""
    for page in (ROOT / "README.md", *ROOT.glob("examples/*/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
