"""Finders: given a text and a place, the edges of an instance there, or nothing.

A pattern is matched from a known start over at most `WINDOW` bytes and every repetition in it is bounded, so the cost
per place is bounded too, whatever the text. The last group that took part in a match is what is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from privacy import addresses, assigned, checks
from privacy.kind import Finder

WINDOW = 4096
_MAX_BLOCK = 32 << 10

Check = Callable[[bytes], bool]


def by_pattern(pattern: bytes, check: Check = checks.genuine) -> Finder:
    """A finder that matches a pattern at a start and asks the check about what it captured."""
    compiled = re.compile(pattern)

    def find(text: memoryview, start: int) -> tuple[int, int] | None:
        match = compiled.match(text, start, start + WINDOW)
        if match is None or match.lastindex is None or not check(match[match.lastindex]):
            return None
        return match.span(match.lastindex)

    return find


_PEM_HEAD = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_EDGE = re.compile(rb"-----BEGIN |-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(rb"[A-Za-z0-9+/=]{16,}")
_PEM_REST = re.compile(rb"(?:[\s\\nr\"'+,]{0,64}[A-Za-z0-9+/=]{16,})+")


def find_private_key(text: memoryview, start: int) -> tuple[int, int] | None:
    """A PEM, OpenSSH or PGP private key from its first dashes to its last, or to its last base64 line when cut off.

    A header without 64 characters of base64 behind it is code about keys, not a key.
    """
    head = _PEM_HEAD.match(text, start, start + 80)
    if head is None:
        return None
    edge = _PEM_EDGE.search(text, head.end(), start + _MAX_BLOCK)
    stop = edge.start() if edge else min(len(text), start + _MAX_BLOCK)
    if sum(len(found[0]) for found in _PEM_BODY.finditer(text, head.end(), stop)) < 64:
        return None
    if edge and b"END" in edge[0]:
        return start, edge.end()
    rest = _PEM_REST.match(text, head.end(), stop)
    return (start, rest.end()) if rest else None


_ASSIGNMENT = re.compile(assigned.ASSIGNMENT)


def by_assignment(check: Callable[..., bool]) -> Finder:
    """A finder of values assigned to a telling name; ``check(value, quoted=…)`` decides."""

    def find(text: memoryview, start: int) -> tuple[int, int] | None:
        match = _ASSIGNMENT.match(text, start, start + WINDOW)
        if match is None:
            return None
        group = assigned.assigned_value(match, bytes(text[max(0, start - 40) : start]))
        return match.span(group) if group and check(match[group], quoted=group == 3) else None

    return find


QUAD = re.compile(rb"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?!\.?\d)(?![A-Za-z_])")
IPV6 = re.compile(rb"(?<![A-Za-z0-9_:.])([0-9A-Fa-f:]{6,39})(?![A-Za-z0-9_:])")
_EMAIL = re.compile(
    rb"(?<![A-Za-z0-9._%+\-@/])(?:(?<=\\)[nrt])?[._%+\-]{0,64}([A-Za-z0-9_][A-Za-z0-9._%+\-]{0,63}@"
    rb"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,18})(?![A-Za-z0-9_@(\-]|\.[A-Za-z0-9])"
)
_USER_INFORMATION = re.compile(rb"://[^\s/\"'<>]{0,80}$")


def find_email(text: memoryview, start: int) -> tuple[int, int] | None:
    """An e-mail address that is no part of a URL's ``user:password@host``."""
    match = _EMAIL.match(text, start, start + WINDOW)
    if match is None or _USER_INFORMATION.search(bytes(text[max(0, match.start(1) - 90) : match.start(1)])):
        return None
    return match.span(1) if addresses.personal_email(match[1]) else None


def find_ipv4(text: memoryview, start: int) -> tuple[int, int] | None:
    """A public IPv4 address; the line around it (80 bytes before, 60 after) tells versions from addresses."""
    match = QUAD.match(text, start, start + 20)
    if match is None:
        return None
    before = bytes(text[max(0, start - 80) : start]).rpartition(b"\n")[2]
    line = before + b" " + bytes(text[match.end() : match.end() + 60]).partition(b"\n")[0]
    return match.span(1) if addresses.public_ipv4(match[1], before, line) else None
