"""The record of a session."""

from __future__ import annotations

import pytest

from plano_asgi._json import dumps
from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.binding import MAX_HISTORY, Binding, Visit, decode, encode

A, B = Candidate(provider="a", model="m/1"), Candidate(provider="b", model="m")


def test_every_field_survives() -> None:
    """Writing and reading keeps all of it, prefix hashes of 64 bits too."""
    binding = Binding(
        anchor_model=A,
        default_model=B,
        requested_model="a/m/1",
        episode=12.25,
        last_used=1_700_000_000.5,
        route_name="code",
        prefix_hash=2**64 - 1,
        cached_tokens=12_345,
        baseline_usd=1.25,
        switch_spend_usd=0.5,
        switches=3,
        session_cost_usd=2.5,
        fallbacks=(A, B),
        history=[Visit(A, 1.0, 2), Visit(B, 3.0, 4)],
    )
    assert decode(encode(binding)) == binding


def test_defaults_survive() -> None:
    """A record with nothing but a model."""
    binding = Binding(anchor_model=A, default_model=A)
    assert decode(encode(binding)) == binding


def test_old_record_has_its_anchor_for_default() -> None:
    """One without a default model."""
    read = decode(dumps({"anchor_model": ["a", "m/1"], "default_model": ""}))
    assert read == Binding(anchor_model=A, default_model=A)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"anchor_model":"a/m"}',
        b'{"anchor_model":["a"]}',
        b'{"anchor_model":["a",1]}',
        b'{"anchor_model":["a","m"],"switches":"x"}',
        b'{"anchor_model":["a","m"],"history":[["a","m"]]}',
        b'{"anchor_model":["a","m"],"history":7}',
    ],
)
def test_what_cannot_be_read_is_none(data: bytes | None) -> None:
    """A session then begins anew."""
    assert decode(data) is None


def test_history_holds_the_latest_models() -> None:
    """Up to its bound; the model used longest ago leaves."""
    binding = Binding(anchor_model=A, default_model=A)
    models = [Candidate(provider="a", model=str(n)) for n in range(MAX_HISTORY + 1)]
    for n, model in enumerate(models[:MAX_HISTORY]):
        binding.record(model, float(n), n)
    binding.record(models[0], 100.0, 7)
    assert len(binding.history) == MAX_HISTORY
    binding.record(models[MAX_HISTORY], 101.0, 8)
    assert binding.visit(models[1]) is None
    assert binding.visit(models[0]) == Visit(models[0], 100.0, 7)
    assert len(binding.history) == MAX_HISTORY
