"""The arguments of a class or function as a table: names, defaults, and what its docstring says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from plano_asgi.guards import GuardOptions, GuardPolicy

_SECTION = re.compile(r"^Args:\n(?P<lines>(?:[ ]{4}.*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \w+)*): ?", re.MULTILINE)
_NOT_SHOWN = frozenset(("app", "rng", "timer"))


def rows(
    target: Callable[..., Any], more: Mapping[str, str] | None = None
) -> Iterator[Sequence[str]]:
    """
    A row for each argument: its name, its default (``required``), what it is.

    Args:
        more: What docstrings leave to the name to say.

    Raises:
        LookupError: One that nobody explains.
    """
    said = explained(target) | dict(more or {})
    for name, parameter in inspect.signature(target).parameters.items():
        if name in _NOT_SHOWN or parameter.kind in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            continue
        if name not in said:
            raise LookupError(f"{target.__qualname__} does not explain {name!r}")
        yield f"`{name}`", default_of(parameter), said[name]


def default_of(parameter: inspect.Parameter) -> str:
    """The default as a page spells it."""
    default = parameter.default
    if default is inspect.Parameter.empty:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, int) and not isinstance(default, bool):
        return f"{default:_}"
    if isinstance(default, float):
        return f"{default:_}".removesuffix(".0")
    if repr(default) == "<factory>" or (isinstance(default, str) and "\n" in default):
        return "built in"
    if isinstance(default, str):
        return f'`"{default}"`'
    return f"`{default.__name__}`" if callable(default) else f"`{default!r}`"


def explained(target: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of *target*, or of a base class, says of each argument."""
    kinds = inspect.getmro(target) if isinstance(target, type) else (target,)
    said: dict[str, str] = {}
    for kind in reversed(kinds):
        said |= entries(inspect.cleandoc(kind.__doc__ or ""))
    return said


def entries(doc: str) -> dict[str, str]:
    """Name -> text of the ``Args`` of a docstring, as Markdown that fits into a cell."""
    if (section := _SECTION.search(doc + "\n")) is None:
        return {}
    return dict(_entries(inspect.cleandoc("\n" + section["lines"])))


def option_rows() -> Iterator[Sequence[str]]:
    """What every guard takes, with the defaults."""
    doc = inspect.cleandoc(GuardOptions.__doc__ or "").partition("\n\n")[2]
    said = dict(_entries(doc))
    defaults = {**inspect.signature(GuardPolicy).parameters}
    for name in GuardOptions.__annotations__:
        if name in ("origins", "sides", "name"):
            default = "the guard's"
        elif name in ("models", "paths"):
            default = "all"
        else:
            default = default_of(defaults[name])
        yield f"`{name}`", default, said.get(name, _UNSAID.get(name, ""))


_UNSAID = {
    "name": "What audits and logs call it.",
    "sides": '`"request"`, `"answer"` or both.',
}


def _entries(text: str) -> Iterator[tuple[str, str]]:
    found = list(_ENTRY.finditer(text))
    for entry, after in zip(found, [*found[1:], None], strict=True):
        said = text[entry.end() : after.start() if after else len(text)]
        for name in entry["names"].split(", "):
            yield name.lstrip("*"), prose(said)


def prose(said: str) -> str:
    """A docstring's markup as Markdown's, on one line."""
    said = re.sub(r"\s+", " ", said).strip()
    said = re.sub(r" ?\(default\)", "", said)
    said = re.sub(r" Default:? [^.]*\.$", "", said).replace("``", "`")
    said = re.sub(r"(?<![\w`*])\*(\w+)\*(?![\w`*])", r"`\1`", said)
    return said.replace("|", "\\|")
