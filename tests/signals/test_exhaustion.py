"""A world that gave out, told by what tools of all kinds say; and what only looks like it."""

from __future__ import annotations

import pytest

from plano_asgi.signals.base import Row
from plano_asgi.signals.exhaustion import exhaustions
from plano_asgi.signals.failure import failures
from plano_asgi.signals.loops import loops
from plano_asgi.signals.tool_trouble import tool_trouble
from plano_asgi.signals.trouble_reader import MAX_KEPT, TroubleReader
from signals.tool_texts import EXHAUSTIONS, FINE

READER = TroubleReader()
DETECT = exhaustions(READER)


def _types(text: str, is_error: bool | None = None) -> list[str]:
    row = Row(kind="observation", text=text, index=0, is_error=is_error)
    return [signal.type for signal in DETECT([row])]


@pytest.mark.parametrize(
    ("leaf", "text"), [(leaf, text) for leaf, texts in EXHAUSTIONS.items() for text in texts]
)
def test_what_a_tool_says_tells_what_gave_out(leaf: str, text: str) -> None:
    """One signal, of the leaf that a person would name."""
    assert _types(text) == [f"environment.exhaustion.{leaf}"]


@pytest.mark.parametrize("text", FINE)
def test_a_result_that_only_speaks_of_it_is_none(text: str) -> None:
    """Documents, search results, code, logs, settings and tickets."""
    assert _types(text) == []


def test_a_bare_word_is_enough_only_of_a_marked_error() -> None:
    """A timeout in a text is a setting, in an error it is one."""
    assert _types("the timeout here", is_error=True) == ["environment.exhaustion.timeout"]
    assert _types("the timeout here") == []


def test_only_results_are_looked_at() -> None:
    """What people and the model say of limits is no limit."""
    rows = [
        Row(kind="human", text="HTTP 429 too many requests", index=0),
        Row(kind="gpt", text="Error: rate limit exceeded", index=1),
        Row(kind="function_call", text="Error: timed out", index=1),
    ]
    assert list(DETECT(rows)) == []


def test_metadata_has_the_leaf_and_the_lexicons_phrase() -> None:
    """Never words of the conversation."""
    row = Row(kind="observation", text="Error: rate limit exceeded", index=7)
    (signal,) = DETECT([row])
    assert signal.message_index == 7
    assert signal.metadata["exhaustion_type"] == "rate_limit"
    assert signal.metadata["matched"].startswith("rate limit")


def test_both_layers_at_once_find_what_each_finds() -> None:
    """The one pass of an analyzer loses nothing."""
    texts = [text for texts in EXHAUSTIONS.values() for text in texts] + list(FINE)
    rows = [Row(kind="observation", text=text, index=i) for i, text in enumerate(texts)]
    rows += [Row(kind="function_call", text="{}", name="f", index=i) for i in range(500, 503)]
    both = [*failures(READER)(rows), *DETECT(rows), *loops(rows)]
    assert sorted(tool_trouble(READER)(rows), key=repr) == sorted(both, key=repr)


@pytest.mark.parametrize("memo_results", [0, 1])
def test_a_reading_is_kept_for_equal_results_only(memo_results: int) -> None:
    """The tool's own mark is part of what is read; two rows keep their own places."""
    detect = exhaustions(TroubleReader(memo_results=memo_results))
    marks = (None, True, True, False)
    rows = [
        Row(kind="observation", text="the timeout here", index=index, is_error=mark)
        for index, mark in enumerate(marks)
    ]
    assert [signal.message_index for signal in detect(rows)] == [1, 2]


def test_a_result_too_long_to_be_kept_is_read_all_the_same() -> None:
    """Whoever hands rows in may not have cut them."""
    assert _types("HTTP 429 " + "x" * MAX_KEPT, is_error=True) == [
        "environment.exhaustion.rate_limit"
    ]


@pytest.mark.parametrize(
    ("text", "is_error", "found"),
    [
        ("boom", True, ["environment.exhaustion.api_error"]),
        ("Division by zero", True, ["environment.exhaustion.api_error"]),
        ('{"error":"boom"}', None, ["environment.exhaustion.api_error"]),
        ("boom", None, []),
        ("boom", False, []),
        ("Exit code 1\n3 tests failed", True, []),
        ('{"exit_code":1,"stdout":"3 tests failed"}', None, []),
        ("npm ERR! code ERESOLVE", None, []),
    ],
)
def test_what_a_tool_marks_as_an_error_is_one_in_any_words(
    text: str, is_error: bool | None, found: list[str]
) -> None:
    """By its mark or an error field; not by what a command ended with."""
    rows = [Row(kind="observation", text=text, index=0, is_error=is_error)]
    signals = list(tool_trouble(TroubleReader())(rows))
    assert [signal.type for signal in signals] == found
    assert all(signal.confidence == 0.5 for signal in signals)


@pytest.mark.parametrize(
    "text",
    [
        "The service was unavailable yesterday from 3 to 4 pm (status page).",
        "The API was down last Tuesday between 2 and 3 am.",
        "The database was offline for 5 minutes two days ago.",
    ],
)
def test_trouble_that_is_over_is_news(text: str) -> None:
    """A result may tell of an outage and be a good answer."""
    rows = [Row(kind="observation", text=text, index=0)]
    assert list(tool_trouble(TroubleReader())(rows)) == []
