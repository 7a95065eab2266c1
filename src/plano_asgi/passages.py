"""
Where the texts stand: the contract between a wire format and whoever reads or changes its texts.

A guard, a mask or a memory does not care how an API spells its bodies. A ``Layout`` shows it all
texts of a request or an answer as ``Passage``s, and the running texts of a stream as ``Delta``s
of a ``Channel``; both are changed *in place*, so that a field that nobody looked at stays as it
was. Each client dialect is a layout, and so is a foreign route told by field paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from plano_asgi.conversation import FinishReason

Origin: TypeAlias = Literal[
    "system",  # the app's own words: system and developer turns, ``instructions``
    "user",
    "assistant",  # an earlier answer, replayed by the client
    "tool_definition",  # names' descriptions and schemas of the tools offered
    "tool_call",  # arguments of a call, earlier or now
    "tool_result",  # what a tool answered: data, never orders
    "media",  # text of an inline document, a file's name
    "content",  # the answer
    "refusal",
    "reasoning",
    "citation",  # a quoted source, its title
    "error",  # an error's message, which may echo the request
]
"""Whose words a text is. From "content" on: only in answers."""

REQUEST_ORIGINS: frozenset[Origin] = frozenset(
    ("system", "user", "assistant", "tool_definition", "tool_call", "tool_result", "media")
)
ANSWER_ORIGINS: frozenset[Origin] = frozenset(
    ("content", "refusal", "reasoning", "tool_call", "citation", "error")
)


@dataclass(slots=True, eq=False)
class Passage:
    """
    One whole text inside a parsed JSON body.

    ``path`` says where (``messages.3.content.0.text``). ``turn`` is the index of the turn in its
    list, -1 outside of turns. ``is_new``: it came with this request, after the last answer; the
    rest was there before. ``is_json``: the text is itself JSON (a tool call's arguments): match
    inside its strings, and escape what is put there.
    """

    text: str
    origin: Origin
    path: str
    holder: Any
    key: str | int
    turn: int = -1
    is_new: bool = True
    is_json: bool = False
    choice: int = 0

    def replace(self, text: str) -> None:
        """Put *text* in the place of this one."""
        self.text = text
        self.holder[self.key] = text


class Channel(NamedTuple):
    """One running text of a stream. ``part`` tells the channels of one choice and origin apart."""

    choice: int
    origin: Origin
    part: str = ""
    is_json: bool = False


@dataclass(slots=True, eq=False)
class Delta:
    """The next piece of a channel's text, in one event."""

    channel: Channel
    text: str
    holder: Any
    key: str | int
    companions: tuple[str, ...] = ()
    """Keys of *holder* that spell the same text again (``logprobs``): they go when it changes."""

    def replace(self, text: str) -> None:
        """Put *text* in the place of this piece."""
        self.text = text
        self.holder[self.key] = text
        for name in self.companions:
            self.holder.pop(name, None)


@dataclass(slots=True, eq=False)
class WireEvent:
    """
    One event of a stream as it stands on the wire.

    ``data`` is parsed JSON, or the text where it is none (``[DONE]``). ``raw`` is the frame as
    received; ``None`` once ``data`` was changed, and for events of our own.
    """

    data: Any
    name: str = ""
    raw: bytes | None = None
    parts: StreamParts | None = field(default=None, repr=False)
    """What ``StreamEditor.read`` found; kept, since several filters ask."""


@dataclass(slots=True, eq=False)
class StreamParts:
    """What one event holds. ``ends`` come first: those channels are whole *before* the event."""

    ends: Sequence[Channel] = ()
    deltas: Sequence[Delta] = ()
    alone: Sequence[Passage] = ()
    """Texts told whole and never streamed (a citation, an error's message)."""
    is_pure: bool = False
    """Nothing but its deltas: with all of them empty the event may be left out."""
    is_last: bool = False
    """The end mark, or an error: nothing of the answer comes after."""


NOTHING = StreamParts()


class StreamEditor(Protocol):
    """
    Read and change one stream in place. Made per response; knows what is open.

    Texts that an event repeats whole after they were streamed (``response.output_text.done``) are
    no one's business but the editor's: ``seal`` rewrites them from what was really sent.
    """

    def split(self, event: WireEvent, /) -> Sequence[WireEvent]:
        """
        Cut an event that brings text *and* ends its channel in two, the text first; ``(event,)``
        where there is nothing to cut. Called once for every event, before ``read``.
        """
        ...

    def read(self, event: WireEvent, /) -> StreamParts:
        """Where the texts of *event* are; the same object when asked again."""
        ...

    def delta(self, channel: Channel, text: str, /) -> WireEvent:
        """One more event of *channel*, in the shape of the last one seen of it."""
        ...

    def seal(self, event: WireEvent, /) -> WireEvent:
        """Called once for every event on its way out, in order: renumber, rewrite repetitions."""
        ...

    def stop(self, reason: FinishReason, text: str, /) -> list[WireEvent]:
        """
        End the answer here: close what is open, say *reason* in the dialect's own way, end mark
        and all. *text* is what the client reads besides, in a refusal field where there is one
        and else as a last piece of content; often empty.
        """
        ...


class Layout(Protocol):
    """Where the texts of one wire format stand. Instances are stateless and shared."""

    def request_passages(self, body: Any, /) -> list[Passage]:
        """Every text of a request body that reaches the model, in order."""
        ...

    def answer_passages(self, body: Any, /) -> list[Passage]:
        """Every text of a whole answer (or of an error body) that reaches the client, in order."""
        ...

    def stream_editor(self) -> StreamEditor:
        """A fresh editor for one stream of server-sent events."""
        ...


def json_strings(
    value: Any, origin: Origin, path: str, *, turn: int = -1, is_new: bool = True, choice: int = 0
) -> Iterable[Passage]:
    """A passage for every string value inside *value*, an object or a list; keys are not texts."""
    stack: list[tuple[Any, str]] = [(value, path)]
    while stack:
        holder, place = stack.pop()
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        inner: list[tuple[Any, str]] = []
        for key, item in pairs:
            if isinstance(item, str):
                yield Passage(
                    item, origin, f"{place}.{key}", holder, key, turn, is_new, False, choice
                )
            elif isinstance(item, dict | list):
                inner.append((item, f"{place}.{key}"))
        stack.extend(reversed(inner))
