"""
The tables of the documentation that the code can write::

    PYTHONPATH=tests python -m docs.tables

A page holds ``<!-- table: name -->``, the table and ``<!-- /table -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from docs import guard_tables, metric_tables, probes, routing_tables
from plano_asgi import errors
from plano_asgi._json import JSONObject
from plano_asgi.config.support import UNSUPPORTED
from plano_asgi.conversation import ChatResponse, Choice, FinishReason, TextPart
from plano_asgi.providers.profiles import ALIASES, PROFILES, ProviderProfile
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.anthropic_messages.thinking import EFFORT_BUDGETS
from plano_asgi.wire.upstream_error import read_upstream_error
from signals import labelled
from telemetry.attribute_tables import attribute_tables, opt_in_table

DOCS = Path(__file__).parents[2] / "docs"
_MARKED = re.compile(r"<!-- table: (?P<name>\w+) -->\n(?:.*?<!-- /table -->\n)?", re.DOTALL)

_WORDS = {
    "openai.chat": "chat",
    "openai.responses": "Responses",
    "anthropic.messages": "Messages",
    "bedrock.converse": "Converse",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def providers() -> str:
    """Every row of the catalogue."""
    head = ("prefix", "address", "key variable", "spoken to in")
    return table(head, (_provider(row) for row in PROFILES.values()))


def _provider(row: ProviderProfile) -> Sequence[str]:
    others = [f"`{alias}`" for alias, name in ALIASES.items() if name == row.name]
    prefix = f"`{row.name}`" + (f" ({', '.join(others)})" if others else "")
    address = f"`{row.base_url}`" if row.base_url else "must be given"
    key = f"`{row.env_key}`" if row.env_key else "none"
    if row.key_optional and row.env_key:
        key += " (optional)"
    spoken = _WORDS[row.dialect]
    for client, upstream in row.dialects.items():
        if upstream != row.dialect:
            spoken += f"; {_WORDS[upstream]} for {_WORDS[client]} clients"
    return prefix, address, key, spoken


def unsupported() -> str:
    """Every key that this release leaves out."""
    treated = {"refuse": "refused", "warn": "warned about"}
    rows = sorted(UNSUPPORTED.items(), key=lambda row: row[1][0] != "refuse")
    head = ("key", "", "what is left out")
    return table(head, ((f"`{key}`", treated[how], what) for key, (how, what) in rows))


def own_errors() -> str:
    """Every error of ours, as each kind of client sees it."""
    head = ("error", "status", "OpenAI `type`", "Anthropic `type`", "`code`", "when")
    return table(head, (_error(error) for error in _samples()))


def _samples() -> list[errors.PlanoError]:
    """One of each class that clients may see; made without ``__init__``, of class data."""
    kinds: list[type[errors.PlanoError]] = [errors.PlanoError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    hidden = (
        errors.ConfigurationError,  # while building; in a request: a key is missing, see the page
        errors.MissingExtra,
        errors.ShuttingDown,  # raised by nothing in this release
        errors.UpstreamError,
        errors.UpstreamStatus,  # has the upstream's own words
    )
    shown = [kind for kind in kinds if kind not in hidden and kind.__module__ == errors.__name__]
    shown.sort(key=lambda kind: (issubclass(kind, errors.UpstreamError), kind.status))
    return [kind.__new__(kind) for kind in shown]


def _error(error: errors.PlanoError) -> Sequence[str]:
    openai, anthropic = _type(error, "openai.chat"), _type(error, "anthropic.messages")
    code = f"`{error.code}`" if error.code else "none"
    kind = type(error)
    when = (kind.__doc__ or "").strip().partition("\n\n")[0]
    when = re.sub(r"\*(\w+)\*", r"`\1`", when.replace("``", "`").replace("\n    ", " "))
    return f"`{kind.__name__}`", str(error.status), openai, anthropic, code, when


def upstream_errors() -> str:
    """What a client is told of each error status of an upstream."""
    statuses: dict[tuple[str, str], list[str]] = {}
    for status in (*range(400, 406), 408, 409, 410, 413, 415, 422, 429, *range(500, 505), 529):
        error = read_upstream_error(status, {}, b"")
        kinds = (_type(error, "openai.chat"), _type(error, "anthropic.messages"))
        statuses.setdefault(kinds, []).append(str(status))
    head = ("upstream status", "OpenAI `type`", "Anthropic `type`")
    rows = ((", ".join(numbers), *kinds) for kinds, numbers in statuses.items())
    return table(head, rows)


def _type(error: errors.PlanoError, dialect: str) -> str:
    return f"`{DIALECTS[dialect].write_error(error, None)['error']['type']}`"


def forwarded() -> str:
    """The client's headers that reach an upstream, by provider."""
    rows = []
    for row in PROFILES.values():
        always = ", ".join(f"`{name}`" for name in row.forwards)
        credentials = ", ".join(f"`{name}`" for name in row.credential_headers)
        if always or credentials:
            rows.append((f"`{row.name}`", always, credentials))
    return table(("provider", "forwarded", "with `passthrough_auth` also"), rows)


