"""
Guards: what reaches the model, and what comes back, judged and redacted.

The names below are loaded on first use, so that an app pays for the guards it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from plano_asgi.guards.base import (
    ALLOW,
    Guard,
    GuardOptions,
    GuardPolicy,
    Span,
    Subject,
    Verdict,
    block,
    guard,
    redact,
)

if TYPE_CHECKING:
    from plano_asgi.guards.chain import GuardChain
    from plano_asgi.guards.exfiltration import Exfiltration
    from plano_asgi.guards.jailbreak import Jailbreak
    from plano_asgi.guards.json_schema import JSONSchema
    from plano_asgi.guards.judge import Judge
    from plano_asgi.guards.limits import Format, Language, Length
    from plano_asgi.guards.moderation import Moderation, moderation_call
    from plano_asgi.guards.pii import PII
    from plano_asgi.guards.prompt_leak import PromptLeak
    from plano_asgi.guards.secrets import Secrets
    from plano_asgi.guards.text_guard import TextGuard
    from plano_asgi.guards.topics import Topics
    from plano_asgi.guards.vault import Vault
    from plano_asgi.guards.vault_keeper import VaultKeeper
    from plano_asgi.guards.words import Regex, Words

_WHERE = {
    "Exfiltration": "exfiltration",
    "Format": "limits",
    "GuardChain": "chain",
    "JSONSchema": "json_schema",
    "Jailbreak": "jailbreak",
    "Judge": "judge",
    "Language": "limits",
    "Length": "limits",
    "Moderation": "moderation",
    "PII": "pii",
    "PromptLeak": "prompt_leak",
    "Regex": "words",
    "Secrets": "secrets",
    "TextGuard": "text_guard",
    "Topics": "topics",
    "Vault": "vault",
    "VaultKeeper": "vault_keeper",
    "Words": "words",
    "moderation_call": "moderation",
}

__all__ = [
    "ALLOW",
    "PII",
    "Exfiltration",
    "Format",
    "Guard",
    "GuardChain",
    "GuardOptions",
    "GuardPolicy",
    "JSONSchema",
    "Jailbreak",
    "Judge",
    "Language",
    "Length",
    "Moderation",
    "PromptLeak",
    "Regex",
    "Secrets",
    "Span",
    "Subject",
    "TextGuard",
    "Topics",
    "Vault",
    "VaultKeeper",
    "Verdict",
    "Words",
    "block",
    "default_guards",
    "guard",
    "moderation_call",
    "redact",
]


def default_guards() -> list[Guard]:
    """
    What guards an app that says nothing: secrets redacted on both sides, then jailbreaks and
    injected orders blocked in requests ("balanced").

    Personal data is left alone, since many apps are about it: add ``PII(mode="mask")``.
    """
    from plano_asgi.guards.jailbreak import Jailbreak
    from plano_asgi.guards.secrets import Secrets

    return [Secrets(), Jailbreak()]


def __getattr__(name: str) -> object:
    if (module := _WHERE.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value
