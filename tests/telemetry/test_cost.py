"""What exchanges cost, and what they used where nobody has counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import chat_exchange, exchange_of
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from plano_asgi.exchange import Candidate
from plano_asgi.pricing import Price, Prices, Rates
from plano_asgi.telemetry import Telemetry
from plano_asgi.telemetry.cost import CostBook, format_cost

RATES = Rates(input=2, output=10, cache_read=0.2, cache_write=2.5, reasoning=20)
LARGE = Rates(input=4, output=20, per_request=0.5)
PRICES = Prices({"a/m": Price(rates=RATES, tiers=((1_000, LARGE),))}, bundled=False)
MILLION = 1_000_000


def said(*parts: Part, usage: Usage | None = None) -> ChatResponse:
    """An answer of one choice."""
    return ChatResponse(model="m", choices=[Choice(parts=list(parts))], usage=usage)


def test_each_kind_of_token_has_its_price() -> None:
    """Cached input, cache writes and reasoning are not plain input and output."""
    usage = Usage(
        input_tokens=1_000,
        output_tokens=50,
        cache_read_input_tokens=600,
        cache_creation_input_tokens=100,
        reasoning_output_tokens=20,
    )
    cost = CostBook(PRICES).cost("a", "m", usage)
    assert cost is not None
    assert cost.input_usd == pytest.approx((300 * 2 + 600 * 0.2 + 100 * 2.5) / MILLION)
    assert cost.output_usd == pytest.approx((30 * 10 + 20 * 20) / MILLION)
    assert not cost.is_estimated


def test_larger_requests_and_requests_themselves_have_prices() -> None:
    """A tier counts for every token; what a request costs by itself is input's."""
    usage = Usage(input_tokens=2_000, output_tokens=100, estimated=True)
    cost = CostBook(PRICES).cost("a", "m", usage)
    assert cost is not None
    assert cost.input_usd == pytest.approx(2_000 * 4 / MILLION + 0.5)
    assert cost.output_usd == pytest.approx(100 * 20 / MILLION)
    assert cost.is_estimated


counts = st.integers(0, 5_000)


@given(counts, counts, counts, counts, counts)
def test_both_sides_add_up_to_the_price_of_all(
    plain: int, output: int, read: int, written: int, thought: int
) -> None:
    """Whatever was used."""
    usage = Usage(
        input_tokens=plain + read + written,
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        reasoning_output_tokens=min(thought, output),
    )
    cost = CostBook(PRICES).cost("a", "m", usage)
    if not (usage.input_tokens or output):
        assert cost is None
        return
    assert cost is not None
    assert cost.total_usd == pytest.approx(PRICES.usd("a", "m", usage))
    assert min(cost.input_usd, cost.output_usd) >= 0


@pytest.mark.parametrize(
    ("prices", "model", "usage"),
    [
        pytest.param(None, "m", Usage(input_tokens=1), id="no prices"),
        pytest.param(PRICES, "other", Usage(input_tokens=1), id="unknown model"),
        pytest.param(PRICES, "m", None, id="no usage"),
        pytest.param(PRICES, "m", Usage(), id="nothing used"),
    ],
)
def test_without_a_price_or_use_there_is_no_cost(
    prices: Prices | None, model: str, usage: Usage | None
) -> None:
    """It is not told as zero: nobody knows."""
    assert CostBook(prices).cost("a", model, usage) is None


@pytest.mark.parametrize(
    "part",
    [
        TextPart(text="four score and seven"),
        RefusalPart(text="four score and seven"),
        ReasoningPart(text="four score and seven"),
        ToolCallPart(id="a", name="four", arguments=" score and seven"),
    ],
)
def test_what_was_produced_is_counted(part: Part) -> None:
    """Text, refusals, thoughts and calls; the request as input."""
    book = CostBook(PRICES)
    short, long = chat_exchange("Hi"), chat_exchange("Hi" * 400)
    usage, more = (book.estimated_usage(e, said(part)) for e in (short, long))
    assert usage is not None
    assert more is not None
    assert (usage.output_tokens, usage.estimated) == (5, True)
    assert 0 < usage.input_tokens < more.input_tokens - 190


@pytest.mark.parametrize("answer", [None, ChatResponse(), said()])
def test_an_error_that_produced_nothing_used_nothing(answer: ChatResponse | None) -> None:
    """Nobody is charged for a 500."""
    assert CostBook(PRICES).estimated_usage(chat_exchange(), answer) is None


def test_what_was_reported_before_a_cut_counts() -> None:
    """An Anthropic stream tells its input at its beginning, and one token of output."""
    raw = {"cache_creation": {"ephemeral_1h_input_tokens": 3}}
    reported = Usage(input_tokens=500, output_tokens=1, cache_read_input_tokens=400, raw=raw)
    usage = CostBook(PRICES).estimated_usage(
        chat_exchange(), said(TextPart(text="x" * 400)), reported=reported
    )
    assert usage == Usage(
        input_tokens=500,
        output_tokens=100,
        cache_read_input_tokens=400,
        estimated=True,
        raw=raw,
    )
    counted = Usage(input_tokens=5, output_tokens=900)
    usage = CostBook(PRICES).estimated_usage(chat_exchange(), said(), reported=counted)
    assert usage == Usage(input_tokens=5, output_tokens=900, estimated=True)
    nothing = Usage(output_tokens=1)
    usage = CostBook(PRICES).estimated_usage(chat_exchange("x" * 400), None, reported=nothing)
    assert usage is not None
    assert usage.input_tokens >= 100


@pytest.mark.parametrize("body", [{}, {"messages": 3}, {"input": ["a" * 400]}])
def test_a_body_that_is_no_chat_counts_by_its_size(body: dict[str, Any]) -> None:
    """A rough figure, and no error."""
    exchange = exchange_of("openai.chat", body)
    usage = CostBook(PRICES).estimated_usage(exchange, said(TextPart(text="a")))
    assert usage is not None
    assert usage.input_tokens >= 1


def test_tokens_may_be_counted_by_others() -> None:
    """A tokenizer of one's own, for both sides."""

    def count(request: ChatRequest) -> int:
        return 4 + sum(len(message.text.split()) for message in request.messages)

    book = CostBook(PRICES, count_tokens=count)
    usage = book.estimated_usage(chat_exchange("one two three"), said(TextPart(text="four five")))
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (7, 2)


def test_the_header_tells_the_sum_or_nothing() -> None:
    """A model without a price has no header."""
    telemetry, usage = Telemetry(prices=PRICES), Usage(input_tokens=100, output_tokens=10)
    assert telemetry.told(Candidate(provider="a", model="m"), usage) == "0.0003"
    assert telemetry.told(Candidate(provider="a", model="other"), usage) == ""


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.000123, "0.000123"),
        (0.0, "0.0"),
        (1.5, "1.5"),
        (12.0, "12.0"),
        (2e-8, "0.00000002"),
        (1e-12, "0.0"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_a_cost_is_told_in_plain_digits(usd: float, text: str) -> None:
    """No exponent, and enough digits for one cheap token."""
    assert format_cost(usd) == text
