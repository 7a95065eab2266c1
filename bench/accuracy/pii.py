"""
How much personal data and how many secrets are found, what is found that is none, and how fast.

    python -m bench.accuracy.pii [--each 200] [--seed 1]

All data is made here, from a seed: values with valid check digits inside of sentences, and texts
full of numbers that are no one's. So recall tells whether shapes and checks are right, not how
people write; names and addresses, which have no shape, are not in it.
"""

from __future__ import annotations

import argparse
import base64
import random
import string
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from plano_asgi.guards import checksums
from plano_asgi.guards.holdback import Holdback
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.pii import PII
from plano_asgi.guards.secrets import Secrets

_HEX = "0123456789abcdef"
_LETTERS = string.ascii_letters + string.digits
Draw = random.Random


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=200, help="texts per kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    matchers = {"pii": _matcher(PII()), "secrets": _matcher(Secrets())}
    print(f"{'kind':<16} {'texts':>6} {'found':>7} {'exactly':>8}")
    for guard, kinds in (("pii", _PII), ("secrets", _SECRETS)):
        for kind, (make, templates) in kinds.items():
            _print_recall(matchers[guard], kind, make, templates, draw, options.each)
    print(f"\n{'hard negatives':<16} {'texts':>6} {'pii':>7} {'secrets':>8}")
    for name, make in _NEGATIVES.items():
        texts = [make(draw) for _ in range(options.each)]
        flagged = [sum(bool(m.find(text)) for text in texts) for m in matchers.values()]
        print(
            f"{name:<16} {len(texts):>6} {flagged[0] / len(texts):>7.1%} "
            f"{flagged[1] / len(texts):>8.1%}"
        )
    _print_speed(list(matchers.values()), draw)


def _matcher(guard: PII | Secrets) -> Matcher:
    nothing: Any = None  # neither guard looks at the exchange while it redacts
    return guard.matcher(nothing, "answer")


def _print_recall(
    matcher: Matcher,
    kind: str,
    make: Callable[[Draw], str],
    templates: tuple[str, ...],
    draw: Draw,
    each: int,
) -> None:
    found = exact = 0
    for _ in range(each):
        value, template = make(draw), draw.choice(templates)
        text, start = template.format(value), template.index("{}")
        spans = [(match.start, match.end) for match in matcher.find(text)]
        exact += (start, start + len(value)) in spans
        found += any(low < start + len(value) and start < high for low, high in spans)
    print(f"{kind:<16} {each:>6} {found / each:>7.1%} {exact / each:>8.1%}")


def _print_speed(matchers: list[Matcher], draw: Draw) -> None:
    words = ["time", "people", "really", "about", "guide", "the", "of", "and", "systems", "is"]
    prose = " ".join(draw.choice(words) for _ in range(170))
    mixed = f"{prose[:700]} On 3 May 2024 we had 1,234 orders; call 212-555-0100 or mail a@b.org."
    print("\nboth guards, CPU time            us")
    for name, text in (("200 tokens, prose", prose), ("200 tokens, mixed", mixed)):
        print(f"{name:<28} {_best(partial(_find, matchers, text)):>8.0f}")
    for name, text in (("a chunk of prose, streamed", prose), ("a chunk of mixed", mixed)):
        pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
        cost = _best(partial(_stream, matchers, pieces)) / len(pieces)
        print(f"{name:<28} {cost:>8.1f}")
    print(f"{'1 MB of mixed':<28} {_best(partial(_find, matchers, mixed * 1200), 1):>8.0f}")


def _find(matchers: list[Matcher], text: str) -> None:
    for matcher in matchers:
        matcher.find(text)


def _stream(matchers: list[Matcher], pieces: list[str]) -> None:
    first, second = (Holdback(matcher) for matcher in matchers)
    for piece in pieces:
        if out := first.feed(piece):
            second.feed(out)
    second.feed(first.flush())
    second.flush()


