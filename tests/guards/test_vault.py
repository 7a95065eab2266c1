"""The vault: the same value, the same placeholder; a placeholder in any spelling, its value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.vault import Vault

KEY = bytes(range(32))


def test_same_value_same_placeholder() -> None:
    """Numbers follow first appearance; each kind counts for itself."""
    vault = Vault()
    assert vault.mask("EMAIL", "a@b.org") == "<EMAIL_1>"
    assert vault.mask("EMAIL", "c@d.org") == "<EMAIL_2>"
    assert vault.mask("PHONE", "+1 212 555 0100") == "<PHONE_1>"
    assert vault.mask("EMAIL", "a@b.org") == "<EMAIL_1>"
    assert vault.holds("EMAIL", "a@b.org")
    assert not vault.holds("PHONE", "a@b.org")
    assert len(vault) == 3


@pytest.mark.parametrize(
    "spelling",
    [
        "<EMAIL_1>",
        "<email_1>",
        "< EMAIL_1 >",
        "EMAIL_1",
        "EMAIL\\_1",
        "<EMAIL\\_1>",
        "\\<EMAIL\\_1\\>",
        "&lt;EMAIL_1&gt;",
        "\\u003cEMAIL_1\\u003e",
        "%3CEMAIL_1%3E",
        "&LT;Email_1&GT;",
    ],
)
def test_spellings_that_models_produce(spelling: str) -> None:
    """Brackets escaped, lost or spaced, lower case, a Markdown backslash: all are found."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    assert vault.unmask(f"**{spelling}**, ({spelling}).") == "**a@b.org**, (a@b.org)."


@pytest.mark.parametrize(
    "text",
    [
        "<EMAIL_2>",
        "EMAIL_12",
        "MY_EMAIL_1",
        "EMAIL_1_x",
        "email_1",
        "<EMAIL>",
        "EMAIL",
        "<PHONE_1>",
    ],
)
def test_what_was_not_issued_stays(text: str) -> None:
    """Other numbers, longer names, a variable in lower case: nobody's placeholder."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    assert vault.unmask(text) == text


def test_escaped_brackets_escape_the_value() -> None:
    """In a URL the value is percent-encoded, in JSON inside a text it is escaped as JSON."""
    vault = Vault()
    vault.mask("NAME", 'a "b"')
    assert vault.unmask("x?q=%3CNAME_1%3E") == "x?q=a%20%22b%22"
    assert vault.unmask('{"x": "\\u003cNAME_1\\u003e"}') == '{"x": "a \\"b\\""}'


def test_a_literal_placeholder_is_never_issued_nor_replaced() -> None:
    """Text that only looks like one keeps its name; the number is passed over."""
    vault = Vault()
    vault.reserve(["the template says <EMAIL_1> and EMAIL\\_2", "nothing"])
    assert vault.mask("EMAIL", "a@b.org") == "<EMAIL_3>"
    assert vault.unmask("<EMAIL_1>, EMAIL_2, <EMAIL_3>") == "<EMAIL_1>, EMAIL_2, a@b.org"


def test_a_value_that_looks_like_a_placeholder_is_not_unmasked_twice() -> None:
    """One pass: what was put in is not looked at again."""
    vault = Vault()
    vault.mask("NAME", "<NAME_2>")
    vault.mask("NAME", "x")
    assert vault.unmask("<NAME_1>") == "<NAME_2>"


def test_keyed_names_do_not_depend_on_order() -> None:
    """The same key and value give the same name, whatever came before; another key another."""
    one, two = Vault(key=KEY), Vault(key=KEY)
    two.mask("EMAIL", "other@b.org")
    name = one.mask("EMAIL", "a@b.org")
    assert two.mask("EMAIL", "a@b.org") == name
    assert Vault(key=KEY[::-1]).mask("EMAIL", "a@b.org") != name
    assert one.unmask(f"write to {name.upper()}") == "write to a@b.org"


def test_keyed_names_grow_on_collision() -> None:
    """Where a short name is taken, a longer one is issued."""
    name = Vault(key=KEY).mask("EMAIL", "a@b.org")
    vault = Vault(key=KEY)
    vault.reserve([name])
    longer = vault.mask("EMAIL", "a@b.org")
    assert longer != name
    assert longer.startswith(name[:-1])
    assert vault.unmask(f"{name} {longer}") == f"{name} a@b.org"


def test_a_full_vault_redacts_for_good() -> None:
    """Past the bound nothing is kept, and nothing leaks."""
    vault = Vault(max_values=1)
    vault.mask("EMAIL", "a@b.org")
    assert vault.mask("EMAIL", "c@d.org") == "[EMAIL]"
    assert vault.mask("EMAIL", "a@b.org") == "<EMAIL_1>"


def test_repr_hides_values() -> None:
    """Neither values nor names are shown."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    assert repr(vault) == "Vault(1 values)"


