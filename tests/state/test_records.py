"""Kept responses, as this version and others write them."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi._json import dumps
from plano_asgi.state.names import is_id
from plano_asgi.state.records import Head, Records
from plano_asgi.state.shelf import Shelf
from plano_asgi.stores.local_store import LocalStore

HEAD = Head(
    id="resp_2",
    previous="resp_1",
    thread="resp_1",
    provider="openai",
    model="gpt",
    asked_model="fast",
    is_home=True,
    items=4,
    size=512,
    trail="resp_1 resp_0",
)


def records(store: LocalStore) -> Records:
    """Records in *store*."""
    return Records(Shelf(store, ttl_s=60.0))


@pytest.mark.anyio
async def test_every_field_survives() -> None:
    """Writing and reading keeps all of it."""
    kept = records(LocalStore())
    await kept.put(None, HEAD, dumps(["asked"]), dumps({"output": ["answered"]}))
    record = await kept.get(None, HEAD.id)
    assert record is not None
    assert (record.head, record.input, record.output) == (HEAD, ["asked"], ["answered"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ([*HEAD, "more"], HEAD),
        ([*HEAD][:4], Head(id="resp_2", previous="resp_1", thread="resp_1")),
        (HEAD._asdict(), HEAD),
        ({"id": "resp_2", "items": 4, "more": 1}, Head(id="resp_2", items=4)),
    ],
    ids=["more", "less", "by name", "by name, less and more"],
)
async def test_other_versions_can_be_read(head: Any, expected: Head) -> None:
    """What they did not keep has its default, what this one does not know is passed over."""
    store = LocalStore()
    value = {"kept_at": 2e9, "head": head, "input": [], "response": {"output": []}}
    await store.put("state/-/r/resp_2", dumps(value))
    record = await records(store).get(None, "resp_2")
    assert record is not None
    assert record.head == expected


@pytest.mark.parametrize("id", ["resp_1", "a" * 256, "!~.-:@#"])
def test_ids_are_printable(id: str) -> None:
    """Of at most 256 characters."""
    assert is_id(id)


@pytest.mark.parametrize("id", ["", "a" * 257, "a/b", "a b", "a\n", "\x7f", "\u00e9", None, 7])
def test_others_are_no_ids(id: object) -> None:
    """They could spell another key, or none."""
    assert not is_id(id)
