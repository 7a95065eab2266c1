"""
One spelling for all versions: older documents are rewritten as v0.4.0 ones.

Works on plain data before variables are filled in, knows no files, and leaves what it does not
understand to the schema. Ways of Plano: inline preferences move to the top level below v0.4.0
(a top-level entry of the same name wins), listeners become a list, a model listener is added
where none is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from plano_asgi.config.document import Document, mappings, text_at, value_at
from plano_asgi.config.issues import Finding, Place, Severity, dotted
from plano_asgi.config.schema import VERSIONS

CURRENT_VERSION = "v0.4.0"

_RENAMED: dict[Place, Place] = {
    ("llm_providers",): ("model_providers",),
    ("state_storage_v1_responses",): ("state_storage",),
    ("routing", "routing_budget", "max_overhead_pct"): (
        *("routing", "routing_budget", "max_switch_spend_pct"),
    ),
    ("tracing", "custom_attribute_prefixes"): ("tracing", "span_attributes", "header_prefixes"),
}
_QUIET = {("llm_providers",)}
_LISTENER_DEFAULTS: dict[str, Document] = {
    "model": {"port": 12000, "timeout": "300s"},
    "prompt": {"port": 10000, "timeout": "300s"},
    "agent": {"timeout": "30s"},
}
_LEGACY = {"egress_traffic": "model", "ingress_traffic": "prompt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """
    A document in the current spelling.

    Args:
        findings: What the migration has to say: severity ``error`` or ``warn``.
        origins: Where a moved part stood before, for messages in the user's own terms.
    """

    document: Document = field(repr=False)
    findings: tuple[Finding, ...]
    origins: Mapping[Place, Place]


def migrate(document: Mapping[str, Any]) -> Migrated:
    """Rewrite *document*, which is not changed, in the current spelling."""
    migration = _Migration(deepcopy(dict(document)))
    migration.rename()
    migration.rename_filter_chains()
    migration.lift_preferences()
    migration.normalise_listeners()
    return Migrated(
        document=migration.document,
        findings=tuple(migration.findings),
        origins=migration.origins,
    )


def version_tuple(version: str) -> tuple[int, int, int]:
    """``"v0.3.0"`` as (0, 3, 0); what follows ``-`` is dropped, a part that is no number is 0."""
    parts = version.strip().lstrip("vV").partition("-")[0].split(".")
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in parts[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


class _Migration:
    """The document on its way, with what there is to say about it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []
        self.origins: dict[Place, Place] = {}

    def say(self, place: Place, message: str, severity: Severity = "error") -> None:
        """Add a finding; what stood at *place* is not shown."""
        self.findings.append(Finding(place, message, severity, show=False))

    def rename(self) -> None:
        """Keys of which only the name has changed."""
        for old, new in _RENAMED.items():
            given, value = value_at(self.document, old)
            if not given:
                continue
            del _reach(self.document, old[:-1])[str(old[-1])]
            if value_at(self.document, new)[1] is not None:
                self.say(old, f"give either this or its newer name '{dotted(new)}', not both")
                continue
            if old not in _QUIET:
                self.say(old, f"is an older name of '{dotted(new)}'", "warn")
            _reach(self.document, new[:-1])[str(new[-1])] = value
            self.origins[new] = old

    def rename_filter_chains(self) -> None:
        """``filter_chain`` of listeners and their agents is ``input_filters``."""
        for index, listener in self.items("listeners"):
            self._rename_chain(listener, ("listeners", index))
            for position, agent in mappings(listener.get("agents")):
                self._rename_chain(agent, ("listeners", index, "agents", position))

    def _rename_chain(self, holder: Document, place: Place) -> None:
        if "filter_chain" not in holder:
            return
        here = (*place, "filter_chain")
        chain = holder.pop("filter_chain")
        if "input_filters" in holder:
            self.say(here, "give either this or its newer name 'input_filters', not both")
            return
        self.say(here, "is an older name of 'input_filters'", "warn")
        holder["input_filters"] = chain
        self.origins[(*place, "input_filters")] = here

    def lift_preferences(self) -> None:
        """v0.3 inline ``routing_preferences`` go to the top level; the version is raised."""
        version = text_at(self.document, "version")
        inline = [
            (index, provider)
            for index, provider in self.items("model_providers")
            if provider.get("routing_preferences")
        ]
        if version_tuple(version) >= version_tuple(CURRENT_VERSION) or version not in VERSIONS:
            for index, _ in inline:
                place = ("model_providers", index, "routing_preferences")
                self.say(place, f"is not read since {CURRENT_VERSION}: move it to the top", "warn")
            return
        self.document["version"] = CURRENT_VERSION
        lifted: dict[str, Document] = {}
        for index, provider in inline:
            self._lift(index, provider, lifted)
        if lifted:
            self._append_preferences(lifted)
            for _, provider in inline:
                provider.pop("routing_preferences", None)

    def _lift(self, index: int, provider: Document, lifted: dict[str, Document]) -> None:
        model = provider.get("model")
        place: Place = ("model_providers", index, "routing_preferences")
        if not isinstance(model, str):
            return
        if model.endswith("/*"):
            self.say(place, "a wildcard model cannot have preferences: name the models")
            provider.pop("routing_preferences")
            return
        for position, preference in mappings(provider["routing_preferences"]):
            name, description = preference.get("name"), preference.get("description") or ""
            if not isinstance(name, str) or not name:
                self.say((*place, position), "needs a name")
                continue
            entry = lifted.setdefault(
                name, {"name": name, "description": description, "models": []}
            )
            if model not in entry["models"]:
                entry["models"].append(model)
            entry["description"] = entry["description"] or description
            if description and entry["description"] != description:
                message = f"another description of '{name}' came first and is kept"
                self.say((*place, position, "description"), message, "warn")

    def _append_preferences(self, lifted: dict[str, Document]) -> None:
        existing = self.document.get("routing_preferences")
        top = existing if isinstance(existing, list) else []
        names = {entry.get("name") for _, entry in mappings(top)}
        fresh = [entry for name, entry in lifted.items() if name not in names]
        if existing is None or isinstance(existing, list):
            self.document["routing_preferences"] = [*top, *fresh]

    def normalise_listeners(self) -> None:
        """A list with one model listener at least, and ports and timeouts filled in."""
        listeners = self.document.get("listeners")
        if isinstance(listeners, dict):
            listeners = self._from_legacy(listeners)
        elif listeners is None:
            listeners = []
        if not isinstance(listeners, list):
            return
        if all(item.get("type") != "model" for _, item in mappings(listeners)):
            listeners.append({"type": "model", "name": "egress_traffic"})
        for _, item in mappings(listeners):
            for key, value in _LISTENER_DEFAULTS.get(str(item.get("type")), {}).items():
                if item.get(key) is None:
                    item[key] = value
        self.document["listeners"] = listeners

    def _from_legacy(self, legacy: Document) -> list[Document]:
        """``{egress_traffic, ingress_traffic}``; the latter only where it says anything."""
        if not self.document.get("model_providers"):
            self.say(("model_providers",), "must not be empty with this form of 'listeners'")
        for key in legacy.keys() - _LEGACY.keys():
            message = f"unknown key; allowed: {', '.join(_LEGACY)}, or a list of listeners"
            self.say(("listeners", key), message)
        listeners: list[Document] = []
        for key, kind in _LEGACY.items():
            traffic = legacy.get(key)
            if not traffic:
                continue
            if not isinstance(traffic, dict):
                self.say(("listeners", key), "must be a mapping")
                continue
            self.origins["listeners", len(listeners)] = ("listeners", key)
            rest = {name: value for name, value in traffic.items() if name != "message_format"}
            listeners.append({**rest, "type": kind, "name": key})
        return listeners

    def items(self, key: str) -> Iterator[tuple[int, Document]]:
        """The mappings in the list at *key* of the document, with their positions."""
        return mappings(self.document.get(key))


def _reach(document: Document, place: Place) -> Document:
    """The mapping at *place*, made where there is none."""
    for part in place:
        if not isinstance(document.get(str(part)), dict):
            document[str(part)] = {}
        document = document[str(part)]
    return document
