"""
What is kept of a session: the model it is bound to, and what leaving it has cost so far.

Kept as JSON. Bytes that are no binding are none: a session then begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.exchange import Candidate

MAX_HISTORY = 8
"""Models whose cached prompt is remembered."""


class Visit(NamedTuple):
    """When a model last had the conversation (Unix seconds), and how much of it (tokens)."""

    model: Candidate
    last_used: float
    cached_tokens: int


@dataclass(slots=True, kw_only=True)
class Binding:
    """
    One session's record.

    ``anchor_model`` served its latest turn, ``default_model`` would have served all of this
    episode had nobody switched; ``fallbacks`` are the decision's other candidates.
    An ``episode`` lasts while its prompt cache is warm; its id is when it began.
    ``baseline_usd`` is what reading the cached prompt would have cost without a switch,
    ``switch_spend_usd`` what switches cost more, those of turns under way too; both of this
    episode.
    ``opened_by`` marks the turn that brought the session here, until an answer confirms it.
    """

    anchor_model: Candidate
    default_model: Candidate
    requested_model: str = ""
    episode: float = 0.0
    last_used: float = 0.0
    route_name: str | None = None
    prefix_hash: int | None = None
    cached_tokens: int = 0
    baseline_usd: float = 0.0
    switch_spend_usd: float = 0.0
    switches: int = 0
    session_cost_usd: float = 0.0
    fallbacks: tuple[Candidate, ...] = ()
    history: list[Visit] = field(default_factory=list)
    opened_by: str = ""

    def record(self, model: Candidate, now: float, cached_tokens: int) -> None:
        """*model* has the conversation now; past the bound the one used longest ago is left out."""
        latest = Visit(model, now, cached_tokens)
        for place, visit in enumerate(self.history):
            if visit.model == model:
                self.history[place] = latest
                return
        self.history.append(latest)
        if len(self.history) > MAX_HISTORY:
            self.history.remove(min(self.history, key=lambda visit: visit.last_used))

    def copy(self) -> Binding:
        """Another one that says the same."""
        # Field by field: a call with as many names takes seven times as long.
        copy = object.__new__(Binding)
        copy.anchor_model = self.anchor_model
        copy.default_model = self.default_model
        copy.requested_model = self.requested_model
        copy.episode = self.episode
        copy.last_used = self.last_used
        copy.route_name = self.route_name
        copy.prefix_hash = self.prefix_hash
        copy.cached_tokens = self.cached_tokens
        copy.baseline_usd = self.baseline_usd
        copy.switch_spend_usd = self.switch_spend_usd
        copy.switches = self.switches
        copy.session_cost_usd = self.session_cost_usd
        copy.fallbacks = self.fallbacks
        copy.history = self.history.copy()
        copy.opened_by = self.opened_by
        return copy

    def visit(self, model: Candidate) -> Visit | None:
        """The last one of *model*."""
        return next((visit for visit in self.history if visit.model == model), None)


_NUMBERS = attrgetter(
    "episode",
    "last_used",
    "cached_tokens",
    "baseline_usd",
    "switch_spend_usd",
    "switches",
    "session_cost_usd",
)
_NUMERIC = frozenset((int, float))


def encode(binding: Binding) -> bytes:
    """*binding* as JSON."""
    written: JSONObject = {
        "episode": binding.episode,
        "last_used": binding.last_used,
        "cached_tokens": binding.cached_tokens,
        "baseline_usd": binding.baseline_usd,
        "session_cost_usd": binding.session_cost_usd,
        "requested_model": binding.requested_model,
        "anchor_model": tuple(binding.anchor_model),
    }
    if binding.default_model != binding.anchor_model:
        written["default_model"] = tuple(binding.default_model)
    if binding.switches:
        written["switches"] = binding.switches
    if binding.switch_spend_usd:
        written["switch_spend_usd"] = binding.switch_spend_usd
    if binding.route_name is not None:
        written["route_name"] = binding.route_name
    if binding.prefix_hash is not None:
        written["prefix_hash"] = binding.prefix_hash
    if binding.fallbacks:
        written["fallbacks"] = list(map(tuple, binding.fallbacks))
    if binding.history:
        written["history"] = [
            (*model, last_used, cached_tokens)
            for model, last_used, cached_tokens in binding.history
        ]
    if binding.opened_by:
        written["opened_by"] = binding.opened_by
    return dumps(written)


def decode(data: bytes | None) -> Binding | None:
    """The binding in *data*; ``None`` if there is none, or none that can be read."""
    if data is None:
        return None
    try:
        return _binding(loads(data))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _binding(read: JSONObject) -> Binding:
    # Field by field: ``**read`` takes twice the time, for its keys are not the program's own texts.
    said, anchor = read.get, read["anchor_model"]
    binding = Binding(
        anchor_model=_candidate(*anchor),
        default_model=_candidate(*(said("default_model") or anchor)),
        requested_model=said("requested_model", ""),
        episode=said("episode", 0.0),
        last_used=said("last_used", 0.0),
        route_name=said("route_name"),
        prefix_hash=said("prefix_hash"),
        cached_tokens=said("cached_tokens", 0),
        baseline_usd=said("baseline_usd", 0.0),
        switch_spend_usd=said("switch_spend_usd", 0.0),
        switches=said("switches", 0),
        session_cost_usd=said("session_cost_usd", 0.0),
        fallbacks=tuple([_candidate(*pair) for pair in said("fallbacks", ())]),
        history=[
            Visit(_candidate(provider, model), float(last_used), int(tokens))
            for provider, model, last_used, tokens in said("history", ())[:MAX_HISTORY]
        ],
        opened_by=said("opened_by", ""),
    )
    if not _NUMERIC.issuperset(map(type, _NUMBERS(binding))):
        raise TypeError("not a number")
    if not isinstance(binding.route_name, str | None):
        raise TypeError("not a name")
    return binding


@lru_cache(maxsize=1024)
def _candidate(provider: str, model: str) -> Candidate:
    """The same few models stand in every record."""
    if isinstance(provider, str) and isinstance(model, str):
        return Candidate(provider=provider, model=model)
    raise TypeError("not a model")
