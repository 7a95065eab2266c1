"""The names worth showing: what ``/v1/models`` lists, and what a misspelt name is told."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from plano_asgi.routing.aliases import Aliases
from plano_asgi.routing.entries import WILDCARD, Alias, ModelEntry

_LONGEST_HINTED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One line of a model list. *alias_of* names what an alias stands for."""

    id: str
    owned_by: str
    created: int = 0
    alias_of: str | None = None


class ModelList:
    """
    Entries in order, wildcards spelled out by what they are known to serve, aliases last; an alias
    takes the line of a model of its name.

    Args:
        known: Prefix -> model ids that its wildcard is known to serve.
        find: The entry that a name leads to without aliases; ``None`` for nobody's.
    """

    def __init__(
        self,
        entries: Iterable[ModelEntry],
        aliases: Aliases,
        known: Mapping[str, Sequence[str]],
        find: Callable[[str], ModelEntry | None],
    ) -> None:
        self._aliases, self._find = aliases, find
        self._lines: dict[str, ModelInfo] = {}
        for entry in entries:
            if not entry.listed:
                continue
            names = [entry.name]
            if entry.model == WILDCARD:
                names = [f"{entry.prefix}/{model}" for model in known[entry.prefix]]
            for name in names:
                self._lines.setdefault(name, _line(name, entry))
        for name, alias in aliases.items():
            shown = ", ".join(target.model for target in alias.targets)
            self._lines[name] = ModelInfo(id=name, owned_by=self._owner(alias), alias_of=shown)

    def lines(self) -> list[ModelInfo]:
        """All of it."""
        return list(self._lines.values())

    def get(self, id: str) -> ModelInfo | None:
        """
        The line of one model: a listed one, or any other name that *find* knows.

        Raises:
            AmbiguousModel: From *find*.
        """
        if (line := self._lines.get(id)) is not None:
            return line
        entry = self._find(id)
        return _line(id, entry) if entry is not None and entry.listed else None

    def near(self, name: str) -> list[str]:
        """Up to three listed names that look like *name*, as clients may send them."""
        if len(name) > _LONGEST_HINTED:
            return []
        spelled = {model: listed for listed in self._lines for model in _spellings(listed)}
        close = difflib.get_close_matches(name, spelled, n=6, cutoff=0.6)
        return list(dict.fromkeys(spelled[match] for match in close))[:3]

    def _owner(self, alias: Alias) -> str:
        """Whose the model is that *alias* leads to first."""
        name = alias.targets[0].model
        while (below := self._aliases.behind(name)) is not None:
            name = below.targets[0].model
        entry = self._find(name)
        return entry.owned_by if entry is not None else ""


def _line(name: str, entry: ModelEntry) -> ModelInfo:
    return ModelInfo(id=name, owned_by=entry.owned_by, created=entry.created)


def _spellings(name: str) -> tuple[str, str]:
    """A full name, and the bare id in it."""
    return name, name.partition("/")[2] or name
