"""Label values stay bounded, whatever clients send."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.labels import MAX_LABEL_CHARS, OTHER, BoundedLabel, clean


def test_values_past_the_limit_fold_into_other() -> None:
    """The first ones keep their names, and go on to."""
    label = BoundedLabel(max_values=2)
    assert [label(value) for value in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]


def test_known_values_pass_and_do_not_count() -> None:
    """A catalogue's names have series of their own beside the admitted ones."""
    label = BoundedLabel(max_values=1, known=frozenset({"gpt-4o", "gpt-5"}))
    assert [label(value) for value in ("gpt-4o", "x", "gpt-5", "y")] == [
        "gpt-4o",
        "x",
        "gpt-5",
        OTHER,
    ]


def test_a_value_that_is_not_to_be_admitted_is_other_until_another_admits_it() -> None:
    """Made-up names take no place."""
    label = BoundedLabel(max_values=5)
    assert label("made-up", admit=False) == OTHER
    assert label("made-up") == "made-up"
    assert label("made-up", admit=False) == "made-up"


def test_an_absent_value_stays_absent() -> None:
    """It takes no place either."""
    label = BoundedLabel(max_values=0)
    assert label("") == ""


def test_values_are_cut_and_made_printable() -> None:
    """Line ends, nulls and escapes do not reach an exposition, nor do long texts."""
    assert clean("a\nb\x00c\x1b") == "a?b?c?"
    assert clean("x" * 5000) == "x" * MAX_LABEL_CHARS
    label = BoundedLabel(max_values=1)
    assert label("x" * 5000) == label("x" * 6000) == "x" * MAX_LABEL_CHARS


def test_the_limit_holds_between_threads() -> None:
    """Many threads at once admit no more than it says."""
    label = BoundedLabel(max_values=10)
    names = [f"model-{number}" for number in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        shown = set(pool.map(label, names * 3))
    assert len(shown - {OTHER}) == 10


def test_a_negative_limit_is_refused() -> None:
    """It cannot work."""
    with pytest.raises(ConfigurationError):
        BoundedLabel(max_values=-1)
