"""
Check digits of cards, accounts and national numbers: pure functions.

Each takes a text without separators, letters in upper case, and says whether it can be such a
number: its length, its fixed parts and its check digits. None knows whether it was ever issued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256


def luhn(digits: str, /) -> bool:
    """ISO/IEC 7812 annex B: cards, IMEI, Canadian SIN, Swedish personnummer."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return bool(digits) and total % 10 == 0


_CARD_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    # first and last issuer prefix (same length), lengths of the whole number
    (4, 4, frozenset((13, 16, 19))),  # Visa
    (51, 55, frozenset((16,))),  # Mastercard
    (2221, 2720, frozenset((16,))),  # Mastercard
    (34, 34, frozenset((15,))),  # American Express
    (37, 37, frozenset((15,))),  # American Express
    (6011, 6011, frozenset(range(16, 20))),  # Discover
    (644, 649, frozenset(range(16, 20))),  # Discover
    (65, 65, frozenset(range(16, 20))),  # Discover, RuPay
    (60, 60, frozenset((16,))),  # RuPay
    (81, 82, frozenset((16,))),  # RuPay
    (300, 305, frozenset(range(14, 20))),  # Diners Club
    (3095, 3095, frozenset(range(14, 20))),  # Diners Club
    (36, 36, frozenset(range(14, 20))),  # Diners Club
    (38, 39, frozenset(range(14, 20))),  # Diners Club
    (3528, 3589, frozenset(range(16, 20))),  # JCB
    (62, 62, frozenset(range(16, 20))),  # UnionPay
    (50, 50, frozenset(range(13, 20))),  # Maestro, Elo
    (56, 58, frozenset(range(13, 20))),  # Maestro
    (6304, 6304, frozenset(range(13, 20))),  # Maestro
    (67, 67, frozenset(range(13, 20))),  # Maestro
    (2200, 2204, frozenset(range(16, 20))),  # Mir
)


def card(digits: str, /) -> bool:
    """A payment card: an issuer's prefix with a length it uses, and Luhn."""
    return (
        13 <= len(digits) <= 19
        and any(
            len(digits) in lengths and first <= int(digits[: len(str(first))]) <= last
            for first, last, lengths in _CARD_ISSUERS
        )
        and luhn(digits)
    )


IBAN_LENGTHS: Mapping[str, int] = {
    code: length
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ DZ ES MD PK RO SA SE SK TN VG YE",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for code in codes.split()
}
"""Whole length by country. Source: SWIFT IBAN registry."""


def iban(text: str, /) -> bool:
    """An account number: its country's length, and ISO 7064 mod 97-10."""
    if IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def us_ssn(digits: str, /) -> bool:
    """US: no area 000, 666 or 9xx, no group 00, no serial 0000; not a number out of brochures."""
    return (
        len(digits) == 9
        and digits[:3] not in ("000", "666")
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
        and digits not in ("078051120", "219099999", "123456789")
        and len(set(digits)) > 1
    )


def uk_nhs(digits: str, /) -> bool:
    """UK NHS number: 10 digits, mod 11."""
    check = 11 - _weighted(digits, range(10, 1, -1)) % 11
    return len(digits) == 10 and len(set(digits)) > 1 and check % 11 == int(digits[9])


def de_tax_id(digits: str, /) -> bool:
    """
    German Steuer-ID: 11 digits, ISO 7064 mod 11,10; of the first ten exactly one digit comes
    twice or three times, and no digit three times in a row.
    """
    if len(digits) != 11 or digits[0] == "0":
        return False
    head = [digits[:10].count(digit) for digit in set(digits[:10])]
    counts = sorted(count for count in head if count > 1)
    if counts not in ([2], [3]) or any(digit * 3 in digits[:10] for digit in "0123456789"):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def fr_nir(text: str, /) -> bool:
    """French NIR: sex, month, and 97 minus the rest mod 97; 2A and 2B are Corsica."""
    if len(text) != 15 or text[0] not in "123478":
        return False
    number = text[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    month = text[3:5]
    if not (number + text[13:]).isdigit() or not month.isdigit():
        return False
    is_month = 1 <= int(month) <= 12 or 20 <= int(month) <= 42 or int(month) >= 50
    return is_month and 97 - int(number) % 97 == int(text[13:])


_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_dni(text: str, /) -> bool:
    """Spanish DNI (8 digits, letter) and NIE (X, Y or Z in the place of the first digit)."""
    if len(text) != 9:
        return False
    digits = text[:8].translate({ord("X"): "0", ord("Y"): "1", ord("Z"): "2"})
    return digits.isdigit() and text[1:8].isdigit() and _DNI_LETTERS[int(digits) % 23] == text[8]


_CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21] * 2
        + [2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
        strict=True,
    )
)


