"""The answer side of a chain: holdback in streams, windows, whole answers, blocks, audits."""

from __future__ import annotations

from typing import Any, Unpack

import anyio
import pytest
from hypothesis import given, settings

from guard_subjects import Scripted
from guards.law5 import assert_law5_stream, cuts_of, pieces, texts
from guards.streams import (
    DIALECTS,
    Client,
    answer_body,
    answer_events,
    exchange_of,
    steps_through,
    stream_through,
)
from plano_asgi.errors import ContentBlocked, GuardUnavailable
from plano_asgi.exchange import AnswerStopped, Exchange
from plano_asgi.guards.answer import AnswerFilter
from plano_asgi.guards.base import (
    ALLOW,
    Guard,
    GuardOptions,
    Side,
    Span,
    Subject,
    Verdict,
    block,
    redact,
)
from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.patterns import Pattern, PatternMatcher
from plano_asgi.guards.text_guard import Mode, TextGuard

MAIL = PatternMatcher(
    [
        Pattern("mail", r"[a-z0-9.]{1,20}@[a-z]{1,10}\.[a-z]{2,3}(?![a-z])", "[MAIL]", trigger="@"),
        Pattern("key", r"sk-[a-z0-9]{8,}", "[KEY]", max_match=32),
        Pattern("card", r"(?<!\d)\d{16}(?!\d)", "[CARD]"),
    ]
)
FRAGMENTS = (
    "joe@example.org",
    "sk-abc123def456",
    "4111111111111111",
    "sk-" + "x" * 50,
    '\\"',
    "\\n",
)


class Finds(TextGuard):
    """A text guard of one matcher."""

    name = "finds"

    def __init__(
        self,
        found: Matcher | None = MAIL,
        *,
        mode: Mode = "redact",
        **options: Unpack[GuardOptions],
    ) -> None:
        super().__init__(mode=mode, **options)
        self._found = found

    def matcher(self, exchange: Exchange, side: Side, /) -> Matcher | None:
        """Always the same."""
        return self._found


class Judges(Guard):
    """Blocks on one word, redacts another, and keeps the texts it was shown."""

    name = "judges"
    sides = frozenset(("answer",))

    def __init__(self, **options: Unpack[GuardOptions]) -> None:
        super().__init__(**options)
        self.seen: list[str] = []

    async def check(self, subject: Subject, /) -> Verdict:
        """Look for both words."""
        self.seen.append(subject.text)
        spans = []
        for passage in subject.passages:
            if "bad" in passage.text:
                return block("word", score=0.9)
            place = passage.text.find("odd")
            if place >= 0:
                spans.append(Span(passage=passage, start=place, end=place + 3, replacement="even"))
        return redact(spans, "odd")


class NeedsWhole(Judges):
    """The same, of the whole answer."""

    name = "needs_whole"
    needs_whole = True


def _filter(exchange: Exchange, *guards: Guard, **options: Any) -> AnswerFilter:
    return AnswerFilter(exchange, guards, **options)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40)
@given(text=texts(*FRAGMENTS), cuts=cuts_of())
def test_law_5_holds_in_streams(dialect: str, text: str, cuts: list[int]) -> None:
    """In every dialect, content and tool arguments, with what events repeat."""
    anyio.run(assert_law5_stream, MAIL, dialect, text, cuts)


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_values_over_chunk_borders_are_redacted(dialect: str) -> None:
    """In content and in the strings and numbers of tool arguments."""
    exchange = exchange_of(dialect)
    events = answer_events(
        dialect,
        ["Write to jo", "e@exam", "ple.org", " now, or joe@example.org"],
        ['{"to": "jo\\u0065@exam', 'ple.org", "n": 41111111', '11111111, "s": "\\u00e9"}'],
    )
    client = await stream_through([_filter(exchange, Finds())], events, exchange)
    assert client.content == "Write to [MAIL] now, or [MAIL]"
    assert client.arguments == '{"to": "[MAIL]", "n": "[CARD]", "s": "\\u00e9"}'
    assert client.is_finished
    assert [(a.status, a.rule) for a in exchange.audits] == [("redacted", "mail,card")]


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_untouched_events_keep_their_bytes(dialect: str) -> None:
    """An event whose text is not held and not changed goes out as it came."""
    exchange = exchange_of(dialect)
    assert exchange.layout is not None
    editor = exchange.layout.stream_editor()
    step = _filter(exchange, Finds())
    for event in answer_events(dialect, ["Well, ", "yes! "]):
        event.raw = b"as it came"
        for part in editor.split(event):
            assert [one.raw for one in await step.on_event(part, editor, exchange)] == [part.raw]
    await step.on_close(exchange)
    assert [a.status for a in exchange.audits] == ["passed"]


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("on_block", ["error", "answer"])
async def test_a_match_blocks_the_stream(dialect: str, on_block: str) -> None:
    """Mode "block" stops the answer at the match; nothing of it is out."""
    exchange = exchange_of(dialect)
    step = _filter(exchange, Finds(mode="block"), on_block=on_block, message="No.")
    client = Client()
    with pytest.raises(AnswerStopped) as caught:
        async for _ in steps_through(
            [step], answer_events(dialect, ["Mail: joe@exam", "ple.org. "]), exchange, client
        ):
            pass
    await step.on_close(exchange)
    stopped = caught.value
    assert isinstance(stopped.error, ContentBlocked)
    assert (stopped.error.guard, stopped.error.rule) == ("finds", "mail")
    assert (stopped.text, stopped.reason) == ("No.", "content_filter")
    assert stopped.as_answer is (on_block == "answer")
    assert client.content == "Mail: "
    assert [(a.status, a.rule) for a in exchange.audits] == [("blocked", "mail")]


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_is_judged_before_it_goes_out(dialect: str) -> None:
    """Windows with what went before; redacted text is the judges' to see, not what was found."""
    exchange = exchange_of(dialect)
    judges = Judges()
    step = _filter(exchange, judges, Finds(), window_chars=10, overlap_chars=4)
    events = answer_events(dialect, ["One, two, three ", "odd ", "joe@example.org. ", "End"])
    client = await stream_through([step], events, exchange)
    assert client.content == "One, two, three even [MAIL]. End"
    assert judges.seen[0].startswith("One, two, ")
    assert all("joe" not in text for text in judges.seen)
    assert {(a.guard, a.status) for a in exchange.audits} == {
        ("finds", "redacted"),
        ("judges", "redacted"),
        ("judges", "passed"),
    }