def _best(call: Callable[[], object], runs: int = 30) -> float:
    """Microseconds of CPU time of the quickest of *runs*."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times) * 1e6


# -- values ---------------------------------------------------------------------------------------


def _drawn(draw: Draw, size: int, alphabet: str = string.digits) -> str:
    return "".join(draw.choice(alphabet) for _ in range(size))


def _checked(shape: str, check: Callable[[str], bool]) -> Callable[[Draw], str]:
    """Numbers of a shape (``#`` a digit, ``@`` a capital, the rest as it is) that pass *check*."""

    def make(draw: Draw) -> str:
        while True:
            value = "".join(
                draw.choice(string.digits if char == "#" else string.ascii_uppercase)
                if char in "#@"
                else char
                for char in shape
            )
            if check("".join(char for char in value if char.isalnum())):
                return value

    return make


def _one_of(*makers: Callable[[Draw], str]) -> Callable[[Draw], str]:
    return lambda draw: draw.choice(makers)(draw)


def _email(draw: Draw) -> str:
    local = _drawn(draw, draw.randint(3, 12), string.ascii_lowercase)
    more, end = draw.choice(["", ".x", "+tag", "_7"]), draw.choice(["co", "com", "co.uk"])
    return f"{local}{more}@{_drawn(draw, 7, _HEX)}.{end}"


def _phone(draw: Draw) -> str:
    shapes = (
        "+49 30 #######",
        "+1 (212) 555-01##",
        "(212) 555-01##",
        "212-555-01##",
        "+33 6 ## ## ## ##",
        "020 7946 0###",
        "01 4# ## ## ##",
        "+91 98### #####",
        "0171 #######",
        "+81-3-####-####",
    )
    return "".join(
        draw.choice(string.digits) if char == "#" else char for char in draw.choice(shapes)
    )


def _iban(draw: Draw) -> str:
    body = _drawn(draw, 18)
    check = 98 - int(body + "131400") % 97
    text = f"DE{check:02}{body}"
    return text if draw.random() < 0.5 else " ".join(text[i : i + 4] for i in range(0, 22, 4))


def _ip(draw: Draw) -> str:
    if draw.random() < 0.5:
        return f"{draw.choice([8, 81, 93, 203])}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.7"
    return ":".join(["2001", "db8", *(f"{draw.randint(1, 65535):x}" for _ in range(6))])


def _date(draw: Draw) -> str:
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1940, 2010)
    forms = (f"{day:02}.{month:02}.{year}", f"{year}-{month:02}-{day:02}", f"{day} May {year}")
    return draw.choice((*forms, f"March {day}, {year}", f"{month}/{day}/{year}"))


_AFTER = ("it is {}.", "{}", "here: {} and more", "x {}, y")
_Table = dict[str, tuple[Callable[[Draw], str], tuple[str, ...]]]
_PII: _Table = {
    "email": (_email, _AFTER),
    "phone": (_phone, _AFTER),
    "phone, named": (
        _checked("55#######", lambda n: True),
        ("call me at {}", "Tel. {}.", "phone: {}"),
    ),
    "card": (
        _one_of(
            _checked("4### #### #### ####", checksums.card),
            _checked("53##############", checksums.card),
            _checked("37##-######-#####", checksums.card),
        ),
        _AFTER,
    ),
    "iban": (_iban, _AFTER),
    "ssn": (_checked("###-##-####", checksums.us_ssn), _AFTER),
    "uk nino": (_checked("AB ## ## ## C", lambda n: True), _AFTER),
    "uk nhs": (_checked("### ### ####", checksums.uk_nhs), ("NHS number {}", "my nhs no: {}.")),
    "de tax id": (_checked("## ### ### ###", checksums.de_tax_id), ("Steuer-ID: {}", "IdNr {}.")),
    "es dni": (_checked("########@", checksums.es_dni), _AFTER),
    "nl bsn": (_checked("#########", checksums.nl_bsn), ("BSN {}", "bsn: {}.")),
    "br cpf": (_checked("###.###.###-##", checksums.br_cpf), _AFTER),
    "in aadhaar": (
        _checked("#### #### ####", checksums.in_aadhaar),
        ("Aadhaar {}", "aadhaar no. {}"),
    ),
    "ca sin": (
        _checked("### ### ###", checksums.ca_sin),
        ("SIN {}", "social insurance number: {}"),
    ),
    "se personnummer": (_checked("8#####-####", checksums.se_personnummer), _AFTER),
    "pl pesel": (_checked("###########", checksums.pl_pesel), ("PESEL {}", "pesel: {}.")),
    "ip": (_ip, ("from {}", "{} failed", "host={};")),
    "date_of_birth": (_date, ("born on {}", "DOB: {}.", "geboren am {}", "né le {}")),
    "passport": (_checked("@########", lambda n: True), ("passport no. {}", "Reisepass {}")),
}


