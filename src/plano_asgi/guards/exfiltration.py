"""
Links and images that carry data out: what an injected order makes a model write.

A client that renders Markdown or HTML fetches an image at once, and its URL has room for whatever
the model has read. So the URLs of an answer are read as a browser would read them, and those that
lead elsewhere are taken out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias, Unpack
from urllib.parse import SplitResult, urlsplit

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.guards.base import GuardOptions, Side
from plano_asgi.guards.matching import Match
from plano_asgi.guards.text_guard import Mode, TextGuard
from plano_asgi.passages import Origin

Links: TypeAlias = Literal["all", "with_data", "none"]
REMOVED = "[link removed]"


class Exfiltration(TextGuard):
    """
    URLs that lead to hosts you do not know, in answers.

    Found in Markdown images and links, reference definitions, HTML attributes, CSS ``url()``,
    autolinks and bare text; read as browsers do: entities, tabs and line feeds inside, backslashes,
    ``//host``, names before an ``@``, internationalised names. What an image or a link says stays.
    Tool calls are left alone, since fetching a URL is what some tools are for: add the origin
    "tool_call" to look at them.

    Args:
        allow_domains: Hosts that may be linked: ``example.com`` is that host alone,
            ``*.example.com`` every host below it (any of which can carry data in its name).
        mode: "redact" (default) takes the URL out, "block" ends the answer.
        links: Which links are treated as images always are: "with_data" (default) those with a
            query, a fragment, a user name, or long parts; "all"; or "none".
        options: See ``GuardOptions``.
    """

    name = "exfiltration"
    sides = frozenset(("answer",))
    origins: frozenset[Origin] = frozenset(("content", "refusal", "reasoning", "citation"))

    def __init__(
        self,
        *,
        allow_domains: Iterable[str] = (),
        mode: Mode = "redact",
        links: Links = "with_data",
        **options: Unpack[GuardOptions],
    ) -> None:
        if links not in ("all", "with_data", "none"):
            raise ConfigurationError(f"links must be 'all', 'with_data' or 'none', not {links!r}")
        if isinstance(allow_domains, str):
            raise ConfigurationError(f"allow_domains is a list of hosts, not {allow_domains!r}")
        super().__init__(mode=mode, **options)
        self._matcher = URLMatcher(allow_domains, links=links)

    def matcher(self, exchange: Exchange, side: Side, /) -> URLMatcher:
        """The one matcher of this guard."""
        return self._matcher


# -- where URLs stand -----------------------------------------------------------------------------

_URL_CHARS = 1024
"""Of a longer URL the beginning is taken out; what is left is a URL no more."""
_TEXT_CHARS = 300
_CAP = 2 * _URL_CHARS
_ABSOLUTE = r"(?=[\x00-\x20]{0,4}(?:[A-Za-z][A-Za-z\s]{0,12}(?::|&)|[\\/&]|[Ww]{3}))"
"""Only what may lead elsewhere is worth reading: this makes long texts of other things cheap."""
_ATTRIBUTES = (
    "src|srcset|href|data|poster|action|formaction|background|ping|longdesc|cite|manifest|code"
)
_SCHEME = r"(?:(?:https?|wss?|ftps?|file|blob|javascript|vbscript)\s?:|www\d?\.)"


def _url(name: str, chars: str, close: str = "") -> str:
    """A URL of *chars*, then *close*; an over-long one goes without."""
    ending = f"(?:{close}|(?={chars}))" if close else ""
    return rf"{_ABSOLUTE}(?P<{name}>{chars}{{1,{_URL_CHARS}}}+){ending}"


_INLINE = r"[^\s)>\[<\"]"
_TITLE = r"(?:\s{1,3}(?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'))?"
_PLACES = (
    rf"(?P<image>!)?\[(?P<text>[^\[\]\n]{{0,{_TEXT_CHARS}}})\]\(\s{{0,3}}<?"
    + _url("inline", _INLINE, rf">?{_TITLE}\s{{0,3}}\)"),
    r"\]:\s{0,3}<?" + _url("reference", _INLINE),
    rf"(?<![A-Za-z0-9])(?i:{_ATTRIBUTES})\s{{0,4}}=\s{{0,4}}(?:"
    + "|".join(
        (
            '"' + _url("double", '[^"<>]', '"'),
            "'" + _url("single", "[^'<>]", "'"),
            _url("unquoted", r"[^\s\"'<>]"),
        )
    )
    + ")",
    r"(?<![A-Za-z0-9])(?i:url)\(\s{0,3}[\"']?" + _url("css", r"[^)\"'<>]", r"[\"']?\s{0,3}\)"),
    rf"(?<![A-Za-z0-9])(?P<bare>(?i:{_SCHEME})[^\s<>\"'`)\]]{{1,{_URL_CHARS}}}+)",
)
_FOUND = re.compile("|".join(_PLACES))
_IMAGES = ("reference", "double", "single", "unquoted", "css")
"""Places from which a browser may fetch by itself."""

_PART = re.compile(
    rf"(?:!|!?\[[^\[\]\n]{{0,{_TEXT_CHARS}}}(?:\](?:\(\s{{0,3}}<?{_INLINE}{{0,{_URL_CHARS}}}"
    r"(?:>?\s{0,3}(?:\"[^\"\n]{0,200}\"?|'[^'\n]{0,200}'?)?\s{0,3})?)?)?"
    rf"|\](?::\s{{0,3}}<?{_INLINE}{{0,{_URL_CHARS}}})?"
    rf"|(?i:(?:{_ATTRIBUTES})\s{{0,4}}(?:=\s{{0,4}}(?:\"[^\"<>]{{0,{_URL_CHARS}}}"
    rf"|'[^'<>]{{0,{_URL_CHARS}}}|[^\s\"'<>]{{0,{_URL_CHARS}}})?)?)"
    rf"|(?i:url(?:\(\s{{0,3}}[\"']?[^)\"'<>]{{0,{_URL_CHARS}}}[\"']?\s{{0,3}})?)"
    rf"|(?i:(?:https?|wss?|ftps?|file|blob|javascript|vbscript)\s?"
    rf"(?::[^\s<>\"'`)\]]{{0,{_URL_CHARS}}})?)"
    r")\Z"
)
_WORD = re.compile(r"\S*+")
_BEGUN = re.compile(rf"(?<![A-Za-z0-9])(?i:{_SCHEME})")
_BEGINNING = 16
"""More characters than the longest scheme."""


class URLMatcher:
    """A ``Matcher`` of URLs that lead elsewhere; the replacement is what the link said."""

    def __init__(self, allow_domains: Iterable[str], *, links: Links) -> None:
        hosts = [host.strip().rstrip(".").lower() for host in allow_domains]
        try:
            self._hosts = {_ascii(host) for host in hosts if not host.startswith("*.")}
            self._below = tuple(_ascii(host[1:]) for host in hosts if host.startswith("*."))
        except ValueError as exc:
            raise ConfigurationError(f"allow_domains holds what is no host: {exc}") from exc
        self._links = links

    def find(self, text: str, /) -> list[Match]:
        """Every such URL, with the image or link around it."""
        found: list[Match] = []
        place = 0
        while (match := _FOUND.search(text, place)) is not None:
            said = self._said(match)
            if said is None:
                place = match.start() + 1
                continue
            rule, replacement = said
            found.append(Match(match.start(), match.end(), rule, replacement))
            place = match.end()
        return found

    def settled(self, text: str, /) -> int:
        """Up to where no more text changes what ``find`` says."""
        size = len(text)
        word = _WORD.match(text[: -_CAP - 1 : -1])
        end = size - (word.end() if word else 0)
        if size - end > _BEGINNING:
            begun = _BEGUN.search(text, end)
            end = begun.start() if begun else size - _BEGINNING
        part = _PART.search(text, max(0, size - _CAP))
        if part is not None:
            end = min(end, part.start())
        for match in self.find(text):
            if match.start < end < match.end:
                end = match.end if size - match.start > _CAP else match.start
        return end

    def _said(self, match: re.Match[str]) -> tuple[str, str] | None:
        """The rule that *match* falls under and what stands there instead; ``None``: it stays."""
        kind = match.lastgroup or "inline"
        is_image = bool(match["image"]) or kind in _IMAGES
        urls = match[kind].split(",") if kind in ("double", "single") else [match[kind]]
        if not any(self._leads_out(url, is_image=is_image) for url in urls):
            return None
        if kind == "inline":
            return ("image" if is_image else "link"), match["text"] or REMOVED
        start, end = (at - match.start() for at in match.span(kind))
        return kind, f"{match[0][:start]}{REMOVED}{match[0][end:]}"

    def _leads_out(self, text: str, *, is_image: bool) -> bool:
        url = _read(text)
        if url is None:
            return True
        if url.scheme == "data":
            return re.match(r"image/(?:png|jpe?g|gif|webp|avif)[;,]", url.path) is None
        if not url.scheme and not url.netloc:
            return False
        if url.host in self._hosts or url.host.endswith(self._below):
            return False
        if url.scheme in ("javascript", "vbscript"):
            return True
        if is_image or self._links == "all":
            return True
        return self._links == "with_data" and url.has_data


# -- how browsers read them -----------------------------------------------------------------------


class _URL(NamedTuple):
    scheme: str
    netloc: str
    host: str
    path: str
    has_data: bool


_IGNORED = re.compile(r"[\x00-\x20\x7f\u00ad\u200b-\u200f\u2060\ufeff]")


def _read(text: str) -> _URL | None:
    """*text* as browsers read it; ``None`` if they might and we cannot."""
    cleaned = _IGNORED.sub("", html.unescape(text))
    scheme, colon, rest = cleaned.partition(":")
    if colon and scheme.lower() in ("data", "javascript", "vbscript"):
        return _URL(scheme.lower(), "", "", rest.lower(), True)
    cleaned = cleaned.replace("\\", "/")
    if cleaned.lower().startswith("www"):
        cleaned = f"http://{cleaned}"
    # a browser takes any number of slashes, and none, after a scheme of the web
    cleaned = re.sub(r"(?i)^(https?|wss?|ftp):/*", r"\1://", cleaned)
    cleaned = re.sub(r"^/{2,}", "//", cleaned)
    try:
        parts = urlsplit(cleaned)
        host = _ascii((parts.hostname or "").rstrip("."))
    except ValueError:
        return None
    return _URL(parts.scheme, parts.netloc, host, parts.path, _has_data(parts, host))


def _has_data(parts: SplitResult, host: str) -> bool:
    """There is room for data in it: a query, a user, or something long."""
    longest = max(map(len, re.split(r"[/]", parts.path)))
    labels = host.split(".")
    return (
        bool(parts.query or parts.fragment)
        or "@" in parts.netloc
        or longest > 40
        or len(parts.path) > 120
        or max(map(len, labels)) > 24
        or len(labels) > 5
    )


def _ascii(host: str) -> str:
    """*host* as it is asked for: punycode."""
    if host.isascii():
        return host.lower()
    dot = "." if host.startswith(".") else ""
    return dot + host.removeprefix(".").encode("idna").decode("ascii").lower()
