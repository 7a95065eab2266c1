"""
What one part of a configuration says about another: references, duplicates, what needs what.

Works on the plain document, so that these problems are reported together with those of shape; a
part of the wrong shape is passed over here, the schema speaks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from plano_asgi.config.document import Document, mappings, text_at, texts, value_at
from plano_asgi.config.issues import Finding, Place, listed, near

BUILT_IN_MODELS = frozenset({"plano/echo"})
"""Models that are always there."""

Rule = Callable[[Document], Iterator[Finding]]
"""A check over a whole document, migrated and expanded."""


class Models:
    """Every name by which ``model_providers`` can be called."""

    def __init__(self, document: Document) -> None:
        self._names: dict[str, set[str]] = {name: {name} for name in BUILT_IN_MODELS}
        self._bare: dict[str, set[str]] = {}
        self._prefixes: set[str] = set()
        for _, entry in mappings(document.get("model_providers")):
            self._add(text_at(entry, "model"), text_at(entry, "name"))

    def _add(self, model: str, name: str) -> None:
        if "/" not in model:
            return
        if model.endswith("/*"):
            self._prefixes.add(model.removesuffix("*"))
            if name:
                self._prefixes.add(f"{name.removesuffix('/*')}/")
            return
        for key in filter(None, (name, model)):
            self._names.setdefault(key, set()).add(model)
        self._bare.setdefault(model.partition("/")[2], set()).add(model)

    def find(self, name: str) -> set[str]:
        """The full names *name* may mean: none unknown, one fine, more ambiguous."""
        if found := self._names.get(name) or self._bare.get(name):
            return found
        wild = any(name.startswith(prefix) and name != prefix for prefix in self._prefixes)
        return {name} if wild else set()

    @property
    def names(self) -> set[str]:
        """Everything that can be written, wildcards as ``openai/*``."""
        return {*self._names, *self._bare, *(f"{prefix}*" for prefix in self._prefixes)}


def check_references(document: Document) -> Iterator[Finding]:
    """Everything wrong between the parts of *document*."""
    for rule in RULES:
        yield from rule(document)


def _model_reference(
    name: str, place: Place, models: Models, aliases: dict[str, Any]
) -> Iterator[Finding]:
    found = models.find(name)
    if len(found) > 1:
        yield Finding(place, f"is served by several providers: write one of {listed(found)}")
    elif not found and name not in aliases:
        known = models.names | aliases.keys()
        hint = near(name, known) or f"; configured: {_few(models.names)}"
        yield Finding(place, f"is no configured model{hint}")


def _few(names: set[str]) -> str:
    shown = sorted(names)[:8]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _aliases(document: Document) -> dict[str, Any]:
    value = document.get("model_aliases")
    return value if isinstance(value, dict) else {}


def _alias_references(alias: Any) -> Iterator[tuple[Place, str]]:
    """Where and what an alias points to, targets before fallbacks."""
    if not isinstance(alias, dict):
        return
    if target := text_at(alias, "target"):
        yield ("target",), target
    for index, item in mappings(alias.get("targets")):
        if model := text_at(item, "model"):
            yield ("targets", index, "model"), model
    for index, name in texts(alias.get("fallbacks")):
        yield ("fallbacks", index), name.strip()


def check_aliases(document: Document) -> Iterator[Finding]:
    """Aliases end at models; a configured model comes before an alias of the same name."""
    models, aliases = Models(document), _aliases(document)
    edges: dict[str, list[tuple[Place, str]]] = {}
    for name, alias in aliases.items():
        for at, target in _alias_references(alias):
            place = ("model_aliases", name, *at)
            yield from _model_reference(target, place, models, aliases)
            if target in aliases and not models.find(target):
                edges.setdefault(name, []).append((place, target))
    yield from _cycles(edges)


def _cycles(edges: dict[str, list[tuple[Place, str]]]) -> Iterator[Finding]:
    """Each reference through which an alias comes back to itself."""
    for name, links in edges.items():
        for place, target in links:
            seen: set[str] = set()
            todo = [target]
            while todo:
                if (here := todo.pop()) in seen:
                    continue
                seen.add(here)
                todo.extend(after for _, after in edges.get(here, ()))
            if name in seen:
                yield Finding(place, "leads back to this alias")


def check_preferences(document: Document) -> Iterator[Finding]:
    """Preference names are unique, their models exist, rankings have data to rank by."""
    models, aliases = Models(document), _aliases(document)
    sources = {
        text_at(source, "type") for _, source in mappings(document.get("model_metrics_sources"))
    }
    seen: dict[str, int] = {}
    for index, preference in mappings(document.get("routing_preferences")):
        place: Place = ("routing_preferences", index)
        name = text_at(preference, "name")
        if name and seen.setdefault(name, index) != index:
            yield Finding((*place, "name"), f"is the name of routing_preferences.{seen[name]} too")
        for position, model in texts(preference.get("models")):
            yield from _model_reference(model, (*place, "models", position), models, aliases)
        _, prefer = value_at(preference, ("selection_policy", "prefer"))
        needed = {"cheapest": "cost", "fastest": "latency"}.get(str(prefer))
        if needed and needed not in sources:
            message = f"needs a source of type '{needed}' in model_metrics_sources"
            yield Finding((*place, "selection_policy", "prefer"), message)


def check_metrics(document: Document) -> Iterator[Finding]:
    """One source of each type; a budget needs prices, where none are installed."""
    seen: dict[str, int] = {}
    for index, source in mappings(document.get("model_metrics_sources")):
        kind = text_at(source, "type")
        if kind and seen.setdefault(kind, index) != index:
            message = f"model_metrics_sources.{seen[kind]} is of this type already"
            yield Finding(("model_metrics_sources", index, "type"), message)
    budget, value = value_at(document, ("routing", "routing_budget"))
    if budget and value is not None and "cost" not in seen and not find_spec("genai_prices"):
        message = (
            "needs a source of type 'cost' in model_metrics_sources, or 'plano-asgi[prices]',"
            " which has prices"
        )
        yield Finding(("routing", "routing_budget"), message, show=False)


def check_services(document: Document) -> Iterator[Finding]:
    """Agents and filters share one set of ids."""
    seen: dict[str, str] = {}
    for key in ("agents", "filters"):
        for index, entry in mappings(document.get(key)):
            ident = text_at(entry, "id")
            if ident in seen:
                yield Finding((key, index, "id"), f"is the id of {seen[ident]} too")
            elif ident:
                seen[ident] = f"{key}.{index}"


def _service_ids(document: Document) -> set[str]:
    return {
        ident
        for key in ("agents", "filters")
        for _, entry in mappings(document.get(key))
        if (ident := text_at(entry, "id"))
    }


def check_listeners(document: Document) -> Iterator[Finding]:
    """One model listener; names and ports are unique; agents and filters exist."""
    listeners = list(mappings(document.get("listeners")))
    known = _service_ids(document)
    models = [index for index, listener in listeners if listener.get("type") == "model"]
    for index in models[1:]:
        message = f"listeners.{models[0]} is the model listener already; there can be only one"
        yield Finding(("listeners", index, "type"), message)
    yield from _repeated(listeners, "name")
    yield from _repeated(listeners, "port")
    for index, listener in listeners:
        place: Place = ("listeners", index)
        yield from _ids(listener, place, known)
        agents = list(mappings(listener.get("agents")))
        for position, agent in agents:
            here = (*place, "agents", position)
            if (ident := text_at(agent, "id")) and ident not in known:
                yield _unknown_id((*here, "id"), ident, known)
            yield from _ids(agent, here, known)
        if listener.get("type") == "agent" and not agents:
            yield Finding(place, "an agent listener without agents is not opened", "warn", False)


def _repeated(listeners: list[tuple[int, Document]], key: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, listener in listeners:
        value = listener.get(key)
        if value is None or isinstance(value, dict | list):
            continue
        if seen.setdefault(str(value), index) != index:
            message = f"is the {key} of listeners.{seen[str(value)]} too"
            yield Finding(("listeners", index, key), message)


def _ids(holder: Document, place: Place, known: set[str]) -> Iterator[Finding]:
    for key in ("input_filters", "output_filters"):
        for index, ident in texts(holder.get(key)):
            if ident.strip() not in known:
                yield _unknown_id((*place, key, index), ident, known)


def _unknown_id(place: Place, ident: str, known: set[str]) -> Finding:
    hint = near(ident, known) or f"; defined: {listed(known)}"
    return Finding(place, f"is not defined in agents or filters{hint}")


def check_prompt_targets(document: Document) -> Iterator[Finding]:
    """Targets have names of their own and endpoints that exist; one default, with an endpoint."""
    endpoints = document.get("endpoints")
    known = {*(endpoints if isinstance(endpoints, dict) else ()), *_service_ids(document)}
    seen: dict[str, int] = {}
    defaults: list[int] = []
    for index, target in mappings(document.get("prompt_targets")):
        place: Place = ("prompt_targets", index)
        name = text_at(target, "name")
        if name and seen.setdefault(name, index) != index:
            yield Finding((*place, "name"), f"is the name of prompt_targets.{seen[name]} too")
        has_endpoint, endpoint = value_at(target, ("endpoint", "name"))
        if isinstance(endpoint, str) and endpoint.strip() not in known:
            hint = near(endpoint, known) or f"; defined: {listed(known)}"
            yield Finding((*place, "endpoint", "name"), f"is not defined in endpoints{hint}")
        if target.get("default") is True:
            defaults.append(index)
            if not has_endpoint:
                yield Finding((*place, "default"), "a default target needs an endpoint")
    for index in defaults[1:]:
        message = f"prompt_targets.{defaults[0]} is the default already; there can be only one"
        yield Finding(("prompt_targets", index, "default"), message)


def check_ratelimits(document: Document) -> Iterator[Finding]:
    """Of two limits for the same model, selector and unit the first counts."""
    seen: dict[tuple[str, ...], int] = {}
    for index, limit in mappings(document.get("ratelimits")):
        selector = limit.get("selector")
        if not isinstance(selector, dict):
            continue
        header, (_, unit) = text_at(selector, "key"), value_at(limit, ("limit", "unit"))
        key = (text_at(limit, "model"), header.lower(), text_at(selector, "value"), str(unit))
        if seen.setdefault(key, index) != index:
            message = f"ratelimits.{seen[key]} has this model, selector and unit already; it counts"
            yield Finding(("ratelimits", index), message, "warn", show=False)


def check_memory(document: Document) -> Iterator[Finding]:
    """Memory is by identity, and ``auth`` is what vouches for one."""
    if document.get("memory") is not None and document.get("auth") is None:
        message = (
            "is by identity: without 'auth', or a host app that sets scope['user'], nothing is "
            "remembered"
        )
        yield Finding(("memory",), message, "warn", show=False)


RULES: tuple[Rule, ...] = (
    check_aliases,
    check_preferences,
    check_metrics,
    check_services,
    check_listeners,
    check_prompt_targets,
    check_ratelimits,
    check_memory,
)
"""Every check, in the order of the report."""
