"""
Numbers that states give to people: one table of patterns, each with its check digits.

A number whose own shape and check digits prove little (nine bare digits) counts only after a word
that says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_uppercase
from typing import Any

from plano_asgi.guards import checksums
from plano_asgi.guards.value_scan import Check, Row, one_of

DIGIT = "0123456789"
HEX = DIGIT + "abcdefABCDEF"
CAPITAL = ascii_uppercase


def words(text: str) -> tuple[str, ...]:
    """Words of a table row."""
    return tuple(text.split())


def count_digits(value: str) -> int:
    """How many digits are in *value*."""
    return sum(char.isdigit() for char in value)


def after(names: Iterable[str]) -> re.Pattern[str]:
    """One of *names*, then perhaps others, but no other value."""
    return re.compile(rf"(?<![A-Za-z])(?i:{one_of(names)})(?![A-Za-z])[^\d\n@]{{0,20}}\Z")


def row(name: str, first: str, regex: str, **options: Any) -> Row:
    """A row, its regex compiled."""
    return Row(name=name, first=first, regex=re.compile(regex), **options)


SPACE = r"[ .\-\u00a0\u202f\u2011]"
"""Between groups of digits: spaces that do or don't break, full stop, hyphen."""
FIRST = rf"(?<![A-Za-z0-9_+])(?<!\d{SPACE})"
"""Where a number begins that only the word before it tells: not in the midst of one."""

_NAMED_IDS: dict[int, tuple[Check, ...]] = {
    9: (checksums.nl_bsn, checksums.ca_sin),
    10: (checksums.uk_nhs, checksums.se_personnummer),
    11: (checksums.de_tax_id, checksums.br_cpf, checksums.pl_pesel),
    12: (checksums.in_aadhaar, checksums.se_personnummer),
    15: (checksums.fr_nir,),
}
"""By number of digits: those that only a word tells from any other number."""
_ID_WORDS = (
    *("nhs", "steuer-id", "steuer id", "steueridentifikationsnummer", "steuernummer", "idnr"),
    *("tin", "sécurité sociale", "securite sociale", "nir", "bsn", "burgerservicenummer"),
    *("sofinummer", "cpf", "aadhaar", "aadhar", "uidai", "आधार", "social insurance", "sin"),
    *("assurance sociale", "nas", "pesel", "personnummer", "national id", "id number"),
)
_ID_SHAPES = (
    rf"(?:\d{{9,12}}|\d{{15}}|\d{{3}}{SPACE}\d{{3}}{SPACE}\d{{3,4}}|\d{{4}}{SPACE}\d{{4}}{SPACE}\d{{4}}"
    rf"|\d{{2}}{SPACE}\d{{3}}{SPACE}\d{{3}}{SPACE}\d{{3}}|\d{{4}}{SPACE}\d{{2}}{SPACE}\d{{3}}"
    r"|\d{6,8}[ +\-]\d{4})(?!\w)"
)


def _is_named_id(digits: str) -> bool:
    return any(check(digits) for check in _NAMED_IDS.get(len(digits), ()))


_NINO = (
    r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"( ?)\d{2}\1\d{2}\1\d{2}\1[A-D]"
)
_NIR = (
    rf"[12]{SPACE}?\d\d{SPACE}?\d\d{SPACE}?(?:\d\d|2[AB]){SPACE}?\d{{3}}{SPACE}?\d{{3}}{SPACE}?\d\d"
)
_CODICE_FISCALE = r"[A-Z]{6}[0-9L-NP-V]{2}[A-EHLMPRST][0-9L-NP-V]{2}[A-Z][0-9L-NP-V]{3}[A-Z]"
_SHAPED: tuple[tuple[str, str, str, Check | None], ...] = (
    ("uk_nino", CAPITAL, _NINO, None),
    ("fr_nir", "12", _NIR, checksums.fr_nir),
    ("es_dni", DIGIT + "XYZ", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]", checksums.es_dni),
    ("it_codice_fiscale", CAPITAL, _CODICE_FISCALE, checksums.it_codice_fiscale),
    ("br_cpf", DIGIT, r"\d{3}\.\d{3}\.\d{3}-\d{2}", checksums.br_cpf),
    ("in_pan", CAPITAL, r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", None),
    ("se_personnummer", DIGIT, r"(?:19|20)?\d{6}[\-+]\d{4}", checksums.se_personnummer),
)
_LICENCE_WORDS = (
    *("driver's license", "drivers license", "driver license", "driving license"),
    *("driver's licence", "driver licence", "driving licence", "dl number", "dl no"),
    *("führerschein", "permis de conduire", "carnet de conducir", "licencia de conducir"),
    *("patente di guida", "carta de condução", "rijbewijs"),
)
_PASSPORT_WORDS = words(
    "passport reisepass passnummer passeport pasaporte passaporto passaporte paspoort паспорт 护照"
)
STATE_ROWS = (
    row(
        "ssn",
        DIGIT,
        r"(?<![\w.\-])\d{3}([ \-])\d{2}\1\d{4}(?![\w\-]|\.\d)",
        check=checksums.us_ssn,
    ),
    row(
        "ssn.named",
        DIGIT,
        rf"{FIRST}\d{{9}}(?!\w)",
        check=checksums.us_ssn,
        after=after(("ssn", "social security", "social-security", "soc sec")),
    ),
    *(
        row(f"national_id.{sub}", first, rf"(?<![\w\-]){regex}(?![\w\-])", check=check)
        for sub, first, regex, check in _SHAPED
    ),
    row(
        "national_id.named",
        DIGIT,
        FIRST + _ID_SHAPES,
        check=_is_named_id,
        after=after(_ID_WORDS),
    ),
    row(
        "passport",
        CAPITAL + DIGIT,
        rf"{FIRST}(?=[A-Z0-9]{{0,4}}\d)[A-Z0-9]{{6,10}}(?!\w)",
        judge=lambda value: count_digits(value) >= 4,
        after=after(_PASSPORT_WORDS),
    ),
    row(
        "driver_licence",
        CAPITAL + DIGIT,
        rf"{FIRST}(?=[A-Z]{{0,5}}-?\d)[A-Z0-9\-]{{6,18}}(?![\w\-])",
        judge=lambda value: count_digits(value) >= 5,
        after=after(_LICENCE_WORDS),
    ),
)
