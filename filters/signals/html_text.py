"""HTML text: the number of characters that ``BeautifulSoup(text, "html.parser").get_text()`` would return.

A tokenizer that walks over the bytes as Python's ``html.parser`` (3.11.7) does, down to its habits, and counts what
Beautiful Soup (4.15) would keep:

* Comments end at ``--`` + blanks + ``>``, other ``<!…>`` and ``<?…>`` at ``>``; CDATA sections are text.
* Script and style end at their end tag only; without one, the rest of the file belongs to them. They are no text.
* Markup that is not closed is text up to the next ``>``, else up to the next ``<``.
* ``&name`` is one or two characters when the name is one of HTML's, with or without a semicolon; an unknown name keeps
  its letters and loses its semicolon. ``&#…`` is one character. The second bare ``&#`` makes the rest of the file text.
* A run of text between two tags that is all white space counts as one character, except inside pre and textarea.
* ``<br>`` and other elements without content need no end tag; one that is there all the same ends no run of text.
* Text in template, rt and rp elements is not visible; an end tag closes what is open inside its element.

Where this differs: white space and letters in tags are those of ASCII, elements beyond `_DEPTH` open ones are not
tracked, a tag that a NUL breaks after the last ``>`` of the file has its references read, and unknown marked sections
end at ``>`` (and are reported) where Beautiful Soup gives up on the file.
Newer Python versions (3.13.6 and later) end comments and scripts as browsers do.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.signals.html_names import IS_HIDDEN, IS_KEPT, IS_RAW, IS_VOID, html_names, name_hash, name_slot
from filters.signals.html_tags import BLANK, NAME_END, NORMAL, SELF_CLOSED, end_tag, start_tag

_DEPTH = 512
_VISIBLE, _RUN, _INK, _HIDDEN, _KEPT, _OPEN, _LATE, _REST, _TAGS, _REFUSED = range(10)
_NO_CLOSE, _NO_COMMENT_END, _NO_SECTION_END = range(10, 13)
_CLOSED = 13


def visible_text(data: np.ndarray, offsets: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Visible characters ``int64[n]`` and whether parsing failed ``bool[n]`` of the ``chosen`` (``bool[n]``) rows.

    >>> row = np.frombuffer(b"<b>one</b> two", np.uint8)
    >>> visible_text(row, np.array([0, 14]), np.array([True]))[0].tolist()
    [7]
    """
    visible, failed = np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.bool_)
    _measure_rows(data, offsets, chosen, html_names(), visible, failed)
    return visible, failed


