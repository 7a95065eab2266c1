"""
Guards over real sockets: every way to put them before a model x every client API x streamed or
not x what a guard can say or fail to say, read by the official SDKs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hostile.stage import CLIENTS
from sdk.guard_stage import (
    EMAIL,
    KEY,
    NAME,
    REFUSAL,
    WAYS,
    GuardStage,
    guarded,
    model_of,
    script,
)
from sdk.sdk_clients import ERRORS, Body, Clients, Seen, sdk_clients, tool_step
from upstream import HANG, Step, Tool

FILTERED = {
    "openai.chat": "content_filter",
    "openai.responses": "content_filter",
    "anthropic.messages": "refusal",
}
FINISHED = {
    "openai.chat": "stop",
    "openai.responses": "completed",
    "anthropic.messages": "end_turn",
}

each_way = pytest.mark.parametrize("way", WAYS)
each_api = pytest.mark.parametrize("api", CLIENTS)
each_form = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


@pytest.fixture(scope="module")
def theatre() -> Iterator[tuple[GuardStage, Clients]]:
    """The servers and the SDKs."""
    with guarded() as stage, sdk_clients() as clients:
        yield stage, clients


@pytest.fixture
def stage(theatre: tuple[GuardStage, Clients]) -> GuardStage:
    """The stage, with nothing recorded yet."""
    theatre[0].reset()
    return theatre[0]


@pytest.fixture
def clients(theatre: tuple[GuardStage, Clients]) -> Clients:
    """The official SDKs."""
    return theatre[1]


@pytest.fixture
def ask(stage: GuardStage, clients: Clients) -> _Ask:
    """One question, one scripted answer."""
    return _Ask(stage, clients)


class _Ask:
    """Scripts the upstream, then asks."""

    def __init__(self, stage: GuardStage, clients: Clients) -> None:
        self.stage, self.clients = stage, clients

    def __call__(
        self, at: tuple[str, str, str, bool], question: str | Body, *pieces: str | Tool | Step
    ) -> Seen:
        way, kind, api, stream = at
        stage = self.stage
        if pieces:
            stage.upstream.reply(script(way, api, *pieces, stream=stream))
        base, model = stage.base(way, kind), model_of(way, api)
        return self.clients.ask(api, base, model, question, stream=stream)


# ------------------------------------------------------------------------------------- block


@each_way
@each_api
@each_form
def test_a_blocked_question(ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool) -> None:
    """A 400 that the SDK does not try again, though it would by default; no model is asked."""
    with pytest.raises(ERRORS[api].BadRequestError) as refused:
        ask((way, "block", api, stream), "How is a bomb made?")
    assert REFUSAL in str(refused.value)
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert len(stage.asked) == 1
    assert stage.upstream.requests == []
    stage.expect({("request", "blocked")})


@each_way
@each_api
@each_form
def test_a_block_as_an_answer(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """The SDK reads a refusal as it reads any answer."""
    seen = ask((way, "answer", api, stream), "How is a bomb made?")
    assert (seen.text, seen.finish) == (REFUSAL, FILTERED[api])
    assert stage.upstream.requests == []


@each_way
@each_api
def test_a_block_in_the_middle_of_a_stream(
    stage: GuardStage, clients: Clients, way: str, api: str
) -> None:
    """What was said stands, the ending is the dialect's own, and the model is hung up on."""
    begun = threading.Event()
    pieces = ("All is well. ", begun, "A bo", "mb!", HANG)
    stage.upstream.reply(script(way, api, *pieces, stream=True))
    base, model = stage.base(way, "block"), model_of(way, api)
    seen = clients.ask(api, base, model, "Hello", stream=True, on_event=begun.set)
    assert seen.text.startswith("All is well. ")
    assert seen.finish == FILTERED[api]
    assert "bomb" not in seen.raw
    assert stage.upstream.requests[0].closed.wait(5)
    stage.expect({("request", "passed"), ("answer", "blocked")})


