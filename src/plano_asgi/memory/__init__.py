"""Memory: what users said before, put in front of the model, and forgotten when asked."""

from importlib import import_module
from typing import TYPE_CHECKING

from plano_asgi.memory.background import BackgroundQueue
from plano_asgi.memory.base import (
    Injection,
    MemoryHook,
    MemoryItem,
    MemoryStore,
    Namespace,
    Provenance,
    Turn,
)
from plano_asgi.memory.facts import Facts
from plano_asgi.memory.forget import ForgetRoute
from plano_asgi.memory.local_memory import LocalMemory
from plano_asgi.memory.memory import Memory
from plano_asgi.memory.namespace import NamespaceOf
from plano_asgi.memory.open_store import open_store
from plano_asgi.memory.recall import Recall
from plano_asgi.memory.record import Record
from plano_asgi.memory.sqlite_memory import SQLiteMemory
from plano_asgi.memory.summaries import Summaries
from plano_asgi.memory.window import Window

if TYPE_CHECKING:
    from plano_asgi.memory.langgraph import LangGraphMemory
    from plano_asgi.memory.mem0 import Mem0Memory
    from plano_asgi.memory.postgres_memory import PostgresMemory
    from plano_asgi.memory.redis_memory import RedisMemory

__all__ = [
    "BackgroundQueue",
    "Facts",
    "ForgetRoute",
    "Injection",
    "LangGraphMemory",
    "LocalMemory",
    "Mem0Memory",
    "Memory",
    "MemoryHook",
    "MemoryItem",
    "MemoryStore",
    "Namespace",
    "NamespaceOf",
    "PostgresMemory",
    "Provenance",
    "Recall",
    "Record",
    "RedisMemory",
    "SQLiteMemory",
    "Summaries",
    "Turn",
    "Window",
    "open_store",
]

_WHERE = {
    "LangGraphMemory": "langgraph",
    "Mem0Memory": "mem0",
    "PostgresMemory": "postgres_memory",
    "RedisMemory": "redis_memory",
}


def __getattr__(name: str) -> object:
    if (module := _WHERE.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value
