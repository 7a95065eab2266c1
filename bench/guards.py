"""
What guarding costs: ``python bench/guards.py [--smoke] [--only NAME]``.

CPU time of this process, in one event loop, without sockets: each figure is what an exchange with
a bare ASGI app takes *more* with the guard around it, the median of several rounds that take
turns. Prompts are made-up prose of 200 tokens (900 characters), never the same twice, since
guards keep what they know of texts they have seen; they hold nothing that a guard looks for. Every
fifth sentence has a number, which is where personal data could begin, or each one where it says so.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_asgi._json import dumps
from plano_asgi.guards import ALLOW, PII, Guard, Jailbreak, Secrets, Subject, Verdict
from plano_asgi.guards.holdback import Holdback
from plano_asgi.middleware import PlanoGuard

_CHAT = "/v1/chat/completions"
_PROMPT_CHARS = 900
_CHUNKS = 500
_PARTS = (
    ("My sister", "The new tenant", "Our teacher", "A friend of mine", "The old gardener"),
    ("has asked", "would like to know", "was wondering", "keeps asking me", "forgot to ask"),
    ("how to repair", "where to buy", "when to water", "why people paint", "who can deliver"),
    ("a wooden bench", "the tomato plants", "three bicycles", "an upright piano", "grey curtains"),
    ("before the winter", "in a small flat", "on a Sunday", "without much money", "near the lake"),
)

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. ``aim`` in the unit of the figure; 0 for none."""

    name: str
    unit: str
    aim: float
    measure: Callable[[int], float]
    """Given how many exchanges a round has: seconds per unit of work."""


class Prose:
    """
    Prompts without end, always the same ones.

    Args:
        every: Which sentences have a number; 1 is all.
    """

    def __init__(self, *, every: int = 5) -> None:
        self._random = random.Random(7)
        self._every = every

    def text(self, size: int = _PROMPT_CHARS) -> str:
        """*size* characters of sentences."""
        sentences, length = list[str](), 0
        while length < size:
            words = " ".join(self._random.choice(part) for part in _PARTS)
            has_number = len(sentences) % self._every == 0
            many = self._random.randrange(2, 90) if has_number else "many"
            sentences.append(f"{words}, {many} of them.")
            length += len(sentences[-1]) + 1
        return " ".join(sentences)[:size]

    def pieces(self, count: int) -> list[str]:
        """*count* pieces of a text, as a model streams it: a word or half of one each."""
        text = self.text(count * 5)
        cuts = [0, *sorted(self._random.sample(range(1, len(text)), count - 1)), len(text)]
        return [text[start:end] for start, end in pairwise(cuts)]


# -------------------------------------------------------------------------- the bare app


_HEADERS = [(b"content-type", b"application/json")]
_ANSWER = dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "It depends on the weather."},
                "finish_reason": "stop",
            }
        ],
    }
)


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes the body and answers with a sentence."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


