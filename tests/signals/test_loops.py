"""Agents that go in circles, and agents that only work through a list."""

from __future__ import annotations

import pytest

from plano_asgi._json import dumps_str
from plano_asgi.signals.arguments import canonical, is_variation, read_arguments
from plano_asgi.signals.base import Row, Signal
from plano_asgi.signals.loops import loops

Call = tuple[str, object] | tuple[str, object, str]


def _rows(*turns: Call | list[Call] | None) -> list[Row]:
    """A call and its result; a list of calls made side by side; ``None``: the person speaks."""
    rows: list[Row] = []
    index = 0
    for turn in turns:
        if turn is None:
            rows.append(Row(kind="human", text="go on", index=index))
            index += 1
            continue
        calls = turn if isinstance(turn, list) else [turn]
        for name, arguments, *_ in calls:
            text = arguments if isinstance(arguments, str) else dumps_str(arguments)
            rows.append(Row(kind="function_call", text=text, name=name, index=index))
        index += 1
        for call in calls:
            if len(call) == 3:
                rows.append(Row(kind="observation", text=call[2], index=index))
                index += 1
    return rows


def _found(*turns: Call | list[Call] | None) -> list[Signal]:
    return list(loops(_rows(*turns)))


def _kinds(*turns: Call | list[Call] | None) -> list[str]:
    return [signal.type.removeprefix("execution.loops.") for signal in _found(*turns)]


def _searches(*queries: str, result: str = "") -> list[Call]:
    return [("search", {"q": q}, result or f"about {q}") for q in queries]


def test_the_same_call_again_and_again_is_a_retry() -> None:
    """Once for the whole run, at its first call."""
    (signal,) = _found(None, *[("check_status", {"id": 7}, "pending")] * 4)
    assert (signal.type, signal.message_index) == ("execution.loops.retry", 1)
    assert signal.metadata == {
        "loop_type": "retry",
        "start_index": 1,
        "end_index": 7,
        "tool_name": "check_status",
        "call_count": 4,
    }
    assert signal.snippet == "tool check_status called 4 times with identical arguments"


def test_arguments_are_compared_as_json() -> None:
    """Order of keys, white space and the form of a number make no other call."""
    texts = ('{"a":1,"b":[2]}', '{ "b": [2.0], "a": 1 }', '{"b":[2],"a":1.0}')
    assert _kinds(*[("f", text) for text in texts]) == ["retry"]
    assert canonical(True) != canonical(1)
    assert canonical(read_arguments("not json")) == "not json"


def test_arguments_nested_without_end_are_compared_all_the_same() -> None:
    """Lists or objects: the depth of the comparison is bounded, its answer is not."""
    for head, tail in (("[", "]"), ('{"a":', "}")):
        one, two = (read_arguments(head * 200 + n + tail * 200) for n in "12")
        assert canonical(one) == canonical(one) != canonical(two)


def test_each_part_of_a_conversation_is_looked_at_by_itself() -> None:
    """A loop before a message of the person and one after it are two; no arguments are some."""
    turns: list[Call] = [("f", "")] * 3
    assert _kinds(*turns, None, *turns) == ["retry", "retry"]


def test_calls_between_end_a_retry() -> None:
    """Three in a row, not three in all."""
    assert _kinds(("f", {}), ("f", {}), ("g", {}), ("f", {})) == []


def test_a_call_repeated_beside_others_is_a_retry() -> None:
    """Turns of several calls that have one in common."""
    turns: list[list[Call]] = [[("f", {}, "x"), ("g", {"n": n}, "y")] for n in range(3)]
    assert _kinds(*turns) == ["retry"]


