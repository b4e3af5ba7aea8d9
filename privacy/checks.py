"""Local checks of what a pattern matched: checksums, randomness, placeholders. Nothing is ever sent anywhere."""

from __future__ import annotations

import binascii
import math
import re
import zlib
from base64 import urlsafe_b64decode
from collections import Counter
from itertools import pairwise

import orjson

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BECH32 = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_RUN = re.compile(rb"([^-])\1{4}")
_SAMPLE = re.compile(
    rb"example|sample|placeholder|dummy|changeme|redacted|your|12345678|abcdefg", re.IGNORECASE
)
_UUID = re.compile(rb"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?", re.IGNORECASE)
_SPELLED_SUBJECT = {"1234567890", "user", "test"}


def entropy(value: bytes) -> float:
    """Shannon entropy of the bytes, in bits per byte.

    >>> entropy(b"abab"), entropy(b"")
    (1.0, 0.0)
    """
    counts = Counter(value).values()
    return sum(count * math.log2(len(value) / count) for count in counts) / max(len(value), 1)


def spelled(value: bytes) -> bool:
    """Whether a value was written to be read: a run of one character, a sequence, or a word such as "example".

    >>> spelled(b"AKIAIOSFODNN7EXAMPLE"), spelled(b"xxxxxxxx"), spelled(b"q8Zr2Lw9")
    (True, True, False)
    """
    if _RUN.search(value) or _SAMPLE.search(value):
        return True
    steps = sum(after - before == 1 for before, after in pairwise(value))
    return 2 * steps >= len(value)


def genuine(value: bytes) -> bool:
    """The default check of a value whose format is already right: it is not a placeholder."""
    return not spelled(value) and entropy(value) >= 2.5


def random_looking(value: bytes) -> bool:
    """Whether 16 or more characters look drawn at random, not named by a person.

    Three tests: not `spelled`, at least 3 bits of entropy per character, and either frequent changes between lower
    case, upper case and digits or four numbers and more inside. An upper-case letter before a lower-case one is no
    change (camel case), nor is a separator, so names of any style change rarely: about a fifth of their places, against
    two fifths in base 16, 36 or 62. Loses about 2 in 100 drawn values of 32 characters.

    >>> random_looking(b"9f86d081884c7d65"), random_looking(b"getAccessTokenForUser2")
    (True, False)
    """
    if len(value) < 16 or spelled(value) or _UUID.fullmatch(value) or entropy(value) < 3.0:
        return False
    classes = bytes(_CLASS[byte] for byte in value if _CLASS[byte])
    changes = sum(a != b and (a, b) != (_UPPER, _LOWER) for a, b in pairwise(classes))
    numbers = sum(a == _DIGIT != b for a, b in pairwise(classes + b"\0"))
    share = 0.27 if numbers else 0.36
    return len(classes) >= 14 and (changes >= share * len(classes) or numbers >= max(4, len(classes) // 10))


_LOWER, _UPPER, _DIGIT = 1, 2, 3
_CLASS = bytes(
    _LOWER if 97 <= byte <= 122 else _UPPER if 65 <= byte <= 90 else _DIGIT if 48 <= byte <= 57 else 0
    for byte in range(256)
)


def base62_checksum(value: bytes) -> bool:
    """Whether the last six characters are the CRC-32 of those after the prefix's ``_``, in base 62.

    GitHub's and npm's tokens ("Behind GitHub's new authentication token formats", GitHub blog, 5 April 2021).

    >>> base62_checksum(b"ghp_" + b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + b"0mLq17")
    True
    """
    body = value.partition(b"_")[2]
    return base62(zlib.crc32(body[:-6])) == body[-6:]


def base62(number: int) -> bytes:
    """A number as six base-62 digits, zero-padded.

    >>> base62(63)
    b'000011'
    """
    digits = bytearray()
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return bytes(reversed(digits))


def hex_checksum(value: bytes) -> bool:
    """Whether the eight hex digits at the end are the CRC-32 of all before the last ``_`` (Grafana's tokens).

    >>> hex_checksum(b"glsa_x_" + b"00000000")
    False
    """
    body, _, digits = value.rpartition(b"_")
    return b"%08x" % zlib.crc32(body) == digits.lower()


def bech32_checksum(value: bytes) -> bool:
    """Whether a Bech32 string carries its checksum (BIP 173), as secret keys of the `age` tool do.

    >>> bech32_checksum(b"A12UEL5L"), bech32_checksum(b"A12UEL5M")
    (True, False)
    """
    prefix, _, data = value.lower().rpartition(b"1")
    words = [*(byte >> 5 for byte in prefix), 0, *(byte & 31 for byte in prefix)]
    return bech32_remainder([*words, *(_BECH32.find(byte) for byte in data)]) == 1


def bech32_remainder(words: list[int]) -> int:
    """The remainder of 5-bit words by BIP 173's generator.

    >>> bech32_remainder([])
    1
    """
    value = 1
    for word in words:
        top = value >> 25
        value = (value & 0x1FFFFFF) << 5 ^ word
        for bit, step in enumerate(_BECH32_STEPS):
            value ^= step if top >> bit & 1 else 0
    return value


def json_web_token(value: bytes) -> bool:
    """Whether the first two parts decode to JSON objects, the first naming an algorithm (RFC 7519), not the sample.

    >>> json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln")
    True
    """
    header, payload = (_json_part(part) for part in value.split(b".")[:2])
    return "alg" in header and bool(payload) and payload.get("sub") not in _SPELLED_SUBJECT


def _json_part(part: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def basic_credentials(value: bytes) -> bool:
    """Whether base64 decodes to printable ``user:password`` (RFC 7617), the password not a placeholder.

    >>> basic_credentials(b"YWRtaW46cTg3enJWMiE=")
    True
    """
    try:
        text = binascii.a2b_base64(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        return False
    user, colon, password = text.partition(b":")
    printable = all(32 < byte < 127 for byte in text)
    return bool(user and colon) and printable and len(password) >= 6 and not spelled(password)