def _jwt(draw: Draw) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.eyJ{_drawn(draw, 60, _LETTERS)}.{_drawn(draw, 86, _LETTERS)}"


def _pem(draw: Draw) -> str:
    lines = "\n".join(_drawn(draw, 64, _LETTERS) for _ in range(12))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"


def _key(prefix: str, size: int, alphabet: str = _LETTERS) -> Callable[[Draw], str]:
    return lambda draw: prefix + _drawn(draw, size, alphabet)


_SECRETS: _Table = {
    "openai": (_key("sk-proj-", 156), _AFTER),
    "anthropic": (_key("sk-ant-api03-", 95), _AFTER),
    "google": (_key("AIza", 35), _AFTER),
    "aws": (_key("AKIA", 16, "ABCDEFGHIJKLMNOP234567"), _AFTER),
    "github": (_one_of(_key("ghp_", 36), _key("github_pat_", 82)), _AFTER),
    "slack": (_key("xoxb-", 50), _AFTER),
    "stripe": (_key("sk_live_", 24), _AFTER),
    "hugging face": (_key("hf_", 34), _AFTER),
    "jwt": (_jwt, _AFTER),
    "private key": (_pem, _AFTER),
    "named, random": (_key("", 40), ("api_key={}", 'token: "{}"', "Bearer {}", "my secret is {}")),
    "named, hex": (_key("", 32, _HEX), ("API_KEY: {}", "access_token={}")),
    "password": (_key("Pw", 9), ("password: {}", "pwd={}", "postgres://me:{}@host/db")),
}

# -- texts without --------------------------------------------------------------------------------


def _number(draw: Draw, low: int, high: int) -> str:
    return _drawn(draw, draw.randint(low, high))


_NEGATIVES: dict[str, Callable[[Draw], str]] = {
    "dates, times": lambda d: (
        f"{d.randint(1990, 2030)}-{d.randint(10, 12)}-{d.randint(10, 28)}"
        f"T{d.randint(10, 23)}:{d.randint(10, 59)}:00Z, 0{d.randint(1, 9)}/{d.randint(10, 28)}/2024"
    ),
    "prices": lambda d: (
        f"${d.randint(1, 999)},{_drawn(d, 3)},{_drawn(d, 3)}.99, {_drawn(d, 3)} 000 EUR"
    ),
    "versions": lambda d: (
        f"v{d.randint(0, 99)}.{d.randint(0, 99)}.{d.randint(0, 99)}, "
        f"version {d.randint(0, 99)}.{d.randint(0, 99)}.{d.randint(0, 99)}.{d.randint(0, 99)}"
    ),
    "order numbers": lambda d: f"order {_number(d, 5, 12)}, ticket #{_number(d, 4, 8)}",
    "timestamps": lambda d: f"at {_drawn(d, 9)}0 or 17{_drawn(d, 11)} ms",
    "uuids": lambda d: (
        f"id {uuid.UUID(int=d.getrandbits(128))}, token {uuid.UUID(int=d.getrandbits(128))}"
    ),
    "hashes": lambda d: f"commit {_drawn(d, 40, _HEX)} sha256:{_drawn(d, 64, _HEX)}",
    "isbn": lambda d: f"ISBN 978-3-16-{_drawn(d, 6)}-{_drawn(d, 1)}, 0-306-{_drawn(d, 5)}-2",
    "coordinates": lambda d: f"{d.uniform(-90, 90):.6f}, {d.uniform(-180, 180):.6f}",
    "base64 image": lambda d: f"data:image/png;base64,iVBORw0KGgo{_drawn(d, 300, _LETTERS + '+/')}",
    "code": lambda d: (
        f"api_key = os.environ['KEY_{_number(d, 1, 3)}']; x[{_number(d, 1, 4)}] = "
        f"std::pair<a::b>(0x{_drawn(d, 8, _HEX)}, {_number(d, 1, 9)});"
    ),
    "lists of numbers": lambda d: ", ".join(_number(d, 1, 6) for _ in range(20)),
    "addresses at home": lambda d: f"http://192.168.{d.randint(0, 255)}.{d.randint(0, 255)}:8080/",
    "talk of secrets": lambda d: (
        f"your password must have {d.randint(8, 20)} characters; the token "
        f"limit is {_drawn(d, 5)}; set API_KEY=<your key> or password=${{PW}}"
    ),
}


if __name__ == "__main__":
    main()
