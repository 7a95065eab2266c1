"""Calls that were wrong, told by what tools of all kinds say; and what only looks like it."""

from __future__ import annotations

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.base import Row, Signal
from plano_asgi.signals.failure import failures
from plano_asgi.signals.trouble_phrases import Words, plain_words
from plano_asgi.signals.trouble_reader import TroubleReader
from plano_asgi.signals.trouble_words import TroubleWords
from signals.tool_texts import FAILURES, FINE

DETECT = failures(TroubleReader())


def _signals(text: str, is_error: bool | None = None) -> list[Signal]:
    return list(DETECT([Row(kind="observation", text=text, index=0, is_error=is_error)]))


@pytest.mark.parametrize(
    ("leaf", "text"), [(leaf, text) for leaf, texts in FAILURES.items() for text in texts]
)
def test_what_a_tool_says_tells_the_kind_of_failure(leaf: str, text: str) -> None:
    """One signal, of the leaf that a person would name."""
    assert [signal.type for signal in _signals(text)] == [f"execution.failure.{leaf}"]


@pytest.mark.parametrize("text", FINE)
def test_a_result_that_only_speaks_of_errors_is_no_failure(text: str) -> None:
    """Documents, search results, code, logs, settings and tickets are read, not failed."""
    assert _signals(text) == []


_DEEP = '{"data":' * 9 + '{"error":"unknown tool x"}' + "}" * 9


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ('[{"type":"text","text":"Error: unknown tool x"}]', ["tool_not_found"]),
        (
            '{"content":[{"type":"text","text":"unknown tool x"}],"isError":true}',
            ["tool_not_found"],
        ),
        ('{"content":[{"type":"text","text":"Error: unknown tool x"}]}', ["tool_not_found"]),
        ('{"statusCode":400,"body":{"error":"missing required field: name"}}', ["invalid_args"]),
        ('{"body":"{\\"error\\":\\"unknown tool x\\"}"}', ["tool_not_found"]),
        ('{"result":"{cut off"}', []),
        ('{"result":{"error":{"code":"CONFLICT","message":"it already exists"}}}', ["state_error"]),
        ('{"status":"error","data":{"message":"unknown tool x"}}', ["tool_not_found"]),
        ('{"success":"false","message":"unknown tool x"}', ["tool_not_found"]),
        ('{"exit_code":2,"stderr":"ls: /x: Permission denied"}', ["auth_misuse"]),
        ('"Error: unknown tool x"', ["tool_not_found"]),
        ("{'error': 'unknown tool x'}", ["tool_not_found"]),
        ("<tool_use_error>unknown tool x</tool_use_error>", ["tool_not_found"]),
        ("ls /x\nls: cannot open /x: Permission denied\nexit code: 2", ["auth_misuse"]),
        ("permission denied once, then fine\nexit code: 0", []),
        ("Error: " + "step by step, " * 60 + "because permission denied", ["auth_misuse"]),
        ('{"query":"unknown tool x","rows":3}', []),
        ("3.14", []),
        (_DEEP, []),
    ],
)
def test_every_shape_of_a_result_is_read(text: str, leaves: list[str]) -> None:
    """Content blocks, bodies in bodies, exit codes, tags, head and tail; not without end."""
    assert [signal.type.rpartition(".")[2] for signal in _signals(text)] == leaves


@pytest.mark.parametrize("text", ['{"info":"permission denied"}', '["permission denied"]'])
def test_a_marked_error_of_any_shape_is_read_whole(text: str) -> None:
    """Also where no field is one for errors."""
    assert [signal.type for signal in _signals(text, True)] == ["execution.failure.auth_misuse"]


@pytest.mark.parametrize("text", ["Error: unknown tool x", "permission denied", '{"error":"bad"}'])
def test_a_tool_that_says_it_went_well_is_believed(text: str) -> None:
    """An explicit mark comes before any word."""
    assert _signals(text, is_error=False) == []


def test_a_marked_error_is_read_with_milder_words() -> None:
    """What would be too little in any text is enough where the tool says that it failed."""
    assert [s.type for s in _signals("File does not exist.", True)] == [
        "execution.failure.bad_query"
    ]
    assert _signals("File does not exist.") == []