def it_codice_fiscale(text: str, /) -> bool:
    """Italian codice fiscale: 16 characters, the last one checks the rest."""
    if len(text) != 16 or any(char not in _CF_ODD for char in text):
        return False
    total = sum(_CF_ODD[char] for char in text[:15:2])
    total += sum(int(c) if c.isdigit() else ord(c) - ord("A") for c in text[1:15:2])
    return chr(ord("A") + total % 26) == text[15]


def nl_bsn(digits: str, /) -> bool:
    """Dutch BSN: 9 digits, the "eleven test"."""
    if len(digits) != 9 or len(set(digits)) == 1:
        return False
    return _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def br_cpf(digits: str, /) -> bool:
    """Brazilian CPF: 11 digits, the last two check."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    first = _weighted(digits, range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(digits, range(11, 1, -1)) * 10 % 11 % 10
    return digits[9:] == f"{first}{second}"


def _dihedral_product() -> tuple[tuple[int, ...], ...]:
    """The group table of the symmetries of a pentagon, on which Verhoeff's scheme stands."""
    return tuple(
        tuple(
            (a + b) % 5 + (0 if b < 5 else 5) if a < 5 else (a - b) % 5 + (5 if b < 5 else 0)
            for b in range(10)
        )
        for a in range(10)
    )


_D5 = _dihedral_product()
_VERHOEFF_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(digits: str, /) -> bool:
    """Verhoeff's check: catches every single wrong digit and every swap of neighbours."""
    check = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char)
        for _ in range(place % 8):
            value = _VERHOEFF_STEP[value]
        check = _D5[check][value]
    return bool(digits) and check == 0


def in_aadhaar(digits: str, /) -> bool:
    """Indian Aadhaar: 12 digits, the first not 0 or 1, Verhoeff; no palindrome."""
    return (
        len(digits) == 12 and digits[0] not in "01" and digits != digits[::-1] and verhoeff(digits)
    )


def ca_sin(digits: str, /) -> bool:
    """Canadian SIN: 9 digits, the first not 0 or 8, Luhn."""
    return len(digits) == 9 and digits[0] not in "08" and len(set(digits)) > 1 and luhn(digits)


def se_personnummer(digits: str, /) -> bool:
    """Swedish personal (day) or co-ordination number (day + 60): 10 or 12 digits, Luhn on ten."""
    if len(digits) not in (10, 12):
        return False
    short = digits[-10:]
    day = int(short[4:6])
    return _is_month_day(int(short[2:4]), day - 60 if day > 60 else day) and luhn(short)


_PESEL_CENTURIES = {0: 1900, 20: 2000, 40: 2100, 60: 2200, 80: 1800}


def pl_pesel(digits: str, /) -> bool:
    """Polish PESEL: 11 digits, a date with the century in its month, weights 1 3 7 9."""
    if len(digits) != 11:
        return False
    month = int(digits[2:4])
    year = _PESEL_CENTURIES[month // 20 * 20] + int(digits[:2])
    if not is_date(year, month % 20, int(digits[4:6])):
        return False
    return _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(text: str, /) -> bool:
    """A Bitcoin address of the older kinds: 25 bytes, the last four from a double SHA-256."""
    number = 0
    for char in text:
        number = number * 58 + _BASE58.find(char)
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25, "big")
    return sha256(sha256(data[:21]).digest()).digest()[:4] == data[21:]


_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def bech32(text: str, /) -> bool:
    """A Bitcoin SegWit address in small letters: BIP 173 or, from version 1 on, BIP 350."""
    prefix, _, data = text.rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = 1
    for value in values + [_BECH32.find(char) for char in data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            check ^= step if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)


def is_date(year: int, month: int, day: int, /) -> bool:
    """A day of the calendar."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_month_day(month: int, day: int) -> bool:
    return is_date(2000, month, day)


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
