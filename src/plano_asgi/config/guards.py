"""Guards as a configuration spells them, made into objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from plano_asgi import guards
from plano_asgi._json import JSONObject
from plano_asgi.config.schema_guards import GuardEntry, Guards, VaultStore
from plano_asgi.config.schema_traffic import PromptGuards
from plano_asgi.embeddings import MiniLM
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.gateway import Gateway
from plano_asgi.guards import Guard, GuardChain
from plano_asgi.guards.vault_keeper import VaultKeeper
from plano_asgi.stores.open_store import open_store

Options: TypeAlias = dict[str, Any]
Builder: TypeAlias = Callable[[Options, Gateway], Guard]

_SETS = frozenset(("sides", "origins"))
_RENAMED = {"json_": "json", "schema_": "schema"}


def build_chain(config: Guards, asking: Gateway) -> GuardChain:
    """
    The chain that a ``guards`` block describes.

    Args:
        asking: Serves the models that guards ask; has no guards of its own.

    Raises:
        ConfigurationError: Options that a guard does not take together; names its place.
    """
    return GuardChain(
        list(_guards(config.use, asking)),
        on_block=config.on_block,
        message=config.message,
        vaults=_keeper(config.vault) if config.vault is not None else None,
    )


def build_prompt_guard(config: PromptGuards) -> GuardChain | None:
    """
    Plano's own ``prompt_guards``: its jailbreak guard, and its message as the answer, at 200.
    ``None`` where the block asks for nothing.
    """
    if config.input_guards is None:
        return None
    message = config.input_guards.jailbreak.on_exception.message
    return GuardChain([guards.Jailbreak()], on_block="answer", message=message)


def _guards(entries: Iterable[GuardEntry], asking: Gateway) -> Iterable[Guard]:
    for index, entry in enumerate(entries):
        options: Options = {
            _RENAMED.get(name, name): frozenset(value) if name in _SETS else value
            for name in type(entry).model_fields
            if (value := getattr(entry, name)) is not None
        }
        build = BUILDERS[str(options.pop("type"))]
        try:
            yield build(options, asking)
        except MissingExtra:
            raise
        except ConfigurationError as exc:
            raise ConfigurationError(f"guards.use.{index}: {exc}") from exc


def _plain(name: str) -> Builder:
    """A guard that its options are enough for; loaded when asked for."""
    return lambda options, asking: getattr(guards, name)(**options)


def _keeper(config: VaultStore) -> VaultKeeper:
    try:
        key = bytes.fromhex(config.key.get_secret_value())
    except ValueError:
        raise ConfigurationError("guards.vault.key: must be hexadecimal digits") from None
    store = open_store(config.store.get_secret_value())
    return VaultKeeper(store, key, **({"ttl_s": config.ttl_s} if config.ttl_s else {}))


def _jailbreak(options: Options, asking: Gateway) -> Guard:
    if options.get("second_stage") == "off":
        options["second_stage"] = None
    return guards.Jailbreak(**options)


def _topics(options: Options, asking: Gateway) -> Guard:
    if "model" in options:
        return guards.Topics(ask=asking.ask, **options)
    return guards.Topics(embedder=MiniLM(), **options)


def _moderation(options: Options, asking: Gateway) -> Guard:
    async def post(body: JSONObject) -> JSONObject:
        return await asking.post_json("/moderations", body)

    return guards.Moderation(guards.moderation_call(post, model=options.pop("model")), **options)


def _json_schema(options: Options, asking: Gateway) -> Guard:
    if "model" in options:
        return guards.JSONSchema(repair=asking.ask, **options)
    return guards.JSONSchema(**options)


BUILDERS: Mapping[str, Builder] = {
    "jailbreak": _jailbreak,
    "pii": _plain("PII"),
    "secrets": _plain("Secrets"),
    "exfiltration": _plain("Exfiltration"),
    "prompt_leak": _plain("PromptLeak"),
    "words": _plain("Words"),
    "regex": _plain("Regex"),
    "topics": _topics,
    "judge": lambda options, asking: guards.Judge(asking.ask, **options),
    "moderation": _moderation,
    "length": _plain("Length"),
    "language": _plain("Language"),
    "format": _plain("Format"),
    "json_schema": _json_schema,
}
"""By ``type``."""
