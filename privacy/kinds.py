"""The kinds of secrets and personal data: how each is written, where that is documented, what stands in its place.

A kind is found in two steps. An *anchor*, a short literal that every instance has in it, is looked for in all texts at
once (`privacy.anchors`); where one lies, the kind's finder decides (`privacy.finders`). The order of `KINDS` is the
order of precedence where two kinds start at the same byte.
"""

from __future__ import annotations

from types import MappingProxyType

from privacy import addresses, assigned, checks
from privacy.finders import IPV6, QUAD, by_assignment, by_pattern, find_email, find_ipv4, find_private_key
from privacy.kind import Kind
from privacy.providers import PROVIDERS

_AWS_SECRET = (
    rb"[\w.\-]{0,64}?(?i:secret[_.\- ]?(?:access)?[_.\- ]?key)"
    rb"[\w.\-]{0,16}[\"'\])]{0,2}[ \t]{0,8}(?:=>|:=|[=:,])[ \t]{0,8}"
    rb"[\"']?([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"
)
_URL = (
    rb"[+.\-]{0,22}(?!github:)[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s:@/\"'<>`]{0,64}"
    rb":([!#-&(-.0-;=?A-_a-~]{3,128})@[A-Za-z0-9\[_$({<]"
)
_BEARER = rb"(?i:bearer)[ ]{1,3}([A-Za-z0-9_\-.=+/~]{16,400})(?![A-Za-z0-9_\-.=+/~])"
_BASIC = rb"(?i:basic)[ ]{1,3}([A-Za-z0-9+/]{12,200}={0,2})(?![A-Za-z0-9+/=])"
_KEY_NAMES = (
    "secret token apikey api_key api-key accesskey access_key access-key authkey auth_key auth-key privatekey "
    "private_key encryptionkey encryption_key accountkey account_key credential"
)

_CONTEXT = (
    Kind(
        "private_key",
        "secret",
        "<PRIVATE_KEY>",
        "format",
        "RFC 7468; OpenSSH PROTOCOL.key; RFC 9580",
        ("-----BEGIN ",),
        find_private_key,
    ),
    Kind(
        "aws_secret_access_key",
        "secret",
        "<KEY>",
        "context",
        "AWS IAM User Guide, Manage access keys",
        ("secret",),
        by_pattern(_AWS_SECRET, checks.random_looking),
        fold=True,
        back="name",
        gate="assign",
    ),
    Kind(
        "url_password",
        "secret",
        "<PASSWORD>",
        "context",
        "RFC 3986, 3.2.1 user information",
        ("://",),
        by_pattern(_URL, assigned.url_password),
        back="scheme",
        gate="url",
    ),
    Kind(
        "bearer_token",
        "secret",
        "<KEY>",
        "context",
        "RFC 6750, 2.1",
        ("bearer ",),
        by_pattern(_BEARER, checks.random_looking),
        fold=True,
    ),
    Kind(
        "basic_credentials",
        "secret",
        "<PASSWORD>",
        "context",
        "RFC 7617",
        ("basic ",),
        by_pattern(_BASIC, checks.basic_credentials),
        fold=True,
    ),
    Kind(
        "password",
        "secret",
        "<PASSWORD>",
        "context",
        "ours: a literal assigned to a name",
        ("passw", "pwd", "passphrase"),
        by_assignment(assigned.assigned_password),
        fold=True,
        back="name",
        gate="assign",
    ),
    Kind(
        "assigned_secret",
        "secret",
        "<KEY>",
        "context",
        "ours: a random literal assigned to a name",
        tuple(_KEY_NAMES.split()),
        by_assignment(assigned.assigned_secret),
        fold=True,
        back="name",
        gate="assign",
    ),
)

_PERSONAL = (
    Kind(
        "email",
        "personal",
        "<EMAIL>",
        "context",
        "RFC 5321, 4.1.2, the dot-atom form",
        ("?mail",),
        find_email,
        back="mail",
        gate="mail",
    ),
    Kind(
        "ip_address",
        "personal",
        "<IP_ADDRESS>",
        "context",
        "RFC 791; IANA special-purpose registries",
        ("?quad",),
        find_ipv4,
        back="digits",
        gate="quad",
    ),
    Kind(
        "ipv6_address",
        "personal",
        "<IP_ADDRESS>",
        "context",
        "RFC 4291; IANA special-purpose registries",
        ("?colon",),
        by_pattern(IPV6.pattern, addresses.public_ipv6),
        back="hex",
        gate="colon",
    ),
    Kind(
        "private_ip_address",
        "personal",
        "<IP_ADDRESS>",
        "context",
        "RFC 1918",
        ("?quad",),
        by_pattern(QUAD.pattern, addresses.private_ipv4),
        back="digits",
        gate="quad",
        default=False,
    ),
)

KINDS = MappingProxyType({kind.name: kind for kind in (*PROVIDERS, *_CONTEXT, *_PERSONAL)})
DEFAULT_KINDS = tuple(name for name, kind in KINDS.items() if kind.default)
