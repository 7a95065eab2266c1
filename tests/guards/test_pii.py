"""Personal data: what is found, what is left alone, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_every_cut, assert_law5, assert_law5_json, cuts_of, texts
from guards.pii_samples import NEGATIVES, POSITIVES
from guards.streams import exchange_of
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.pii import PII
from plano_asgi.guards.pii_rules import KINDS, LONGEST, undecided
from plano_asgi.guards.redaction import redact_text

EXCHANGE = exchange_of("openai.chat")
ALL = PII(kinds=KINDS, private_ips=True).matcher(EXCHANGE, "answer")
DEFAULT = PII().matcher(EXCHANGE, "answer")


def found(text: str, matcher: Matcher = DEFAULT) -> list[str]:
    """The values found."""
    return [text[match.start : match.end] for match in matcher.find(text)]


@pytest.mark.parametrize(("kind", "text", "value"), POSITIVES)
def test_finds(kind: str, text: str, value: str) -> None:
    """Exactly the value is replaced, by its kind."""
    redacted, matches = redact_text(text, DEFAULT)
    assert redacted == text.replace(value, f"[{kind.upper()}]")
    assert [match.rule.partition(".")[0] for match in matches] == [kind]


@pytest.mark.parametrize("text", NEGATIVES)
def test_leaves_alone(text: str) -> None:
    """Versions, dates, prices, identifiers and code are no personal data."""
    assert found(text) == []


@pytest.mark.parametrize(
    "wallet",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ],
)
def test_wallets_only_if_asked_for(wallet: str) -> None:
    """Wallet addresses are checked, and looked for only by name."""
    assert found(wallet) == []
    assert found(f"pay {wallet}.", ALL) == [wallet]
    assert found(f"pay {wallet[:-2]}77." if wallet[0] != "0" else wallet[:-1], ALL) == []


def test_private_addresses_only_if_asked_for() -> None:
    """Addresses of nobody outside are left alone by default."""
    text = "192.168.1.1, 10.0.0.8, fe80::1:2:3, 8.8.4.4"
    assert found(text) == ["8.8.4.4"]
    assert found(text, ALL) == ["192.168.1.1", "10.0.0.8", "fe80::1:2:3", "8.8.4.4"]


def test_several_in_one_text() -> None:
    """Values next to each other are each found; a word stands for what follows it only."""
    text = "tel 5551234567, a@b.org; 4111111111111111 DE89370400440532013000"
    assert redact_text(text, DEFAULT)[0] == "tel [PHONE], [EMAIL]; [CARD] [IBAN]"


def test_chosen_kinds() -> None:
    """Only what was asked for is looked for."""
    matcher = PII(kinds=["card"]).matcher(EXCHANGE, "answer")
    assert found("a@b.org 4111111111111111", matcher) == ["4111111111111111"]
    matcher = PII(kinds=["email"]).matcher(EXCHANGE, "answer")
    assert found("a@b.org 4111111111111111", matcher) == ["a@b.org"]


def test_allowed_values() -> None:
    """Literals in any case, and regexes that match the whole value."""
    guard = PII(allow=["Support@example.org", re.compile(r".*@example\.com")])
    text = "support@example.org x@example.com x@example.com.evil.org"
    assert found(text, guard.matcher(EXCHANGE, "answer")) == ["x@example.com.evil.org"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kinds": ["e-mail"]}, "unknown kinds"),
        ({"kinds": "email"}, "list of kinds"),
        ({"kinds": []}, "nothing"),
        ({"mode": "hide"}, "mode"),
        ({"answers": "x"}, "answers"),
        ({"allow": "a@b.org"}, "allow"),
        ({"allow": [7]}, "allow"),
        ({"mode": "mask", "new_only": True}, "new_only"),
        ({"recogniser_kinds": ["full name"]}, "recogniser_kinds"),
        ({"recogniser_chars": 0}, "recogniser_chars"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], says: str) -> None:
    """What cannot work is refused at once, and said."""
    with pytest.raises(ConfigurationError, match=says):
        PII(**options)


# -- streams --------------------------------------------------------------------------------------

FRAGMENTS = [text for _, text, _ in POSITIVES] + ["May 3, ", "version ", "00", "+49", "(0)"]


@given(texts(*FRAGMENTS), cuts_of())
def test_law5(text: str, cuts: Sequence[int]) -> None:
    """Streamed redaction is exact, for any text and any cuts."""
    assert_law5(ALL, text, cuts)
    assert_law5_json(ALL, text, cuts)


@given(st.text("0123456789 .-+()/:@aAB,x", max_size=60), cuts_of(size=60))
def test_law5_on_numbers(text: str, cuts: Sequence[int]) -> None:
    """The same for what looks most like numbers."""
    assert_law5(ALL, text, cuts)


@pytest.mark.parametrize(("kind", "text", "value"), POSITIVES)
def test_law5_on_every_cut(kind: str, text: str, value: str) -> None:
    """Every single cut of every example."""
    assert_every_cut(DEFAULT, f"So: {text} - and then, on 3 May, more")


@given(texts(*FRAGMENTS, most=4), texts(*FRAGMENTS, most=3))
def test_settled_values_stay(text: str, more: str) -> None:
    """The matcher's contract: no continuation changes what is settled, nor crosses it."""
    edge = ALL.settled(text)
    before = [match for match in ALL.find(text) if match.start < edge]
    assert [match for match in ALL.find(text + more) if match.start < edge] == before
    assert all(match.end <= edge for match in before)


