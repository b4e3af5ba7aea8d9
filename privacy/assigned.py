"""Secrets known only by the name they are assigned to: ``db_password = "…"``, ``"apiKey": "…"``, ``TOKEN=…``."""

from __future__ import annotations

import re

from privacy.checks import random_looking, spelled

ASSIGNMENT = (
    rb"([\w.\-]{3,100})(?:\\?[\"'])?[\])]?[ \t]{0,16}"
    rb"(?::[ \t]?[A-Za-z_&][\w.<>?&']{0,24}[ \t]{0,4})?(?::=|=>|[=!]==?|[=:,])[ \t]{0,16}"
    rb"(?:[bBrRuUfF@]{1,2}|new[ ]String\()?"
    rb"(?:(\\?[\"'`])([!#-&(-\[\]-_a-~]{6,200})\2|([A-Za-z0-9+/=_~.!@#$%^&*-]{16,200})(?=[ \t\r]*(?:\n|\Z)))"
)
_LINE_START = re.compile(rb"(?:^|\n)[ \t]*(?:(?:export|set|ENV|ARG|-)[ \t]+)?[\"']?$")
_TEMPLATE = re.compile(
    rb"[{}<>]|\$[(\w]|%[sd(]|%\w+%|\(\)|://|^[/.$:@#*&]|\.(?:get|env|config|json|ya?ml|txt|pem|key|html?|js|py|php)\b"
)
_WORDS = re.compile(
    rb"passw|passphrase|secret|token|changeme|change_me|replace|insert|enter|todo|fixme|none|null|undefined|default|"
    rb"test|demo|fake|mock|dummy|admin|root|user|login|foo|bar|qwert|letmein|welcome|1234|abc123|api[_-]?key|"
    rb"string|value|field|input|hidden|required|invalid|sha(?:1|256|512)|md5|hmac|bcrypt|pbkdf2|argon|base64|utf-?8|oauth",
    re.IGNORECASE,
)
_CHECKED_ELSEWHERE = re.compile(rb"(?:gh[pousr]|npm)_")
_NAMED = re.compile(rb"[A-Za-z]+\d{0,2}(?:[._:/|,+@ -]+[A-Za-z]*\d{0,2})*")
_NOT_A_SECRET_S_NAME = re.compile(
    rb"hash|digest|checksum|sha\d|md5|public|fingerprint|regex|pattern|tokeni[sz]|url|uri|path|file|folder|field|label|"
    rb"header|prefix|suffix|length|size|count|format|error|message|msg|placeholder|hint|class|view|page|route|endpoint|"
    rb"grant|scope|expir|column|attr|param|prompt|title|policy|valid|next|sync|continu|cancel|selector|xpath|css|style|"
    rb"icon|image|version|commit|integrity|etag|csrf|nonce|input|"
    rb"(?:name|type|id|ids|key_?id|at|text|mode|str|list|map|set|tokens|secrets|passwords)$",
    re.IGNORECASE,
)


def assigned_value(match: re.Match[bytes], before: bytes) -> int:
    """Which group of an `ASSIGNMENT` match holds a literal value: 3 quoted, 4 bare at a line's end, 0 none.

    A bare value counts only where the name begins its line; ``before`` is the text before the match.

    >>> assigned_value(re.match(ASSIGNMENT, b'db_password = "q8!Zr2Lw"'), b"")
    3
    """
    if _NOT_A_SECRET_S_NAME.search(match[1]):
        return 0
    if match[3] is not None:
        return 3
    return 4 if _LINE_START.search(before) else 0


def assigned_secret(value: bytes, *, quoted: bool) -> bool:
    """Whether a value given to something called a key, token or secret looks random and is no template.

    What has the prefix of a format with a checksum is left to that format: here it comes only when the sum is wrong.

    >>> assigned_secret(b"9f86d081884c7d659a2feaa0c55ad015", quoted=True), assigned_secret(b"your-api-key", quoted=True)
    (True, False)
    """
    if _TEMPLATE.search(value) or _CHECKED_ELSEWHERE.match(value):
        return False
    return random_looking(value) and (quoted or value.count(b".") < 2)


def assigned_password(value: bytes, *, quoted: bool) -> bool:
    """Whether a value given to something called a password could be one: mixed characters, no words, no template.

    Passwords that are plain words are missed on purpose: ``password = "password"`` is a label far more often.

    >>> assigned_password(b"q8!Zr2Lw", quoted=True), assigned_password(b"password1", quoted=True)
    (True, False)
    """
    if not quoted:
        return assigned_secret(value, quoted=False)
    if not 7 <= len(value) <= 128 or _TEMPLATE.search(value) or _WORDS.search(value) or spelled(value):
        return False
    if _NAMED.fullmatch(value):
        return len(value) >= 16 and random_looking(value)
    return any(65 <= byte & 0xDF <= 90 for byte in value)


def url_password(value: bytes) -> bool:
    """Whether the password part of ``scheme://user:password@host`` is a literal, not a placeholder.

    >>> url_password(b"s3cr9tWord"), url_password(b"password"), url_password(b"$DB_PASS")
    (True, False, False)
    """
    if _TEMPLATE.search(value) or spelled(value) or b"*" in value or len(value) < 4:
        return False
    return not _WORDS.search(value) and value.lower() not in _URL_WORDS


_URL_WORDS = {
    b"pass",
    b"pwd",
    b"port",
    b"key",
    b"guest",
    b"postgres",
    b"mysql",
    b"redis",
    b"rabbitmq",
    b"mongo",
    b"passwd",
    b"example",
}
