"""Lists of models, and near matches in them."""

from __future__ import annotations

from plano_asgi.routing.aliases import Aliases
from plano_asgi.routing.entries import Alias, ModelEntry, Target
from plano_asgi.routing.model_list import ModelInfo, ModelList

GPT = ModelEntry(name="fast", provider="openai", model="gpt-4o", prefix="openai", owned_by="OpenAI")
WILD = ModelEntry(name="groq/*", provider="groq", model="*", prefix="groq", owned_by="Groq")
HIDDEN = ModelEntry(
    name="openai~2/gpt-4o", provider="openai~2", model="gpt-4o", prefix="openai", listed=False
)
ENTRIES = {"fast": GPT, "openai/gpt-4o": GPT, "openai~2/gpt-4o": HIDDEN, "groq/new": WILD}


def model_list(**aliases: str) -> ModelList:
    """A model, a wildcard that is known for another, and aliases of one target each."""
    made = {name: Alias(targets=(Target(model=target),)) for name, target in aliases.items()}
    known = {"groq": ("llama-3.3-70b",)}
    found = Aliases(made, is_model=ENTRIES.__contains__)
    return ModelList([GPT, WILD, HIDDEN], found, known, ENTRIES.get)


def test_a_list_has_entries_then_aliases() -> None:
    """Wildcards as what they are known for; nothing that is not to be listed."""
    listed = model_list(quick="fast", quicker="quick")
    assert listed.lines() == [
        ModelInfo(id="fast", owned_by="OpenAI"),
        ModelInfo(id="groq/llama-3.3-70b", owned_by="Groq"),
        ModelInfo(id="quick", owned_by="OpenAI", alias_of="fast"),
        ModelInfo(id="quicker", owned_by="OpenAI", alias_of="quick"),
    ]


def test_an_alias_takes_the_line_of_a_model() -> None:
    """In its place."""
    listed = model_list(fast="groq/new")
    assert listed.lines()[0] == ModelInfo(id="fast", owned_by="Groq", alias_of="groq/new")
    assert len(listed.lines()) == 2


def test_any_name_of_a_listed_entry_has_a_line() -> None:
    """Of one that is not listed, or nobody's, there is none."""
    listed = model_list()
    assert listed.get("groq/new") == ModelInfo(id="groq/new", owned_by="Groq")
    assert listed.get("openai/gpt-4o") == ModelInfo(id="openai/gpt-4o", owned_by="OpenAI")
    assert listed.get("openai~2/gpt-4o") is None
    assert listed.get("gone") is None


def test_near_names_are_listed_ones() -> None:
    """By the full name or the bare id; of overlong names none are looked for."""
    listed = model_list()
    assert listed.near("llama-3.3-70") == ["groq/llama-3.3-70b"]
    assert listed.near("llama-3.3-70" + "b" * 200) == []
