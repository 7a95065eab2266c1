"""Reversible masking through whole exchanges: the model sees placeholders, the client values."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import cuts_of, pieces
from guards.streams import DIALECTS, answer_body, answer_events, exchange_of, stream_through
from plano_asgi._json import dumps_str, loads
from plano_asgi.exchange import UNMASKS, Exchange
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.pii import PII
from plano_asgi.guards.secrets import Secrets
from plano_asgi.guards.vault import VAULT_KEY, Unmask, Vault, vault_of

EMAIL, CARD, KEY = "ann.lee@example.org", "4111 1111 1111 1111", "AKIAQ3EGRIYZ4ABCDEFG"
TEXT = f"I am {EMAIL}, my card is {CARD} and the key {KEY}."
MASKED = "I am <EMAIL_1>, my card is <CARD_1> and the key <API_KEY_1>."


def body_of(dialect: str, *texts: str) -> dict[str, Any]:
    """A request with these turns, the user's and the assistant's by turns."""
    roles = ("user", "assistant")
    turns = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return {"model": "m", "input" if dialect == "openai.responses" else "messages": turns}


def turns_of(body: dict[str, Any]) -> list[str]:
    """The texts of the turns."""
    return [turn["content"] for turn in body.get("messages") or body["input"]]


async def masked(dialect: str, *texts: str, **changes: Any) -> Exchange:
    """An exchange whose request went through both guards."""
    exchange = exchange_of(dialect, body=body_of(dialect, *texts), **changes)
    await GuardChain([PII(mode="mask"), Secrets(mode="mask")])(exchange)
    return exchange


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_model_sees_placeholders_only(dialect: str) -> None:
    """Every value of the request is gone, and one step puts them all back."""
    exchange = await masked(dialect, TEXT)
    assert turns_of(exchange.body) == [MASKED]
    ranks = [step.rank for step in exchange.response_filters if isinstance(step, Unmask)]
    assert ranks == [UNMASKS]


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_client_sees_values_only(dialect: str) -> None:
    """Text and a tool's arguments, in pieces of every size, and a whole body."""
    for step in (1, 2, 5, 200):
        exchange = await masked(dialect, TEXT)
        arguments = dumps_str({"to": "<EMAIL_1>", "note": 'a "<email_1>" \\<CARD\\_1\\>'})
        events = answer_events(
            dialect,
            pieces(MASKED, range(0, 200, step)),
            pieces(arguments, range(0, 200, step)),
        )
        client = await stream_through(exchange.response_filters, events, exchange)
        assert client.content == TEXT
        assert loads(client.arguments) == {"to": EMAIL, "note": f'a "{EMAIL}" {CARD}'}
        assert set(client.repeated) <= {TEXT}
    exchange = await masked(dialect, TEXT, stream=False)
    answer = answer_body(dialect, MASKED)
    for filter_ in exchange.response_filters:
        answer = await filter_.on_body(answer, exchange)
    assert answer == answer_body(dialect, TEXT)


@pytest.mark.anyio
async def test_errors_are_unmasked_too() -> None:
    """An upstream that echoes the request in its error says what the client said."""
    exchange = await masked("openai.chat", TEXT, stream=False)
    error = {"error": {"message": "cannot read '<EMAIL_1>'", "type": "invalid_request_error"}}
    for step in exchange.response_filters:
        error = await step.on_body(error, exchange)
    assert error["error"]["message"] == f"cannot read '{EMAIL}'"


@pytest.mark.anyio
async def test_a_replayed_conversation_has_the_same_placeholders() -> None:
    """Stateless clients replay values; numbers are the same as long as turns are appended."""
    first = await masked("openai.chat", TEXT)
    other = "and b@example.org?"
    second = await masked("openai.chat", TEXT, f"Noted: {EMAIL}.", other)
    assert turns_of(second.body)[:1] == turns_of(first.body)
    assert turns_of(second.body)[1:] == ["Noted: <EMAIL_1>.", "and <EMAIL_2>?"]