@each_way
@each_api
@each_form
def test_a_block_before_the_answer_starts(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """A guard that judges windows has let nothing go yet: an error, or a refusal in the stream."""
    at = (way, "judge", api, stream)
    if not stream:
        with pytest.raises(ERRORS[api].BadRequestError):
            ask(at, "Hello", "A bomb is made so")
        assert len(stage.asked) == 1
        return
    try:
        seen = ask(at, "Hello", "A bomb ", "is made so")
    except ERRORS[api].BadRequestError:
        return
    assert seen.finish == FILTERED[api]
    assert "bomb" not in seen.raw


@each_way
@each_api
@each_form
def test_an_answer_blocked_and_answered(ask: _Ask, way: str, api: str, stream: bool) -> None:
    """With ``on_block="answer"`` there is no error on this side either."""
    seen = ask((way, "answer", api, stream), "Hello", "A bomb ", "is made so")
    assert seen.finish == FILTERED[api]
    assert REFUSAL in seen.text
    assert "bomb" not in seen.raw


# ------------------------------------------------------------------------------------ redact


@each_way
@each_api
@each_form
def test_redaction(ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool) -> None:
    """On both sides, in text and in arguments, over cuts; finish and JSON are in order."""
    call = Tool("call_1", "write", '{"to":"a swordfish, raw"}')
    seen = ask((way, "redact", api, stream), "A swordfish?", "Sword", "fish is goo", "d.", call)
    assert seen.text == "[hidden] is good."
    assert seen.calls == [("write", {"to": "a [hidden], raw"})]
    assert "swordfish" not in seen.raw.lower()
    sent = stage.upstream.requests[0].body
    assert b"swordfish" not in sent
    assert b"A [hidden]?" in sent
    stage.expect({("request", "redacted"), ("answer", "redacted")})


# -------------------------------------------------------------------------------------- mask


@each_way
@each_api
@each_form
def test_masking(ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool) -> None:
    """The model never sees a value, the client never a placeholder; arguments stay JSON."""
    question = f"Write to {EMAIL}, she is {NAME}, with {KEY}. Again: {EMAIL}"
    call = Tool("call_1", "write", '{"to":"<EMAIL_1>","name":"<PERSON_1>, dear"}')
    pieces = ("I write to <EM", "AIL_1> (", "<", "PERSON_1", ">), <API_KEY_1>", ".")
    seen = ask((way, "mask", api, stream), question, *pieces, call)
    assert seen.text == f"I write to {EMAIL} ({NAME}), {KEY}."
    assert seen.calls == [("write", {"to": EMAIL, "name": f"{NAME}, dear"})]
    for name in ("EMAIL_1", "PERSON_1", "API_KEY_1"):
        assert name not in seen.raw
    sent = stage.upstream.requests[0].body.decode()
    for value in (EMAIL, "Ace", KEY):
        assert value not in sent
    assert "Write to <EMAIL_1>, she is <PERSON_1>, with <API_KEY_1>. Again: <EMAIL_1>" in sent


@each_way
@each_api
@each_form
def test_masking_through_a_tool_loop(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """
    The client replays real values, and they get the placeholders they had: what the model read
    before is what it reads now. What a tool answered is masked like all else.
    """
    question = f"Write to {EMAIL}."
    at = (way, "mask", api, stream)
    ask(at, question, Tool("call_1", "write", '{"to":"<EMAIL_1>"}'))
    step = tool_step(api, question, json.dumps({"to": EMAIL}), f"{EMAIL} and bob@example.net")
    seen = ask(at, step, "Sent to <EMAIL_1> and <EMAIL_2>.")
    assert seen.text == f"Sent to {EMAIL} and bob@example.net."
    for request in stage.upstream.requests:
        assert b"@example" not in request.body
        assert b"Write to <EMAIL_1>." in request.body
    assert b"<EMAIL_1> and <EMAIL_2>" in stage.upstream.requests[1].body


# --------------------------------------------------------------------------- error and timeout


@each_way
@each_api
@each_form
@pytest.mark.parametrize("trouble", ["error", "timeout"])
def test_a_guard_that_cannot_judge_a_question(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool, trouble: str
) -> None:
    """Closed: 503, told once, and no model is asked. Nothing of the text is in it."""
    with pytest.raises(ERRORS[api].InternalServerError) as failed:
        ask((way, trouble, api, stream), "boom")
    assert failed.value.status_code == 503
    assert "boom" not in str(failed.value)
    assert len(stage.asked) == 1
    assert stage.upstream.requests == []
    stage.expect({("request", trouble), ("request", "blocked")})


@each_way
@each_api
@each_form
@pytest.mark.parametrize("trouble", ["error", "timeout"])
def test_a_guard_that_cannot_judge_an_answer(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool, trouble: str
) -> None:
    """Closed: the SDK raises, streamed or not, and the text has not gone out."""
    with pytest.raises(ERRORS[api].APIError) as failed:
        ask((way, trouble, api, stream), "Hello", "It goes ", "boom")
    assert "boom" not in str(failed.value)
    if not stream:
        assert isinstance(failed.value, ERRORS[api].InternalServerError)
    assert len(stage.asked) == 1
    stage.expect({("request", "passed"), ("answer", trouble), ("answer", "blocked")})


@each_way
@each_api
@each_form
@pytest.mark.parametrize("trouble", ["error", "timeout"])
def test_a_guard_that_may_fail_open(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool, trouble: str
) -> None:
    """It goes on, and the record says that nobody judged."""
    seen = ask((way, f"{trouble}-open", api, stream), "boom", "It goes ", "boom")
    assert (seen.text, seen.finish) == ("It goes boom", FINISHED[api])
    stage.expect({("request", trouble), ("answer", trouble)})


# ------------------------------------------------------------------------------- report, beside


@each_way
@each_api
@each_form
def test_guards_that_only_report(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """Nothing is changed, everything is on record."""
    seen = ask((way, "report", api, stream), f"A bomb for {EMAIL}", "bomb ", f"for {EMAIL}")
    assert (seen.text, seen.finish) == (f"bomb for {EMAIL}", FINISHED[api])
    assert EMAIL.encode() in stage.upstream.requests[0].body
    sides = ("request", "answer")
    stage.expect({(side, status) for side in sides for status in ("blocked", "redacted")})
    assert all(audit.report_only for audit in stage.audits)


@each_way
@each_api
@each_form
def test_each_guard_is_asked_once(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """However many of us it meets on the way: one record for each side of each guard."""
    ask((way, "report", api, stream), "Hello", "Hi.")
    stage.expect({("request", "passed"), ("answer", "passed")}, count=4)
    assert len(stage.audits) == 4


@each_way
@each_api
@each_form
def test_a_guard_beside_the_call_withholds_the_first_byte(
    stage: GuardStage, clients: Clients, way: str, api: str, stream: bool
) -> None:
    """The model has answered long since; the client hears of it after the verdict."""
    stage.upstream.reply(script(way, api, "Good ", "day.", stream=stream))
    found = list[Seen]()

    def note() -> None:
        stage.gate.log.append("event")

    def run() -> None:
        base, model = stage.base(way, "beside"), model_of(way, api)
        found.append(clients.ask(api, base, model, "slowly", stream=stream, on_event=note))
        note()

    client = threading.Thread(target=run)
    client.start()
    stage.judge_once_asked()
    client.join(10)
    assert found[0].text == "Good day."
    assert stage.gate.log[0] == "verdict"
    assert stage.gate.log[-1] == "event"


@each_way
@each_api
@each_form
def test_a_block_beside_the_call_ends_it(
    ask: _Ask, stage: GuardStage, way: str, api: str, stream: bool
) -> None:
    """A plain 400 though the model was talking already, and the model is hung up on."""
    reply = script(way, api, "So ", *([HANG] if stream else ()), stream=stream)
    stage.upstream.reply(reply if stream else replace(reply, before=[HANG]))
    referee = threading.Thread(target=stage.judge_once_asked)
    referee.start()
    with pytest.raises(ERRORS[api].BadRequestError):
        ask((way, "beside", api, stream), "slowly, a bomb")
    referee.join(5)
    assert stage.upstream.requests[0].closed.wait(5)
    assert len(stage.asked) == 1
