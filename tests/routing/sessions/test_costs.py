"""What turns and switches cost."""

from __future__ import annotations

import pytest

from exchanges import exchange_of
from plano_asgi.conversation import Usage
from plano_asgi.routing.metric_sources.base import Rates
from plano_asgi.routing.sessions.costs import (
    context_tokens,
    request_cost,
    switch_cost,
    turn_baseline,
)


@pytest.mark.parametrize(
    ("tokens", "warm", "anchor_cached", "candidate", "cached", "expected"),
    [
        (100_000, 0, 1.5, 1.0, 0.1, -0.05),
        (100_000, 0, 1.5, 2.0, 0.5, 0.05),
        (150_000, 0, 0.3, 5.0, 0.5, 0.705),
        (100_000, 90_000, 0.3, 2.0, 0.5, 0.035),
        (100_000, 0, 0.3, 2.0, 0.5, 0.17),
        (2_000, 0, 0.3, 5.0, 0.5, 0.0094),
        (100_000, 200_000, 0.3, 2.0, 0.5, 0.02),
    ],
)
def test_switch_cost(
    tokens: int,
    warm: int,
    anchor_cached: float,
    candidate: float,
    cached: float,
    expected: float,
) -> None:
    """The new model's reading of the prompt, less the old one's from its cache."""
    here = Rates(input=3.0, output=0.0, cached=anchor_cached)
    there = Rates(input=candidate, output=99.0, cached=cached)
    cost = switch_cost(tokens, warm, anchor=here, candidate=there, discount=0.1)
    assert cost == pytest.approx(expected)


def test_switch_cost_is_linear() -> None:
    """Twice the context, twice the cost."""
    here, there = Rates(input=3, output=0, cached=0.3), Rates(input=5, output=0)
    once, twice = (
        switch_cost(tokens, 0, anchor=here, candidate=there, discount=0.1)
        for tokens in (2_000, 4_000)
    )
    assert twice == pytest.approx(2 * once)


def test_turn_baseline() -> None:
    """The cached prompt at the default model, published or discounted."""
    published, not_published = Rates(input=3, output=0, cached=0.3), Rates(input=4, output=0)
    assert turn_baseline(100_000, published, discount=0.5) == pytest.approx(0.03)
    assert turn_baseline(100_000, not_published, discount=0.5) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("usage", "cached", "expected"),
    [
        pytest.param(
            Usage(input_tokens=1000, cache_read_input_tokens=400, output_tokens=200),
            0.30,
            (1920e-6, 3000e-6),
            id="OpenAI: 1000 of which 400 cached",
        ),
        pytest.param(
            Usage(
                input_tokens=150,  # Anthropic's 100, 30 read and 20 written
                cache_read_input_tokens=30,
                cache_creation_input_tokens=20,
            ),
            None,
            (369e-6, 0.0),
            id="Anthropic: 100, 30 read, 20 written",
        ),
        pytest.param(
            Usage(input_tokens=10, cache_read_input_tokens=50),
            0.30,
            (3e-6, 0.0),
            id="never below zero",
        ),
    ],
)
def test_request_cost(usage: Usage, cached: float | None, expected: tuple[float, float]) -> None:
    """Cached tokens are part of the input, for every dialect."""
    rates = Rates(input=3.0, output=15.0, cached=cached)
    assert request_cost(usage, rates, discount=0.1) == pytest.approx(expected)


def test_context_knows_what_other_apis_carry() -> None:
    """A document's text counts; a server tool's item is its API's own affair."""
    blocks = [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "d" * 40},
        },
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": blocks}]}
    assert context_tokens(exchange_of("anthropic.messages", body).request) == 10


def test_context_counts_texts_calls_and_tools() -> None:
    """A quarter of the bytes of what the model reads; pictures count nothing."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"q":"12"}'}}
    tool = {"name": "look", "description": "l" * 10, "parameters": {}}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "é" * 10},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "r" * 20},
        ],
        "tools": [{"type": "function", "function": tool}],
    }
    size = 20 + (4 + 10) + 20 + (4 + 10 + 2)
    assert context_tokens(exchange_of("openai.chat", body).request) == size // 4
