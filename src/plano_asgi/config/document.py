"""
Text to a plain document: mappings, lists, scalars. Bounded, and strict where YAML is careless.

Beyond safe loading: duplicate keys and keys that are not text are errors, dates stay text (an
Azure API version is one), only YAML's core tags are read, and everything is bounded, aliases
counted as often as they are used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plano_asgi.config.issues import ConfigError, Issue, Place, dotted
from plano_asgi.errors import MissingExtra

if TYPE_CHECKING:
    from yaml import MappingNode, Node, ScalarNode

Document: TypeAlias = dict[str, Any]
"""A configuration as plain data. ``Any`` stands for str, int, float, bool, None, list, dict."""

Source: TypeAlias = os.PathLike[str] | str | Mapping[str, Any]
"""A path, YAML text (a ``str`` with a line break; one without is a path), or plain data."""

MAX_BYTES = 1 << 20
MAX_NODES = 10_000
MAX_DEPTH = 32

_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float")}
_TEXTS = {f"{_TAG}{name}" for name in ("str", "timestamp", "value")}
_MERGE = f"{_TAG}merge"


def read_document(source: Source, *, max_bytes: int = MAX_BYTES) -> Document:
    """
    Read *source* into plain data.

    Raises:
        ConfigError: Unreadable file, bad YAML (with line and column), duplicate keys, over a bound.
        MissingExtra: YAML, but PyYAML is not installed.
    """
    name = source_name(source)
    issues: list[Issue] = []
    budget = _Budget(issues)
    value: object
    try:
        if isinstance(source, Mapping):
            value = budget.copy(source, ())
        else:
            value = _parse(_text(source, max_bytes), budget)
    except _Refused as exc:
        issues.append(exc.issue)
        raise ConfigError(issues, source=name) from None
    if not issues and not isinstance(value, dict):
        issues.append(Issue(path="", message="must be a mapping of keys such as 'version'"))
    if issues or not isinstance(value, dict):
        raise ConfigError(issues, source=name)
    return value


def source_name(source: Source) -> str:
    """How error messages call *source*: the path, or ``configuration`` for text and data."""
    path = _path(source)
    return "configuration" if path is None else str(path)


def _path(source: Source) -> Path | None:
    if isinstance(source, Mapping) or (isinstance(source, str) and "\n" in source):
        return None
    return Path(source)


class _Refused(Exception):
    """The document ends here: it is not YAML, or over a bound."""

    def __init__(self, message: str, place: Place = ()) -> None:
        self.issue = Issue(path=dotted(place), message=message)


def _text(source: os.PathLike[str] | str, max_bytes: int) -> str:
    path = _path(source)
    if path is None:
        data = str(source).encode("utf-8", "surrogatepass")
    else:
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as exc:
            raise _Refused(f"cannot be read: {exc.strerror or type(exc).__name__}") from exc
    if len(data) > max_bytes:
        raise _Refused(f"is larger than {max_bytes} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _Refused(f"is not UTF-8: byte {exc.start} cannot be read") from exc


class _Budget:
    """Copies of plain data and YAML nodes, counted as they are made."""

    def __init__(self, issues: list[Issue]) -> None:
        self.issues = issues
        self.count = 0

    def spend(self, place: Place) -> None:
        """Count one value at *place*."""
        self.count += 1
        if self.count > MAX_NODES:
            raise _Refused(f"the document has more than {MAX_NODES} values, aliases expanded")
        if len(place) > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} levels deep", place[:4])

    def complain(self, place: Place, message: str) -> None:
        """Note a problem that lets the reading go on."""
        self.issues.append(Issue(path=dotted(place), message=message))

    def copy(self, value: object, place: Place) -> Any:
        """A deep copy of plain data; complains about anything a YAML file could not hold."""
        self.spend(place)
        if isinstance(value, Mapping):
            pairs = value.items()
            texts = [(k, v) for k, v in pairs if self._is_text(k, place)]
            return {key: self.copy(item, (*place, key)) for key, item in texts}
        if isinstance(value, list | tuple):
            return [self.copy(item, (*place, index)) for index, item in enumerate(value)]
        if value is not None and not isinstance(value, str | int | float | bool):
            self.complain(place, f"is not plain data but {type(value).__name__}")
        return value

    def _is_text(self, key: object, place: Place) -> bool:
        if isinstance(key, str):
            return True
        self.complain(place, f"the key {key!r} is not text: put it in quotes")
        return False


def _parse(text: str, budget: _Budget) -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingExtra("reading YAML", "standalone") from None
    try:
        _bound_events(yaml.parse(text, Loader=yaml.SafeLoader))
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise _Refused("is empty")
        return _Builder(loader, budget).build(node, ())
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _Refused(f"{where}{exc.problem or exc.context or 'is not YAML'}") from None
    except yaml.reader.ReaderError as exc:
        raise _Refused(f"character {exc.position} is not allowed in YAML") from None


def _bound_events(events: Iterator[Any]) -> None:
    """Depth and count before anything recursive touches the document."""
    import yaml

    depth = 0
    for count, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} levels deep")
        if count > 4 * MAX_NODES:
            raise _Refused(f"the document has more than {MAX_NODES} values, aliases expanded")


class _Builder:
    """YAML nodes to plain data, every alias built anew so that no two places share an object."""

    def __init__(self, loader: Any, budget: _Budget) -> None:
        self.loader = loader
        self.budget = budget

    def build(self, node: Node, place: Place) -> Any:
        """The value of *node*, which stands at *place*."""
        import yaml

        self.budget.spend(place)
        match node:
            case yaml.MappingNode() if node.tag == f"{_TAG}map":
                return self._mapping(node, place)
            case yaml.SequenceNode() if node.tag == f"{_TAG}seq":
                return [self.build(item, (*place, i)) for i, item in enumerate(node.value)]
            case yaml.ScalarNode() if node.tag in _TEXTS:
                return str(node.value)
            case yaml.ScalarNode() if node.tag in _SCALARS:
                return self._scalar(node, place)
        self.budget.complain(place, f"the YAML tag {node.tag.removeprefix(_TAG)!r} is not allowed")
        return None

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        try:
            return self.loader.construct_object(node)
        except ValueError:
            self.budget.complain(place, f"cannot be read as {node.tag.removeprefix(_TAG)}")
            return None

    def _mapping(self, node: MappingNode, place: Place) -> Document:
        result: Document = {}
        merged: Document = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged |= self._merge(value_node, place)
                continue
            if key_node.tag not in _TEXTS:
                self.budget.complain(place, f"the key in line {line} is not text: put it in quotes")
                continue
            key = str(key_node.value)
            if key in result:
                self.budget.complain((*place, key), f"is given twice, again in line {line}")
                continue
            result[key] = self.build(value_node, (*place, key))
        return {**merged, **result}

    def _merge(self, node: Node, place: Place) -> Document:
        """What ``<<:`` brings in: of several mappings the earlier ones win."""
        value = self.build(node, (*place, "<<"))
        merged: Document = {}
        for part in reversed(value if isinstance(value, list) else [value]):
            if not isinstance(part, dict):
                self.budget.complain((*place, "<<"), "merges mappings only")
                continue
            merged |= part
        return merged


def mappings(value: object) -> Iterator[tuple[int, Document]]:
    """The mappings in *value*, if it is a list, with their positions; the rest is passed over."""
    entries = value if isinstance(value, list) else []
    return ((index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict))


def texts(value: object) -> Iterator[tuple[int, str]]:
    """The strings in *value*, if it is a list, with their positions."""
    entries = value if isinstance(value, list) else []
    return ((index, entry) for index, entry in enumerate(entries) if isinstance(entry, str))


def text_at(holder: Mapping[str, Any], key: str) -> str:
    """The string at *key*, stripped; "" where there is none."""
    value = holder.get(key)
    return value.strip() if isinstance(value, str) else ""


def value_at(document: Document, place: Place) -> tuple[bool, object]:
    """Whether there is a value at *place*, and which."""
    value: object = document
    for part in place:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False, None
    return True, value