def test_another_message_of_the_person_ends_every_loop() -> None:
    """What is asked again may be looked up again."""
    assert _kinds(None, ("f", {}), ("f", {}), None, ("f", {}), ("f", {})) == []


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param(_searches("a", "ab", "abc", "abcd"), id="grown"),
        pytest.param(_searches("red shoes", "red shoes men", "shoes men sale red"), id="narrowed"),
        pytest.param(
            _searches("crimson", "scarlet", "vermilion", result="No results found"), id="nothing"
        ),
        pytest.param(_searches("x1", "x2", "x3", result='{"results": [], "total": 0}'), id="empty"),
        pytest.param(
            [("book", {"day": day}, "Error: invalid date") for day in ("1 May", "May 1", "5/1")],
            id="errors",
        ),
        pytest.param(
            [("find", {"q": "x", "limit": n}, f"{n} found") for n in (10, 50, 100)], id="tuned"
        ),
        pytest.param(
            [
                ("find", {"q": "x", **more}, str(more))
                for more in ({}, {"all": True}, {"all": False})
            ],
            id="options",
        ),
        pytest.param(
            [
                ("find", {"q": q}, "always the very same long list of things, word for word " * 2)
                for q in ("oak", "elm", "ash")
            ],
            id="same answer",
        ),
    ],
)
def test_trying_variations_is_drift(turns: list[Call]) -> None:
    """Near arguments, or other ones because nothing came of the last."""
    assert _kinds(*turns) == ["parameter_drift"]


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param(
            [("read", {"path": f"src/{n}.py"}, "def f(): ...") for n in "abcde"], id="files"
        ),
        pytest.param([("read", {"path": f"f{n}.txt"}, "text") for n in range(5)], id="numbered"),
        pytest.param(
            [("weather", {"city": c}, "21 C") for c in ("Paris", "London", "Rome")], id="cities"
        ),
        pytest.param([("list", {"q": "x", "page": n}, f"p{n}") for n in range(5)], id="pages"),
        pytest.param([("get", {"id": n}, f"item {n}") for n in range(5)], id="ids"),
        pytest.param(
            [("write", {"path": f"{n}.md", "text": n}, "OK") for n in "abcd"], id="written"
        ),
        pytest.param(
            [("sql", {"q": f"SELECT * FROM {t}"}, "[[1]]") for t in ("a_b", "c_d", "e_f")],
            id="template",
        ),
        pytest.param(
            [
                ("read", {"path": p}, t)
                for p, t in (("a/", "Error: no such file"), ("b/", "t"), ("c/", "t"), ("d/", "t"))
            ],
            id="one error",
        ),
        pytest.param([[*_searches("a", "ab", "abc", "abcd")]], id="side by side"),
        pytest.param([[("f", {}, "x")] * 4], id="same side by side"),
    ],
)
def test_working_through_a_list_is_no_loop(turns: list[Call | list[Call]]) -> None:
    """Other things, or all at once."""
    assert _kinds(*turns) == []


def test_calls_of_responses_made_side_by_side_are_told_by_their_results() -> None:
    """Each is an item of its own there; their results come together after them."""
    rows = [Row(kind="function_call", text="{}", name="f", index=i) for i in range(3)]
    rows += [Row(kind="observation", text="x", index=i) for i in range(3, 6)]
    assert list(loops(rows)) == []
    assert [signal.type for signal in loops(rows[:3])] == ["execution.loops.retry"]


def test_what_somebody_has_read_of_results_is_taken() -> None:
    """By their positions; otherwise each is read here."""
    rows = _rows(*[("fetch", {"id": i}, "HTTP 500") for i in range(3)])
    assert [signal.type for signal in loops(rows)] == ["execution.loops.parameter_drift"]
    assert list(loops(rows, in_trouble={1, 3, 5})) == list(loops(rows))
    assert list(loops(rows, in_trouble=())) == []


def test_tools_that_take_turns_are_an_oscillation() -> None:
    """Whole cycles are counted; the pattern is told."""
    (signal,) = _found(*[("a", {}), ("b", {})] * 3, ("a", {}))
    assert signal.type == "execution.loops.oscillation"
    assert signal.metadata["pattern"] == ["a", "b"]
    assert signal.metadata["cycle_count"] == 3
    assert (signal.metadata["start_index"], signal.metadata["end_index"]) == (0, 5)


def test_the_shortest_pattern_of_a_cycle_is_told() -> None:
    """Twelve calls of two tools are six cycles of two, not three of four."""
    (signal,) = _found(*[("a", {}), ("b", {})] * 6)
    assert (signal.metadata["pattern"], signal.metadata["cycle_count"]) == (["a", "b"], 6)


def test_cycles_that_bring_nothing_are_an_oscillation_whatever_they_ask() -> None:
    """Other arguments do not help where every call fails."""
    turns: list[Call] = []
    for n in "xyz":
        turns += [("a", {"p": n}, "Error: not found"), ("b", {"p": n}, "Error: failed")]
    assert _kinds(*turns) == ["oscillation"]


def test_two_tools_that_work_through_a_list_are_none() -> None:
    """Read and edit, file after file."""
    turns: list[Call] = []
    for n in "abcd":
        turns += [("read", {"path": n}, "text"), ("edit", {"path": n}, "done")]
    assert _kinds(*turns) == []


@pytest.mark.parametrize(
    ("one", "two", "is_one"),
    [
        ("cheap flights", "cheap flights rome", True),
        ("flights rome cheap today", "cheap flights today rome", True),
        ("weather in paris", "weather in london", False),
        ("population of france 2024", "population of germany 2024", False),
        ("item1", "item12", False),
        ("cats", "dogs", False),
        ("how to cook rice quickly", "ways to fry rice quickly today", False),
        ("a.py", "a.pyi", False),
        ({"q": "5"}, {"q": 5}, True),
        ({}, {"all": True}, True),
        ({"a": 1, "b": 2}, {"a": 3, "b": 4}, False),
        ({"q": "x", "deep": True}, {"q": "x", "deep": False}, True),
        ([1], [2], False),
    ],
)
def test_variations_are_told_from_other_things(one: object, two: object, is_one: bool) -> None:
    """Wider, narrower, reordered, tuned: the same thing; the next one of a list: another."""
    assert is_variation(one, two) is is_one
