"""What the pages list is what the code has."""

from __future__ import annotations

from dataclasses import MISSING, fields
from inspect import signature
from typing import Any

import pytest

from docs.guard_tables import common_keys
from docs.tables import DOCS, TABLES, marked, written
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config.compose import Model
from plano_asgi.config.schema_base import ConfigModel
from plano_asgi.config.schema_memory import Memory
from plano_asgi.gateway import Limits
from plano_asgi.gateway.paths import ENDPOINTS
from plano_asgi.guards.answer import AnswerFilter
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


def test_every_key_of_memory_is_listed() -> None:
    """The page of memory names each key of its block in a file."""
    text = (DOCS / "memory.md").read_text("utf-8")
    for key in _keys(Memory):
        assert f"`{key}`" in text, key


def _keys(model: type[ConfigModel]) -> list[str]:
    """``recall.limit`` and the like."""
    found = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        kinds = getattr(field.annotation, "__args__", (field.annotation,))
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, ConfigModel)]
        found += [f"{key}.{each}" for each in _keys(inner[0])] if inner else [key]
    return found


def test_the_keys_common_to_guards_are_listed() -> None:
    """The page of guards names what every entry of a file takes."""
    text = (DOCS / "guards.md").read_text("utf-8")
    for key in common_keys().split(", "):
        assert key in text.partition("Keys of every entry")[2], key


def test_what_guards_hold_of_a_stream_is_told() -> None:
    """The page of guards has the bounds that the code has."""
    text = (DOCS / "guards.md").read_text("utf-8")
    bounds = signature(AnswerFilter).parameters
    assert f"windows of {bounds['window_chars'].default} characters" in text
    assert f"the {bounds['overlap_chars'].default} before it" in text
    assert f"up to {bounds['max_held_chars'].default:_} characters" in text
