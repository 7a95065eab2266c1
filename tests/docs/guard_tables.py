"""The tables of guards, filters and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from docs import arguments
from plano_asgi import filters, guards, memory, middleware
from plano_asgi.asgi.known_paths import KNOWN_PATHS
from plano_asgi.config import schema_guards
from plano_asgi.config.guards import BUILDERS
from plano_asgi.guards import pii_rules, secret_rules
from plano_asgi.guards.base import ALL_ORIGINS, SPOKEN, Guard
from plano_asgi.guards.judge_contracts import CONTRACTS
from plano_asgi.guards.patterns import Pattern
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.guards.value_scan import Row

Rows = Iterable[Sequence[str]]

SHIPPED: Mapping[type[Guard], str] = {
    guards.Jailbreak: "attempts to override the app's instructions",
    guards.PII: "personal data",
    guards.Secrets: "keys, tokens, passwords",
    guards.Exfiltration: "links and images that carry data out",
    guards.PromptLeak: "the system prompt in an answer",
    guards.Words: "words and phrases",
    guards.Regex: "patterns of your own",
    guards.Topics: "what may be talked about",
    guards.Judge: "a policy, judged by a model",
    guards.Moderation: "what a moderation endpoint flags",
    guards.Length: "characters, tokens",
    guards.Language: "the language of a text",
    guards.Format: "answers that are JSON, or match a regex",
    guards.JSONSchema: "answers that are JSON of a schema",
}
"""Every guard that ships, and what it looks for."""


def guard_rows() -> Rows:
    """What each guard that ships looks at, and how it holds an answer."""
    for kind, what in SHIPPED.items():
        is_bare = kind is guards.PromptLeak  # its sides depend on its arguments
        sides = " and ".join(sorted((kind().policy if is_bare else kind).sides, reverse=True))
        yield f"`{kind.__name__}`", what, sides, _origins(kind), _held(kind)


def _origins(kind: type[Guard]) -> str:
    origins = kind.origins
    for whole, words in ((ALL_ORIGINS, "everything"), (SPOKEN, "all but the app's own words")):
        missing = whole - origins
        if origins <= whole and len(missing) < 2:
            return words + "".join(f", no `{origin}`" for origin in sorted(missing))
    return ", ".join(f"`{origin}`" for origin in sorted(origins))


def _held(kind: type[Guard]) -> str:
    if issubclass(kind, TextGuard):
        return "what may be part of a match"
    if kind.needs_whole:
        return "all of it"
    return "windows"


def pii_rows() -> Rows:
    """Each kind of personal data and how it is told."""
    for kind in pii_rules.KINDS:
        rows = [row for row in pii_rules.ROWS if row.kind == kind]
        default = "yes" if kind in pii_rules.DEFAULT_KINDS else "no"
        yield f"`{kind}`", f"`[{kind.upper()}]`", default, _forms(rows), _named(rows)


def _forms(rows: Sequence[Row]) -> str:
    checked = sum(row.check is not None for row in rows)
    words = f"{len(rows)} form" + ("s" if len(rows) > 1 else "")
    if not checked:
        return words
    return f"{words}, {'check digits' if checked == len(rows) else 'check digits in most'}"


def _named(rows: Sequence[Row]) -> str:
    named = sum(row.after is not None for row in rows)
    return "always" if named == len(rows) else "bare digits" if named else "no"


def secret_rows() -> Rows:
    """Each kind of secret."""
    said = {
        "api_key": f"{len(secret_rules.PREFIXES)} prefixes of known issuers, and what follows",
        "jwt": "three parts, of which the first is a JSON header",
        "private_key": "PEM, whole or cut off",
        "secret": "random values behind a word (`api_key=`, `token`, `Bearer`), or of a known form",
        "password": "behind such a word, or in a URL (`scheme://user:password@`)",
    }
    for kind in secret_rules.KINDS:
        yield f"`{kind}`", f"`[{kind.upper()}]`", said[kind]


_JUDGES = {
    "json": ("any chat model", "a JSON verdict"),
    "safeguard": ("gpt-oss-safeguard", "a JSON verdict"),
    "llama-guard": ("Llama Guard 3, 4", "`safe`, or `unsafe` and categories"),
    "shieldgemma": ("ShieldGemma", "`Yes` or `No`"),
    "granite-guardian": ("Granite Guardian 3.0 to 3.2", "`Yes` or `No`, and a confidence"),
    "granite-guardian-3.3": ("Granite Guardian 3.3", "`<score>`"),
    "qwen3guard": ("Qwen3Guard-Gen", "`Safety:` and `Categories:`"),
}


def judge_rows() -> Rows:
    """Each contract of ``Judge``."""
    assert _JUDGES.keys() == CONTRACTS.keys()
    for name, (model, answer) in _JUDGES.items():
        contract = CONTRACTS[name]
        if contract.needs_policy:
            policy = "required, in the prompt"
        else:
            policy = "in the chat template" if contract.extras("p") else "the model's own"
        yield f"`{name}`", model, policy, answer


def yaml_guards() -> Rows:
    """The entries of ``guards.use`` by type, with the keys that are theirs alone."""
    common = set(schema_guards.GuardEntry.model_fields)
    for entry in get_args(get_args(schema_guards.AnyGuard)[0]):
        (name,) = get_args(entry.model_fields["type"].annotation)
        assert name in BUILDERS
        what = (entry.__doc__ or "").rstrip(".").replace("``", "`")
        keys = [
            f"`{field.alias or key}`" + (" (required)" if field.is_required() else "")
            for key, field in entry.model_fields.items()
            if key not in common and key != "type"
        ]
        yield f"`{name}`", what, ", ".join(keys)


def common_keys() -> str:
    """The keys that every entry of ``guards.use`` may have, as a sentence."""
    fields = schema_guards.GuardEntry.model_fields
    return ", ".join(f"`{field.alias or name}`" for name, field in fields.items())


def _arguments(target: Callable[..., Any]) -> Callable[[], Rows]:
    return lambda: arguments.rows(target, _MORE.get(target.__name__))


_ARGUMENTS: Sequence[Callable[..., Any]] = (
    *SHIPPED,
    guards.GuardChain,
    guards.Vault,
    Pattern,
    filters.HTTPFilter,
    filters.MCPFilter,
    memory.Memory,
    memory.Recall,
    memory.Record,
    memory.Window,
    memory.Summaries,
    memory.Facts,
    middleware.PlanoGuard,
)

_MORE: Mapping[str, Mapping[str, str]] = {
    "PromptLeak": {"least_words": "See `share`."},
    "Summaries": {"max_tokens": "Of a summary.", "queue": "Where they are made."},
    "Facts": {
        "max_chars": "Of the turn that the model is shown.",
        "max_fact_chars": "Longer sentences are left out.",
        "embedder": "Stores a vector with each fact.",
    },
    "PlanoGuard": {
        "message": "What the client reads where neither verdict nor guard says something else.",
        "paths": "Other JSON routes, see [below](#your-own-routes).",
        "fields": "Where their texts stand in the request.",
        "answer_fields": "Where they stand in the answer; `fields` if not given.",
        "identity": "A callable on the ASGI scope; what it returns is `exchange.identity`.",
        "max_body_bytes": "Of a request that is read; more is answered 413.",
        "body_timeout_s": "For the client to finish sending it; then 408.",
        "max_answer_bytes": "Of a whole JSON answer, as it comes and decoded; more is a 502.",
    },
}
"""What docstrings leave to the name to say, or to another page's words."""


def known_paths() -> Rows:
    """The APIs that the middlewares know."""
    for path, known in KNOWN_PATHS.items():
        marks = " or ".join(f"`{mark}`" for mark in known.marks)
        yield f"`...{path}`", marks


HEADS: Mapping[str, tuple[Sequence[str], Callable[[], Rows]]] = {
    "guards": (
        ("guard", "looks for", "sides", "in", "holds of a streamed answer"),
        guard_rows,
    ),
    "judge_contracts": (("contract", "for", "policy", "answers"), judge_rows),
    "known_paths": (("path", "with one of the fields"), known_paths),
    "guard_options": (("option", "default", "what"), arguments.option_rows),
    "pii_kinds": (
        ("kind", "redacted to", "by default", "told by", "only after a word that names it"),
        pii_rows,
    ),
    "secret_kinds": (("kind", "redacted to", "told by"), secret_rows),
    "yaml_guards": (("`type`", "guard", "keys besides the common ones"), yaml_guards),
    **{
        f"args_{target.__name__}": (
            ("argument", "default", "what"),
            _arguments(target),
        )
        for target in _ARGUMENTS
    },
}
"""Table -> its heads, and what makes its rows."""