def test_prose_is_held_by_a_word() -> None:
    """Text without candidates waits for the end of its last word, no longer."""
    text = "The quick brown fox jumps over"
    assert undecided(text, 0) == text.rindex("over")
    assert undecided(f"{text} ", 0) == len(text) + 1
    assert undecided("see 020 7946", 0) == len("see ")


def test_the_longest_value_is_shorter_than_what_is_held() -> None:
    """No value, with what is looked at behind it, is longer than ``LONGEST``."""
    email = f"{'a' * 64}@{'b' * 61}.{'c' * 18}"
    assert found(email) == [email]
    assert len(email) + 2 < LONGEST


@pytest.mark.parametrize(
    "piece",
    ["1 ", "1", "a@", "@", "a.", "4111 ", "+1", "0 0 ", "AA00 ", "tel ", "May 1, ", "1.1.", "a:"],
)
def test_hostile_repetitions_stay_linear(piece: str) -> None:
    """Nothing takes quadratic time; a test that hangs fails by its time limit."""
    DEFAULT.find(piece * (200_000 // len(piece)))


# -- as a guard -----------------------------------------------------------------------------------


def asking(*texts: str, **changes: Any) -> Exchange:
    """A chat request with these user turns."""
    messages = [{"role": "user", "content": text} for text in texts]
    return exchange_of("openai.chat", body={"model": "m", "messages": messages}, **changes)


def asked(exchange: Exchange) -> list[str]:
    """What the model would be asked."""
    return [message["content"] for message in exchange.body["messages"]]


@pytest.mark.anyio
async def test_redacts_a_request() -> None:
    """Values are replaced by their kinds; the rest of the body stays."""
    exchange = asking("mail a@b.org", "and 4111111111111111?")
    await GuardChain([PII()])(exchange)
    assert asked(exchange) == ["mail [EMAIL]", "and [CARD]?"]
    assert [(a.guard, a.status, a.rule) for a in exchange.audits if a.side == "request"] == [
        ("pii", "redacted", "email,card")
    ]


async def names(text: str) -> list[tuple[int, int, str]]:
    """A recogniser that knows two names, one place, and finds much else."""
    entities = [
        (found.start(), found.end(), kind)
        for name, kind in (("Ann Lee", "person"), ("12 Elm Rd", "address"), ("Ann", "date"))
        for found in re.finditer(name, text)
    ]
    return [*entities, (-5, 2, "person"), (0, 10_000, "person"), (3, 3, "person")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("redact", "[PERSON] of [ADDRESS], [EMAIL]"),
        ("mask", "<PERSON_1> of <ADDRESS_1>, <EMAIL_1>"),
    ],
)
async def test_a_recogniser_finds_names(mode: Any, expected: str) -> None:
    """Kinds on its list count, whatever else it says does not."""
    exchange = asking("Ann Lee of 12 Elm Rd, a@b.org")
    await GuardChain([PII(mode=mode, recogniser=names)])(exchange)
    assert asked(exchange) == [expected]


@pytest.mark.anyio
async def test_a_recogniser_gets_pieces_cut_at_white_space() -> None:
    """Long texts are given in bounded pieces, and found values are where they are."""
    seen: list[str] = []

    async def recogniser(text: str) -> list[tuple[int, int, str]]:
        seen.append(text)
        return await names(text)

    exchange = asking("xxxxxxxx yyy Ann Lee zz Ann Lee " + "w" * 30)
    guard = PII(recogniser=recogniser, recogniser_chars=20, allow=["ann lee"])
    await GuardChain([guard])(exchange)
    assert all(len(text) <= 20 for text in seen)
    assert "".join(seen) == asked(exchange)[0]


@pytest.mark.anyio
async def test_a_recogniser_is_not_asked_about_json() -> None:
    """Arguments of an earlier call are no prose; rules look at them all the same."""
    call = {"name": "f", "arguments": '{"who": "Ann Lee", "mail": "a@b.org"}'}
    turn = {"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": call}]}
    exchange = exchange_of("openai.chat", body={"model": "m", "messages": [turn]})
    await GuardChain([PII(recogniser=names)])(exchange)
    assert call["arguments"] == '{"who": "Ann Lee", "mail": "[EMAIL]"}'


@pytest.mark.anyio
async def test_a_recogniser_can_block() -> None:
    """In mode "block" a name ends the exchange."""
    exchange = asking("Ann Lee")
    with pytest.raises(Exception, match="blocked"):
        await GuardChain([PII(mode="block", recogniser=names)])(exchange)
    assert exchange.audits[-1].rule == "person"


@pytest.mark.anyio
async def test_a_recogniser_does_not_replace_what_rules_found() -> None:
    """Where both find something, the rule's kind stands."""

    async def recogniser(text: str) -> list[tuple[int, int, str]]:
        return [(0, len(text), "person")]

    exchange = asking("a@b.org")
    await GuardChain([PII(recogniser=recogniser)])(exchange)
    assert asked(exchange) == ["[EMAIL]"]
