"""Check digits, on published examples and on each of them with one digit changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.guards import checksums

Check = Callable[[str], bool]

VALID: list[tuple[Check, str]] = [
    (checksums.luhn, "79927398713"),
    (checksums.card, "4111111111111111"),
    (checksums.card, "4222222222222"),
    (checksums.card, "5555555555554444"),
    (checksums.card, "2223003122003222"),
    (checksums.card, "378282246310005"),
    (checksums.card, "6011111111111117"),
    (checksums.card, "30569309025904"),
    (checksums.card, "3530111333300000"),
    (checksums.card, "6200000000000005"),
    (checksums.iban, "GB82WEST12345698765432"),
    (checksums.iban, "DE89370400440532013000"),
    (checksums.iban, "FR1420041010050500013M02606"),
    (checksums.iban, "NL91ABNA0417164300"),
    (checksums.iban, "NO9386011117947"),
    (checksums.iban, "MT84MALT011000012345MTLCAST001S"),
    (checksums.us_ssn, "536904399"),
    (checksums.uk_nhs, "9434765919"),
    (checksums.de_tax_id, "86095742719"),
    (checksums.de_tax_id, "47036892816"),
    (checksums.fr_nir, "255081416802538"),
    (checksums.es_dni, "12345678Z"),
    (checksums.es_dni, "X1234567L"),
    (checksums.it_codice_fiscale, "RSSMRA85T10A562S"),
    (checksums.nl_bsn, "123456782"),
    (checksums.nl_bsn, "111222333"),
    (checksums.br_cpf, "52998224725"),
    (checksums.br_cpf, "11144477735"),
    (checksums.verhoeff, "2363"),
    (checksums.in_aadhaar, "234123412346"),
    (checksums.ca_sin, "130692544"),
    (checksums.se_personnummer, "8112189876"),
    (checksums.se_personnummer, "198112189876"),
    (checksums.pl_pesel, "44051401359"),
    (checksums.pl_pesel, "02070803628"),
]
_CATCHES_ANY_DIGIT = [row for row in VALID if row[0] is not checksums.us_ssn]


@pytest.mark.parametrize(("check", "number"), VALID)
def test_published_numbers_pass(check: Check, number: str) -> None:
    """Each check says yes to examples from the number's own publisher."""
    assert check(number)


@pytest.mark.parametrize(("check", "number"), _CATCHES_ANY_DIGIT)
def test_a_wrong_last_digit_fails(check: Check, number: str) -> None:
    """The last digit (or the last but a letter) changed: no longer a number of that kind."""
    last = max(place for place, char in enumerate(number) if char.isdigit())
    wrong = number[:last] + str((int(number[last]) + 1) % 10) + number[last + 1 :]
    assert not check(wrong)


@pytest.mark.parametrize(
    ("check", "number"),
    [
        (checksums.luhn, ""),
        (checksums.card, "0000000000000000"),
        (checksums.card, "1234567890123452"),
        (checksums.card, "411111111111111"),
        (checksums.iban, "GB82WEST1234569876543"),
        (checksums.iban, "ZZ82WEST12345698765432"),
        (checksums.us_ssn, "000123456"),
        (checksums.us_ssn, "666123456"),
        (checksums.us_ssn, "912123456"),
        (checksums.us_ssn, "123006789"),
        (checksums.us_ssn, "123450000"),
        (checksums.us_ssn, "078051120"),
        (checksums.us_ssn, "12345"),
        (checksums.uk_nhs, "0000000000"),
        (checksums.de_tax_id, "01234567890"),
        (checksums.de_tax_id, "11134567899"),
        (checksums.fr_nir, "955081416802538"),
        (checksums.fr_nir, "25508141680253"),
        (checksums.fr_nir, "2A5081416802538"),
        (checksums.es_dni, "1234Z"),
        (checksums.es_dni, "A1234567L"),
        (checksums.it_codice_fiscale, "RSSMRA85T10A562"),
        (checksums.it_codice_fiscale, "RSSMRA85T10A56*S"),
        (checksums.nl_bsn, "000000000"),
        (checksums.br_cpf, "11111111111"),
        (checksums.verhoeff, ""),
        (checksums.in_aadhaar, "034123412346"),
        (checksums.ca_sin, "046454286"),
        (checksums.se_personnummer, "8113189876"),
        (checksums.se_personnummer, "81121898"),
        (checksums.pl_pesel, "44131401359"),
        (checksums.pl_pesel, "4405140135"),
        (checksums.base58check, "z" * 35),
        (checksums.base58check, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
        (checksums.bech32, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp"),
    ],
)
def test_what_cannot_be_fails(check: Check, number: str) -> None:
    """Wrong lengths, parts never issued, brochure numbers and all-equal digits are refused."""
    assert not check(number)


def test_corsican_departments() -> None:
    """2A and 2B stand for digits when a French number is checked."""
    body = "2550{}1680253"
    for department, digits in (("2A", "19"), ("2B", "18")):
        text = f"25508{department}168025"
        key = 97 - int(f"25508{digits}168025") % 97
        assert checksums.fr_nir(f"{text}{key:02}")
    assert not checksums.fr_nir(body.format("2C") + "00")


@given(st.text("0123456789", min_size=1, max_size=20))
def test_checks_never_raise_on_digits(digits: str) -> None:
    """Any run of digits is judged, of whatever length."""
    for check, _ in VALID:
        assert check(digits) in (True, False)


@given(st.integers(0, 10**11 - 1), st.integers(0, 10), st.integers(1, 9))
def test_verhoeff_catches_every_changed_digit(number: int, place: int, step: int) -> None:
    """One wrong digit never passes."""
    body = f"{number:011}"
    digits = next(body + last for last in "0123456789" if checksums.verhoeff(body + last))
    wrong = digits[:place] + str((int(digits[place]) + step) % 10) + digits[place + 1 :]
    assert not checksums.verhoeff(wrong)


def test_dates() -> None:
    """A leap day only in a leap year."""
    assert checksums.is_date(2024, 2, 29)
    assert not checksums.is_date(2023, 2, 29)
