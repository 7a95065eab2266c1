"""
Ours: guards of a gateway, one entry a guard, by ``type``.

    guards:
      on_block: answer
      message: I cannot help with that.
      use:
        - type: jailbreak
          level: strict
        - type: pii
          mode: mask

The options are those of the classes in ``plano_asgi.guards``; durations are spelled as everywhere
in the file (``timeout: 500ms``). Models are those of this gateway.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from plano_asgi.config.schema_base import ConfigModel, Name, Number, Seconds, Secret, Whole

Mode = Literal["redact", "block"]
MaskMode = Literal["mask", "redact", "block"]
Topic = str | tuple[str, ...]


class GuardEntry(ConfigModel):
    """What every guard takes: see ``GuardOptions``."""

    name: Name | None = None
    stage: Literal["before", "beside"] | None = None
    timeout_s: Seconds | None = Field(default=None, alias="timeout", gt=0)
    on_timeout: Literal["closed", "open"] | None = None
    on_error: Literal["closed", "open"] | None = None
    report_only: bool | None = None
    sides: tuple[Literal["request", "answer"], ...] | None = None
    origins: tuple[Name, ...] | None = None
    new_only: bool | None = None
    allow_texts: tuple[str, ...] | None = None
    models: tuple[Name, ...] | None = None
    paths: tuple[Name, ...] | None = None
    message: str | None = None


class JailbreakEntry(GuardEntry):
    """``Jailbreak``."""

    type: Literal["jailbreak"]
    level: Literal["strict", "balanced", "lenient"] | None = None
    indirect: Literal["strict", "balanced", "lenient", "off"] | None = None
    second_stage: Literal["auto", "local", "off"] | None = None
    app_system: bool | None = None


class PIIEntry(GuardEntry):
    """``PII``."""

    type: Literal["pii"]
    kinds: tuple[Name, ...] | None = None
    mode: MaskMode | None = None
    allow: tuple[str, ...] | None = None
    answers: Literal["pass", "redact"] | None = None
    private_ips: bool | None = None


class SecretsEntry(GuardEntry):
    """``Secrets``."""

    type: Literal["secrets"]
    kinds: tuple[Name, ...] | None = None
    mode: MaskMode | None = None
    allow: tuple[str, ...] | None = None
    answers: Literal["pass", "redact"] | None = None


class ExfiltrationEntry(GuardEntry):
    """``Exfiltration``."""

    type: Literal["exfiltration"]
    mode: Mode | None = None
    allow_domains: tuple[Name, ...] | None = None
    links: Literal["all", "with_data", "none"] | None = None


class PromptLeakEntry(GuardEntry):
    """``PromptLeak``."""

    type: Literal["prompt_leak"]
    canaries: tuple[Name, ...] | None = None
    insert: Literal["never", "once", "each"] | None = None
    overlap: Whole | None = Field(default=None, ge=0)
    least_words: Whole | None = Field(default=None, ge=1)
    share: Number | None = Field(default=None, gt=0, le=1)
    mode: Mode | None = None


class WordsEntry(GuardEntry):
    """``Words``."""

    type: Literal["words"]
    deny: tuple[Name, ...] = Field(min_length=1)
    allow: tuple[Name, ...] | None = None
    mode: Mode | None = None
    whole_words: bool | None = None
    ignore_case: bool | None = None
    replacement: str | None = None


class RegexEntry(GuardEntry):
    """``Regex``."""

    type: Literal["regex"]
    patterns: dict[Name, str] = Field(min_length=1)
    allow: tuple[str, ...] | None = None
    mode: Mode | None = None
    max_match: Whole | None = Field(default=None, ge=1)


class TopicsEntry(GuardEntry):
    """``Topics``; with ``model`` that one is asked, else the local embedder."""

    type: Literal["topics"]
    allow: dict[Name, Topic] | None = None
    deny: dict[Name, Topic] | None = None
    model: Name | None = None
    threshold: Number | None = None


class JudgeEntry(GuardEntry):
    """``Judge``."""

    type: Literal["judge"]
    model: Name
    policy: str | None = None
    contract: Name | None = None
    categories: tuple[Name, ...] | None = None
    max_chars: Whole | None = Field(default=None, ge=1)
    on_long: Literal["error", "cut"] | None = None
    threshold: Number | None = None


class ModerationEntry(GuardEntry):
    """``Moderation``, by a model of this gateway."""

    type: Literal["moderation"]
    model: Name
    thresholds: dict[Name, Number] | None = None


class LengthEntry(GuardEntry):
    """``Length``."""

    type: Literal["length"]
    max_chars: Whole | None = Field(default=None, ge=1)
    max_tokens: Whole | None = Field(default=None, ge=1)


class LanguageEntry(GuardEntry):
    """``Language``."""

    type: Literal["language"]
    allow: tuple[Name, ...] = Field(min_length=1)
    on_unsure: Literal["allow", "block"] | None = None


class FormatEntry(GuardEntry):
    """``Format``."""

    type: Literal["format"]
    json_: bool | None = Field(default=None, alias="json")
    regex: str | None = None


class JSONSchemaEntry(GuardEntry):
    """``JSONSchema``; with ``model`` that one repairs what does not fit, once."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")
    model: Name | None = None


AnyGuard = Annotated[
    JailbreakEntry
    | PIIEntry
    | SecretsEntry
    | ExfiltrationEntry
    | PromptLeakEntry
    | WordsEntry
    | RegexEntry
    | TopicsEntry
    | JudgeEntry
    | ModerationEntry
    | LengthEntry
    | LanguageEntry
    | FormatEntry
    | JSONSchemaEntry,
    Field(discriminator="type"),
]


class VaultStore(ConfigModel):
    """Where masks of conversations with server-side state are kept, sealed."""

    store: Secret
    """``sqlite:///``, ``redis://``, ``postgresql://`` or ``memory://``."""
    key: Secret
    """32 bytes as 64 hexadecimal digits."""
    ttl_s: Seconds | None = Field(default=None, alias="ttl", gt=0)


class Guards(ConfigModel):
    """Ours: the gateway's guards."""

    on_block: Literal["error", "answer"] = "error"
    """A block before the answer starts is a 400, or an answer that reads ``message``."""
    message: str | None = None
    vault: VaultStore | None = None
    use: tuple[AnyGuard, ...] = Field(min_length=1)
