"""All phrases of a lexicon at once, found in one look at a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.phrases import ANY, Language
from plano_asgi.signals.text import COLON, MARKS, PAUSE

_READ_OVER = (PAUSE, COLON)


Span: TypeAlias = tuple[Any, int, int]
"""One phrase found: what it was compiled with, its first word, and one past its last."""


class _Graph:
    """A non-deterministic automaton; node 0 is the start."""

    def __init__(self) -> None:
        self.edges: list[dict[str, list[int]]] = [{}]
        self.free: dict[int, list[int]] = {}
        self.labels: dict[int, list[Any]] = {}
        self._closures: dict[int, frozenset[int]] = {}

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
        """What is reached from *nodes* over nothing: where words lead on, or a phrase ends."""
        return frozenset().union(*map(self._around, nodes))

    def _around(self, node: int) -> frozenset[int]:
        known = self._closures.get(node)
        if known is None:
            seen, todo = {node}, [node]
            while todo:
                for other in self.free.get(todo.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        todo.append(other)
            telling = (one for one in seen if self.edges[one] or one in self.labels)
            known = self._closures[node] = frozenset(telling)
        return known


class _State(dict[str, "_State | None"]):
    """
    Nodes that can be reached together: word to the next state, filled in as texts ask for it.

    ``None`` is a dead end.
    """

    __slots__ = ("labels", "nodes", "other", "ways")

    def __init__(self, graph: _Graph, nodes: frozenset[int]) -> None:
        ways = [*filter(None, map(graph.edges.__getitem__, nodes))]
        super().__init__(dict.fromkeys(chain.from_iterable(ways), _UNKNOWN))
        self.nodes, self.ways = nodes, ways
        found = graph.labels.keys() & nodes
        self.labels = tuple(chain.from_iterable(map(graph.labels.__getitem__, sorted(found))))
        self.other: _State | None = None
        """Where words that are none of these lead."""
        for mark in _READ_OVER:
            self.setdefault(mark, self)
        if ANY in self:
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

    def find(self, texts: Iterable[Sequence[str]]) -> list[list[Span]]:
        """
        Every phrase in each of *texts*, by its start.

        Args:
            texts: Words, which begin and end with a mark of ``ENDS``.
        """
        every: list[list[Span]] = []
        for words in texts:
            if len(self._states) > self._max_states:
                self._begins = self._forget()
            begins, last = self._begins, len(words) - 1
            found: list[Span] = []
            first = map(begins.get, words[:last], repeat(begins.other))
            for start, state in enumerate(first):
                if state is None:
                    continue
                if state is _UNKNOWN:
                    state = self._step(begins, words[start])
                at = start + 1
                if state.labels:
                    found += [(label, start, at) for label in state.labels]
                while (after := state.get(words[at], state.other)) is not None:
                    if after is _UNKNOWN:
                        after = self._step(state, words[at])
                    at += 1
                    if after.labels and after is not state:
                        found += [(label, start, at) for label in after.labels]
                    if at > last:
                        break
                    state = after
            every.append(found)
        return every

    def _step(self, state: _State, word: str) -> _State:
        """The state after *word*, worked out once."""
        is_named = word in state
        names = (word,) if word in MARKS else (word, ANY)
        ends = (edges[name] for edges in state.ways for name in names if name in edges)
        nodes = self._graph.closure(chain.from_iterable(ends))
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
