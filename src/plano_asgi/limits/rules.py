"""Which limits apply to an exchange, and in whose name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TypeAlias

from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError, PlanoError
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.identities import identity_name
from plano_asgi.limits.account import Terms
from plano_asgi.pricing import prefix_of

ANYONE = "*"
_MAX_MODELS = 4_096
_LONGEST_KEPT = 2_048  # characters of what clients send: of longer names nothing is remembered

ModelOf: TypeAlias = Callable[[str | None], Candidate | None]
"""The model that a client's model name stands for, for limits that are asked before routing."""

NamesOf: TypeAlias = Callable[[Candidate], tuple[str, ...]]
"""All names that a model is configured under, at least one; first the one that is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One limit.

    Args:
        model: A model id, ``provider/model``, a configured name, or a pattern with ``*``.
        who: ``"*"``: every caller has this much. A name: this caller has. ``None``: all together.
        header: Names callers for whom no identity vouches.
        terms: How much, in the meter's unit, in which time.
        title: What the client reads.
    """

    model: str
    who: str | None
    header: str | None
    terms: Terms
    title: str

    def key(self, caller: str) -> str:
        """Where *caller*'s account is: the same for all processes, and after restarts."""
        digest = _digest if len(caller) <= _LONGEST_KEPT else _digest.__wrapped__
        return f"limit:{digest(self.model, self.who, self.header, self.terms.window.name, caller)}"

    @property
    def family(self) -> tuple[str, str | None]:
        """
        Among the rules for one model, those that name a caller take the place of those for anyone
        in the same family: of the same pattern, or of any names that are the model's.
        """
        return self.model if "*" in self.model else "", self.header


@dataclass(slots=True)
class RuleBook:
    """
    All the rules of one meter.

    Raises:
        ConfigurationError: Two rules differ in their amount only.
    """

    rules: Sequence[Rule]
    names_of: NamesOf | None = None
    _by_model: dict[Candidate | str | None, tuple[Rule, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[tuple[object, ...]] = set()
        for rule in self.rules:
            mark = (rule.model, rule.header, rule.who, rule.terms.window.name)
            if mark in seen:
                raise ConfigurationError(f"there are two limits of the kind: {rule.title}")
            seen.add(mark)

    def applying(self, exchange: Exchange, candidate: Candidate | None) -> list[tuple[Rule, str]]:
        """
        The rules for *candidate*, each with the key of the caller's account. Where nobody knows
        the model, for what the client calls it.
        """
        rules = self._matching(exchange.model if candidate is None else candidate)
        if not rules:
            return []
        identity = identity_name(exchange.identity)
        found: list[tuple[Rule, str]] = []
        named: set[tuple[str, str | None]] = set()
        for rule in rules:
            if (caller := _caller(rule, exchange, identity)) is not None:
                found.append((rule, rule.key(caller)))
                if rule.who is not None and rule.who != ANYONE:
                    named.add(rule.family)
        if not named:
            return found
        return [pair for pair in found if pair[0].who != ANYONE or pair[0].family not in named]

    def called(self, candidate: Candidate) -> tuple[str, ...]:
        """All names that *candidate* is configured under; none where nobody knows."""
        return () if self.names_of is None else self.names_of(candidate)

    def _matching(self, model: Candidate | str | None) -> tuple[Rule, ...]:
        """The rules for *model*, whoever calls."""
        if (rules := self._by_model.get(model)) is not None:
            return rules
        names = self._names(model)
        rules = tuple(rule for rule in self.rules if _matches(rule.model, names))
        if all(len(name) <= _LONGEST_KEPT for name in names):
            if len(self._by_model) >= _MAX_MODELS:  # clients may send any name
                self._by_model.clear()
            self._by_model[model] = rules
        return rules

    def _names(self, model: Candidate | str | None) -> tuple[str, ...]:
        """Whatever *model* may be called in a rule."""
        if not isinstance(model, Candidate):
            return () if model is None else (model,)
        prefixed = f"{prefix_of(model.provider)}/{model.model}"
        return model.model, model.name, prefixed, *self.called(model)


def expected_candidate(exchange: Exchange, model_of: ModelOf | None) -> Candidate | None:
    """Where *exchange* goes first: as it was routed, else as *model_of* reads its model."""
    if exchange.route is not None:
        return exchange.route.candidates[0]
    if model_of is None:
        return None
    try:
        return model_of(exchange.model)
    except PlanoError:  # said by routing, whose error it is
        return None


def _matches(pattern: str, names: Iterable[str]) -> bool:
    if "*" in pattern:
        return any(fnmatchcase(name, pattern) for name in names)
    return pattern in names


def _caller(rule: Rule, exchange: Exchange, identity: str | None) -> str | None:
    """
    Whose account it is; ``None`` where *rule* is about somebody else. An identity beats the
    header, which any client may set; those without either share one account.
    """
    if rule.who is None:
        return "all"
    name, kind = identity, "identity"
    if name is None and rule.header is not None:
        name, kind = exchange.headers.get(rule.header), "header"
    if rule.who == ANYONE:
        return f"{kind}:{name}" if name else "nobody"
    return f"{kind}:{name}" if name == rule.who else None


@lru_cache(maxsize=4_096)
def _digest(*parts: str | None) -> str:
    """Keys are short, and do not tell who somebody is."""
    return hashlib.blake2b(dumps(parts), digest_size=16).hexdigest()
