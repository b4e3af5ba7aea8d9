"""Plants: made-up finds and look-alikes inside lines of code, the room's self-test.

Every value is put together at run time from pieces, so that no file of the repository looks as if it held a secret.
They are written from the formats' descriptions, not from the patterns of `privacy.kinds`; checksums are right.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from columns.hashing import unit_hash
from privacy import checks
from privacy.lookalikes import LOOKALIKES

_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_HEX, _BASE36, _BASE62 = _DIGITS + "abcdef", _DIGITS + _LOWER, _DIGITS + _UPPER + _LOWER
_BASE64, _URLSAFE, _BASE32 = _BASE62 + "+/", _BASE62 + "-_", _UPPER + "234567"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_NAMES = (
    "ada",
    "grace",
    "alan",
    "edsger",
    "barbara",
    "donald",
    "radia",
    "ken",
    "margaret",
    "dennis",
    "frances",
)
_FAMILIES = ("lovelace", "hopper", "turing", "dijkstra", "liskov", "knuth", "perlman", "thompson", "ritchie")
_DOMAINS = ("gmail.com", "proton.me", "cs.uni-bonn.de", "inria.fr", "mit.edu", "kernel.org", "yandex.ru")
_BEFORE = (
    "import os\n\n\ndef main(argv):\n    ",
    "",
    "package main\n\nfunc init() {\n\t",
    "// Überprüfung der Eingabe\n",
    "<?php\n$config = [];\n",
)
_AFTER = ("\n    return 0\n", "", "\n}\n", "\n\nif __name__ == '__main__':\n    main()\n", "  # naïve\n")


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.strip("\n").split("\n"))


_LINES = _lines("""
client = Client("{}")
const key = '{}';
  api: {}
export SERVICE={}
headers = {{"X-Api-Key": "{}"}}
// was {} before
curl -u {} https://api.service.io/v1
conn.login(`{}`)
val x: String = "{}"
key={}&v=2
""")
_KEY_LINES = _lines("""
api_key = "{}"
  'client_secret': '{}',
const authToken = '{}';
private static final String ACCESS_KEY = "{}";
os.environ.get("SECRET_KEY", "{}")
export GITEA_TOKEN={}
"apiKey": "{}",
secretToken := `{}`
let credential: &str = "{}";
""")
_PASSWORD_LINES = _lines("""
password = "{}"
  'db_password' => '{}',
String pwd = "{}";
connect(user="ops", passwd="{}")
passphrase: '{}'
"adminPassword": "{}",
PASSWORD := `{}`
""")
_MAIL_LINES = _lines("""
# Author: Jo <{}>
__email__ = '{}'
 * @author {}
"email": "{}"
mailto:{}
Signed-off-by: J. <{}>
""")
_IP_LINES = _lines("""
host = "{}"
ssh root@{}
http://{}:8080/status
server_addr: {}
ping -c 1 {}
remote_ip={}
""")


class Plant(NamedTuple):
    """One text with one find in it: ``text[start:end]`` in bytes of UTF-8 is a made-up instance of ``kind``."""

    kind: str
    text: str
    start: int
    end: int


class Draws:
    """Letters and choices drawn from a salt, the same everywhere."""

    def __init__(self, salt: str) -> None:
        self._salt, self._block, self._left = salt, 0, np.zeros(0, np.uint64)

    def number(self, limit: int) -> int:
        """A number from 0 to below the limit."""
        if not len(self._left):
            self._block += 1
            self._left = unit_hash(f"{self._salt}/{self._block}", [bytes([i]) for i in range(256)])
        value, self._left = self._left[0], self._left[1:]
        return int(value) % limit

    def text(self, letters: str, length: int) -> str:
        """A string of letters."""
        return "".join(letters[self.number(len(letters))] for _ in range(length))

    def one(self, choices: tuple[str, ...]) -> str:
        """One of the choices."""
        return choices[self.number(len(choices))]


def planted(seed: int, per_kind: int) -> list[Plant]:
    """``per_kind`` plants of every kind, in lines of code with other code and non-ASCII text around.

    >>> plants = planted(0, 1)
    >>> len({plant.kind for plant in plants}) == len(plants)
    True
    """
    return [
        plant(kind, Draws(f"plants/{seed}/{kind}/{number}")) for kind in _MAKERS for number in range(per_kind)
    ]


def plant(kind: str, draws: Draws) -> Plant:
    """One plant of a kind.

    >>> found = plant("email", Draws("x"))
    >>> "@" in found.text.encode()[found.start : found.end].decode()
    True
    """
    lines, make = _MAKERS[kind]
    value = make(draws)
    before, behind = draws.one(lines).split("{}")
    head = draws.one(_BEFORE) + before.replace("{{", "{")
    text = head + value + behind.replace("}}", "}") + draws.one(_AFTER)
    start = len(head.encode())
    return Plant(kind, text, start, start + len(value.encode()))


def lookalikes(seed: int, per_form: int) -> list[str]:
    """Texts that hold nothing to find but look like it: hashes, UUIDs, lock files, versions, examples, placeholders.

    >>> len(lookalikes(0, 2)) == 2 * len(LOOKALIKES)
    True
    """
    texts = []
    for form, line in enumerate(LOOKALIKES):
        for number in range(per_form):
            draws = Draws(f"lookalikes/{seed}/{form}/{number}")
            texts.append(draws.one(_BEFORE) + _filled(line, draws) + draws.one(_AFTER))
    return texts


def _filled(line: str, draws: Draws) -> str:
    """A look-alike's line with ``<letters:length>`` drawn."""
    pieces = line.split("\0")
    for at in range(1, len(pieces), 2):
        letters, length = pieces[at].split(":")
        pieces[at] = draws.text(_LETTERS[letters], int(length))
    return "".join(pieces)


