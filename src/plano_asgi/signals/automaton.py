"""All phrases of a lexicon at once, found in one look at a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.phrases import ANY, Language
from plano_asgi.signals.text import COLON, MARKS, PAUSE

_READ_OVER = (PAUSE, COLON)


class Span(NamedTuple):
    """One phrase found: *label* is what it was compiled with; *start* and *end* count words."""

    label: Any
    start: int
    end: int


class _Graph:
    """A non-deterministic automaton; node 0 is the start."""

    def __init__(self) -> None:
        self.edges: list[dict[str, list[int]]] = [{}]
        self.free: dict[int, list[int]] = {}
        self.labels: dict[int, list[Any]] = {}

    def node(self) -> int:
        self.edges.append({})
        return len(self.edges) - 1

    def step(self, start: int, word: str, end: int | None = None) -> int:
        if end is None:
            end = self.node()
        self.edges[start].setdefault(word, []).append(end)
        return end

    def skip(self, start: int, end: int) -> None:
        self.free.setdefault(start, []).append(end)

    def closure(self, nodes: Iterable[int]) -> frozenset[int]:
        """*nodes* and all that is reached from them over nothing."""
        seen = set(nodes)
        todo = list(seen)
        while todo:
            for node in self.free.get(todo.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    todo.append(node)
        return frozenset(seen)

    def moves(self, nodes: Iterable[int]) -> dict[str, list[int]]:
        """Where each word leads from *nodes*."""
        ways = sorted(filter(None, map(self.edges.__getitem__, nodes)), key=len, reverse=True)
        if len(ways) == 1:
            return ways[0]
        moves = dict(ways[0]) if ways else {}
        for edges in ways[1:]:
            for word, ends in edges.items():
                known = moves.get(word)
                moves[word] = ends if known is None else known + ends
        return moves


class _State(dict[str, "_State | None"]):
    """
    Nodes that can be reached together: word to the next state, filled in as texts ask for it.

    ``None`` is a dead end.
    """

    __slots__ = ("labels", "moves", "nodes", "other")

    def __init__(self, graph: _Graph, nodes: frozenset[int]) -> None:
        moves = graph.moves(nodes)
        super().__init__(dict.fromkeys(moves, _UNKNOWN))
        self.nodes, self.moves = nodes, moves
        found = graph.labels.keys() & nodes
        self.labels = tuple(chain.from_iterable(map(graph.labels.__getitem__, sorted(found))))
        self.other: _State | None = None
        """Where words that are none of these lead."""
        for mark in _READ_OVER:
            self.setdefault(mark, self)
        if ANY in moves:
            self.other = _UNKNOWN
            for mark in MARKS:
                self.setdefault(mark, None)


_UNKNOWN: Any = _State.__new__(_State)
"""A state that is not worked out yet; it may lead anywhere."""
_UNKNOWN.other, _UNKNOWN.labels = _UNKNOWN, ()


class Automaton:
    """
    Finds phrases in lists of words.

    Its states are worked out when a text first needs them, and kept: phrases with gaps have far
    more states than texts ever reach. Threads may share it: what two work out at once is the same.

    Args:
        phrases: ``(phrase, label)`` pairs.
        spell: How texts spell a word: the words it becomes.
        words: What ``<name>`` stands for: phrases themselves.
        max_states: How many states are kept from one text to the next; then all are forgotten.

    Raises:
        ConfigurationError: A phrase has an unknown list, unbalanced brackets, or no word at all.
    """

    def __init__(
        self,
        phrases: Iterable[tuple[str, Any]],
        *,
        spell: Callable[[str], Iterable[str]],
        words: Mapping[str, Sequence[str]],
        max_states: int = 20_000,
    ) -> None:
        language, graph = Language(spell, words), _Graph()
        for phrase, label in phrases:
            graph.labels.setdefault(language.parse(phrase).draw(graph, 0), []).append(label)
        start = graph.closure((0,))
        if empty := [label for node in start for label in graph.labels.get(node, ())]:
            raise ConfigurationError(f"phrases without a word of their own: {empty}")
        self.vocabulary = frozenset(chain.from_iterable(graph.edges)) - MARKS - {ANY}
        """Every word that some phrase has."""
        self._graph, self._start, self._max_states = graph, start, max_states
        self._states: dict[frozenset[int], _State] = {}
        self._begins = self._forget()

    def find(self, words: Sequence[str]) -> list[Span]:
        """Every phrase in *words*, which begin and end with a mark of ``ENDS``."""
        if len(self._states) > self._max_states:
            self._begins = self._forget()
        begin, other, last = self._begins.get, self._begins.other, len(words) - 1
        found: list[Span] = []
        at = 0
        for word in words[:-1]:
            at += 1
            if (state := begin(word, other)) is None:
                continue
            # Most phrases end here, or with the next word.
            if (step := state.get(words[at], state.other)) is None:
                if state.labels:
                    found.extend([Span(label, at - 1, at) for label in state.labels])
            elif (
                at == last
                or step.get(words[at + 1], step.other) is not None
                or step.labels
                or state.labels
            ):
                self._walk(state, words, at, found)
        return found

    def _walk(self, state: _State, words: Sequence[str], at: int, found: list[Span]) -> None:
        """Add the phrases whose first word, the one before *at*, has led to *state*."""
        start, end = at - 1, len(words)
        if state is _UNKNOWN:
            state = self._step(self._begins, words[start])
        if state.labels:
            found.extend([Span(label, start, at) for label in state.labels])
        while at < end:
            word = words[at]
            step = state.get(word, state.other)
            at += 1
            if step is None:
                return
            if step is _UNKNOWN:
                step = self._step(state, word)
            if step is not state:
                state = step
                if state.labels:
                    found.extend([Span(label, start, at) for label in state.labels])

    def _step(self, state: _State, word: str) -> _State:
        """The state after *word*, worked out once."""
        is_named = word in state.moves
        ends = state.moves[word] if is_named else []
        if word not in MARKS:
            ends = [*ends, *state.moves.get(ANY, ())]
        nodes = self._graph.closure(ends)
        if word in _READ_OVER and state is not self._begins:
            nodes |= state.nodes  # one phrase asks for the mark, another reads over it
        step = self._states.get(nodes)
        if step is None:
            step = self._states[nodes] = _State(self._graph, nodes)
        if is_named:
            state[word] = step
        else:
            state.other = step
        return step

    def _forget(self) -> _State:
        """The start of all phrases, and no other state."""
        self._states.clear()
        begins = _State(self._graph, self._start)
        for mark in _READ_OVER:
            if begins[mark] is begins:
                del begins[mark]
        return begins
