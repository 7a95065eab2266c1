"""
Between a stream and a whole answer: ``Accumulator`` adds events up, ``response_events`` tells a
whole answer as events.

The first serves the finalizer (usage, memory, state) and clients that did not ask for a stream
where the upstream gave one; the second an upstream that answers a stream request with one JSON
document.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import (
    ChatResponse,
    Choice,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from plano_asgi.stream_events import (
    CitationAdded,
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

MAX_BYTES = 8 << 20
_SLOT_BYTES = 64  # counted for each part, so that empty ones are bounded too


@dataclass(slots=True)
class _Slot:
    """One part in the making: the part without its text, and the text in pieces."""

    order: int
    part: Part
    pieces: list[str] = field(default_factory=list)

    def whole(self) -> Part:
        if isinstance(self.part, ToolCallPart):
            return replace(self.part, arguments="".join(self.pieces))
        if isinstance(self.part, TextPart):
            citations = list(self.part.citations)
            return replace(self.part, text="".join(self.pieces), citations=citations)
        if isinstance(self.part, RefusalPart | ReasoningPart):
            return replace(self.part, text="".join(self.pieces))
        return self.part


@dataclass(slots=True)
class _Choice:
    """One choice in the making."""

    slots: dict[Hashable, _Slot] = field(default_factory=dict)
    finished: Finished | None = None
    logprobs: list[JSONObject] | None = None

    def whole(self, index: int) -> Choice:
        slots = sorted(self.slots.values(), key=lambda slot: slot.order)  # stable: ties by arrival
        finished = self.finished
        return Choice(
            index=index,
            parts=[slot.whole() for slot in slots],
            finish_reason=finished.reason if finished else None,
            stop_sequence=finished.stop_sequence if finished else None,
            logprobs=self.logprobs,
        )


class Accumulator:
    """
    Build the whole neutral answer from the stream events of any reader.

    Args:
        dialect: The dialect of the reader that makes the events; becomes ``ChatResponse.dialect``.
        max_bytes: Content kept at most, in UTF-8 bytes. Past it nothing more is kept and
            ``truncated`` is True; identity, finish reasons and usage still are.

    ``error`` is what a ``Failed`` carried, ``ended`` whether the upstream's end mark was seen.
    """

    __slots__ = (
        "_choices",
        "_dialect",
        "_left",
        "_started",
        "_usage",
        "ended",
        "error",
        "truncated",
    )

    def __init__(self, *, dialect: str = "", max_bytes: int = MAX_BYTES) -> None:
        self.truncated = False
        self.ended = False
        self.error: Exception | None = None
        self._dialect = dialect
        self._left = max_bytes
        self._choices: dict[int, _Choice] = {}
        self._started = Started()
        self._usage: Usage | None = None

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take the next events, in stream order."""
        for event in events:
            _ADD[type(event)](self, event)

    def response(self) -> ChatResponse:
        """The answer so far. May be called again after more events."""
        started = self._started
        return ChatResponse(
            id=started.id,
            model=started.model,
            created=started.created,
            choices=[self._choices[index].whole(index) for index in sorted(self._choices)],
            usage=self._usage,
            service_tier=started.service_tier,
            dialect=self._dialect,
            extras=started.extras,
        )

    def _choice(self, index: int) -> _Choice:
        return self._choices.setdefault(index, _Choice())

    def _room(self, size: int) -> bool:
        if self.truncated or size > self._left:
            self.truncated = True
            return False
        self._left -= size
        return True

    def _slot(
        self, choice: int, key: Hashable, order: int, new: Callable[[], Part]
    ) -> _Slot | None:
        slots = self._choice(choice).slots
        if key not in slots:
            if not self._room(_SLOT_BYTES):
                return None
            slots[key] = _Slot(order, new())
        return slots[key]

    def _push(self, slot: _Slot | None, text: str) -> None:
        if slot is not None and text and self._room(_size(text)):
            slot.pieces.append(text)

    def _add_started(self, event: Started) -> None:
        self._started = event

    def _add_text(self, event: TextDelta) -> None:
        if event.text:
            new = RefusalPart if event.channel == "refusal" else TextPart
            key = (event.part, event.channel)
            self._push(self._slot(event.choice, key, event.part, lambda: new(text="")), event.text)
        if event.logprobs is not None and self._room(len(dumps(event.logprobs))):
            choice = self._choice(event.choice)
            choice.logprobs = [*(choice.logprobs or ()), *event.logprobs]

    def _add_citation(self, event: CitationAdded) -> None:
        key = (event.part, "content")
        slot = self._slot(event.choice, key, event.part, lambda: TextPart(text=""))
        if (
            slot
            and isinstance(slot.part, TextPart)
            and self._room(len(dumps(asdict(event.citation))))
        ):
            slot.part.citations.append(event.citation)

    def _add_reasoning(self, event: ReasoningDelta) -> None:
        slot = self._slot(event.choice, (event.part, "reasoning"), event.part, ReasoningPart)
        if slot is None or not isinstance(part := slot.part, ReasoningPart):
            return
        proof = _size(event.signature or "") + _size(event.encrypted or "")
        if proof and not self._room(proof):
            return
        part.summary = part.summary or event.summary
        part.signature = event.signature or part.signature
        part.encrypted = event.encrypted or part.encrypted
        part.id = event.id or part.id
        part.dialect = event.dialect or part.dialect
        self._push(slot, event.text)

    def _add_call(self, event: ToolCallStarted) -> None:
        if not self._room(_size(event.id) + _size(event.name)):
            return
        part = ToolCallPart(
            id=event.id,
            name=event.name,
            kind=event.kind,
            item_id=event.item_id,
            extras=event.extras,
        )
        self._slot(event.choice, ("call", event.index), event.part, lambda: part)

    def _add_arguments(self, event: ToolCallDelta) -> None:
        slots = self._choice(event.choice).slots
        self._push(slots.get(("call", event.index)), event.arguments)

    def _add_opaque(self, event: OpaqueAdded) -> None:
        if self._room(len(dumps(event.block.raw))):
            choice = self._choice(event.choice)
            key = ("opaque", len(choice.slots))
            self._slot(event.choice, key, event.part, lambda: event.block)

    def _add_finished(self, event: Finished) -> None:
        self._choice(event.choice).finished = event

    def _add_usage(self, event: UsageReported) -> None:
        self._usage = event.usage

    def _add_failed(self, event: Failed) -> None:
        self.error = event.error

    def _add_ended(self, event: Ended) -> None:
        self.ended = True


