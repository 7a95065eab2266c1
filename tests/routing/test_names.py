"""Names of models: what each one means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.errors import AmbiguousModel, ConfigurationError, ModelNotFound, RequestError
from plano_asgi.exchange import Candidate
from plano_asgi.routing import Alias, ModelEntry, ModelInfo, Names, Target
from plano_asgi.routing.names import MAX_NAME_CHARS

KNOWN = {
    "openai": ("gpt-4o", "gpt-5"),
    "azure_openai": ("gpt-4o",),
    "groq": ("openai/gpt-oss-120b",),
}


def entry(full: str, provider: str = "", **options: Any) -> ModelEntry:
    """An entry of *full*, held under its prefix."""
    prefix, _, model = full.partition("/")
    name = options.pop("name", full)
    return ModelEntry(name=name, provider=provider or prefix, model=model, prefix=prefix, **options)


def where(names: Names, name: str | None, draw: float = 0.0) -> list[str]:
    """The candidates of *name* as text."""
    return [candidate.name for candidate in names.resolve(name, rng=lambda: draw).candidates]


def test_full_name_resolves_to_its_provider() -> None:
    """A full name is exact, whoever else serves the id."""
    names = Names([entry("openai/gpt-4o"), entry("azure_openai/gpt-4o")])
    route = names.resolve("azure_openai/gpt-4o")
    assert route.candidates == (Candidate(provider="azure_openai", model="gpt-4o"),)
    assert route.reason == "name"


def test_own_name_and_full_name_both_work() -> None:
    """An entry with a name of its own is also known by prefix and id."""
    names = Names([entry("openai/gpt-4o", name="smart")])
    assert where(names, "smart") == where(names, "openai/gpt-4o") == ["openai/gpt-4o"]


def test_entries_of_one_name_fail_over_in_order() -> None:
    """Two keys for one model are two candidates; a repeated one counts once."""
    names = Names(
        [
            entry("openai/gpt-4o", "eu"),
            entry("openai/gpt-4o", "us"),
            entry("openai/gpt-4o", "eu"),
        ]
    )
    assert where(names, "openai/gpt-4o") == ["eu/gpt-4o", "us/gpt-4o"]
    assert where(names, "gpt-4o") == ["eu/gpt-4o", "us/gpt-4o"]


def test_bare_id_of_one_provider_resolves() -> None:
    """A bare id needs no prefix where one provider serves it."""
    names = Names([entry("openai/gpt-4o"), entry("together_ai/meta-llama/Llama-3")])
    assert where(names, "gpt-4o") == ["openai/gpt-4o"]
    assert where(names, "meta-llama/Llama-3") == ["together_ai/meta-llama/Llama-3"]


def test_bare_id_of_several_providers_is_refused_with_the_choices() -> None:
    """Nobody guesses between providers."""
    names = Names([entry("openai/gpt-4o"), entry("azure_openai/gpt-4o")])
    with pytest.raises(AmbiguousModel, match="openai/gpt-4o, azure_openai/gpt-4o") as caught:
        names.resolve("gpt-4o")
    assert caught.value.param == "model"


@pytest.mark.parametrize("model", ["anthropic/gpt-4o", "anthropic/claude"])
def test_a_prefix_is_taken_at_its_word(model: str) -> None:
    """A model of another provider never answers for a prefix."""
    names = Names(
        [
            entry("openai/gpt-4o"),
            entry("anthropic/claude-opus"),
            entry("openrouter/anthropic/claude"),
        ]
    )
    with pytest.raises(ModelNotFound):
        names.resolve(model)


def test_wildcard_takes_any_id_of_its_prefix() -> None:
    """Ids that no list knows pass, slashes and all; several keys are several candidates."""
    names = Names([entry("openai/*", "a"), entry("openai/*", "b")])
    assert where(names, "openai/new/model") == ["a/new/model", "b/new/model"]
    assert names.resolve("openai/x").reason == "wildcard openai/*"


@pytest.mark.parametrize("model", ["openai/", "openai/*", "openai", "*"])
def test_wildcard_needs_an_id(model: str) -> None:
    """The wildcard itself names no model."""
    with pytest.raises(ModelNotFound):
        Names([entry("openai/*")]).resolve(model)


def test_explicit_entry_beats_the_wildcard() -> None:
    """A configured model goes to its own provider key."""
    names = Names([entry("openai/*", "wild"), entry("openai/gpt-4o", "own")], known=KNOWN)
    assert where(names, "openai/gpt-4o") == where(names, "gpt-4o") == ["own/gpt-4o"]


def test_bare_id_matches_the_one_wildcard_known_for_it() -> None:
    """The known lists tell whose id it is."""
    names = Names([entry("openai/*"), entry("groq/*")], known=KNOWN)
    assert where(names, "gpt-5") == ["openai/gpt-5"]
    assert names.resolve("gpt-5").reason == "known id"
    assert where(names, "openai/gpt-oss-120b") == ["openai/gpt-oss-120b"]  # the prefix decides
    assert where(Names([entry("groq/*")], known=KNOWN), "openai/gpt-oss-120b") == [
        "groq/openai/gpt-oss-120b"
    ]


def test_bare_id_known_for_several_wildcards_is_refused() -> None:
    """Several wildcards that serve it are ambiguous too."""
    names = Names([entry("openai/*"), entry("azure_openai/*")], known=KNOWN)
    with pytest.raises(AmbiguousModel, match="openai/gpt-4o, azure_openai/gpt-4o"):
        names.resolve("gpt-4o")


@pytest.mark.parametrize("model", [None, "", " ", "none", "None", "gpt-9"])
def test_default_serves_what_names_no_model(model: str | None) -> None:
    """Missing and unknown models go to the default, which the reason says."""
    names = Names([entry("openai/gpt-4o"), entry("groq/llama", default=True)])
    route = names.resolve(model)
    assert [candidate.name for candidate in route.candidates] == ["groq/llama"]
    assert route.reason == "default"


def test_no_model_and_no_default_is_a_request_error() -> None:
    """There is nothing to guess from."""
    with pytest.raises(RequestError, match="Name a model") as caught:
        Names([entry("openai/gpt-4o")]).resolve(None)
    assert (caught.value.status, caught.value.code) == (400, "model_required")


def test_unknown_model_names_near_matches() -> None:
    """A typing error is answered with what may have been meant, as a full name."""
    names = Names([entry("openai/gpt-4o"), entry("anthropic/*")], known={"anthropic": ("claude",)})
    with pytest.raises(ModelNotFound, match="Did you mean: openai/gpt-4o"):
        names.resolve("gpt-4oo")
    with pytest.raises(ModelNotFound) as caught:
        names.resolve("x" * 1000)
    assert "Did you mean" not in str(caught.value)


def test_alias_shadows_a_model_of_its_name() -> None:
    """The alias wins over a bare id and a full name."""
    names = Names(
        [entry("openai/gpt-4o"), entry("groq/llama")],
        {"gpt-4o": Alias(targets=(Target(model="groq/llama"),))},
    )
    route = names.resolve("gpt-4o")
    assert [candidate.name for candidate in route.candidates] == ["groq/llama"]
    assert route.reason == "alias gpt-4o"
    assert where(names, "openai/gpt-4o") == ["openai/gpt-4o"]


def test_alias_may_point_into_a_wildcard_and_at_an_alias() -> None:
    """Targets are resolved like any name."""
    names = Names(
        [entry("openai/*")],
        {
            "fast": Alias(targets=(Target(model="openai/gpt-mini"),)),
            "quick": Alias(targets=(Target(model="fast"),)),
        },
    )
    assert where(names, "quick") == ["openai/gpt-mini"]


@pytest.mark.parametrize(
    ("draw", "first"), [(0.0, "a"), (0.24, "a"), (0.26, "b"), (0.999, "b"), (1.0, "b")]
)
def test_targets_are_drawn_by_weight_and_fallbacks_follow(draw: float, first: str) -> None:
    """The drawn target comes first; targets not drawn do not follow; nothing comes twice."""
    names = Names(
        [entry("p/a"), entry("p/b"), entry("p/c")],
        {
            "split": Alias(
                targets=(Target(model="p/a", weight=1), Target(model="p/b", weight=3)),
                fallbacks=("p/c", "p/a"),
            )
        },
    )
    rest = [name for name in ("p/c", "p/a") if name != f"p/{first}"]
    assert where(names, "split", draw) == [f"p/{first}", *rest]


def test_alias_circle_is_refused_and_shown() -> None:
    """The error spells the circle out."""
    aliases = {
        "a": Alias(targets=(Target(model="p/x"),), fallbacks=("b",)),
        "b": Alias(targets=(Target(model="c"),)),
        "c": Alias(targets=(Target(model="a"),)),
    }
    with pytest.raises(ConfigurationError, match="a -> b -> c -> a"):
        Names([entry("p/x")], aliases)


def test_alias_shared_by_two_is_not_a_circle() -> None:
    """Two ways to one alias are fine."""
    aliases = {
        "a": Alias(targets=(Target(model="c"),), fallbacks=("b",)),
        "b": Alias(targets=(Target(model="c"),)),
        "c": Alias(targets=(Target(model="p/x"),)),
    }
    assert where(Names([entry("p/x")], aliases), "a") == ["p/x"]


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        pytest.param(Alias(targets=()), "needs a name and a target", id="no target"),
        pytest.param(Alias(targets=(Target(model="p/x", weight=0),)), "not above 0", id="zero"),
        pytest.param(
            Alias(targets=(Target(model="p/x", weight=float("inf")),)), "not above 0", id="inf"
        ),
        pytest.param(Alias(targets=(Target(model="p/xy"),)), "Did you mean: p", id="typo"),
        pytest.param(Alias(targets=(Target(model="zzzzzz"),)), "no provider serves", id="unknown"),
        pytest.param(Alias(targets=(Target(model="y"),)), "Several providers", id="ambiguous"),
        pytest.param(
            Alias(targets=(Target(model="p/x"),), fallbacks=("no",)), "'no'", id="fallback"
        ),
    ],
)
def test_alias_that_cannot_work_is_refused(alias: Alias, said: str) -> None:
    """Everything an alias names is checked at construction."""
    entries = [entry("p/x"), entry("p/y"), entry("q/y")]
    with pytest.raises(ConfigurationError, match=said):
        Names(entries, {"a": alias})


def test_defaults_that_cannot_work_are_refused() -> None:
    """One default at most, and a real model; two keys of it are fine."""
    with pytest.raises(ConfigurationError, match="p/a, p/b"):
        Names([entry("p/a", default=True), entry("p/b", default=True)])
    with pytest.raises(ConfigurationError, match="wildcard"):
        Names([entry("p/*", default=True)])
    twice = Names([entry("p/a", "one", default=True), entry("p/a", "two")])
    assert where(twice, None) == ["one/a", "two/a"]


def test_models_lists_entries_wildcards_and_aliases_once() -> None:
    """Hidden entries stay hidden, explicit ones are not repeated by a wildcard."""
    names = Names(
        [
            entry("openai/gpt-4o", owned_by="OpenAI", created=5),
            entry("openai/*", owned_by="OpenAI"),
            entry("groq/*", owned_by="Groq"),
            entry("plano/router", listed=False),
        ],
        {
            "fast": Alias(targets=(Target(model="quick"), Target(model="openai/gpt-5"))),
            "quick": Alias(targets=(Target(model="groq/x"),)),
        },
        {"openai": ("gpt-4o", "gpt-5")},
    )
    assert names.models() == [
        ModelInfo(id="openai/gpt-4o", owned_by="OpenAI", created=5),
        ModelInfo(id="openai/gpt-5", owned_by="OpenAI"),
        ModelInfo(id="fast", owned_by="Groq", alias_of="quick, openai/gpt-5"),
        ModelInfo(id="quick", owned_by="Groq", alias_of="groq/x"),
    ]
    assert where(names, "plano/router") == ["plano/router"]


def test_get_finds_listed_and_resolvable_names() -> None:
    """A bare id and a wildcard's id are found by the id asked for; hidden ones are not."""
    names = Names(
        [
            entry("openai/*", owned_by="OpenAI"),
            entry("p/y", owned_by="P"),
            entry("q/y"),
            entry("p/hidden", listed=False),
        ],
        {"fast": Alias(targets=(Target(model="p/y"),))},
    )
    assert names.get("fast") == ModelInfo(id="fast", owned_by="P", alias_of="p/y")
    assert names.get("openai/new") == ModelInfo(id="openai/new", owned_by="OpenAI")
    assert names.get("p/y") == ModelInfo(id="p/y", owned_by="P")
    assert [names.get(name) for name in ("y", "p/hidden", "nope", "nope/x")] == [None] * 4