@pytest.mark.anyio
async def test_a_window_is_out_only_when_judged() -> None:
    """What a judge blocks was never sent, nor anything of its window."""
    exchange = exchange_of("openai.chat")
    step = _filter(exchange, Judges(), window_chars=8)
    client = Client()
    events = answer_events("openai.chat", ["fine so far, ", "then b", "ad."])
    with pytest.raises(AnswerStopped):
        async for _ in steps_through([step], events, exchange, client):
            pass
    assert client.content == "fine so far, "


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_guard_may_need_the_whole_answer(dialect: str) -> None:
    """Nothing is out before it has judged all; what it changes comes in one piece."""
    exchange = exchange_of(dialect)
    guard = NeedsWhole()
    client = Client()
    events = answer_events(dialect, ["an o", "dd ", "day"], ['{"a": ', '"b"}'])
    steps = steps_through([_filter(exchange, guard)], events, exchange, client)
    heard = [client.content async for _ in steps]
    assert set(heard[:-1]) == {""}
    assert (client.content, client.arguments) == ("an even day", '{"a": "b"}')
    assert set(client.repeated) <= {"an even day"}
    assert guard.seen == ['an odd day\n\n{"a": "b"}']


@pytest.mark.anyio
async def test_an_answer_held_whole_is_bounded() -> None:
    """Over the limit nobody can judge it, so it fails."""
    exchange = exchange_of("openai.chat")
    step = _filter(exchange, NeedsWhole(), max_held_chars=10)
    with pytest.raises(AnswerStopped) as caught:
        await stream_through([step], answer_events("openai.chat", ["x" * 20]), exchange)
    assert isinstance(caught.value.error, GuardUnavailable)
    assert caught.value.reason == "error"


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_body_is_guarded(dialect: str) -> None:
    """Texts of a JSON answer are changed in place, by every kind of guard."""
    exchange = exchange_of(dialect, stream=False)
    step = _filter(exchange, Judges(), NeedsWhole(), Finds())
    body = await step.on_body(answer_body(dialect, "joe@example.org is odd"), exchange)
    await step.on_close(exchange)
    assert body == answer_body(dialect, "[MAIL] is even")
    assert {(a.guard, a.status) for a in exchange.audits} == {
        ("finds", "redacted"),
        ("judges", "redacted"),
        ("needs_whole", "redacted"),
    }


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_body_is_blocked(dialect: str) -> None:
    """A block is an ``AnswerStopped`` there, too."""
    exchange = exchange_of(dialect, stream=False)
    with pytest.raises(AnswerStopped) as caught:
        await _filter(exchange, Judges()).on_body(answer_body(dialect, "so bad"), exchange)
    assert isinstance(caught.value.error, ContentBlocked)


@pytest.mark.anyio
async def test_report_only_changes_nothing() -> None:
    """It is on record what would have been; the text is not even delayed."""
    exchange = exchange_of("openai.chat")
    guards = Finds(report_only=True), Finds(mode="block", report_only=True, name="b")
    client = Client()
    events = answer_events("openai.chat", ["to joe@exam", "ple.org ", "x"])
    steps = steps_through([_filter(exchange, *guards)], events, exchange, client)
    heard = [client.content async for _ in steps]
    assert heard[1:4] == ["to joe@exam", "to joe@example.org ", "to joe@example.org x"]
    assert [(a.guard, a.status, a.report_only) for a in exchange.audits] == [
        ("finds", "redacted", True),
        ("b", "blocked", True),
    ]