_ADD: dict[type, Callable[[Accumulator, Any], None]] = {
    Started: Accumulator._add_started,
    TextDelta: Accumulator._add_text,
    CitationAdded: Accumulator._add_citation,
    ReasoningDelta: Accumulator._add_reasoning,
    ToolCallStarted: Accumulator._add_call,
    ToolCallDelta: Accumulator._add_arguments,
    OpaqueAdded: Accumulator._add_opaque,
    Finished: Accumulator._add_finished,
    UsageReported: Accumulator._add_usage,
    Failed: Accumulator._add_failed,
    Ended: Accumulator._add_ended,
}


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


# ------------------------------------------------------------------- the other way


def response_events(response: ChatResponse) -> list[StreamEvent]:
    """
    Tell a whole answer as the events of a stream: ``Started`` first, ``Ended`` last.

    A choice without a finish reason finishes with "stop": a whole document is a whole answer. What
    no event can carry (a choice's and a text's ``extras``) is left out; media and tool results
    become an ``OpaqueAdded`` of no dialect.
    """
    events: list[StreamEvent] = [
        Started(
            id=response.id,
            model=response.model,
            created=response.created,
            service_tier=response.service_tier,
            extras=response.extras,
        )
    ]
    for choice in response.choices:
        events += _choice_events(choice)
    if response.usage is not None:
        events.append(UsageReported(usage=response.usage))
    events.append(Ended())
    return events


def _choice_events(choice: Choice) -> Iterator[StreamEvent]:
    logprobs = choice.logprobs
    calls = 0
    for number, part in enumerate(choice.parts):
        if isinstance(part, ToolCallPart):
            yield from _call_events(part, calls, choice.index, number)
            calls += 1
        elif isinstance(part, TextPart):
            yield TextDelta(text=part.text, choice=choice.index, part=number, logprobs=logprobs)
            logprobs = None
            for citation in part.citations:
                yield CitationAdded(citation=citation, choice=choice.index, part=number)
        else:
            yield _part_event(part, choice.index, number)
    if logprobs is not None:
        yield TextDelta(text="", choice=choice.index, part=len(choice.parts), logprobs=logprobs)
    yield Finished(
        reason=choice.finish_reason or "stop",
        choice=choice.index,
        stop_sequence=choice.stop_sequence,
    )


def _call_events(call: ToolCallPart, index: int, choice: int, number: int) -> Iterator[StreamEvent]:
    yield ToolCallStarted(
        index=index,
        id=call.id,
        name=call.name,
        choice=choice,
        part=number,
        kind=call.kind,
        item_id=call.item_id,
        extras=call.extras,
    )
    if call.arguments:
        yield ToolCallDelta(index=index, arguments=call.arguments, choice=choice, part=number)


def _part_event(
    part: RefusalPart | ReasoningPart | MediaPart | ToolResultPart | OpaquePart,
    choice: int,
    number: int,
) -> StreamEvent:
    if isinstance(part, RefusalPart):
        return TextDelta(text=part.text, choice=choice, part=number, channel="refusal")
    if isinstance(part, ReasoningPart):
        return ReasoningDelta(
            text=part.text,
            choice=choice,
            part=number,
            summary=part.summary,
            signature=part.signature,
            encrypted=part.encrypted,
            id=part.id,
            dialect=part.dialect,
        )
    block = part if isinstance(part, OpaquePart) else OpaquePart(dialect="", raw=asdict(part))
    return OpaqueAdded(block=block, choice=choice, part=number)
