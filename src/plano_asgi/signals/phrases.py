"""
The phrase language of lexicons, and one automaton for all phrases that reads a text once.

::

    no (i|we) (meant|mean)          alternatives
    that (really)? helps            an option
    i asked for ... not             a gap of up to four words, inside one sentence
    option * works                  one word of any kind
    talk to <person>                the list ``person`` of the lexicon's ``words``
    ^ wrong                         at the start of a sentence
    got it $                        at its end
    <line> <asked> , :              a line break, a question mark, a pause, a colon

Marks between words (``no, i meant``) are read over, unless the phrase itself asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.text import ASKED, COLON, ENDS, LINE, MARKS, PAUSE, STOP

MAX_GAP_WORDS = 4
_SYNTAX = re.compile(r"\.\.\.|[()|^$,:]|\?|<\w+>|[^\s()|?<>^$,:]+|\S")
_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "^": tuple(ENDS),
    "$": tuple(ENDS),
    ",": (PAUSE,),
    ":": (COLON,),
    "<asked>": (ASKED,),
    "<line>": (LINE,),
    "<stop>": (STOP,),
}
_ANY = "*"
_READ_OVER = (PAUSE, COLON)


class Span(NamedTuple):
    """One phrase found: *label* is what it was compiled with; *start* and *end* count words."""

    label: Any
    start: int
    end: int


@dataclass(slots=True)
class _Graph:
    """A non-deterministic automaton under construction; node 0 is the start."""

    spell: Callable[[str], Sequence[str]]
    words: Mapping[str, Sequence[str]]
    edges: list[dict[str, list[int]]] = field(default_factory=lambda: [{}])
    free: list[list[int]] = field(default_factory=lambda: [[]])
    labels: dict[int, list[Any]] = field(default_factory=dict)
    steps: int = 0

    def node(self) -> int:
        """A new node."""
        self.edges.append({})
        self.free.append([])
        return len(self.edges) - 1

    def step(self, start: int, word: str, end: int | None = None) -> int:
        """A way from *start* over *word*."""
        if end is None:
            end = self.node()
        self.edges[start].setdefault(word, []).append(end)
        self.steps += 1
        return end

    def literal(self, start: int, word: str) -> int:
        """A way over *word* as texts spell it, which may be several words or none."""
        for part in self.spell(word):
            start = self.step(start, part)
        return start

    def gap(self, start: int) -> int:
        """A way over up to ``MAX_GAP_WORDS`` words of any kind."""
        end = self.node()
        self.free[start].append(end)
        for _ in range(MAX_GAP_WORDS):
            start = self.step(start, _ANY)
            self.free[start].append(end)
        return end

    def named(self, start: int, name: str, phrase: str) -> int:
        """A way over one member of a list, ours or the lexicon's."""
        end = self.node()
        if name in _BUILT_IN:
            for mark in _BUILT_IN[name]:
                self.step(start, mark, end)
            return end
        members = self.words.get(name[1:-1])
        if members is None:
            known = ", ".join(sorted(self.words)) or "none"
            raise ConfigurationError(f"no word list {name} for {phrase!r}; there are: {known}")
        self.either(start, end, [_Parser(self, member).sequence for member in members])
        return end

    def either(self, start: int, end: int, ways: Iterable[Callable[[int], int]]) -> None:
        """
        Ways from *start* to *end*, next to each other.

        One that is made of fillers only would let everything pass: it is no way, unless all are.
        """
        before = self.steps
        empty = start
        for way in ways:
            steps = self.steps
            last = way(start)
            if self.steps > steps:
                self.free[last].append(end)
            else:
                empty = last
        if self.steps == before:
            self.free[empty].append(end)


class _Parser:
    """Reads one phrase into a graph."""

    def __init__(self, graph: _Graph, phrase: str) -> None:
        self.graph, self.phrase = graph, phrase
        self.parts = _SYNTAX.findall(phrase)
        self.at = 0

    def peek(self) -> str:
        """The next part; empty at the end."""
        return self.parts[self.at] if self.at < len(self.parts) else ""

    def whole(self) -> int:
        """The node where the phrase ends."""
        end = self.sequence(0)
        if self.peek():
            raise self.error()
        return end

    def error(self) -> ConfigurationError:
        """What is wrong with the phrase, and where."""
        return ConfigurationError(f"phrase {self.phrase!r}: unexpected {self.peek() or 'end'!r}")

    def sequence(self, start: int) -> int:
        """Items up to the end of the phrase or of a group."""
        while (part := self.peek()) and part not in ")|":
            end = self.item(start)
            if self.peek() == "?":
                self.at += 1
                self.graph.free[start].append(end)
            start = end
        return start

    def item(self, start: int) -> int:
        """A word, a list, a gap or a group; always ends in a node of its own."""
        part = self.parts[self.at]
        if part == "?":
            raise self.error()
        self.at += 1
        own = self.graph.node()
        self.graph.free[start].append(own)
        if part == "(":
            return self.group(own)
        if part == "...":
            return self.graph.gap(own)
        if part == _ANY:
            return self.graph.step(own, _ANY)
        if part in _BUILT_IN or part.startswith("<"):
            return self.graph.named(own, part, self.phrase)
        return self.graph.literal(own, part)

    def group(self, start: int) -> int:
        """Alternatives between brackets; the opening one is read."""
        end = self.graph.node()
        self.graph.either(start, end, self.alternatives())
        return end

    def alternatives(self) -> Iterator[Callable[[int], int]]:
        """The readers of a group's members, one at a time, up to its closing bracket."""
        while True:
            yield self.sequence
            closing = self.peek()
            if not closing:
                raise self.error()
            self.at += 1
            if closing == ")":
                return


