"""What comparing texts needs of each."""

from __future__ import annotations

from plano_asgi.signals.saying import skimmed


def test_names_are_numbers_and_capitals_inside() -> None:
    """Without the marks around them, whatever the case of the first word."""
    said = skimmed('The flight ("BA117") to Rome, at 9pm, is full.', 100)
    assert said.names() == {"ba117", "rome", "9pm"}
    assert said.digits() == {"117", "9"}
    assert said.names() is said.names()


def test_a_text_is_skimmed_at_its_ends() -> None:
    """The sample is bounded, whatever the length; words are folded and without marks."""
    said = skimmed("Well, " + "word " * 5000 + "it\u2019s over", 300)
    assert said.size == len(said.raw) == 300
    assert said.sample == {"Well,", "word", "it\u2019s", "over"}
    assert said.spoken()[0] == "well"
    assert said.spoken()[-2:] == ["it's", "over"]


def test_a_text_is_equal_only_to_itself() -> None:
    """So that readings can be kept by text."""
    assert skimmed("a", 10) != skimmed("a", 10)
