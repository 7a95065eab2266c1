"""
What people say, as data: phrases for each leaf, and what takes their meaning away.

A lexicon is a TOML file. A table named like a leaf, or like a leaf and a kind of it, has

    phrases = [...]         in the language of ``signals.phrases``
    exceptions = [...]      phrases that, found over one of these, cancel it
    guards = [...]          names of guards that cancel it

and beside them ``[guards.<name>]`` (``scope``, ``phrases``), ``[words]`` (lists for ``<name>``),
``[spelling]`` (what a spelling stands for), ``[reading]`` (lists of words, see ``Lexicon``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.base import LEAVES

Scope: TypeAlias = Literal["near", "clause", "before", "sentence", "rest"]
"""
What a guard cancels: what begins within three words after it in its clause (near), anything after
it in its clause (clause) or before it in its clause (before), anything after it in its sentence,
anything after it at all (rest).
"""
_SCOPES = get_args(Scope)
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "interaction.misalignment.correction": ("correction", "contradiction"),
        "interaction.disengagement.negative_stance": ("complaint", "profanity", "sarcasm"),
        "interaction.satisfaction.gratitude": ("gratitude", "thanks"),
        **{
            leaf: (leaf.rpartition(".")[2],)
            for leaf in (
                "interaction.misalignment.rephrase",
                "interaction.misalignment.clarification",
                "interaction.disengagement.escalation",
                "interaction.disengagement.quit",
                "interaction.satisfaction.confirmation",
                "interaction.satisfaction.success",
            )
        },
    }
)
"""The leaves that phrases tell, and the kinds of each; the first is the one meant by default."""
_READING = (
    "fillers",
    "stopwords",
    "affirmations",
    "followups",
    "repeats",
    "denials",
    "telling",
    "personal",
    "glad",
    "real_words",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The phrases of one leaf or kind, and what cancels them."""

    phrases: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()

    def joined(self, other: Entry) -> Entry:
        """Both together."""
        return Entry(
            phrases=_union(self.phrases, other.phrases),
            exceptions=_union(self.exceptions, other.exceptions),
            guards=_union(self.guards, other.guards),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconGuard:
    """Words that say: what follows (or stands before) is not meant, or not by the speaker."""

    scope: Scope
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """
    Phrases and word lists of one language or domain, or of several joined with ``|``.

    Args:
        entries: By leaf and kind: ``interaction.misalignment.correction.correction``.
        guards: By name.
        words: What ``<name>`` in a phrase stands for.
        spelling: What a word as written stands for: ``gonna`` is ``going to``.
        fillers: Words read over everywhere, in phrases and in texts.
        stopwords: Words that say nothing about what a text is about.
        affirmations: How an answer begins that agrees; it is then no repetition.
        followups: Words by which a text asks for more of the same, or for something else.
        repeats: Words by which somebody asks to hear an answer again.
        denials: How an answer begins that denies what was said before.
        telling: Words by which somebody speaks of what they said before.
        personal: Words of somebody who speaks of themselves, to the other, or of what goes on;
            capitals without one of them are a title or a list.
        glad: Words with which heaps of marks and capitals are joy.
        real_words: Never taken for a misspelling.
        synonyms: A word to the word that stands for its group.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    guards: Mapping[str, LexiconGuard] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    fillers: frozenset[str] = frozenset()
    stopwords: frozenset[str] = frozenset()
    affirmations: frozenset[str] = frozenset()
    followups: frozenset[str] = frozenset()
    repeats: frozenset[str] = frozenset()
    denials: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    glad: frozenset[str] = frozenset()
    real_words: frozenset[str] = frozenset()
    synonyms: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, language: str = "en") -> Lexicon:
        """
        The one that comes with the package.

        Raises:
            ConfigurationError: There is none for *language*; names those there are.
        """
        shipped = sorted(item.name for item in _folder().iterdir())
        if f"{language}.toml" in shipped:
            document = _shipped(f"{language}.toml")
            if "language" in document:
                return cls.from_document(document)
        # Others beside them are about tools, and of another form.
        known = (name.removesuffix(".toml") for name in shipped if "language" in _shipped(name))
        raise ConfigurationError(f"no lexicon {language!r}; there are: {', '.join(known)}")

    @classmethod
    def from_toml(cls, path: str | Path) -> Lexicon:
        """
        One of your own; join it with another by ``|``.

        Raises:
            ConfigurationError: The file is no TOML, or not of this form; says where.
            OSError: The file cannot be read.
        """
        try:
            document = tomllib.loads(Path(path).read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{path}: {exc}") from exc
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Lexicon:
        """
        One from the tables of a TOML file.

        Raises:
            ConfigurationError: A table, key or value that means nothing here.
        """
        tables = {
            name: _table(name, table) for name, table in document.items() if name != "language"
        }
        reading = tables.pop("reading", {})
        if unknown := reading.keys() - {*_READING, "synonyms"}:
            raise ConfigurationError(_unknown("reading", unknown, (*_READING, "synonyms")))
        lists = {name: _strings(f"reading.{name}", lines) for name, lines in reading.items()}
        groups = [group.split() for group in lists.pop("synonyms", ())]
        return cls(
            guards={name: _guard(name, table) for name, table in tables.pop("guards", {}).items()},
            words={
                name: _strings(f"words.{name}", w) for name, w in tables.pop("words", {}).items()
            },
            spelling={word: str(spelt) for word, spelt in tables.pop("spelling", {}).items()},
            synonyms={word: group[0] for group in groups for word in group},
            **{name: frozenset(" ".join(lines).split()) for name, lines in lists.items()},
            entries=dict(_entries("", tables)),
        )

    def extended(self, phrases: Mapping[str, Sequence[str]]) -> Lexicon:
        """
        This one and more phrases, by leaf or by leaf and kind.

        Raises:
            ConfigurationError: A leaf that phrases do not tell; names those they do.
        """
        added = {_entry_key(key): Entry(phrases=tuple(more)) for key, more in phrases.items()}
        return self | Lexicon(entries=added)

    def __or__(self, other: Lexicon) -> Lexicon:
        """Both together; where they disagree, *other*."""
        entries = dict(self.entries)
        for key, entry in other.entries.items():
            entries[key] = entries[key].joined(entry) if key in entries else entry
        guards = dict(self.guards)
        for name, guard in other.guards.items():
            before = guards[name].phrases if name in guards else ()
            guards[name] = replace(guard, phrases=_union(before, guard.phrases))
        words = dict(self.words)
        for name, members in other.words.items():
            words[name] = _union(words.get(name, ()), members)
        return Lexicon(
            entries=entries,
            guards=guards,
            words=words,
            spelling={**self.spelling, **other.spelling},
            synonyms={**self.synonyms, **other.synonyms},
            **{name: getattr(self, name) | getattr(other, name) for name in _READING},
        )


def _folder() -> Traversable:
    return files(__package__).joinpath("lexicons")


def _shipped(name: str) -> dict[str, Any]:
    return tomllib.loads(_folder().joinpath(name).read_text("utf-8"))


def _union(one: tuple[str, ...], two: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *two)))


def _unknown(where: str, found: object, known: Sequence[str]) -> str:
    names = sorted(found) if isinstance(found, (set, frozenset)) else [found]
    return f"lexicon: {where} has no {', '.join(map(repr, names))}; it has {', '.join(known)}"


def _strings(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"lexicon: {where} must be a list of strings")
    return tuple(value)


def _table(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"lexicon: {name} must be a table")
    return dict(value)


def _guard(name: str, value: object) -> LexiconGuard:
    table = _table(f"guards.{name}", value)
    if table.get("scope") not in _SCOPES:
        raise ConfigurationError(_unknown(f"guards.{name}.scope", table.get("scope"), _SCOPES))
    phrases = _strings(f"guards.{name}.phrases", table.get("phrases", []))
    return LexiconGuard(scope=table["scope"], phrases=phrases)


def _entry_key(path: str) -> str:
    leaf = ".".join(path.split(".")[:3])
    kind = path[len(leaf) + 1 :]
    kinds = KINDS.get(leaf, ())
    if not kinds or (kind and kind not in kinds):
        known = tuple(leaf for leaf in LEAVES if leaf in KINDS)
        raise ConfigurationError(_unknown("it", path, known))
    return f"{leaf}.{kind or kinds[0]}"


def _entries(path: str, tables: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    """Every table that has phrases or exceptions, however deep."""
    for name, table in tables.items():
        here = f"{path}.{name}" if path else name
        nested = {key: v for key, v in _table(here, table).items() if isinstance(v, dict)}
        yield from _entries(here, nested)
        if own := table.keys() - nested.keys():
            if unknown := own - {"phrases", "exceptions", "guards"}:
                raise ConfigurationError(
                    _unknown(here, unknown, ("phrases", "exceptions", "guards"))
                )
            lists = {key: _strings(f"{here}.{key}", table[key]) for key in own}
            yield _entry_key(here), Entry(**lists)