def test_a_model_newer_than_the_list_goes_where_its_family_lives() -> None:
    """Where that is one place; else nobody guesses."""
    wild = [
        ModelEntry(name=f"{prefix}/*", provider=prefix, model="*", prefix=prefix)
        for prefix in ("anthropic", "openai", "groq", "together")
    ]
    known = {
        "anthropic": ["claude-opus-4-1"],
        "openai": ["gpt-4o", "o3"],
        "groq": ["llama-3"],
        "together": ["llama-4"],
    }
    names = Names(wild, known=known)
    found = names.resolve("claude-opus-99").candidates
    assert [(c.provider, c.model) for c in found] == [("anthropic", "claude-opus-99")]
    for unclear in ("llama-99", "other-1", "o9", "x/claude-opus-99"):
        with pytest.raises(ModelNotFound):
            names.resolve(unclear)


def test_candidates_have_names_that_clients_can_send() -> None:
    """The key of a second account is none."""
    names = Names(
        [
            ModelEntry(name="mine", provider="openai", model="gpt-4o", prefix="openai"),
            ModelEntry(name="openai/gpt-5", provider="openai-2", model="gpt-5", prefix="openai"),
            ModelEntry(name="groq/*", provider="groq-2", model="*", prefix="groq"),
        ]
    )
    places = [("openai", "gpt-4o"), ("openai-2", "gpt-5"), ("groq-2", "llama"), ("gone", "x")]
    found = [names.name_of(Candidate(provider=where, model=model)) for where, model in places]
    assert found == ["mine", "openai/gpt-5", "groq/llama", "gone/x"]


