"""A conversation in, a report out: all layers together, or detectors of your own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import pytest

from plano_asgi.conversation import Message, TextPart, ToolCallPart, ToolResultPart
from plano_asgi.errors import ConfigurationError
from plano_asgi.signals import Analyzer, Lexicon, Row, Signal, SignalReport, analyze


def _said(*texts: str) -> list[Message]:
    """The person and the assistant in turns."""
    roles = ("user", "assistant")
    return [
        Message(role=roles[i % 2], parts=[TextPart(text=text)])  # type: ignore[arg-type]
        for i, text in enumerate(texts)
    ]


def _types(report: SignalReport) -> list[str]:
    return [signal.type.rpartition(".")[2] for signal in report.signals]


@pytest.mark.parametrize(
    ("texts", "leaves", "quality"),
    [
        (("Hello", "Hi! How can I help?", "What's 2 + 2?", "4"), [], "neutral"),
        (("Is it open?", "Yes.", "Thanks, exactly what I needed!"), ["gratitude"], "good"),
        (("Show my orders", "Here", "No, I meant my recent orders"), ["correction"], "poor"),
        (("It broke", "Sorry", "This is useless, get me a human"), ["escalation"], "severe"),
        (("It broke", "Sorry", "Forget it, I give up"), ["quit"], "severe"),
    ],
)
def test_conversations_get_the_bucket_that_people_would_give(
    texts: tuple[str, ...], leaves: list[str], quality: str
) -> None:
    """The scenarios of the reference, from the words to the quality."""
    report = analyze(_said(*texts))
    assert set(leaves) <= set(_types(report))
    assert report.quality == quality
    assert report.is_flagged is (quality in ("poor", "severe"))


def test_calls_and_results_are_read_with_the_new_answer() -> None:
    """Failures, limits and loops; and the call that the model only just made."""
    call = ToolCallPart(id="", name="create_user", arguments='{"age": "x"}')
    messages = _said("Make an account")
    for text in ("validation failed - expected integer got string", "HTTP 429"):
        messages.append(Message(role="assistant", parts=[call]))
        result = ToolResultPart(call_id="", content=[TextPart(text=text)])
        messages.append(Message(role="tool", parts=[result]))
    report = analyze(messages, [call])
    assert _types(report) == ["invalid_args", "retry", "rate_limit"]
    assert report.quality_score < 50
    assert report.groups["loops"].signals[0].metadata["end_index"] == 5


def test_an_empty_conversation_is_neutral() -> None:
    """No message, no rows, no reason."""
    report = analyze([])
    assert (report.quality, report.is_flagged, report.turns.user_turns) == ("neutral", False, 0)
    assert Analyzer().analyze_rows([]) == report


def _shouts(rows: Sequence[Row]) -> Iterator[Signal]:
    for row in rows:
        if row.text.isupper():
            yield Signal(type="style.caps.loud", message_index=row.index, confidence=1.0)


def test_detectors_can_be_replaced_or_added() -> None:
    """Alone, or after ours."""
    rows = [Row(kind="human", text="FORGET IT, I GIVE UP", index=3)]
    assert _types(Analyzer(detectors=[_shouts]).analyze_rows(rows)) == ["loud"]
    both = _types(Analyzer(extra=[_shouts]).analyze_rows(rows))
    assert both[-1] == "loud"
    assert "quit" in both


def test_only_the_last_rows_are_looked_at() -> None:
    """And their indexes stay."""
    rows = [Row(kind="human", text="AAA", index=i) for i in range(9)]
    report = Analyzer(detectors=[_shouts], max_rows=2).analyze_rows(rows)
    assert [signal.message_index for signal in report.signals] == [7, 8]
    assert report.turns.user_turns == 2


def test_a_lexicon_of_your_own_is_used() -> None:
    """A phrase more, and the same words are a signal."""
    words = Lexicon.load("en").extended({"interaction.disengagement.quit": ["basta cosi"]})
    rows = [Row(kind="human", text="Basta cosi", index=0)]
    assert "quit" in _types(Analyzer(lexicon=words).analyze_rows(rows))
    assert "quit" not in _types(Analyzer().analyze_rows(rows))


@pytest.mark.parametrize("bounds", [{"max_rows": 0}, {"max_text": 0}])
def test_a_window_has_room(bounds: dict[str, int]) -> None:
    """Nothing to look at is a slip of the pen."""
    with pytest.raises(ConfigurationError):
        Analyzer(**bounds)  # type: ignore[arg-type]


def test_the_words_can_be_read_before_the_first_conversation() -> None:
    """As often as one likes; the reports are the same, and detectors of your own stay."""
    rows = [Row(kind="human", text="FORGET IT, I GIVE UP", index=0)]
    prepared = Analyzer(extra=[_shouts])
    prepared.prepare()
    prepared.prepare()
    assert prepared.analyze_rows(rows) == Analyzer(extra=[_shouts]).analyze_rows(rows)
    own = Analyzer(detectors=[_shouts])
    own.prepare()
    assert _types(own.analyze_rows(rows)) == ["loud"]


def test_conversations_do_not_touch_each_other() -> None:
    """The same report before and after another conversation."""
    analyzer = Analyzer()
    good, bad = _said("Hi", "Hello", "Thanks so much!"), _said("Hi", "Hello", "I give up")
    before = analyzer.analyze(good)
    analyzer.analyze(bad)
    assert analyzer.analyze(good) == before


def _calls(analyzer: Analyzer, messages: list[Message]) -> int:
    """How many calls and returns it takes to analyze *messages*."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        analyzer.analyze(messages)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Can you tell me what number {} of the list stands for?", id="all different"),
        pytest.param("No, that is not what I asked for, I give up!!", id="all the same"),
    ],
)
@pytest.mark.parametrize("roles", [1, 2])
def test_work_is_linear_in_the_length(text: str, roles: int) -> None:
    """Twice as many messages are twice as much work, said by one or by two in turns."""
    analyzer = Analyzer(max_rows=1000)
    talks = [_said(*map(text.format, range(n, n + n)))[:: 3 - roles] for n in (100, 200, 400)]
    _, one, two = (_calls(analyzer, talk) for talk in talks)  # words are worked out by the first
    assert one > 1000
    assert two < 2.2 * one
