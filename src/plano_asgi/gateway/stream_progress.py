"""How far a streamed answer has come, told by its events."""

from __future__ import annotations

from plano_asgi.conversation import AnswerFacts, FinishReason, Usage
from plano_asgi.errors import PlanoError, UpstreamError
from plano_asgi.stream_events import (
    Ended,
    Failed,
    Finished,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)


class Progress:
    """How far an answer has come: what is open, what is finished, what it used."""

    __slots__ = ("_choices", "_ended", "_finished", "_started", "failure", "usage", "written")

    def __init__(self) -> None:
        self._choices: set[int] = set()
        self._finished: dict[int, FinishReason] = {}
        self._started: Started | None = None
        self._ended = False
        self.written = 0
        """That the model has written, in UTF-8 bytes."""
        self.failure: PlanoError | None = None
        self.usage: Usage | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the upstream said that it was done: nothing comes after."""
        return self._ended

    @property
    def is_whole(self) -> bool:
        """Whether the upstream said that it was done, or finished every choice it began."""
        if self.failure is not None:
            return False
        return self._ended or (bool(self._finished) and self._choices <= self._finished.keys())

    def facts(self) -> AnswerFacts:
        """What the answer has said of itself so far."""
        started, finished = self._started, self._finished
        return AnswerFacts(
            id=started.id if started is not None else "",
            model=started.model if started is not None else "",
            finish_reasons=tuple(finished[choice] for choice in sorted(finished)),
            usage=self.usage,
        )

    def note(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Take in *events*; return those meant for a writer (all but ``Ended`` and ``Failed``)."""
        passed: list[StreamEvent] = []
        for event in events:
            if isinstance(event, Ended):
                self._ended = True
                continue
            if isinstance(event, Failed):
                self.failure = _plano_error(event.error)
                break
            if isinstance(event, TextDelta):
                self._choices.add(event.choice)
                self.written += _size(event.text)
            elif isinstance(event, ToolCallStarted):
                self._choices.add(event.choice)
            elif isinstance(event, ToolCallDelta):
                self.written += _size(event.arguments)
            elif isinstance(event, ReasoningDelta):
                self.written += _size(event.text)
            elif isinstance(event, Finished):
                self._finished[event.choice] = event.reason
            elif isinstance(event, UsageReported):
                self.usage = _merged(self.usage, event.usage)
            elif isinstance(event, Started):
                self._started = self._started or event
            passed.append(event)
        return passed


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _merged(before: Usage | None, now: Usage) -> Usage:
    """The later report, with what only the earlier one knew (Anthropic's input tokens)."""
    if before is not None:
        now.input_tokens = max(now.input_tokens, before.input_tokens)
        now.cache_read_input_tokens = max(
            now.cache_read_input_tokens, before.cache_read_input_tokens
        )
        now.cache_creation_input_tokens = max(
            now.cache_creation_input_tokens, before.cache_creation_input_tokens
        )
    return now


def _plano_error(error: Exception) -> PlanoError:
    return error if isinstance(error, PlanoError) else UpstreamError(str(error))
