"""
What secrets look like: keys by their issuer's prefix, and values that a word before them names.

Prefixes and lengths are as the issuers document or print them; where an issuer says nothing of a
length, any longer run counts. A value without a prefix counts only behind a word (``api_key=``) and
if it looks random: identifiers, hashes told as such, UUIDs and placeholders do not.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from plano_asgi._json import loads
from plano_asgi.guards.value_scan import MEMORY, Lead, LeadWithin, Row, one_of, spellings

# -- keys that tell their issuer ------------------------------------------------------------------

_W = r"[A-Za-z0-9_\-]"
_A = "[A-Za-z0-9]"
_X = "[0-9a-f]"
_EDGE = r"(?<![A-Za-z0-9])"
_PREFIXED: tuple[tuple[str, str], ...] = (
    # the prefixes, and what follows them
    ("sk-ant-", rf"[a-z]{{2,8}}\d\d-{_W}{{20,512}}"),  # Anthropic
    ("sk-or-", rf"(?:v1-)?{_X}{{48,64}}"),  # OpenRouter
    ("sk-lf- pk-lf-", rf"{_X}{{8}}-{_X}{{4}}-{_X}{{4}}-{_X}{{4}}-{_X}{{12}}"),  # Langfuse
    ("sk-proj- sk-svcacct- sk-admin- sk-None-", rf"{_W}{{20,512}}"),  # OpenAI
    ("sk-", rf"(?=[A-Za-z]*\d){_A}{{20,128}}"),  # OpenAI's older ones, DeepSeek, Moonshot, ...
    ("sk_", rf"{_X}{{48}}"),  # ElevenLabs
    ("AIza", rf"{_W}{{35}}"),  # Google
    ("GOCSPX-", rf"{_W}{{24,40}}"),  # Google OAuth
    ("ya29. AQ.", rf"{_W}{{30,512}}"),  # Google
    ("AKIA ASIA ABIA ACCA", r"[A-Z2-7]{16}\b"),  # AWS
    ("ABSK", r"[A-Za-z0-9+/]{100,200}={0,2}"),  # AWS Bedrock
    ("ghp_ gho_ ghu_ ghs_ ghr_", rf"{_A}{{36,255}}"),  # GitHub
    ("github_pat_", r"[A-Za-z0-9_]{22,255}"),
    (
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent-",
        rf"{_W}{{20,128}}(?:\.{_W}{{2,64}})*",
    ),
    ("xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxd- xoxc-", r"[A-Za-z0-9%\-]{10,512}"),  # Slack
    ("xapp-", rf"\d-{_W}{{20,256}}"),
    ("hooks.slack.com/services/", rf"[A-Z0-9]{{8,14}}/[A-Z0-9]{{8,14}}/{_A}{{20,40}}"),
    ("discord.com/api/webhooks/ discordapp.com/api/webhooks/", rf"\d{{17,20}}/{_W}{{60,80}}"),
    ("sk_live_ sk_test_ rk_live_ rk_test_", rf"{_A}{{16,247}}"),  # Stripe
    ("whsec_", r"[A-Za-z0-9+/]{24,88}={0,2}"),
    ("hf_ api_org_", rf"{_A}{{30,64}}"),  # Hugging Face
    ("npm_", rf"{_A}{{36}}"),
    ("pypi-", rf"AgE{_W}{{50,512}}"),
    ("rubygems_", rf"{_X}{{48}}"),
    ("dckr_pat_ dckr_oat_", rf"{_W}{{27,64}}"),  # Docker
    ("SK AC", rf"{_X}{{32}}\b"),  # Twilio
    ("SG.", rf"{_W}{{20,24}}\.{_W}{{39,50}}"),  # SendGrid
    ("key-", rf"{_X}{{32}}\b"),  # Mailgun
    ("xkeysib-", rf"{_X}{{64}}-{_A}{{16}}"),  # Brevo
    ("gsk_", rf"{_A}{{40,64}}"),  # Groq
    ("xai-", rf"{_A}{{60,100}}"),  # xAI
    ("r8_", rf"{_A}{{37,40}}"),  # Replicate
    ("pplx-", rf"{_A}{{40,64}}"),  # Perplexity
    ("fw_", rf"{_A}{{20,40}}"),  # Fireworks
    ("tgp_v1_", rf"{_W}{{40,64}}"),  # Together
    ("nvapi-", rf"{_W}{{60,80}}"),  # NVIDIA
    ("csk-", rf"{_A}{{40,64}}"),  # Cerebras
    ("tvly-", rf"(?:dev-|prod-)?{_A}{{20,64}}"),  # Tavily
    ("pcsk_", r"[A-Za-z0-9_]{50,100}"),  # Pinecone
    ("lsv2_pt_ lsv2_sk_", rf"{_X}{{32}}_{_X}{{10}}"),  # LangSmith
    ("e2b_", rf"{_X}{{40}}"),
    ("jina_", rf"{_W}{{40,80}}"),
    ("fc-", rf"{_X}{{32}}"),  # Firecrawl
    ("pa-", rf"{_W}{{43}}"),  # Voyage
    ("dop_v1_ doo_v1_ dor_v1_", rf"{_X}{{64}}"),  # DigitalOcean
    ("dapi", rf"{_X}{{32}}(?:-\d)?"),  # Databricks
    ("nfp_", rf"{_A}{{36,40}}"),  # Netlify
    ("pscale_tkn_ pscale_pw_ pscale_oauth_", r"[\w=.\-]{32,64}"),  # PlanetScale
    ("sbp_", rf"{_X}{{40}}"),  # Supabase
    ("sb_secret_", rf"{_W}{{20,64}}"),
    ("rnd_", rf"{_A}{{28,40}}"),  # Render
    ("fo1_", rf"{_W}{{43}}"),  # Fly
    ("hvs. hvb. hvr.", rf"{_W}{{24,300}}"),  # HashiCorp Vault
    ("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", rf"[\w.\-]{{0,35}}{_A}{{40,44}}"),  # Doppler
    ("ops_", rf"eyJ{_W}{{200,1500}}={{0,2}}"),  # 1Password
    ("AGE-SECRET-KEY-1", r"[02-9AC-HJ-NP-Z]{58}"),
    ("glsa_", rf"{_A}{{32}}_{_X}{{8}}"),  # Grafana
    ("glc_", r"eyJ[A-Za-z0-9+/]{32,400}={0,2}"),
    ("NRAK-", r"[A-Z0-9]{27}"),  # New Relic
    ("sntrys_ sntryu_", r"[A-Za-z0-9+/=_]{40,300}"),  # Sentry
    ("lin_api_", rf"{_A}{{32,48}}"),  # Linear
    ("ntn_", rf"{_A}{{40,60}}"),  # Notion
    ("secret_", rf"{_A}{{43}}"),
    ("figd_", rf"{_W}{{36,60}}"),  # Figma
    ("ATATT3", r"[\w=\-]{150,300}"),  # Atlassian
    ("shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}"),  # Shopify
    ("sq0atp- sq0csp-", rf"{_W}{{22,43}}"),  # Square
    ("PMAK-", rf"{_X}{{24}}-{_X}{{34}}"),  # Postman
    ("bkua_", rf"{_X}{{40}}"),  # Buildkite
    ("CCIPAT_", rf"{_A}{{20,24}}_{_X}{{40}}"),  # CircleCI
    ("pat", rf"{_A}{{14}}\.{_X}{{64}}"),  # Airtable
    ("sl.", rf"{_W}{{130,300}}"),  # Dropbox
    ("EAA", rf"{_A}{{80,300}}"),  # Meta
)
PREFIXES: tuple[str, ...] = tuple(
    prefix for prefixes, _ in _PREFIXED for prefix in prefixes.split()
)
"""What the keys of known issuers begin with."""

_SHAPES = {prefix: shape for prefixes, shape in _PREFIXED for prefix in prefixes.split()}
_PREFIX = one_of(PREFIXES)


GATE = re.compile(r"[^\sA-Za-z.,;]")
"""What every secret holds: anything but letters and the marks between words."""


def _is_varied(value: str) -> bool:
    """Not a row of x, as documentation writes it; nor a word."""
    return len(set(value[-16:])) > 4 and GATE.search(value) is not None


def _keys() -> Iterator[Row]:
    """A row for every first letter: all keys that begin with it, the longest prefix first."""
    for letter in sorted({prefix[0] for prefix in PREFIXES}):
        prefixes = sorted((p for p in PREFIXES if p[0] == letter), key=len, reverse=True)
        shapes = "|".join(rf"{re.escape(prefix)}(?:{_SHAPES[prefix]})" for prefix in prefixes)
        yield Row(
            name="api_key",
            first=letter,
            regex=re.compile(rf"{_EDGE}(?:{shapes})"),
            judge=_is_varied,
        )


_KEYS = tuple(_keys())

# -- keys that tell themselves by their form ------------------------------------------------------


def _is_jwt(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        header = loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        return False
    return isinstance(header, dict) and isinstance(header.get("alg"), str)


_JWT = Row(
    name="jwt",
    regex=re.compile(rf"{_EDGE}eyJ{_W}{{8,1024}}\.eyJ{_W}{{2,8192}}\.(?:{_W}{{10,2048}})?"),
    judge=_is_jwt,
)
_BEGIN = r"-----BEGIN[A-Z0-9 ]{1,32}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEYS = (
    Row(
        name="private_key",
        regex=re.compile(rf"{_BEGIN}(?:[^\-]|-(?!----)){{0,12000}}+-----END[A-Z0-9 ]{{1,40}}-----"),
    ),
    Row(
        name="private_key.cut_off",
        regex=re.compile(
            rf"{_BEGIN}(?:\s|\\[nr]){{0,8}}(?:[A-Za-z\-]{{3,20}}: [^\n]{{0,100}}\n\s?){{0,4}}"
            rf"[A-Za-z0-9+/=\\]{{16,80}}[A-Za-z0-9+/=\s\\]{{0,12000}}"
        ),
    ),
)
_TELEGRAM = Row(
    name="api_key.telegram",
    regex=re.compile(rf"(?<!\w)\d{{8,10}}:AA{_W}{{33}}(?![A-Za-z0-9])"),
)
_DISCORD = Row(
    name="api_key.discord",
    regex=re.compile(rf"{_EDGE}[MNO][A-Za-z0-9]{{23,27}}\.{_W}{{6}}\.{_W}{{27,38}}"),
)

# -- values that a word names ---------------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"(?i)(?:.*(?:your|example|placeholder|change.?me|dummy|redacted|sample|insert|replace|todo)"
    r"|[x*.\-_#]{3,}$|(.)\1+$|(?:pass(?:word|wd)?|pwd|secret|token|user(?:name)?|none|null|undefined"
    r"|true|false|string|required|optional|localhost|process\.env|os\.environ|env[.:_]|config\.|self\.)"
    r")"
)
_VARIABLE = re.compile(r"[$%#]?[{(\[<]|\$[A-Za-z_]|%[A-Za-z_]+%")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_NAME = re.compile(r"[A-Za-z_]+(?:[.:/\-][A-Za-z_]+)*[.:!?]?")
_PIECES = re.compile(r"[A-Za-z0-9+=]+")


def entropy(text: str, /) -> float:
    """Bits per character, by how often each character is there."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def _is_blank(value: str) -> bool:
    """Nothing real: a placeholder, a variable, a word out of documentation."""
    return _PLACEHOLDER.match(value) is not None or _VARIABLE.match(value) is not None


