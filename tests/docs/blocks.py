"""
The fenced blocks of the project's Markdown files, and what is to be done with each.

A comment right before a fence directs its test::

    <!-- test: skip (needs a cluster) -->     not run; the reason is required
    <!-- test: ask openai/gpt-4o -->          Python: then ask ``app`` or ``plano`` for that model
    <!-- test: ask MODEL at PATH -->          the same, at another path than /v1/chat/completions
    <!-- test: serve -->                      Python: then ``app`` is at http://localhost:8000
    <!-- test: serve 9000 -->                 the same, at another port
    <!-- test: same -->                       Python: ``plano`` is what the last YAML block makes
    <!-- test: refused -->                    YAML: refused, as the next ``text`` says
    <!-- test: output -->                     JSON or text: what the last block before it prints
    <!-- test: file plano_config.yaml -->     YAML: also written there, for the blocks that follow
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = frozenset({"python", "yaml", "bash"})
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
)

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_DIRECTIVE = re.compile(r"<!-- (?P<kind>test|command): (?P<words>[^\n]*?) -->\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. *verb* and *rest* are its directive, "" where it has none."""

    page: str
    line: int
    language: str
    code: str
    verb: str = ""
    rest: str = ""

    @property
    def where(self) -> str:
        """``docs/models.md:12``."""
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """The fenced blocks of *page*, in order."""
    text = (ROOT / page).read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        directive = _DIRECTIVE.search(text[: match.start()].rstrip("\n"))
        words = directive["words"] if directive else ""
        verb, _, rest = words.partition(" ")
        if directive and directive["kind"] == "command":
            verb, rest = "command", words
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["code"].splitlines(keepends=True)]
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start()) + 1,
                language=match["language"],
                code="".join(lines),
                verb=verb,
                rest=rest,
            )
        )
    return found


def command(name: str) -> str:
    """The README's command called *name*: what follows ``<!-- command: name -->``."""
    (block,) = [b for b in blocks("README.md") if b.verb == "command" and b.rest == name]
    return block.code.strip()
