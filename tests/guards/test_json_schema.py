"""Answers of a schema."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from guard_subjects import answering, subject_of
from plano_asgi.conversation import ChatRequest
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.guards.json_schema import JSONSchema

pytest.importorskip("jsonschema")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
GOOD = '{"city":"Rome","days":3}'
BAD = '{"city":"Rome","days":"three"}'


@pytest.mark.parametrize(
    ("text", "action", "rule"),
    [
        (GOOD, "allow", ""),
        ("", "allow", ""),
        (BAD, "block", "schema"),
        ("Rome, three days", "block", "not_json"),
        (f"```json\n{BAD}\n```", "block", "not_json"),
        (f"```json\n{GOOD}\n```", "redact", "repaired"),
        (GOOD + " " * 200, "block", "too_long"),
    ],
)
@pytest.mark.anyio
async def test_only_json_of_the_schema_passes(text: str, action: str, rule: str) -> None:
    """A fence is taken off; nothing else is mended without a model."""
    guard = JSONSchema(SCHEMA, max_chars=200)
    verdict = await guard.check(subject_of(text, side="answer"))
    assert (verdict.action, verdict.rule) == (action, rule)
    if action == "redact":
        assert [span.replacement for span in verdict.spans] == [GOOD]


@pytest.mark.anyio
async def test_a_model_mends_it_once() -> None:
    """It is shown the schema, the document and what is wrong; what it gives is checked again."""
    asked: list[ChatRequest] = []
    repair = answering(f"```json\n{GOOD}\n```", BAD, asked=asked)
    guard = JSONSchema(SCHEMA, repair=repair, model="mender")
    subject = subject_of(BAD, side="answer")
    verdict = await guard.check(subject)
    (span,) = verdict.spans
    assert (span.passage, span.start, span.end) == (subject.passages[0], 0, len(BAD))
    assert span.replacement == GOOD
    shown = asked[0].messages[1].text
    assert all(piece in shown for piece in (BAD, '"required"', "$.days"))
    assert (await guard.check(subject)).rule == "schema"
    assert len(asked) == 2


@pytest.mark.anyio
async def test_a_mended_answer_of_several_parts_becomes_one() -> None:
    """All of it stands in the first part; other choices are left alone."""
    subject = subject_of("```json\n", GOOD, "\n```", GOOD, side="answer")
    subject.passages[3].choice = 1
    verdict = await JSONSchema(SCHEMA).check(subject)
    assert [span.replacement for span in verdict.spans] == [GOOD, "", ""]
    assert [span.passage for span in verdict.spans] == subject.passages[:3]


@pytest.mark.anyio
async def test_nothing_is_fetched() -> None:
    """A remote reference cannot be followed: the guard is then unable to judge."""
    guard = JSONSchema({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await guard.check(subject_of(GOOD, side="answer"))


def test_impossible_options_are_refused() -> None:
    """Said at construction."""
    with pytest.raises(ConfigurationError, match="not a schema"):
        JSONSchema({"type": "no such type"})
    with pytest.raises(ConfigurationError, match="model"):
        JSONSchema(SCHEMA, repair=answering())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(MissingExtra, match=r"plano-asgi\[schema\]"):
        JSONSchema(SCHEMA)
