"""
Law 5, for any matcher: streamed redaction is exact, however the text is cut.

``assert_law5(matcher, text, cuts)`` for plain text, ``assert_law5_json`` for the raw text of JSON;
``cuts(text)`` draws ways of cutting, ``texts(*fragments)`` texts that are likely to matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from guards.streams import Client, answer_events, exchange_of, steps_through
from plano_asgi._json import dumps_str
from plano_asgi.exchange import Exchange
from plano_asgi.guards.answer import AnswerFilter
from plano_asgi.guards.base import Side
from plano_asgi.guards.holdback import Holdback
from plano_asgi.guards.json_text import JSONHoldback, redact_json
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.text_guard import TextGuard

Cuts = Iterable[int]
NOISE = (
    "",
    " ",
    "  ",
    "\n",
    ".",
    ",",
    "-",
    "_",
    "@",
    "x",
    "é",
    "漢字",
    "😀",
    "\u0301",
    "A",
    "7",
    "12",
)


def assert_law5(matcher: Matcher, text: str, cuts: Cuts) -> None:
    """Cut at *cuts* (offsets), *text* comes out as its redacted whole, and never more than that."""
    _assert_exact(Holdback(matcher), pieces(text, cuts), redact_text(text, matcher)[0])


def assert_law5_json(matcher: Matcher, text: str, cuts: Cuts) -> None:
    """The same for the raw text of JSON."""
    _assert_exact(JSONHoldback(matcher), pieces(text, cuts), redact_json(text, matcher))


def assert_every_cut(matcher: Matcher, text: str) -> None:
    """Law 5 for every single cut of *text*, and for one character at a time."""
    for cut in range(len(text) + 1):
        assert_law5(matcher, text, [cut])
        assert_law5_json(matcher, text, [cut])
    assert_law5(matcher, text, range(len(text)))
    assert_law5_json(matcher, text, range(len(text)))


def pieces(text: str, cuts: Cuts) -> list[str]:
    """*text* in pieces."""
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


def texts(*fragments: str, most: int = 8) -> st.SearchStrategy[str]:
    """Texts of *fragments* (positives, near misses), beginnings and ends of them, and noise."""
    parts = st.sampled_from([*fragments, *NOISE])
    torn = st.sampled_from(fragments).flatmap(
        lambda one: st.integers(0, len(one)).flatmap(
            lambda at: st.sampled_from([one[:at], one[at:]])
        )
    )
    alone = st.sampled_from(fragments).map(" {} ".format)
    digits = st.text("0123456789 -", max_size=24)
    kinds = st.one_of(alone, parts, torn, digits, st.text(max_size=4))
    return st.lists(kinds, max_size=most).map("".join)


def cuts_of(most: int = 12, size: int = 200) -> st.SearchStrategy[Sequence[int]]:
    """Ways of cutting: a few places, or every so many characters."""
    return st.one_of(
        st.lists(st.integers(0, size), max_size=most),
        st.integers(1, 9).map(lambda step: list(range(0, 10 * size, step))),
    )


def _assert_exact(held: Holdback | JSONHoldback, parts: Sequence[str], whole: str) -> None:
    feed: Callable[[str], str] = held.feed
    out = ""
    for part in parts:
        out += feed(part)
        assert whole.startswith(out), "what is out is no beginning of the redacted whole"
    assert out + held.flush() == whole


async def assert_law5_stream(matcher: Matcher, dialect: str, text: str, cuts: Cuts) -> None:
    """
    Law 5 through a whole stream: *text* as content and, in JSON, as a tool's arguments; what is
    out after every event begins the redacted whole, and nothing comes after the finish.
    """
    exchange, client = exchange_of(dialect), Client()
    raw = dumps_str({"to": text, text: [1, 4111111111111111]})
    events = answer_events(dialect, pieces(text, cuts), pieces(raw, cuts))
    whole, whole_raw = redact_text(text, matcher)[0], redact_json(raw, matcher)
    step = AnswerFilter(exchange, [_Redacts(matcher)])
    async for _ in steps_through([step], events, exchange, client):
        assert whole.startswith(client.content)
        assert whole_raw.startswith(client.arguments)
    assert (client.content, client.arguments) == (whole, whole_raw)
    assert set(client.repeated) <= {whole}
    assert client.is_finished


class _Redacts(TextGuard):
    name = "redacts"

    def __init__(self, matcher: Matcher) -> None:
        super().__init__()
        self._matcher = matcher

    def matcher(self, exchange: Exchange, side: Side, /) -> Matcher:
        """The one given."""
        return self._matcher
