"""
From the name a client sends to the models that may serve it.

In this order: alias, full name (``openai/gpt-4o``, or an entry's own name), wildcard
(``openai/*`` serves ``openai/anything``), bare model id (``gpt-4o``) where one provider serves it,
bare id that one wildcard provider is known to serve, or whose family is its alone (``claude-...``),
default entry. A prefix is taken at its word: ``anthropic/gpt-4o`` never means somebody else's
``gpt-4o``.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from plano_asgi.errors import AmbiguousModel, ConfigurationError, ModelNotFound, RequestError
from plano_asgi.exchange import Candidate, Route
from plano_asgi.pricing import prefix_of
from plano_asgi.routing.aliases import Aliases, draw
from plano_asgi.routing.entries import WILDCARD, Alias, ModelEntry, Target
from plano_asgi.routing.model_list import ModelInfo, ModelList

__all__ = [
    "MAX_NAME_CHARS",
    "WILDCARD",
    "Alias",
    "ModelEntry",
    "ModelInfo",
    "Names",
    "Target",
]

_NO_MODEL = frozenset({"", "none"})
_MAX_MEANINGS = 4096  # names remembered
MAX_NAME_CHARS = 2048
"""Of a model's name; a longer one is nobody's, and is not remembered."""
_FAMILY = re.compile(r"[a-z]{3,20}(?=-)")


@dataclass(frozen=True, slots=True)
class _Found:
    route: Route
    entry: ModelEntry


class Names:
    """
    All names of one gateway. Look-ups are dictionary look-ups.

    Args:
        entries: In order of preference.
        aliases: Name -> alias. An alias hides a model of the same name.
        known: Prefix -> model ids that its wildcard is known to serve; for lists and bare ids.

    Raises:
        ConfigurationError: An alias without targets, with a weight that is not above 0, with an
            unknown target or in a circle; two defaults; a wildcard as default.
    """

    def __init__(
        self,
        entries: Sequence[ModelEntry],
        aliases: Mapping[str, Alias] = MappingProxyType({}),
        known: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        exact: dict[str, list[ModelEntry]] = {}
        bare: dict[str, dict[str, list[ModelEntry]]] = {}
        wild: dict[str, list[ModelEntry]] = {}
        for entry in entries:
            if entry.model == WILDCARD:
                wild.setdefault(entry.prefix, []).append(entry)
                continue
            full = f"{entry.prefix}/{entry.model}"
            for name in dict.fromkeys((entry.name, full)):
                exact.setdefault(name, []).append(entry)
            bare.setdefault(entry.model, {}).setdefault(full, []).append(entry)
        self._entries = tuple(entries)
        self._called = _called(entries)
        self._prefixes = frozenset(entry.prefix for entry in entries)
        self._exact = {name: _found(found, "name") for name, found in exact.items()}
        self._bare = {
            model: {full: _found(found, "bare id") for full, found in by_name.items()}
            for model, by_name in bare.items()
        }
        self._wild = {prefix: tuple(found) for prefix, found in wild.items()}
        listed = {prefix: tuple(known.get(prefix, ())) for prefix in self._wild}
        self._known_bare = _served_by(listed)
        self._families: dict[str, set[str]] = {}
        for model, prefixes in self._known_bare.items():
            self._families.setdefault(_family(model), set()).update(prefixes)
        self._default = _default(entries)
        self._aliases = Aliases(aliases, is_model=self._is_configured)
        self._aliases.check(self._check_target)
        self._list = ModelList(entries, self._aliases, listed, self._entry)
        self._meanings = lru_cache(_MAX_MEANINGS)(self._meant)

    def is_alias(self, name: str | None) -> bool:
        """Whether *name* is an alias of ours."""
        return self._aliases.get(name) is not None

    def serves(self, candidate: Candidate) -> bool:
        """Whether *candidate* is (still) configured, by its own name or a wildcard's."""
        return any(
            entry.provider == candidate.provider and entry.model in (candidate.model, "*")
            for entry in self._entries
        )

    def name_of(self, candidate: Candidate) -> str:
        """
        What clients may call *candidate*: its entry's own name, or ``prefix/model`` of a wildcard.
        The key of a provider is no prefix where there are two accounts at it.
        """
        return self.names_of(candidate)[0]

    def names_of(self, candidate: Candidate) -> tuple[str, ...]:
        """All names that *candidate* is configured under; first the one of ``name_of``."""
        if (names := self._called.get(candidate)) is not None:
            return names
        prefixes = self._called.get(Candidate(provider=candidate.provider, model=WILDCARD), ())
        return tuple(f"{prefix}/{candidate.model}" for prefix in prefixes) or (candidate.name,)

    def resolve(self, name: str | None, *, rng: Callable[[], float] = random.random) -> Route:
        """
        The candidates for *name*, best first.

        Args:
            name: As the client sent it. ``None``, ``""`` and ``"none"`` ask for the default.
            rng: Uniform over [0, 1), for weighted targets.

        Raises:
            ModelNotFound: Nobody serves it and there is no default; names near matches.
            AmbiguousModel: A bare id of several providers; lists their full names.
            RequestError: No model was named and there is no default.
        """
        name = (name or "").strip()
        if (alias := self._aliases.get(name)) is not None:
            candidates = tuple(dict.fromkeys(self._follow(alias, rng)))
            return Route(candidates=candidates, reason=f"alias {name}")
        if name.lower() not in _NO_MODEL and (found := self._find(name)):
            return found.route
        if self._default is not None:
            return self._default.route
        if name.lower() in _NO_MODEL:
            raise RequestError(
                "Name a model: there is no default one", param="model", code="model_required"
            )
        raise ModelNotFound(name, self._list.near(name))

    def meant(self, name: str | None) -> tuple[str, ...]:
        """
        All names of all models that *name* may lead to, of every target of an alias and of its
        fallbacks, or of the default; empty if there are none. Of each: by its account's key, by its
        prefix, the bare id, and what it is configured under.
        """
        name = (name or "").strip()
        return self._meanings(name) if len(name) <= MAX_NAME_CHARS else self._meant(name)

    def _meant(self, name: str) -> tuple[str, ...]:
        if (alias := self._aliases.get(name)) is not None:
            return self._meant_by(alias)
        try:
            return self._spelled(self._find(name) or self._default)
        except AmbiguousModel:  # a rule may still decide
            wild = (self._by_wildcard(each, name, "") for each in self._known_bare.get(name, ()))
            every = self._bare.get(name, {}).values() or wild
            return tuple(dict.fromkeys(told for found in every for told in self._spelled(found)))

    def _meant_by(self, alias: Alias) -> tuple[str, ...]:
        names: list[str] = []
        for model in alias.models:
            below = self._aliases.behind(model)
            names += self._spelled(self._find(model)) if below is None else self._meant_by(below)
        return tuple(dict.fromkeys(names))

    def _spelled(self, found: _Found | None) -> tuple[str, ...]:
        candidates = () if found is None else found.route.candidates
        names = [
            spelled
            for c in candidates
            for spelled in (c.name, f"{prefix_of(c.provider)}/{c.model}", c.model)
        ]
        names += (spelled for c in candidates for spelled in self.names_of(c))
        return tuple(dict.fromkeys(names))

    def models(self) -> list[ModelInfo]:
        """
        Every name worth showing: entries in order, wildcards spelled out by *known*, aliases.
        """
        return self._list.lines()

    def get(self, id: str) -> ModelInfo | None:
        """The line of one model: a listed one, or any other name that resolves to one place."""
        try:
            return self._list.get(id)
        except AmbiguousModel:
            return None

    # ----------------------------------------------------------------------- look-up

    def _find(self, name: str) -> _Found | None:
        """What *name* means without aliases and default."""
        if found := self._exact.get(name):
            return found
        prefix, slash, rest = name.partition("/")
        if slash and prefix in self._prefixes:
            return self._by_wildcard(prefix, rest, f"wildcard {prefix}/*")
        if by_name := self._bare.get(name):
            if len(by_name) > 1:
                raise _ambiguous(name, by_name)
            return next(iter(by_name.values()))
        if prefixes := self._known_bare.get(name):
            if len(prefixes) > 1:
                raise _ambiguous(name, [f"{prefix}/{name}" for prefix in prefixes])
            return self._by_wildcard(prefixes[0], name, "known id")
        # A model newer than the list: `claude-...` is Anthropic's where nobody else has such ids.
        family = _family(name)
        likely = self._families.get(family, set()) if family and not slash else set()
        if len(likely) == 1:
            return self._by_wildcard(next(iter(likely)), name, "known family")
        return None

    def _by_wildcard(self, prefix: str, model: str, reason: str) -> _Found | None:
        entries = self._wild.get(prefix)
        if entries is None or model in ("", WILDCARD):
            return None
        candidates = [Candidate(provider=entry.provider, model=model) for entry in entries]
        route = Route(candidates=tuple(dict.fromkeys(candidates)), reason=reason)
        return _Found(route, entries[0])

    def _follow(self, alias: Alias, rng: Callable[[], float]) -> list[Candidate]:
        """The candidates behind *alias*; construction has seen to it that there are some."""
        candidates: list[Candidate] = []
        for model in (draw(alias.targets, rng), *alias.fallbacks):
            if (below := self._aliases.behind(model)) is not None:
                candidates += self._follow(below, rng)
            elif (found := self._find(model)) is not None:
                candidates += found.route.candidates
        return candidates

    def _entry(self, name: str) -> ModelEntry | None:
        found = self._find(name)
        return None if found is None else found.entry

    # ----------------------------------------------------------------------- construction

    def _is_configured(self, name: str) -> bool:
        """Whether *name* is that of an entry; not, whether it can be guessed whose it is."""
        if name in self._exact or name in self._bare:
            return True
        prefix, _, model = name.partition("/")
        return prefix in self._wild and model not in ("", WILDCARD)

    def _check_target(self, name: str) -> None:
        try:
            found = self._find(name)
        except AmbiguousModel as exc:
            raise ConfigurationError(str(exc)) from None
        if found is None:
            known = [*self._exact, *(alias for alias, _ in self._aliases.items())]
            near = difflib.get_close_matches(name, known, n=3)
            hint = f" Did you mean: {', '.join(near)}?" if near else ""
            raise ConfigurationError(f"no provider serves '{name}'.{hint}")


