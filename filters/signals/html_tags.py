"""HTML tags: where a start or an end tag stops, as the regular expressions of Python's ``html.parser`` (3.11.7) say."""

from __future__ import annotations

import numpy as np
from numba import njit

NORMAL, SELF_CLOSED, JUNK = range(3)
BLANK = np.zeros(256, np.bool_)
BLANK[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = True
NAME_END = np.zeros(256, np.bool_)
NAME_END[[0, 9, 10, 12, 13, 32, 47, 62]] = True
_BEFORE_ATTRIBUTE = BLANK.copy()
_BEFORE_ATTRIBUTE[[34, 39, 47]] = True
_SLASH, _EQUALS, _GREATER = 47, 61, 62


@njit(nogil=True, cache=True)
def start_tag(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Past the start tag at ``at`` and what it is; -1 when it is not complete, `JUNK` when it is text after all."""
    at += 1
    while at < len(text) and not NAME_END[text[at]]:
        at += 1
    while at < len(text):
        byte = text[at]
        if byte == _GREATER:
            return at + 1, NORMAL
        if byte == _SLASH and at + 1 < len(text) and text[at + 1] == _GREATER:
            return at + 2, SELF_CLOSED
        if byte == _SLASH or BLANK[byte]:
            at += 1
        elif not _BEFORE_ATTRIBUTE[text[at - 1]]:
            complete = byte != _EQUALS and not 97 <= byte | 32 <= 122
            return (at, JUNK) if complete else (-1, JUNK)
        else:
            at = _attribute(text, at)
    return -1, JUNK


@njit(nogil=True, cache=True)
def _attribute(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Past the attribute that begins at ``at``, its value included."""
    at += 1
    while at < len(text) and not BLANK[text[at]] and text[at] not in (_SLASH, _EQUALS, _GREATER):
        at += 1
    sign = _skip_blanks(text, at)
    if sign >= len(text) or text[sign] != _EQUALS:
        return at
    equals = sign
    while equals < len(text) and text[equals] == _EQUALS:
        equals += 1
    value = _skip_blanks(text, equals)
    if value < len(text) and text[value] in (34, 39):
        closing = value + 1
        while closing < len(text) and text[closing] != text[value]:
            closing += 1
        if closing < len(text):
            return closing + 1
        if value > equals:
            return value
        if equals == sign + 1:
            return at
        value = equals - 1
    while value < len(text) and not BLANK[text[value]] and text[value] != _GREATER:
        value += 1
    return value


@njit(nogil=True, cache=True)
def _skip_blanks(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while at < len(text) and BLANK[text[at]]:
        at += 1
    return at


@njit(nogil=True, cache=True)
def end_tag(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Past the end tag at ``at`` and the bounds of its name, which is empty in ``</>`` and in bogus ones.

    The caller has seen that there is a ``>`` after ``at``.
    """
    start = at + 2
    if 97 <= text[start] | 32 <= 122:
        stop = start
        while not NAME_END[text[stop]]:
            stop += 1
        after = stop
        while text[after] != _GREATER:
            after += 1
        return after + 1, start, stop
    name = _skip_blanks(text, start)
    stop = name
    while stop < len(text) and _in_end_name(text[stop]):
        stop += 1
    after = _skip_blanks(text, stop)
    strict = 97 <= text[name] | 32 <= 122 and after < len(text) and text[after] == _GREATER
    if strict:
        return after + 1, name, stop
    after = start
    while text[after] != _GREATER:
        after += 1
    return after + 1, start, start


@njit(nogil=True, cache=True)
def _in_end_name(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return 48 <= byte <= 58 or 97 <= byte | 32 <= 122 or byte in (45, 46, 95)
