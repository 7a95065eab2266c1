"""
What personal data looks like: one table of patterns, each with the check that its numbers carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from string import ascii_letters

from plano_asgi.guards import checksums
from plano_asgi.guards.pii_ids import (
    CAPITAL,
    DIGIT,
    FIRST,
    SPACE,
    STATE_ROWS,
    after,
    count_digits,
    row,
    words,
)
from plano_asgi.guards.value_scan import AnyLead, Lead, LeadWithin, Row, one_of, spellings

_HEX = DIGIT + "abcdefABCDEF"

# -- addresses of people and machines -------------------------------------------------------------

_L = "A-Za-z0-9\u00c0-\u024f"
_LOCAL = rf"[{_L}._%+'\-]"
_FILE_ENDINGS = frozenset(
    words(
        "png jpg jpeg gif svg webp ico css js mjs ts tsx jsx py rb rs go md txt html json yaml yml"
        " toml xml lock zip gz tar whl jar local localhost service target socket timer"
    )
)


def _is_email(value: str) -> bool:
    local, _, domain = value.partition("@")
    return (
        local.lower() != "git"  # git@host:path is a place to clone from
        and ".." not in value
        and not re.match(r"\d+\.\d", domain)  # package@1.2.3-beta.rc
        and domain.rpartition(".")[2].lower() not in _FILE_ENDINGS
    )


_PRIVATE = [
    ip_network(net)
    for net in words(
        "0.0.0.0/8 10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3"
        " ::/127 fc00::/7 fe80::/10 ff00::/8"
    )
]


def is_private_ip(value: str, /) -> bool:
    """An address of no one outside: loopback, link-local, a home's or a company's own network."""
    address = IPv6Address(value) if ":" in value else IPv4Address(value)
    return any(address.version == net.version and address in net for net in _PRIVATE)


def _is_ipv4(value: str) -> bool:
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True


def _is_ipv6(value: str) -> bool:
    if sum(map(bool, value.split(":"))) < 3:  # a C++ name: abc::def
        return False
    try:
        IPv6Address(value)
    except AddressValueError:
        return False
    return True


_VERSION = re.compile(r"(?i:version|release|build|firmware|v)[.:]?\s?\Z")
_H = "0-9A-Fa-f"
_ADDRESSES = (
    row(
        "email",
        "",
        rf"(?<!{_LOCAL}){_LOCAL}{{1,64}}+@[{_L}][{_L}.\-]{{0,60}}\.[A-Za-z]{{2,18}}"
        rf"(?![{_L}_\-]|\.[{_L}])",
        judge=_is_email,
    ),
    row(
        "ip.v4",
        DIGIT,
        r"(?<![\w.\-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w\-]|\.\d)",
        judge=_is_ipv4,
        unless=_VERSION,
    ),
    row(
        "ip.v6",
        _HEX + ":",
        rf"(?<![\w:.])(?:::)?[{_H}]{{1,4}}(?::{{1,2}}[{_H}]{{1,4}}){{1,7}}(?:::)?(?![\w:])",
        judge=_is_ipv6,
    ),
    row(
        "mac",
        _HEX,
        rf"(?<![\w:\-])[{_H}]{{2}}(?P<sep>[:\-])(?:[{_H}]{{2}}(?P=sep)){{4}}[{_H}]{{2}}(?![\w:\-])",
        judge=lambda value: any(char.isdigit() for char in value) or ":" in value,
    ),
)

# -- telephones -----------------------------------------------------------------------------------

_COUNTRY = (
    r"(?:7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-69]\d|3[578]\d|42\d|5[09]\d"
    r"|6[789]\d|8[0578]\d|9[679]\d)"
)
_GAP = rf"(?:{SPACE}|[()/]){{0,3}}"
_PHONE_WORDS = (
    *words(
        "phone phones telephone mobile cell tel whatsapp fax sms handy mobil telefon rufnummer"
        " handynummer telefonnummer mobilnummer portable"
        " téléphone teléfono móvil celular telefone telemóvel telefono cellulare telefoon mobiel"
        " puhelin телефон тел 电话 手机 電話 携帯 전화 फ़ोन फोन"
    ),
    *("call me", "text me", "call us", "reach me", "ring me", "my number", "call him", "call her"),
)
_DATE_SHAPE = re.compile(r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4})(?!\d)")


def _is_national_phone(value: str) -> bool:
    return 9 <= count_digits(value) <= 12


def _is_any_phone(value: str) -> bool:
    return 7 <= count_digits(value) <= 15 and not _DATE_SHAPE.match(value)


_PHONES = (
    row(
        "phone.north_america",
        DIGIT + "(",
        rf"(?<![\w+.\-])(?:1{SPACE})?(?:\([2-9]\d{{2}}\){SPACE}?|[2-9]\d{{2}}[.\-])[2-9]\d{{2}}{SPACE}"
        r"\d{4}(?![\w\-])",
    ),
    row("phone.plus_one", "+", rf"(?<![\w+])\+1(?:{_GAP}\d){{10}}(?!\d)"),
    row(
        "phone.international",
        "+",
        rf"(?<![\w+])\+{_COUNTRY}(?:{_GAP}\d){{6,12}}(?!\d)",
        judge=lambda value: count_digits(value) >= 9,
    ),
    row(
        "phone.international_00",
        "0",
        rf"(?<![\w+.,\-])00(?:1|{_COUNTRY})(?:{_GAP}\d){{6,12}}(?!\d)",
        judge=lambda value: not value.isdigit(),
    ),
    row(
        "phone.national",
        "0(",
        rf"(?<![\w+.,:/\-])(?:\(0[1-9]\d{{0,4}}\) ?|0[1-9]\d{{0,4}}(?:{SPACE}|/))"
        rf"\d{{2,8}}(?:{SPACE}\d{{2,4}}){{0,4}}(?!\w|{SPACE}\d)",
        judge=_is_national_phone,
    ),
    row(
        "phone.named",
        DIGIT + "(",
        rf"{FIRST}\(?\d(?:(?:{SPACE}|[()/]){{0,2}}\d){{6,14}}(?!\w)",
        judge=_is_any_phone,
        after=after(_PHONE_WORDS),
    ),
)

# -- money ----------------------------------------------------------------------------------------

_CARD_GROUPS = (
    ("card", r"\d{13,19}"),
    ("card.grouped", r"\d{4}([ \-])\d{4}\1\d{4}\1\d{4}(?:\1\d{3}(?!\d))?"),
    ("card.grouped_16", r"\d{4}([ \-])\d{4}\1\d{4}\1\d{4}"),
    ("card.amex", r"3[47]\d{2}([ \-])\d{6}\1\d{5}"),
    ("card.diners", r"3[0689]\d{2}([ \-])\d{6}\1\d{4}"),
)


def _iban_regex() -> str:
    by_length: dict[int, list[str]] = {}
    for country, length in checksums.IBAN_LENGTHS.items():
        by_length.setdefault(length, []).append(country)
    bodies = (
        rf"(?:{'|'.join(countries)})\d\d(?:[ \-]?[0-9A-Z]){{{length - 4}}}"
        for length, countries in by_length.items()
    )
    return rf"(?<!\w)(?=[A-Z]{{2}}\d\d)(?:{'|'.join(bodies)})(?!\w)"


_MONEY = (
    *(
        row(name, DIGIT, rf"(?<![\w.\-])(?:{groups})(?![\w\-]|\.\d)", check=checksums.card)
        for name, groups in _CARD_GROUPS
    ),
    row("iban", CAPITAL, _iban_regex(), check=checksums.iban),
)

# -- dates of birth, wallets ----------------------------------------------------------------------

_MONTHS = words(
    "january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sep sept oct nov dec"
    " januar februar märz mai juni juli oktober dezember okt dez"
    " janvier février mars avril juin juillet août septembre octobre novembre décembre"
    " enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    " gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre"
    " janeiro fevereiro março maio junho julho setembro outubro novembro dezembro"
    " januari februari maart mei augustus maj augusti stycznia lutego marca kwietnia maja czerwca"
    " lipca sierpnia września października listopada grudnia"
)
_M = one_of(spellings(_MONTHS))
_DATE = (
    r"(?<!\w)(?:\d{4}[\-/.]\d{1,2}[\-/.]\d{1,2}|\d{1,2}[\-/.] ?\d{1,2}[\-/.] ?(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?[ \-](?:of |de |di )?{_M}\.?,?[ \-](?:de |of )?\d{{4}}"
    rf"|{_M}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{4}}年\d{{1,2}}月\d{{1,2}}日)(?!\w)"
)
_BIRTH = (
    *("born", "date of birth", "dob", "d.o.b", "birthday", "birth date", "birthdate", "geboren"),
    *("geburtsdatum", "geb.", "né le", "née le", "date de naissance", "nacido", "nacida"),
    *("fecha de nacimiento", "nato il", "nata il", "data di nascita", "data de nascimento"),
    *("nascido", "nascida", "geboortedatum", "född", "født", "fødselsdato", "födelsedatum"),
    *("syntynyt", "urodzony", "urodzona", "data urodzenia", "narozen", "дата рождения"),
    *("родился", "родилась", "生年月日", "出生", "생년월일", "doğum tarihi", "जन्म तिथि"),
)
_OTHERS = (
    row("date_of_birth", ascii_letters + DIGIT, _DATE, after=after(_BIRTH)),
    row(
        "crypto_wallet.base58",
        "13",
        r"(?<!\w)[13][1-9A-HJ-NP-Za-km-z]{25,34}(?!\w)",
        judge=checksums.base58check,
    ),
    row(
        "crypto_wallet.bech32",
        "b",
        r"(?<!\w)bc1[02-9ac-hj-np-z]{11,59}(?!\w)",
        judge=checksums.bech32,
    ),
    row("crypto_wallet.ethereum", "0", r"(?<!\w)0x[0-9a-fA-F]{40}(?!\w)"),
)

ROWS: tuple[Row, ...] = (*_MONEY, *STATE_ROWS, *_PHONES, *_ADDRESSES, *_OTHERS)
"""All rows. Of two that match alike, the first one counts."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(row.kind for row in ROWS))
"""Every kind there is."""