def test_a_failure_names_its_call_and_never_the_words_of_the_conversation() -> None:
    """The call by its id, however the results are ordered; the phrase is the lexicon's."""
    rows = [
        Row(kind="function_call", text="{}", name="first", call_id="1", index=3),
        Row(kind="function_call", text="{}", name="second", call_id="2", index=3),
        Row(kind="observation", text="HTTP 401 Unauthorized", call_id="2", index=4),
        Row(kind="observation", text="HTTP 401 Unauthorized", index=5),
        Row(kind="observation", text="HTTP 401 Unauthorized", index=6),
    ]
    first, second, third = (signal.metadata for signal in DETECT(rows))
    assert (first["tool_name"], first["call_index"]) == ("second", 3)
    assert second["tool_name"] == "first"
    assert third["tool_name"] == "unknown"
    assert first["error_type"] == "auth_misuse"
    assert first["matched"].startswith("http?")


def test_a_status_alone_is_no_misuse_where_words_say_a_limit() -> None:
    """403 for a rate limit, as some APIs answer, is the environment's."""
    assert _signals("Error: 403 API rate limit exceeded") == []


def test_the_snippet_is_short_and_of_one_line() -> None:
    """The head of what the tool said."""
    (signal,) = _signals("Error: unknown tool x\n" + "more " * 100)
    assert signal.snippet.startswith("Error: unknown tool x more")
    assert len(signal.snippet) <= 160


def test_words_can_be_added_in_any_language() -> None:
    """A phrase more for a leaf."""
    words = TroubleWords.load("failure").extended(
        {"execution.failure.auth_misuse": ["zugriff verweigert"]}
    )
    detect = failures(TroubleReader(failure=words))
    row = Row(kind="observation", text="Fehler: Zugriff verweigert", index=0)
    assert [signal.type for signal in detect([row])] == ["execution.failure.auth_misuse"]


@pytest.mark.parametrize(
    "phrase", ["", "...", "maybe?", "Upper case", "(group)", "!not", "a_b*", "."]
)
def test_a_phrase_that_means_nothing_is_told_when_it_is_added(phrase: str) -> None:
    """Not when the first conversation comes."""
    with pytest.raises(ConfigurationError):
        TroubleWords.load("failure").extended({"execution.failure.bad_query": [phrase]})


def test_unknown_leaves_keys_and_categories_are_refused() -> None:
    """A slip of the pen is no silent nothing."""
    with pytest.raises(ConfigurationError, match="no such leaf"):
        TroubleWords.load("failure").extended({"execution.failure.other": ["x"]})
    with pytest.raises(ConfigurationError, match="unknown key"):
        TroubleWords.from_document({"leaf": {"phrasses": []}}, prefix="a.b")
    with pytest.raises(ConfigurationError, match="no words"):
        TroubleWords.load("fun")


@pytest.mark.parametrize("is_error", [None, True])
@pytest.mark.parametrize(
    "sign",
    [
        "a.",
        "a: ",
        "error ",
        "1",
        "error 1 ",
        "# ",
        "\n- ",
        "'a ",
        "[",
        "<",
        "exit code ",
        "\u00e9 ",
    ],
)
def test_a_hostile_text_takes_no_longer_than_another(sign: str, is_error: bool | None) -> None:
    """Patterns that try one text in all ways would not come to an end here."""
    for text in (sign * 4000, f"error{sign * 4000}x", sign * 50):
        assert len(_signals(text, is_error)) <= 1


def test_texts_become_plain_words() -> None:
    """Code names fall apart, apostrophes go, sentences end."""
    text = "RateLimitError: RATE_LIMIT_hit, can\u2019t go. JSONDecodeError"
    plain = " ".join(plain_words(text))
    assert plain == "rate limit error rate limit hit cant go . json decode error"


@pytest.mark.parametrize(
    ("phrase", "text", "is_found"),
    [
        ("a|b c", "x b c", True),
        ("a b? c", "a c", True),
        ("throttl*", "was throttled", True),
        ("after # seconds", "after 30 seconds", True),
        ("after #*", "after 30s", True),
        ("a ... z", "a b c d e f z", True),
        ("a ... z", "a b c d e f g z", False),
        ("a ... z", "a. z", False),
        ("not|can_not go", "can not go", True),
        ("a !b", "a b", False),
        ("a b", "a bc", False),
        ("a b_c d", "a b c d", True),
        ("a b_c d", "a b d", False),
        ("a? b? c", "b c", True),
        ("a one|#", "a 7", True),
        ("a one|#", "a two", False),
        ("a ...", "a", True),
        ("... a", "x a", True),
        ("a ... z", "a b error z", False),
    ],
)
def test_phrases_mean_what_their_language_says(phrase: str, text: str, is_found: bool) -> None:
    """Each sign of it."""
    words = TroubleWords.from_document({"leaf": {"phrases": [phrase]}}, prefix="a.b")
    assert (words.find(Words(text), is_sure=False) is not None) is is_found