def finish_reasons() -> str:
    """Each reason for an answer's end, as each kind of client is told."""
    rows = []
    for reason in get_args(FinishReason):
        cells = [f"`{reason}`"]
        for client in ("openai.chat", "openai.responses", "anthropic.messages"):
            dialect = DIALECTS[client]
            request = dialect.read_request(probes.BASES[client])
            choice = Choice(index=0, parts=[TextPart(text="x")], finish_reason=reason)
            body = dialect.write_response(ChatResponse(choices=[choice]), request)
            cells.append(", ".join(f"`{word}`" for word in _end(body)))
        rows.append(cells)
    return table(("why", "chat", "Responses", "Messages"), rows)


def _end(body: JSONObject) -> list[str]:
    if "choices" in body:
        return [body["choices"][0]["finish_reason"]]
    if "stop_reason" in body:
        return [body["stop_reason"]]
    details = body["incomplete_details"]
    return [body["status"], *([details["reason"]] if details else [])]


def budgets() -> str:
    """The thinking budget of each effort."""
    rows = ((f"`{effort}`", str(tokens)) for effort, tokens in EFFORT_BUDGETS.items())
    return table(("effort", "`budget_tokens`"), rows)


def _fields(client: str, asked: Mapping[str, JSONObject]) -> Callable[[], str]:
    head = ("field", *probes.columns(client))
    return lambda: table(head, probes.outcomes(client, asked))


def _rows(head: Sequence[str], make: Callable[[], guard_tables.Rows]) -> Callable[[], str]:
    return lambda: table(head, make())


TABLES: Mapping[str, Callable[[], str]] = {
    "providers": providers,
    "unsupported": unsupported,
    "errors": own_errors,
    "upstream_errors": upstream_errors,
    "forwarded": forwarded,
    "finish_reasons": finish_reasons,
    "budgets": budgets,
    "chat_fields": _fields("openai.chat", probes.CHAT),
    "responses_fields": _fields("openai.responses", probes.RESPONSES),
    "messages_fields": _fields("anthropic.messages", probes.MESSAGES),
    "attributes": attribute_tables,
    "attribute_opt_in": opt_in_table,
    **{
        name: _rows(head, make)
        for tables in (guard_tables, metric_tables, routing_tables, labelled)
        for name, (head, make) in tables.HEADS.items()
    },
}


def marked(text: str) -> list[str]:
    """The names of the tables that *text* has a place for."""
    return [match["name"] for match in _MARKED.finditer(text)]


def written(text: str) -> str:
    """*text* with its tables as they should be."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- table: {name} -->\n\n{TABLES[name]()}\n<!-- /table -->\n"

    return _MARKED.sub(fill, text)


if __name__ == "__main__":
    for page in DOCS.glob("*.md"):
        page.write_text(written(page.read_text("utf-8")), "utf-8")