def _called(entries: Sequence[ModelEntry]) -> dict[Candidate, tuple[str, ...]]:
    """The names that each place is configured under; of a wildcard, its prefixes."""
    called: dict[Candidate, list[str]] = {}
    for entry in entries:
        place = Candidate(provider=entry.provider, model=entry.model)
        name = entry.prefix if entry.model == WILDCARD else entry.name
        called.setdefault(place, []).append(name)
    return {place: tuple(dict.fromkeys(found)) for place, found in called.items()}


def _served_by(known: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Model id -> the prefixes whose wildcard is known to serve it."""
    found: dict[str, list[str]] = {}
    for prefix, models in known.items():
        for model in dict.fromkeys(models):
            found.setdefault(model, []).append(prefix)
    return found


def _found(entries: Sequence[ModelEntry], reason: str) -> _Found:
    candidates = [Candidate(provider=entry.provider, model=entry.model) for entry in entries]
    route = Route(candidates=tuple(dict.fromkeys(candidates)), reason=reason)
    return _Found(route, entries[0])


def _default(entries: Sequence[ModelEntry]) -> _Found | None:
    chosen = [entry for entry in entries if entry.default]
    if any(entry.model == WILDCARD for entry in chosen):
        raise ConfigurationError("A wildcard cannot be the default model: it names none")
    if len(names := {entry.name for entry in chosen}) > 1:
        raise ConfigurationError(f"More than one default model: {', '.join(sorted(names))}")
    if not chosen:
        return None
    return _found([entry for entry in entries if entry.name == chosen[0].name], "default")


def _ambiguous(name: str, choices: Sequence[str] | Mapping[str, object]) -> AmbiguousModel:
    return AmbiguousModel(
        f"Several providers serve '{name}': name one of {', '.join(choices)}", param="model"
    )


def _family(model: str) -> str:
    """``claude`` of ``claude-opus-4-1``; "" of an id that begins otherwise, which is nobody's."""
    match = _FAMILY.match(model)
    return match[0] if match else ""
