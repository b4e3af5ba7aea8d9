"""Addresses: which e-mail and IP addresses in code are somebody's, and which are examples, versions or machinery."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

# Every two-letter top-level domain of IANA's root zone is a country's; these few are file endings far more often.
_FILE_ENDINGS = frozenset(
    (b"py", b"rs", b"sh", b"md", b"so", b"pl", b"cc", b"js", b"ts", b"db", b"gz", b"cs", b"vb", b"go", b"kt")
)
_LONG_DOMAINS = frozenset(
    b"com org net edu gov mil int info biz name pro aero coop museum mobi asia tel jobs cat travel xyz online "
    b"site tech app dev cloud email company group team world live life today blog shop store space website agency "
    b"digital studio design software systems solutions services network technology global media news wiki school "
    b"consulting engineering expert guru codes science foundation university ninja rocks zone club page "
    b"link click fyi works tools london berlin paris tokyo amsterdam moscow swiss google ventures capital".split()
)
_EXAMPLE_DOMAINS = re.compile(
    rb"example\d*\.|(?:^|\.)(?:test|invalid|localhost|local|sample|yourdomain|your-?company|mydomain|mysite|yoursite|"
    rb"domain|name|company|email|foo|bar|baz|acme|somewhere|nowhere|fake|xxx|xyz|abc|aaa|bbb|a|b|c|x|y|z)\.[a-z]{2,10}(?:\.[a-z]{2})?$"
    rb"|(?:^|\.)(?:example|test|invalid|localhost|local)$|^users\.noreply\.|^noreply\.|gserviceaccount\.com$"
)
_EXAMPLE_USERS = re.compile(
    rb"(?:no-?reply|do-?not-?reply|git|hg|svn|user(?:name)?|you|your[._-]?(?:e?mail|name)|e?mail|name|example|"
    rb"foo|bar|someone|somebody|test(?:er|ing|user)?|john\.?doe|jane\.?doe|me|a|b|x|nobody|mailer-daemon)\d*"
)
_ADDRESS_WORD = re.compile(
    rb"(?<![a-z])ip(?![b-eg-rt-z])|[a-z]IP\b|(?i:addr|host|server|dns|ping|gateway|proxy|connect|bind|listen|remote|endpoint|"
    rb"socket|url|http|network|cidr)"
)
_VERSION_WORD = re.compile(
    rb"version|release|\brev|\bver\b|build|upgrade|migrat|changelog|section|chapter|clause|\boid\b|since|assembly|\xc2\xa7",
    re.IGNORECASE,
)
_VERSION_BEFORE = re.compile(rb"(?:[A-Za-z_]/|[vV]\.?|[=~<>^!]=\s?|[~^]|[A-Za-z]-|[Vv]ersion\W{0,4})$")
_PUBLIC_RESOLVERS = frozenset(
    (
        b"8.8.8.8",
        b"8.8.4.4",
        b"1.1.1.1",
        b"1.0.0.1",
        b"9.9.9.9",
        b"208.67.222.222",
        b"208.67.220.220",
        b"4.2.2.2",
        b"4.2.2.1",
    )
)
# IANA IPv4 Special-Purpose Address Registry and multicast, as (first address, prefix length).
_RESERVED_V4 = (
    ((0, 0, 0, 0), 8),
    ((10, 0, 0, 0), 8),
    ((100, 64, 0, 0), 10),
    ((127, 0, 0, 0), 8),
    ((169, 254, 0, 0), 16),
    ((172, 16, 0, 0), 12),
    ((192, 0, 0, 0), 24),
    ((192, 0, 2, 0), 24),
    ((192, 31, 196, 0), 24),
    ((192, 52, 193, 0), 24),
    ((192, 88, 99, 0), 24),
    ((192, 168, 0, 0), 16),
    ((192, 175, 48, 0), 24),
    ((198, 18, 0, 0), 15),
    ((198, 51, 100, 0), 24),
    ((203, 0, 113, 0), 24),
    ((224, 0, 0, 0), 3),
)
_PRIVATE_V4 = (((10, 0, 0, 0), 8), ((172, 16, 0, 0), 12), ((192, 168, 0, 0), 16))
# Global unicast (RFC 4291) less protocol assignments (2001::/23, RFC 2928) and documentation (RFC 3849, RFC 9637).
_GLOBAL_V6 = (0x2000 << 112, 3)
_RESERVED_V6 = ((0x20010000 << 96, 23), (0x20010DB8 << 96, 32), (0x3FFF << 112, 20))


def personal_email(address: bytes) -> bool:
    """Whether an address is in a real top-level domain and not an example, a no-reply or a service account.

    >>> personal_email(b"ada@lovelace.org"), personal_email(b"you@example.com"), personal_email(b"icon@2x.png")
    (True, False, False)
    """
    user, _, domain = address.lower().rpartition(b"@")
    top = domain.rpartition(b".")[2]
    known = top in _LONG_DOMAINS or (len(top) == 2 and top not in _FILE_ENDINGS)
    return known and not _EXAMPLE_DOMAINS.search(domain) and not _EXAMPLE_USERS.fullmatch(user)


def public_ipv4(address: bytes, before: bytes, line: bytes) -> bool:
    """Whether a dotted quad is a routable host's address; ``before`` is the text before it, ``line`` what is around.

    Not counted: reserved ranges, one number four times, well-known public resolvers (BigCode's redaction leaves them
    too), networks (``.0`` at the end), and version numbers: behind ``v``, ``==``, ``name/`` or ``name-``, on a line
    that speaks of versions, or with small parts (object identifiers too) on a line that does not speak of addresses.

    >>> public_ipv4(b"93.184.216.34", b"host = ", b"host = "), public_ipv4(b"1.2.3.4", b"version ", b"version ")
    (True, False)
    """
    parts = ipv4_parts(address)
    if (
        parts is None
        or address in _PUBLIC_RESOLVERS
        or parts[3] == 0
        or len({*parts}) == 1
        or inside_v4(parts, _RESERVED_V4)
    ):
        return False
    if _VERSION_BEFORE.search(before) or _VERSION_WORD.search(line):
        return False
    small = sum(part < 40 for part in parts) >= 3 or max(parts) < 64 or parts[:2] in _OBJECT_ROOTS
    return not small or (_ADDRESS_WORD.search(line) is not None and parts not in _SPELLED_V4)


_OBJECT_ROOTS = {(1, 2), (1, 3), (2, 5)}
_SPELLED_V4 = {(1, 2, 3, 4), (4, 3, 2, 1), (5, 6, 7, 8), (2, 3, 4, 5)}


def private_ipv4(address: bytes) -> bool:
    """Whether a dotted quad lies in a private network (RFC 1918).

    >>> private_ipv4(b"192.168.1.7"), private_ipv4(b"93.184.216.34")
    (True, False)
    """
    parts = ipv4_parts(address)
    return parts is not None and inside_v4(parts, _PRIVATE_V4)


def ipv4_parts(address: bytes) -> tuple[int, ...] | None:
    """The four numbers, or nothing when one is over 255 or written with a leading zero.

    >>> ipv4_parts(b"1.2.3.4"), ipv4_parts(b"1.2.3.400"), ipv4_parts(b"1.02.3.4")
    ((1, 2, 3, 4), None, None)
    """
    texts = address.split(b".")
    if len(texts) != 4 or any(len(text) > 1 and text[:1] == b"0" for text in texts):
        return None
    parts = tuple(map(int, texts))
    return parts if max(parts) < 256 else None


def inside_v4(parts: tuple[int, ...], ranges: tuple[tuple[tuple[int, ...], int], ...]) -> bool:
    """Whether an address lies in one of the ranges.

    >>> inside_v4((10, 1, 1, 1), (((10, 0, 0, 0), 8),))
    True
    """
    number = int.from_bytes(bytes(parts), "big")
    return any(_same(number, int.from_bytes(bytes(base), "big"), 32 - bits) for base, bits in ranges)


def public_ipv6(address: bytes) -> bool:
    """Whether text is an IPv6 address in global unicast space, outside documentation and protocol ranges.

    >>> public_ipv6(b"2606:2800:220:1:248:1893:25c8:1946"), public_ipv6(b"fe80::1"), public_ipv6(b"2001:db8::1")
    (True, False, False)
    """
    try:
        number = int(IPv6Address(address.decode("ascii")))
    except (AddressValueError, UnicodeDecodeError):
        return False
    known = number & ((1 << 64) - 1) in {0, 0x8888, 0x8844, 0x1111, 0x1001}
    inside = _same(number, _GLOBAL_V6[0], 128 - _GLOBAL_V6[1])
    return inside and not known and not any(_same(number, base, 128 - bits) for base, bits in _RESERVED_V6)


def _same(number: int, base: int, free_bits: int) -> bool:
    return number >> free_bits == base >> free_bits
