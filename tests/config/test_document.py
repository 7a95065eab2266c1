"""Reading text and plain data: bounded, strict, with places in every message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plano_asgi.config.document import MAX_DEPTH, MAX_NODES, Document, read_document
from plano_asgi.config.issues import ConfigError


def problems(source: Any, **options: int) -> list[str]:
    """What ``read_document`` says about *source*."""
    with pytest.raises(ConfigError) as caught:
        read_document(source, **options)
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("version: v0.4.0\n", {"version": "v0.4.0"}),
        ("a: 1\nb: [x, 2.5, true, null, ~]\n", {"a": 1, "b": ["x", 2.5, True, None, None]}),
        ("a: 2024-10-21\n", {"a": "2024-10-21"}),
        ("a: =\n", {"a": "="}),
        ("\ufeffa: 1\n", {"a": 1}),
        ('{"json": {"too": [1]}}\n', {"json": {"too": [1]}}),
        ("x: &x {a: 1}\ny: *x\n", {"x": {"a": 1}, "y": {"a": 1}}),
        ("x: &x {a: 1, b: 1}\ny: {<<: *x, b: 2}\n", {"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 2}}),
        (
            "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n",
            {"x": {"a": 1}, "y": {"a": 2, "b": 2}, "z": {"a": 1, "b": 2}},
        ),
    ],
)
def test_yaml_is_read_as_plain_data(text: str, document: Document) -> None:
    """Core YAML, merges included; dates stay text."""
    assert read_document(text) == document


def test_aliases_are_copies() -> None:
    """Two places that use one anchor share no object."""
    document = read_document("a: &a [1]\nb: *a\n")
    document["a"].append(2)
    assert document["b"] == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "line 2, column 2: "),
        ("a: *nowhere\n\n", "line 1, column 4: found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
        ("a: \x07\n", "character 3 is not allowed in YAML"),
        ("\n", "is empty"),
        ("- a\n- b\n", "must be a mapping of keys such as 'version'"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "b.c: is given twice, again in line 4"),
        ("a: 1\na: 2\n", "a: is given twice, again in line 2"),
        ("a: {on: 1}\n", "a: the key in line 1 is not text: put it in quotes"),
        ("a:\n  ? [x]\n  : 1\n", "a: the key in line 2 is not text: put it in quotes"),
        ("a: !!python/name:os.system x\n", "a: the YAML tag 'python/name:os.system' is not"),
        ("a: !!set {x}\n", "a: the YAML tag 'set' is not allowed"),
        ("a: !!int x\n", "a: cannot be read as int"),
        ("a: {<<: 1}\n", "a.<<: merges mappings only"),
    ],
)
def test_bad_yaml_is_named_with_its_place(text: str, message: str) -> None:
    """Line and column where the text breaks, the path where the value is wrong."""
    (problem,) = problems(text)
    assert problem.startswith(message)


def test_several_duplicates_are_reported_together() -> None:
    """One pass finds them all."""
    assert len(problems("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def _bomb() -> str:
    tens = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))
    return "\n".join(["a0: &a0 [x]", *tens])


def _merge_bomb() -> str:
    tens = (f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9))
    return "\n".join(["a0: &a0 {k: x}", *tens])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(_bomb, f"more than {MAX_NODES} values, aliases expanded", id="aliases"),
        pytest.param(_merge_bomb, f"more than {MAX_NODES} values", id="merges"),
        pytest.param(lambda: "a: &a\n  b: *a\n", f"more than {MAX_DEPTH} levels", id="loop"),
        pytest.param(lambda: "a:\n " + "[" * 500, f"more than {MAX_DEPTH} levels", id="deep"),
        pytest.param(
            lambda: "a: [" + "1," * (4 * MAX_NODES) + "]\n", f"more than {MAX_NODES}", id="wide"
        ),
    ],
)
def test_a_document_is_bounded(make: Callable[[], str], message: str) -> None:
    """Nothing small on disk becomes large in memory."""
    (problem,) = problems(make())
    assert message in problem


def test_size_is_bounded(tmp_path: Path) -> None:
    """Text and file alike, counted in bytes."""
    path = tmp_path / "config.yaml"
    path.write_text("a: ééééé\n", "utf-8")
    assert problems(path, max_bytes=13) == ["is larger than 13 bytes"]
    assert problems("a: ééééé\n", max_bytes=13) == ["is larger than 13 bytes"]
    assert read_document(path, max_bytes=14) == {"a": "ééééé"}


def test_a_path_is_a_path_or_a_str_without_line_break(tmp_path: Path) -> None:
    """Both ways of naming a file, and the file's name in the error."""
    path = tmp_path / "config.yaml"
    path.write_text("a: 1", "utf-8")
    assert read_document(path) == read_document(str(path)) == {"a": 1}
    with pytest.raises(ConfigError, match=r"nope\.yaml: 1 problem\n.*No such file"):
        read_document(str(tmp_path / "nope.yaml"))


def test_a_file_has_to_be_utf8(tmp_path: Path) -> None:
    """Other encodings are named, not guessed."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: \xff\n")
    assert problems(path) == ["is not UTF-8: byte 3 cannot be read"]


def test_plain_data_is_copied_and_checked() -> None:
    """Python data is held to what a file could say."""
    data: dict[str, Any] = {"a": [1, {"b": "x"}], "t": (1, 2)}
    copy = read_document(data)
    assert copy == {"a": [1, {"b": "x"}], "t": [1, 2]}
    assert copy["a"] is not data["a"]
    assert problems({"a": {1: 2}, "b": {"c": object()}}) == [
        "a: the key 1 is not text: put it in quotes",
        "b.c: is not plain data but object",
    ]


def test_plain_data_that_holds_itself_is_refused() -> None:
    """The depth bound ends a loop."""
    data: dict[str, Any] = {}
    data["a"] = data
    (problem,) = problems(data)
    assert "levels deep" in problem