class _State(dict[str, "_State | None"]):
    """
    Nodes that can be reached together: word to the next state, filled in as texts ask for it.

    ``None`` is a dead end; ``*`` serves every word that no phrase has.
    """

    __slots__ = ("labels", "moves", "nodes")

    def __init__(self, nodes: frozenset[int], labels: tuple[Any, ...]) -> None:
        super().__init__()
        self.nodes, self.labels = nodes, labels
        self.moves: Mapping[str, Iterable[int]] | None = None


_UNKNOWN = _State(frozenset(), ())


class Automaton:
    """
    All phrases of a lexicon at once.

    Its states are worked out when a text first needs them, and kept: phrases with gaps have far
    more states than texts ever reach.

    Args:
        phrases: ``(phrase, label)`` pairs.
        spell: How texts spell a word: the words it becomes.
        words: What ``<name>`` stands for: phrases themselves.
        max_states: How many states are kept; then all are forgotten.

    Raises:
        ConfigurationError: A phrase has an unknown list, unbalanced brackets, or no word at all.
    """

    def __init__(
        self,
        phrases: Iterable[tuple[str, Any]],
        *,
        spell: Callable[[str], Sequence[str]],
        words: Mapping[str, Sequence[str]],
        max_states: int = 20_000,
    ) -> None:
        graph = self._graph = _Graph(spell, words)
        for phrase, label in phrases:
            graph.labels.setdefault(_Parser(graph, phrase).whole(), []).append(label)
        start = _closure(graph, (0,))
        if empty := [label for node in start for label in graph.labels.get(node, ())]:
            raise ConfigurationError(f"phrases without a word of their own: {empty}")
        self.vocabulary = (
            frozenset(word for edges in graph.edges for word in edges) - MARKS - {_ANY}
        )
        """Every word that some phrase has."""
        self._known = self.vocabulary | MARKS
        self._max_states = max_states
        self._states: dict[frozenset[int], _State] = {}
        begins = _moves(graph, start)
        self._begins = {word: self._state(_closure(graph, ends)) for word, ends in begins.items()}

    def find(self, words: Sequence[str]) -> list[Span]:
        """
        Every phrase in *words*, which begin and end with a mark of ``ENDS``.

        One look-up for a word that begins no phrase.
        """
        known, begins = self._known, self._begins.get
        words = [word if word in known else _ANY for word in words]
        found: list[Span] = []
        for start, (word, follows) in enumerate(zip(words, [*words[1:], STOP], strict=True)):
            if (state := begins(word)) is None:
                continue
            # Most phrases end here; what the next word leads to is mostly known.
            ends = state.get(follows, _UNKNOWN) is None and follows not in _READ_OVER
            if state.labels or not ends:
                self._walk(state, words, start, found)
        return found

    def _walk(self, state: _State, words: Sequence[str], start: int, found: list[Span]) -> None:
        """Add the phrases that begin at *start*, whose word has led to *state*."""
        at, end = start + 1, len(words)
        while True:
            if state.labels:
                found.extend(Span(label, start, at) for label in state.labels)
            if at == end:
                return
            word = words[at]
            step = state.get(word, _UNKNOWN)
            if step is _UNKNOWN:
                step = self._step(state, word)
            if step is not None:
                state = step
            elif word not in _READ_OVER:
                return
            at += 1

    def _step(self, state: _State, word: str) -> _State | None:
        """The state after *word*, worked out once."""
        if state.moves is None:
            state.moves = _moves(self._graph, state.nodes)
        ends = state.moves.get(word, ())
        if word not in MARKS:
            ends = {*ends, *state.moves.get(_ANY, ())}
        nodes = _closure(self._graph, ends)
        if word in _READ_OVER and nodes:
            nodes |= state.nodes  # one phrase asks for the mark, another reads over it
        step = state[word] = self._state(nodes) if nodes else None
        return step

    def _state(self, nodes: frozenset[int]) -> _State:
        if nodes not in self._states:
            if len(self._states) >= self._max_states:
                self._states.clear()
            labels = self._graph.labels
            found = tuple(label for node in sorted(nodes) for label in labels.get(node, ()))
            self._states[nodes] = _State(nodes, found)
        return self._states[nodes]


def _closure(graph: _Graph, nodes: Iterable[int]) -> frozenset[int]:
    seen = set(nodes)
    todo = list(seen)
    while todo:
        for node in graph.free[todo.pop()]:
            if node not in seen:
                seen.add(node)
                todo.append(node)
    return frozenset(seen)


def _moves(graph: _Graph, nodes: Iterable[int]) -> dict[str, Iterable[int]]:
    """Where each word leads from *nodes*."""
    moves: dict[str, list[int]] = {}
    for node in nodes:
        for word, ends in graph.edges[node].items():
            moves.setdefault(word, []).extend(ends)
    return {**moves}
