"""Redaction: texts with their secrets and personal data replaced by typed placeholders."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa

from columns.document import text_buffers
from columns.errors import InputError
from privacy.config import PrivacyConfig
from privacy.splice import Span, splice

_DEFAULT = PrivacyConfig()


def redact(content: pa.Array, spans: pa.RecordBatch, config: PrivacyConfig = _DEFAULT) -> pa.Array:
    """Replace every span whose kind is in ``config.redact`` by the kind's placeholder: ``large_string[n]``.

    Everything else stays byte for byte; nulls stay null. With the spans of `find_spans` and the same configuration,
    the result has no finds of the redacted kinds. `InputError` when a span does not fit the texts.

    >>> from privacy import find_spans
    >>> content = pa.array(["by ada@lovelace.org", None], pa.large_string())
    >>> redact(content, find_spans(content)).to_pylist()
    ['by <EMAIL>', None]
    """
    data, offsets = text_buffers(content)
    pieces: list[bytes | memoryview] = []
    lengths = np.diff(offsets)
    view, at = data.data, 0
    for row, chosen in _by_row(spans, config).items():
        if not 0 <= row < len(lengths):
            raise InputError(
                f"spans: expected rows below {len(lengths)}, got {row}", hint="pass the batch they are of"
            )
        text = view[offsets[row] : offsets[row + 1]]
        _check(chosen, row, len(text))
        pieces += view[offsets[at] : offsets[row]], splice(text, chosen)
        lengths[row] = len(pieces[-1])
        at = row + 1
    pieces.append(view[offsets[at] : offsets[-1]])
    return _strings(b"".join(pieces), lengths, content)


def _by_row(spans: pa.RecordBatch, config: PrivacyConfig) -> dict[int, list[Span]]:
    columns = (spans.column(name).to_pylist() for name in ("row", "start", "end", "kind"))
    listed = sorted(span for span in zip(*columns, strict=True) if span[3] in config.redact)
    return {
        row: [Span(*span[1:]) for span in group] for row, group in groupby(listed, key=lambda span: span[0])
    }


def _check(spans: list[Span], row: int, length: int) -> None:
    edges = [0, *(edge for span in spans for edge in span[:2]), length]
    if any(before > after for before, after in pairwise(edges)):
        raise InputError(
            f"spans: expected spans apart and inside the {length} bytes of row {row}",
            hint="pass the texts the spans were found in",
        )


def _strings(text: bytes, lengths: np.ndarray, content: pa.Array) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    valid = None
    if content.null_count:
        valid = pa.py_buffer(np.packbits(np.asarray(content.is_valid()), bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.large_string(), len(content), buffers)