_LETTERS = {
    "hex": _HEX,
    "digit": _DIGITS,
    "word": _BASE62,
    "base64": _BASE64,
    "lower": _LOWER,
    "upper": _UPPER,
}


def _prefixed(prefix: str, letters: str, length: int, draws: Draws) -> str:
    return prefix + draws.text(letters, length)


def _checked(prefix: str, draws: Draws) -> str:
    body = draws.text(_BASE62, 30)
    return prefix + body + checks.base62(zlib.crc32(body.encode())).decode()


def _grafana(draws: Draws) -> str:
    body = "glsa" + "_" + draws.text(_BASE62, 32)
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def _age(draws: Draws) -> str:
    prefix, words = "age-secret-key-", [draws.number(32) for _ in range(52)]
    head = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]
    rest = checks.bech32_remainder([*head, *words, *[0] * 6]) ^ 1
    words += [rest >> 5 * (5 - place) & 31 for place in range(6)]
    return (prefix + "1" + "".join(_BECH32[word] for word in words)).upper()


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _web_token(draws: Draws) -> str:
    header = _encoded('{"alg":"HS256","typ":"JWT"}')
    payload = _encoded(f'{{"sub":"{draws.text(_BASE36, 12)}","iat":17{draws.text(_DIGITS, 8)}}}')
    return f"{header}.{payload}.{draws.text(_URLSAFE, 43)}"


def _pem(draws: Draws) -> str:
    name = draws.one(("RSA ", "EC ", "", "OPENSSH ", "DSA ", "ENCRYPTED "))
    end = draws.one(("\n", "\\n", "\n    "))
    body = end.join(draws.text(_BASE64, 64) for _ in range(2 + draws.number(20)))
    dashes = "-" * 5
    return f"{dashes}BEGIN {name}PRIVATE KEY{dashes}{end}{body}{end}{dashes}END {name}PRIVATE KEY{dashes}"


def _random_key(draws: Draws) -> str:
    return draws.text(
        *[(_HEX, 32), (_BASE62, 32), (_HEX, 40), (_BASE36, 24), (_URLSAFE, 43), (_HEX, 64)][draws.number(6)]
    )


def _password(draws: Draws) -> str:
    return (
        draws.text(_LOWER, 3) + draws.text(_DIGITS, 2) + draws.text("!#%&*+=?^~", 1) + draws.text(_BASE62, 5)
    )


def _email(draws: Draws) -> str:
    return f"{draws.one(_NAMES)}.{draws.one(_FAMILIES)}{draws.number(90)}@{draws.one(_DOMAINS)}"


def _ipv4(draws: Draws) -> str:
    first = (23, 52, 81, 93, 104, 134, 151, 185, 212)[draws.number(9)]
    return f"{first}.{41 + draws.number(200)}.{41 + draws.number(200)}.{1 + draws.number(250)}"


def _ipv6(draws: Draws) -> str:
    groups = [f"{int(draws.text(_HEX, 4), 16):x}" for _ in range(6)]
    written = (
        f"2a01:4f8:{':'.join(groups)}",
        f"2a02:{groups[0]}::{groups[1]}",
        f"2607:{groups[0]}:{groups[1]}::1f",
    )
    return written[draws.number(3)]


def _discord(draws: Draws) -> str:
    user = _encoded("9" + draws.text(_DIGITS, 17))
    return "M" + user[1:] + "." + draws.text(_URLSAFE, 6) + "." + draws.text(_BASE62, 27)


def _slack(draws: Draws) -> str:
    numbers = f"{draws.text('123456789', 11)}-{draws.text('123456789', 12)}"
    return draws.one(("xoxb", "xoxp")) + f"-{numbers}-{draws.text(_BASE62, 24)}"


def _slack_webhook(draws: Draws) -> str:
    letters = _DIGITS + _UPPER
    return f"hooks.slack.com/services/T{draws.text(letters, 8)}/B{draws.text(letters, 10)}/{draws.text(_BASE62, 24)}"


def _discord_webhook(draws: Draws) -> str:
    return f"api/webhooks/9{draws.text(_DIGITS, 17)}/{draws.text(_BASE62, 68)}"


def _basic(draws: Draws) -> str:
    return base64.b64encode(f"{draws.one(_NAMES)}:{_password(draws)}".encode()).decode()