def test_a_place_has_all_names_that_it_is_configured_under() -> None:
    """Two entries of one upstream and account; the first name is the one that is shown."""
    names = Names(
        [
            ModelEntry(name="fast", provider="openai", model="gpt-4o", prefix="openai"),
            ModelEntry(name="smart", provider="openai", model="gpt-4o", prefix="openai"),
            ModelEntry(name="groq/*", provider="groq-2", model="*", prefix="groq"),
        ]
    )
    places = [("openai", "gpt-4o"), ("groq-2", "llama"), ("gone", "x")]
    found = [names.names_of(Candidate(provider=where, model=model)) for where, model in places]
    assert found == [("fast", "smart"), ("groq/llama",), ("gone/x",)]


def test_what_a_name_means_is_told_by_all_its_names() -> None:
    """What is said of one of them is said of the model, however it is asked for."""
    names = Names(
        [
            ModelEntry(name="fast", provider="openai~eu", model="gpt-4o", prefix="openai"),
            ModelEntry(name="smart", provider="openai~eu", model="gpt-4o", prefix="openai"),
        ],
        {"best": Alias(targets=(Target(model="smart"),))},
    )
    every = {"openai~eu/gpt-4o", "openai/gpt-4o", "gpt-4o", "fast", "smart"}
    for name in ("fast", "smart", "openai/gpt-4o", "gpt-4o", "best"):
        assert set(names.meant(name)) == every


def test_overlong_names_are_not_remembered() -> None:
    """They mean what they mean, and nothing of them is kept."""
    names = Names([entry("mistral/*")])
    long = "x" * MAX_NAME_CHARS
    assert names.meant(f"mistral/{long}")[0] == f"mistral/{long}"
    assert names._meanings.cache_info().currsize == 0


@pytest.mark.parametrize("id", ["gpt-4o", "*"])
def test_what_an_ambiguous_name_may_mean_is_all_of_it(id: str) -> None:
    """A rule may decide: steps are told of every model, and nobody fails."""
    names = Names([entry(f"openai/{id}"), entry(f"azure_openai/{id}")], known=KNOWN)
    with pytest.raises(AmbiguousModel):
        names.resolve("gpt-4o")
    assert {"openai/gpt-4o", "azure_openai/gpt-4o", "gpt-4o"} <= set(names.meant("gpt-4o"))
