"""
What ``model_providers`` must say so that every model has an upstream.

Works on the plain document, so that these problems are reported together with those of shape.
Two rules of Plano are left out on purpose: one model id may be served by several providers, and
a wildcard may be given several times under different names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from plano_asgi.config.document import Document, mappings, text_at
from plano_asgi.config.issues import Finding, Place, listed, near
from plano_asgi.config.schema_models import OLD_INTERFACES
from plano_asgi.providers.profiles import ALIASES

_FIXED_INTERFACE = frozenset(
    {
        *("amazon_bedrock", "anthropic", "azure_openai", "chatgpt", "deepseek", "digitalocean"),
        *("edenai", "gemini", "groq", "mistral", "moonshotai", "ollama", "openai", "openrouter"),
        *("plano", "qwen", "together_ai", "vercel", "xai", "xiaomi", "zhipu"),
    }
)
"""Prefixes Plano knows. We know more, and a Plano config may use one of those as its own name."""

_INSTEAD_OF_BASE_URL = {"amazon_bedrock": "region"}
_BELONGS_TO = {"api_version": "azure_openai", "region": "amazon_bedrock"}
_SHAPE = "must be '<provider>/<model id>', or '<provider>/*' for all its models"


def check_providers(
    document: Document, *, known: Collection[str], needs_base_url: Collection[str]
) -> Iterator[Finding]:
    """
    Check each entry by itself, then all of them against each other.

    Args:
        known: Prefixes with a profile: they need no *provider_interface*.
        needs_base_url: Those of *known* that do need a *base_url*.
    """
    entries = list(mappings(document.get("model_providers")))
    for index, raw in entries:
        entry = _Entry(place=("model_providers", index), raw=raw)
        if entry.model:
            yield from _check_model(entry)
            yield from _check_upstream(entry, known, needs_base_url)
        yield from _check_keys(entry)
    yield from _check_names(entries)
    yield from _check_default(entries)


@dataclass(frozen=True, slots=True)
class _Entry:
    place: Place
    raw: Document

    @property
    def model(self) -> str:
        return text_at(self.raw, "model")

    @property
    def prefix(self) -> str:
        return self.model.partition("/")[0].strip()

    @property
    def provider(self) -> str:
        return ALIASES.get(self.prefix, self.prefix)

    @property
    def interface(self) -> str:
        given = text_at(self.raw, "provider_interface")
        current = OLD_INTERFACES.get(given, given)
        return ALIASES.get(current, current) or self.provider

    def has(self, key: str) -> bool:
        return self.raw.get(key) not in (None, "")

    def finding(self, key: str, message: str, *, warn: bool = False) -> Finding:
        shown = key in self.raw
        return Finding((*self.place, key), message, "warn" if warn else "error", show=shown)


def _check_model(entry: _Entry) -> Iterator[Finding]:
    provider, slash, model_id = entry.model.partition("/")
    if not (provider.strip() and slash and model_id.strip()):
        interface = text_at(entry.raw, "provider_interface")
        hint = f"; did you mean '{interface}/...'?" if interface and not slash else ""
        yield entry.finding("model", f"{_SHAPE}{hint}")
    elif "*" in entry.model and (entry.model.count("*") > 1 or not entry.model.endswith("/*")):
        yield entry.finding("model", f"'*' stands for a whole last part only; {_SHAPE}")
    elif model_id.endswith("*") and entry.raw.get("default") is True:
        yield entry.finding("default", "a wildcard cannot be the default: name one model")


def _check_upstream(
    entry: _Entry, known: Collection[str], needs_base_url: Collection[str]
) -> Iterator[Finding]:
    """Whether there is an address and a known API behind the prefix."""
    provider = entry.provider
    if "/" not in entry.model or not provider:
        return
    if provider not in known:
        yield from _check_unknown(entry, known)
        return
    yield from _check_interface(entry, known)
    instead = _INSTEAD_OF_BASE_URL.get(provider, "")
    if provider in needs_base_url and not entry.has("base_url") and not entry.has(instead):
        other = f" (or '{instead}')" if instead else ""
        yield entry.finding("base_url", f"provider '{provider}' needs a base_url{other}")


def _check_unknown(entry: _Entry, known: Collection[str]) -> Iterator[Finding]:
    missing = [key for key in ("base_url", "provider_interface") if not entry.has(key)]
    if missing:
        message = (
            f"names no known provider and so needs {' and '.join(missing)}"
            f"{near(entry.provider, known) or f'; known: {listed(known)}'}"
        )
        yield entry.finding("model", message)
    yield from _check_interface(entry, known)


def _check_interface(entry: _Entry, known: Collection[str]) -> Iterator[Finding]:
    if not entry.has("provider_interface"):
        return
    if entry.interface == entry.provider:
        yield entry.finding("provider_interface", "says what the prefix says already", warn=True)
    elif entry.provider in _FIXED_INTERFACE:
        message = f"is fixed for the known provider '{entry.provider}'; use a prefix of your own"
        yield entry.finding("provider_interface", message)
    elif entry.interface not in known:
        yield entry.finding("provider_interface", f"must be one of: {listed(known)}")


def _check_keys(entry: _Entry) -> Iterator[Finding]:
    if entry.has("http_host") and not entry.has("base_url"):
        yield entry.finding("http_host", "is for an upstream with a base_url")
    if entry.raw.get("passthrough_auth") is True and entry.has("access_key"):
        message = "is not used: passthrough_auth sends the client's credential"
        yield entry.finding("access_key", message, warn=True)
    for key, owner in _BELONGS_TO.items():
        if entry.has(key) and entry.model and entry.interface != owner:
            yield entry.finding(key, f"is for provider '{owner}' only")


def _check_names(entries: list[tuple[int, Document]]) -> Iterator[Finding]:
    """A name leads to one entry; an unnamed entry goes by its model."""
    models: dict[str, int] = {}
    for index, raw in entries:
        models.setdefault(text_at(raw, "model"), index)
    names: dict[str, int] = {}
    for index, raw in entries:
        model, name = text_at(raw, "model"), text_at(raw, "name")
        yield from _duplicates(index, model, name, models, names)
        names.setdefault(name or model, index)


def _duplicates(
    index: int, model: str, name: str, models: Mapping[str, int], names: Mapping[str, int]
) -> Iterator[Finding]:
    place: Place = ("model_providers", index)
    same_model = models.get(model, index)
    if name and name in names:
        yield Finding((*place, "name"), f"is the name of model_providers.{names[name]} too")
    elif name and models.get(name, index) != index and name != model:
        message = f"is the model of model_providers.{models[name]}: choose another name"
        yield Finding((*place, "name"), message)
    if model and same_model != index and not (model.endswith("/*") and name and name not in names):
        again = " under another name" if model.endswith("/*") else ""
        message = f"is given by model_providers.{same_model} already; give it once{again}"
        yield Finding((*place, "model"), message)


def _check_default(entries: list[tuple[int, Document]]) -> Iterator[Finding]:
    defaults = [index for index, raw in entries if raw.get("default") is True]
    for index in defaults[1:]:
        message = f"model_providers.{defaults[0]} is the default already; there can be only one"
        yield Finding(("model_providers", index, "default"), message)
