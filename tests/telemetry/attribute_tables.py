"""The tables of ``docs/tracing-attributes.md``: every name that ``semconv.py`` lists."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise

from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.semconv import NEXT, RELEASED

_SECTION = re.compile(r"^# ---- (?P<title>.+)$", re.MULTILINE)
_LAST = "The names in force"
_SOURCES = {
    "(SEMCONV)": f"semantic conventions {semconv.SEMCONV}",
    "(SEMCONV, stable)": f"semantic conventions {semconv.SEMCONV}, stable",
    "(GENAI_NEXT)": semconv.GENAI_NEXT,
}


def attribute_tables() -> str:
    """A heading and a table for each section that names attributes, spans or events."""
    parts = _SECTION.split(inspect.getsource(semconv))[1:]
    sections = zip(parts[::2], parts[1::2], strict=True)
    written = []
    for title, source in sections:
        if title == _LAST:
            break
        written.append(f"### {_titled(title)}\n\n{_table(source)}")
    return "\n".join(written)


def opt_in_table() -> str:
    """The names that change with the opt-in."""
    rows = [
        f"| `{getattr(RELEASED, name)}` | `{getattr(NEXT, name)}` |\n"
        for name in RELEASED.__dataclass_fields__
    ]
    return "| by default | on opt-in |\n| --- | --- |\n" + "".join(rows)


def _titled(title: str) -> str:
    for mark, source in _SOURCES.items():
        title = title.replace(mark, f"({source})")
    return title


def _table(source: str) -> str:
    nodes = ast.parse(source).body
    lines = ["| name | what it says |\n", "| --- | --- |\n"]
    for node, told in pairwise(nodes):
        if isinstance(node, ast.AnnAssign) and isinstance(told, ast.Expr):
            value, text = node.value, told.value
            if isinstance(value, ast.Constant) and isinstance(text, ast.Constant):
                lines.append(f"| `{_shown(str(value.value))}` | {text.value!s} |\n")
    return "".join(lines)


def _shown(name: str) -> str:
    """The flag is no name: it ends one."""
    return name if name != semconv.FLAG else f"…{semconv.FLAG}"
