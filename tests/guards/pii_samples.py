"""Texts with personal data and secrets in them, and texts that only look so. All are made up."""

from __future__ import annotations

import base64
import random
import string

POSITIVES: tuple[tuple[str, str, str], ...] = (
    # kind, text, the value in it
    ("email", "mail john.doe+x@example.co.uk now", "john.doe+x@example.co.uk"),
    ("email", "<jane@müller.de>", "jane@müller.de"),
    ("email", "我的邮箱是zhang@example.cn", "zhang@example.cn"),
    ("email", "mailto:a_b@sub.example.org.", "a_b@sub.example.org"),
    ("phone", "call +49 (0)30 1234567 today", "+49 (0)30 1234567"),
    ("phone", "+12125550100", "+12125550100"),
    ("phone", "+1 (212) 555-0100 3 times", "+1 (212) 555-0100"),
    ("phone", "call me at 5551234567.", "5551234567"),
    ("phone", "(212) 555-0100", "(212) 555-0100"),
    ("phone", "or 212-555-0100, please", "212-555-0100"),
    ("phone", "01 23 45 67 89", "01 23 45 67 89"),
    ("phone", "ring 020 7946 0958 after 6", "020 7946 0958"),
    ("phone", "Tel: 030/1234567", "030/1234567"),
    ("phone", "0049 30 1234567", "0049 30 1234567"),
    ("phone", "电话13812345678", "13812345678"),
    ("phone", "Telefonnummer: 0171 1234567", "0171 1234567"),
    ("card", "card 4111 1111 1111 1111 123", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111 12/27", "4111-1111-1111-1111"),
    ("card", "5555555555554444.", "5555555555554444"),
    ("card", "3782 822463 10005", "3782 822463 10005"),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00 BIC XYZ", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432", "GB82WEST12345698765432"),
    ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
    ("ssn", "ssn 536-90-4399", "536-90-4399"),
    ("ssn", "my social security number is 536904399", "536904399"),
    ("national_id", "NINO AB 12 34 56 C", "AB 12 34 56 C"),
    ("national_id", "NHS number: 943 476 5919", "943 476 5919"),
    ("national_id", "Steuer-ID 86 095 742 719", "86 095 742 719"),
    ("national_id", "2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("national_id", "DNI 12345678Z", "12345678Z"),
    ("national_id", "NIE X1234567L", "X1234567L"),
    ("national_id", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("national_id", "BSN 123456782 2024", "123456782"),
    ("national_id", "529.982.247-25", "529.982.247-25"),
    ("national_id", "cpf 52998224725", "52998224725"),
    ("national_id", "aadhaar no 2341 2341 2346", "2341 2341 2346"),
    ("national_id", "PAN ABCPX1234K", "ABCPX1234K"),
    ("national_id", "SIN: 130 692 544", "130 692 544"),
    ("national_id", "811218-9876", "811218-9876"),
    ("national_id", "pesel 44051401359", "44051401359"),
    ("ip", "from 8.8.8.8:53", "8.8.8.8"),
    ("ip", "2001:db8::8a2e:370:7334 said", "2001:db8::8a2e:370:7334"),
    ("mac", "00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
    ("date_of_birth", "born on 3 May 1990", "3 May 1990"),
    ("date_of_birth", "Born in Paris, May 3, 1990.", "May 3, 1990"),
    ("date_of_birth", "DOB: 1990-05-03", "1990-05-03"),
    ("date_of_birth", "geboren am 03.05.1990", "03.05.1990"),
    ("date_of_birth", "née le 3 mai 1990", "3 mai 1990"),
    ("date_of_birth", "fecha de nacimiento: 3 de mayo de 1990", "3 de mayo de 1990"),
    ("passport", "Passport No: C01X00T47", "C01X00T47"),
    ("passport", "passport number 123456789", "123456789"),
    ("driver_licence", "driver's license: D1234567", "D1234567"),
    ("driver_licence", "driving licence MORGA657054SM9IJ", "MORGA657054SM9IJ"),
)

NEGATIVES: tuple[str, ...] = (
    "version 1.2.3.4",
    "v1.2.3 and python 3.11.7",
    "999.999.999.999 and 1:2:3:4:5:6:7:8:9",
    "2024-01-02 12:30:45",
    "01/02/2024 12:30",
    "01-02-2024",
    "$1,234,567.89",
    "1 000 000 000 people",
    "order 123456789",
    "order 4111 1111 1111 1112",
    "ISBN 978-3-16-148410-0",
    "ISBN 0-306-40615-2",
    "9780306406157",
    "http://192.168.1.1/ and 127.0.0.1",
    "0.0.0.0:8080 and ::1",
    "user 1234567890",
    "550e8400-e29b-41d4-a716-446655440000",
    "std::vector<int> a::b and abc::def::fed",
    "icon@2x.png",
    "npm i react@18.2.0 left-pad@1.3.0-beta.rc",
    "git@github.com:org/repo.git",
    "@app.route and @dataclass",
    "2.5e10 3.14159265358979",
    "timestamp 1700000000 and 1700000000000",
    "d41d8cd98f00b204e9800998ecf8427e",
    "10:20:30",
    "lat 48.858370 2.294481",
    "born in 1990",
    "room 101, floor 12",
    "(1990) 2020-2021",
    "call 12 times",
    "since 123456782 and tell 123456782",
    "the passport office opens at 9",
    "12 34 56 78 90",
    "a 16-bit number: 65535, 4294967296",
    "HTTP 404, RFC 9110, ISO 8601",
    "aaa@bbb",
    "x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
    "123456789012345678901234567890",
    "Build 20240102.3 took 00:12:34.567",
    "Model GPT-4-0613, 128000 tokens",
)

_DRAW = random.Random(7)
_LETTERS = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"


def drawn(size: int, alphabet: str = _LETTERS) -> str:
    """A random text, the same in every run."""
    return "".join(_DRAW.choice(alphabet) for _ in range(size))


def jwt(header: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """A token that nobody signed."""
    parts = (header, '{"sub":"1234567890"}')
    encoded = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, drawn(43)])


PEM = "\n".join(
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        *(drawn(64) for _ in range(8)),
        drawn(30),
        "-----END RSA PRIVATE KEY-----",
    ]
)
_NAMED = drawn(40)
_HEXED = "9f86d081884c7d659a2feaa0c55ad015"
SECRETS: tuple[tuple[str, str, str], ...] = (
    *(
        ("api_key", f"the key {key}, please", key)
        for key in (
            "sk-proj-" + drawn(150),
            "sk-svcacct-" + drawn(60),
            "sk-" + drawn(48),
            "sk-ant-api03-" + drawn(95),
            "sk-or-v1-" + drawn(64, _HEX),
            "AIza" + drawn(35),
            "AKIA" + "Q3EGRIYZ4" + drawn(7, "ABCDEFG234567"),
            "ghp_" + drawn(36),
            "github_pat_" + drawn(82),
            "glpat-" + drawn(20),
            "xoxb-123456789012-123456789012-" + drawn(24),
            "sk_live_" + drawn(24),
            "hf_" + drawn(34),
            "npm_" + drawn(36),
            "pypi-AgE" + drawn(120),
            "SK" + drawn(32, _HEX),
            "SG." + drawn(22) + "." + drawn(43),
            "gsk_" + drawn(52),
            "xai-" + drawn(80),
            "r8_" + drawn(37),
            "dop_v1_" + drawn(64, _HEX),
            "dapi" + drawn(32, _HEX),
            "12345678:AA" + drawn(33),
            "M" + drawn(25) + "." + drawn(6) + "." + drawn(30),
        )
    ),
    (
        "api_key",
        "curl https://hooks.slack.com/services/T12345678/B12345678/abcDEF123456789012345678",
        "hooks.slack.com/services/T12345678/B12345678/abcDEF123456789012345678",
    ),
    ("jwt", f"cookie {(_JWT := jwt())}", _JWT),
    ("private_key", f"here:\n{PEM}\nand so on", PEM),
    ("private_key", f"{PEM[:200]}", PEM[:200]),
    ("password", "postgres://u:s3cr3tPw@db.example.com/x", "s3cr3tPw"),
    ("password", "redis://:hunter22@host:6379", "hunter22"),
    ("password", "password=Hunter2!x", "Hunter2!x"),
    ("password", "my password is hunter22", "hunter22"),
    ("password", "DB_PASSWORD: 'S3cret!!'", "S3cret!!"),
    ("password", '{\\"password\\": \\"S3cret!!\\"}', "S3cret!!"),
    ("secret", f"api_key: {_HEXED}", _HEXED),
    ("secret", f'"client_secret": "{_NAMED}"', _NAMED),
    ("secret", f"aws_secret_access_key = {_NAMED}", _NAMED),
    ("secret", f"Authorization: Bearer {_NAMED}", _NAMED),
    ("secret", f"AccountKey={_NAMED}==;EndpointSuffix=x", f"{_NAMED}=="),
)

NO_SECRETS: tuple[str, ...] = (
    "password is required",
    "password: string",
    "the password must be at least 12 characters",
    "password_field = form.password",
    "password=********",
    "password: <your password>",
    "max_tokens=4096",
    "token: 550e8400-e29b-41d4-a716-446655440000",
    "commit d41d8cd98f00b204e9800998ecf8427e12345678",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "api_key=os.environ['OPENAI_API_KEY']",
    'api_key = "YOUR_API_KEY"',
    "api_key=${API_KEY}",
    "token = %TOKEN%",
    "sk-fading-circle-delay-animation-123",
    "postgres://user:password@localhost/db",
    "postgres://user:${PW}@host",
    "tokenizer = bert-base-uncased-v2",
    "the secret to success is hard work",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "https://example.com:8080/path@x",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "eyJwYWdlIjoxfQ.eyJwYWdlIjoxfQ.abcdefghijkl",
    "authentication: see docs/guides/authentication-and-authorization.md",
)
