"""
What an answered turn makes of its session's record, whatever happened to that meanwhile.

Pure, so that a store may run it as often as it takes to change the record atomically. Of turns
under way at once every one's money counts; the session goes where the last *switch* took it, and
of several turns that find no warm record the first one answered decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.binding import Binding, decode, encode
from plano_asgi.routing.sessions.turn import Turn
from plano_asgi.routing.sessions.warmth import has_drifted

MAX_FALLBACKS = 8
_LONGEST_LANE = 256  # characters


@dataclass(slots=True, kw_only=True)
class Answered:
    """
    How a turn ended well.

    ``cached_tokens``: its whole prompt, which the model's cache holds now. ``cost_usd``: of the
    request, 0 if unpriced. ``now``: Unix seconds.
    """

    model: Candidate
    cached_tokens: int
    cost_usd: float
    now: float


def settled(found: Binding | None, turn: Turn, answered: Answered) -> Binding:
    """The record after *turn*; *found* is the one before, and may be changed in place."""
    if found is None:  # the first turn, or the record expired while this one was under way
        found = decode(encode(turn.seen)) if turn.joins and turn.seen is not None else None
    if found is None:
        binding = _begun(turn, answered)
    elif turn.seen is None or found.episode != turn.seen.episode:
        binding = found  # somebody else began this episode: it stays with what they decided
    elif turn.joins:
        binding = found
        if answered.model != turn.seen.anchor_model:
            _move(binding, turn, answered.model)
        elif turn.weighed is not None:  # a switch that failed over to where it came from is none
            _refund(binding, turn.weighed.charged_usd)
    else:
        binding = _begun_again(found, turn, answered)
    _note(binding, answered)
    return binding


def released(found: Binding | None, turn: Turn) -> Binding | None:
    """The record without what *turn* had added to its sums: its call failed."""
    weighed = turn.weighed
    if found is None or weighed is None or turn.seen is None:
        return found
    if found.episode == turn.seen.episode:
        _refund(found, weighed.charged_usd)
        found.baseline_usd = max(0.0, found.baseline_usd - weighed.baseline_usd)
    return found


def _refund(binding: Binding, charged_usd: float) -> None:
    binding.switch_spend_usd = max(0.0, binding.switch_spend_usd - charged_usd)


def _begun(turn: Turn, answered: Answered) -> Binding:
    return Binding(
        anchor_model=answered.model,
        default_model=answered.model,
        requested_model=turn.session.lane[:_LONGEST_LANE],
        episode=turn.started,
        route_name=turn.route_name,
        prefix_hash=turn.session.prefix_hash,
        fallbacks=turn.route.candidates[:MAX_FALLBACKS],
    )


def _begun_again(found: Binding, turn: Turn, answered: Answered) -> Binding:
    """A new episode of a session that was cold, or whose prompt begins in another way."""
    binding = _begun(turn, answered)
    binding.session_cost_usd = found.session_cost_usd
    if turn.keeps_sums:
        binding.default_model = found.default_model
        binding.baseline_usd = found.baseline_usd
        binding.switch_spend_usd = found.switch_spend_usd
    if not has_drifted(found.prefix_hash, turn.session.prefix_hash):
        binding.history = found.history
    if binding.prefix_hash is None:
        binding.prefix_hash = found.prefix_hash
    return binding


def _move(binding: Binding, turn: Turn, model: Candidate) -> None:
    """*turn* left the model it had found: so does the session."""
    if binding.anchor_model != model:
        binding.switches += 1
    binding.anchor_model = model
    binding.route_name = turn.route_name
    binding.fallbacks = turn.route.candidates[:MAX_FALLBACKS]


def _note(binding: Binding, answered: Answered) -> None:
    binding.last_used = max(binding.last_used, answered.now)
    binding.session_cost_usd += answered.cost_usd
    if answered.cached_tokens > 0:
        binding.cached_tokens = answered.cached_tokens
    binding.record(answered.model, answered.now, binding.cached_tokens)
