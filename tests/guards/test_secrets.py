"""Secrets: what is found, what is left alone, and how it streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_every_cut, assert_law5, assert_law5_json, cuts_of, pieces, texts
from guards.pii_samples import NEGATIVES, NO_SECRETS, PEM, SECRETS, drawn, jwt
from guards.streams import exchange_of
from plano_asgi.errors import ConfigurationError, ContentBlocked
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.holdback import Holdback
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.secret_rules import PREFIXES, entropy, undecided
from plano_asgi.guards.secrets import Secrets

MATCHER = Secrets().matcher(exchange_of("openai.chat"), "answer")


@pytest.mark.parametrize(("kind", "text", "value"), SECRETS)
def test_finds(kind: str, text: str, value: str) -> None:
    """Exactly the secret is replaced, by its kind; the words around it stay."""
    redacted, matches = redact_text(text, MATCHER)
    assert redacted == text.replace(value, f"[{kind.upper()}]")
    assert [match.rule.partition(".")[0] for match in matches] == [kind]


@pytest.mark.parametrize("text", [*NO_SECRETS, *NEGATIVES])
def test_leaves_alone(text: str) -> None:
    """Documentation, code, hashes and identifiers hold no secrets."""
    assert redact_text(text, MATCHER)[0] == text


def test_prefixes_count_at_the_beginning_of_a_word_only() -> None:
    """A prefix in the midst of letters is none; random base64 has all of them."""
    key = "ghp_" + drawn(36)
    assert redact_text(f"x{key}", MATCHER)[0] == f"x{key}"
    assert redact_text(f"({key})", MATCHER)[0] == "([API_KEY])"


def test_an_issuer_is_told_by_the_whole_prefix() -> None:
    """No prefix hides another, longer one of the same first letters."""
    assert len(set(PREFIXES)) == len(PREFIXES)
    assert redact_text("sk-ant-api03-" + drawn(95) + " x", MATCHER)[0] == "[API_KEY] x"


@pytest.mark.parametrize("header", ['{"typ":"JWT"}', '{"alg":1}', '{"alg":"HS256"', '{"alg"\xff}'])
def test_a_token_whose_header_is_none_is_no_jwt(header: str) -> None:
    """Other dotted base64 stays."""
    token = jwt(header)
    assert redact_text(token, MATCHER)[0] == token


def test_encrypted_and_cut_off_keys() -> None:
    """Headers of an old form, other labels, and a key whose end was not copied."""
    body = drawn(64)
    headed = f"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,1\n\n{body}\n"
    for text in (headed, headed + "-----END EC PRIVATE KEY-----"):
        assert redact_text(text, MATCHER)[0] == "[PRIVATE_KEY]"
    escaped = PEM.replace("\n", "\\n")
    assert redact_text(f'"{escaped}"', MATCHER)[0] == '"[PRIVATE_KEY]"'


def test_chosen_kinds() -> None:
    """Only what was asked for is looked for."""
    matcher = Secrets(kinds=["password"]).matcher(exchange_of("openai.chat"), "answer")
    text = "password=Hunter2!x ghp_" + drawn(36)
    assert redact_text(text, matcher)[0] == text.replace("Hunter2!x", "[PASSWORD]")
    with pytest.raises(ConfigurationError, match="unknown kinds"):
        Secrets(kinds=["passwords"])


def test_entropy() -> None:
    """In bits per character."""
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


# -- streams --------------------------------------------------------------------------------------

FRAGMENTS = [
    *(text for _, text, _ in SECRETS),
    "password=",
    "token is ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "://u:",
    "@host",
    "sk-",
    "Bearer ",
]


@given(texts(*FRAGMENTS), cuts_of())
def test_law5(text: str, cuts: Sequence[int]) -> None:
    """Streamed redaction is exact, for any text and any cuts."""
    assert_law5(MATCHER, text, cuts)
    assert_law5_json(MATCHER, text, cuts)


@given(st.lists(st.sampled_from([*PREFIXES, *FRAGMENTS, drawn(70), "x" * 60, " "])), cuts_of())
def test_law5_on_long_words(parts: list[str], cuts: Sequence[int]) -> None:
    """The same where words are longer than what is mostly held."""
    assert_law5(MATCHER, "".join(parts), cuts)


@pytest.mark.parametrize(("kind", "text", "value"), SECRETS)
def test_law5_in_small_pieces(kind: str, text: str, value: str) -> None:
    """Every example, a few characters at a time; the short ones at every cut."""
    for step in (1, 3, 7):
        assert_law5(MATCHER, f"{text} .", range(0, len(text) + 2, step))
    if len(text) < 80:
        assert_every_cut(MATCHER, text)


def test_a_prefix_does_not_hide_the_word_inside_of_it() -> None:
    """What names a secret may begin in the midst of something else."""
    text = "AGE-SECRET-KEY-1x https://example.org/" + "a1" * 40
    assert_law5(MATCHER, text, range(60, len(text)))


def test_prose_is_held_by_a_word() -> None:
    """Text without candidates waits for the end of its last word, a long one for 64 characters."""
    assert undecided("The secret of it", 0) == len("The secret of ")
    assert undecided("a" * 500, 0) == 500 - 64
    assert undecided("sk-" + "a" * 500, 0) == 0


def test_a_certificate_is_not_held() -> None:
    """Only what may become a private key is held to its end."""
    text = "-----BEGIN CERTIFICATE-----\nMIIB and more\n"
    assert undecided(text, 0) == len(text)
    text = "-----BEGIN PRIVATE KEY-----\nMIIB and more\n"
    assert undecided(text, 0) == 0


def test_a_key_that_never_ends_is_let_go() -> None:
    """What is held is bounded, and the beginning of the key is gone all the same."""
    held = Holdback(MATCHER)
    text = "-----BEGIN PRIVATE KEY-----\n" + f"{drawn(64)}\n" * 500
    out = "".join(held.feed(piece) for piece in pieces(text, range(0, len(text), 500)))
    assert out.startswith("[PRIVATE_KEY]")


@pytest.mark.parametrize(
    "piece",
    [
        "sk-",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "password=",
        "token ",
        "Bearer ",
        "a1",
        "M" * 24 + ".",
        "12345678:AA",
        "AKIA",
        "token is ",
        "hvs.",
        "password: x ",
        "/ghp_",
    ],
)
def test_hostile_repetitions_stay_linear(piece: str) -> None:
    """Nothing takes quadratic time; a test that hangs fails by its time limit."""
    MATCHER.find(piece * (200_000 // len(piece)))


# -- as a guard -----------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["redact", "block", "mask"])
async def test_a_users_key_reaches_no_model(mode: Any) -> None:
    """What users write is looked through, in every mode."""
    key = "ghp_" + drawn(36)
    body = {"model": "m", "messages": [{"role": "user", "content": f"is {key} valid?"}]}
    exchange = exchange_of("openai.chat", body=body)
    if mode == "block":
        with pytest.raises(ContentBlocked):
            await GuardChain([Secrets(mode=mode)])(exchange)
        return
    await GuardChain([Secrets(mode=mode)])(exchange)
    left = "[API_KEY]" if mode == "redact" else "<API_KEY_1>"
    assert exchange.body["messages"][0]["content"] == f"is {left} valid?"
