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
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from plano_asgi.errors import AmbiguousModel, ConfigurationError, ModelNotFound, RequestError
from plano_asgi.exchange import Candidate, Route
from plano_asgi.pricing import prefix_of

WILDCARD = "*"
_NO_MODEL = frozenset({"", "none"})
_LONGEST_HINTED = 128
_MAX_MEANINGS = 4096  # names remembered
MAX_NAME_CHARS = 2048
"""Of a model's name; a longer one is nobody's, and is not remembered."""
_FAMILY = re.compile(r"[a-z]{3,20}(?=-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """
    One configured model, or with *model* ``"*"`` any model, of one provider.

    Args:
        name: What clients call it; usually ``prefix/model``. Several entries of one name are
            several places for one model, tried in order.
        provider: The key under which the gateway holds the provider.
        model: The upstream's own id.
        prefix: The provider's prefix in full names.
        default: Serves requests without a (known) model.
        owned_by: In model lists.
        created: In model lists, Unix seconds.
        listed: Whether model lists show it.
    """

    name: str
    provider: str
    model: str
    prefix: str
    default: bool = False
    owned_by: str = ""
    created: int = 0
    listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One destination of an alias; *weight* is its share of the traffic, above 0."""

    model: str
    weight: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another name: one of *targets* drawn by weight, then *fallbacks* in order."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One line of a model list. *alias_of* names what an alias stands for."""

    id: str
    owned_by: str
    created: int = 0
    alias_of: str | None = None


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
        called: dict[Candidate, list[str]] = {}
        for entry in entries:
            place = Candidate(provider=entry.provider, model=entry.model)
            name = entry.prefix if entry.model == WILDCARD else entry.name
            called.setdefault(place, []).append(name)
        self._called = {place: tuple(dict.fromkeys(found)) for place, found in called.items()}
        self._prefixes = frozenset(entry.prefix for entry in entries)
        self._exact = {name: _found(found, "name") for name, found in exact.items()}
        self._bare = {
            model: {full: _found(found, "bare id") for full, found in by_name.items()}
            for model, by_name in bare.items()
        }
        self._wild = {prefix: tuple(found) for prefix, found in wild.items()}
        self._known = {prefix: tuple(known.get(prefix, ())) for prefix in self._wild}
        self._known_bare: dict[str, list[str]] = {}
        for prefix, models in self._known.items():
            for model in dict.fromkeys(models):
                self._known_bare.setdefault(model, []).append(prefix)
        self._families: dict[str, set[str]] = {}
        for model, prefixes in self._known_bare.items():
            self._families.setdefault(_family(model), set()).update(prefixes)
        self._default = _default(entries)
        self._aliases = dict(aliases)
        self._check_aliases()
        self._listed = {info.id: info for info in self._list()}
        self._meanings = lru_cache(_MAX_MEANINGS)(self._meant)

    def is_alias(self, name: str | None) -> bool:
        """Whether *name* is an alias of ours."""
        return name in self._aliases

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
        if name in self._aliases:
            candidates = tuple(dict.fromkeys(self._follow(name, rng)))
            return Route(candidates=candidates, reason=f"alias {name}")
        if name.lower() not in _NO_MODEL and (found := self._find(name)):
            return found.route
        if self._default is not None:
            return self._default.route
        if name.lower() in _NO_MODEL:
            raise RequestError(
                "Name a model: there is no default one", param="model", code="model_required"
            )
        raise ModelNotFound(name, self._near(name))

    def meant(self, name: str | None) -> tuple[str, ...]:
        """
        The names of all models that *name* may lead to: full and bare ones, of every target of an
        alias and of its fallbacks, or of the default; empty if there are none.
        """
        name = (name or "").strip()
        return self._meanings(name) if len(name) <= MAX_NAME_CHARS else self._meant(name)

    def _meant(self, name: str) -> tuple[str, ...]:
        if name in self._aliases:
            alias = self._aliases[name]
            models = [target.model for target in alias.targets] + list(alias.fallbacks)
            found = [self._find(model) for model in models]
            below = [
                meant
                for model, entry in zip(models, found, strict=True)
                if entry is None
                for meant in self.meant(model)
            ]
        else:
            found, below = [self._find(name) or self._default], []
        candidates = [c for entry in found if entry is not None for c in entry.route.candidates]
        names = [
            spelled
            for c in candidates
            for spelled in (c.name, f"{prefix_of(c.provider)}/{c.model}", c.model)
        ]
        return tuple(dict.fromkeys([*names, *below]))

    def models(self) -> list[ModelInfo]:
        """
        Every name worth showing: entries in order, wildcards spelled out by *known*, aliases.
        """
        return list(self._listed.values())

    def get(self, id: str) -> ModelInfo | None:
        """The line of one model: a listed one, or any other name that resolves to one place."""
        if id in self._listed:
            return self._listed[id]
        try:
            found = self._find(id)
        except AmbiguousModel:
            return None
        if found is None or not found.entry.listed:
            return None
        return ModelInfo(id=id, owned_by=found.entry.owned_by, created=found.entry.created)

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

    def _follow(self, name: str, rng: Callable[[], float]) -> list[Candidate]:
        """The candidates behind alias *name*; construction has seen to it that there are some."""
        alias = self._aliases[name]
        candidates: list[Candidate] = []
        for model in (_draw(alias.targets, rng), *alias.fallbacks):
            # A model comes before an alias of its name: `gpt-4o: {target: gpt-4o}` is no circle.
            found = self._find(model)
            candidates += found.route.candidates if found else self._follow(model, rng)
        return candidates

    def _near(self, name: str) -> list[str]:
        """Up to three names that look like *name*, as clients may send them."""
        if len(name) > _LONGEST_HINTED:
            return []
        spelled = {model: info_id for info_id in self._listed for model in _spellings(info_id)}
        close = difflib.get_close_matches(name, spelled, n=6, cutoff=0.6)
        return list(dict.fromkeys(spelled[match] for match in close))[:3]

    # ----------------------------------------------------------------------- construction

    def _check_aliases(self) -> None:
        for name, alias in self._aliases.items():
            if not name or not alias.targets:
                raise ConfigurationError(f"Alias '{name}' needs a name and a target")
            for target in alias.targets:
                if not (target.weight > 0 and math.isfinite(target.weight)):
                    raise ConfigurationError(
                        f"Alias '{name}': weight {target.weight} of '{target.model}' is not above 0"
                    )
        checked: set[str] = set()
        for name in self._aliases:
            self._check_reach(name, (), checked)

    def _check_reach(self, name: str, above: tuple[str, ...], checked: set[str]) -> None:
        """Alias *name*, met below the aliases *above*, leads to models everywhere."""
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise ConfigurationError(f"Aliases in a circle: {circle}")
        if name in checked:
            return
        alias = self._aliases[name]
        for model in (*(target.model for target in alias.targets), *alias.fallbacks):
            if model in self._aliases and model not in self._exact and model not in self._bare:
                self._check_reach(model, (*above, name), checked)
            else:
                self._check_target(model, name)
        checked.add(name)

    def _check_target(self, name: str, alias: str) -> None:
        try:
            found = self._find(name)
        except AmbiguousModel as exc:
            raise ConfigurationError(f"Alias '{alias}': {exc}") from None
        if found is None:
            near = difflib.get_close_matches(name, [*self._exact, *self._aliases], n=3)
            hint = f" Did you mean: {', '.join(near)}?" if near else ""
            raise ConfigurationError(f"Alias '{alias}': no provider serves '{name}'.{hint}")

    def _list(self) -> list[ModelInfo]:
        lines = [line for entry in self._entries if entry.listed for line in self._lines(entry)]
        for name, alias in self._aliases.items():
            target = alias.targets[0].model
            owner = self._owner(target)
            shown = ", ".join(target.model for target in alias.targets)
            lines.append(ModelInfo(id=name, owned_by=owner, alias_of=shown))
        unique: dict[str, ModelInfo] = {}
        for line in lines:
            if line.id not in unique or line.alias_of is not None:
                unique[line.id] = line
        return list(unique.values())

    def _lines(self, entry: ModelEntry) -> list[ModelInfo]:
        names = [entry.name]
        if entry.model == WILDCARD:
            names = [f"{entry.prefix}/{model}" for model in self._known[entry.prefix]]
        return [
            ModelInfo(id=name, owned_by=entry.owned_by, created=entry.created) for name in names
        ]

    def _owner(self, name: str) -> str:
        while name in self._aliases:
            name = self._aliases[name].targets[0].model
        found = self._find(name)
        return found.entry.owned_by if found else ""


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


def _draw(targets: tuple[Target, ...], rng: Callable[[], float]) -> str:
    if len(targets) == 1:
        return targets[0].model
    point = rng() * sum(target.weight for target in targets)
    for target in targets:
        point -= target.weight
        if point < 0:
            return target.model
    return targets[-1].model


def _family(model: str) -> str:
    """``claude`` of ``claude-opus-4-1``; "" of an id that begins otherwise, which is nobody's."""
    match = _FAMILY.match(model)
    return match[0] if match else ""


def _spellings(name: str) -> tuple[str, str]:
    """A full name, and the bare id in it."""
    return name, name.partition("/")[2] or name
