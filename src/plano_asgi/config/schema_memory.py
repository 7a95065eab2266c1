"""
Ours: what a gateway remembers of its users.

    memory:
      store: sqlite:///memory.db
      record: {ttl: 8760h}
      window: {max_tokens: 60000, summary_model: openai/gpt-4o-mini}

Whose memory it is, ``auth`` says: without it nobody is known, and nothing is remembered.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_asgi.config.schema_base import ConfigModel, Name, Number, Seconds, Secret, Whole


class Recall(ConfigModel):
    """What is recalled: see ``plano_asgi.memory.Recall``."""

    limit: Whole | None = Field(default=None, ge=1, le=100)
    threshold: Number | None = Field(default=None, ge=0, le=1)
    timeout_s: Seconds | None = Field(default=None, alias="timeout", gt=0)


class Record(ConfigModel):
    """What is recorded: see ``plano_asgi.memory.Record``."""

    ttl_s: Seconds | None = Field(default=None, alias="ttl", gt=0)
    answers: bool | None = None


class Window(ConfigModel):
    """How much of a conversation is sent: see ``plano_asgi.memory.Window``."""

    max_tokens: Whole = Field(ge=1)
    step_tokens: Whole | None = Field(default=None, ge=1)
    summary_model: Name | None = None
    """Summarises what falls out."""


class Memory(ConfigModel):
    """Ours: memory by the identity that ``auth`` vouches for."""

    store: Secret
    """``sqlite:///memory.db``, ``redis://...``, ``postgresql://...`` or ``memory://``."""
    embedder: Literal["local"] | None = None
    """Recall by meaning besides full text (extra ``embed``)."""
    recall: Recall = Field(default_factory=Recall)
    record: Record = Field(default_factory=Record)
    window: Window | None = None
    facts_model: Name | None = None
    """Extracts facts from what was said."""
