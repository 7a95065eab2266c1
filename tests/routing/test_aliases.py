"""Aliases and models of the same name: which of the two is meant where."""

from __future__ import annotations

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing import Alias, ModelEntry, Names, Target
from plano_asgi.routing.aliases import Aliases, draw


def to(*models: str, fallbacks: tuple[str, ...] = ()) -> Alias:
    """An alias of *models*."""
    return Alias(targets=tuple(Target(model=model) for model in models), fallbacks=fallbacks)


def names(*full: str, **aliases: Alias) -> Names:
    """Entries of *full*, and *aliases*, with ``_`` for ``-``."""
    entries = [
        ModelEntry(name=one, provider=prefix, model=model, prefix=prefix, owned_by=prefix)
        for one, (prefix, _, model) in ((one, one.partition("/")) for one in full)
    ]
    known = {"anthropic": ("claude-opus-4-1",)}
    return Names(entries, {name.replace("_", "-"): a for name, a in aliases.items()}, known)


def where(found: Names, name: str) -> list[str]:
    """The candidates of *name* as text."""
    return [candidate.name for candidate in found.resolve(name, rng=lambda: 0.0).candidates]


@pytest.mark.parametrize(
    ("model", "alias"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("openai/*", "openai/gpt-4o"),
    ],
)
def test_an_alias_may_have_the_name_of_its_model(model: str, alias: str) -> None:
    """Bare, full, or of a wildcard: it is no circle, and the list has it once."""
    prefix, _, id = model.partition("/")
    entry = ModelEntry(name=model, provider=prefix, model=id, prefix=prefix, owned_by="OpenAI")
    found = Names([entry], {alias: to(alias)})
    assert where(found, alias) == ["openai/gpt-4o"]
    (line,) = [line for line in found.models() if line.id == alias]
    assert (line.owned_by, line.alias_of) == ("OpenAI", alias)
    assert "openai/gpt-4o" in found.meant(alias)


def test_an_alias_comes_before_a_guess() -> None:
    """As a target, too: a name in the manner of a family is nobody's model yet."""
    found = names(
        "openai/gpt-4o", "anthropic/*", claude_quick=to("openai/gpt-4o"), quick=to("claude-quick")
    )
    assert where(found, "claude-quick") == where(found, "quick") == ["openai/gpt-4o"]
    assert "anthropic/claude-quick" not in found.meant("quick")
    owners = {line.id: line.owned_by for line in found.models() if line.alias_of}
    assert owners == {"claude-quick": "openai", "quick": "openai"}


def test_a_model_comes_before_an_alias_in_a_target() -> None:
    """Though clients mean the alias by the same name."""
    found = names("openai/gpt-4o", "openai/gpt-5", **{"gpt_4o": to("openai/gpt-5")}, x=to("gpt-4o"))
    assert where(found, "gpt-4o") == ["openai/gpt-5"]
    assert where(found, "x") == ["openai/gpt-4o"]


def test_a_target_is_drawn_by_weight() -> None:
    """Of one alone without a draw."""
    targets = (Target(model="a", weight=3), Target(model="b"))
    points = iter((0.0, 0.74, 0.76))
    assert [draw(targets, points.__next__) for _ in range(3)] == ["a", "a", "b"]
    assert draw(targets[:1], lambda: pytest.fail("drawn")) == "a"


def test_what_a_target_lacks_is_said_of_its_alias() -> None:
    """Through others, of the one that names it."""

    def refuse(name: str) -> None:
        raise ConfigurationError(f"nobody serves {name}")

    found = Aliases({"a": to("b"), "b": to("gone")}, is_model=lambda _: False)
    with pytest.raises(ConfigurationError, match=r"^Alias 'b': nobody serves gone$"):
        found.check(refuse)
    assert (found.behind("b"), found.behind("gone")) == (to("gone"), None)
