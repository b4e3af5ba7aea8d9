"""Spans: where secrets and personal data lie in texts. Places and kinds only, never what lies there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from columns.document import text_buffers
from privacy.anchors import find_places
from privacy.config import PrivacyConfig
from privacy.kinds import KINDS
from privacy.splice import Span, apart, joined, origin, splice

SPANS = pa.schema(
    [
        pa.field("row", pa.int64(), metadata={"about": "row of the batch the text is in"}),
        pa.field("start", pa.int64(), metadata={"about": "first byte in the UTF-8 text"}),
        pa.field("end", pa.int64(), metadata={"about": "the byte behind the last"}),
        pa.field(
            "line", pa.int32(), metadata={"about": "line of the first byte, from 1; lines end with a newline"}
        ),
        pa.field("kind", pa.string(), metadata={"about": "name of the kind, see privacy.KINDS"}),
    ]
)

_DEFAULT = PrivacyConfig()
_ROUNDS = 8


def find_spans(content: pa.Array, config: PrivacyConfig = _DEFAULT) -> pa.RecordBatch:
    """Find secrets and personal data in texts (``large_string[n]``): a batch of `SPANS`, by row and start.

    Spans of a row never overlap: from left to right the one that starts first wins, then the kind listed first in
    `KINDS`, then the longer. What only shows once its neighbour is replaced (a token glued to an address) is found
    too: rows with finds are searched again with the placeholders in, until nothing new appears, so that redacted text
    has no finds. Costs one pass over the bytes and a few microseconds per candidate, whatever the text; misses what
    no pattern describes (names, phone numbers, passwords that are words).

    >>> find_spans(pa.array(["x = 1", "\\nmail = 'ada@lovelace.org'"], pa.large_string())).to_pylist()
    [{'row': 1, 'start': 9, 'end': 25, 'line': 2, 'kind': 'email'}]
    """
    data, offsets = text_buffers(content)
    found = dict(_rows(data, offsets, config))
    texts = {row: data.data[offsets[row] : offsets[row + 1]] for row in found}
    _settle(texts, found, config)
    listed = [(row, *span) for row, spans in found.items() for span in spans]
    columns = {
        "row": [row for row, _, _, _ in listed],
        "start": [start for _, start, _, _ in listed],
        "end": [end for _, _, end, _ in listed],
        "line": [line for row, spans in found.items() for line in _lines(texts[row], spans)],
        "kind": [kind for _, _, _, kind in listed],
    }
    return pa.RecordBatch.from_pydict(columns, schema=SPANS)


def _lines(text: memoryview, spans: Sequence[Span]) -> list[int]:
    starts = [span.start for span in spans]
    ends = np.flatnonzero(np.frombuffer(text, np.uint8)[: starts[-1]] == 10)
    return (np.searchsorted(ends, starts) + 1).tolist()


def _rows(data: np.ndarray, offsets: np.ndarray, config: PrivacyConfig) -> Iterator[tuple[int, list[Span]]]:
    """Rows with finds, in order, each with its spans."""
    places = find_places(data, offsets, config.kinds)
    view = data.data
    listed = zip(places.row.tolist(), places.start.tolist(), places.kind.tolist(), strict=True)
    for row, group in groupby(listed, key=lambda place: place[0]):
        base = int(offsets[row])
        text = view[base : int(offsets[row + 1])]
        found = (_confirmed(text, start - base, config.kinds[kind]) for _, start, kind in group)
        spans = apart([span for span in found if span is not None])
        if spans:
            yield row, spans


def _confirmed(text: memoryview, start: int, name: str) -> Span | None:
    edges = KINDS[name].find(text, start)
    return None if edges is None else Span(*edges, name)


def _settle(texts: Mapping[int, memoryview], found: dict[int, list[Span]], config: PrivacyConfig) -> None:
    """Add to the finds what appears when those to redact are replaced, until there is no more."""
    unsettled = list(found)
    for _ in range(_ROUNDS):
        gone = {row: [span for span in found[row] if span.kind in config.redact] for row in unsettled}
        redacted = pa.array([splice(texts[row], gone[row]) for row in unsettled], pa.large_binary())
        again = dict(_rows(*text_buffers(redacted), config))
        changed = []
        for place, spans in again.items():
            row = unsettled[place]
            new = [origin(span, gone[row]) for span in spans if span.kind in config.redact]
            if new:
                found[row] = joined(found[row], new)
                changed.append(row)
        unsettled = changed
        if not unsettled:
            return
