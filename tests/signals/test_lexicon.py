"""Lexicons: the one that comes along, those of users, and both together."""

from __future__ import annotations

from pathlib import Path

import pytest

from interaction_rows import reply
from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.interaction import interaction
from plano_asgi.signals.lexicon import KINDS, Entry, Lexicon
from plano_asgi.signals.matching import Reader

GERMAN = """
language = "de"
[interaction.disengagement.quit]
phrases = ["ich gebe auf", "vergiss es"]
guards = ["verneint"]
[interaction.disengagement.escalation]
phrases = ["(mit|zu) <mensch>"]
[guards.verneint]
scope = "clause"
phrases = ["nie"]
[words]
mensch = ["einem menschen", "einem mitarbeiter"]
[spelling]
"geb" = "gebe"
[reading]
fillers = ["bitte doch"]
synonyms = ["auto wagen"]
"""


def _hits(lexicon: Lexicon, text: str) -> list[str]:
    return sorted(key.split(".")[2] for key in Reader(lexicon).read(text).hits)


def test_the_bundled_one_has_every_leaf_that_phrases_tell() -> None:
    """And hundreds of phrases, all understood."""
    lexicon = Lexicon.load()
    assert set(lexicon.entries) == {
        f"{leaf}.{kind}" for leaf, kinds in KINDS.items() for kind in kinds
    }
    assert sum(len(entry.phrases) for entry in lexicon.entries.values()) > 300
    Reader(lexicon)


@pytest.mark.parametrize("name", ["xx", "execution", "../lexicons/en"])
def test_unknown_language_names_the_known(name: str) -> None:
    """There is English; what tools say is no language."""
    with pytest.raises(ConfigurationError, match=r"there are: en$"):
        Lexicon.load(name)


def test_own_phrases_by_leaf() -> None:
    """More phrases, in one line; the lexicon itself does not change."""
    lexicon = Lexicon.load()
    own = lexicon.extended({"interaction.disengagement.quit": ["beam me up"]})
    assert _hits(own, "Beam me up!") == ["quit"]
    assert _hits(lexicon, "Beam me up!") == []


def test_own_phrases_by_kind() -> None:
    """A kind of a leaf, and the first one when none is named."""
    leaf = "interaction.disengagement.negative_stance"
    own = Lexicon().extended({leaf: ["meh"], f"{leaf}.profanity": ["frell"]})
    assert own.entries == {
        f"{leaf}.complaint": Entry(phrases=("meh",)),
        f"{leaf}.profanity": Entry(phrases=("frell",)),
    }


@pytest.mark.parametrize("leaf", ["interaction.stagnation.dragging", "quit", "a.b.c.d"])
def test_other_leaves_are_told_otherwise(leaf: str) -> None:
    """Phrases for what phrases do not tell are a mistake."""
    with pytest.raises(ConfigurationError, match=r"misalignment\.correction"):
        Lexicon().extended({leaf: ["x"]})


def test_a_language_of_ones_own(tmp_path: Path) -> None:
    """From a file, alone or joined with another."""
    path = tmp_path / "de.toml"
    path.write_text(GERMAN, "utf-8")
    german = Lexicon.from_toml(path)
    assert _hits(german, "Ich geb doch auf.") == ["quit"]
    assert _hits(german, "Nie sage ich: ich gebe auf") == ["quit"]
    assert _hits(german, "Nie ich gebe auf") == []
    assert _hits(german, "bitte zu einem Mitarbeiter") == ["escalation"]
    both = Lexicon.load() | german
    assert _hits(both, "vergiss es") == _hits(both, "forget it") == ["quit"]
    assert both.synonyms["wagen"] == "auto"


def test_joining_adds_to_lists_and_guards() -> None:
    """Phrases are kept once; of a spelling the later one counts."""
    one = Lexicon.from_document(
        {
            "words": {"a": ["x"]},
            "spelling": {"k": "ok"},
            "guards": {"g": {"scope": "near", "phrases": ["no"]}},
        }
    )
    two = Lexicon.from_document(
        {
            "words": {"a": ["x", "y"]},
            "spelling": {"k": "okay"},
            "guards": {"g": {"scope": "rest", "phrases": ["not"]}},
        }
    )
    both = one | two
    assert both.words["a"] == ("x", "y")
    assert both.spelling["k"] == "okay"
    assert (both.guards["g"].scope, both.guards["g"].phrases) == ("rest", ("no", "not"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("x =", "lexicon.toml", id="no toml"),
        pytest.param("[interaction.other.leaf]\nphrases=[]", "interaction.other.leaf", id="leaf"),
        pytest.param("[interaction.disengagement.quit]\nphrase=[]", "'phrase'", id="key"),
        pytest.param("[interaction.disengagement.quit]\nphrases='x'", "list of strings", id="type"),
        pytest.param("interaction = 1", "must be a table", id="table"),
        pytest.param("[guards.g]\nscope='all'", "'all'.*near", id="scope"),
        pytest.param("[reading]\nwords=[]", "'words'", id="reading"),
        pytest.param("[reading]\nfillers=3", "list of strings", id="words"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, says: str) -> None:
    """A file that is not of this form says where."""
    path = tmp_path / "lexicon.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=says):
        Lexicon.from_toml(path)


def test_a_guard_that_is_not_there_is_a_mistake() -> None:
    """Found when a reader is built."""
    quits = {"quit": {"phrases": ["x"], "guards": ["gone"]}}
    with pytest.raises(ConfigurationError, match="gone"):
        Reader(Lexicon.from_document({"interaction": {"disengagement": quits}}))


def test_detectors_in_the_order_of_reports() -> None:
    """Misalignment, stagnation, disengagement, satisfaction."""
    text = "No, I meant the other file. Forget it, I give up."
    found = [s.type.split(".")[1] for s in interaction(Lexicon.load())(reply(text))]
    assert found == ["misalignment", "disengagement"]
