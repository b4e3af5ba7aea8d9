"""Spans as plain tuples: sorting out overlaps, putting placeholders in, and mapping places back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from privacy.kinds import KINDS

_RANK = {name: rank for rank, name in enumerate(KINDS)}
PLACEHOLDERS = {name: kind.placeholder.encode() for name, kind in KINDS.items()}


class Span(NamedTuple):
    """One find in one text, in bytes."""

    start: int
    end: int
    kind: str


def apart(spans: Iterable[Span]) -> list[Span]:
    """The spans without overlaps: from left to right, ties by the order of `KINDS`, then the longer.

    >>> apart([Span(3, 9, "email"), Span(3, 9, "password"), Span(5, 12, "email")])
    [Span(start=3, end=9, kind='password')]
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, _RANK[span.kind], -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def splice(text: memoryview, spans: Sequence[Span]) -> bytes:
    """The text with each span (sorted, apart) replaced by the placeholder of its kind.

    >>> splice(memoryview(b"to ada@lovelace.org."), [Span(3, 19, "email")])
    b'to <EMAIL>.'
    """
    pieces: list[bytes | memoryview] = []
    at = 0
    for span in spans:
        pieces += text[at : span.start], PLACEHOLDERS[span.kind]
        at = span.end
    return b"".join([*pieces, text[at:]])


def origin(span: Span, gone: Sequence[Span]) -> Span:
    """A span of the spliced text in the places of the text before; one that cuts a placeholder takes all of it.

    >>> origin(Span(8, 10, "email"), [Span(0, 16, "email")])
    Span(start=17, end=19, kind='email')
    """
    start, end, shift = span.start, span.end, 0
    starts_in = ends_in = None
    for old in gone:
        first = old.start + shift
        behind = first + len(PLACEHOLDERS[old.kind])
        if first >= span.end:
            break
        if behind > span.start and starts_in is None and first <= span.start:
            starts_in = old.start
        if behind > span.end:
            ends_in = old.end
        shift += behind - first - (old.end - old.start)
        if behind <= span.start:
            start = span.start - shift
        end = span.end - shift
    return Span(start if starts_in is None else starts_in, end if ends_in is None else ends_in, span.kind)


def joined(old: Sequence[Span], new: Sequence[Span]) -> list[Span]:
    """Old and new spans in order; an old one that a new one touches gives way.

    >>> joined([Span(0, 4, "email"), Span(9, 12, "email")], [Span(2, 6, "password")])
    [Span(start=2, end=6, kind='password'), Span(start=9, end=12, kind='email')]
    """
    new = apart(new)
    kept = [span for span in old if not any(span.start < n.end and n.start < span.end for n in new)]
    return sorted([*kept, *new])
