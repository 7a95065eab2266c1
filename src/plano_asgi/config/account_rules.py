"""What ``model_providers`` says of several accounts or servers of one prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plano_asgi.config.issues import Finding
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.pricing import ACCOUNT_MARK

_OF_THE_MODEL = {"model", "name", "default", "routing_preferences", "capabilities"}


def check_accounts(config: PlanoConfig) -> Iterator[Finding]:
    """
    A named account has one set of settings; of several without a name, those behind the first are
    told by their order, which matters where anything is kept by it.
    """
    named: dict[tuple[str, str], tuple[int, Any]] = {}
    unnamed: dict[str, list[Any]] = {}
    is_kept = _outlives_the_process(config)
    for index, entry in enumerate(config.model_providers):
        prefix, settings = entry.provider, entry.model_dump(exclude=_OF_THE_MODEL)
        if entry.account is not None:
            first, others = named.setdefault((prefix, entry.account), (index, settings))
            if others != settings:
                message = (
                    f"model_providers.{first} has other settings for this account of {prefix!r}: "
                    "give both the same, or each an account of its own"
                )
                yield Finding(("model_providers", index, "account"), message)
            continue
        known = unnamed.setdefault(prefix, [])
        if settings in known:
            continue
        known.append(settings)
        if is_kept and len(known) > 1:
            key = f"{prefix}{ACCOUNT_MARK}{len(known)}"
            message = (
                f"is of another account of {prefix!r}, kept as {key!r} for its place in the file: "
                "give it an 'account' before you change the order"
            )
            yield Finding(("model_providers", index), message, "warn", show=False)


def _outlives_the_process(config: PlanoConfig) -> bool:
    """Whether responses or sessions are kept, which remember accounts by their keys."""
    state = config.state_storage
    is_state_kept = state is not None and state.type != "memory"
    return is_state_kept or config.routing.session_cache.type != "memory"