@pytest.mark.anyio
async def test_origins_are_heeded() -> None:
    """Channels that a guard is not shown pass, and it is skipped if there is nothing else."""
    exchange = exchange_of("openai.chat")
    only_calls = Finds(origins=frozenset({"tool_call"}))
    step = _filter(exchange, only_calls, Judges(origins=frozenset({"refusal"})))
    events = answer_events("openai.chat", ["joe@example.org"], ['"joe@example.org"'])
    client = await stream_through([step], events, exchange)
    assert (client.content, client.arguments) == ("joe@example.org", '"[MAIL]"')
    assert [(a.guard, a.status) for a in exchange.audits] == [
        ("finds", "redacted"),
        ("judges", "skipped"),
    ]


@pytest.mark.anyio
async def test_a_guard_without_a_matcher_lets_pass() -> None:
    """Nothing to look for: skipped."""
    exchange = exchange_of("openai.chat")
    events = answer_events("openai.chat", ["joe@example.org"])
    client = await stream_through([_filter(exchange, Finds(None))], events, exchange)
    assert client.content == "joe@example.org"
    assert [a.status for a in exchange.audits] == ["skipped"]


class _Broken:
    """A matcher that fails once it has seen "!"; before, it decides nothing."""

    def find(self, text: str, /) -> list[Match]:
        return []

    def settled(self, text: str, /) -> int:
        if "!" in text:
            raise RuntimeError("a bug")
        return 0


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_broken_matcher_fails_closed(dialect: str) -> None:
    """The answer ends with a failure, and the audit says why."""
    exchange = exchange_of(dialect)
    events = answer_events(dialect, ["ab", "c!", "d"])
    with pytest.raises(AnswerStopped) as caught:
        await stream_through([_filter(exchange, Finds(_Broken()))], events, exchange)
    assert isinstance(caught.value.error, GuardUnavailable)
    assert [(a.status, a.rule) for a in exchange.audits] == [("error", ""), ("blocked", "error")]


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_broken_matcher_may_fail_open(dialect: str) -> None:
    """What was held comes out as it came, once."""
    exchange = exchange_of(dialect)
    events = answer_events(dialect, ["ab", "c!", "d"], ['{"a": "b\\u00', 'e9!", ', '"c": 12!}'])
    step = _filter(exchange, Finds(_Broken(), on_error="open"))
    client = await stream_through([step], events, exchange)
    assert (client.content, client.arguments) == ("abc!d", '{"a": "b\\u00e9!", "c": 12!}')
    assert [a.status for a in exchange.audits] == ["error"]


@pytest.mark.anyio
async def test_a_judge_in_trouble_ends_the_stream() -> None:
    """A guard that cannot judge does not pass."""
    exchange = exchange_of("openai.chat")
    guard = Scripted(RuntimeError("down"), sides=frozenset({"answer"}))
    with pytest.raises(AnswerStopped) as caught:
        await stream_through(
            [_filter(exchange, guard)], answer_events("openai.chat", ["Hi"]), exchange
        )
    assert isinstance(caught.value.error, GuardUnavailable)


@pytest.mark.anyio
async def test_the_first_block_cancels_other_judges() -> None:
    """Judges of one window run at once."""
    exchange = exchange_of("openai.chat")
    begun = anyio.Event()

    class Slow(Judges):
        async def check(self, subject: Subject, /) -> Verdict:
            begun.set()
            await anyio.sleep_forever()
            raise AssertionError("unreachable")

    class AfterSlow(Judges):
        async def check(self, subject: Subject, /) -> Verdict:
            await begun.wait()
            return block("now")

    step = _filter(exchange, Slow(name="slow"), AfterSlow(name="after"))
    with anyio.fail_after(5), pytest.raises(AnswerStopped):
        await stream_through([step], answer_events("openai.chat", ["Hi"]), exchange)
    assert {a.guard: a.status for a in exchange.audits} == {"slow": "skipped", "after": "blocked"}


@pytest.mark.anyio
async def test_a_stream_without_an_end_is_flushed() -> None:
    """What is held goes out when the stream just ends."""
    exchange = exchange_of("openai.chat")
    assert exchange.layout is not None
    editor = exchange.layout.stream_editor()
    step = _filter(exchange, Finds(), NeedsWhole())
    client = Client()
    for event in answer_events("openai.chat", pieces("to joe@example.org", [8]))[:3]:
        for part in editor.split(event):
            client.read(await step.on_event(part, editor, exchange))
    assert client.content == ""
    client.read(await step.on_end(editor, exchange))
    assert client.content == "to [MAIL]"


def test_allow_is_the_verdict_of_silence() -> None:
    """Nothing found is nothing said."""
    assert redact([], "none") is ALLOW
