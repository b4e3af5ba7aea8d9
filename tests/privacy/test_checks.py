"""Checks of values: checksums against published examples, randomness, placeholders, addresses."""

from __future__ import annotations

import ipaddress
import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import addresses, assigned, checks
from privacy.plants import Draws, plant

HEX, BASE62 = "0123456789abcdef", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@given(st.binary(max_size=60))
def test_entropy_equals_its_definition(value):
    shares = [value.count(byte) / len(value) for byte in set(value)]
    assert checks.entropy(value) == pytest.approx(-sum(share * math.log2(share) for share in shares))


@given(st.integers(0, 2**32 - 1))
def test_base62_is_the_number(number):
    value = 0
    for letter in checks.base62(number).decode():
        value = value * 62 + BASE62.index(letter)
    assert value == number


@pytest.mark.parametrize("kind", ["github_token", "npm_token", "grafana_token", "age_secret_key"])
def test_one_changed_character_breaks_a_checksum(kind):
    found = plant(kind, Draws("checks"))
    value = found.text.encode()[found.start : found.end]
    check = {"grafana_token": checks.hex_checksum, "age_secret_key": checks.bech32_checksum}.get(
        kind, checks.base62_checksum
    )
    assert check(value)
    place = len(value) // 2
    other = b"Q" if value[place : place + 1] != b"Q" else b"Z"
    assert not check(value[:place] + other + value[place + 1 :])


@pytest.mark.parametrize("value", ["a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"])
def test_bech32_of_the_specification(value):
    """Valid strings of BIP 173's test vectors."""
    assert checks.bech32_checksum(value.encode())
    assert checks.bech32_checksum(value.upper().encode())
    assert not checks.bech32_checksum(value.replace("l", "q").encode())


def test_crc_of_a_grafana_token_covers_the_prefix():
    body = b"glsa" + b"_abc"
    assert checks.hex_checksum(body + b"_%08x" % zlib.crc32(body))
    assert not checks.hex_checksum(body + b"_%08x" % zlib.crc32(b"abc"))


@pytest.mark.parametrize("letters", [HEX, BASE62, BASE62 + "+/", BASE62[:10] + BASE62[36:]])
def test_drawn_values_look_random(letters):
    """The loss that the docstring admits, about 2 in 100; the bound leaves room for the draw."""
    draws = Draws("random")
    found = [checks.random_looking(draws.text(letters, 32).encode()) for _ in range(400)]
    assert sum(found) >= 0.96 * len(found)


@pytest.mark.parametrize(
    "value",
    [
        "getAccessTokenForCurrentUser", "my_long_identifier_name_2", "com.service.app.TokenService",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "2024-01-01T00:00:00.000Z",
        "X-Goog-Authenticated-User", "aaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz",
        "0123456789abcdef0123456789",
        "550e8400-e29b-41d4-a716-446655440000", "short1A", "application/x-www-form-urlencoded",
        "refreshTokenExpiresAt2",
        "TOKEN_ENDPOINT_AUTH_METHOD", "your9xK2mQ7vR4tZ8wP1", "------------------------",
    ],
)  # fmt: skip
def test_names_do_not_look_random(value):
    assert not checks.random_looking(value.encode())


@given(st.binary(max_size=80))
def test_no_check_ever_raises(value):
    for check in (
        checks.genuine, checks.random_looking, checks.base62_checksum, checks.hex_checksum, checks.bech32_checksum,
        checks.basic_credentials, checks.json_web_token, addresses.personal_email, addresses.public_ipv6,
        assigned.url_password,
    ):  # fmt: skip
        assert check(value + b".x") in {True, False}


@given(st.ip_addresses(v=4))
def test_private_ipv4_equals_the_standard_library(address):
    private = any(
        address in ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    )
    assert addresses.private_ipv4(str(address).encode()) == private


@given(st.ip_addresses(v=4))
def test_no_public_ipv4_is_reserved(address):
    """Not the reverse: the standard library's table differs between Python versions, ours does not."""
    if addresses.public_ipv4(str(address).encode(), b"host ", b"host "):
        assert not any((address.is_private, address.is_multicast, address.is_reserved, address.is_loopback))


@given(st.ip_addresses(v=6))
def test_no_public_ipv6_is_reserved(address):
    if addresses.public_ipv6(str(address).encode()):
        assert not any((address.is_private, address.is_multicast, address.is_link_local, address.is_loopback))


@pytest.mark.parametrize(
    ("before", "line", "found"),
    [
        (b"host ", b"host ", True),
        (b"v", b"v", False),
        (b"==", b"==", False),
        (b"Chrome/", b"Chrome/", False),
        (b"http://", b"http://", True),
        (b"log4j-", b"log4j-", False),
        (b'"', b'release "', False),
        (b"", b"", True),
    ],
)
def test_versions_are_told_by_what_is_around(before, line, found):
    assert addresses.public_ipv4(b"93.184.216.34", before, line) == found


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("ada@lovelace.org", True), ("ada@cs.uni-bonn.de", True), ("ada@users.noreply.github.com", False),
        ("git@github.com", False), ("noreply@service.io", False), ("john.doe@mail.com", False),
        ("ada@example.org", False),
        ("ada@example2.com", False), ("ada@my-example.com", False), ("ada@foo.com", False), ("icon@2x.png", False),
        ("checkout@main.py", False), ("x@y.method", False), ("svc@p.iam.gserviceaccount.com", False),
        ("ADA@GMAIL.COM", True),
    ],
)  # fmt: skip
def test_addresses_of_somebody(address, found):
    assert addresses.personal_email(address.encode()) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("q8!Zr2Lw", True), ("hunter2!", True), ("correct-horse", False), ("password1", False), ("${DB_PASS}1", False),
        ("%s:%s8!", False), ("{{ vault }}1", False), ("/etc/pass8!", False), ("12345678", False), ("!!!!!!!1", False),
        ("user.name2", False), ("a1!", False),
    ],
)  # fmt: skip
def test_passwords(value, found):
    assert assigned.assigned_password(value.encode(), quoted=True) == found


def test_a_failed_checksum_is_not_taken_up_by_the_name_it_is_assigned_to():
    value = ("ghp" + "_" + Draws("bad").text(BASE62, 36)).encode()
    assert not assigned.assigned_secret(value, quoted=True)
    assert assigned.assigned_secret(value[4:], quoted=True)


def test_the_page_names_every_kind():
    from pathlib import Path

    from privacy import KINDS

    page = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    rows = [
        f"| `{kind.name}` | {kind.group} | `{kind.placeholder}` | {kind.confidence} |"
        for kind in KINDS.values()
    ]
    assert [row for row in rows if row not in page] == []
