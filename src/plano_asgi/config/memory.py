"""Memory as a configuration spells it, made into objects."""

from __future__ import annotations

from typing import Any

from plano_asgi.config.schema_memory import Memory as MemoryConfig
from plano_asgi.embeddings import Embedder, MiniLM
from plano_asgi.gateway import Gateway
from plano_asgi.memory import (
    Facts,
    Memory,
    MemoryHook,
    Recall,
    Record,
    Summaries,
    Window,
    open_store,
)


def build_memory(config: MemoryConfig, asking: Gateway) -> Memory:
    """
    The memory that a ``memory`` block describes, by the identity that ``auth`` vouches for.

    Args:
        asking: Serves the models that summarise and extract.
    """
    store = open_store(config.store.get_secret_value())
    embedder: Embedder | None = MiniLM() if config.embedder == "local" else None
    recall = _given(limit=config.recall.limit, threshold=config.recall.threshold)
    record = _given(ttl_s=config.record.ttl_s, answers=config.record.answers)
    hooks: list[MemoryHook] = []
    if config.window is not None:
        model = config.window.summary_model
        summaries = Summaries(store, asking.ask, model=model) if model else None
        hooks.append(
            Window(
                max_tokens=config.window.max_tokens,
                step_tokens=config.window.step_tokens,
                summaries=summaries,
            )
        )
    hooks += [Recall(store, embedder=embedder, **recall), Record(embedder=embedder, **record)]
    if config.facts_model:
        hooks.append(Facts(asking.ask, model=config.facts_model, embedder=embedder))
    return Memory(store, hooks=hooks, **_given(recall_timeout_s=config.recall.timeout_s))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