def test_values_are_read_only() -> None:
    """What is held can be looked at, not changed."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    assert vault.values == {"EMAIL_1": "a@b.org"}
    with pytest.raises(TypeError):
        vault.values["EMAIL_1"] = "x"  # type: ignore[index]


@pytest.mark.parametrize("kind", ["email", "E", "E-MAIL", "", "A" * 25])
def test_kinds_are_checked(kind: str) -> None:
    """A kind that could not be found again in an answer is refused."""
    with pytest.raises(ConfigurationError, match="kind"):
        Vault().mask(kind, "x")


def test_arguments_are_checked() -> None:
    """Short keys and empty vaults are refused."""
    with pytest.raises(ConfigurationError, match="16 bytes"):
        Vault(key=b"short")
    with pytest.raises(ConfigurationError, match="max_values"):
        Vault(max_values=0)


def test_sealed_and_opened_again() -> None:
    """What was dumped holds on, and counting goes on after it; the bytes show nothing."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    vault.mask("EMAIL", "c@d.org")
    sealed = vault.dump(KEY)
    assert b"a@b" not in sealed
    again = Vault()
    again.load(sealed, KEY)
    assert again.mask("EMAIL", "c@d.org") == "<EMAIL_2>"
    assert again.mask("EMAIL", "new@d.org") == "<EMAIL_3>"
    with pytest.raises(ConfigurationError, match="holds values"):
        again.load(sealed, KEY)


def test_keyed_vaults_are_sealed_too() -> None:
    """Names out of a key survive, and need the key only for new values."""
    vault = Vault(key=KEY)
    name = vault.mask("EMAIL", "a@b.org")
    again = Vault(key=KEY)
    again.load(vault.dump(KEY), KEY)
    assert again.unmask(name) == "a@b.org"


@pytest.mark.parametrize("damage", ["key", "byte", "short"])
def test_what_was_not_sealed_so_is_refused(damage: str) -> None:
    """Another key, a changed byte, a cut: a ``ValueError``, never wrong values."""
    sealed = Vault().dump(KEY)
    key = KEY[::-1] if damage == "key" else KEY
    data = {"byte": sealed[:-1] + bytes([sealed[-1] ^ 1]), "short": sealed[:5]}.get(damage, sealed)
    with pytest.raises(ValueError, match="not a vault"):
        Vault().load(data, key)


SPOKEN = st.lists(
    st.sampled_from(
        [
            "<EMAIL_1>",
            "EMAIL_1",
            "&lt;",
            "<",
            ">",
            "EMAIL",
            "_",
            "\\",
            "1",
            "2",
            " ",
            "a",
            "email_1",
            "\\u003c",
            "%3C",
            "&gt;",
            "<EMAIL_2",
            "X",
            "\n",
            "<email\\_2>",
        ]
    ),
    max_size=8,
).map("".join)


@given(SPOKEN, SPOKEN)
def test_settled_matches_stay(text: str, more: str) -> None:
    """No continuation changes what was found before the settled point, nor crosses it."""
    vault = Vault()
    vault.mask("EMAIL", "a@b.org")
    vault.mask("EMAIL", "c@d.org")
    matcher = vault.unmask_matcher()
    edge = matcher.settled(text)
    before = [match for match in matcher.find(text) if match.start < edge]
    assert [match for match in matcher.find(text + more) if match.start < edge] == before
    assert all(match.end <= edge for match in before)
