"""
The contract of a guard: what it is shown, what it says, and how it is run.

A guard is a ``Guard`` with one method, ``check``. It judges a ``Subject``, the texts of one side of
an exchange, and says allow, block or redact. It raises only when it cannot judge; what then
happens is ``on_error``'s to say, and by default nothing passes unjudged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.passages import ANSWER_ORIGINS, REQUEST_ORIGINS, Origin, Passage

Side: TypeAlias = Literal["request", "answer"]
Stage: TypeAlias = Literal["before", "beside"]
OnTrouble: TypeAlias = Literal["closed", "open"]

ALL_ORIGINS: frozenset[Origin] = REQUEST_ORIGINS | ANSWER_ORIGINS
SPOKEN: frozenset[Origin] = ALL_ORIGINS - {"system", "tool_definition", "error"}
"""Everything but the app's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The texts of one side that a guard asked for. On a stream: a window, or the whole answer."""

    side: Side
    passages: Sequence[Passage]
    exchange: Exchange

    @property
    def text(self) -> str:
        """All of them, a blank line between."""
        return "\n\n".join(passage.text for passage in self.passages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a passage (character offsets), and what stands there instead."""

    passage: Passage
    start: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What a guard says. ``rule`` names the rule, ``score`` how sure it is (its own scale, documented
    by the guard); ``reason`` is for the operator's log and holds no content. ``message`` is what
    the client reads; the guard's or chain's own sentence if ``None``.
    """

    action: Literal["allow", "block", "redact"]
    rule: str = ""
    score: float | None = None
    reason: str = ""
    message: str | None = None
    spans: tuple[Span, ...] = ()


ALLOW = Verdict(action="allow")


def block(
    rule: str, *, score: float | None = None, reason: str = "", message: str | None = None
) -> Verdict:
    """A verdict that stops the exchange."""
    return Verdict(action="block", rule=rule, score=score, reason=reason, message=message)


def redact(spans: Sequence[Span], rule: str, *, score: float | None = None) -> Verdict:
    """A verdict that changes texts; ``ALLOW`` where there is nothing to change."""
    if not spans:
        return ALLOW
    return Verdict(action="redact", rule=rule, score=score, spans=tuple(spans))


class GuardOptions(TypedDict, total=False):
    """
    How a guard is run; every shipped guard takes these as keyword arguments.

    stage: "before" the model call (default), or "beside" it: in parallel, the first byte withheld
        until the verdict, a block cancelling the call. Only for the request side.
    timeout_s: For one check. Default 5.
    on_timeout, on_error: "closed" (default): the exchange ends; "open": it goes on, audited.
    report_only: Audit and change nothing.
    origins: Whose texts it is shown; the guard's own default otherwise.
    new_only: On the request side, only texts that are new with this request. Default False.
    allow_texts: Whole texts it is not shown, letter for letter but for case and the space around:
        what it is known to get wrong. No patterns, which an attack could be appended to.
    models, paths: Only for these (``fnmatch`` patterns on the model asked for, the path);
        elsewhere it is audited as skipped. Default: all.
    message: What the client reads when it blocks.
    """

    name: str
    stage: Stage
    timeout_s: float
    on_timeout: OnTrouble
    on_error: OnTrouble
    report_only: bool
    origins: frozenset[Origin]
    sides: frozenset[Side]
    new_only: bool
    allow_texts: Sequence[str]
    models: Sequence[str]
    paths: Sequence[str]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """``GuardOptions``, checked and complete."""

    stage: Stage = "before"
    timeout_s: float = 5.0
    on_timeout: OnTrouble = "closed"
    on_error: OnTrouble = "closed"
    report_only: bool = False
    origins: frozenset[Origin] = SPOKEN
    sides: frozenset[Side] = frozenset(("request",))
    new_only: bool = False
    allow_texts: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    message: str | None = None

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ConfigurationError("a guard's timeout_s must be more than 0")
        for option, allowed in _ALLOWED.items():
            if (value := getattr(self, option)) not in allowed:
                raise ConfigurationError(
                    f"a guard's {option} must be one of {', '.join(allowed)}, not {value!r}"
                )
        if unknown := self.origins - ALL_ORIGINS:
            raise ConfigurationError(
                f"unknown origins {sorted(unknown)}: allowed are {sorted(ALL_ORIGINS)}"
            )
        if not self.sides or self.sides - {"request", "answer"}:
            raise ConfigurationError("a guard's sides are 'request', 'answer' or both")


_ALLOWED = {
    "stage": ("before", "beside"),
    "on_timeout": ("closed", "open"),
    "on_error": ("closed", "open"),
}


Check: TypeAlias = Callable[[Subject], Awaitable[Verdict]]
"""``Guard.check`` as a plain function."""


class Guard:
    """
    Judge the texts of one side of an exchange. Subclass and write ``check``.

    Class attributes are defaults that the keyword options override. One instance serves all
    exchanges at once: keep nothing of an exchange on it (``Subject.exchange.state`` is the place).
    """

    name = "guard"
    sides: frozenset[Side] = frozenset(("request",))
    origins: frozenset[Origin] = SPOKEN
    needs_whole = False
    """On the answer side: judge the whole answer (held back until then), not windows of it."""
    changes = False
    """Redacts: runs before those that only judge, so that they see what is left."""
    is_quick = False
    """Waits for nothing: it is asked in turn, since a task of its own would cost more than it."""

    def __init__(self, **options: Unpack[GuardOptions]) -> None:
        values: dict[str, Any] = {"sides": self.sides, "origins": self.origins, **options}
        self.name = values.pop("name", self.name)
        for key in ("models", "paths", "allow_texts"):
            if key in values:
                values[key] = _texts(key, values[key])
        if "allow_texts" in values:
            values["allow_texts"] = frozenset(map(plain, values["allow_texts"]))
        if unknown := values.keys() - GuardOptions.__annotations__.keys():
            raise ConfigurationError(f"{self.name}: unknown options {sorted(unknown)}")
        self.policy = GuardPolicy(**values)

    async def check(self, subject: Subject, /) -> Verdict:
        """
        Judge *subject*. Raise only when unable to: the exchange then fails, it never passes.
        """
        raise NotImplementedError

    def answer_filter(self, exchange: Exchange, /) -> ResponseFilter | None:
        """
        A response-side step of the guard's own for *exchange*, beside what ``check`` does: to put
        back what the request side masked. ``None`` for none.
        """
        return None


class FunctionGuard(Guard):
    """A coroutine function as a guard; made by ``guard``."""

    def __init__(self, check: Check, **options: Unpack[GuardOptions]) -> None:
        options.setdefault("name", getattr(check, "__name__", "guard"))
        super().__init__(**options)
        self._check = check

    async def check(self, subject: Subject, /) -> Verdict:
        """Ask the function."""
        return await self._check(subject)


@overload
def guard(check: Check, /) -> FunctionGuard: ...


@overload
def guard(**options: Unpack[GuardOptions]) -> Callable[[Check], FunctionGuard]: ...


def guard(check: Check | None = None, /, **options: Unpack[GuardOptions]) -> Any:
    """A coroutine function as a guard: ``@guard`` or ``@guard(stage="beside", timeout_s=1)``."""
    if check is not None:
        return FunctionGuard(check)
    return lambda function: FunctionGuard(function, **options)


def plain(text: str) -> str:
    """*text* as ``allow_texts`` compares it."""
    return text.strip().casefold()


def _texts(option: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigurationError(f"a guard's {option} must be a list of texts, not {value!r}")
    return tuple(value)