def _either(prefixes: str, letters: str, length: int, draws: Draws) -> str:
    return draws.one(tuple(prefixes.split())) + draws.text(letters, length)


Maker = Callable[[Draws], str]


def _provider_makers() -> Iterator[tuple[str, Maker]]:
    """Tokens of providers; the prefixes end where the drawn part begins."""
    for kind, prefixes, letters, length in (
        ("aws_access_key_id", "AKIA ASIA", _BASE32, 16),
        ("gitlab_token", "glpat- gldt- glrt-", _BASE62, 20),
        ("stripe_key", "sk_live_ rk_live_ sk_test_", _BASE62, 24),
        ("google_api_key", "AIzaSy", _URLSAFE[:-1], 33),
        ("google_oauth_secret", "GOCSPX-", _BASE62, 28),
        ("huggingface_token", "hf_", _LOWER + _UPPER, 34),
        ("pypi_token", "pypi-AgEIcHlwaS5vcmcC", _BASE62, 150),
        ("rubygems_key", "rubygems_", _HEX, 48),
        ("twilio_key", "SK", _HEX, 32),
        ("mailgun_key", "key-", _HEX, 32),
        ("digitalocean_token", "dop_v1_ doo_v1_", _HEX, 64),
        ("shopify_token", "shpat_ shpss_", _HEX, 32),
        ("square_token", "sq0atp- sq0csp-", _BASE62, 22),
        ("databricks_token", "dapi", _HEX, 32),
        ("linear_key", "lin_api_", _BASE62, 40),
        ("newrelic_key", "NRAK-", _DIGITS + _UPPER, 27),
        ("docker_token", "dckr_pat_", _BASE62, 27),
        ("vault_token", "hvs.", _BASE62, 95),
        ("pulumi_token", "pul-", _HEX, 40),
    ):
        yield kind, partial(_either, prefixes, letters, length)
    yield "github_token", lambda d: _checked(d.one(("ghp_", "gho_", "ghu_", "ghs_")), d)
    yield "npm_token", lambda d: _checked("npm_", d)
    yield "github_fine_grained_token", lambda d: f"github_pat_{d.text(_BASE62, 22)}_{d.text(_BASE62, 59)}"
    yield "slack_token", _slack
    yield "openai_key", lambda d: f"sk-proj-{d.text(_BASE62, 74)}T3Blbk" + "FJ" + d.text(_BASE62, 74)
    yield "anthropic_key", lambda d: f"sk-ant-api03-{d.text(_BASE62, 93)}AA"
    yield "sendgrid_key", lambda d: f"SG.{d.text(_BASE62, 22)}.{d.text(_BASE62, 43)}"
    yield "discord_token", _discord
    yield "telegram_token", lambda d: f"6{d.text(_DIGITS, 9)}:AA{d.text(_BASE62, 33)}"
    yield "mailchimp_key", lambda d: f"{d.text(_HEX, 32)}-us{1 + d.number(20)}"
    yield "azure_client_secret", lambda d: f"{d.text(_BASE62, 3)}8Q~{d.text(_BASE62, 34)}"
    yield "azure_storage_key", lambda d: "Account" + f"Key={d.text(_BASE64, 86)}=="
    yield "age_secret_key", _age
    yield "json_web_token", _web_token
    yield "grafana_token", _grafana
    yield "postman_key", lambda d: f"PMAK-{d.text(_HEX, 24)}-{d.text(_HEX, 34)}"


_MAKERS: dict[str, tuple[tuple[str, ...], Maker]] = {
    **{kind: (_LINES, make) for kind, make in _provider_makers()},
    "slack_webhook": (('url = "https://{}"', "curl -d @- https://{}", "webhook: https://{}"), _slack_webhook),
    "discord_webhook": (
        ('url = "https://discord.com/{}"', "hook: https://discordapp.com/{}"),
        _discord_webhook,
    ),
    "private_key": (('KEY = """{}"""', "{}", '"private": "{}",'), _pem),
    "aws_secret_access_key": (
        ('aws_secret_access_key = "{}"', "AWS_SECRET_ACCESS_KEY={}", 'secretKey: "{}"'),
        lambda d: d.text(_BASE64, 40),
    ),
    "url_password": (
        (
            "postgres://app:{}@db.service.io/app",
            'u = "https://ci:{}@git.service.io/x"',
            "REDIS=redis://:{}@10.0.0.5:6379",
        ),
        lambda d: d.text(_BASE62, 14),
    ),
    "bearer_token": (
        ('"Authorization: Bearer {}"', "h['Authorization'] = 'bearer {}'"),
        lambda d: d.text(_BASE62, 40),
    ),
    "basic_credentials": (('"Authorization: Basic {}"', "h['Authorization'] = 'Basic {}'"), _basic),
    "password": (_PASSWORD_LINES, _password),
    "assigned_secret": (_KEY_LINES, _random_key),
    "email": (_MAIL_LINES, _email),
    "ip_address": (_IP_LINES, _ipv4),
    "ipv6_address": (('host = "{}"', "ping6 {}", "http://[{}]:80/"), _ipv6),
}