def streaming(frames: Sequence[bytes]) -> ASGIApp:
    """Takes the body and streams *frames*, one message each."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for frame in frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def frames_of(pieces: Sequence[str]) -> list[bytes]:
    """*pieces* as chat chunks."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        for piece in pieces
    ]
    return [*(b"data: %b\n\n" % dumps(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def chat_body(text: str, *, stream: bool = False) -> bytes:
    """*text* as a question."""
    messages = [{"role": "user", "content": text}]
    return dumps({"model": "m", "stream": stream, "messages": messages})


async def exchange(app: ASGIApp, path: str, body: bytes) -> None:
    """One request, its answer thrown away."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not pending:
            await asyncio.get_running_loop().create_future()
        return pending.pop()

    async def send(message: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)


# ---------------------------------------------------------------------------- the figures


def more(guarded: ASGIApp, bare: ASGIApp, path: str, bodies: Iterator[bytes], count: int) -> float:
    """CPU seconds that one exchange with *guarded* takes more than one with *bare*."""

    async def round_of(app: ASGIApp) -> float:
        asked = [next(bodies) for _ in range(count)]
        began = time.process_time()
        for body in asked:
            await exchange(app, path, body)
        return (time.process_time() - began) / count

    async def rounds() -> float:
        await round_of(guarded)
        pairs = [(await round_of(guarded), await round_of(bare)) for _ in range(7)]
        return statistics.median(full - empty for full, empty in pairs)

    return asyncio.run(rounds())


def _asked(*guards: Guard, every: int = 5) -> Callable[[int], float]:
    """A question of 200 tokens and a short answer; the default guards if there are none."""

    def measure(count: int) -> float:
        prose = Prose(every=every)
        bodies = iter(lambda: chat_body(prose.text()), b"")
        app = PlanoGuard(answering, guards=guards or None)
        return more(app, answering, _CHAT, bodies, count)

    return measure


def _streamed(*guards: Guard, text: str = "") -> Callable[[int], float]:
    """A chunk of a long streamed answer, the tap around it included."""

    def measure(count: int) -> float:
        bare = streaming(frames_of(Prose().pieces(_CHUNKS)))
        body = chat_body(text or "Hello", stream=True)
        app = PlanoGuard(bare, guards=guards)
        return more(app, bare, _CHAT, iter(lambda: body, b""), max(count // 40, 1)) / _CHUNKS

    return measure


def _held(count: int) -> float:
    """A piece of text in the holdbacks of PII and secrets, and nothing around them."""
    pieces = Prose().pieces(_CHUNKS)
    matchers = [guard.matcher(_NOBODY, "answer") for guard in (PII(), Secrets())]
    samples = list[float]()
    for _ in range(max(count // 40, 5)):
        held = [Holdback(matcher) for matcher in matchers]
        began = time.process_time()
        for piece in pieces:
            for one in held:
                piece = one.feed(piece)
        samples.append((time.process_time() - began) / _CHUNKS)
    return statistics.median(samples)


_NOBODY: Any = None  # the matchers of these guards are the same for every exchange


def _passed(path: str) -> Callable[[int], float]:
    """A request that is none of a guard's business."""

    def measure(count: int) -> float:
        app = PlanoGuard(answering, guards=[Secrets()])
        return more(app, answering, path, iter(lambda: b"{}", b""), count * 20)

    return measure


class Nothing(Guard):
    """What being guarded costs by itself."""

    async def check(self, subject: Subject, /) -> Verdict:
        return ALLOW


ROWS = (
    Row(
        name="default guards (rules and linear model)",
        unit="ms",
        aim=1.0,
        measure=_asked(Secrets(), Jailbreak(second_stage=None)),
    ),
    Row(name="default guards as installed here", unit="ms", aim=0.0, measure=_asked()),
    Row(name="PII + secrets", unit="ms", aim=0.4, measure=_asked(PII(), Secrets())),
    Row(
        name="PII + secrets, a number in each sentence",
        unit="ms",
        aim=0.0,
        measure=_asked(PII(), Secrets(), every=1),
    ),
    Row(name="masking PII", unit="ms", aim=0.0, measure=_asked(PII(mode="mask"))),
    Row(name="a guard that does nothing", unit="ms", aim=0.0, measure=_asked(Nothing())),
    Row(name="PII + secrets, text of a chunk", unit="us", aim=10.0, measure=_held),
    Row(
        name="PII + secrets, chunk with its event",
        unit="us",
        aim=0.0,
        measure=_streamed(PII(), Secrets()),
    ),
    Row(
        name="unmasking, chunk with its event",
        unit="us",
        aim=0.0,
        measure=_streamed(PII(mode="mask"), text="Write to ann@example.org"),
    ),
    Row(name="another path passed on", unit="us", aim=3.0, measure=_passed("/files/upload")),
)
_SCALE = {"ms": 1e3, "us": 1e6}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; a missed aim is no failure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--smoke", action="store_true", help="a few seconds, rough figures")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args(argv)
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    count = 20 if options.smoke else 200
    print(f"{'':42}{'measured':>12}{'aim':>10}")
    for row in ROWS:
        if options.only in row.name:
            figure = row.measure(count) * _SCALE[row.unit]
            aim = f"{row.aim:g} {row.unit}" if row.aim else ""
            print(f"{row.name:42}{figure:9.2f} {row.unit}{aim:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