@pytest.mark.anyio
async def test_a_keyed_vault_survives_a_trimmed_history() -> None:
    """With a key, a value's name does not depend on what came before."""

    async def last_turn(*texts: str) -> str:
        exchange = exchange_of("openai.chat", body=body_of("openai.chat", *texts))
        exchange.state[VAULT_KEY] = Vault(key=b"tenant 1" * 4)
        await GuardChain([PII(mode="mask")])(exchange)
        return turns_of(exchange.body)[-1]

    assert await last_turn("x@example.org", "ok", EMAIL) == await last_turn(EMAIL)


@pytest.mark.anyio
async def test_a_placeholder_that_the_user_wrote_stays() -> None:
    """It is not unmasked into a value of somebody else's, nor given to one."""
    exchange = await masked("openai.chat", f"in <EMAIL_1> and <API_KEY_1>, put {EMAIL} and {KEY}")
    assert turns_of(exchange.body) == [
        "in <EMAIL_1> and <API_KEY_1>, put <EMAIL_2> and <API_KEY_2>"
    ]
    events = answer_events("openai.chat", ["<EMAIL_1> is <EMAIL_2>"])
    client = await stream_through(exchange.response_filters, events, exchange)
    assert client.content == f"<EMAIL_1> is {EMAIL}"


@pytest.mark.anyio
async def test_nothing_masked_nothing_registered() -> None:
    """An exchange without values is relayed as it came."""
    exchange = await masked("openai.chat", "hello")
    assert exchange.response_filters == []
    assert not exchange.is_changed


@pytest.mark.anyio
@pytest.mark.parametrize(("answers", "expected"), [("pass", "new@x.org"), ("redact", "[EMAIL]")])
async def test_new_values_of_the_model(answers: Any, expected: str) -> None:
    """What the model itself brings passes, or is redacted; the user's own comes back."""
    exchange = exchange_of("openai.chat", body=body_of("openai.chat", TEXT))
    await GuardChain([PII(mode="mask", answers=answers)])(exchange)
    events = answer_events("openai.chat", ["ask new@", "x.org, not <EMA", "IL_1>"])
    client = await stream_through(exchange.response_filters, events, exchange)
    assert client.content == f"ask {expected}, not {EMAIL}"


@pytest.mark.anyio
async def test_report_only_changes_nothing() -> None:
    """A trial run audits, and neither masks nor unmasks."""
    exchange = exchange_of("openai.chat", body=body_of("openai.chat", TEXT))
    await GuardChain([PII(mode="mask", report_only=True)])(exchange)
    assert turns_of(exchange.body) == [TEXT]
    assert not any(isinstance(step, Unmask) for step in exchange.response_filters)
    assert [audit.status for audit in exchange.audits] == ["redacted"]


@pytest.mark.anyio
async def test_what_is_kept_holds_no_values() -> None:
    """Scrubbers take placeholders and values alike out of what outlives the exchange."""
    exchange = await masked("openai.chat", TEXT)
    text = f"{TEXT} {MASKED} new@x.org"
    for scrub in exchange.scrubbers:
        text = scrub(text)
    assert EMAIL not in text
    assert "_1" not in text
    assert text.endswith("[EMAIL]")


@pytest.mark.anyio
async def test_exchanges_share_nothing() -> None:
    """Each has a vault of its own."""
    one, two = await masked("openai.chat", TEXT), await masked("openai.chat", "c@d.org")
    assert vault_of(one) is not vault_of(two)
    assert vault_of(two).values == {"EMAIL_1": "c@d.org"}


@given(
    st.lists(
        st.sampled_from([EMAIL, CARD, "c@d.org", "and ", "<EMAIL_1>", "EMAIL_", "&lt;", "_ "])
    ),
    cuts_of(size=120),
)
def test_masked_and_unmasked_is_as_it_was(parts: list[str], cuts: Sequence[int]) -> None:
    """Whatever the text and the cuts: what the model repeats comes out as it went in."""
    import anyio

    text = " ".join(parts)

    async def run() -> None:
        exchange = await masked("openai.chat", text)
        said = copy.copy(turns_of(exchange.body)[0])
        assert "@" not in said
        events = answer_events("openai.chat", pieces(said, cuts) or [""])
        client = await stream_through(exchange.response_filters, events, exchange)
        assert client.content == text

    anyio.run(run)