DEFAULT_KINDS: tuple[str, ...] = tuple(kind for kind in KINDS if kind != "crypto_wallet")
"""Kinds that are looked for unless told otherwise."""


GATE = re.compile(r"[0-9@]")
"""What every value holds."""


_BEGINNINGS = (  # behind the first digit, bracket or plus
    r"(?:[ .\-\u00a0\u202f\u2011()/+]{0,3}\d){5}",  # all that is told by its digits
    r"[0-9A-Z\-]{5}",  # passport, driver's licence
    r"\d{0,2}\.\d{1,3}\.\d{1,3}\.\d",
    r"\d?[\-/.] ?\d{1,2}[\-/.] ?\d{2}",
    rf"\d?(?:st|nd|rd|th|er|\.)?[ \-](?:of |de |di )?{_M}",
    r"\d{3}年",
    "[1-9A-HJ-NP-Za-km-z]{25}",
    "x[0-9a-fA-F]{6}",
)
_CAPITAL_BEGINNINGS = (  # behind the first letter
    r"[A-Z]{0,4}-?\d",
    r"[A-Z] \d",
    "[A-Z]{5}(?=[A-Z]{0,9}[0-9])[0-9L-NP-V]{2}",
)


def leads(rows: Iterable[Row], /) -> list[Lead]:
    """
    Where to look for *rows*: mail addresses around an ``@``; the rest where a value may begin, so
    that years, prices, times and counts are let go at one look. What a row's regex matches has to
    begin in one of these ways. They begin with a set of characters: the quickest search there is.
    """
    chosen = list(rows)
    others = [row for row in chosen if row.kind != "email"]
    return [
        Lead(
            [row for row in chosen if row.kind == "email"],
            rf"(?<!{_LOCAL})(?={_LOCAL}{{1,64}}+@)",
            needle="@",
        ),
        AnyLead(
            others,
            Lead(
                others,
                rf"[0-9(+](?<![A-Za-z0-9_][0-9(+])(?:{'|'.join(_BEGINNINGS)})",
                at_start=True,
            ),
            Lead(
                others,
                rf"[A-Z](?<![A-Za-z0-9_][A-Z])(?:{'|'.join(_CAPITAL_BEGINNINGS)})",
                at_start=True,
            ),
            LeadWithin(
                others,
                rf"(?<![A-Za-z0-9_])(?=[{_H}:][{_H}:\-]{{0,40}}[0-9]|[0-9])",
                area=rf":[{_H}]{{1,4}}:|-[{_H}]{{2}}-[{_H}]{{2}}-",
                reach=44,
            ),
            LeadWithin(
                others,
                rf"(?<![A-Za-z0-9_])(?={_M})",
                area=r"[0-9](?<!\d[0-9])\d?(?:st|nd|rd|th)?,? \d{4}",
                reach=16,
            ),
            Lead(others, "bc1", needle="bc1", at_start=True),
        ),
    ]


# -- the end of a text ----------------------------------------------------------------------------

LONGEST = 160
"""More than the longest value, and what is looked at behind it."""

_V = rf"[{_L}._%+'@:/(),\-\u00a0\u2010\u2011\u202f年月日]"
"""What values are made of, spaces aside."""


def _reversed_words(words: Iterable[str]) -> str:
    return "|".join(re.escape(word[::-1]) for word in words)


_GOES_ON = (
    rf"(?={_V}*?\d"  # a word with a digit in it
    r"|[A-Z\-]+(?![A-Za-z])"  # letters of an account number
    r"|[.()/+\-\u00a0\u2011\u202f]+(?: |\Z)"
    rf"|[.,]{{0,2}}(?:{_reversed_words((*spellings(_MONTHS), 'of', 'de', 'di'))})(?![{_L}]))"
)
_END = re.compile(rf"{_V}*+(?: {{1,3}}{_GOES_ON}{_V}*+)*+")
"""Over the reversed end: the last word, and the words before it that one value may go on from."""


def undecided(text: str, start: int, /) -> int:
    """From where on more text might make a value of what is there."""
    end = _END.match(text[: -LONGEST - 1 : -1])
    return max(start, len(text) - end.end()) if end else len(text)