def _is_password(value: str) -> bool:
    """Real enough for a password: two kinds of characters, one of them not a letter."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    has = [any(map(kind, value)) for kind in kinds]
    is_mixed = GATE.search(value) is not None and (has[2] or has[3]) and any(has[:2])
    return is_mixed and not _is_blank(value) and _NAME.fullmatch(value) is None


def _is_url_password(value: str) -> bool:
    return not _is_blank(value) and GATE.search(value) is not None


def _is_random(value: str) -> bool:
    """Holds a piece that nobody would type: long, letters and digits mixed, of high entropy."""
    if _is_blank(value) or _UUID.match(value):
        return False
    return any(
        len(piece) >= 12
        and sum(map(str.isdigit, piece)) >= 2
        and any(map(str.isalpha, piece))
        and entropy(piece) >= 2.8
        for piece in _PIECES.findall(value)
    )


_PASSWORD_WORDS = (
    *spellings(
        ("password", "passwd", "passphrase", "pwd", "passwort", "kennwort", "contraseña", "senha")
    ),
    *("wachtwoord", "mot de passe", "密码", "パスワード"),
)
_SECRET_WORDS = (
    *spellings(("secret", "token", "apikey", "api_key", "api-key", "api key", "access_key")),
    *spellings(("access-key", "accesskey", "account_key", "private_key", "auth", "credential")),
    *("API Key", "apiKey", "accessKey", "AccountKey", "SharedAccessKey"),
)
_NAME_REST = r"[A-Za-z0-9_\-]{0,24}"
_SET = r"(?:\\?[\"'`\]]){0,2}\s{0,3}(?:=>|:=|==|[:=]|is\b)\s{0,3}(?:[\"'`]|\\[\"'])?"
_SAID = (
    r"(?:(?:\\?[\"'`\]]){0,2}\s{0,3}(?:=>|:=|==|[:=]|is\b|ist\b|es\b)|\s)\s{0,3}(?:[\"'`]|\\[\"'])?"
)
_VALUE = r"[^\s\"'`,;<>()\[\]{}\\|&]"
_NAMED = Row(name="secret", regex=re.compile(rf"{_VALUE}{{16,512}}"), judge=_is_random)
_PASSWORD = Row(name="password", regex=re.compile(rf"{_VALUE}{{6,128}}"), judge=_is_password)
_BEARER = Row(
    name="secret.authorization", regex=re.compile(r"[A-Za-z0-9._~+/=\-]{16,4096}"), judge=_is_random
)
_URL_PASSWORD = Row(
    name="password.url",
    regex=re.compile(r"[^\s/@\"'<>]{3,128}(?=@[^\s@]{2})"),
    judge=_is_url_password,
)

# -- where to look --------------------------------------------------------------------------------

_ROWS = (
    *_KEYS,
    _DISCORD,
    _JWT,
    *_PRIVATE_KEYS,
    _TELEGRAM,
    _NAMED,
    _PASSWORD,
    _BEARER,
    _URL_PASSWORD,
)

KINDS: tuple[str, ...] = tuple(dict.fromkeys(row.kind for row in _ROWS))
"""Every kind there is."""

_LONG = r"(?:\S{0,15}+\s++)*+\S{16}"
_LEADS: tuple[Lead, ...] = (
    LeadWithin(_KEYS, _PREFIX, area=r"\S{16,}+", gate=_LONG),
    LeadWithin((_DISCORD,), r"[MNO][A-Za-z0-9]{23}", area=r"\S{50,}+", gate=_LONG),
    Lead((_JWT,), "eyJ", needle="eyJ", at_start=True),
    Lead(_PRIVATE_KEYS, "-----BEGIN", needle="-----BEGIN", at_start=True),
    Lead((_TELEGRAM,), r"\d{8,10}:AA", needle=":AA", at_start=True),
    Lead((_URL_PASSWORD,), r"://[^\s:/@\"'<>]{0,64}:(?=[^\s/@])", needle="://"),
    Lead((_PASSWORD,), rf"{one_of(_PASSWORD_WORDS)}{_NAME_REST}{_SET}(?={_VALUE})"),
    Lead((_NAMED,), rf"{one_of(_SECRET_WORDS)}{_NAME_REST}{_SAID}(?={_VALUE})", gate=_LONG),
    Lead((_BEARER,), r"[Bb](?:earer|EARER|asic)\s{1,3}(?=[A-Za-z0-9])", gate=_LONG),
)


def leads(kinds: Iterable[str], /) -> list[Lead]:
    """Where to look for secrets of *kinds*."""
    wanted = set(kinds)
    chosen = (lead.of([row for row in lead.rows if row.kind in wanted]) for lead in _LEADS)
    return [lead for lead in chosen if lead.rows]


# -- the end of a text ----------------------------------------------------------------------------

_SHORT = 64
LONGEST = 16_384
"""More than the longest secret, a private key or a token, and what is looked at behind it."""

_RUN = re.compile(r"\S*+")
_OPENINGS = tuple(
    re.compile(opening)
    for opening in (
        rf"{_EDGE}(?:{_PREFIX}|eyJ|\d{{8,10}}:AA|[MNO][A-Za-z0-9]{{23}})",
        r"://[^\s:/@\"'<>]{0,64}:",
        rf"{one_of(_PASSWORD_WORDS)}{_NAME_REST}{_SET}",
        rf"{one_of(_SECRET_WORDS)}{_NAME_REST}{_SAID}",
        r"[Bb](?:earer|EARER|asic)\s{1,3}",
    )
)
_BEGUN = re.compile(
    r"-----BEGIN(?:[A-Z0-9 ]{0,32}\Z|[A-Z0-9 ]{1,32}PRIVATE KEY(?: BLOCK)?(?:-{1,4}\Z|-----))"
)
_CLOSED = re.compile(r"-----END[A-Z0-9 ]{1,40}-----")


def undecided(text: str, start: int, /) -> int:
    """From where on more text might make a secret of what is there: at least the last word."""
    size = len(text)
    word = size - _run_length(text, _SHORT)
    if size - word >= _SHORT:
        word = _long_word(text, start)
    key = _open_key(text, max(start, size - LONGEST), word)
    return max(start, key)


def _run_length(text: str, limit: int) -> int:
    found = _RUN.match(text[: -limit - 1 : -1])
    return found.end() if found else 0


def _long_word(text: str, start: int) -> int:
    """Where a secret may have begun in a word that is longer than any beginning of one."""
    size = len(text)
    word = max(start, size - _run_length(text, LONGEST))
    end = max(word, size - _SHORT)
    for opening in _OPENINGS:
        end = min(end, _opened(text, opening, word, end + MEMORY))
    return end


def _opened(text: str, opening: re.Pattern[str], word: int, end: int) -> int:
    """Where in *word* a value may begin after *opening*; *end* if nowhere before."""
    place = max(0, word - MEMORY)
    while (found := opening.search(text, place, end)) is not None:
        if found.end() >= word:
            return max(word, found.start())
        place = found.start() + 1
    return end


def _open_key(text: str, start: int, word: int) -> int:
    """Where a private key began whose end is not there; *word* if none did."""
    begin = text.rfind("-----BEGIN", start)
    if begin < 0 or not _BEGUN.match(text, begin) or _CLOSED.search(text, begin):
        return word
    return min(begin, word)