@njit(nogil=True, cache=True)
def _measure_rows(data, offsets, chosen, names, visible, failed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    state = np.zeros(_CLOSED + 32, np.int64)
    stack = np.zeros(_DEPTH, np.uint64)
    for row in range(len(chosen)):
        if chosen[row]:
            state[:] = 0
            _walk(data[offsets[row] : offsets[row + 1]], names, state, stack)
            visible[row] = state[_VISIBLE]
            failed[row] = state[_TAGS] == 0 or state[_REFUSED] != 0


@njit(nogil=True, cache=True)
def _walk(text, names, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at = 0
    while at < len(text):
        stop = at
        while stop < len(text) and text[stop] != 60 and text[stop] != 38:
            stop += 1
        _add_text(text, at, stop, state)
        if stop == len(text):
            break
        at = (
            _markup(text, stop, names, state, stack)
            if text[stop] == 60
            else _reference(text, stop, names, state)
        )
        if state[_REST]:
            _add_text(text, at, len(text), state)
            break
    _end_run(state)


@njit(nogil=True, cache=True)
def _add_text(text, start, stop, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the characters of a piece of text and those that are not ASCII spaces."""
    chars = ink = 0
    for at in range(start, stop):
        byte = text[at]
        chars += (byte & 0xC0) != 0x80
        ink += (byte != 32) & (byte != 10) & (byte != 9) & (byte != 13) & (byte != 12)
    state[_RUN] += chars
    state[_INK] += ink


@njit(nogil=True, cache=True)
def _end_run(state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Close the string between two pieces of markup: white space alone is one character."""
    if state[_RUN] and not state[_HIDDEN]:
        state[_VISIBLE] += state[_RUN] if state[_INK] or state[_KEPT] else 1
    state[_RUN] = state[_INK] = 0


@njit(nogil=True, cache=True)
def _find(text, at, byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while at < len(text) and text[at] != byte:
        at += 1
    return at if at < len(text) else -1


@njit(nogil=True, cache=True)
def _close(text, at, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The next ``>``, or -1; that there is none any more is remembered, so that this stays linear."""
    found = -1 if state[_NO_CLOSE] else _find(text, at, 62)
    if found < 0:
        state[_NO_CLOSE] = 1
    return found


@njit(nogil=True, cache=True)
def _markup(text, at, names, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read what begins with ``<`` and return where it ends; what is not closed counts as text."""
    after = _construct(text, at, names, state, stack)
    if after >= 0:
        return after
    state[_LATE] = 1
    after = _close(text, at + 1, state) + 1
    if after == 0:
        after = _find(text, at + 1, 60)
    after = at + 1 if after < 0 else after
    _add_text(text, at, after, state)
    return after


@njit(nogil=True, cache=True)
def _construct(text, at, names, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    following = text[at + 1] if at + 1 < len(text) else np.uint8(0)
    if 97 <= following | 32 <= 122:
        return _start_element(text, at, names, state, stack)
    if following == 47:
        return _end_element(text, at, names, state, stack)
    if following == 33:
        return _declaration(text, at, names, state)
    if following == 63:
        return _skipped(_close(text, at + 2, state), state)
    if at + 1 < len(text):
        _add_text(text, at, at + 1, state)
        return at + 1
    return -1


@njit(nogil=True, cache=True)
def _skipped(closing, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Past markup that is no text, which ends the string before it; -1 when it is not closed."""
    if closing >= 0:
        _end_run(state)
        return closing + 1
    return -1


@njit(nogil=True, cache=True)
def _declaration(text, at, names, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if at + 3 < len(text) and text[at + 2] == 45 and text[at + 3] == 45:
        after = -1 if state[_NO_COMMENT_END] else _spaced(text, at + 4, 45, 45)[1]
        state[_NO_COMMENT_END] = after < 0
        return _skipped(after - 1 if after >= 0 else -1, state)
    if at + 2 < len(text) and text[at + 2] == 91:
        return _marked_section(text, at, names, state)
    return _skipped(_close(text, at + 2, state), state)


@njit(nogil=True, cache=True)
def _spaced(text, at, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find ``-- >`` (the dashes together) or ``] ] >`` or ``] >`` (``second`` 0): where it begins and past it."""
    while at < len(text):
        if text[at] == first:
            place = at + 1
            while second == 93 and place < len(text) and BLANK[text[place]]:
                place += 1
            met = second == 0 or (place < len(text) and text[place] == second)
            place += second != 0
            while met and place < len(text) and BLANK[text[place]]:
                place += 1
            if met and place < len(text) and text[place] == 62:
                return at, place + 1
        at += 1
    return -1, -1


@njit(nogil=True, cache=True)
def _marked_section(text, at, names, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """``<![CDATA[…]]>`` is text of its own, ``<![if …]>`` is none, an unknown one makes parsing fail."""
    stop = at + 3
    while stop < len(text) and (97 <= text[stop] | 32 <= 122 or (stop > at + 3 and _goes_on(text[stop]))):
        stop += 1
    while stop < len(text) and stop > at + 3 and BLANK[text[stop]]:
        stop += 1
    if stop == len(text):
        return -1
    kind = _section_kind(text, at + 3, stop, names)
    if kind == 0:
        state[_REFUSED] = 1
        return _skipped(_close(text, at + 3, state), state)
    searched = 1 << (kind > 1)
    known = state[_NO_SECTION_END] & searched
    start, after = (-1, -1) if known else _spaced(text, at + 3, 93, 93 if kind > 1 else 0)
    if after < 0:
        state[_NO_SECTION_END] |= searched
        return -1
    _end_run(state)
    if kind == 3 and text[at + 8] == 91:
        _add_text(text, at + 9, start, state)
        state[_VISIBLE] += state[_RUN] if state[_INK] or (state[_KEPT] and state[_RUN]) else 1
        state[_RUN] = state[_INK] = 0
    return after


@njit(nogil=True, cache=True)
def _goes_on(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return byte in (45, 46, 95) or 48 <= byte <= 57


@njit(nogil=True, cache=True)
def _section_kind(text, start, stop, names):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """3 for CDATA, 2 for the other kinds of SGML, 1 for those of Microsoft Office, 0 for unknown ones."""
    while stop > start and BLANK[text[stop - 1]]:
        stop -= 1
    return names.sections[name_slot(names.section_hashes, name_hash(text, start, stop, 1))]


@njit(nogil=True, cache=True)
def _role(names, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return names.roles[name_slot(names.element_hashes, key)]


@njit(nogil=True, cache=True)
def _start_element(text, at, names, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    after, kind = (-1, NORMAL) if state[_NO_CLOSE] else start_tag(text, at)
    if after < 0:
        return -1
    if kind not in (NORMAL, SELF_CLOSED):
        _add_text(text, at, after, state)
        return after
    _end_run(state)
    state[_TAGS] += 1
    name = at + 1
    while name < len(text) and not NAME_END[text[name]]:
        name += 1
    key = name_hash(text, at + 1, name, 1)
    role = _role(names, key)
    if kind == SELF_CLOSED:
        return after
    if role >= IS_VOID:
        state[_CLOSED + role - IS_VOID] += 1
        return after
    if role == IS_RAW:
        return _raw_end(text, after, at + 1, name)
    if state[_OPEN] < _DEPTH:
        stack[state[_OPEN]] = key
        state[_OPEN] += 1
        state[_HIDDEN] += role == IS_HIDDEN
        state[_KEPT] += role == IS_KEPT
    return after


@njit(nogil=True, cache=True)
def _raw_end(text, at, start, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Past the end tag of the script or style whose name lies between ``start`` and ``stop``, else the end."""
    while at < len(text):
        if text[at] == 60 and at + 1 < len(text) and text[at + 1] == 47:
            place = at + 2
            while place < len(text) and BLANK[text[place]]:
                place += 1
            same = 0
            while (
                same < stop - start
                and place + same < len(text)
                and text[place + same] | 32 == text[start + same] | 32
            ):
                same += 1
            place += same
            while same == stop - start and place < len(text) and BLANK[text[place]]:
                place += 1
            if same == stop - start and place < len(text) and text[place] == 62:
                return place + 1
        at += 1
    return len(text)


@njit(nogil=True, cache=True)
def _end_element(text, at, names, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if _close(text, at + 1, state) < 0:
        return -1
    after, start, stop = end_tag(text, at)
    if after == at + 3 and start == stop:
        return after
    if start == stop:
        _end_run(state)
        return after
    state[_TAGS] += 1
    key = name_hash(text, start, stop, 1)
    void = _role(names, key) - IS_VOID
    if void >= 0 and state[_CLOSED + void]:
        state[_CLOSED + void] -= 1
        return after
    _end_run(state)
    _pop(names, key, state, stack)
    return after


@njit(nogil=True, cache=True)
def _pop(names, key, state, stack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Close the innermost open element of a name and all inside it; nothing when there is none."""
    depth = state[_OPEN]
    while depth > 0 and stack[depth - 1] != key:
        depth -= 1
    while depth > 0 and state[_OPEN] >= depth:
        state[_OPEN] -= 1
        role = _role(names, stack[state[_OPEN]])
        state[_HIDDEN] -= role == IS_HIDDEN
        state[_KEPT] -= role == IS_KEPT


@njit(nogil=True, cache=True)
def _reference(text, at, names, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count what ``&`` begins and return where it ends."""
    following = text[at + 1] if at + 1 < len(text) else np.uint8(0)
    if following == 35:
        return _numeric(text, at, state)
    if not 97 <= following | 32 <= 122:
        _add_text(text, at, at + 1, state)
        return at + 1
    stop = at + 2
    while stop < len(text) and _in_name(text[stop]):
        stop += 1
    if stop == len(text):
        while stop > at + 2 and text[stop - 1] not in (45, 46):
            stop -= 1
        stop -= 1
        if stop < at + 2:
            state[_REST] = 1
            return at + (at + 2 == len(text))
    slot = name_slot(names.reference_hashes, name_hash(text, at + 1, stop, 0))
    length = names.lengths[slot]
    if length:
        state[_RUN] += length
        state[_INK] += 1
    else:
        _add_text(text, at, stop, state)
    return stop + (text[stop] == 59)


@njit(nogil=True, cache=True)
def _in_name(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return 48 <= byte <= 57 or 97 <= byte | 32 <= 122 or byte in (45, 46)


@njit(nogil=True, cache=True)
def _numeric(text, at, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """``&#…`` is one character; when it is none, the first time (not `_LATE`) just two, later all the rest is text."""
    stop = at + 2
    value, base = np.int64(0), np.int64(10)
    if stop < len(text) and text[stop] | 32 == 120:
        stop, base = stop + 1, np.int64(16)
    start = stop
    while stop < len(text) and _digit(text[stop]) < base:
        value = min(value * base + _digit(text[stop]), np.int64(1 << 40))
        stop += 1
    if stop > start and stop < len(text) and _digit(text[stop]) >= 16:
        state[_RUN] += 1
        state[_INK] += value not in (9, 10, 12, 13, 32)
        return stop + (text[stop] == 59)
    late = state[_LATE] != 0
    state[_LATE] = 1
    if late or _find(text, at, 59) < 0:
        state[_REST] = 1
        return at
    _add_text(text, at, at + 2, state)
    return at + 2


@njit(nogil=True, cache=True)
def _digit(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if 48 <= byte <= 57:
        return np.int64(byte) - 48
    lower = np.int64(byte) | 32
    return lower - 87 if 97 <= lower <= 102 else np.int64(99)
