"""What the pages list is what the code has."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from docs.tables import DOCS, TABLES, marked, written
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config.compose import Model
from plano_asgi.gateway import Limits
from plano_asgi.gateway.paths import ENDPOINTS
from plano_asgi.providers.client import Timeouts

PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_tables_are_up_to_date(page: Any) -> None:
    """``python -m docs.tables`` would change nothing."""
    text = page.read_text("utf-8")
    assert text == written(text)


def test_every_table_has_a_page() -> None:
    """No generated table is without a reader."""
    names = [name for page in PAGES for name in marked(page.read_text("utf-8"))]
    assert sorted(names) == sorted(TABLES)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        pytest.param("reliability.md", RetryPolicy, id="RetryPolicy"),
        pytest.param("reliability.md", BreakerPolicy, id="BreakerPolicy"),
        pytest.param("reliability.md", Timeouts, id="Timeouts"),
        pytest.param("security.md", Limits, id="Limits"),
    ],
)
def test_every_bound_is_listed_with_its_default(page: str, kind: Any) -> None:
    """Each field of an options class has a row with its default."""
    text = (DOCS / page).read_text("utf-8")
    for field in fields(kind):
        default = field.default
        shown = "none" if default is None else f"{default:_}".removesuffix(".0")
        assert f"| `{field.name}` | {shown} |" in text, field.name


def test_every_argument_of_a_model_is_listed() -> None:
    """The table of ``Model`` has a row for each argument, with its default."""
    text = (DOCS / "models.md").read_text("utf-8")
    for field in fields(Model):
        required = field.default is MISSING and field.default_factory is MISSING
        assert f"| `{field.name}` |" in text, field.name
        assert (f"| `{field.name}` | required" in text) == required, field.name


def test_every_endpoint_is_listed() -> None:
    """The index names every path the gateway serves."""
    text = (DOCS / "index.md").read_text("utf-8")
    for endpoint in ENDPOINTS:
        assert endpoint.path in text, endpoint.path
