"""
What a turn makes of its session's record, whatever happened to that meanwhile.

Pure, so that a store may run it as often as it takes to change the record atomically. Of turns
under way at once every one's money counts; the session goes where the last *switch* took it, and
of several turns that find no warm record the first one that is being answered decides.

A turn that takes its session somewhere *opens* the record before its answer's first byte goes out,
so that the next turn finds it, however fast. Its end settles the record, or takes that back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nextafter

from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions.binding import Binding
from plano_asgi.routing.sessions.turn import Turn
from plano_asgi.routing.sessions.warmth import has_drifted

MAX_FALLBACKS = 8
_LONGEST_LANE = 256  # characters


@dataclass(slots=True)
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


def opened(found: Binding | None, turn: Turn, model: Candidate, now: float) -> Binding | None:
    """
    The record once *model* is answering *turn*; ``None`` where that takes the session nowhere, or
    somebody else was first. *found* is the one before, and may be changed in place.
    """
    binding = _led(_joined(found, turn), turn, model)
    if binding is not None:
        binding.last_used = max(binding.last_used, now)
        binding.opened_by = turn.mark
    return binding


def settled(found: Binding | None, turn: Turn, answered: Answered) -> Binding:
    """The record after *turn*; *found* is the one before, and may be changed in place."""
    found = _joined(found, turn)
    binding = None if turn.is_open else _led(found, turn, answered.model)
    weighed = turn.weighed
    if weighed is not None and found is not None and _is_of(turn, found):
        found.baseline_usd += weighed.baseline_usd
        if weighed.charged_usd and binding is None and not turn.is_open:
            _refund(found, weighed.charged_usd)  # it failed over to where it came from
    if binding is None:
        assert found is not None  # else the turn led
        binding = found
    _note(binding, answered)
    return binding


def released(found: Binding | None, turn: Turn) -> Binding | None:
    """
    The record without what *turn* had made of it: its call failed. Where another turn has been
    answered since, only its money is given back.
    """
    if found is None:
        return None
    if turn.mark and found.opened_by == turn.mark:
        before = turn.before
        if before is None or before.episode != found.episode:
            return before
        found = replace(
            before, baseline_usd=found.baseline_usd, switch_spend_usd=found.switch_spend_usd
        )
    if turn.weighed is not None and _is_of(turn, found):
        _refund(found, turn.weighed.charged_usd)
    return found


def _joined(found: Binding | None, turn: Turn) -> Binding | None:
    """The record that *turn* goes on with; its own where that expired, or was taken back."""
    seen = turn.seen
    if seen is not None and turn.joins and (found is None or found.episode < seen.episode):
        return seen.copy()
    return found


def _is_of(turn: Turn, binding: Binding) -> bool:
    """Whether *binding* is of the episode that *turn* saw."""
    return turn.seen is not None and turn.seen.episode == binding.episode


def _led(found: Binding | None, turn: Turn, model: Candidate) -> Binding | None:
    """The record where *turn* takes it, with *model*; ``None``: it stays where it is."""
    if found is None:
        return _begun(turn, model)
    if turn.seen is None or not _is_of(turn, found):
        return None  # somebody else began this episode: it stays with what they decided
    if not turn.joins:
        return _begun_again(found, turn, model)
    if model == turn.seen.anchor_model:
        return None
    _move(found, turn, model)
    return found


def _refund(binding: Binding, charged_usd: float) -> None:
    binding.switch_spend_usd = max(0.0, binding.switch_spend_usd - charged_usd)


def _begun(turn: Turn, model: Candidate) -> Binding:
    return Binding(
        anchor_model=model,
        default_model=model,
        requested_model=turn.session.lane[:_LONGEST_LANE],
        episode=turn.started,
        route_name=turn.route_name,
        prefix_hash=turn.session.prefix_hash,
        fallbacks=turn.route.candidates[:MAX_FALLBACKS],
    )


def _begun_again(found: Binding, turn: Turn, model: Candidate) -> Binding:
    """A new episode of a session that was cold, or whose prompt begins in another way."""
    binding = _begun(turn, model)
    binding.episode = max(turn.started, nextafter(found.episode, inf))  # clocks differ
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
    binding.opened_by = ""
    binding.last_used = max(binding.last_used, answered.now)
    binding.session_cost_usd += answered.cost_usd
    if answered.cached_tokens > 0:
        binding.cached_tokens = answered.cached_tokens
    binding.record(answered.model, answered.now, binding.cached_tokens)
